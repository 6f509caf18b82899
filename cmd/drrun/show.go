package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/stdlib"
)

type showOptions struct {
	Run   string
	Steps bool
	State string
	JSON  bool
}

const showHelp = `Tells the story of a run from its journal: each attempt with its stages, what was asked and who answered, the evidence and who
confirmed it, what went wrong, where every storage domain and VM stands, and what is next. It asks no engine and changes nothing.

It works while the run is being worked on, and on a journal that is damaged: then it says where, and tells what stands before.
With --steps it lists the hooks, prompts and steps that the journal has: what became of each, in which attempt, and the key by which
drrun resume --redo KEY repeats it.
With --json: extra.steps are these, extra.report is the report of the last attempt that ended, extra.records is the journal.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun show 20261120-0312-3f9a2c
drrun show 20261120-0312 --steps
drrun show 20261120 --json | jq '.extra.records[] | select(.note == "answer")'
`

func newShowCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "show", Usage: "tell the story of a run", UsageText: "drrun show RUN [flags]", Description: showHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "steps", Usage: "list hooks, prompts and steps with their keys"}, stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "show"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runShow(showOptions{Run: args[0], Steps: c.Bool("steps"), State: c.String("state"), JSON: inv.json}, inv)
			return nil
		},
	}
}

func runShow(o showOptions, inv *invocation) *runner.Result {
	state, model, _, problem := inv.env.runsAt(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "show"}).result()
	}
	info, err := engine.ReadRun(model, state, o.Run)
	if info == nil {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs")
	}
	story := story{info: info, state: o.State}
	if info.Ended.IsZero() { // else nobody works on it, or is about to begin
		story.holder, story.held, err = engine.Holder(model, state, info.ID)
		if err != nil {
			return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
		}
	}
	if story.held {
		if _, open, err := engine.OpenQuestions(model, state, info.ID); err == nil { // else it asks nothing
			story.open = open
		}
	}
	story.report = "drrun report " + info.ID + stateArgument(o.State) + " makes it"
	if file := reportFile(state, info.ID); !info.Ended.IsZero() { // else it is that of an attempt before
		if _, err := model.FS.Stat(file); err == nil {
			story.report = file
		}
	}
	result := done("show")
	result.Run, result.Plan = info.ID, info.Head.Plan
	if info.Err != nil {
		result.Warnings = append(result.Warnings, info.Err.Error())
	}
	if !o.JSON {
		text := story.text(model.Clock.Now())
		if o.Steps {
			text = story.stepsText()
		}
		inv.screen.out(text)
		return result
	}
	withExtra(result, "steps", info.Steps())
	if report, err := engine.Report(model, state, info.ID); err == nil && json.Valid(report) { // a run that never ended has none
		withExtra(result, "report", report)
	}
	withExtra(result, "running", story.held)
	return withExtra(result, "records", info.Records)
}

// story is a run as it is told to people.
type story struct {
	info   *engine.RunInfo
	state  string // --state
	held   bool   // a process works on it
	holder string
	open   []engine.OpenQuestion
	report string // the file, or the command that makes it
}

func (s story) text(now time.Time) string {
	var b strings.Builder
	head := s.info.Head
	fmt.Fprintf(&b, "run %s: %s of %s, %s to %s\n", s.info.ID, head.Action, head.Plan, head.Source, head.Target)
	fmt.Fprintf(&b, "  plan file %s, begun %s by %s, drrun %s\n", head.PlanFile, utcTime(s.info.Started), report.Person(head.User, head.Host), cmp.Or(head.Version, "unknown"))
	if s.info.Err != nil {
		fmt.Fprintf(&b, "  DAMAGED: %v\n  below stands what the journal holds before that place\n", s.info.Err)
	}
	s.attempts(&b, now)
	s.board(&b)
	if verdicts := report.Verdicts(s.info); len(verdicts) > 0 {
		b.WriteString("\n" + strings.Join(verdicts, "\n") + "\n")
	}
	b.WriteString("\n" + outlookText(runner.OutlookOf(s.info, s.held), s.open, s.state, now))
	if len(s.open) == 0 {
		b.WriteString("report: " + s.report + "\n")
	}
	return b.String()
}

func utcTime(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// chapter is one attempt.
type chapter struct {
	number  int
	title   string
	begun   time.Time
	outcome string
	lines   []string
	stages  [][]string
	stage   time.Time // when the last stage began
	ending  report.Ending
}

func (c *chapter) say(at time.Time, text string) {
	stamp := "  " + offset(at.Sub(c.begun)) + "  "
	c.lines = append(c.lines, stamp+strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(stamp))))
}

// over notes how long the last stage took.
func (c *chapter) over(at time.Time) {
	if n := len(c.stages); n > 0 && c.stages[n-1][2] == "" {
		c.stages[n-1][2] = span(at.Sub(c.stage))
	}
}

func (s story) attempts(b *strings.Builder, now time.Time) {
	var c *chapter
	finish := func() {
		if c == nil {
			return
		}
		b.WriteString("\n" + c.title + cmp.Or(c.outcome, "cut off: it has no end") + "\n")
		for _, line := range c.lines {
			b.WriteString(line + "\n")
		}
		if len(c.stages) > 0 {
			b.WriteByte('\n')
			writeTable(b, "  ", append([][]string{{"STAGE", "BEGAN", "TOOK"}}, c.stages...))
		}
	}
	var facts stdlib.Facts
	own := json.Unmarshal(s.info.Facts(), &facts) == nil && facts.Own
	var words *progress
	s.info.Replay(func(rec engine.Record, e engine.Event) {
		switch {
		case rec.Kind == "attempt":
			finish()
			c = &chapter{
				number: rec.Attempt, begun: rec.Time,
				title: fmt.Sprintf("attempt %d, %s by %s: ", rec.Attempt, utcTime(rec.Time), report.Person(rec.User, rec.Host)),
			}
			words = newWords()
			words.totals.Own = own
		case c == nil: // the head
		case rec.Kind == "end":
			c.over(rec.Time)
			c.outcome = fmt.Sprintf("%s, %s", endedWords(rec.Status, *rec.Exit, c.ending), span(rec.Time.Sub(c.begun)))
		case e.Kind == report.EndingNote:
			c.ending, _ = report.EndingOf(&rec)
			if why := reasonText(c.ending); why != "" {
				c.say(rec.Time, why)
			}
		case e.Kind == "stage":
			c.over(rec.Time)
			c.stage = rec.Time
			c.stages = append(c.stages, []string{e.Text, rec.Time.UTC().Format("15:04:05"), ""})
			c.say(rec.Time, words.words(e))
		default:
			if text := eventWords(words, e); text != "" {
				c.say(rec.Time, text)
			}
		}
	})
	if c != nil && c.outcome == "" && s.held {
		c.outcome = "it runs, since " + span(now.Sub(c.begun)) + ", held by " + cmp.Or(s.holder, "a drrun")
	}
	finish()
}

// newWords puts events into words as the live output does.
func newWords() *progress {
	return &progress{domains: map[string]engine.Status{}, vms: map[string]engine.Status{}, waiting: map[string]bool{}}
}

// eventWords puts an event of a journal into words; "" for what a person need not know. A reader of the journal did not see what was decided
// and answered at the terminal of the run.
func eventWords(words *progress, e engine.Event) string {
	switch e.Kind {
	case "":
		return ""
	case "decision":
		var said struct{ Changes []string }
		if decode(e.Data, &said) {
			return strings.Join(append([]string{e.Text}, said.Changes...), "\n  ")
		}
		return e.Text
	case engine.AnswerNote:
		return answeredWords(e)
	}
	return words.words(e)
}

// answeredWords says who answered what, and how.
func answeredWords(e engine.Event) string {
	var note engine.Answered
	if !decode(e.Data, &note) {
		return ""
	}
	how := report.HowAnswered(note.Via)
	if note.By != "" {
		how = "by " + note.By + " " + how
	}
	return fmt.Sprintf("answer to %s: %s (%s)", note.Name, cmp.Or(note.Answer, "not shown"), how)
}

// board tells where every object stands.
func (s story) board(b *strings.Builder) {
	var facts stdlib.Facts
	if json.Unmarshal(s.info.Facts(), &facts) != nil {
		b.WriteString("\nit has no facts yet: nothing was changed\n")
		return
	}
	states := map[string]engine.Status{}
	for _, status := range s.info.Board() {
		states[status.Subject.ID] = status
	}
	state := func(id string) string { return cmp.Or(states[id].State, stdlib.StatePending) }
	var reasons []string
	reason := func(id, name string) {
		if why := cmp.Or(states[id].Error, states[id].Detail); why != "" {
			reasons = append(reasons, "  "+name+": "+oneLine(why))
		}
	}
	rows := [][]string{{"STORAGE DOMAIN", "STATUS"}}
	for _, domain := range facts.Domains {
		rows = append(rows, []string{domain.Name, state(domain.ID)})
		reason(domain.ID, domain.Name)
	}
	b.WriteByte('\n')
	writeTable(b, "", rows)
	rows = [][]string{{"RANK", "VM", "STATUS", "STARTED", "UP"}}
	for _, vm := range facts.VMs {
		status := states[vm.ID]
		rows = append(rows, []string{strconv.Itoa(vm.Rank), vm.Name, state(vm.ID), clockTime(status.StartedAt), clockTime(status.UpAt)})
		reason(vm.ID, vm.Name)
	}
	b.WriteByte('\n')
	writeTable(b, "", rows)
	for _, line := range reasons {
		b.WriteString(line + "\n")
	}
}

// stepsText lists what --redo can repeat.
func (s story) stepsText() string {
	steps := s.info.Steps()
	if len(steps) == 0 {
		return "run " + s.info.ID + " has recorded no hook, prompt or step\n"
	}
	rows := [][]string{{"STEP", "OF", "OUTCOME", "ATTEMPT", "WHEN (UTC)", "KEY"}}
	for _, step := range steps {
		outcome, at := step.Outcome, cmp.Or(step.Ended, step.Begun)
		if step.Outcome == engine.StepCut && s.held && step.Attempt == s.info.Attempts {
			outcome = "runs"
		}
		of := step.Subject.Name
		if step.Subject.Kind == "step" || step.Subject.Kind == "prompt" {
			of = "" // the step is its own subject
		}
		rows = append(rows, []string{cmp.Or(step.Title, step.Key), of, outcome, strconv.Itoa(step.Attempt), utcTime(at), shellWord(step.Key)})
	}
	var b strings.Builder
	writeTable(&b, "", rows)
	return b.String()
}
