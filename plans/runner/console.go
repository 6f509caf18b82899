package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// InputNote is the kind of the journal's notes of what was typed.
const InputNote = "input"

// Console makes a run whose changes a person types: it has the facts, the locks, the gate for evidence, the journal and the report of every
// run, and talk takes the place of the workflow. It ends when talk returns. Hooks are called only where what is typed calls them.
func Console(soft, hard context.Context, o Options, t TrialOptions, talk func(*Trial) error) *Result {
	o.Action = plans.ActionConsole
	a := newAttempt(o)
	a.trial = &Trial{a: a, said: t.Said, writes: true}
	err := a.within(soft, hard, plans.ActionConsole, func(task *engine.Task) error {
		if err := a.load(task); err != nil {
			return err
		}
		dr, err := a.runtime.RequireValue(task, "dr")
		if err != nil {
			return err
		}
		task.Release(func() { err = a.prepare(task.Ctx()) })
		if err != nil {
			return err
		}
		a.trial.open(dr)
		task.Release(func() {
			a.appear()
			err = talk(a.trial)
		})
		if a.trial.lost != nil {
			return a.trial.lost
		}
		return err
	})
	if a.run != nil && (err == nil || soft.Err() != nil) { // an interrupt at the prompt ends it as leaving does: nothing was cut
		err, soft = nil, context.WithoutCancel(soft)
		a.tellUnknown()
		a.tellFailed()
		if t.Unattended && a.trial.failed > 0 {
			a.session.Skip(fmt.Sprintf("%d of %d inputs failed, with nobody there to see it", a.trial.failed, a.trial.inputs))
		}
	}
	return a.conclude(soft, err)
}

// checkedAs is the action whose needs the sites are held against.
func (a *attempt) checkedAs() string {
	switch {
	case a.Action != plans.ActionConsole:
		return a.Action
	case a.Backwards:
		return plans.ActionFailback
	}
	return plans.ActionFailover
}

// note journals what was typed before it runs, and makes sure that the locks are still this run's (invariant I4).
func (t *Trial) note(task *engine.Task, text string) error {
	if !t.writes {
		return nil
	}
	a := t.a
	if plans.HoldsPassword(text) {
		text = "(not kept: it seems to hold a password)"
	}
	var err error
	task.Release(func() {
		if err = a.run.NoteSynced(InputNote, engine.Subject{Kind: "run", ID: a.run.ID()}, map[string]any{"text": text}); err == nil && a.session.Locks != nil {
			err = a.session.Locks.Verify(task.Ctx())
		}
	})
	var lost *engine.LockLostError
	if errors.As(err, &lost) {
		a.run.Stop(lost.Error())
		t.lost = lost
		return &lua.Diagnostic{Code: lost.Code(), Message: lost.Error(), Hint: "leave the console; find out who took it away and why: two runs must not work on one storage domain", Err: err}
	}
	return err
}

// tellUnknown names the changes of which nobody knows whether they had their effect.
func (a *attempt) tellUnknown() {
	for _, in := range a.run.Unknown() {
		a.session.Skip(fmt.Sprintf("it is not known what became of all changes: %s of %s on %s was cut", in.Op, in.Subject.Name, in.Site))
	}
}

// tellFailed names the VMs that what was typed did not bring up. Those that it never came to are as they are meant to be.
func (a *attempt) tellFailed() {
	_, vms := boardOf(a.run.Board(), a.facts)
	for _, vm := range vms {
		if slices.Contains([]string{stdlib.StateFailed, stdlib.StateMissing, stdlib.StateUnverified}, vm.Status) {
			a.session.Skip(fmt.Sprintf("VM %s is %s", vm.Name, vm.Status))
		}
	}
}

// RunID returns the id of the run that a writing console is, "" for another trial.
func (t *Trial) RunID() string {
	if t.a.run == nil {
		return ""
	}
	return t.a.run.ID()
}
