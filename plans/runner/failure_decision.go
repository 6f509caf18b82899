package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/stdlib"
)

// What a person can decide when an attempt stopped.
const (
	DecideRetry = "retry" // the workflow runs again from the top: what is done is found done
	DecideSkip  = "skip"  // the same, without the VM that the error is about
	DecideEdit  = "edit"  // the same, with the plan's text as it is saved next
	DecideAbort = "abort" // stop, as without a terminal
)

// Failure is an attempt that stopped with an error which a person may decide about.
type Failure struct {
	Result  *Result
	Choices []string // of the Decide constants, never empty
	VM      string   // name of the VM that skip leaves out; "" where skip is not among the choices
	With    []string // names of the VMs that cannot start without it and are left out with it
	Files   []string // the files that edit waits for
}

// Decision is what a person decided.
type Decision struct {
	Choice string // anything but a Decide constant among the choices is an abort
	By     string // who decided
	// GivenUp is closed when the person does not want to wait for an edit any more; nil never is. Over is called when the waiting
	// has ended in any way; it may be nil.
	GivenUp <-chan struct{}
	Over    func()
}

// goOn is how an attempt begins that follows a failure in the same process.
type goOn struct {
	decision Decision
	error    string            // what it was decided about
	leftOut  map[string]string // why, by VM id; of all attempts of this process
	edited   map[string][]byte // the new snapshot; nil goes on with the present one
	changes  Edit              // what is new in it
}

// finish ends an attempt, and goes on with the run where a person decides so. The run is ended in between as if nobody had been
// asked, so that a process that is killed while it asks leaves a run that can be resumed; only the local locks are kept.
func (a *attempt) finish(soft, hard context.Context, err error) *Result {
	if a.OnFailure == nil || a.DryRun || err == nil || soft.Err() != nil || !decidable(err) {
		return a.conclude(soft, err)
	}
	unlock := a.unlock
	a.unlock = nil
	release := func() {
		if unlock != nil {
			unlock()
		}
	}
	result := a.conclude(soft, err)
	if result.Status != StatusStopped {
		release()
		return result
	}
	next := a.decide(soft, hard, result, err)
	if next == nil {
		release()
		return result
	}
	// A person's word that the source is down counts for one attempt; at the terminal it is asked for anew.
	options := a.Options
	options.ConfirmSourceDown = ""
	options.ParamsFile, options.ParamOverrides = nil, nil // the run has them
	options.NewText, options.Redo = false, nil
	if a.run != nil {
		options.Redo = a.run.NotRedone()
	}
	b := newAttempt(options)
	b.unlock, b.goOn = unlock, next
	return b.resume(soft, hard, result.Run)
}

// decidable tells whether an error is one of the work, not one that says that nothing may go on.
func decidable(err error) bool {
	var evidence *stdlib.EvidenceError
	var cut *engine.CutError
	var panicked *engine.PanicError
	return !errors.As(err, &evidence) && !errors.As(err, &cut) && !errors.As(err, &panicked) &&
		!errors.Is(err, engine.ErrStopping) && !errors.Is(err, engine.ErrNoAnswer)
}

// decide asks what to do until there is something to be done; nil is an abort.
func (a *attempt) decide(soft, hard context.Context, result *Result, err error) *goOn {
	leftOut := map[string]string{}
	if a.goOn != nil {
		for id, why := range a.goOn.leftOut {
			leftOut[id] = why
		}
	}
	failure := Failure{Result: result, Choices: []string{DecideRetry}}
	skipped := a.blamed(err)
	if skipped != nil {
		failure.Choices, failure.VM = append(failure.Choices, DecideSkip), skipped.Name
		for _, dependent := range a.facts.Dependents(skipped.ID) {
			failure.With = append(failure.With, dependent.Name)
		}
	}
	if failure.Files = a.editable(); len(failure.Files) > 0 {
		failure.Choices = append(failure.Choices, DecideEdit)
	}
	failure.Choices = append(failure.Choices, DecideAbort)
	for {
		decision := a.OnFailure(soft, failure)
		if soft.Err() != nil || !slices.Contains(failure.Choices, decision.Choice) {
			return nil
		}
		next := &goOn{decision: decision, error: result.Error.Message, leftOut: leftOut}
		switch decision.Choice {
		case DecideRetry:
			return next
		case DecideSkip:
			leftOut[skipped.ID] = fmt.Sprintf("%s skipped it after: %s", cmp.Or(decision.By, "somebody"), result.Error.Message)
			return next
		case DecideEdit:
			next.edited, next.changes = a.awaitEdit(soft, hard, decision)
			if decision.Over != nil {
				decision.Over()
			}
			if next.edited != nil {
				return next
			}
			if soft.Err() != nil {
				return nil
			}
		default:
			return nil
		}
	}
}

// blamed returns the one VM that an error is about, nil where it is about anything else too.
func (a *attempt) blamed(err error) *stdlib.FactVM {
	if a.facts == nil {
		return nil
	}
	vms := map[string]bool{}
	others := false
	var walk func(error)
	walk = func(err error) {
		if subject, known := subjectOf(err); known {
			if subject.Kind == "vm" {
				vms[subject.ID] = true
			} else {
				others = true
			}
			return
		}
		switch wraps := err.(type) {
		case interface{ Unwrap() []error }:
			for _, one := range wraps.Unwrap() {
				walk(one)
			}
		case interface{ Unwrap() error }:
			if inner := wraps.Unwrap(); inner != nil {
				walk(inner)
				return
			}
			others = true
		default:
			others = true
		}
	}
	walk(err)
	if others || len(vms) != 1 {
		return nil
	}
	for id := range vms {
		if vm, known := a.facts.VM(id); known && vm.ID == id {
			return vm
		}
	}
	return nil
}

// subjectOf returns what an error, and not one behind it, says that it is about.
func subjectOf(err error) (engine.Subject, bool) {
	switch about := err.(type) {
	case *stdlib.SubjectError:
		return about.Subject, true
	case *ovirt.Error:
		return engine.Subject{Kind: about.Subject.Kind, ID: about.Subject.ID, Name: about.Subject.Name}, about.Subject.Kind != ""
	}
	return engine.Subject{}, false
}

// begin records in the attempt that follows what was decided, and leaves out what is to be left out.
func (g *goOn) begin(a *attempt) {
	if g == nil {
		return
	}
	by := cmp.Or(g.decision.By, "somebody")
	text := fmt.Sprintf("%s decided: %s, after: %s", by, g.decision.Choice, g.error)
	a.decided(g.decision.Choice, by, text, g.changes.Sentences())
	for i := range a.facts.VMs {
		if why, out := g.leftOut[a.facts.VMs[i].ID]; out {
			a.session.LeaveOut(a.facts.VMs[i].ID, why)
		}
	}
}
