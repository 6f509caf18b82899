package runner_test

import (
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestTargetDiesInARegistration takes the target's engine away between a request and its answer: the run does not wait for ever, and a
// resumed one settles what became of the request.
func TestTargetDiesInARegistration(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.world.Horizon = 24 * time.Hour
	p.lose()
	r := p.failover(p.whenever(func(e engine.Event) {
		if e.Kind == "intent" && e.Text == ovirt.OpRegisterTemplate {
			p.world.Daemon("fate").Go(func() {
				if err := p.lab.Outage("secondary"); err != nil {
					t.Error(err)
				}
			})
		}
	}))
	expect(t, r, runner.ExitStopped)
	if took := r.Duration; took > 3600 {
		t.Errorf("it took %v s to stop", took)
	}
	if err := p.lab.Heal("secondary"); err != nil {
		t.Fatal(err)
	}
	p.wait(10 * time.Minute)
	expect(t, p.resume(r.Run, nil), runner.ExitDone)
}
