package lab

import (
	"net/http"
	"slices"
	"strings"
)

// diskActions are in the order in which an engine of version 4.3 gave them; convert came with 4.5.
var diskActions = []string{"reduce", "copy", "export", "move", "sparsify", "refreshlun", "convert"}

func (c *call) writeDisk(x *xmlWriter, d *disk) {
	if d.lun != nil {
		writeLUNDisk(x, d)
		return
	}
	href := apiRoot + "/disks/" + d.id
	x.open("disk", "href", href, "id", d.id)
	x.actions(href, diskActions...)
	x.text("name", d.alias)
	x.text("description", d.description)
	x.links(href, "permissions", "disksnapshots", "statistics")
	writeImage(x, d, d.imageID)
	if len(d.domains) > 0 {
		c.writeDiskOwners(x, d.domains[0])
	}
	writeDiskDomains(x, d)
	x.close("disk")
}

// writeImage writes the members of a disk that tell of its image.
func writeImage(x *xmlWriter, d *disk, imageID string) {
	x.int("actual_size", d.size/4)
	x.text("alias", d.alias)
	x.text("backup", "none")
	x.text("content_type", "data")
	if d.raw {
		x.text("format", "raw")
	} else {
		x.text("format", "cow")
	}
	x.text("image_id", imageID)
	x.bool("propagate_errors", false)
	x.int("provisioned_size", d.size)
	if !d.raw {
		x.text("qcow_version", "qcow2_v3")
	}
	x.bool("shareable", d.shareable)
	x.bool("sparse", !d.thick)
	x.text("status", d.status)
	x.text("storage_type", "image")
	x.int("total_size", d.size/4)
	x.bool("wipe_after_delete", false)
}

func writeDiskDomains(x *xmlWriter, d *disk) {
	x.open("storage_domains")
	for _, s := range d.domains {
		x.ref("storage_domain", "storagedomains", s.id)
	}
	x.close("storage_domains")
}

// writeDiskOwners writes the disk profile and the quota that a disk has on a storage domain.
func (c *call) writeDiskOwners(x *xmlWriter, s *storageDomain) {
	id, known := c.profileIDs[s]
	if !known { // a list has many disks on few storage domains
		if c.profileIDs == nil {
			c.profileIDs = map[*storageDomain]string{}
		}
		id = c.engine.diskProfileOf(s).ID
		c.profileIDs[s] = id
	}
	x.ref("disk_profile", "diskprofiles", id)
	if s.dc != nil {
		x.ref("quota", "datacenters/"+s.dc.ID+"/quotas", c.engine.defaultQuotaID(s.dc))
	}
}

// writeSnapshotDisk writes a disk as a snapshot holds it.
func (c *call) writeSnapshotDisk(x *xmlWriter, d *disk, snapshotID string) {
	x.open("disk", "id", d.id)
	x.text("name", d.alias)
	x.text("description", "")
	writeImage(x, d, uuidOf(d.imageID+"/"+snapshotID))
	x.empty("snapshot", "id", snapshotID)
	writeDiskDomains(x, d)
	x.close("disk")
}

// writeOVFDisk writes one of the OVF_STORE disks of a domain: they are part of /disks.
func (c *call) writeOVFDisk(x *xmlWriter, d *storageDomain, id string) {
	href := apiRoot + "/disks/" + id
	x.open("disk", "href", href, "id", id)
	x.actions(href, diskActions...)
	x.text("name", "OVF_STORE")
	x.text("description", "OVF_STORE")
	x.links(href, "permissions", "disksnapshots", "statistics")
	x.int("actual_size", ovfDiskSize)
	x.text("alias", "OVF_STORE")
	x.text("backup", "none")
	x.text("content_type", "ovf_store")
	x.text("format", "raw")
	x.text("image_id", uuidOf(id+"/image"))
	x.bool("propagate_errors", false)
	x.int("provisioned_size", ovfDiskSize)
	x.bool("shareable", true)
	x.bool("sparse", false)
	x.text("status", "ok")
	x.text("storage_type", "image")
	x.bool("wipe_after_delete", false)
	c.writeDiskOwners(x, d)
	x.open("storage_domains")
	x.ref("storage_domain", "storagedomains", d.id)
	x.close("storage_domains")
	x.close("disk")
}

// getDisks lists the disks of the engine, or of one domain, the OVF_STORE disks first.
func (c *call) getDisks(of *storageDomain) *reply {
	e := c.engine
	var all []*disk
	stores := map[*disk]*storageDomain{}
	for _, s := range e.domains {
		if s.dc != nil && !s.isoDomain() && (of == nil || s == of) {
			for _, id := range s.ovfDisks {
				d := &disk{id: id, alias: "OVF_STORE", size: ovfDiskSize, status: "ok", domains: []*storageDomain{s}}
				all = append(all, d)
				stores[d] = s
			}
		}
	}
	for _, d := range e.disks {
		if of == nil || slices.Contains(d.domains, of) {
			all = append(all, d)
		}
	}
	return list(c, "disks", diskSearch, all, func(x *xmlWriter, d *disk) {
		if s := stores[d]; s != nil {
			c.writeOVFDisk(x, s, d.id)
			return
		}
		c.writeDisk(x, d)
	})
}

// ovfDiskSize is the size of an OVF_STORE disk in bytes.
const ovfDiskSize = 128 << 20

func (c *call) getDisk(id string) *reply {
	if d := c.engine.diskByID[id]; d != nil {
		return single(d, c.writeDisk)
	}
	for _, s := range c.engine.domains {
		if s.dc != nil && !s.isoDomain() && slices.Contains(s.ovfDisks[:], id) {
			x := newDocument()
			c.writeOVFDisk(x, s, id)
			return x.reply(http.StatusOK)
		}
	}
	return c.notFound()
}

// deleteDisk deletes a disk with its image.
func (c *call) deleteDisk(id string) *reply {
	e := c.engine
	d := e.diskByID[id]
	if d == nil {
		return c.notFound()
	}
	for _, v := range e.vms {
		for _, a := range v.disks {
			if a.disk == d && v.status != "down" {
				return c.refuse(conflict("Cannot remove Virtual Disk. At least one of the VMs is not down."))
			}
		}
	}
	if d.status == "locked" {
		return c.refuse(conflict("Cannot remove Virtual Disk: The following disks are locked: %s. Please try again in a few minutes.", d.alias))
	}
	for _, s := range d.domains {
		if s.status != "active" {
			return c.refuse(statusIllegal("remove Virtual Disk", s.status))
		}
	}
	about := refs{correlation: c.correlation, user: e.userName()}
	var names []string
	for _, v := range e.vmsOf(d) {
		names = append(names, v.name)
		e.touch(v)
	}
	for _, v := range e.vms {
		v.disks = slices.DeleteFunc(v.disks, func(a *attachment) bool { return a.disk == d })
	}
	e.removeDisk(d)
	for _, s := range d.domains {
		e.deleteImage(s, d.id)
	}
	c.effect("delete disk %s", d.alias)
	switch {
	case d.lun != nil:
		e.event(eventLUNDiskRemoved, "normal", "Disk "+d.alias+" was successfully removed (User "+e.userName()+").", about)
	case len(names) > 0:
		e.event(eventVMsDiskRemoved, "normal", "Disk "+d.alias+" associated to the VMs "+strings.Join(names, ", ")+" was successfully removed from domain "+d.domains[0].name+" (User "+e.userName()+").", about)
	default:
		e.event(eventDiskRemoved, "normal", "Disk "+d.alias+" was successfully removed from domain "+d.domains[0].name+" (User "+e.userName()+").", about)
	}
	return c.actionDone(c.doneJob("Removing Disk "+d.alias), nil)
}

// deleteImage removes an image from the storage. It is one of the things that must never happen.
func (e *engine) deleteImage(d *storageDomain, diskID string) {
	if d.export.copy == nil {
		return
	}
	if _, ok := d.export.copy.now().image(diskID); !ok {
		return
	}
	d.export.copy.change(e.lab.now, func(c *contents) {
		c.images = slices.DeleteFunc(slices.Clone(c.images), func(i image) bool { return i.disk == diskID })
	})
	e.violation(ViolationDataDestroyed, diskID, "the image of disk %s was deleted from %s", diskID, d.export)
}
