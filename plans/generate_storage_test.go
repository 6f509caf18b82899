package plans

import (
	"errors"
	"strings"
	"testing"

	"drrun/ovirt"
)

// TestGeneratedStorage is a site with every kind of storage: what generate makes of it, and what it says that it cannot know.
func TestGeneratedStorage(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	san, fc, gluster, ceph := testID(idDomain, 10), testID(idDomain, 11), testID(idDomain, 12), testID(idDomain, 13)
	portal := func(lun, address string) ovirt.LUN {
		return ovirt.LUN{ID: lun, Address: address, Port: 3260, Target: "iqn.2006-01.com.example:a", Username: "drrun"}
	}
	data := func(id, name, kind string) ovirt.StorageDomain {
		return ovirt.StorageDomain{ID: id, Name: name, Type: "data", StorageType: kind, Status: "active", DataCenterID: testID(idDC, 1), Format: "v5",
			Settings: ovirt.DomainSettings{WarningLowSpace: 10, CriticalSpace: 5}}
	}
	a, b, c, d := data(san, "san1", "iscsi"), data(fc, "fc1", "fcp"), data(gluster, "gluster", "glusterfs"), data(ceph, "ceph", "posixfs")
	a.VolumeGroupID, a.LUNs = "vg-a", []ovirt.LUN{portal("3600a1", "10.0.0.1"), portal("3600a1", "10.0.0.2"), portal("3600a2", "10.0.0.1")}
	b.VolumeGroupID, b.LUNs = "vg-b", []ovirt.LUN{{ID: "3600b1"}}
	c.Address, c.Path, c.VFSType = "gluster1", "/vol", "glusterfs"
	d.Address, d.Path, d.VFSType, d.MountOptions = "mon1", "6789,mon2", "ceph", "name=ovirt,secret=AQDhunter2=="
	iso, hosted, local, managed := data(testID(idDomain, 20), "isos", "nfs"), data(testID(idDomain, 21), "hosted_storage", "nfs"), data(testID(idDomain, 22), "disks", "localfs"), data(testID(idDomain, 23), "cinderlib", "managed_block_storage")
	iso.Type = "iso"
	primary.domains = append(primary.domains, a, b, c, d, iso, hosted, local, managed)
	withLUN := testVM(40, "vm40", san)
	withLUN.Disks = append(withLUN.Disks, ovirt.Disk{ID: testID(idDisk, 499), Alias: "vm40_lun", StorageType: "lun", LUN: portal("3600c1", "10.0.0.1")},
		ovirt.Disk{ID: testID(idDisk, 498), Alias: "vm40_fc", StorageType: "lun", LUN: ovirt.LUN{ID: "3600c2"}})
	primary.vms = append(primary.vms, withLUN, testVM(41, "vm41", fc), testVM(42, "vm42", gluster), testVM(43, "vm43", ceph))
	secondary.luns = map[string][]ovirt.HostLUN{secondary.hosts[0].ID: {
		{LUN: ovirt.LUN{ID: "3600b9", Size: 1 << 40}, Type: "fcp", VolumeGroupID: "vg-b"}, {LUN: ovirt.LUN{ID: "3600c9", Size: 64 << 30}, Type: "fcp"}, {LUN: ovirt.LUN{ID: "3600b1"}, Type: "fcp", VolumeGroupID: "vg-b"},
	}}
	o := testOptions()
	o.PrimarySpec.CAFile, o.SecondarySpec.CAFile = "", ""
	o.PrimaryStorage = "iscsi://" + san + ":/10.0.0.1:3260:/iqn.2006-01.com.example:a;fcp://" + fc + ";glusterfs://gluster1:/vol;posixfs://mon1:6789,mon2:6789:/ceph"
	o.SecondaryStorage = "fcp://" + fc + ";iscsi://" + san + ":/10.1.0.1:3260:/iqn.2006-01.com.example:b;glusterfs://gluster2:/vol;posixfs://mon3:6789,mon4:6789:/ceph"
	g := mustCompose(t, primary, secondary, o)
	golden(t, "storage.lua", string(g.Plan))
	golden(t, "storage.summary", renderSummary(t, g.Summary))
	inventory, err := g.Inventory.Encode()
	if strings.Contains(string(inventory)+string(g.Plan)+renderSummary(t, g.Summary), "hunter2") {
		t.Error("a password is written")
	}
	if err != nil || !strings.Contains(string(inventory), `"luns": [`) || !strings.Contains(string(inventory), `"target": "10.0.0.1:3260/iqn.2006-01.com.example:a"`) {
		t.Errorf("%v\n%s", err, inventory)
	}
	// What it wrote can be read: but for what is to be filled in it is a sound plan.
	plan, found, text := load(t, "testdata/storage.lua", Options{})
	for _, f := range found {
		if f.Code != codeTodo {
			t.Error(text)
		}
	}
	if len(found) != 2 || len(plan.Mappings.LUNs) != 2 || len(plan.GuardedTargets(Primary)) != 3 {
		t.Errorf("%d findings, %+v\n%s", len(found), plan.GuardedTargets(Primary), text)
	}
}

// TestStorageThatLooksAlike: an engine shows the places of two domains on one Ceph cluster alike.
func TestStorageThatLooksAlike(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	for i, name := range []string{"ceph1", "ceph2"} {
		primary.domains = append(primary.domains, ovirt.StorageDomain{ID: testID(idDomain, 10+i), Name: name, Type: "data", StorageType: "posixfs", Address: "mon1", Path: "6789,mon2", VFSType: "ceph", Status: "active", DataCenterID: testID(idDC, 1)})
	}
	pairs, err := pairLists("posixfs://mon1:6789,mon2:6789:/a", "posixfs://mon3:6789:/a")
	if err != nil {
		t.Fatal(err)
	}
	_, err = compose(primary, secondary, pairs, nil, testOptions())
	var findings FindingsError
	if !errors.As(err, &findings) || len(findings) != 1 || findings[0].Code != "storage-ambiguous" || !strings.Contains(findings[0].Message, "ceph1, ceph2") {
		t.Fatal(err)
	}
}
