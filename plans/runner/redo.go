package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"drrun/engine"
	"drrun/lua"
	"drrun/stdlib"
)

// checkRedo finds the keys among the recorded steps.
func checkRedo(info *engine.RunInfo, keys []string) error {
	var known []string
	for _, step := range info.Steps() {
		known = append(known, step.Key)
	}
	for _, key := range keys {
		if slices.Contains(known, key) {
			continue
		}
		hint := "drrun show " + info.ID + " --steps lists them"
		if nearest := lua.Nearest(key, known); nearest != "" {
			hint = "did you mean " + nearest + "? " + hint
		}
		return invalid("unknown-key", hint, fmt.Errorf("run %s has recorded no step with the key %q: nothing was done", info.ID, key))
	}
	return nil
}

// acceptRedo has a person accept that steps are repeated of which a second time can do harm.
func (a *attempt) acceptRedo(ctx context.Context, info *engine.RunInfo) error {
	for _, step := range info.Steps() {
		if !slices.Contains(a.Redo, step.Key) || !harmful(step) {
			continue
		}
		name := stdlib.QuestionRedo + ":" + step.Key
		answer, err := a.askBefore(ctx, engine.Question{
			Name: name, Choices: []string{"yes", "no"}, Danger: engine.DangerDataLoss,
			Text: fmt.Sprintf("%s of %s is recorded as %s, in attempt %d. It changes storage or hosts: repeat it?", stepWords(step), step.Subject, step.Outcome, step.Attempt),
		})
		switch {
		case errors.Is(err, engine.ErrNoAnswer):
			return refuse("needs-answer", "when you know that a second time does no harm: --answer '"+name+"=yes'",
				fmt.Errorf("%s changes storage or hosts, and nobody can be asked whether it is to be repeated: nothing was written", stepWords(step)))
		case err != nil:
			return err
		case answer.Text != "yes":
			return refuse("declined", "without --redo "+step.Key+" the recorded outcome counts", fmt.Errorf("%s is not repeated, as answered: nothing was written", stepWords(step)))
		}
	}
	return nil
}

// harmful tells whether a second time can do harm: by the rule of the hook point, or because the plan asks when such a step was cut.
func harmful(step engine.StepState) bool {
	point, _, isHook := step.IsHook()
	i := slices.IndexFunc(stdlib.HookPoints, func(p stdlib.HookPoint) bool { return isHook && p.Name == point })
	return step.OnCut == engine.OnCutAsk || i >= 0 && stdlib.HookPoints[i].OnCut == engine.OnCutAsk
}

// beginRedo makes the attempt repeat the steps, and journals who wanted that.
func (a *attempt) beginRedo() {
	a.run.Redo(a.Redo...)
	by := a.by().String()
	for _, key := range a.Redo {
		a.decided("redo", by, by+" repeats "+key, nil)
	}
}

// tellNotRedone says which steps were to be repeated and were not reached.
func (a *attempt) tellNotRedone(ended bool) {
	for _, key := range a.run.NotRedone() {
		text := "--redo " + key + ": the run did not come to that step, and it was not repeated"
		if ended {
			a.session.Skip(text)
		} else {
			a.warn(text + " yet: give it again when you resume")
		}
	}
}
