package runner_test

import (
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestBootByAction: one plan waits for 30 seconds on the way there, and for 5 minutes on the way home.
func TestBootByAction(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.edit(`boot = dr.boot.guest_agent { timeout = "5m" }`, `boot = dr.boot.all { dr.boot.by_action { failover = dr.boot.wait "30s", failback = dr.boot.wait "5m" } }`)
	took := func(action string) time.Duration {
		r := p.planned(action, nil, nil)
		expect(t, r, runner.ExitDone)
		vm := r.VMs[0]
		end := r.Started.Add(time.Duration(r.Duration * float64(time.Second)))
		return end.Sub(*vm.UpAt)
	}
	there := took(plans.ActionFailover)
	p.replicate()
	back := took(plans.ActionFailback)
	if longer := back - there; longer < 4*time.Minute || longer > 5*time.Minute {
		t.Errorf("after up the failover took %s and the failback %s", there, back)
	}
}

// TestBootByActionNeedsOne refuses a condition without any.
func TestBootByActionNeedsOne(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.edit(`boot = dr.boot.guest_agent { timeout = "5m" }`, `boot = dr.boot.by_action {}`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitInvalid)
}
