package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/stdlib"
)

type answerOptions struct {
	Run, Name, Value string
	Wait             bool
	State            string
	JSON             bool
}

const answerHelp = `Answers a question that a run waits with, from another terminal. Without NAME and VALUE it lists what is asked.

A run asks at its terminal, and here at the same time: the first valid answer counts, and the journal says whose it was. A run
without a terminal waits only with --wait-for-answers. The question about a source that is silent, confirm_source_down, is
answered as 'YOUR NAME: HOW YOU KNOW'. Questions for secrets are answered at the terminal of the run only.

RUN is the id that the run printed, or the beginning of it. It can be left out where exactly one run is unfinished. NAME can be the
part before the colon where that is no other's.

With --wait it waits until the run asks something, and lists it: as long as a drrun works on the run, and a minute for one to begin.

It ends with 2 where the answer does not fit the question, and with 3 where the run does not wait.

EXAMPLES
drrun answer 20261120-0312
drrun answer --wait
drrun answer promote_storage writable,as_of=2026-11-20T03:10:00Z
drrun answer 20261120-0312 promote_storage:all writable,as_of=2026-11-20T03:10:00Z
drrun answer 20261120-0312 confirm_source_down 'Ann Lee: fire in room 2, power is cut'
`

func newAnswerCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "answer", Usage: "answer a question of a run that waits, or list its questions",
		UsageText: "drrun answer [RUN] [flags]\ndrrun answer [RUN] NAME VALUE [flags]", Description: answerHelp,
		Flags: []cli.Flag{&cli.BoolFlag{Name: "wait", Usage: "wait until the run asks something, then list it"}, stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			o := answerOptions{Wait: c.Bool("wait"), State: c.String("state"), JSON: inv.json}
			switch args := c.Args().Slice(); {
			case len(args) < 2:
				o.Run = c.Args().First()
			case len(args) == 2 && !namesRun(args[0]):
				o.Name, o.Value = args[0], args[1]
			default:
				args, err := exactly(c, []string{"drrun", "answer"}, "RUN", "NAME", "VALUE")
				if err != nil {
					return err
				}
				o.Run, o.Name, o.Value = args[0], args[1], args[2]
			}
			if o.Wait && o.Name != "" {
				return usage("--wait lists what is asked; it takes no answer").of([]string{"drrun", "answer"})
			}
			inv.result = runAnswer(c.Context, o, inv)
			return nil
		},
	}
}

func runAnswer(ctx context.Context, o answerOptions, inv *invocation) *runner.Result {
	model, speed, problem := inv.env.model()
	if problem == nil {
		var state string
		if state, problem = inv.env.stateDir(o.State); problem == nil {
			return located(answerRun(ctx, o, inv, model, speed, state), runOptions{State: o.State})
		}
	}
	return problem.of([]string{"drrun", "answer"}).result()
}

func answerRun(ctx context.Context, o answerOptions, inv *invocation, model engine.Env, speed float64, state string) *runner.Result {
	run, open, err := questionsOf(ctx, o, model, speed, state)
	var ambiguous *engine.AmbiguousError
	switch {
	case ctx.Err() != nil:
		return interrupted(ctx, failure(runner.ExitInterrupted, runner.StatusInterrupted, "interrupted", ctx.Err(), ""))
	case errors.Is(err, errNoneUnfinished):
		return failure(runner.ExitRefused, runner.StatusRefused, "not-waiting", err, "drrun history lists the runs")
	case errors.Is(err, errSeveralUnfinished):
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "name the one that is meant: drrun answer RUN")
	case errors.Is(err, errEndedUnasked):
		return failure(runner.ExitRefused, runner.StatusRefused, "not-waiting", err, "drrun show "+run+" tells how")
	case errors.Is(err, engine.ErrNoRun), errors.As(err, &ambiguous):
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs")
	case errors.Is(err, engine.ErrNotWaiting):
		return failure(runner.ExitRefused, runner.StatusRefused, "not-waiting", err, "drrun show "+run+" tells what it does; a run waits at its terminal, or with --wait-for-answers")
	case err != nil:
		return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
	}
	if o.Name == "" {
		if !o.JSON {
			inv.screen.out(questionsText(run, open, o.State, model.Clock.Now()))
		}
		return withExtra(done("answer"), "questions", open)
	}
	q, problem := questionNamed(run, open, o.Name)
	if problem == nil {
		problem = unfit(*q, o.Value, model.Clock.Now())
	}
	if problem != nil {
		return problem.of([]string{"drrun", "answer"}).result()
	}
	refusedBefore := len(refusals(model, state, run, q.ID))
	err = engine.PostAnswer(model, state, run, engine.PostedAnswer{
		Question: q.ID, Answer: o.Value, User: inv.env.User, Host: inv.env.Host, At: model.Clock.Now().UTC(),
	})
	if errors.Is(err, engine.ErrAnswered) {
		return failure(runner.ExitRefused, runner.StatusRefused, "answered", err, "drrun show "+run+" tells by whom")
	}
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be writable: "+state)
	}
	return outcomeOf(ctx, o, inv, model, speed, state, run, *q, refusedBefore)
}

// refusals returns the answers to a question that the run has refused so far. What cannot be read of the journal now is no news.
func refusals(model engine.Env, state, run, question string) []engine.RefusedAnswer {
	info, _ := engine.ReadRun(model, state, run)
	if info == nil {
		return nil
	}
	return info.RefusedAnswers(question)
}

// patienceForRun is how long an answer may take to be noticed, in time of the wall.
const patienceForRun = 10 * time.Second

// outcomeOf waits until the run has taken the answer, and says whether it was this one.
func outcomeOf(ctx context.Context, o answerOptions, inv *invocation, model engine.Env, speed float64, state, run string, q engine.OpenQuestion, refusedBefore int) *runner.Result {
	unit := time.Duration(float64(100*time.Millisecond) * speed)
	for range patienceForRun / (100 * time.Millisecond) {
		if !engine.QuestionWaits(model, state, run, q.ID) {
			break
		}
		if refused := refusals(model, state, run, q.ID); len(refused) > refusedBefore {
			return failure(runner.ExitInvalid, runner.StatusInvalid, "bad-answer", errors.New(refused[len(refused)-1].Text), "the question still waits: drrun answer "+run+" shows it")
		}
		if _, err := model.Clock.Wait(ctx, unit, nil); err != nil {
			break // the answer is given; whether it is taken is not waited for
		}
	}
	info, err := engine.ReadRun(model, state, run)
	if info == nil {
		return failure(runner.ExitInternal, runner.StatusInternal, "journal", err, "")
	}
	for _, record := range slices.Backward(info.Records) {
		var note engine.Answered
		if record.Note != engine.AnswerNote || json.Unmarshal(record.Data, &note) != nil || note.Question != q.ID {
			continue
		}
		if note.Via != engine.ViaElsewhere || note.Answer != o.Value && note.Answer != "" && !strings.Contains(note.Answer, "<secret>") {
			by := note.By
			if note.Via == engine.ViaTimeout {
				by = "its time being over"
			}
			return failure(runner.ExitRefused, runner.StatusRefused, "answered", fmt.Errorf("%s was answered first by %s: %s", q.Name, by, note.Answer), "")
		}
		if !o.JSON {
			inv.screen.out(fmt.Sprintf("run %s goes on with your answer to %s\n", run, q.Name))
		}
		return withExtra(done("answer"), "answered", note)
	}
	if !engine.QuestionWaits(model, state, run, q.ID) {
		return failure(runner.ExitRefused, runner.StatusRefused, "not-waiting", fmt.Errorf("run %s took the question %s back before it saw the answer", run, q.Name), "drrun show "+run+" tells why")
	}
	return failure(runner.ExitRefused, runner.StatusRefused, "not-taken", fmt.Errorf("the answer to %s lies in run %s, which has not taken it in %s", q.Name, run, patienceForRun), "drrun show "+run+" tells whether it still runs")
}

// questionNamed finds a question by its name, or by the part before the colon where only one begins so.
func questionNamed(run string, open []engine.OpenQuestion, name string) (*engine.OpenQuestion, *usageError) {
	var names []string
	var like []*engine.OpenQuestion
	for i := range open {
		if open[i].Name == name {
			return &open[i], nil
		}
		names = append(names, open[i].Name)
		if strings.HasPrefix(open[i].Name, name+":") {
			like = append(like, &open[i])
		}
	}
	if len(like) == 1 {
		return like[0], nil
	}
	problem := usage("run %s does not ask %q; it asks: %s", run, name, strings.Join(names, ", "))
	if nearest := lua.Nearest(name, names); nearest != "" && len(like) == 0 {
		return nil, problem.hinted("did you mean %s?", shellWord(nearest))
	}
	return nil, problem.hinted("drrun answer %s lists the questions with their choices", run)
}

// unfit says why an answer cannot be one to the question.
func unfit(q engine.OpenQuestion, value string, now time.Time) *usageError {
	switch {
	case q.Secret:
		return usage("%s asks for a secret", q.Name).hinted("type it at the terminal of the run")
	case q.Evidence && q.Name != stdlib.QuestionSourceDown:
		return usage("%s is a question about evidence, which is answered at the terminal of the run only", q.Name).hinted("answer it there")
	case q.Evidence:
		if _, err := stdlib.ParseConfirmation(value, now); err != nil {
			return usage("%v", err).hinted("drrun answer RUN %s 'YOUR NAME: HOW YOU KNOW'", q.Name)
		}
	case strings.TrimSpace(value) == "":
		return usage("the answer to %s is empty", q.Name)
	case len(q.Choices) > 0 && !slices.Contains(q.Choices, value):
		return usage("%q is no answer to %s: it must be one of: %s", value, q.Name, strings.Join(q.Choices, ", ")).hinted("choose one of them")
	}
	parts := stdlib.ParseAnswer(value)
	for _, needed := range q.Fields {
		if parts[needed] == nil {
			return usage("the answer to %s does not say %q", q.Name, needed).hinted("write the parts with commas between, like: %s,…", strings.Join(q.Fields, ","))
		}
	}
	return nil
}

// questionText is a question for people, with what an answer needs.
func questionText(q engine.OpenQuestion, now time.Time) string {
	text := q.Text
	if len(q.Fields) > 0 {
		text += "; needed: " + strings.Join(q.Fields, ", ")
	}
	if len(q.Choices) > 0 {
		text += " [" + strings.Join(q.Choices, "/") + "]"
	}
	return text + timeLeft(engine.Question{Default: q.Default, Until: q.Until, Evidence: q.Evidence, Danger: q.Danger}, now)
}

// answerCommands are what is typed to answer a question: one whole command for each choice, since a line is pasted as it stands.
func answerCommands(run string, q engine.OpenQuestion, state string) []string {
	values := []string{"VALUE"}
	switch {
	case q.Evidence:
		values = []string{"'YOUR NAME: HOW YOU KNOW'"}
	case len(q.Choices) > 0:
		values = make([]string, len(q.Choices))
		for i, choice := range q.Choices {
			values[i] = shellWord(choice)
		}
	case strings.HasPrefix(q.Name, "promote_storage:"):
		values = []string{"writable,as_of=TIME"}
	case len(q.Fields) > 0:
		values = []string{strings.Join(q.Fields, ",") + ",…"}
	}
	commands := make([]string, len(values))
	for i, value := range values {
		commands[i] = "drrun answer " + run + " " + shellWord(q.Name) + " " + value
		if state != "" {
			commands[i] += " --state " + shellWord(state)
		}
	}
	return commands
}

func questionsText(run string, open []engine.OpenQuestion, state string, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "run %s waits for %s:\n", run, report.Count(len(open), "answer"))
	for _, q := range open {
		fmt.Fprintf(&b, "\n%s\n  %s\n", q.Name, strings.ReplaceAll(questionText(q, now), "\n", "\n  "))
		if q.Danger == engine.DangerDataLoss {
			b.WriteString("  " + dangerLine + "\n")
		}
		if q.Secret {
			b.WriteString("  answered at the terminal of the run only\n")
			continue
		}
		for _, command := range answerCommands(run, q, state) {
			b.WriteString("  " + command + "\n")
		}
	}
	return b.String()
}
