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

// unfinished sorts what an attempt that ended with 4 has left, by what a person has to do about it.
type unfinished struct {
	running []string // VMs that run, and whose hook failed
	points  []string // the hook points of those
	down    []string // VMs that the run has started and that are down again
	others  bool
	inPlan  bool // a hook raised an error of the plan's own
}

func (a *attempt) unfinished() unfinished {
	u := unfinished{others: a.facts.Action == plans.ActionClean}
	failedHook := map[string]string{} // the hook point, by the id of the VM that runs
	for _, failure := range a.session.HookFailures() {
		u.inPlan = u.inPlan || failure.InPlan
		if failure.VMRuns() {
			failedHook[failure.Subject.ID] = failure.Point
		}
	}
	for _, vm := range a.result.VMs {
		point, runs := failedHook[vm.ID]
		switch subject := (engine.Subject{Kind: ovirt.KindVM, Site: a.facts.Target, ID: vm.ID}); {
		case vm.Status == stdlib.StateFailed && runs:
			u.running = append(u.running, vm.Name)
			if !slices.Contains(u.points, point) {
				u.points = append(u.points, point)
			}
		case vm.Status == stdlib.StateFailed && a.run.Reached(ovirt.OpStartVM, subject):
			u.down = append(u.down, vm.Name)
		case !vmIsGood(a.facts, vm.Status):
			u.others = true
		}
	}
	u.others = u.others || slices.ContainsFunc(a.result.StorageDomains, func(domain ObjectResult) bool { return !domainIsGood(a.facts, domain.Status) })
	return u
}

// afterPart is what to do when an attempt ended with 4. A VM that the run has started and that is down again is for a person to start:
// a run starts none twice. One that runs, and whose hook failed, is not to be started at all.
func (a *attempt) afterPart() string {
	u := a.unfinished()
	var parts []string
	if len(u.running) > 0 {
		hooks, run := "their hooks "+strings.Join(u.points, " and ")+" failed", "run"
		if len(u.running) == 1 {
			hooks, run = "its hook "+strings.Join(u.points, " and ")+" failed", "runs"
		}
		parts = append(parts, fmt.Sprintf("%s %s; %s: mend that", firstNames(u.running), run, hooks))
	}
	if len(u.down) > 0 {
		them := "them"
		if len(u.down) == 1 {
			them = "it"
		}
		parts = append(parts, fmt.Sprintf("mend what stopped %s and start %s in the engine of %s, since a run starts no VM twice", firstNames(u.down), them, a.facts.Target))
	}
	switch {
	case len(parts) == 0:
		parts = append(parts, "correct what is wrong with them")
	case u.others:
		parts = append(parts, "correct what is wrong with the others")
	}
	hint := strings.Join(parts, "; ")
	if len(u.down) > 0 {
		hint += "; what is up is then found by: " + a.nextCommand()
	} else {
		hint += ", then: " + a.nextCommand()
	}
	if u.inPlan && !a.rollback {
		hint += "; when the fault is in the plan, correct the file and go on with that: drrun resume " + a.result.Run + " --plan"
	}
	return hint
}

// firstNames lists at most five.
func firstNames(names []string) string {
	shown := strings.Join(names[:min(len(names), 5)], ", ")
	if more := len(names) - 5; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return shown
}
