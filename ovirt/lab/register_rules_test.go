package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// recovered is a rig whose secondary has attached nfs_ds and registered its template, after a change of the world.
func recovered(t *testing.T, change func(w *World)) *rig {
	t.Helper()
	w := TwoSites(TwoSitesOptions{})
	if change != nil {
		change(&w)
	}
	return recover2(t, w)
}

func recover2(t *testing.T, w World) *rig {
	t.Helper()
	r := rigOf(t, w)
	r.ok(r.lab.Disaster("primary"))
	for _, p := range w.Replications {
		r.ok(r.lab.Promote(p.Domain))
	}
	r.takeOver()
	r.registerAll(0)
	return r
}

// register sends a register action for vmN, with members of the action before the cluster.
func (r *rig) register(n int, members string) answer {
	r.t.Helper()
	return r.call("secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(n)+"/register", "<action>"+members+"<cluster><name>Recovery</name></cluster></action>")
}

// firstDisk is vm1's disk on nfs_ds.
var firstDisk = TwoSites(TwoSitesOptions{}).Sites[0].VMs[0].Disks[0].ID

const partial, reassign, clone = "<allow_partial_import>true</allow_partial_import>", "<reassign_bad_macs>true</reassign_bad_macs>", "<clone>true</clone>"

// localVM is a VM of the secondary on its own domain.
func localVM(w *World, name, mac string) *VM {
	s := &w.Sites[1]
	s.VMs = append(s.VMs, VM{ID: uuidOf("local/" + name), Name: name, ClusterID: s.Clusters[0].ID, TemplateID: blankID, Memory: gib,
		Disks: []Disk{{ID: uuidOf("local/disk/" + name), Alias: name + "_Disk1", StorageDomainID: s.StorageDomains[0].ID, Size: gib, Bootable: true}},
		NICs:  []NIC{{ID: uuidOf("local/nic/" + name), Name: "nic1", MAC: mac, ProfileID: s.VNICProfiles[0].ID}}})
	return &s.VMs[len(s.VMs)-1]
}

// TestRegistrationRefusals: each rule with what allow_partial_import makes of it (ovirt-engine ImportVmFromConfigurationCommand,
// ImportVmCommandBase, ImportVmCommand, ImportValidator).
func TestRegistrationRefusals(t *testing.T) {
	t.Parallel()
	firstMAC := "56:6f:01:00:00:00"
	for _, tc := range []struct {
		name    string
		change  func(w *World)
		before  func(r *rig)
		members string
		status  int
		want    string
	}{
		{"nothing wrong", nil, nil, "", 200, ""},
		{"the name is taken", func(w *World) { localVM(w, "vm1", "56:6f:02:00:00:09") }, nil, "", 409, "VM Name already exists in the Data Center"},
		{"another name", func(w *World) { localVM(w, "vm1", "56:6f:02:00:00:09") }, nil, "<name>vm1-dr</name>", 200, ""},
		{"a MAC is in use", func(w *World) { localVM(w, "x", firstMAC) }, nil, "", 409, "Problematic NICs are nic1"},
		{"a MAC is in use, partial", func(w *World) { localVM(w, "x", firstMAC) }, nil, partial, 409, "Problematic NICs are nic1"},
		{"a MAC is in use and reassigned", func(w *World) { localVM(w, "x", firstMAC) }, nil, reassign, 200, ""},
		{"a MAC is in use, which the pool allows", func(w *World) {
			localVM(w, "x", firstMAC)
			w.Sites[1].MACPools[0].AllowDuplicates = true
		}, nil, "", 200, ""},
		{"no MAC is left", func(w *World) {
			w.Sites[1].MACPools[0].From, w.Sites[1].MACPools[0].To = "56:6f:02:00:00:00", "56:6f:02:00:00:00"
			localVM(w, "x", "56:6f:02:00:00:00")
		}, nil, reassign, 409, "Not enough MAC addresses left"},
		{"a MAC is left in the second range", func(w *World) {
			p := &w.Sites[1].MACPools[0]
			p.From, p.To, p.Ranges = "56:6f:02:00:00:00", "56:6f:02:00:00:00", []MACRange{{From: "56:6f:03:00:00:00", To: "56:6f:03:00:00:00"}}
			localVM(w, "x", "56:6f:02:00:00:00")
		}, nil, reassign, 200, ""},
		{"another architecture", func(w *World) { w.Sites[1].Clusters[0].Architecture = "ppc64" }, nil, "", 400, "architecture is not supported"},
		{"no BIOS type", nil, func(r *rig) { r.lab.engine("secondary").clusters[0].BIOSType = "" }, "", 409, "has not specified a bios type"},
		{"the template was never registered", nil, func(r *rig) { r.lab.engine("secondary").templates = nil }, "", 400, "The relevant Template doesn't exist"},
		{"a locked template", nil, func(r *rig) { r.lab.engine("secondary").template(rhelID).status = "locked" }, "", 409, "Template's Image is locked"},
		{"the template lies elsewhere", nil, func(r *rig) {
			e := r.lab.engine("secondary")
			e.template(rhelID).disks[0].domains = []*storageDomain{e.domains[len(e.domains)-1]}
		}, "", 400, "The selected Storage Domain does not contain the VM Template"},
		{"a disk exists", func(w *World) { localVM(w, "x", "56:6f:02:00:00:09").Disks[0].ID = firstDisk }, nil, "", 409, "The following disks already exist: x_Disk1"},
		{"a disk exists, partial: asked once more", func(w *World) { localVM(w, "x", "56:6f:02:00:00:09").Disks[0].ID = firstDisk }, nil, partial, 409, "The following disks already exist: x_Disk1"},
		{"an image is missing", nil, func(r *rig) { r.dropImage(vmID(1)) }, "", 400, "Image does not exist."},
		{"an image is missing, partial", nil, func(r *rig) { r.dropImage(vmID(1)) }, partial, 200, ""},
		{"the domain went to maintenance", nil, func(r *rig) { r.lab.engine("secondary").domain(dsID).status = "maintenance" }, "", 409, "status is Maintenance"},
		{"the disks come first", func(w *World) { localVM(w, "vm1", firstMAC) }, func(r *rig) { r.lab.engine("secondary").domain(dsID).status = "inactive" }, "", 409, "status is Inactive"},
		{"then the MACs", func(w *World) { localVM(w, "vm1", firstMAC) }, nil, "", 409, "Problematic NICs are nic1"},
		{"no SPM", nil, func(r *rig) {
			r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Site: "secondary", Subject: "host2a"}))
			r.clock.pass(2 * time.Minute)
		}, "", 409, "status is Unknown"},
		{"clone and a name for it", nil, nil, clone + "<vm><name>vm1-copy</name></vm>", 500, "<html>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := recovered(t, tc.change)
			r.lab.View() // brings the world up to now
			if tc.before != nil {
				tc.before(r)
			}
			if a := r.register(1, tc.members); a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("%d, want %d %q\n%s", a.status, tc.status, tc.want, a.body)
			}
		})
	}
}

// dropImage takes the images of a VM off nfs_ds, as a copy that is behind has them not.
func (r *rig) dropImage(vm string) {
	d := r.lab.engine("secondary").domain(dsID)
	d.export.copy.change(r.lab.now, func(c *contents) {
		var left []image
		for _, i := range c.images {
			if i.owner != vm {
				left = append(left, i)
			}
		}
		c.images = left
	})
}

// TestRegisteredAlready: a domain that is attached after its VM was registered lists it again, and its disks are in the way first.
func TestRegisteredAlready(t *testing.T) {
	t.Parallel()
	r := recovered(t, nil)
	r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", "<action><cluster><name>Recovery</name></cluster></action>")
	if a := r.register(1, ""); a.status != 409 || !strings.Contains(a.body, "create duplicates in target MAC pool") { // no row any more
		t.Errorf("%d %s", a.status, a.body)
	}
	d := r.lab.engine("secondary").domain(dsID)
	found, _ := r.lab.content(d.export)
	d.readStore(found)
	if a := r.register(1, ""); a.status != 409 || !strings.Contains(a.body, "The following disks already exist: vm1_Disk1") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestPartialImportForgetsTheRest: what was left out is in an event, and nowhere to be registered with the VM again.
func TestPartialImportForgetsTheRest(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 2, Domains: 2})
	w.Sites[0].VMs[0].Disks = append(w.Sites[0].VMs[0].Disks, Disk{ID: uuidOf("vm/vm1/disk2"), Alias: "vm1_Disk2", StorageDomainID: uuidOf("domain/nfs_ds2"), Size: gib})
	r := recover2(t, w)
	second := uuidOf("domain/nfs_ds2")
	if a := r.register(1, ""); a.status != 400 || !strings.Contains(a.body, "The Storage Domain doesn't exist") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := r.register(1, partial); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := r.partsLeftOut(); !strings.Contains(got, "imported VM vm1: 'Disks: vm1_Disk2 ' (User: admin@ovirt@internal-authz)") {
		t.Error(got)
	}
	r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), arrayAddress+":/nfs_ds2_replica", second))
	r.want(201, "", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+second+`"/>`)
	// The domain lists the VM again, which is registered; its disk is unregistered, and belongs to nobody.
	if a := r.call("secondary", "POST", "/storagedomains/"+second+"/vms/"+vmID(1)+"/register", "<action><cluster><name>Recovery</name></cluster></action>"); a.status != 409 {
		t.Errorf("%d %s", a.status, a.body)
	}
	loose := r.get("secondary", "/storagedomains/"+second+"/disks?unregistered=true")
	if find(loose.all("disk"), func(n *node) bool { return n.attr("id") == uuidOf("vm/vm1/disk2") }) == nil {
		t.Error("the disk is not unregistered")
	}
}

// TestClone: a new id and new MACs, beside which everything else stays (ovirt-engine ImportVmCommandBase.init, initImportClonedVm).
func TestClone(t *testing.T) {
	t.Parallel()
	r := recovered(t, nil)
	a := r.register(1, clone+"<name>vm1-copy</name>")
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id := a.doc.child("vm").attr("id")
	v := r.get("secondary", "/vms/"+id)
	n := r.get("secondary", "/vms/"+id+"/nics").child("nic")
	if id == vmID(1) || v.value("name") != "vm1-copy" || n.value("mac", "address") != "56:6f:02:00:00:00" || n.attr("id") == TwoSites(TwoSitesOptions{}).Sites[0].VMs[0].NICs[0].ID {
		t.Errorf("%s %s %s", id, v.value("name"), n.value("mac", "address"))
	}
	if d := r.get("secondary", "/vms/"+id+"/diskattachments").child("disk_attachment").attr("id"); d != firstDisk {
		t.Errorf("a thin clone has disk %s", d)
	}
	for _, o := range r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").all("vm") {
		if o.attr("id") == vmID(1) {
			t.Error("the row is still there")
		}
	}
	// Without template and snapshots the disks get new ids, whose images nobody made.
	r = recovered(t, func(w *World) { w.Sites[0].VMs[0].TemplateID = blankID })
	if a = r.register(1, clone); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	id = a.doc.child("vm").attr("id")
	if d := r.get("secondary", "/vms/"+id+"/diskattachments").child("disk_attachment").attr("id"); d == firstDisk {
		t.Error("a clone has the disk of the original")
	}
	r.want(200, "", "secondary", "POST", "/vms/"+id+"/start", "<action/>")
	r.clock.pass(time.Minute)
	if s := r.get("secondary", "/vms/"+id).value("status"); s != "down" || r.events("secondary", "119") != 1 {
		t.Errorf("a clone without images is %s", s)
	}
}

// TestCompatibilityLevels: a level that the data center does not know any more is raised, any other is kept, and may not start
// (ovirt-engine ImportVmCommandBase.updateVmVersion).
func TestCompatibilityLevels(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ own, want, events string }{{"4.5", "4.7", "1"}, {"4.7", "4.7", "0"}, {"4.8", "4.8", "0"}, {"", "", "0"}} {
		r := recovered(t, func(w *World) {
			w.Sites[0].VMs[0].CustomVersion = tc.own
			for i := range w.Sites[1].Hosts {
				w.Sites[1].Hosts[i].Levels = []string{"4.6", "4.7"}
			}
		})
		if a := r.register(1, ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := r.lab.engine("secondary").vm(vmID(1)).customLevel; got != tc.want || fmt.Sprint(r.events("secondary", "1198")) != tc.events {
			t.Errorf("%s became %s", tc.own, got)
		}
		if tc.own == "4.8" {
			r.want(409, "it doesn't support compatibility version '4.8'", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
		}
	}
}

// TestLeaseOfARegisteredVM: kept, moved, or lost; a lease that cannot be made takes the VM with it, behind a "complete"
// (ovirt-engine ImportVmCommandBase.handleVmLease, AddVmLeaseCommand).
func TestLeaseOfARegisteredVM(t *testing.T) {
	t.Parallel()
	second := uuidOf("domain/nfs_ds2")
	for _, tc := range []struct {
		name   string
		ha     bool
		on     string
		want   string
		events int
	}{
		{"on the same domain", true, dsID, dsID, 0},
		{"without high availability", false, dsID, "", 0},
		{"on a domain that is not there", true, second, dsID, 0},
	} {
		w := TwoSites(TwoSitesOptions{VMs: 1, Domains: 2})
		w.Sites[0].VMs[0].HA, w.Sites[0].VMs[0].LeaseDomainID = tc.ha, tc.on
		r := recover2(t, w)
		if a := r.register(1, ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if got := r.get("secondary", "/vms/"+vmID(1)).child("lease", "storage_domain").attr("id"); got != tc.want || r.events("secondary", "1218") != tc.events {
			t.Errorf("%s: %s", tc.name, got)
		}
	}
	w := TwoSites(TwoSitesOptions{VMs: 1})
	w.Sites[0].VMs[0].HA, w.Sites[0].VMs[0].LeaseDomainID = true, uuidOf("domain/nfs_ds")
	w.Sites[1].StorageDomains[0].Master = true
	r := recover2(t, w)
	for _, d := range r.lab.engine("secondary").domains { // a VM without disks on a domain that is not active
		d.status = "maintenance"
	}
	r.lab.engine("secondary").domain(dsID).vms[0].disks, r.lab.engine("secondary").domain(dsID).vms[0].templateID = nil, blankID
	if a := r.register(1, ""); a.status != 200 || r.events("secondary", "1218") != 1 {
		t.Errorf("no active domain: %d %s", a.status, a.body)
	}
	w = TwoSites(TwoSitesOptions{VMs: 1})
	w.Sites[0].VMs[0].HA, w.Sites[0].VMs[0].LeaseDomainID = true, dsID
	r = recover2(t, w)
	r.clock.onWait = func() { r.lab.engine("secondary").domain(dsID).export.writable = false }
	a := r.register(1, "")
	if a.status != 200 || !strings.Contains(a.body, "<status>complete</status>") {
		t.Fatalf("%d %s", a.status, a.body)
	}
	job := a.doc.child("job").attr("id")
	r.clock.pass(5 * time.Second)
	r.want(404, "", "secondary", "GET", "/vms/"+vmID(1), "")
	if s := r.get("secondary", "/jobs/"+job).value("status"); s != "failed" || r.events("secondary", "1153") != 1 {
		t.Errorf("the job is %s", s)
	}
	if n := len(r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").all("vm")); n != 0 {
		t.Errorf("%d rows", n)
	}
}

// TestWhatComesAlong: a registered VM has its snapshots, and is pinned to hosts only where they are there.
func TestWhatComesAlong(t *testing.T) {
	t.Parallel()
	r := recovered(t, func(w *World) {
		v := &w.Sites[0].VMs[0]
		v.Snapshots = []Snapshot{{Description: "before the update", Age: time.Hour}}
		v.PinnedTo = []string{w.Sites[0].Hosts[0].ID}
	})
	if a := r.register(1, ""); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	list := r.get("secondary", "/vms/"+vmID(1)+"/snapshots").all("snapshot")
	if len(list) != 2 || list[1].value("description") != "before the update" {
		t.Errorf("%d snapshots", len(list))
	}
	if p := r.get("secondary", "/vms/"+vmID(1)).value("placement_policy", "affinity"); p != "migratable" {
		t.Error(p)
	}
}

// TestLUNMapping: a direct LUN is refused, left out, or replaced by the mapped one, with the credentials that no OVF has
// (ovirt-engine DrMappingHelper.mapExternalLunDisks, ImportVmCommand.validateLunDisk).
func TestLUNMapping(t *testing.T) {
	t.Parallel()
	w := lunWorld()
	from, to, target := w.LUNSets[0].LUNs[0].ID, w.LUNSets[1].LUNs[0].ID, w.Targets[1]
	address, port, err := splitPortal(target.Portals[0])
	if err != nil {
		t.Fatal(err)
	}
	disk := func(kind, id, rest string) string {
		return `<disk><lun_storage><type>` + kind + `</type><logical_units><logical_unit id="` + id + `">` + rest + `</logical_unit></logical_units></lun_storage></disk>`
	}
	inner := func(s string) string { return strings.TrimSuffix(strings.TrimPrefix(s, "<disk>"), "</disk>") }
	login := fmt.Sprintf("<address>%s</address><port>%d</port><target>%s</target>", address, port, target.Name)
	chap := "<username>" + CHAPUsername + "</username><password>" + CHAPPassword + "</password>"
	mapping := func(to string) string {
		return `<registration_configuration><lun_mappings><registration_lun_mapping><from>` + inner(disk("iscsi", from, "")) + `</from><to>` + inner(to) + `</to></registration_lun_mapping></lun_mappings></registration_configuration>`
	}
	for _, tc := range []struct {
		name, members string
		status        int
		want          string
		disks         int
	}{
		{"not mapped: the LUN of the source", "", 400, "The provided LUN is not visible", 0},
		{"not mapped, partial", partial, 200, "", 1},
		{"mapped", mapping(disk("iscsi", to, login+chap)), 200, "", 2},
		{"mapped without credentials", mapping(disk("iscsi", to, login)), 400, "The provided LUN is not visible", 0},
		{"mapped without credentials, partial", partial + mapping(disk("iscsi", to, login)), 200, "", 1},
		{"mapped to a LUN that is not there", mapping(disk("iscsi", "360000", login+chap)), 400, "The provided LUN is not visible", 0},
		{"mapped without a portal: a Fibre Channel LUN", mapping(disk("iscsi", to, "")), 400, "The provided LUN is not visible", 0},
		{"mapped to what is no LUN", mapping("<disk><name>x</name></disk>"), 500, "<html>", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := recover2(t, lunWorld())
			a := r.register(1, tc.members)
			if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Fatalf("%d, want %d %q\n%s", a.status, tc.status, tc.want, a.body)
			}
			if tc.status != 200 {
				return
			}
			list := r.get("secondary", "/vms/"+vmID(1)+"/diskattachments").all("disk_attachment")
			left := strings.Contains(r.partsLeftOut(), "'Disks: vm1_raw '")
			if len(list) != tc.disks || left != (tc.disks == 1) {
				t.Errorf("%d disks, left out: %s", len(list), r.partsLeftOut())
			}
			if tc.disks == 2 {
				d := r.get("secondary", "/disks/"+uuidOf("raw"))
				if got := d.child("lun_storage", "logical_units", "logical_unit").attr("id"); got != to {
					t.Errorf("LUN %s", got)
				}
				r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
				r.clock.pass(time.Minute)
				if s := r.vmView("secondary", 1).Status; s != "up" {
					t.Error("with its LUN it is", s)
				}
			}
		})
	}
}

// TestRegisterTemplate: versions after their base, names only of bases, and a clone that is its own base (ovirt-engine
// ImportVmTemplateCommandBase.validate, ImportVmTemplateFromConfigurationCommand).
func TestRegisterTemplate(t *testing.T) {
	t.Parallel()
	version := uuidOf("template/rhel9-2")
	world := func() World {
		w := TwoSites(TwoSitesOptions{})
		p := &w.Sites[0]
		p.Templates = append(p.Templates, Template{ID: version, Name: "rhel9", ClusterID: p.Clusters[0].ID, BaseID: rhelID, Version: 2,
			Disks: []Disk{{ID: uuidOf("template/rhel9-2/disk"), Alias: "rhel9_2_Disk1", StorageDomainID: dsID, Size: gib}}})
		return w
	}
	begin := func(w World) *rig {
		r := rigOf(t, w)
		r.ok(r.lab.Disaster("primary"))
		r.ok(r.lab.Promote("nfs_ds"))
		r.takeOver()
		return r
	}
	register := func(r *rig, id, members string) answer {
		a := r.call("secondary", "POST", "/storagedomains/"+dsID+"/templates/"+id+"/register", "<action>"+members+"<cluster><name>Recovery</name></cluster></action>")
		r.clock.pass(2 * time.Second)
		return a
	}
	check := func(name string, a answer, status int, want string) {
		t.Helper()
		if a.status != status || !strings.Contains(a.body, want) {
			t.Errorf("%s: %d, want %d %q\n%s", name, a.status, status, want, a.body)
		}
	}
	r := begin(world())
	check("a version before its base", register(r, version, ""), 400, "Base Template for this Version is missing")
	check("the base", register(r, rhelID, ""), 200, "")
	check("the base again", register(r, rhelID, ""), 409, "Template or VM with the same ID already exists")
	check("its version", register(r, version, ""), 200, "")

	r = begin(world())
	a := register(r, version, clone)
	check("a version as its own base", a, 200, "")
	made := r.get("secondary", "/templates/"+a.doc.child("template").attr("id"))
	if made.attr("id") == version || made.child("version", "base_template").attr("id") != made.attr("id") {
		t.Error("the clone of a version is no base")
	}
	check("the base has the name of the clone", register(r, rhelID, ""), 409, "Template Name already exists")
	if n := len(r.get("secondary", "/storagedomains/"+dsID+"/templates?unregistered=true").all("template")); n != 1 {
		t.Errorf("%d rows", n)
	}

	r = begin(world())
	d := r.lab.engine("secondary").domain(dsID)
	d.export.copy.change(r.lab.now, func(c *contents) { c.images = nil })
	check("no image", register(r, rhelID, ""), 400, "Template's image doesn't exist")
	check("no image, partial", register(r, rhelID, partial), 200, "")
	if r.events("secondary", "1197") != 1 {
		t.Error("no event 1197")
	}
}
