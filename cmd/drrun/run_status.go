package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"drrun/engine"
	"drrun/plans/runner"
)

// runStatusOptions are what drrun status is told of a run.
type runStatusOptions struct {
	Run   string // "" means the newest that is being worked on, or where none is, the newest that is unfinished
	Watch bool
	State string
	JSON  bool
}

// namesStoredRun tells a run from a plan: it looks like the id of one, and there is no file of that name.
func (inv *invocation) namesStoredRun(o runStatusOptions) bool {
	if !runID.MatchString(o.Run) {
		return false
	}
	_, err := inv.env.wall().FS.Stat(o.Run)
	return err != nil
}

func statusOfRun(ctx context.Context, o runStatusOptions, inv *invocation) *runner.Result {
	state, model, speed, problem := inv.env.runsAt(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "status"}).result()
	}
	if o.Run == "" {
		newest, err := newestOpen(model, state)
		if err != nil {
			return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
		}
		if newest == "" {
			return located(failure(runner.ExitRefused, runner.StatusRefused, "not-running", errors.New("no run of "+state+" is being worked on or unfinished"),
				"drrun history lists the runs; drrun status PLAN.lua shows where everything is"), runOptions{State: o.State})
		}
		o.Run = newest
	}
	follower, err := engine.Follow(model, state, o.Run, engine.QuietKinds...)
	if err != nil {
		return located(failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs"), runOptions{State: o.State})
	}
	w := &watcher{options: o, model: model, speed: speed, state: state, follower: follower, standing: newStanding(follower.Run())}
	if err := w.look(nil); err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
	}
	if w.standing.Attempt == 0 && !w.standing.Running && w.standing.Broken == "" {
		return failure(runner.ExitRefused, runner.StatusRefused, "journal", fmt.Errorf("run %s was cut off while it was being made, before it could change anything", w.standing.Run), "its folder can be removed: "+w.follower.Dir())
	}
	var idle []string
	if o.Watch && !w.standing.Running {
		idle = []string{"nobody works on run " + w.standing.Run + ": there is nothing to watch"}
	}
	if o.Watch && w.standing.Running {
		if err := w.watch(ctx, inv); err != nil {
			return interrupted(ctx, failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state))
		}
	}
	result := done("status")
	result.Run, result.Plan = w.standing.Run, w.standing.Plan
	result.Warnings = append(result.Warnings, idle...)
	if w.standing.Broken != "" {
		result.Warnings = append(result.Warnings, w.standing.Broken)
	}
	if !o.JSON {
		for _, line := range idle {
			inv.screen.out(line + "\n")
		}
		inv.screen.out(w.standing.text())
	}
	return withExtra(result, "standing", w.standing)
}

// newestOpen returns the newest run that a process works on, or where there is none, the newest that is unfinished; "" for neither.
func newestOpen(model engine.Env, state string) (string, error) {
	unfinished := ""
	runs, err := engine.ListRuns(model, state)
	if err != nil {
		return "", err
	}
	for _, run := range runs {
		if !run.Unfinished() {
			continue
		}
		if _, held, err := engine.Holder(model, state, run.ID); err != nil || held {
			return run.ID, err
		}
		unfinished = cmp.Or(unfinished, run.ID)
	}
	return unfinished, nil
}

// watcher follows a run.
type watcher struct {
	options  runStatusOptions
	model    engine.Env
	speed    float64
	state    string
	follower *engine.Follower
	standing *standing
}

// look takes up what is new, and gives tell what a person would be told of it; tell may be nil.
func (w *watcher) look(tell func(at time.Time, text string)) error {
	// Who holds the run is asked before its journal is read: else an end that comes between the two would be missed.
	holder, held, err := engine.Holder(w.model, w.state, w.follower.Run())
	if err != nil {
		return err
	}
	records, err := w.follower.Next()
	var broken *engine.JournalError
	if errors.As(err, &broken) {
		w.standing.Broken = err.Error()
	} else if err != nil {
		return err
	}
	for _, rec := range records {
		if text := w.standing.observe(rec); text != "" && tell != nil {
			tell(rec.Time, text)
		}
	}
	var open []engine.OpenQuestion
	if held {
		open = w.openQuestions()
	}
	w.standing.at(w.model.Clock.Now(), held, holder, open, w.options.State)
	return nil
}

// openQuestions are what the run asks now. The journal is read for them only where there is a question.
func (w *watcher) openQuestions() []engine.OpenQuestion {
	files, err := w.model.FS.ReadDir(filepath.Join(w.follower.Dir(), "questions"))
	if err != nil || len(files) == 0 {
		return nil
	}
	_, open, err := engine.OpenQuestions(w.model, w.state, w.follower.Run())
	if err != nil { // answered meanwhile
		return nil
	}
	return open
}

// watchEvery is the pause between two looks where nothing tells of a change, in time of the wall: the clocks move too.
const watchEvery = time.Second

// watch looks again whenever something changes, until nobody works on the run any more.
func (w *watcher) watch(ctx context.Context, inv *invocation) error {
	var bell engine.Bell
	if w.model.Watch != nil {
		if stop, err := w.model.Watch(bell.Ring, w.follower.Dir()); err == nil { // else it looks by itself
			defer stop()
		}
	}
	redraws := inv.screen.terminal
	tell := func(at time.Time, text string) {
		if redraws || w.options.JSON {
			return
		}
		stamp := offset(at.Sub(w.standing.Began)) + "  "
		inv.screen.out(stamp + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(stamp))) + "\n")
	}
	if !redraws && !w.options.JSON {
		inv.screen.out(w.standing.text() + "\n")
	}
	asked := len(w.standing.Questions)
	for w.standing.Running && w.standing.Broken == "" {
		next := bell.Next()
		if redraws {
			inv.screen.show(strings.Split(strings.TrimRight(w.standing.text(), "\n"), "\n"))
		}
		if _, err := w.model.Clock.Wait(ctx, time.Duration(float64(watchEvery)*w.speed), next); err != nil {
			return fmt.Errorf("watch run %s: %w", w.standing.Run, err)
		}
		if err := w.look(tell); err != nil {
			return err
		}
		if n := len(w.standing.Questions); n != asked {
			if asked = n; n > 0 {
				tell(w.standing.Now, strings.TrimRight(w.standing.Next, "\n"))
			}
		}
	}
	inv.screen.end()
	if !redraws && !w.options.JSON {
		inv.screen.out("\n")
	}
	return nil
}
