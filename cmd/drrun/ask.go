package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// asker is the desk of a run: it answers questions from --answer, then the plain ones from --yes, then by asking at the terminal.
type asker struct {
	env     Env
	model   engine.Env
	screen  *screen
	answers []string // NAME=VALUE
	yes     bool
	wait    bool // without a terminal, questions wait for drrun answer
	lines   *lines
	turns   turns

	mu   sync.Mutex
	used map[string]bool // of answers, as given
}

func newAsker(inv *invocation, model engine.Env, answers []string, yes bool) (*asker, *usageError) {
	for _, answer := range answers {
		if name, _, ok := strings.Cut(answer, "="); !ok || name == "" {
			return nil, usage("--answer %q: write it as NAME=VALUE", answer)
		}
		if strings.HasPrefix(answer, stdlib.QuestionSourceDown+"=") {
			return nil, usage("--answer cannot confirm that a site is down").hinted("--confirm-source-down 'YOUR NAME: HOW YOU KNOW'")
		}
	}
	return &asker{env: inv.env, model: model, screen: inv.screen, answers: answers, yes: yes, lines: &lines{from: inv.env.Stdin}}, nil
}

// prepared returns the answer that the command line has for a question, and how it was given.
func (a *asker) prepared(name string) (given, value string, known bool) {
	names := []string{name}
	if all, group, ok := strings.Cut(name, ":"); ok && group != "" && all+":" != engine.CutQuestion && all != stdlib.QuestionRedo { // one answer for the question about each group
		names = append(names, all)
	}
	for _, candidate := range names {
		for _, answer := range slices.Backward(a.answers) { // the last one counts, as with every flag
			if value, ok := strings.CutPrefix(answer, candidate+"="); ok {
				return answer, value, true
			}
		}
	}
	return "", "", false
}

// preparedAnswer returns the answer alone.
func (a *asker) preparedAnswer(name string) (answer string, known bool) {
	_, answer, known = a.prepared(name)
	return answer, known
}

// unused names the questions for which the command line has an answer that was not asked for.
func (a *asker) unused() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var names []string
	for _, answer := range a.answers {
		if name, _, _ := strings.Cut(answer, "="); !a.used[answer] {
			names = append(names, name)
		}
	}
	return names
}

// canAnswer tells whether a question of that name has an answer, or somebody who can give one.
func (a *asker) canAnswer(name string) bool {
	if a.env.interactive() || a.wait {
		return true
	}
	_, _, known := a.prepared(name)
	return known && name != stdlib.QuestionSourceDown
}

// Prepared answers a question from the command line.
func (a *asker) Prepared(q engine.Question) (engine.Answer, bool) {
	if sabotage.On(sabotage.YesIsEvidence) && a.yes && q.Evidence {
		return engine.Answer{Text: "drrun: --yes was given", Via: engine.ViaYes, By: a.who()}, true
	}
	if q.Evidence {
		return engine.Answer{}, false
	}
	if given, answer, known := a.prepared(q.Name); known {
		a.mu.Lock()
		if a.used == nil {
			a.used = map[string]bool{}
		}
		a.used[given] = true
		a.mu.Unlock()
		return engine.Answer{Text: answer, Via: engine.ViaFlag, By: a.who()}, true
	}
	if !a.yes || q.Secret || q.OnlyPerson() {
		return engine.Answer{}, false
	}
	for _, answer := range []string{q.Default, "yes", "continue"} {
		if answer != "" && (answer == q.Default || slices.Contains(q.Choices, answer)) {
			return engine.Answer{Text: answer, Via: engine.ViaYes, By: a.who()}, true
		}
	}
	return engine.Answer{}, false
}

func (a *asker) who() string { return a.env.User + " on " + a.env.Host }

// Attended tells whether a person is at the terminal.
func (a *asker) Attended() bool { return a.env.interactive() }

// Ask asks at the terminal.
func (a *asker) Ask(ctx context.Context, q engine.Question) (string, error) {
	if !a.env.interactive() {
		return "", engine.ErrNoAnswer
	}
	if err := a.turns.take(ctx, a.model); err != nil {
		return "", err
	}
	defer a.turns.give()
	a.lines.forget()
	for {
		answer, err := a.prompt(ctx, q)
		switch {
		case err != nil:
			return "", err
		case answer == "" && q.Default != "" && !q.OnlyPerson():
			return q.Default, nil
		case len(q.Choices) > 0 && !slices.Contains(q.Choices, answer):
			a.screen.line(noneOf(answer, q.Choices))
		case answer != "" && q.Check != nil && q.Check(answer) != nil:
			a.screen.line(q.Check(answer).Error())
		case answer != "":
			return answer, nil
		}
	}
}

// noneOf says that an answer is no choice, and which one it may have meant.
func noneOf(answer string, choices []string) string {
	text := fmt.Sprintf("%q is none of: %s", answer, strings.Join(choices, ", "))
	if nearest := lua.Nearest(answer, choices); nearest != "" {
		text += fmt.Sprintf("; did you mean %s?", nearest)
	}
	return text
}

// dangerLine stands below a question of which an answer can lose data.
const dangerLine = "DANGER: an answer can lose data"

func (a *asker) prompt(ctx context.Context, q engine.Question) (string, error) {
	text := q.Text
	if len(q.Fields) > 0 {
		text += "; needed: " + strings.Join(q.Fields, ", ")
	}
	if len(q.Choices) > 0 {
		text += " [" + strings.Join(q.Choices, "/") + "]"
	}
	if q.Default != "" && !q.Secret && !q.OnlyPerson() {
		text += fmt.Sprintf(" (an empty line means %q)", q.Default)
	}
	text += timeLeft(q, a.model.Clock.Now())
	if q.Secret {
		return a.secret(ctx, text+": ")
	}
	if q.Danger == engine.DangerDataLoss {
		text += "\n" + dangerLine
	}
	over := a.screen.prompt()
	defer over()
	fmt.Fprintf(a.env.Stderr, "%s\n%s> ", legible(text), legible(q.Name))
	answer, err := a.lines.read(ctx, a.model)
	if err != nil && ctx.Err() != nil { // the cursor stands behind a prompt that nobody will answer
		fmt.Fprintln(a.env.Stderr)
	}
	return answer, err
}

// timeLeft says how long a question still waits and what comes then; "" when it waits as long as it takes.
func timeLeft(q engine.Question, now time.Time) string {
	if q.Until.IsZero() {
		return ""
	}
	then := "the question fails"
	if q.Default != "" && !q.OnlyPerson() {
		then = fmt.Sprintf("%q is taken", q.Default)
	}
	return fmt.Sprintf(" (%s left, then %s)", span(max(q.Until.Sub(now), 0)), then)
}

// secret asks without showing the answer.
func (a *asker) secret(ctx context.Context, text string) (string, error) {
	over := a.screen.prompt()
	defer over()
	restore := a.env.SaveTerminal()
	fmt.Fprint(a.env.Stderr, legible(text))
	var answer string
	var err error
	read := make(chan struct{})
	a.model.Go(func() {
		answer, err = a.env.ReadSecret()
		close(read)
	})
	if _, waitErr := a.model.Clock.Wait(ctx, -1, read); waitErr != nil {
		restore() // the reader is left behind with its terminal
		fmt.Fprintln(a.env.Stderr)
		return "", waitErr
	}
	fmt.Fprintln(a.env.Stderr)
	return strings.TrimRight(answer, "\r\n"), err
}

// resolver finds the secrets of a plan.
func (a *asker) resolver() plans.SecretResolver {
	resolver := plans.SecretResolver{Env: a.env.Getenv, ReadFile: a.model.FS.ReadFile, Command: secretFrom(a.model.Clock), Store: a.env.secretStore(a.model.FS).find}
	if a.env.interactive() {
		resolver.Prompt = a.secret
	}
	return resolver
}

// turns lets one task after the other ask: tasks run side by side, and there is one terminal.
type turns struct {
	mu   sync.Mutex
	free chan struct{} // closed when whoever asks has the answer; nil while nobody asks
}

func (t *turns) take(ctx context.Context, model engine.Env) error {
	for {
		t.mu.Lock()
		wake := t.free
		if wake == nil {
			t.free = make(chan struct{})
			t.mu.Unlock()
			return nil
		}
		t.mu.Unlock()
		if _, err := model.Clock.Wait(ctx, -1, wake); err != nil {
			return err
		}
	}
}

func (t *turns) give() {
	t.mu.Lock()
	defer t.mu.Unlock()
	close(t.free)
	t.free = nil
}

// lines reads lines so that waiting for one can be given up: the reading goes on, and who asks next gets what it brings.
type lines struct {
	from    io.Reader
	reader  *bufio.Reader
	pending *pendingLine
}

type pendingLine struct {
	read chan struct{}
	text string
	err  error
}

// forget drops a line that was typed for an earlier question, which was answered elsewhere or whose time was over meanwhile.
func (l *lines) forget() {
	if l.pending == nil {
		return
	}
	select {
	case <-l.pending.read:
		if l.pending.err == nil { // the end of the input stays
			l.pending = nil
		}
	default:
	}
}

// read returns the next line without what surrounds it; an empty one at the end of the input is no answer.
func (l *lines) read(ctx context.Context, model engine.Env) (string, error) {
	text, err := l.readRaw(ctx, model)
	text = strings.TrimSpace(text)
	switch {
	case errors.Is(err, io.EOF):
		return "", engine.ErrNoAnswer
	case err != nil:
		return "", err
	}
	return text, nil
}

// readRaw returns the next line as it is, io.EOF behind the last one.
func (l *lines) readRaw(ctx context.Context, model engine.Env) (string, error) {
	if l.reader == nil {
		l.reader = bufio.NewReader(l.from)
	}
	if l.pending == nil {
		line := &pendingLine{read: make(chan struct{})}
		l.pending = line
		model.Go(func() {
			line.text, line.err = l.reader.ReadString('\n')
			close(line.read)
		})
	}
	line := l.pending
	if _, err := model.Clock.Wait(ctx, -1, line.read); err != nil {
		return "", err
	}
	l.pending = nil
	if errors.Is(line.err, io.EOF) && strings.TrimSpace(line.text) == "" {
		return "", io.EOF
	}
	if line.err != nil && !errors.Is(line.err, io.EOF) {
		return "", fmt.Errorf("read the answer: %w", line.err)
	}
	return strings.TrimRight(line.text, "\r\n"), nil
}
