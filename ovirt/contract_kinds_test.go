package ovirt_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// blockSpec is the import of the first replicated domain from LUNs, with what the arrays of both sites have of it.
func (r *rig) blockSpec(host string, world lab.World) ovirt.ImportSpec {
	spec := ovirt.ImportSpec{HostID: host}
	for _, sd := range must2(r.primary.StorageDomains(r.t.Context())) {
		spec.ID, spec.Type, spec.OtherLUNs = sd.ID, sd.StorageType, sd.LUNIDs()
	}
	for _, set := range world.LUNSets {
		if set.Site == "secondary" {
			for _, lun := range set.LUNs {
				spec.LUNs = append(spec.LUNs, lun.ID)
			}
		}
	}
	return spec
}

// TestLabISCSI logs hosts in, imports by id and lets the domain leave again: what the client makes of the answers that the lab gives.
func TestLabISCSI(t *testing.T) {
	world := lab.TwoSites(lab.TwoSitesOptions{Kind: "iscsi"})
	inWorld(t, world, func(r *rig) {
		ctx := r.t.Context()
		hosts := must2(r.secondary.Hosts(ctx))
		dc := must2(r.secondary.DataCenters(ctx))[0].ID
		spec := r.blockSpec(hosts[0].ID, world)
		r.disaster(true)
		_, changed, err := r.secondary.ImportDomain(ctx, spec)
		if !ovirt.HasCode(err, ovirt.CodeBadRequest) || changed {
			t.Fatal("without a session: ", changed, err)
		}
		var target ovirt.ISCSITarget
		for _, one := range world.Targets {
			if one.Site == "secondary" {
				address, _, _ := strings.Cut(one.Portals[0], ":")
				target = ovirt.ISCSITarget{Address: address, Port: 3260, IQN: one.Name}
			}
		}
		if seen := must2(r.secondary.HostLUNs(ctx, hosts[0].ID)); len(seen) != 0 || ovirt.LoggedIn(seen, target, 1) {
			t.Fatal(seen)
		}
		for range 2 { // the second one is no error
			if err := r.secondary.LogInISCSI(ctx, hosts[0], target); err != nil {
				t.Fatal(err)
			}
		}
		seen := must2(r.secondary.HostLUNs(ctx, hosts[0].ID))
		if len(seen) != 2 || !ovirt.LoggedIn(seen, target, 1) || ovirt.LoggedIn(seen, ovirt.ISCSITarget{Address: "10.9.9.9", Port: 3260, IQN: target.IQN}, 2) || seen[0].VolumeGroupID == "" || seen[0].Type != "iscsi" {
			t.Fatalf("%+v", seen)
		}
		all, failed := r.secondary.LUNsOfHosts(ctx, []string{hosts[0].ID, hosts[1].ID, "nobody"})
		if len(all[hosts[0].ID]) != 2 || len(all[hosts[1].ID]) != 0 || len(failed) != 1 || !ovirt.HasCode(failed["nobody"], ovirt.CodeNotFound) {
			t.Fatalf("%+v %v", all, failed)
		}
		sd, changed, err := r.secondary.ImportDomain(ctx, spec)
		if err != nil || !changed || !slices.Equal(sd.LUNIDs(), slices.Sorted(slices.Values(spec.LUNs))) || sd.VolumeGroupID != seen[0].VolumeGroupID {
			t.Fatalf("%+v %v %v", sd, changed, err)
		}
		if _, changed, err := r.secondary.ImportDomain(ctx, spec); err != nil || changed {
			t.Fatal(changed, err)
		}
		settings := ovirt.DomainSettings{WipeAfterDelete: true, WarningLowSpace: 12, CriticalSpace: 7}
		for _, want := range []bool{true, false} {
			if changed, err := r.secondary.SetDomainSettings(ctx, spec.ID, settings); err != nil || changed != want {
				t.Fatal(changed, err)
			}
		}
		if sd, _, err := r.secondary.AttachDomain(ctx, spec.ID, dc, ovirt.AttachOptions{}); err != nil || sd.Status != "active" || sd.Settings != settings {
			t.Fatalf("%+v %v", sd, err)
		}
		if seen := must2(r.secondary.HostLUNs(ctx, hosts[1].ID)); len(seen) != 2 {
			t.Errorf("the other host sees %+v after the attach", seen)
		}
		loose := must2(r.secondary.UnregisteredDisks(ctx, spec.ID))
		if len(loose) == 0 {
			t.Error("no unregistered disks")
		}
		if _, _, err := r.secondary.DeactivateDomain(ctx, dc, spec.ID, 0); err != nil {
			t.Fatal(err)
		}
		if changed, err := r.secondary.DetachDomain(ctx, dc, spec.ID); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if changed, err := r.secondary.RemoveDomain(ctx, spec.ID, hosts[0].ID); err != nil || !changed {
			t.Fatal(changed, err)
		}
	})
}

// TestLabWrongLUNs imports from Fibre Channel LUNs that the plan does not name: the entry is gone again, the content is not.
func TestLabWrongLUNs(t *testing.T) {
	world := lab.TwoSites(lab.TwoSitesOptions{Kind: "fcp"})
	inWorld(t, world, func(r *rig) {
		ctx := r.t.Context()
		host := must2(r.secondary.Hosts(ctx))[0].ID
		good := r.blockSpec(host, world)
		r.disaster(true)
		bad := good
		bad.LUNs = bad.LUNs[:1]
		if _, _, err := r.secondary.ImportDomain(ctx, bad); !ovirt.HasCode(err, ovirt.CodeWrongObject) {
			t.Fatal(err)
		}
		if known := must2(r.secondary.StorageDomains(ctx)); slices.ContainsFunc(known, func(sd ovirt.StorageDomain) bool { return sd.ID == good.ID }) {
			t.Fatalf("%+v", known)
		}
		if _, changed, err := r.secondary.ImportDomain(ctx, good); err != nil || !changed {
			t.Fatal(changed, err)
		}
	})
}

// TestLabLooseLUN removes the entry of a LUN that no VM has, and leaves alone what a VM has.
func TestLabLooseLUN(t *testing.T) {
	world := lab.TwoSites(lab.TwoSitesOptions{})
	ids := []string{"36001405aaaaaaaaaaaaaaaaaaaaaaaaaa", "36001405bbbbbbbbbbbbbbbbbbbbbbbbbb"}
	world.LUNSets = []lab.LUNSet{{Site: "primary", Name: "raw", Type: "fcp", LUNs: []lab.LUN{{ID: ids[0], Size: 1 << 33}, {ID: ids[1], Size: 1 << 33, Number: 1}}}}
	primary := &world.Sites[0]
	primary.FloatingDisks = []lab.Disk{{ID: "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e71", Alias: "loose", LUN: ids[0]}}
	primary.VMs[0].Disks = append(primary.VMs[0].Disks, lab.Disk{ID: "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e72", Alias: "used", LUN: ids[1]})
	inWorld(t, world, func(r *rig) {
		ctx := r.t.Context()
		loose := must2(r.primary.LooseLUNDisks(ctx))
		if len(loose) != 1 || loose[0].Alias != "loose" || loose[0].LUN.ID != ids[0] {
			t.Fatalf("%+v", loose)
		}
		image := must2(r.primary.VMs(ctx, ovirt.VMQuery{Details: true}))[0].Disks[0].ID
		for _, id := range []string{image, primary.VMs[0].Disks[len(primary.VMs[0].Disks)-1].ID} {
			if changed, err := r.primary.RemoveLUNDisk(ctx, id); !ovirt.HasCode(err, ovirt.CodeRefused) || changed {
				t.Fatal(id, changed, err)
			}
		}
		for _, want := range []bool{true, false} {
			if changed, err := r.primary.RemoveLUNDisk(ctx, loose[0].ID); err != nil || changed != want {
				t.Fatal(changed, err)
			}
		}
	})
}
