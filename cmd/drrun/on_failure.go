package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drrun/plans/runner"
)

// shownLines is how many lines of a changed file are shown.
const shownLines = 60

// decide asks at the terminal what to do about an attempt that stopped. Neither --yes nor --answer nor another terminal answers it.
func (a *asker) decide(ctx context.Context, f runner.Failure) runner.Decision {
	abort := runner.Decision{Choice: runner.DecideAbort, By: a.who()}
	if a.turns.take(ctx, a.model) != nil { // interrupted
		return abort
	}
	defer a.turns.give()
	var text strings.Builder
	writeError(&text, f.Result)
	explained := choicesText(f)
	a.screen.line(text.String() + explained)
	a.lines.forget()
	for {
		answer, err := a.choose(ctx, "failed: "+strings.Join(f.Choices, " / "))
		if err != nil {
			return abort
		}
		i := slices.IndexFunc(f.Choices, func(choice string) bool { return answer != "" && strings.HasPrefix(choice, strings.ToLower(answer)) })
		switch {
		case answer == "" || answer == "?":
			a.screen.line(explained)
			continue
		case i < 0:
			a.screen.line(noneOf(answer, f.Choices) + " (? explains them)")
			continue
		}
		decision := runner.Decision{Choice: f.Choices[i], By: a.who()}
		if decision.Choice == runner.DecideEdit {
			a.screen.line("waiting until one of these is saved: " + strings.Join(f.Files, ", ") + " (an empty line goes back to the question)")
			decision.GivenUp, decision.Over = a.enter(ctx)
		}
		return decision
	}
}

// choicesText explains what can be chosen, a line each.
func choicesText(f runner.Failure) string {
	var b strings.Builder
	for _, choice := range f.Choices {
		fmt.Fprintf(&b, "  %-6s %s\n", choice, decisionWords(choice, f))
	}
	return b.String()
}

func decisionWords(choice string, f runner.Failure) string {
	switch choice {
	case runner.DecideRetry:
		return "run it again from the top: what is done is found done"
	case runner.DecideSkip:
		text := "leave out VM " + f.VM
		if len(f.With) > 0 {
			text += ", and " + strings.Join(f.With, ", ") + ", which cannot start without it"
		}
		return text + ", and go on"
	case runner.DecideEdit:
		return "wait until " + f.Files[0] + " or one of its libraries is saved, show what changed, and go on with it"
	}
	return "stop here; drrun resume " + f.Result.Run + " goes on later"
}

// choose reads one line behind a prompt.
func (a *asker) choose(ctx context.Context, prompt string) (string, error) {
	over := a.screen.prompt()
	defer over()
	fmt.Fprint(a.env.Stderr, legible(prompt)+"> ")
	return a.lines.read(ctx, a.model)
}

// enter waits beside the caller for a line: given is closed when it came. over ends the waiting.
func (a *asker) enter(ctx context.Context) (given <-chan struct{}, over func()) {
	reading, stop := context.WithCancel(ctx)
	came, ended := make(chan struct{}), make(chan struct{})
	a.model.Go(func() {
		defer close(ended)
		if _, err := a.lines.read(reading, a.model); err == nil {
			close(came)
		}
	})
	return came, func() {
		stop()
		_, _ = a.model.Clock.Wait(context.Background(), -1, ended) // a context that never ends
	}
}

// edited shows what a save means to the run.
func (a *asker) edited(e runner.Edit) {
	var b strings.Builder
	if e.Problem != "" {
		b.WriteString(changesText("was saved", e.Files, nil, nil))
		for _, text := range e.Changes.Refused {
			b.WriteString("cannot change in a run: " + text + "\n")
		}
		b.WriteString("not taken: " + e.Problem + "\n")
	} else {
		b.WriteString(changesText("was saved", e.Files, e.Changes.Taken, e.Changes.Later) + "going on with it\n")
	}
	a.screen.line(b.String())
}
