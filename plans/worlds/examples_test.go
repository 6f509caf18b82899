package worlds

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// A world of 5,000 VMs is loaded in less than a second; the bound has room for the race detector and for whatever else a machine does.
func TestFleet(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int{"fleet-1000.lua": 1000, "fleet-5000.lua": 5000} {
		begin := time.Now()
		world := sound(t, filepath.Join("../../examples/worlds", file))
		took := time.Since(begin)
		if took > time.Minute {
			t.Errorf("%s took %v", file, took)
		}
		if len(world.Sites[0].VMs) != want {
			t.Errorf("%s has %d VMs", file, len(world.Sites[0].VMs))
		}
	}
}

// What is left out has a meaning, and ids stay when objects are added before others.
func TestDefaults(t *testing.T) {
	t.Parallel()
	world := sound(t, "../../examples/worlds/fleet-1000.lua")
	p, s := world.Sites[0], world.Sites[1]
	vm := p.VMs[20]
	if p.URL != lab.PrimaryURL || s.Password != lab.SecondaryPassword || p.Clusters[0].BIOSType != "q35_sea_bios" || len(p.Clusters[0].NetworkIDs) != 3 ||
		len(p.VNICProfiles) != 2 || p.MACPools[0].From != "56:6f:01:00:00:00" || s.MACPools[0].From != "56:6f:02:00:00:00" || !p.StorageDomains[0].Master || p.StorageDomains[1].Master {
		t.Errorf("%+v", p)
	}
	if vm.ID != lab.ID("primary/vm/app0021") || vm.ClusterID != p.Clusters[0].ID || !vm.HA || vm.HAPriority != 50 || vm.Disks[0].Alias != "app0021_Disk1" || !vm.Disks[0].Bootable ||
		vm.NICs[0].MAC != "56:6f:01:00:00:50" || vm.FQDN != "app0021.localdomain" || vm.Memory != 2*gib {
		t.Errorf("%+v", vm)
	}
	if strings.Count(asJSON(t, p.Templates), lab.BlankID) != 1 {
		t.Error("Blank is not there once")
	}
}
