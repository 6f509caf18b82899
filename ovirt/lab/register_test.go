package lab

import (
	"strings"
	"testing"
)

func vnicAction(from, to string) string {
	return `<action><cluster><name>Recovery</name></cluster><registration_configuration><vnic_profile_mappings><registration_vnic_profile_mapping>` +
		from + to + `</registration_vnic_profile_mapping></vnic_profile_mappings></registration_configuration></action>`
}

func TestVNICProfileResolution(t *testing.T) {
	t.Parallel()
	const fromLan = `<from><name>lan</name><network><name>lan</name></network></from>`
	const empty = `<name></name><network><name></name></network>`
	lan, mgmt, off := uuidOf("secondary/profile/lan"), uuidOf("secondary/profile/ovirtmgmt"), uuidOf("secondary/profile/off")
	for _, tc := range []struct{ name, body, want string }{
		{"target id", vnicAction(fromLan, `<to id="`+mgmt+`"/>`), mgmt},
		{"target names", vnicAction(fromLan, `<to><name>ovirtmgmt</name><network><name>ovirtmgmt</name></network></to>`), mgmt},
		{"empty names: no profile, on purpose", vnicAction(fromLan, `<to>`+empty+`</to>`), ""},
		{"bad id falls back to the names of the source", vnicAction(fromLan, `<to id="`+blankID+`"/>`), lan},
		{"bad id with empty names is safe", vnicAction(fromLan, `<to id="`+blankID+`">`+empty+`</to>`), ""},
		{"id of a network that the cluster lacks", vnicAction(fromLan, `<to id="`+off+`">`+empty+`</to>`), ""},
		{"incomplete source is ignored", vnicAction(`<from><name>lan</name></from>`, `<to id="`+mgmt+`"/>`), lan},
		{"no mapping: the names of the source", `<action><cluster><name>Recovery</name></cluster></action>`, lan},
		{"deprecated form", `<action><cluster><name>Recovery</name></cluster><vnic_profile_mappings><vnic_profile_mapping><source_network_name>lan</source_network_name><source_network_profile_name>lan</source_network_profile_name><target_vnic_profile id="` + mgmt + `"/></vnic_profile_mapping></vnic_profile_mappings></action>`, mgmt},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := TwoSites(TwoSitesOptions{})
			w.Sites[1].Networks = append(w.Sites[1].Networks, Network{ID: uuidOf("secondary/network/off"), Name: "off", DataCenterID: w.Sites[1].DataCenters[0].ID, VM: true})
			w.Sites[1].VNICProfiles = append(w.Sites[1].VNICProfiles, VNICProfile{ID: off, Name: "off", NetworkID: uuidOf("secondary/network/off")})
			r := rigOf(t, w)
			r.ok(r.lab.Disaster("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.registerAll(0)
			r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", tc.body)
			n := r.get("secondary", "/vms/"+vmID(1)+"/nics").child("nic")
			if got := n.child("vnic_profile").attr("id"); got != tc.want {
				t.Errorf("profile %q, want %q", got, tc.want)
			}
			// A NIC without a profile can be repaired.
			r.want(200, "", "secondary", "PUT", "/vms/"+vmID(1)+"/nics/"+n.attr("id"), `<nic><vnic_profile id="`+lan+`"/></nic>`)
			if got := r.get("secondary", "/vms/"+vmID(1)+"/nics").child("nic", "vnic_profile").attr("id"); got != lan {
				t.Errorf("repaired profile %q", got)
			}
		})
	}
}

func TestRegisterClusterMapAndMACs(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	secondary := &w.Sites[1]
	disk := Disk{ID: uuidOf("local/disk"), Alias: "local", StorageDomainID: secondary.StorageDomains[0].ID, Size: gib, Bootable: true}
	secondary.VMs = []VM{{ID: uuidOf("vm/local"), Name: "vm2", ClusterID: secondary.Clusters[0].ID, TemplateID: blankID, Memory: gib, Disks: []Disk{disk},
		NICs: []NIC{{ID: uuidOf("local/nic"), Name: "nic1", MAC: "56:6f:01:00:00:00", ProfileID: secondary.VNICProfiles[0].ID}}}}
	r := rigOf(t, w)
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	r.registerAll(0)
	base := "/storagedomains/" + dsID + "/vms/"
	mapped := func(extra string) string {
		return `<action>` + extra + `<registration_configuration><cluster_mappings><registration_cluster_mapping><from><name>Prod</name></from><to><name>Recovery</name></to></registration_cluster_mapping></cluster_mappings></registration_configuration></action>`
	}
	r.want(409, "Problematic NICs are nic1", "secondary", "POST", base+vmID(1)+"/register", mapped(""))
	r.want(409, "VM Name already exists", "secondary", "POST", base+vmID(2)+"/register", mapped(""))
	r.want(200, "", "secondary", "POST", base+vmID(1)+"/register", mapped("<reassign_bad_macs>true</reassign_bad_macs>"))
	if mac := r.get("secondary", "/vms/"+vmID(1)+"/nics").child("nic").value("mac", "address"); mac != "56:6f:02:00:00:00" {
		t.Errorf("reassigned MAC %s", mac)
	}
	r.want(200, "", "secondary", "POST", base+vmID(3)+"/register", mapped(""))
	if r.events("secondary", "925") != 1 {
		t.Error("no event about a MAC out of range")
	}
	if c := r.get("secondary", "/vms/"+vmID(3)).child("cluster").attr("id"); c != uuidOf("secondary/cluster") {
		t.Errorf("cluster %s", c)
	}
}

func TestVMOnTwoDomains(t *testing.T) {
	t.Parallel()
	world := func() World {
		w := TwoSites(TwoSitesOptions{VMs: 2, Domains: 2})
		w.Sites[0].VMs[0].Disks = append(w.Sites[0].VMs[0].Disks, Disk{ID: uuidOf("vm/vm1/disk2"), Alias: "vm1_Disk2", StorageDomainID: uuidOf("domain/nfs_ds2"), Size: gib})
		return w
	}
	r := rigOf(t, world())
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	r.registerAll(0)
	path := "/storagedomains/" + dsID + "/vms/" + vmID(1) + "/register"
	r.want(400, "Storage Domain doesn't exist", "secondary", "POST", path, registerBody(""))
	r.want(200, "", "secondary", "POST", path, strings.Replace(registerBody(""), "<action>", "<action><allow_partial_import>true</allow_partial_import>", 1))
	if n := len(r.get("secondary", "/vms/"+vmID(1)+"/diskattachments").children); n != 1 || r.events("secondary", "1188") != 1 {
		t.Errorf("partial import: %d disks", n)
	}
	// The other way round nothing is lost, and the VM is listed on both domains until it is registered.
	r = rigOf(t, world())
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.ok(r.lab.Promote("nfs_ds2"))
	r.takeOver()
	second := uuidOf("domain/nfs_ds2")
	r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), arrayAddress+":/nfs_ds2_replica", second))
	r.want(201, "", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+second+`"/>`)
	if n := len(r.get("secondary", "/storagedomains/"+second+"/vms?unregistered=true").children); n != 2 {
		t.Errorf("%d unregistered on the second domain", n)
	}
	r.registerAll(1)
	if n := len(r.get("secondary", "/vms/"+vmID(1)+"/diskattachments").children); n != 2 {
		t.Errorf("%d disks", n)
	}
	if n := len(r.get("secondary", "/storagedomains/"+second+"/vms?unregistered=true").children); n != 1 {
		t.Errorf("%d unregistered left", n)
	}
}

func TestLostVM(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{LoseVM: "vm2"})
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	var names []string
	for _, v := range r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").children {
		names = append(names, v.value("name"))
	}
	if got := strings.Join(names, " "); got != "vm1 vm3" {
		t.Errorf("unregistered %s", got)
	}
}
