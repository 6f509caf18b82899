package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// oldHome has the VMs at the secondary after a disaster, and the primary back with its old copy: nothing is replicated to it.
func oldHome(t *testing.T) *pair {
	t.Helper()
	p := newPair(t, 4, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.wait(forLongEnough)
	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.wait(20 * time.Minute)
	p.story = len(p.lab.View().Violations)
	return p
}

// TestFailbackWithoutReplication: the truth stops it before the first shutdown, a wrong word is found out by the times or by the OVF
// stores before anything is registered, and only a person who gives the data up by name gets past that.
func TestFailbackWithoutReplication(t *testing.T) {
	t.Parallel()
	t.Run("nobody replicates", func(t *testing.T) {
		t.Parallel()
		p := oldHome(t)
		world := p.fingerprint()
		n := len(p.changes())
		r := p.planned(plans.ActionFailback, &storageAdmin{refuses: true}, nil)
		expect(t, r, runner.ExitRefused)
		if len(p.changes()) > n || p.fingerprint() != world {
			t.Errorf("changed: %v", p.changes()[n:])
		}
		if !strings.Contains(r.Error.Message, "is not replicated from secondary to primary") {
			t.Errorf("error %+v", r.Error)
		}
		p.replicate()
		p.wait(time.Minute)
		expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	})
	t.Run("the copy is older by its own time", func(t *testing.T) {
		t.Parallel()
		p := oldHome(t)
		before := p.described("secondary")
		r := p.planned(plans.ActionFailback, &storageAdmin{idle: true, asOf: "2026-01-02T03:04:05Z"}, nil)
		expect(t, r, runner.ExitStopped)
		if r.Error.Code != "stale-copy" || !strings.Contains(r.Error.Hint, "drrun rollback "+r.Run) {
			t.Errorf("error %+v", r.Error)
		}
		if view := p.lab.View().Sites["primary"]; len(view.VMs)+len(view.StorageDomains) > 0 {
			t.Errorf("at the primary: %+v %+v", view.VMs, view.StorageDomains)
		}
		// Nothing is lost: it can be undone, or gone on with once the copy is good.
		undone := p.rollback(r.Run, nil)
		expect(t, undone, runner.ExitDone)
		p.sameVMs("secondary", before)
	})
	t.Run("the copy is older, and its time a lie", func(t *testing.T) {
		t.Parallel()
		p := oldHome(t)
		written := p.counters("secondary")
		r := p.planned(plans.ActionFailback, &storageAdmin{idle: true}, nil) // says that it is in sync
		expect(t, r, runner.ExitStopped)
		if r.Error.Code != "stale-copy" || !strings.Contains(r.Error.Message, "OVF store") || !strings.Contains(r.Error.Hint, "detach and remove") {
			t.Errorf("error %+v", r.Error)
		}
		nothingRegistered := func() {
			t.Helper()
			if vms := p.lab.View().Sites["primary"].VMs; len(vms) > 0 {
				t.Errorf("registered at the primary: %+v", vms)
			}
		}
		nothingRegistered()
		expect(t, p.resume(r.Run, func(o *runner.Options) { p.byAdmin(nil, o) }), runner.ExitStopped)
		nothingRegistered()
		// As the hint says.
		p.takeOut("primary")
		p.replicate()
		p.wait(time.Minute)
		for _, name := range p.domains() {
			if err := p.lab.Promote(name); err != nil {
				t.Fatal(err)
			}
		}
		expect(t, p.resume(r.Run, func(o *runner.Options) { p.byAdmin(nil, o) }), runner.ExitDone)
		p.sound("primary", written)
		p.nothingOfThePlan("secondary")
	})
	for _, asOf := range []string{"2026-01-02T03:04:05Z", "2099-01-02T03:04:05Z", "unknown"} {
		t.Run("given up as of "+asOf, func(t *testing.T) {
			t.Parallel()
			p := oldHome(t)
			r := p.planned(plans.ActionFailback, &storageAdmin{idle: true, asOf: asOf}, func(o *runner.Options) { o.AcceptLoss = "Ann: the week is lost, we start over" })
			expect(t, r, runner.ExitDone)
			said := strings.Join(r.Verdicts, "\n")
			for _, words := range []string{"Ann has given it up: the week is lost, we start over", "data of group all"} {
				if !strings.Contains(said, words) {
					t.Errorf("%q is not said:\n%s", words, said)
				}
			}
			if strings.Contains(said, "nothing lost") {
				t.Errorf("said:\n%s", said)
			}
		})
	}
}

// takeOut does by hand what a storage administrator is asked to do: the plan's domains leave a site's engine, their content stays.
func (p *pair) takeOut(site string) {
	p.t.Helper()
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
		hosts, err := s.Hosts(ctx)
		for _, master := range []bool{false, true} {
			for _, domain := range p.lab.View().Sites[site].StorageDomains {
				if err != nil || domain.Master != master || !strings.HasPrefix(domain.Name, "nfs_ds") {
					continue
				}
				known, readErr := s.StorageDomain(ctx, domain.ID)
				if err = readErr; err == nil {
					_, _, err = s.DeactivateDomain(ctx, known.DataCenterID, domain.ID, 0)
				}
				if err == nil {
					_, err = s.DetachDomain(ctx, known.DataCenterID, domain.ID)
				}
				if err == nil {
					_, err = s.RemoveDomain(ctx, domain.ID, hosts[0].ID)
				}
			}
		}
		return err
	})
}

// TestPlannedWithAnUnreadableOVF: a VM whose OVF does not parse is missing on the target. The mark of the run shows that the copy is
// good all the same, so the others run there; and the VM's configuration, which only the source has, stays at the source.
func TestPlannedWithAnUnreadableOVF(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{VMs: 4, Domains: 2, LoseVM: "vm3"})
	written := p.counters("primary")
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitPartial)
	if !strings.Contains(r.Error.Message, "VM vm3 is missing") || !strings.Contains(r.Error.Message, `secondary does not have VM vm3, whose configuration would be lost with it`) {
		t.Errorf("error %+v", r.Error)
	}
	p.sound("secondary", written)
	view := p.lab.View()
	if n := len(view.Sites["secondary"].VMs); n != 3 {
		t.Errorf("%d VMs at the secondary", n)
	}
	left := view.Sites["primary"]
	if len(left.StorageDomains) != 1 || left.StorageDomains[0].Name != "nfs_ds" || left.StorageDomains[0].Status != "maintenance" || len(left.VMs) != 2 {
		t.Errorf("left at the primary: %+v %+v", left.StorageDomains, left.VMs)
	}
}

// TestMarkOfAVMOnTwoDomains: a VM with a disk on each of two storage domains is marked for both, and the copy is good.
func TestMarkOfAVMOnTwoDomains(t *testing.T) {
	t.Parallel()
	for seed := range uint64(8) {
		p := newPairOf(t, seed, lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(w *lab.World) {
			for i, domain := range []int{1, 0} { // vm1 and vm2 lie on both
				other := w.Sites[0].VMs[domain].Disks[0]
				other.ID, other.Alias, other.Bootable = "5d0b3066-7302-42e9-b120-a0ca635385f"+string(rune('0'+i)), "extra"+string(rune('0'+i)), false
				w.Sites[0].VMs[i].Disks = append(w.Sites[0].VMs[i].Disks, other)
			}
		})
		written := p.counters("primary")
		expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
		p.sound("secondary", written)
		p.nothingOfThePlan("primary")
	}
}
