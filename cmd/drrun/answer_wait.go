package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"drrun/engine"
)

// Why there is no question to show.
var (
	errNoneUnfinished    = errors.New("no run is unfinished")
	errSeveralUnfinished = errors.New("several runs are unfinished")
	errEndedUnasked      = errors.New("it has ended without a question")
)

// namesRun tells a run from the name of a question: the id of a run begins with its date.
func namesRun(word string) bool { return word != "" && word[0] >= '0' && word[0] <= '9' }

// patienceForAttempt is how long drrun answer --wait waits for somebody to begin or resume a run, in time of the wall.
const patienceForAttempt = time.Minute

// questionsOf returns the run that is meant and what it asks; with --wait as soon as it asks something. The error says why there is
// nothing: besides those of engine.OpenQuestions one of the above.
func questionsOf(ctx context.Context, o answerOptions, model engine.Env, speed float64, state string) (run string, open []engine.OpenQuestion, err error) {
	const pause = 200 * time.Millisecond
	for idle := time.Duration(0); ; idle += pause {
		if run, err = cmp.Or(o.Run, run), nil; run == "" {
			run, err = onlyUnfinished(model, state)
		}
		if err == nil {
			run, open, err = engine.OpenQuestions(model, state, run)
		}
		if err == nil || !o.Wait || !errors.Is(err, engine.ErrNotWaiting) && !errors.Is(err, errNoneUnfinished) {
			return run, open, err
		}
		if errors.Is(err, engine.ErrNotWaiting) {
			if info, _ := engine.ReadRun(model, state, run); info != nil && !info.Ended.IsZero() && !info.Unfinished() {
				return run, nil, fmt.Errorf("run %s: %w: %s", run, errEndedUnasked, outcomeWords(info.Status, 0))
			}
			if _, held, heldErr := engine.Holder(model, state, run); heldErr == nil && held {
				idle = 0
			}
		}
		if idle >= patienceForAttempt {
			return run, nil, err
		}
		if _, waitErr := model.Clock.Wait(ctx, time.Duration(float64(pause)*speed), nil); waitErr != nil {
			return run, nil, waitErr
		}
	}
}

// onlyUnfinished returns the one run of a state folder that has not ended for good.
func onlyUnfinished(model engine.Env, state string) (string, error) {
	runs, err := engine.ListRuns(model, state)
	if err != nil {
		return "", err
	}
	var ids []string
	for _, run := range runs {
		if run.Err == nil && run.Unfinished() {
			ids = append(ids, run.ID)
		}
	}
	switch len(ids) {
	case 0:
		return "", fmt.Errorf("%w in %s", errNoneUnfinished, state)
	case 1:
		return ids[0], nil
	}
	return "", fmt.Errorf("%w in %s: %s", errSeveralUnfinished, state, strings.Join(ids, ", "))
}
