package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// vmsOf are the VMs that have a disk.
func (e *engine) vmsOf(k *disk) []*vm {
	var list []*vm
	for _, v := range e.vms {
		if v.attachment(k.id) != nil {
			list = append(list, v)
		}
	}
	return list
}

// attachment returns what a VM has of a disk, or nil.
func (v *vm) attachment(id string) *attachment {
	return find(v.disks, func(a *attachment) bool { return a.disk.id == id })
}

// putDisk changes a disk, whether a VM has it or not (ovirt-engine UpdateDiskCommand).
func (c *call) putDisk(id string) *reply {
	e := c.engine
	k := e.diskByID[id]
	if k == nil {
		return c.notFound()
	}
	doc, r := c.parse("disk")
	if r != nil {
		return c.refuse(r)
	}
	if given := doc.attr("id"); given != "" && given != k.id {
		return c.refuse(immutable("id"))
	}
	if r := c.changeDisk(k, doc); r != nil {
		return c.refuse(r)
	}
	c.effect("update disk %s", k.alias)
	e.event(eventDiskUpdated, "normal", "Disk "+k.alias+" was updated by "+e.userName()+".", refs{correlation: c.correlation, user: e.spec.Username})
	return single(k, c.writeDisk)
}

// changeDisk does what a disk element asks for. A disk grows, it never shrinks.
func (c *call) changeDisk(k *disk, doc *node) *refusal {
	const what = "edit Virtual Disk"
	e := c.engine
	next := *k
	if r := doc.flags(map[string]*bool{"shareable": &next.shareable}); r != nil {
		return r
	}
	next.alias = cmp.Or(doc.value("alias"), doc.value("name"), k.alias)
	if n := doc.child("description"); n != nil {
		next.description = strings.TrimSpace(n.text)
	}
	if text := doc.value("provisioned_size"); text != "" && k.lun == nil {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return invalidValue("provisioned_size", text)
		}
		next.size = n
	}
	for _, v := range e.vmsOf(k) {
		if v.busy || v.status == "image_locked" {
			return isLocked(what)
		}
		if v.status != "down" && next.shareable != k.shareable {
			return conflict("Cannot %s. At least one of the VMs is not down.", what)
		}
	}
	switch {
	case k.status == "locked":
		return conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", what, k.alias)
	case next.size < k.size:
		return bad("Cannot %s. New disk size must be larger than the current disk size.", what)
	case next.shareable && !k.shareable && k.lun == nil && !k.raw:
		return conflict("Cannot %s. Disk's volume format is not supported for shareable disk.", what)
	case !next.shareable && k.shareable && len(e.vmsOf(k)) > 1:
		return conflict("Cannot %s. Disk is attached to more than one VM: it has to stay shareable.", what)
	}
	for _, d := range k.domains {
		if d.status != "active" {
			return statusIllegal(what, d.status)
		}
	}
	grown := next.size > k.size
	e.removeDisk(k)
	*k = next
	e.addDisk(k)
	if grown {
		e.event(eventDiskExtended, "normal", "Size of the disk '"+k.alias+"' was successfully updated to "+gigabytes(k.size)+" GB by "+e.userName()+".", refs{correlation: c.correlation, user: e.spec.Username})
		for _, d := range k.domains {
			d.resize(e, k)
		}
	}
	for _, v := range e.vmsOf(k) {
		e.touch(v)
	}
	return nil
}

// resize gives the image of a disk its new size.
func (d *storageDomain) resize(e *engine, k *disk) {
	d.export.copy.change(e.lab.now, func(next *contents) {
		next.images = slices.Clone(next.images)
		for i := range next.images {
			if next.images[i].disk == k.id {
				next.images[i].size = k.size
			}
		}
	})
}

// routeAttachedDisks serves the disk attachments of a VM.
func (c *call) routeAttachedDisks(v *vm, s []string, get, post, put, del bool) *reply {
	write := func(x *xmlWriter, a *attachment) { c.writeAttachment(x, "vm", "vms", v.id, v.guestName(a), a, false) }
	switch {
	case len(s) == 0 && get:
		x := newXML("disk_attachments")
		for _, a := range v.disks {
			write(x, a)
		}
		return x.reply(200)
	case len(s) == 0 && post:
		return c.postAttachment(v, write)
	case len(s) != 1:
		return c.notFound()
	}
	a := v.attachment(s[0])
	switch {
	case a == nil:
		return c.notFound()
	case get:
		return single(a, write)
	case put:
		return c.putAttachment(v, a, write)
	case del:
		return c.deleteAttachment(v, a)
	}
	return html(405, "Method Not Allowed")
}

// postAttachment attaches a disk that exists, which the engine then plugs only if asked to, or makes one (ovirt-engine
// BackendDiskAttachmentsResource, AttachDiskToVmCommand, AddDiskCommand).
func (c *call) postAttachment(v *vm, write func(*xmlWriter, *attachment)) *reply {
	e := c.engine
	doc, r := c.parse("disk_attachment")
	if r != nil {
		return c.refuse(r)
	}
	a := &attachment{}
	if r := doc.flags(map[string]*bool{"active": &a.active, "bootable": &a.bootable}); r != nil {
		return c.refuse(r)
	}
	if doc.value("interface") == "" || doc.child("bootable") == nil {
		return c.refuse(incomplete("DiskAttachment", "bootable, interface", "add"))
	}
	named := doc.child("disk")
	if named == nil {
		return c.refuse(incomplete("DiskAttachment", "disk", "add"))
	}
	about := c.about(v)
	path := "/vms/" + v.id + "/diskattachments/"
	id := named.attr("id")
	if id == "" || e.diskByID[id] == nil && named.child("format") != nil {
		s, r := e.readDisk(named, nil)
		if r == nil {
			r = e.canAddDisk(s, v)
		}
		if r == nil {
			r = e.bootsAlready(v, a, "add")
		}
		if r != nil {
			return c.refuse(r)
		}
		if doc.child("active") == nil {
			a.active = true // a new disk is plugged unless the request says otherwise
		}
		e.event(eventVMDiskAdding, "normal", "Add-Disk operation of "+s.alias+" was initiated on VM "+v.name+" by "+e.userName()+".", about)
		plugged := a.active
		k, task := c.makeDisk(s, func(k *disk) {
			a.active = plugged
			e.plugged(v, a)
			for _, d := range k.domains {
				d.own(e, k.id, v.id)
			}
			e.event(eventVMDiskAdded, "normal", "The disk "+k.alias+" was successfully added to VM "+v.name+".", about)
		})
		a.disk = k
		a.active = plugged && task == nil
		v.disks = append(v.disks, a)
		e.touch(v)
		c.effect("add disk %s to %s", k.alias, v.name)
		if task == nil {
			return c.created(path+k.id, func(x *xmlWriter) { write(x, a) })
		}
		return c.creating(path+k.id, task, func(x *xmlWriter) { write(x, a) })
	}
	a.disk = e.diskByID[id]
	if r := e.canAttach(v, a); r != nil {
		return c.refuse(r)
	}
	v.disks = append(v.disks, a)
	e.plugged(v, a)
	for _, d := range a.disk.domains {
		d.own(e, id, v.id)
	}
	e.touch(v)
	c.effect("attach disk %s to %s", a.disk.alias, v.name)
	e.event(eventDiskAttached, "normal", "Disk "+a.disk.alias+" was successfully attached to VM "+v.name+" by "+e.userName()+".", about)
	return c.created(path+id, func(x *xmlWriter) { write(x, a) })
}

// own names the VM whose disk an image is; a shareable one keeps its first.
func (d *storageDomain) own(e *engine, disk, vm string) {
	if !d.holds() || !d.export.writable {
		return
	}
	d.export.copy.change(e.lab.now, func(next *contents) {
		next.images = slices.Clone(next.images)
		for i := range next.images {
			if next.images[i].disk == disk && (vm == "" || next.images[i].owner == "") {
				next.images[i].owner = vm
			}
		}
	})
}

// plugged lets a running guest use a disk that it has got.
func (e *engine) plugged(v *vm, a *attachment) {
	if v.running && a.active {
		e.openDisk(v, a)
	}
}

// unplugged takes a disk from a running guest.
func (e *engine) unplugged(v *vm, a *attachment) {
	if !v.running || !a.active {
		return
	}
	for _, p := range e.places(a.disk) {
		if p.export.copy == nil {
			continue
		}
		k := p.export.copy.counter(p.key)
		if at := slices.Index(v.writing, k); at >= 0 {
			k.end(e.lab.now)
			v.writing = slices.Delete(v.writing, at, at+1)
		}
	}
}

// bootsAlready is ACTION_TYPE_FAILED_DISK_BOOT_IN_USE.
func (e *engine) bootsAlready(v *vm, a *attachment, what string) *refusal {
	if other := find(v.disks, func(o *attachment) bool { return o != a && o.bootable }); a.bootable && other != nil {
		return conflict("Cannot %s Virtual Disk. Disk %s in VM %s is already marked as boot.", what, other.disk.alias, v.name)
	}
	return nil
}

// canAttach is the validation of ovirt-engine AttachDiskToVmCommand.
func (e *engine) canAttach(v *vm, a *attachment) *refusal {
	const what = "attach Virtual Disk"
	k := a.disk
	switch {
	case k == nil:
		return bad("Cannot %s. The specified disk does not exist.", what)
	case k.status == "illegal":
		return bad("Cannot %s. Disk is in an illegal state. Disks in an illegal state can only be deleted.", what)
	case k.status == "locked":
		return conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", what, k.alias)
	case v.status != "up" && v.status != "paused" && v.status != "down":
		return badStatus(what, v)
	}
	if r := e.bootsAlready(v, a, "attach"); r != nil {
		return r
	}
	switch {
	case v.attachment(k.id) != nil:
		return conflict("Cannot %s. The disk is already attached to VM.", what)
	case !k.shareable && len(e.vmsOf(k)) > 0:
		return conflict("Cannot %s. The disk is not shareable and is already attached to a VM.", what)
	case k.lun == nil && k.domains[0].dc != v.cluster.dc:
		return conflict("Cannot %s. The target Data Center does not contain the Virtual Disk.", what)
	case k.lun == nil && k.domains[0].status != "active":
		return statusIllegal(what, k.domains[0].status)
	case v.preview:
		return conflict("Cannot %s. VM is previewing a Snapshot.", what)
	}
	return nil
}

// putAttachment plugs or unplugs a disk and changes how the VM has it; a disk element inside changes the disk too (ovirt-engine
// BackendDiskAttachmentResource, HotPlugDiskToVmCommand, UpdateDiskCommand).
func (c *call) putAttachment(v *vm, a *attachment, write func(*xmlWriter, *attachment)) *reply {
	e := c.engine
	doc, r := c.parse("disk_attachment")
	if r != nil {
		return c.refuse(r)
	}
	next := *a
	if r := doc.flags(map[string]*bool{"active": &next.active, "bootable": &next.bootable}); r != nil {
		return c.refuse(r)
	}
	if next.active != a.active {
		what := map[bool]string{true: "hot plug disk to VM", false: "hot unplug disk from VM"}[next.active]
		switch {
		case v.busy || v.status != "up" && v.status != "paused" && v.status != "down":
			return c.refuse(badStatus(what, v))
		case a.disk.status == "locked":
			return c.refuse(conflict("Cannot %s: The following disks are locked: %s. Please try again in a few minutes.", what, a.disk.alias))
		}
		if next.active {
			a.active = true
			e.plugged(v, a)
			e.event(eventDiskPlugged, "normal", "VM "+v.name+" disk "+a.disk.alias+" was plugged by "+e.userName()+".", c.about(v))
		} else {
			e.unplugged(v, a)
			a.active = false
			e.event(eventDiskUnplugged, "normal", "VM "+v.name+" disk "+a.disk.alias+" was unplugged by "+e.userName()+".", c.about(v))
		}
	}
	if next.bootable != a.bootable && v.status != "down" {
		return c.refuse(badStatus("edit Virtual Disk", v))
	}
	if r := e.bootsAlready(v, &attachment{disk: a.disk, bootable: next.bootable && !a.bootable}, "edit"); r != nil {
		return c.refuse(r)
	}
	if named := doc.child("disk"); named != nil {
		if r := c.changeDisk(a.disk, named); r != nil {
			return c.refuse(r)
		}
	}
	a.bootable = next.bootable
	e.touch(v)
	c.effect("update disk %s of %s", a.disk.alias, v.name)
	e.event(eventVMDiskUpdated, "normal", "VM "+v.name+" "+a.disk.alias+" disk was updated by "+e.userName()+".", c.about(v))
	return single(a, write)
}

// deleteAttachment takes a disk from a VM and leaves it floating; with detach_only=false it deletes it (ovirt-engine
// BackendDiskAttachmentResource.remove, DetachDiskFromVmCommand).
func (c *call) deleteAttachment(v *vm, a *attachment) *reply {
	const what = "detach Virtual Disk"
	e := c.engine
	if c.params.Has("detach_only") && !c.flagParam("detach_only") {
		return c.deleteDisk(a.disk.id)
	}
	switch {
	case v.status != "up" && v.status != "down":
		return c.refuse(badStatus(what, v))
	case a.disk.lun == nil && len(v.snapshots()) > 1:
		return c.refuse(conflict("Cannot %s. The disk is already configured in a snapshot. In order to detach it, remove the disk's snapshots.", what))
	}
	e.unplugged(v, a)
	e.touch(v)
	v.disks = slices.DeleteFunc(slices.Clone(v.disks), func(o *attachment) bool { return o == a })
	e.touch(v)
	for _, d := range a.disk.domains {
		if len(e.vmsOf(a.disk)) == 0 {
			d.own(e, a.disk.id, "")
		}
	}
	c.effect("detach disk %s from %s", a.disk.alias, v.name)
	e.event(eventDiskDetached, "normal", "Disk "+a.disk.alias+" was successfully detached from VM "+v.name+" by "+e.userName()+".", c.about(v))
	return c.actionDone(c.doneJob("Detaching Disk "+a.disk.alias+" from VM "+v.name), nil)
}
