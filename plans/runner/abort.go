package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/stdlib"
)

// StatusAborted is how a run ends that was closed by drrun abort. It is the status of the run, not of a command.
const StatusAborted = "aborted"

// Abort closes an unfinished run, so that its storage domains are free for another action. It undoes nothing, and so refuses a run
// that could be undone unless o.LeaveAsIs; of the engines it asks only those in which the run may have locks, to take these away. The
// result says what the run had reached and what it leaves at the source, and with a warning which locks
// are left. A run that is being worked on is refused.
func Abort(soft, hard context.Context, o Options, id string) *Result {
	a := newAttempt(o)
	a.Action, a.result.Action = "abort", "abort"
	err := a.within(soft, hard, "abort", func(t *engine.Task) error { return a.abort(t, id) })
	r := a.result
	var known *failure
	switch {
	case err == nil:
		r.Exit, r.Status = ExitDone, StatusDone
	case soft.Err() != nil:
		r.Exit, r.Status = ExitInterrupted, StatusInterrupted
		r.Error = &ErrorResult{Code: "interrupted", Message: "interrupted before the run was closed", Hint: "again: drrun abort " + id, State: "the run is as it was"}
	default:
		r.Exit, r.Status = ExitRefused, StatusRefused
		if errors.As(err, &known) {
			r.Exit, r.Status = known.exit, known.status
		}
		r.Error = &ErrorResult{Code: codeOf(err), Message: err.Error(), Hint: hintOf(err), State: "nothing was changed"}
	}
	if a.run != nil { // after its end this does nothing
		if closeErr := a.run.Close(); closeErr != nil {
			a.warn("close the journal: " + closeErr.Error())
		}
	}
	a.closeSites(soft)
	a.clean()
	if a.unlock != nil {
		a.unlock()
	}
	return r
}

func (a *attempt) abort(t *engine.Task, id string) error {
	var err error
	t.Release(func() { id, err = a.takeOver(t.Ctx(), id) })
	if err != nil {
		return err
	}
	info, err := engine.ReadRun(a.Env, a.StateDir, id)
	if err != nil {
		return invalid("no-run", "drrun history lists the runs", err)
	}
	a.result.Run, a.result.Plan = info.ID, info.Head.Plan
	if info.Err != nil {
		return refuse("journal", "move the run's folder out of "+a.StateDir+" when you have looked at it", fmt.Errorf("read the journal of run %s: %w", info.ID, info.Err))
	}
	if !info.Unfinished() {
		return finished(info, "close")
	}
	if err := a.lock(info.Head.Domains); err != nil {
		return err
	}
	leaves, err := a.leaves(info)
	if err != nil {
		return err
	}
	if err := a.openRun(info); err != nil {
		return err
	}
	run := a.run
	if a.facts, err = factsOf(run.ID(), run.Facts()); err != nil {
		return err
	}
	if a.facts != nil {
		a.result.StorageDomains, a.result.VMs = boardOf(run.Board(), a.facts)
	}
	if len(run.LockTokens()) > 0 {
		if err := a.giveBackLocks(t, info); err != nil {
			return err
		}
	}
	if t.Ctx().Err() != nil {
		return context.Cause(t.Ctx())
	}
	a.result.Verdicts = append(a.result.Verdicts, fmt.Sprintf("run %s is closed and cannot be resumed; nothing was undone: %s", info.ID, a.reached()))
	if leaves != "" {
		a.result.Verdicts = append(a.result.Verdicts, leaves)
	}
	a.result.Verdicts = append(a.result.Verdicts, a.openWork(info)...)
	if a.session != nil {
		a.result.Warnings = append(a.result.Warnings, a.session.Warnings()...)
	}
	a.result.Exit, a.result.Status, a.result.Attempt = ExitDone, StatusDone, run.Attempt()
	a.clean()
	a.noteEnding()
	err = run.End(StatusAborted, ExitDone, a.result)
	if errors.Is(err, engine.ErrEndLost) {
		return refuse("journal", "the state folder must be writable: "+a.StateDir, err)
	}
	if err != nil {
		a.warn(a.reportLost(err))
	}
	return nil
}

// reached says what the run had done in all its attempts.
func (a *attempt) reached() string {
	if a.facts == nil || !a.changed() {
		return "it had changed nothing"
	}
	return a.boardText()
}

// openWork is what a run that is closed in the middle leaves for persons to do at its target, and to keep from doing at its source. What a
// run that was being undone leaves, it leaves at its source.
func (a *attempt) openWork(info *engine.RunInfo) []string {
	if a.facts == nil || Undone(info) || !plans.Moves(a.facts.Action) || !a.changed() {
		return nil
	}
	var texts []string
	reliance := report.RelianceOf(info)
	if by := reliance.By(); by != "" {
		texts = append(texts, stdlib.NotIsolatedVerdict(a.facts.Source, by, reliance.AnswersAgain()))
	}
	registered, absent, arrived := 0, 0, false
	for _, vm := range a.result.VMs {
		switch vm.Status {
		case stdlib.StateRegistered:
			registered++
		case stdlib.StatePending, stdlib.StateStopped, stdlib.StateMissing, stdlib.StateQuarantined:
			absent++
		}
	}
	for _, domain := range a.result.StorageDomains {
		arrived = arrived || domain.Status == stdlib.StateActive
	}
	if !arrived {
		return texts
	}
	if registered > 0 {
		texts = append(texts, fmt.Sprintf("%d of %d VMs are registered on %s and not started: start them in its engine, in the order of their ranks, when you know that they do not run at %s",
			registered, len(a.result.VMs), a.facts.Target, a.facts.Source))
	}
	if absent > 0 {
		texts = append(texts, fmt.Sprintf("%d of %d VMs are not registered on %s: register them there from the storage domains, under \"VM Import\"", absent, len(a.result.VMs), a.facts.Target))
	}
	if registered+absent > 0 && !a.facts.Planned {
		command := "drrun " + info.Head.Action + " " + info.Head.PlanFile
		if info.Head.Action == plans.ActionFailback {
			command += " --unplanned"
		}
		texts = append(texts, "or let a new run do it, which leaves what runs as it is: "+command+confirmAnew)
	}
	if !readyToReturn(info) {
		texts = append(texts, fmt.Sprintf("reverse replication: NOT ready: until it runs from %s to %s, what is on %s has no copy", a.facts.Target, a.facts.Source, a.facts.Target))
	}
	return texts
}

// readyToReturn tells whether the run has said that the reverse replication runs.
func readyToReturn(info *engine.RunInfo) bool {
	return slices.ContainsFunc(report.Verdicts(info), func(text string) bool { return strings.HasPrefix(text, "reverse replication: ready") })
}

// giveBackLocks takes the run's locks out of the engines, by the plan that the run began with. What fails is a warning: the run is closed
// all the same, and the locks that are left can be replaced. The error says that this is an old copy of the run: what it says was reached is
// not so, and its locks may be those of a process that works on.
func (a *attempt) giveBackLocks(t *engine.Task, info *engine.RunInfo) error {
	left := func(err error) {
		for _, lock := range a.run.LockTokens() {
			a.warn(fmt.Sprintf("the run's lock %s of storage domain %s may be left in the engine of %s: %v", lock.Token, lock.Domain, lock.Site, err))
		}
	}
	if err := a.useSnapshot(info); err != nil {
		left(err)
		return nil
	}
	action := a.Action
	err := a.load(t)
	if err != nil {
		a.result.Findings = []plans.Finding{}
		left(err)
		return nil
	}
	a.Action = action
	var old error
	t.Release(func() {
		ctx := t.Ctx()
		for _, name := range []string{info.Head.Source, info.Head.Target} {
			options, secretErr := a.siteOptions(ctx, name)
			if secretErr != nil {
				options.Password = "not-known"
			}
			site, newErr := ovirt.New(options)
			if newErr != nil {
				err = newErr
				return
			}
			lock := &siteLock{attempt: a, site: site}
			answers := secretErr == nil && site.Probe(ctx).Answers
			lock.reach = func() bool { return answers }
			if a.siteLocks == nil {
				a.siteLocks = map[string]*siteLock{}
			}
			a.siteLocks[name] = lock
			a.opened = append(a.opened, site)
		}
		a.source, a.target, a.opened = a.opened[0], a.opened[1], nil
		if a.tookOver && a.siteLocks[info.Head.Target].reach() {
			var known *failure
			if behind := a.refuseBehind(ctx); errors.As(behind, &known) && known.code == oldJournal {
				old = behind
				return
			}
		}
		a.releaseLocks(ctx)
		a.disappear(ctx)
	})
	if err != nil {
		left(err)
	}
	return old
}

// closeSites ends the sessions of all sites that were opened.
func (a *attempt) closeSites(soft context.Context) {
	for _, site := range append([]*ovirt.Site{a.source, a.target}, a.opened...) {
		if site != nil {
			limit, cancel := a.Env.Clock.WithTimeout(context.WithoutCancel(soft), 5*time.Second)
			site.Close(limit)
			cancel()
		}
	}
}
