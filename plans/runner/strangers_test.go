package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestTemplateOutsideThePlan: a template that the plan does not have keeps its storage domain in the engine of the source: it would leave
// with it, and nobody else has it.
func TestTemplateOutsideThePlan(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 1, lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(w *lab.World) {
		primary := &w.Sites[0]
		golden := primary.Templates[len(primary.Templates)-1]
		golden.ID, golden.Name = "6c1e3a5e-7a0e-4c0f-8f7e-0d6b0d1f2a3b", "golden"
		golden.Disks = []lab.Disk{{ID: "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e7f", Alias: "golden_Disk1", StorageDomainID: primary.StorageDomains[0].ID, Size: 1 << 34}}
		primary.Templates = append(primary.Templates, golden)
	})
	written := p.counters("primary")
	if text := p.read("/site/plan.lua"); strings.Contains(text, "golden") {
		t.Fatal("the plan has it")
	}
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitPartial)
	if !strings.Contains(r.Error.Message, "what is not in the plan would leave the engine with it: template golden") {
		t.Errorf("error %+v", r.Error)
	}
	p.sound("secondary", written)
	left := p.lab.View().Sites["primary"].StorageDomains
	if len(left) != 1 || left[0].Name != "nfs_ds" || left[0].Status != "maintenance" {
		t.Errorf("left at the primary: %+v", left)
	}
}
