package runner_test

import (
	"testing"

	"drrun/ovirt/lab"
)

func TestFailover(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	world := p.lab.View()
	if len(world.Violations) > 0 {
		t.Errorf("violations: %v", world.Violations)
	}
	for _, vm := range world.Sites["secondary"].VMs {
		if vm.Status != "up" {
			t.Errorf("%s is %s", vm.Name, vm.Status)
		}
	}
	for _, vm := range r.VMs {
		t.Logf("%s rank %d %s started %v up %v", vm.Name, *vm.Rank, vm.Status, vm.StartedAt, vm.UpAt)
	}
	t.Logf("%v %+v", r.Duration, r.Requests)
	t.Log(p.read("/site/plan.lua"))
}
