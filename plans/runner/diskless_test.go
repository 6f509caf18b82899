package runner_test

import (
	"testing"

	"drrun/engine/sim"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// newPairOf is newPair with a world that was changed by hand.
func newPairOf(t *testing.T, seed uint64, options lab.TwoSitesOptions, change func(primary *lab.Site)) *pair {
	t.Helper()
	world := sim.New(seed)
	t.Cleanup(world.Close)
	sites := lab.TwoSites(options)
	primary, _ := sites.Site("primary")
	change(primary)
	p := &pair{t: t, world: world, lab: lab.New(sites, world.Clock(), seed), disk: world.Disk(), size: options}
	p.generate(options)
	return p
}

// TestMoveOfAVMWithoutDisks: it leaves with no storage domain, and so is removed from the source once the target has it, there and back.
func TestMoveOfAVMWithoutDisks(t *testing.T) {
	t.Parallel()
	var id string
	p := newPairOf(t, 1, lab.TwoSitesOptions{VMs: 4}, func(primary *lab.Site) {
		vm := &primary.VMs[3]
		id = vm.ID
		vm.Disks, vm.Running, vm.TemplateID = nil, false, "00000000-0000-0000-0000-000000000000"
	})
	p.edit("  vms = {\n", "  vms = {\n    { name = \"vm4\", id = \""+id+"\", rank = 0, start = false },\n")
	vmsAt := func(site string) int { return len(p.lab.View().Sites[site].VMs) }
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	p.nothingOfThePlan("primary")
	if n := vmsAt("secondary"); n != 4 {
		t.Errorf("%d VMs at the secondary", n)
	}
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	p.nothingOfThePlan("secondary")
	if n := vmsAt("primary"); n != 4 {
		t.Errorf("%d VMs at the primary", n)
	}
}
