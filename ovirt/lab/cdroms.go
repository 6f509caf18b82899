package lab

import (
	"slices"
	"strings"
)

// Every VM has one CD drive, with the all-zero id (ovirt-engine CdRomMapper). What is in it is the name of a file of an ISO domain: from
// the next start on, or with current=true in the running VM.

// writeCD writes the drive of a VM.
func (c *call) writeCD(x *xmlWriter, v *vm, file string) {
	x.open("cdrom", "href", apiRoot+"/vms/"+v.id+"/cdroms/"+blankID, "id", blankID)
	if file != "" {
		x.empty("file", "id", file)
	}
	x.ref("vm", "vms", v.id)
	x.close("cdrom")
}

// isoWith returns the active ISO domain of the VM's data center that has a file, or nil.
func (e *engine) isoWith(v *vm, file string) *storageDomain {
	return find(e.attached(v.cluster.dc), func(d *storageDomain) bool {
		return d.isoDomain() && d.status == "active" && slices.Contains(d.files, file)
	})
}

// findsCD reports whether the engine finds a CD that a VM names: a file of the ISO domain, or a disk with an image of a CD.
func (e *engine) findsCD(v *vm, file string) bool {
	return e.isoWith(v, file) != nil || e.diskByID[file] != nil
}

// withCDs are the VMs that keep a domain in use by a CD in their drives. Of an ISO domain that is any VM of the data center that has one
// (ovirt-engine DeactivateStorageDomainCommand.getVmsWithAttachedISO).
func (e *engine) withCDs(d *storageDomain) []string {
	var names []string
	for _, v := range e.vms {
		if d.isoDomain() && v.cluster.dc == d.dc && v.status != "down" && v.currentCD != "" {
			names = append(names, v.name)
		}
	}
	return names
}

// canBootCD refuses a start for the CD that a VM is to have. Highly available VMs start without a look at it (ovirt-engine
// RunVmValidator.validateIsoPath).
func (e *engine) canBootCD(v *vm) *refusal {
	iso := find(e.attached(v.cluster.dc), func(d *storageDomain) bool { return d.isoDomain() && d.status == "active" })
	switch {
	case v.ha || v.cd == "" || v.status == "paused" || v.status == "suspended":
	case isUUID(v.cd) && e.diskByID[v.cd] == nil:
		return bad("Invalid ISO image path")
	case !isUUID(v.cd) && iso == nil:
		return conflict("Cannot run VM with attached CD without an active ISO domain.\nAlternatives:\n- Attach an ISO Domain (to enable CD operations).\n- Change the boot sequence, using the Edit VM command (Boot Sub-Tab).\n- Select a different boot device (using the 'Run Once' command).")
	}
	return nil
}

func (c *call) routeCDs(v *vm, s []string, get, post, put, del bool) *reply {
	file := v.cd
	if c.flagParam("current") {
		file = ""
		if v.running {
			file = v.currentCD
		}
	}
	switch {
	case len(s) == 0 && get:
		x := newXML("cdroms")
		c.writeCD(x, v, v.cd)
		return x.reply(200)
	case len(s) == 0 && post:
		doc, r := c.parse("cdrom")
		if r != nil {
			return c.refuse(r)
		}
		if doc.child("file").attr("id") == "" {
			return c.refuse(incomplete("Cdrom", "file.id", "add"))
		}
		if r := c.insert(v, doc.child("file").attr("id")); r != nil {
			return c.refuse(r)
		}
		return c.created("/vms/"+v.id+"/cdroms/"+blankID, func(x *xmlWriter) { c.writeCD(x, v, v.cd) })
	case len(s) != 1 || s[0] != blankID:
		return c.notFound()
	case get:
		x := newDocument()
		c.writeCD(x, v, file)
		return x.reply(200)
	case del:
		if r := c.insert(v, ""); r != nil {
			return c.refuse(r)
		}
		return c.actionDone(c.doneJob("Updating VM "+v.name+" Details"), nil)
	case !put:
		return html(405, "Method Not Allowed")
	}
	doc, r := c.parse("cdrom")
	if r != nil {
		return c.refuse(r)
	}
	if doc.child("file") == nil {
		return c.refuse(incomplete("Cdrom", "file", "update"))
	}
	file = doc.child("file").attr("id")
	if c.flagParam("current") {
		r = c.changeCD(v, file)
	} else {
		r = c.insert(v, file)
	}
	if r != nil {
		return c.refuse(r)
	}
	x := newDocument()
	c.writeCD(x, v, file)
	return x.reply(200)
}

// insert sets what is in the drive from the next start on, as an update of the VM.
func (c *call) insert(v *vm, file string) *refusal {
	e := c.engine
	switch {
	case v.busy:
		return v.held("edit VM")
	case file != "" && !e.findsCD(v, file):
		return bad("Invalid ISO image path")
	}
	v.cd = file
	e.touch(v)
	c.effect("set the CD of %s to %q", v.name, file)
	e.event(eventVMUpdated, "normal", "VM "+v.name+" configuration was updated by "+e.userName()+".", c.about(v))
	return nil
}

// changeCD puts a CD into the drive of a running VM or takes it out (ovirt-engine ChangeDiskCommand).
func (c *call) changeCD(v *vm, file string) *refusal {
	e := c.engine
	what := "Change CD VM"
	if file == "" {
		what = "Eject CD VM"
	}
	switch {
	case file == v.currentCD && file == "":
		e.event(eventCDAlreadyEjected, "normal", "CD is already ejected from VM "+v.name+", disk change action was skipped. User: "+e.userName()+".", c.about(v))
		return nil
	case file == v.currentCD:
		e.event(eventCDAlreadyChanged, "normal", "CD "+file+" is already inserted to VM "+v.name+", disk change action was skipped. User: "+e.userName()+".", c.about(v))
		return nil
	case !runs(v.status) && v.status != "paused":
		return badStatus(what, v)
	case file != "" && !strings.HasSuffix(strings.ToLower(file), ".iso") && !isUUID(file):
		return bad("Cannot %s. Invalid CD image format.", what)
	case file != "" && !e.findsCD(v, file):
		return vdsm("Failed to perform \"Change CD\" operation, CD might be still in use by the VM.\nPlease try to manually detach the CD from withing the VM.")
	}
	v.currentCD = file
	c.effect("put CD %q into %s", file, v.name)
	if file == "" {
		e.event(eventCDEjected, "normal", "CD was ejected from VM "+v.name+" by "+e.userName()+".", c.about(v))
	} else {
		e.event(eventCDInserted, "normal", "CD "+file+" was inserted to VM "+v.name+" by "+e.userName()+".", c.about(v))
	}
	return nil
}
