package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/stdlib"
)

// claim takes the locks of a run and returns what its journal says under them. A preview takes none, and refuses a run that is worked on.
func (a *attempt) claim(info *engine.RunInfo) (*engine.RunInfo, error) {
	a.result.Run = info.ID
	if err := a.mayGoOn(info); err != nil {
		return nil, err
	}
	a.result.Plan = info.Head.Plan
	if a.PreviewOnly {
		holder, held, err := engine.Holder(a.Env, a.StateDir, info.ID)
		if err != nil {
			return nil, refuse("state", "the state folder must be writable: "+a.StateDir, err)
		}
		if held {
			return nil, refuse("locked", "drrun status "+info.ID+" tells where it stands", &engine.LockedError{Run: info.ID, Holder: holder})
		}
	} else if err := a.lock(info.Head.Domains); err != nil {
		return nil, err
	}
	// Another drrun may have gone on with it before we had the locks.
	info, err := engine.ReadRun(a.Env, a.StateDir, info.ID)
	if err != nil {
		return nil, refuse("journal", "", fmt.Errorf("read the journal of run %s: %w", a.result.Run, err))
	}
	if err := a.mayGoOn(info); err != nil {
		return nil, err
	}
	if err := refuseForward(info); err != nil && !a.rollback {
		return nil, err
	}
	a.recorded = info
	return info, a.refuseOvertaken(info)
}

// mayGoOn refuses a run whose journal this drrun cannot go on with, or that has ended for good.
func (a *attempt) mayGoOn(info *engine.RunInfo) error {
	switch {
	case info.Err != nil:
		return refuse("journal", "", fmt.Errorf("read the journal of run %s: %w", info.ID, info.Err))
	case !resumable(info):
		verb := "resume"
		if a.rollback {
			verb = "undo"
		}
		return finished(info, verb)
	case info.Head.API != stdlib.API:
		return refuse("other-version", "go on with drrun "+cmp.Or(info.Head.Version, "of the version that began it")+", or close the run with: drrun abort "+info.ID,
			fmt.Errorf("run %s was begun by drrun %s, whose primitives have the number %d; this is drrun %s with the number %d, which would not find done what is done",
				info.ID, cmp.Or(info.Head.Version, "of an unknown version"), info.Head.API, a.Version, stdlib.API))
	}
	return nil
}

// reopen opens the journal of an interrupted run, whose locks the attempt has, and makes its snapshot the plan to load.
func (a *attempt) reopen(info *engine.RunInfo) error {
	a.confirmedBy = report.RelianceOf(info).By()
	if err := a.openRun(info); err != nil {
		return err
	}
	var err error
	if a.facts, err = factsOf(a.run.ID(), a.run.Facts()); err != nil {
		return err
	}
	return a.useSnapshot(info)
}

// useSnapshot makes the text that the run goes on with the plan to load, with its parameters.
func (a *attempt) useSnapshot(info *engine.RunInfo) error {
	if a.next != nil {
		a.next.use(a)
		return nil
	}
	snapshot, err := a.snapshotOf(a.run)
	if err != nil {
		return refuse("snapshot", "", fmt.Errorf("read the snapshot of run %s: %w", a.run.ID(), err))
	}
	described, readFile, err := unpack(snapshot)
	if err != nil {
		return refuse("snapshot", "", fmt.Errorf("run %s: %w", a.run.ID(), err))
	}
	a.PlanFile, a.LibDirs, a.readFile, a.textParams = described.Plan, described.Libs, readFile, described.Params
	a.builtin = described.modules(snapshot)
	a.Params, err = recordedParams(info, described.Params)
	return err
}

// factsOf returns the recorded facts of a run, nil when it was cut before it had any.
func factsOf(run string, recorded json.RawMessage) (*stdlib.Facts, error) {
	if len(recorded) == 0 {
		return nil, nil
	}
	facts := &stdlib.Facts{}
	if err := json.Unmarshal(recorded, facts); err != nil {
		return nil, fmt.Errorf("read the facts of run %s: %w", run, err)
	}
	return facts, nil
}

func resumable(info *engine.RunInfo) bool { return info.Unfinished() || info.Status == StatusPartial }

// finished refuses to take up a run that has ended; verb is what was to be done with it.
func finished(info *engine.RunInfo, verb string) error {
	hint := ""
	if info.Status == StatusRefused {
		hint = "it changed nothing; start anew: drrun " + info.Head.Action + " " + info.Head.PlanFile
		if !plans.Moves(info.Head.Action) && info.Head.Action != plans.ActionClean {
			hint = "it changed nothing; start anew: drrun run " + info.Head.PlanFile + " " + info.Head.Action
		}
	}
	return refuse("finished-run", hint, fmt.Errorf("run %s has ended (%s): there is nothing to %s", info.ID, info.Status, verb))
}

// prepareResume opens the sites and gives the session the facts that the run began with.
func (a *attempt) prepareResume(ctx context.Context) error {
	if err := a.open(ctx); err != nil {
		return err
	}
	facts, err := a.recordedFacts(ctx)
	if err != nil {
		return err
	}
	if err := a.refuseBehind(ctx); err != nil {
		return err
	}
	if err := a.refuseMovedSince(ctx, facts); err != nil {
		return err
	}
	confirmation, err := a.precheckEvidence(ctx, facts)
	if err != nil {
		return err
	}
	if err := a.next.take(a); err != nil {
		return err
	}
	if err := a.wire(facts); err != nil {
		return err
	}
	a.next.tell(a)
	a.beginRedo()
	a.recall()
	a.run.SettleRepeated(stdlib.AsksForState)
	if err := a.lockEngines(ctx); err != nil {
		return err
	}
	if sabotage.On(sabotage.ConfirmationKept) && confirmation == nil {
		confirmation = a.oldConfirmation()
	}
	if confirmation != nil {
		return a.session.TakeConfirmation(*confirmation)
	}
	return nil
}

// recordedFacts returns the facts of the run. A run that was cut before it had recorded them changed nothing: they are
// gathered now, after the same check that a new run passes.
func (a *attempt) recordedFacts(ctx context.Context) (*stdlib.Facts, error) {
	if a.facts != nil {
		return a.facts, nil
	}
	facts, err := a.gatherChecked(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.run.SetFacts(facts); err != nil {
		return nil, refuse("state", "the state folder must be writable: "+a.StateDir, fmt.Errorf("record the facts: %w", err))
	}
	return facts, nil
}

// recall gives the session what earlier attempts saw and no engine shows any more: the statuses in the OVF stores, which a registered
// VM has no more, and how the source let go of its storage.
func (a *attempt) recall() {
	info := a.recorded
	a.recorded = nil // a long journal takes much memory
	statuses := map[string]string{}
	failures := map[string]string{}
	for _, record := range info.Records {
		if record.Mark != nil {
			recallFailure(failures, record.Mark)
		}
		if record.Subject == nil {
			continue
		}
		if record.Note == "ovf_status" {
			var data struct{ Status string }
			if json.Unmarshal(record.Data, &data) == nil {
				statuses[record.Subject.ID] = data.Status
			}
			continue
		}
		var released stdlib.Released
		if json.Unmarshal(record.Data, &released) == nil {
			a.session.RestoreRelease(record.Note, record.Subject.ID, released)
		}
	}
	a.session.RestoreOVFStatus(statuses)
	a.session.RestoreFailures(failures)
}

// recallFailure keeps why a VM failed until it was seen to be better.
func recallFailure(failures map[string]string, mark *engine.Status) {
	switch {
	case mark.Subject.Kind != ovirt.KindVM:
	case mark.State == stdlib.StateFailed && mark.Error != "":
		failures[mark.Subject.ID] = mark.Error
	case mark.State == stdlib.StateStarting || mark.State == stdlib.StateUp:
		delete(failures, mark.Subject.ID)
	}
}
