package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestBlindHost: one host of the target does not see an export. Nothing is attached, the host is named, the imported entries are taken
// out again, and with the host mended the move goes on.
func TestBlindHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		planned bool
		exit    int
	}{
		{"unplanned", false, runner.ExitRefused}, // nothing is left changed
		{"planned", true, runner.ExitStopped},    // the VMs are down at the source
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
			p.fail(lab.Fault{Kind: lab.FaultHostBlind, Site: "secondary", Subject: "host2b", Export: "192.168.122.210:/nfs_ds2_replica"})
			written := p.counters("primary")
			if !c.planned {
				p.lose()
			}
			run := func() *runner.Result {
				if c.planned {
					return p.planned(plans.ActionFailover, nil, nil)
				}
				return p.failover(nil)
			}
			_, _, connections := p.left()
			r := run()
			expect(t, r, c.exit)
			if r.Error.Code != "hosts-blind" || !strings.Contains(r.Error.Message, "host2b (nfs_ds2)") {
				t.Errorf("error %+v", r.Error)
			}
			if domains, vms, now := p.left(); domains+vms != 0 || now != connections {
				t.Errorf("left: %d storage domains, %d VMs, %d connections (%d before)", domains, vms, now, connections)
			}
			for _, entry := range p.changes() {
				if strings.HasPrefix(entry.Effect, "attach") {
					t.Errorf("%s", entry.Effect)
				}
			}
			if len(p.labels()) > 0 != c.planned {
				t.Errorf("locks %v", p.labels())
			}
			if c.planned { // still blind: again, with the same end
				again := p.resume(r.Run, func(o *runner.Options) { p.byAdmin(nil, o) })
				expect(t, again, runner.ExitStopped)
			}
			if err := p.lab.Heal("secondary"); err != nil {
				t.Fatal(err)
			}
			p.wait(forLongEnough)
			if c.planned {
				expect(t, p.resume(r.Run, func(o *runner.Options) { p.byAdmin(nil, o) }), runner.ExitDone)
				p.sound("secondary", written)
				p.nothingOfThePlan("primary")
			} else {
				expect(t, run(), runner.ExitDone)
			}
			for _, wrong := range p.wrongs() {
				t.Error(wrong)
			}
		})
	}
}
