package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// described is what a site's engine shows of its VMs, each by name, without what a move has to change.
func (p *pair) described(site string) map[string]string {
	p.t.Helper()
	said := map[string]string{}
	view := p.lab.View().Sites[site]
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
		vms, err := s.VMs(ctx, ovirt.VMQuery{Details: true})
		for _, vm := range vms {
			i := slices.IndexFunc(view.VMs, func(v lab.VMView) bool { return v.ID == vm.ID })
			if i < 0 {
				return fmt.Errorf("%s is in the engine of %s and not in the view", vm.Name, site)
			}
			var disks []string
			for _, disk := range vm.Disks {
				disks = append(disks, fmt.Sprintf("%s (%s, %d bytes on %v)", disk.ID, disk.Status, disk.Size, disk.StorageDomainIDs))
			}
			slices.Sort(disks)
			said[vm.Name] = fmt.Sprintf("%s in %s, NICs %v, disks %v, HA %v/%d, protected %v, comment %q", vm.Status, view.VMs[i].Cluster, view.VMs[i].NICs,
				disks, vm.HAEnabled, vm.HAPriority, vm.DeleteProtected, vm.Comment)
		}
		return err
	})
	return said
}

// sameVMs compares what described returned before and after.
func (p *pair) sameVMs(site string, want map[string]string) {
	p.t.Helper()
	got := p.described(site)
	for name, was := range want {
		if got[name] != was {
			p.t.Errorf("%s at %s: %s\nwant %s", name, site, got[name], was)
		}
	}
	if len(got) != len(want) {
		p.t.Errorf("%d VMs at %s, want %d", len(got), site, len(want))
	}
}

// nothingOfThePlan fails where a site's engine still knows something of the plan, or a lock is left.
func (p *pair) nothingOfThePlan(site string) {
	p.t.Helper()
	view := p.lab.View().Sites[site]
	for _, vm := range view.VMs {
		p.t.Errorf("left at %s: VM %s (%s)", site, vm.Name, vm.Status)
	}
	for _, domain := range view.StorageDomains {
		if strings.HasPrefix(domain.Name, "nfs_ds") {
			p.t.Errorf("left at %s: storage domain %s (%s)", site, domain.Name, domain.Status)
		}
	}
	if labels := p.labels(); len(labels) > 0 {
		p.t.Errorf("locks are left: %v", labels)
	}
}

// marked gives the VMs of the primary what a move must carry there and back: delete protection and comments.
func (p *pair) marked() {
	p.t.Helper()
	p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
		vms, err := s.VMs(ctx, ovirt.VMQuery{})
		for i, vm := range vms {
			if err == nil && i%2 == 0 {
				_, err = s.SetDeleteProtection(ctx, vm.ID, true)
			}
			if err == nil && i%3 == 0 {
				_, _, err = s.TouchVM(ctx, vm.ID, "belongs to Ann")
			}
		}
		return err
	})
}

// forLongEnough lets the engines write their OVF stores and the arrays replicate them.
const forLongEnough = 2 * time.Hour

// TestHomeAfterADisaster is the story of the README: the primary is lost, the VMs run at the secondary, the primary comes back with its
// stale VMs, and everything goes home with the data that it had at the secondary.
func TestHomeAfterADisaster(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		size lab.TwoSitesOptions
	}{
		{"three VMs", lab.TwoSitesOptions{}},
		{"twelve VMs on three storage domains", lab.TwoSitesOptions{VMs: 12, Domains: 3}},
		{"a secondary that had no storage of its own", lab.TwoSitesOptions{VMs: 4, Domains: 2, EmptySecondary: true}},
	} {
		for _, stale := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, stale copies run %v", c.name, stale), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, 3, c.size)
				p.marked()
				p.wait(forLongEnough)
				before := p.described("primary")
				p.lose()
				expect(t, p.failover(nil), runner.ExitDone)
				p.wait(time.Hour)
				if err := p.lab.Heal("primary"); err != nil {
					t.Fatal(err)
				}
				if stale { // the engine has started its HA VMs again, before anybody could replicate over their disks
					p.wait(20 * time.Minute)
					p.story = len(p.lab.View().Violations)
					if p.story == 0 {
						t.Fatal("no stale VM runs at the primary")
					}
					expect(t, p.clean("primary", nil), runner.ExitDone)
					p.nothingOfThePlan("primary")
				}
				p.replicate()
				p.wait(10 * time.Minute)
				written := p.counters("secondary")
				expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
				p.sound("primary", written)
				p.sameVMs("primary", before)
				p.nothingOfThePlan("secondary")
			})
		}
	}
}

// clean takes what is stale out of a site's engine.
func (p *pair) clean(site string, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	return p.failover(func(o *runner.Options) {
		o.Action, o.Site, o.ConfirmSourceDown, o.Asker, o.CanAnswer = plans.ActionClean, site, "", answers{}, answers{}.can
		if change != nil {
			change(o)
		}
	})
}
