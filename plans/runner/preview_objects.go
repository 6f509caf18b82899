package runner

import (
	"cmp"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// objects tells of each storage domain and VM what the run has done with it and what is left.
func (p *Preview) objects(info *engine.RunInfo, facts *stdlib.Facts) {
	states := facts.TargetStates(info.Board())
	for _, domain := range facts.Domains {
		status := states["storage_domain/"+domain.ID]
		item := PreviewItem{What: "storage domain", Of: domain.Name, Why: domainWork(status, facts)}
		if status.State == stdlib.StateActive && facts.Action != plans.ActionClean || status.State == stdlib.StateLeft {
			p.Skipped = append(p.Skipped, item)
		} else {
			p.ToRun = append(p.ToRun, item)
		}
	}
	asked := startsAskedFor(info)
	for _, vm := range facts.VMs {
		status := states["vm/"+vm.ID]
		item := PreviewItem{What: "VM", Of: vm.Name}
		start, started := asked[vm.ID]
		switch {
		case status.State == stdlib.StateLeft:
			item.Why = "it has left " + facts.Target
		case started:
			item.At, item.Why = start.at, start.words(status)
		case status.State == stdlib.StateNotStarted:
			item.Why = "it stays down: " + cmp.Or(status.Detail, status.Error, "as recorded")
		default:
			item.Why = vmWork(status, facts)
			p.ToRun = append(p.ToRun, item)
			continue
		}
		p.Skipped = append(p.Skipped, item)
	}
}

// startAsked is when the start of a VM was asked for, and whether it is recorded what came of it.
type startAsked struct {
	at    time.Time
	known bool
}

// startsAskedFor are the VMs whose start may have reached the engine, by id: the run never starts those again that it did reach.
func startsAskedFor(info *engine.RunInfo) map[string]startAsked {
	done := map[string]bool{} // by intent, where it is known
	for _, record := range info.Records {
		switch {
		case record.Reached != nil:
			done[record.ID] = *record.Reached
		case record.Outcome != nil && !record.Outcome.Unknown:
			done[record.ID] = record.Outcome.OK
		}
	}
	asked := map[string]startAsked{}
	for _, record := range info.Records {
		in := record.Intent
		if in == nil || in.Op != ovirt.OpStartVM || in.Site != info.Head.Target {
			continue
		}
		if did, known := done[in.ID]; did || !known {
			asked[in.Subject.ID] = startAsked{at: record.Time, known: known}
		}
	}
	return asked
}

func (s startAsked) words(status engine.Status) string {
	switch {
	case !s.known:
		return "its start was asked for, and what came of that is not recorded: it is looked at, and started only where the engine shows that it was not"
	case status.State == stdlib.StateUp:
		return "started, and it was up: it is looked at, not started again"
	case status.State == stdlib.StateUnverified:
		return "started; its boot condition did not hold and is asked again"
	case status.State == stdlib.StateFailed:
		return "started, and failed: " + cmp.Or(status.Error, "no reason is recorded") + ": it is looked at, and never started again by this run"
	}
	return "its start was asked for: it is looked at, not started again"
}

func domainWork(status engine.Status, facts *stdlib.Facts) string {
	switch {
	case status.State == stdlib.StateLeft:
		return "it has left " + facts.Target
	case facts.Action == plans.ActionClean:
		return "leaves " + facts.Target
	case facts.Own:
		return "stays on " + facts.Target
	case status.State == stdlib.StateActive:
		return "attached and active on " + facts.Target
	case status.State == stdlib.StateImported:
		return "imported on " + facts.Target + ": is attached"
	case status.State == stdlib.StateReleased:
		return "released on " + facts.Source + ": is imported and attached on " + facts.Target
	case status.State == stdlib.StateQuarantined:
		return "was left at " + facts.Source + ": is tried again: " + cmp.Or(status.Error, status.Detail)
	case facts.Planned:
		return "is released on " + facts.Source + ", imported and attached on " + facts.Target
	}
	return "is imported and attached on " + facts.Target
}

func vmWork(status engine.Status, facts *stdlib.Facts) string {
	why := cmp.Or(status.Error, status.Detail, "no reason is recorded")
	switch {
	case facts.Action == plans.ActionClean:
		return "leaves " + facts.Target
	case facts.Own:
		return "as the action says; the run has left it " + cmp.Or(status.State, stdlib.StateUntouched)
	case status.State == stdlib.StateFailed:
		return "failed: " + why + ": it is tried again"
	case status.State == stdlib.StateMissing:
		return "was missing: it is looked for again"
	case status.State == stdlib.StateQuarantined:
		return "was left at " + facts.Source + ": is tried again: " + why
	case status.State == stdlib.StateRegistered:
		return "it is registered, and is started where it is to run"
	case status.State == stdlib.StateStopped:
		return "shut down on " + facts.Source + ": is registered, and started where it is to run"
	case facts.Planned:
		return "is shut down on " + facts.Source + ", registered on " + facts.Target + ", and started where it is to run"
	}
	return "is registered, and started where it is to run"
}
