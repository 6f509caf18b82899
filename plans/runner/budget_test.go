package runner_test

import (
	"testing"

	"drrun/ovirt/lab"
)

// TestRequestBudget counts the requests of a failover: one write for each change that the plan asks for, reads that do not grow with
// the VMs but for their lists, and polls bounded by the ticks.
func TestRequestBudget(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ vms, domains int }{{3, 1}, {60, 4}, {600, 4}} {
		p := newPair(t, 9, lab.TwoSitesOptions{VMs: size.vms, Domains: size.domains})
		p.lose()
		r := p.failover(nil)
		expect(t, r, 0)
		used := r.Requests["secondary"]
		// Import and attach of each storage domain, the template, register and start of each VM; each of the two hosts is refreshed once
		// and looks at each storage domain once; and, beside the plan, one event and a lock of each storage domain, made and removed.
		// What shows the run is counted apart: it grows with stages, ranks and the size of the facts, not with the VMs.
		shown := p.marks("secondary")
		if want := 2*size.domains + 1 + 2*size.vms + 2*(1+size.domains) + 1 + 2*size.domains; used.Writes-shown.all() != want {
			t.Errorf("%d VMs on %d storage domains: %d writes beside what shows the run, want %d", size.vms, size.domains, used.Writes-shown.all(), want)
		}
		stages, ranks := p.stages()
		if want := (marks{lines: 2 + ranks, facts: (size.vms + 249) / 250, tasks: 2 + 2*stages}); shown != want {
			t.Errorf("%d VMs on %d storage domains: the run is shown by %+v, want %+v", size.vms, size.domains, shown, want)
		}
		if limit := 30 + 12*size.domains + 3*((size.vms+499)/500); used.Reads > limit {
			t.Errorf("%d VMs on %d storage domains: %d reads, at most %d", size.vms, size.domains, used.Reads, limit)
		}
		const tick = 3 // seconds; one collection is polled at a time in each stage
		if limit := 2 * int(r.Duration) / tick; used.Polls > limit {
			t.Errorf("%d VMs on %d storage domains: %d polls in %.0f s, at most %d", size.vms, size.domains, used.Polls, r.Duration, limit)
		}
		t.Logf("%d VMs on %d storage domains: %+v at the target, %+v at the source, %.0f s", size.vms, size.domains, used, r.Requests["primary"], r.Duration)
	}
}
