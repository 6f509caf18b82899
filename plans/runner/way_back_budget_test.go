package runner_test

import (
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestRequestBudgetOfPlannedMoves counts the requests of a planned failover and of the failback behind it, at both sites: one write for
// each change, reads that grow with the storage domains and with whole lists of VMs only, and polls bounded by the ticks.
func TestRequestBudgetOfPlannedMoves(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ vms, domains int }{{3, 1}, {60, 4}, {300, 4}} {
		p := newPair(t, 9, lab.TwoSitesOptions{VMs: size.vms, Domains: size.domains})
		for _, action := range []string{plans.ActionFailover, plans.ActionFailback} {
			from, to := "primary", "secondary"
			if action == plans.ActionFailback {
				from, to = to, from
			}
			changes := len(p.changes())
			r := p.planned(action, nil, nil)
			expect(t, r, runner.ExitDone)
			p.replicate()
			n, d := size.vms, size.domains
			// At the source HA goes off for the first VM of each storage domain, every VM is shut down, one of each storage domain is touched,
			// and each storage domain has its OVF store written and is deactivated. While another data storage domain is active, as at the
			// secondary, each one is detached and removed; where none is left, only the last can be detached, and the others leave the
			// books. At the target each host is refreshed once, each storage domain imported and attached, the template and every VM
			// registered, HA and the comment restored, and every VM started.
			leave := 2 * d
			if from == "primary" {
				leave = d - 1 + 2
			}
			for site, want := range map[string]int{from: d + n + d + 2*d + leave, to: 2 + 2*d + 1 + n + 2*d + n} {
				made := 0
				for _, entry := range p.changes()[changes:] {
					if entry.Site == site {
						made++
					}
				}
				if made != want {
					t.Errorf("%s of %d VMs on %d storage domains: %d changes at %s, want %d", action, n, d, made, site, want)
				}
			}
			for _, site := range []string{from, to} {
				used := r.Requests[site]
				// Twice what a failover may read, since the source and the storage that leaves are read too; and of many VMs that are shut down
				// the whole list once a tick, before the requests leave.
				if limit := 2*(30+12*d) + n/10; used.Reads > limit {
					t.Errorf("%s of %d VMs on %d storage domains: %d reads at %s, at most %d", action, n, d, used.Reads, site, limit)
				}
				const tick = 3 // seconds; two collections are polled at a time in a stage at most
				if limit := 2 * int(r.Duration) / tick; used.Polls > limit {
					t.Errorf("%s of %d VMs on %d storage domains: %d polls at %s in %.0f s, at most %d", action, n, d, used.Polls, site, r.Duration, limit)
				}
			}
			t.Logf("%s of %d VMs on %d storage domains: %+v at the source, %+v at the target, %.0f s", action, n, d, r.Requests[from], r.Requests[to], r.Duration)
		}
	}
}
