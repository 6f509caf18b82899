package runner_test

import (
	"context"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestCheckAfterAMove checks a plan whose VMs a planned move took to the other site: nothing is said of taking them out of the plan.
func TestCheckAfterAMove(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	var r *runner.Result
	p.do(func(env engine.Env) {
		r = runner.Check(context.Background(), context.Background(), p.options(env, answers{}), false)
	})
	expect(t, r, runner.ExitDone)
	said := 0
	for _, found := range r.Findings {
		switch found.Code {
		case "vms-at-target":
			said++
			if !strings.HasPrefix(found.Message, "the plan's VMs are at secondary, not at primary: ") || !strings.Contains(found.Hint, "drrun failback /site/plan.lua") {
				t.Errorf("it says %q, %q", found.Message, found.Hint)
			}
		case "vm-not-at-source", "domain-not-at-source":
			t.Errorf("it says %q, %q", found.Message, found.Hint)
		}
	}
	if said != 1 {
		t.Errorf("it is said %d times: %+v", said, r.Findings)
	}
	for _, found := range p.planned(plans.ActionFailover, nil, nil).Findings {
		if found.Code == "wrong-direction" && !strings.Contains(found.Hint, "drrun failback /site/plan.lua") {
			t.Errorf("the hint is %q", found.Hint)
		}
	}
}
