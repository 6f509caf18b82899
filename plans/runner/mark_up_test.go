package runner_test

import (
	"testing"

	"drrun/ovirt/lab"
)

// TestNobodyIsCalledUpUnseen has a workflow that starts nothing and says that everything is up (invariant I3).
func TestNobodyIsCalledUpUnseen(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`function plan.failover(ctx) for _, vm in ipairs(ctx.facts.vms) do ctx:mark(ctx.target:vm(vm.id), "up") end end`)
	p.lose()
	r := p.failover(nil)
	if r.Exit == 0 || r.Error.Code != "not-seen-up" {
		t.Errorf("exit %d, %+v", r.Exit, r.Error)
	}
	for _, vm := range r.VMs {
		if vm.Status == "up" {
			t.Errorf("%+v", vm)
		}
	}
}
