package runner_test

import (
	"slices"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// storageKinds are the kinds of storage that a plan can move, with the storage domains of a test: an engine shows the places of several
// on one Ceph cluster alike.
var storageKinds = []lab.TwoSitesOptions{
	{Kind: plans.StorageNFS, VMs: 5, Domains: 2}, {Kind: plans.StorageGlusterFS, VMs: 5, Domains: 2}, {Kind: plans.StoragePOSIX, VMs: 4},
	{Kind: plans.StorageFCP, VMs: 5, Domains: 2}, {Kind: plans.StorageISCSI, VMs: 5, Domains: 2},
	{Kind: plans.StorageFCP, VMs: 4, Domains: 2, EmptySecondary: true}, {Kind: plans.StorageISCSI, VMs: 4, Domains: 2, EmptySecondary: true},
}

// TestEveryKindOfStorage moves VMs on each kind of storage: the primary is lost, the VMs run at the secondary and come home in order;
// then they leave in order, and come home again.
func TestEveryKindOfStorage(t *testing.T) {
	t.Parallel()
	for _, size := range storageKinds {
		name := size.Kind
		if size.EmptySecondary {
			name += ", a secondary that had no storage of its own"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 7, size)
			p.marked()
			p.wait(forLongEnough)
			before := p.described("primary")
			p.lose()
			expect(t, p.failover(nil), runner.ExitDone)
			p.wait(time.Hour)
			if err := p.lab.Heal("primary"); err != nil {
				t.Fatal(err)
			}
			p.replicate()
			p.wait(10 * time.Minute)
			written := p.counters("secondary")
			expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
			p.sound("primary", written)
			p.sameVMs("primary", before)
			p.nothingOfThePlan("secondary")

			p.replicate()
			written = p.counters("primary")
			expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
			p.sound("secondary", written)
			p.nothingOfThePlan("primary")
			p.replicate()
			written = p.counters("secondary")
			expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
			p.sound("primary", written)
			p.sameVMs("primary", before)
			for site, view := range p.lab.View().Sites {
				if i := slices.IndexFunc(view.Hosts, func(h lab.HostView) bool { return h.Status != "up" }); i >= 0 {
					t.Errorf("host %s of %s is %s", view.Hosts[i].Name, site, view.Hosts[i].Status)
				}
			}
		})
	}
}
