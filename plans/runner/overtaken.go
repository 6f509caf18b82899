package runner

import (
	"context"
	"fmt"
	"slices"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/stdlib"
)

// This file keeps a run from going on in a world that has moved on without it: what it recorded (who ran, when the source let go, that
// the copy was good) was true then.

// refuseOvertaken refuses to go on with a run when a later one of this state folder worked on its storage domains.
func (a *attempt) refuseOvertaken(info *engine.RunInfo) error {
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		return refuse("state", "", fmt.Errorf("read the state folder %s: %w", a.StateDir, err))
	}
	for _, later := range runs {
		if later.ID == info.ID || !later.Started.After(info.Started) || later.Status == StatusRefused || len(later.Touches(info.Head.Domains)) == 0 {
			continue
		}
		return &failure{exit: ExitRefused, status: StatusRefused, code: "overtaken", asItIs: true, hint: "drrun status " + info.Head.PlanFile + " shows where everything is, and what is next",
			err: fmt.Errorf("run %s cannot go on: run %s (%s, begun %s) has worked on its storage domains since", info.ID, later.ID, later.Head.Action, later.Started.UTC().Format(time.RFC3339))}
	}
	return nil
}

// refuseMovedSince refuses to go on with a run whose storage domains are no longer where it brought them: another machine, or a person,
// has been at work.
func (a *attempt) refuseMovedSince(ctx context.Context, facts *stdlib.Facts) error {
	brought := slices.DeleteFunc(slices.Clone(facts.Domains), func(d stdlib.FactDomain) bool {
		status, known := a.run.Status(engine.Subject{Kind: ovirt.KindStorageDomain, Site: facts.Target, ID: d.ID})
		return !known || status.State != stdlib.StateActive
	})
	if len(brought) == 0 {
		return nil
	}
	known, err := a.target.StorageDomains(ctx)
	if err != nil {
		return refuse(codeOf(err), hintOf(err), err)
	}
	for _, domain := range brought {
		if slices.ContainsFunc(known, func(one ovirt.StorageDomain) bool { return one.ID == domain.ID && one.DataCenterID != "" }) {
			continue
		}
		return &failure{exit: ExitRefused, status: StatusRefused, code: "moved-since", asItIs: true,
			hint: "drrun status " + a.PlanFile + " shows where everything is; drrun abort " + a.run.ID() + " closes the run",
			err:  fmt.Errorf("run %s cannot go on: it had brought storage domain %q to %s, where it is attached no more: another machine or a person has moved it since", a.run.ID(), domain.Name, facts.Target)}
	}
	return nil
}

// refuseBrokenLocks refuses to go on with a run that was stopped with its locks in an engine and finds them gone: they were broken, and
// another run may have worked on the storage domains. --break-lock takes them again.
func (a *attempt) refuseBrokenLocks(ctx context.Context) error {
	if a.run == nil || a.run.Attempt() == 1 || a.BreakLock {
		return nil
	}
	for _, name := range siteOrder {
		l := a.siteLock(name)
		var mine []engine.LockToken // that the journal knows as made and not given back
		for _, lock := range a.run.LockTokens() {
			subject := engine.Subject{Kind: ovirt.KindAffinityLabel, Site: name, ID: lock.Token}
			if lock.Site == name && a.run.Reached(ovirt.OpCreateLabel, subject) && !a.run.ReachedOrCut(ovirt.OpDeleteLabel, subject) {
				mine = append(mine, lock)
			}
		}
		if len(mine) == 0 || !l.Answers() {
			continue
		}
		labels, err := l.read(ctx)
		if err != nil {
			if l.must {
				return refuse(codeOf(err), hintOf(err), err)
			}
			continue
		}
		l.known = labels
		held := l.domainsOf(labels)
		for _, lock := range mine {
			if held[lock.Domain] != "" {
				continue // it is there, or it is another run's, which is told of where the locks are taken
			}
			return &failure{exit: ExitRefused, status: StatusRefused, code: "lock-lost", asItIs: true,
				hint: "drrun status " + a.PlanFile + " shows where everything is. Only when you know that nobody worked on it since: --break-lock",
				err:  fmt.Errorf("run %s cannot go on: its lock in the engine of %s is gone: somebody broke it, and another run may have moved the storage domains since", a.run.ID(), name)}
		}
	}
	return nil
}
