package explain

import (
	"slices"
	"testing"

	"drrun/plans"
	"drrun/stdlib"
)

// TestEveryHookPoint: a point that a workflow calls, and that nothing is said about here, would be passed over in silence.
func TestEveryHookPoint(t *testing.T) {
	t.Parallel()
	uncalled := []string{"before_fence", "after_fence", "snapshot_replica", "discard_snapshot"} // by no built-in workflow
	survey, _ := plans.CheckOffline(&plans.Plan{VMs: []plans.VM{{Name: "a", ID: "1", Start: plans.StartYes, Boot: &stdlib.Condition{}}}, StorageDomains: []plans.StorageDomain{{ID: "2"}}}, nil, plans.CheckOptions{})
	b := &explaining{Input: Input{Survey: survey}, vm: survey.BootOrder().VMs[0], plan: survey.Plan}
	for _, point := range stdlib.HookPointNames() {
		called := !slices.Contains(uncalled, point)
		if listed := slices.Contains(hookOrder, point); listed != called {
			t.Errorf("%s: listed %v, called %v", point, listed, called)
		}
		if told := b.subject(plans.Hook{Point: point}) != ""; told != called {
			t.Errorf("%s: told %v, called %v", point, told, called)
		}
	}
}

// TestGroupsOfHandlers: a handler that is for other consistency groups than those of the VM does not touch it.
func TestGroupsOfHandlers(t *testing.T) {
	t.Parallel()
	p := &plans.Plan{VMs: []plans.VM{{Name: "a", ID: "1", Start: plans.StartYes, Boot: &stdlib.Condition{}}}, StorageDomains: []plans.StorageDomain{{ID: "d1", Group: "db"}, {ID: "d2", Group: "app"}}}
	inventory := &plans.Inventory{VMs: []plans.InventoryVM{{ID: "1", Name: "a", Status: "up", Disks: []plans.InventoryDisk{{StorageDomainIDs: []string{"d2"}}}}}}
	survey, _ := plans.CheckOffline(p, inventory, plans.CheckOptions{})
	b := &explaining{Input: Input{Survey: survey}, vm: survey.BootOrder().VMs[0], plan: p}
	for want, groups := range map[string][]string{"consistency group app": nil, "": {"db"}} {
		if got := b.subject(plans.Hook{Point: "promote_storage", Groups: groups}); got != want {
			t.Errorf("a handler for %v: %q, want %q", groups, got, want)
		}
	}
}
