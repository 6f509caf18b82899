package runner_test

import (
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// reboot lets the hosts of a site boot anew.
func (p *pair) reboot(site string) {
	p.t.Helper()
	if err := p.lab.Disaster(site); err != nil {
		p.t.Fatal(err)
	}
	p.wait(30 * time.Minute)
	if err := p.lab.Heal(site); err != nil {
		p.t.Fatal(err)
	}
	p.wait(time.Hour)
}

// lostAndBack loses the primary, brings the VMs up at the secondary, and lets the primary come back with its old copies and its HA VMs.
func (p *pair) lostAndBack() {
	p.t.Helper()
	p.lose()
	expect(p.t, p.failover(nil), runner.ExitDone)
	p.wait(time.Hour)
	p.heal()
	p.wait(time.Hour)
	p.story = len(p.lab.View().Violations)
}

// TestCleanOfTheWrongSite: the site to which the last run took the VMs is never cleaned, also when an older run took them away from
// there and its hosts booted since; and where no run is known, a person has to say which copy is the older one.
func TestCleanOfTheWrongSite(t *testing.T) {
	t.Parallel()
	refused := func(t *testing.T, p *pair, site, words string) {
		t.Helper()
		world, n := p.fingerprint(), len(p.changes())
		r := p.clean(site, nil)
		expect(t, r, runner.ExitRefused)
		if r.Error.Code != "not-stale" || !strings.Contains(r.Error.Message, words) {
			t.Errorf("error %+v", r.Error)
		}
		if p.fingerprint() != world || len(p.changes()) != n {
			t.Errorf("it changed something: %v", p.changes()[n:])
		}
	}
	t.Run("an older run left it", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.wait(forLongEnough)
		expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
		p.replicate()
		expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
		p.replicate()
		p.wait(24 * time.Hour)
		p.reboot("secondary")
		p.replicate()
		p.wait(24 * time.Hour)
		p.lostAndBack()
		refused(t, p, "secondary", "no run known here has taken it away since")
		expect(t, p.clean("primary", nil), runner.ExitDone)
		p.nothingOfThePlan("primary")
	})
	t.Run("the secondary was rebooted since", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.wait(forLongEnough)
		p.lostAndBack()
		p.reboot("secondary")
		refused(t, p, "secondary", "no run known here has taken it away since")
	})
	t.Run("no run is known", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.wait(forLongEnough)
		p.lostAndBack()
		elsewhere := func(o *runner.Options) { o.StateDir = "/elsewhere" }
		r := p.clean("primary", elsewhere)
		expect(t, r, runner.ExitRefused)
		if r.Error.Code != "not-stale" || !strings.Contains(r.Error.Hint, "--confirm-stale") {
			t.Errorf("error %+v", r.Error)
		}
		expect(t, p.clean("primary", func(o *runner.Options) {
			elsewhere(o)
			o.ConfirmStale = "Ann: the secondary is in use since the fire"
		}), runner.ExitDone)
		p.nothingOfThePlan("primary")
	})
}
