package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
)

// takeOver brings the run from the mirror that it is to be taken over from, if any, and returns its full id.
func (a *attempt) takeOver(ctx context.Context, id string) (string, error) {
	if a.FromMirror == "" {
		return id, a.catchUp(ctx, id)
	}
	if a.PreviewOnly { // nothing is written: it is read where it lies
		a.StateDir, a.FromMirror = a.FromMirror, ""
		return id, nil
	}
	a.Mirror = a.FromMirror
	full, err := engine.Adopt(ctx, a.Env, a.StateDir, engine.Mirror{Dir: a.Mirror}, id, a.by())
	var mirror *engine.MirrorError
	switch {
	case err == nil:
		a.tookOver, a.FromMirror = true, ""
		return full, nil
	case errors.Is(err, engine.ErrLocked):
		return "", refuse("locked", "a process works on it: see drrun show "+id+" --state "+a.Mirror, err)
	case errors.Is(err, engine.ErrNoRun):
		return "", invalid("no-run", "drrun history --state "+a.Mirror+" lists the runs of the mirror", err)
	case errors.As(err, &mirror) && mirror.Diverged:
		return "", a.diverged(id, err)
	}
	return "", refuse(codeOf(err), "the mirror must be readable and writable, or go on from the state folder without --from-mirror", err)
}

// catchUp brings the run up to date from its mirror, where another machine may have gone on with it, before anything is decided by
// its journal. A mirror that cannot be used is told of when the run is opened.
func (a *attempt) catchUp(ctx context.Context, id string) error {
	info, err := engine.LookAtRun(a.Env, a.StateDir, id)
	if err != nil || a.PreviewOnly {
		return nil // whoever opens it says so
	}
	if a.Mirror == "" && info.By.Host == a.Host {
		a.Mirror = info.Mirror
	}
	a.mirrorKnown = a.Mirror != "" && a.Mirror == info.Mirror && info.By.Host == a.Host
	if !a.mirrored() {
		return nil
	}
	_, err = engine.Adopt(ctx, a.Env, a.StateDir, a.mirror(), info.ID, a.by())
	var mirror *engine.MirrorError
	switch {
	case errors.Is(err, engine.ErrLocked):
		return refuse("locked", "drrun show "+info.ID+" --state "+a.Mirror+" tells who works on it", err)
	case errors.As(err, &mirror) && mirror.Diverged:
		return a.diverged(info.ID, err)
	}
	return nil
}

// diverged refuses a run of which two machines tell different stories.
func (a *attempt) diverged(id string, err error) error {
	return refuse("mirror-diverged", "drrun show "+id+", also with --state "+a.Mirror+", tells both stories; what really is where: drrun status, with the plan",
		fmt.Errorf("%w. Another machine went on with one of them; which one is true only the engines know", err))
}

// NoMirror in Options.Mirror keeps no mirror, also where the attempt before had one.
const NoMirror = "none"

// mirrored tells whether the run keeps a mirror.
func (a *attempt) mirrored() bool { return a.Mirror != "" && a.Mirror != NoMirror }

// mirror is the run's mirror. It is waited for by the wall's time, also in a lab whose time runs faster than its disks.
func (a *attempt) mirror() engine.Mirror {
	return engine.Mirror{Dir: a.Mirror, Patience: time.Duration(float64(10*time.Second) * max(a.Speed, 1)), Known: a.mirrorKnown}
}

func (a *attempt) by() engine.By {
	return engine.By{Version: a.Version, Host: a.Host, User: a.User}
}

// engineOptions are how every run is made and opened.
func (a *attempt) engineOptions() []engine.Option {
	options := []engine.Option{engine.WithRedactor(a.redact), engine.WithBy(a.by())}
	if a.mirrored() && !a.DryRun {
		options = append(options, engine.WithMirror(a.mirror()))
	}
	if a.Signer != nil && !a.DryRun {
		options = append(options, engine.WithSigner(a.Signer))
	}
	return options
}

// openRun takes up a run that exists.
func (a *attempt) openRun(info *engine.RunInfo) error {
	a.tookOver = a.tookOver || info.By.Host != a.Host
	run, err := engine.OpenRun(a.Env, a.StateDir, info.ID, a.engineOptions()...)
	var mirror *engine.MirrorError
	switch {
	case err == nil:
		a.run = run
		a.reportWith()
		return nil
	case errors.As(err, &mirror) && mirror.Diverged:
		return a.diverged(info.ID, err)
	case errors.Is(err, engine.ErrLocked):
		return refuse("locked", "drrun show "+info.ID+" tells where it stands", fmt.Errorf("open run %s: %w", info.ID, err))
	}
	return refuse("journal", "", fmt.Errorf("open run %s: %w", info.ID, err))
}

// warnOfLoneJournal warns where a planned move is run from the site that it leaves, and nothing of its journal lies elsewhere. Who says
// --mirror none has decided that, and is not warned.
func (a *attempt) warnOfLoneJournal(ctx context.Context) {
	if !a.Planned || a.Mirror != "" || a.Near == nil {
		return
	}
	near := func(site *ovirt.Site) bool {
		limit, cancel := a.Env.Clock.WithTimeout(ctx, lookupLimit)
		defer cancel()
		at, err := url.Parse(site.URL())
		return err == nil && a.Near(limit, at.Hostname())
	}
	if near(a.source) && !near(a.target) {
		a.warn(fmt.Sprintf("this machine (%s) is on the network of the %s, which the run leaves, and the run has no mirror: when the machine is lost in the middle, nobody can go on with the run. --mirror DIR, on a share of the %s, keeps a copy that can be taken over",
			cmp.Or(a.Host, "its name is not known"), a.source.Name(), a.target.Name()))
	}
}

// lookupLimit keeps a name server that does not answer from holding up the start, in model time.
const lookupLimit = 10 * time.Second

// behindEvents is how many of a run's latest events are looked at: changes are numbered as they are made, so the highest number is
// among the latest.
const behindEvents = 100

// refuseBehind refuses to go on where an engine has seen later changes of this run than the journal has: the journal is an old copy, of
// a mirror that was lost, or of a machine whose run was taken over, and what it lacks would be done again. The source is asked where it
// takes part; one that cannot be read is passed over.
func (a *attempt) refuseBehind(ctx context.Context) error {
	if sabotage.On(sabotage.OldJournalTaken) {
		return nil
	}
	for _, site := range []*ovirt.Site{a.target, a.source} {
		if site == a.source && !a.Planned {
			continue
		}
		limit, cancel := a.siteLock(site.Name()).limited(ctx, lockReadLimit)
		events, err := site.Events(limit, ovirt.EventQuery{Search: "correlation_id=" + a.run.ID() + "-*", Max: behindEvents})
		cancel()
		switch {
		case err != nil && (site == a.target || ctx.Err() != nil):
			return refuse(codeOf(err), hintOf(err), err)
		case err != nil:
			continue
		}
		for _, event := range events {
			if !a.run.Knows(event.CorrelationID) {
				return a.refuseOld(site, event)
			}
		}
	}
	return nil
}

const oldJournal = "old-journal"

func (a *attempt) refuseOld(site *ovirt.Site, event ovirt.Event) error {
	return &failure{exit: ExitRefused, status: StatusRefused, code: oldJournal, asItIs: true,
		hint: "go on from the state folder that has the rest, or from its mirror: drrun resume " + a.run.ID() + " --from-mirror DIR. Where both are lost, drrun status " + a.PlanFile +
			" shows what is where, and a new action with --break-lock begins anew",
		err: fmt.Errorf("run %s cannot go on from here: its journal is an old copy. The engine of %s has seen the change %s of this run (%s), and the journal ends before it",
			a.run.ID(), site.Name(), event.CorrelationID, event.Description)}
}
