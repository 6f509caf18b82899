package lab

import (
	"net/http"
	"time"
)

// snapshot is an entry of a VM's snapshots. Those with a configuration hold the VM as it was, and its disks.
type snapshot struct {
	id, description, kind, status string
	taken                         time.Time
	memory                        bool
	configuration                 bool
}

// snapshots returns the active one, which every VM has, and those that people took; in a preview also the one that is looked at and
// what was active before (ovirt-engine TryBackToAllSnapshotsOfVmCommand).
func (v *vm) snapshots() []snapshot {
	list := []snapshot{{id: uuidOf(v.id + "/snapshot/active"), description: "Active VM", kind: "active", status: "ok", taken: v.created}}
	list = append(list, v.taken...)
	if v.preview {
		regular := snapshot{id: uuidOf(v.id + "/snapshot/regular"), description: "before the update", kind: "regular", status: "in_preview",
			taken: v.created, configuration: true}
		before := snapshot{id: uuidOf(v.id + "/snapshot/preview"), description: "Active VM before the preview", kind: "preview", status: "ok",
			taken: v.created, configuration: true}
		list = append(list, regular, before)
	}
	return list
}

// writeSnapshot writes a snapshot. One without a configuration, such as the active one, has no links and no VM; the references in a
// configuration have no hrefs (ovirt-engine BackendSnapshotsResource.addVmConfiguration).
func (c *call) writeSnapshot(x *xmlWriter, v *vm, s snapshot) {
	href := apiRoot + "/vms/" + v.id + "/snapshots/" + s.id
	x.open("snapshot", "href", href, "id", s.id)
	x.actions(href, "restore")
	x.text("description", s.description)
	if s.configuration {
		x.links(href, "cdroms", "disks", "nics")
	}
	x.time("date", s.taken)
	x.bool("persist_memorystate", s.memory)
	x.text("snapshot_status", s.status)
	x.text("snapshot_type", s.kind)
	if s.configuration {
		x.bare = true
		x.open("vm", "id", v.id)
		x.text("name", v.name)
		x.text("description", v.description)
		x.text("comment", v.comment)
		b := v.base()
		b.fromOVF = true
		c.writeVMBase(x, &b)
		c.writeVMRest(x, v)
		x.close("vm")
		x.bare = false
	}
	x.close("snapshot")
}

// writeSnapshots writes the whole collection, also inside a VM whose snapshots are followed.
func (c *call) writeSnapshots(x *xmlWriter, v *vm) {
	for _, s := range v.snapshots() {
		c.writeSnapshot(x, v, s)
	}
}

func (c *call) routeSnapshots(v *vm, s []string, get bool) *reply {
	switch {
	case !get:
		return c.notFound()
	case len(s) == 0:
		x := newXML("snapshots")
		c.writeSnapshots(x, v)
		return x.reply(http.StatusOK)
	}
	found := find(v.snapshots(), func(o snapshot) bool { return o.id == s[0] })
	switch {
	case found.id == "":
	case len(s) == 1:
		x := newDocument()
		c.writeSnapshot(x, v, found)
		return x.reply(http.StatusOK)
	case s[1] == "disks" || s[1] == "nics" || s[1] == "cdroms":
		return c.getSnapshotPart(v, found, s[1], s[2:])
	}
	return c.notFound()
}

// getSnapshotPart serves the disks or NICs in a snapshot's configuration: without hrefs, a disk with its snapshot (ovirt-engine
// BackendSnapshotDisksResource, BackendSnapshotNicsResource). A snapshot without one has none.
func (c *call) getSnapshotPart(v *vm, s snapshot, part string, rest []string) *reply {
	var ids []string
	write := map[string]func(x *xmlWriter){}
	if s.configuration && part == "disks" {
		for _, a := range v.disks {
			ids = append(ids, a.disk.id)
			write[a.disk.id] = func(x *xmlWriter) { c.writeSnapshotDisk(x, a.disk, s.id) }
		}
	}
	if s.configuration && part == "nics" {
		for _, k := range v.nics {
			ids = append(ids, k.id)
			write[k.id] = func(x *xmlWriter) { writeSnapshotNIC(x, k) }
		}
	}
	if len(rest) == 0 {
		x := newXML(part)
		x.bare = true
		for _, id := range ids {
			write[id](x)
		}
		return x.reply(http.StatusOK)
	}
	if w := write[rest[0]]; w != nil && len(rest) == 1 {
		x := newDocument()
		x.bare = true
		w(x)
		return x.reply(http.StatusOK)
	}
	return c.notFound()
}

func writeSnapshotNIC(x *xmlWriter, k *nic) {
	x.open("nic", "id", k.id)
	x.text("name", k.name)
	x.text("interface", "virtio")
	x.bool("linked", k.linked)
	x.open("mac")
	x.text("address", k.mac)
	x.close("mac")
	x.bool("plugged", k.plugged)
	if k.profileID != "" {
		x.ref("vnic_profile", "vnicprofiles", k.profileID)
	}
	x.close("nic")
}
