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
	was                           *vmConfig // what the VM was; nil where that is what it is
}

// vmConfig is what a snapshot keeps of a VM apart from its disks.
type vmConfig struct {
	name, description, comment string
	memory                     int64
	nics                       []*nic
}

func (v *vm) config() *vmConfig {
	c := &vmConfig{name: v.name, description: v.description, comment: v.comment, memory: v.memory}
	for _, k := range v.nics {
		n := *k
		c.nics = append(c.nics, &n)
	}
	return c
}

// with is a VM with the configuration of a snapshot.
func (v *vm) with(c *vmConfig) *vm {
	if c == nil {
		return v
	}
	w := *v
	w.name, w.description, w.comment, w.memory, w.nics = c.name, c.description, c.comment, c.memory, c.nics
	return &w
}

// snapshots returns the active one, which every VM has, and those that people took; in a preview also the one that is looked at and
// what was active before (ovirt-engine TryBackToAllSnapshotsOfVmCommand).
func (v *vm) snapshots() []snapshot {
	list := []snapshot{{id: uuidOf(v.id + "/snapshot/active"), description: "Active VM", kind: "active", status: "ok", taken: v.created}}
	for _, s := range v.taken {
		if v.preview && s.id == v.previewOf {
			s.status = "in_preview"
		}
		list = append(list, s)
	}
	if !v.preview {
		return list
	}
	before := snapshot{id: uuidOf(v.id + "/snapshot/preview"), description: "Active VM before the preview", kind: "preview", status: "ok",
		taken: v.created, configuration: true, was: v.beforePreview}
	if v.previewOf == "" {
		list = append(list, snapshot{id: uuidOf(v.id + "/snapshot/regular"), description: "before the update", kind: "regular", status: "in_preview",
			taken: v.created, configuration: true})
	}
	return append(list, before)
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
		w := v.with(s.was)
		x.open("vm", "id", w.id)
		x.text("name", w.name)
		x.text("description", w.description)
		x.text("comment", w.comment)
		b := w.base()
		b.fromOVF = true
		c.writeVMBase(x, &b)
		c.writeVMRest(x, w)
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

func (c *call) routeSnapshots(v *vm, s []string, get, post, del bool) *reply {
	switch {
	case len(s) == 0 && post:
		return c.postSnapshot(v)
	case len(s) == 1 && del:
		return c.deleteSnapshot(v, s[0])
	case len(s) == 2 && post && s[1] == "restore":
		return c.postRestore(v, s[0])
	case len(s) < 2 && !get:
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
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
		for _, k := range v.with(s.was).nics {
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
