package ovirt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// TestLabObstacles reads, in one request each, all that the lab puts in the way.
func TestLabObstacles(t *testing.T) {
	w := lab.TwoSites(lab.TwoSitesOptions{VMs: 8})
	site, _ := w.Site("primary")
	vms := site.VMs
	vms[0].Preview = true
	vms[1].Pool = "desks"
	vms[2].Backup = "ready"
	vms[3].Disks[0].Status = "locked"
	vms[4].Disks[0].Status = "illegal"
	vms[5].DeleteProtected = true
	vms[6].Running, vms[6].Status = false, "suspended"
	inWorld(t, w, func(r *rig) {
		ctx := r.t.Context()
		before := r.primary.Counters()
		found := must2(r.primary.Obstacles(ctx))
		if n := r.primary.Counters().Reads - before.Reads; n != 1 {
			t.Errorf("%d reads", n)
		}
		var got []string
		for _, vm := range found {
			text := fmt.Sprintf("%s %s %s", vm.Name, vm.Status, vm.Disks[0].Status)
			for _, has := range []struct {
				word string
				on   bool
			}{{"preview", vm.Preview}, {"pool", vm.PoolID != ""}, {"protected", vm.DeleteProtected}, {"illegal", vm.IllegalImages},
				{"bare", len(vm.NICs) == 0}, {"pinned", len(vm.PinnedTo) > 0}, {"snapshotting", vm.SnapshotLocked}} {
				if has.on {
					text += " " + has.word
				}
			}
			got = append(got, text)
		}
		want := []string{"vm1 up ok preview", "vm2 up ok pool", "vm3 up locked", "vm4 up locked", "vm5 up illegal illegal", "vm6 up ok protected", "vm7 suspended ok", "vm8 up ok"}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for n, want := range map[int]bool{2: true, 3: false} {
			list := must2(r.primary.VMBackups(ctx, vms[n].ID))
			if want != (len(list) == 1 && list[0].Running() && list[0].Phase == "ready" && !list[0].Started.IsZero()) {
				t.Errorf("vm%d: %+v", n+1, list)
			}
		}
		locked := 0
		for _, d := range must2(r.primary.Disks(ctx)) {
			if d.Status == "locked" && len(d.StorageDomainIDs) == 1 {
				locked++
			}
		}
		if locked != 2 {
			t.Errorf("%d locked disks", locked)
		}
		// The engine refuses what the read foretold.
		if _, err := r.primary.ShutdownVM(ctx, vms[2].ID, ovirt.ShutdownOptions{}); !ovirt.HasCode(err, ovirt.CodeConflict) {
			t.Error(err)
		}
	})
}

// TestLabPower: the two silent hosts that look the same to their engine, and what cannot be known.
func TestLabPower(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{Hosts: 4, PowerManagement: true}, func(r *rig) {
		ctx := r.t.Context()
		hosts := must2(r.primary.Hosts(ctx))
		for kind, n := range map[string]int{lab.FaultHostDown: 0, lab.FaultHostIsolated: 1, lab.FaultHostBMC: 2} {
			if err := r.lab.Fail(lab.Fault{Kind: kind, Subject: hosts[n].ID}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Minute)
		for n, want := range []string{"non_responsive off", "non_responsive on", "up unreadable", "up on"} {
			host := must2(r.primary.Host(ctx, hosts[n].ID))
			power, err := r.primary.PowerStatus(ctx, host.ID)
			if err != nil || host.Status+" "+power.State != want || (power.Why == "") != (power.State != ovirt.PowerUnreadable) || !host.PowerManagement {
				t.Errorf("%s: %s %+v %v", host.Name, host.Status, power, err)
			}
		}
	})
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		host := must2(r.primary.Hosts(r.t.Context()))[0]
		if power, err := r.primary.PowerStatus(r.t.Context(), host.ID); err != nil || power.State != ovirt.PowerUnreadable || !strings.Contains(power.Why, "Invalid fence agents") {
			t.Error(power, err)
		}
		if _, err := r.primary.PowerStatus(r.t.Context(), "00000000-0000-0000-0000-000000000001"); !ovirt.HasCode(err, ovirt.CodeNotFound) {
			t.Error(err)
		}
	})
}

// TestLabBlindHost: through a host that does not see the storage, isattached says false also of a domain whose metadata another
// host reads. So a false of one host beside a true of another tells of blindness; a false alone tells nothing.
func TestLabBlindHost(t *testing.T) {
	w := lab.TwoSites(lab.TwoSitesOptions{})
	site, _ := w.Site("secondary")
	site.Hosts[1].Blind = []string{w.Exports[1].Address + ":" + w.Exports[1].Path}
	inWorld(t, w, func(r *rig) {
		ctx := r.t.Context()
		tg := r.prepare()
		hosts := must2(r.secondary.Hosts(ctx))
		if err := r.lab.Disaster("primary"); err != nil {
			t.Fatal(err)
		}
		if err := r.lab.Promote("nfs_ds"); err != nil {
			t.Fatal(err)
		}
		spec := tg.spec[0]
		spec.HostID = hosts[1].ID
		if _, changed, err := r.secondary.ImportDomain(ctx, spec); err == nil || changed {
			t.Error("imported through a blind host")
		}
		spec.HostID = hosts[0].ID
		if _, _, err := r.secondary.ImportDomain(ctx, spec); err != nil {
			t.Fatal(err)
		}
		for n, want := range []bool{true, false} {
			if got, err := r.secondary.IsAttached(ctx, must2(r.secondary.StorageDomain(ctx, spec.ID)), hosts[n].ID); err != nil || got != want {
				t.Errorf("%s: %t %v", hosts[n].Name, got, err)
			}
		}
		if sd, _, err := r.secondary.AttachDomain(ctx, spec.ID, tg.dc, ovirt.AttachOptions{}); err != nil || sd.Status != "active" {
			t.Fatal(sd, err)
		}
		if got := must2(r.secondary.Hosts(ctx)); got[0].Status != "up" || got[1].Status != "non_operational" {
			t.Errorf("%s %s", got[0].Status, got[1].Status)
		}
	})
}
