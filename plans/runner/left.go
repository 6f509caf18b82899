package runner

import (
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// left is what the journal of a run shows of its changes at the source, each by the id of a VM or storage domain: true where the
// change was made and not taken back, false where it was taken back.
type left struct{ ha, protection, comment, down, maintenance map[string]bool }

// leftBy reads a journal. A change of which the journal knows no outcome counts as made, a taking back only when it is known to be done.
func leftBy(info *engine.RunInfo) left {
	done, failed := map[string]bool{}, map[string]bool{}
	for _, record := range info.Records {
		switch {
		case record.Outcome != nil:
			done[record.ID], failed[record.ID] = record.Outcome.OK, !record.Outcome.OK && !record.Outcome.Unknown
		case record.Reached != nil:
			done[record.ID], failed[record.ID] = *record.Reached, !*record.Reached
		}
	}
	l := left{map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}}
	flags := map[string]map[string]bool{ovirt.OpSetHA: l.ha, ovirt.OpSetProtection: l.protection, ovirt.OpTouchVM: l.comment}
	undoes := false
	for _, record := range info.Records {
		undoes = undoes || record.Note == rollbackNote
		if record.Intent == nil || failed[record.Intent.ID] {
			continue
		}
		in := record.Intent
		id, atSource, back := in.Subject.ID, in.Site == info.Head.Source, done[in.ID]
		takeBack := func(of map[string]bool) {
			if of[id] && back { // the target's stale copies are changed too, before the source is
				of[id] = false
			}
		}
		switch in.Op {
		case ovirt.OpSetHA, ovirt.OpSetProtection, ovirt.OpTouchVM:
			if atSource && !undoes {
				flags[in.Op][id] = true
			} else {
				takeBack(flags[in.Op])
			}
		case ovirt.OpShutdownVM, ovirt.OpStopVM:
			if atSource && !undoes {
				l.down[id] = true
			}
		case ovirt.OpStartVM:
			takeBack(l.down)
		case ovirt.OpDeactivateDomain:
			if atSource && !undoes {
				l.maintenance[id] = true
			}
		case ovirt.OpActivateDomain, ovirt.OpDetachDomain, ovirt.OpDestroyDomain:
			takeBack(l.maintenance)
		}
	}
	return l
}

// text says what is left, "" for nothing, with the names of the facts.
func (l left) text(facts *stdlib.Facts) string {
	names := func(of map[string]bool) string {
		var list []string
		for _, vm := range facts.VMs {
			if of[vm.ID] {
				list = append(list, vm.Name)
			}
		}
		for _, domain := range facts.Domains {
			if of[domain.ID] {
				list = append(list, domain.Name)
			}
		}
		if len(list) > 8 {
			return strings.Join(list[:8], ", ") + fmt.Sprintf(" and %d more", len(list)-8)
		}
		return strings.Join(list, ", ")
	}
	var parts []string
	for _, part := range []struct {
		of   map[string]bool
		text string
	}{
		{l.down, "VMs shut down: "}, {l.maintenance, "storage domains in maintenance: "}, {l.ha, "high availability switched off: "},
		{l.protection, "delete protection lifted: "}, {l.comment, "comment changed: "},
	} {
		if list := names(part.of); list != "" {
			parts = append(parts, part.text+list)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return "on " + facts.Source + " it leaves " + strings.Join(parts, "; ")
}

// endedRuns reads the ended runs that work on storage domains of the plan, cleaning ones excepted, the newest first.
func (a *attempt) endedRuns() ([]*engine.RunInfo, error) {
	runs, err := engine.ListRuns(a.Env, a.history)
	if err != nil {
		return nil, fmt.Errorf("read the state folder %s: %w", a.history, err)
	}
	var infos []*engine.RunInfo
	for _, run := range runs {
		if run.Unfinished() || run.Head.Action == plans.ActionClean || len(run.Touches(a.domainIDs())) == 0 {
			continue
		}
		info, err := engine.ReadRun(a.Env, a.history, run.ID)
		if err != nil {
			return nil, fmt.Errorf("read the journal of run %s, which tells what it did with the plan's storage domains and VMs: %w", run.ID, err)
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// inherit gives the facts what an earlier run took from a VM and did not give back, as that run had found it: high availability with
// priority and lease, delete protection, and the comment. The newest run that changed it has the word.
func (a *attempt) inherit(facts *stdlib.Facts, runs []*engine.RunInfo) error {
	decided := map[string]bool{}
	for _, run := range runs {
		earlier, err := factsOf(run.ID, run.Facts())
		if err != nil {
			return err
		}
		if earlier == nil {
			continue
		}
		l := leftBy(run)
		for i := range facts.VMs {
			vm := &facts.VMs[i]
			before, known := earlier.VM(vm.ID)
			if !known {
				continue
			}
			open := func(flag string, of map[string]bool) bool {
				taken, touched := of[vm.ID]
				first := touched && !decided[flag+vm.ID]
				decided[flag+vm.ID] = decided[flag+vm.ID] || touched
				return first && taken
			}
			var back []string
			if open("ha/", l.ha) && before.HA && !vm.HA {
				vm.HA, vm.HAPriority = true, before.HAPriority
				if vm.LeaseDomain == "" {
					vm.LeaseDomain = before.LeaseDomain
				}
				back = append(back, "high availability")
			}
			if open("protection/", l.protection) && before.DeleteProtected && !vm.DeleteProtected {
				vm.DeleteProtected = true
				back = append(back, "delete protection")
			}
			if open("comment/", l.comment) && strings.Contains(vm.Comment, "[drrun "+run.ID+"/") {
				vm.Comment = before.Comment
			}
			if len(back) > 0 && facts.Planned {
				a.warn(fmt.Sprintf("VM %s gets back on %s what run %s took from it: %s", vm.Name, facts.Target, run.ID, strings.Join(back, " and ")))
			}
		}
	}
	return nil
}

// leaves says what a run leaves at the source when it is closed, "" for nothing. A run that can be undone is refused unless the operator
// wants it left as it is: what it took from the VMs would be left to somebody's memory.
func (a *attempt) leaves(info *engine.RunInfo) (string, error) {
	facts, err := factsOf(info.ID, info.Facts())
	if err != nil || facts == nil {
		return "", err
	}
	text := leftBy(info).text(facts)
	if a.LeaveAsIs || text == "" || !facts.Planned || passedPromotion(info) {
		return text, nil
	}
	return "", refuse("can-be-undone", "undo it: drrun rollback "+info.ID+"; or close it and put that right by hand: drrun abort "+info.ID+" --leave-as-is",
		fmt.Errorf("run %s can still be undone, and abort undoes nothing: %s", info.ID, text))
}

// passedPromotion is promotionBegan by the records of a run that is not open.
func passedPromotion(info *engine.RunInfo) bool {
	return slices.ContainsFunc(info.Records, func(r engine.Record) bool { return passesPromotion(&r, info.Head.Target) })
}

// passesPromotion tells whether from this record on a run can only go forward.
func passesPromotion(r *engine.Record, target string) bool {
	switch {
	case r.Step != nil:
		return strings.HasPrefix(r.Step.Key, "hook:promote_storage/") || strings.HasPrefix(r.Step.Key, "hook:demote_storage/")
	case r.Result != nil:
		return r.Result.OK && strings.HasPrefix(r.Result.Key, engine.PromptKey("promote_storage"))
	}
	return r.Intent != nil && r.Intent.Op == ovirt.OpImportDomain && r.Intent.Site == target
}
