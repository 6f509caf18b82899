package lab

import (
	"strings"
	"testing"
	"time"
)

// lunWorld is the two-site world, where vm1 has a LUN as its second disk, over iSCSI with CHAP, and one image belongs to nobody.
func lunWorld() World {
	w := TwoSites(TwoSitesOptions{})
	for _, site := range []string{"primary", "secondary"} {
		s := w.addLUNs(site, kindISCSI, "raw_"+site, 1)
		w.Targets[len(w.Targets)-1].Username, w.Targets[len(w.Targets)-1].Password = CHAPUsername, CHAPPassword
		s.LUNs[0].ID = "36001405000000000000000000000" + site[:3]
	}
	w.LUNSets[0].LUNs[0].Counter = 500
	w.Replications = append(w.Replications, Replication{Domain: "raw", Source: "raw_primary", Target: "raw_secondary", Lag: time.Second})
	p := &w.Sites[0]
	p.VMs[0].Disks = append(p.VMs[0].Disks, Disk{ID: uuidOf("raw"), Alias: "vm1_raw", LUN: w.LUNSets[0].LUNs[0].ID})
	p.FloatingDisks = []Disk{{ID: uuidOf("loose"), Alias: "loose", StorageDomainID: p.StorageDomains[0].ID, Size: gib, Shareable: true}}
	return w
}

// A world can begin with direct LUNs and with disks that no VM has.
func TestDisksOfTheWorld(t *testing.T) {
	t.Parallel()
	w := lunWorld()
	if err := w.Check(); err != nil {
		t.Fatal(err)
	}
	r := rigOf(t, w)
	d := r.get("primary", "/disks/"+uuidOf("raw"))
	unit := find(d.child("lun_storage").child("logical_units").children, func(n *node) bool { return n.name == "logical_unit" })
	if d.value("storage_type") != "lun" || unit == nil || unit.attr("id") != w.LUNSets[0].LUNs[0].ID || unit.value("target") != w.Targets[0].Name || unit.value("username") != CHAPUsername {
		t.Errorf("the LUN disk: %+v", d)
	}
	if n := len(r.get("primary", "/storageconnections").children); n != 3 {
		t.Errorf("%d connections, want NFS and one for each portal", n)
	}
	loose := r.get("primary", "/disks/"+uuidOf("loose"))
	if loose.value("shareable") != "true" || loose.value("format") == "" {
		t.Errorf("the floating disk: %+v", loose)
	}
	r.clock.pass(time.Minute)
	view := r.lab.View()
	if n := r.lab.written(r.lab.lun(w.LUNSets[0].LUNs[0].ID)); n != 560 {
		t.Errorf("the guest has counted to %d on its LUN, want 560", n)
	}
	if n := len(view.Disks); n != 6 { // three, on two copies
		t.Errorf("%d disks with counters", n)
	}
}

// Everything that is wrong is reported, not only the first thing.
func TestProblemsOfAWorld(t *testing.T) {
	t.Parallel()
	w := lunWorld()
	p := &w.Sites[0]
	p.VMs[1].Disks = append(p.VMs[1].Disks, Disk{ID: uuidOf("again"), Alias: "again", LUN: w.LUNSets[0].LUNs[0].ID})
	p.StorageDomains = append(p.StorageDomains, StorageDomain{ID: uuidOf("second"), Name: "second", DataCenterID: p.DataCenters[0].ID, Address: arrayAddress, Path: "/nfs_ds", Format: "v5", Master: true})
	p.VMs[2].Status = "dead"
	w.Faults = []Fault{{Kind: FaultStorageDown, Export: "raw_primary"}, {Probability: 2}}
	var text []string
	for _, err := range w.Problems() {
		text = append(text, err.Error())
	}
	want := []string{"disk again: the disk vm1_raw has LUN", "vm vm3: status is suspended", "storage domain second: its data center has the master nfs_ds already", "fault 2: probability"}
	if len(text) != len(want) {
		t.Fatalf("%d problems:\n%s", len(text), strings.Join(text, "\n"))
	}
	for i, fragment := range want {
		if !strings.Contains(text[i], fragment) {
			t.Errorf("%q, want %q", text[i], fragment)
		}
	}
}
