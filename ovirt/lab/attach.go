package lab

import (
	"net/http"
	"slices"
	"strings"
)

// routeAttached serves the storage domains of a data center.
func (c *call) routeAttached(dc *dataCenter, s []string, get, post, del bool) *reply {
	if len(s) == 0 {
		switch {
		case get:
			return list(c, "storage_domains", domainSearch, c.engine.attached(dc), func(x *xmlWriter, d *storageDomain) { c.writeDomain(x, d, true) })
		case post:
			return c.postAttach(dc)
		}
		return noMethod()
	}
	d := c.engine.domain(s[0])
	switch n := len(s); {
	case d == nil || d.dc != dc:
		return c.notFound()
	case n == 1 && get:
		x := newDocument()
		c.writeDomain(x, d, true)
		return x.reply(http.StatusOK)
	case n == 1 && del:
		return c.deleteAttached(d)
	case n == 2 && post && s[1] == "activate":
		return c.postActivate(d)
	case n == 2 && post && s[1] == "deactivate":
		return c.postDeactivate(d)
	case s[1] == "disks":
		return c.routeDomainDisks(d, s[2:], true)
	}
	return c.notFound()
}

// masterInactive is ACTION_TYPE_FAILED_MASTER_STORAGE_DOMAIN_NOT_ACTIVE.
func masterInactive(what string) *refusal {
	return conflict("Cannot %s. The Master Storage Domain is not active.", what)
}

// postAttach attaches a domain and activates it, in one long request (ovirt-engine AttachStorageDomainToPoolCommand). A domain
// whose metadata names another data center is taken away from it without a question. What the activation and the reading of the OVF
// store come to is not in the answer.
func (c *call) postAttach(dc *dataCenter) *reply {
	e, l := c.engine, c.lab
	doc, r := c.parse("storage_domain")
	if r != nil {
		return c.refuse(r)
	}
	id, name := doc.attr("id"), doc.value("name")
	if id == "" && name == "" {
		return c.refuse(incomplete("StorageDomain", "id|name", "add"))
	}
	d := e.domainRef(doc)
	master := e.master(dc)
	switch {
	case d == nil && id == "":
		return c.refuse(notFoundNamed(name))
	case d == nil:
		return c.refuse(bad("Cannot attach Storage. The Storage Domain doesn't exist."))
	case d.status == "locked" || d.status == "activating" || dc.busy || e.locked["DOMAIN:"+d.id]:
		return c.refuse(objectLocked("attach Storage"))
	case len(e.upHosts(dc)) == 0:
		return c.refuse(conflict("Cannot attach Storage. There is no active Host in the Data Center."))
	case dc.status != "uninitialized" && d.format > dc.StorageFormat:
		return c.refuse(conflict("Cannot attach Storage. The Storage Domain format %s is illegal for Data Center %s.", d.format, dc.Name))
	case d.dc != nil:
		return c.refuse(conflict("Cannot attach Storage. The relevant Storage Domain is inaccessible. Please handle Storage Domain issues and retry the operation."))
	case dc.status != "uninitialized" && (master == nil || master.status != "active"):
		return c.refuse(masterInactive("attach Storage"))
	}
	first := dc.status == "uninitialized"
	d.dc, d.status = dc, "locked"
	latency := l.lat.Attach
	if first {
		latency += l.lat.InitDC
		dc.busy, dc.status, d.master = true, "maintenance", true
		dc.spm = pickSPM(e.upHosts(dc))
	}
	back := func() {
		d.dc, d.status = nil, "unattached"
		if first {
			dc.busy, dc.status, dc.spm, d.master = false, "uninitialized", nil, false
		}
	}
	var fail *refusal
	var activation *op
	o := e.operation(dc.work.take(l.now, latency), func() {
		found, _ := l.content(d.export)
		// The hosts connect the storage first; one that can is enough. What follows is the work of the SPM.
		reached := len(e.seeing(dc, d.export)) > 0 && dc.spm != nil && dc.spm.status == "up" && !dc.electing && dc.spm.sees(d.export)
		if !d.export.online || !d.export.writable || found == nil || found.id != d.id || !reached {
			back()
			fail = vdsm("Storage domain does not exist or cannot be accessed: %s", d.id)
			e.event(eventAttachFailed, "error", "Failed to attach Storage Domain "+d.name+" to Data Center "+dc.Name+". (User: "+e.userName()+")", refs{domain: d, dc: dc, correlation: c.correlation, user: e.userName()})
			return
		}
		e.watchAttach(d)
		d.format = max(d.format, dc.StorageFormat)
		d.export.copy.change(l.now, func(next *contents) { next.pool, next.master, next.format = dc.ID, d.master, d.format })
		if e.meets(FaultOVFRead, d.id, d.name) {
			d.vms, d.templates = nil, nil
			e.event(eventOVFUnreadable, "warning", "Failed to retrieve VMs and Templates from the OVF disk of Storage Domain "+d.name+".", refs{domain: d, correlation: c.correlation})
		} else {
			d.readStore(found)
		}
		c.effect("attach storage domain %s", d.name)
		e.event(eventAttached, "normal", "Storage Domain "+d.name+" was attached to Data Center "+dc.Name+" by "+e.userName(), refs{domain: d, dc: dc, correlation: c.correlation, user: e.userName()})
		activation = e.activate(d, "maintenance", c.correlation, func(ok bool) {
			dc.busy = false
			if first && ok {
				e.event(eventDCInitialised, "normal", "Storage Domains were attached to Data Center "+dc.Name+" by "+e.userName(), refs{domain: d, dc: dc, correlation: c.correlation})
			}
		})
	}, back)
	if !c.wait(o) || activation != nil && !c.wait(activation) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.created("/datacenters/"+dc.ID+"/storagedomains/"+d.id, func(x *xmlWriter) { c.writeDomain(x, d, true) })
}

// activate lets the SPM and the hosts take a domain into use; when they cannot, it returns to the status back.
func (e *engine) activate(d *storageDomain, back, correlation string, done func(ok bool)) *op {
	dc := d.dc
	d.status = "activating"
	if d.master {
		d.status = "locked"
	}
	return e.operation(dc.work.take(e.lab.now, e.lab.lat.Activate), func() {
		ok := !e.meets(FaultActivation, d.id, d.name) && d.export.online && d.export.writable && d.holds()
		seeing := e.seeing(dc, d.export)
		ok = ok && len(seeing) > 0 && (dc.spm == nil || dc.spm.sees(d.export))
		if ok {
			d.status = "active"
			if dc.spm == nil {
				dc.spm = pickSPM(seeing)
			}
			e.event(eventActivated, "normal", "Storage Domain "+d.name+" (Data Center "+dc.Name+") was activated by "+e.userName(), refs{domain: d, correlation: correlation, user: e.userName()})
		} else {
			d.status = back
			e.event(eventActivateFailed, "error", "Failed to activate Storage Domain "+d.name+" (Data Center "+dc.Name+") by "+e.userName(), refs{domain: d, correlation: correlation, user: e.userName()})
		}
		e.refreshStatus(dc)
		e.refreshHosts(dc)
		done(ok)
	}, func() { d.status = back })
}

// postActivate is ovirt-engine ActivateStorageDomainCommand.
func (c *call) postActivate(d *storageDomain) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	master := e.master(d.dc)
	switch {
	case d.status == "locked" || d.status == "activating" || e.locked["DOMAIN:"+d.id]:
		return c.refuse(objectLocked("activate Storage"))
	case !slices.Contains([]string{"inactive", "unknown", "maintenance", "preparing_for_maintenance"}, d.status):
		return c.refuse(statusIllegal("activate Storage", d.status))
	case len(e.upHosts(d.dc)) == 0:
		return c.refuse(conflict("Cannot activate Storage. There is no active Host in the Data Center."))
	case !d.master && (master == nil || master.status != "active"):
		return c.refuse(masterInactive("activate Storage"))
	}
	worked := false
	j := c.newJob("Activating Storage Domain " + d.name)
	o := e.activate(d, d.status, c.correlation, func(ok bool) {
		worked = ok
		if ok {
			c.effect("activate storage domain %s", d.name)
			j.end("finished", c.lab.now)
		} else {
			j.end("failed", c.lab.now)
		}
	})
	if !c.wait(o) {
		return nil
	}
	if worked {
		return c.actionDone(j, func(x *xmlWriter) { x.ref("storage_domain", "storagedomains", d.id) })
	}
	return c.refuse(vdsm("Could not connect host to Data Center(Storage issue)"))
}

// postDeactivate is ovirt-engine DeactivateStorageDomainWithOvfUpdateCommand: 200 says only that it was started.
func (c *call) postDeactivate(d *storageDomain) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	force, _, r := doc.flag("force")
	if r != nil {
		return c.refuse(r)
	}
	const what = "deactivate Storage"
	switch {
	case e.locked["DOMAIN:"+d.id]:
		return c.refuse(objectLocked(what))
	case d.status != "active" && d.status != "inactive":
		return c.refuse(statusIllegal(what, d.status))
	case d.ovfBusy:
		return c.refuse(ovfBusy(what))
	}
	for _, v := range e.vms {
		if v.status == "down" || v.status == "suspended" {
			continue
		}
		for _, a := range v.disks {
			if a.active && slices.Contains(a.disk.domains, d) {
				return c.refuse(conflict("Cannot %s. VMs in a state other than \"Down\" or \"Suspended\" were detected.\n-Please ensure all VMs associated with this Storage Domain are stopped and in the Down or Suspended state first.", what))
			}
		}
		if v.leaseDomainID == d.id {
			return c.refuse(conflict("Cannot deactivate domain, the domain contains leases for the following running VMs: %s", v.name))
		}
	}
	if names := e.withCDs(d); len(names) > 0 {
		return c.refuse(conflict("Cannot %s. The Storage Domain has ISO image(s) attached to the following VM(s): %s.", what, strings.Join(names, ",")))
	}
	if r := e.hasTasks(d); r != nil {
		return c.refuse(r)
	}
	if d.master {
		others, data := 0, 0
		for _, o := range e.attached(d.dc) {
			if o != d && o.status == "active" {
				others++
				if !o.isoDomain() {
					data++
				}
			}
		}
		if others > 0 && data == 0 {
			return c.refuse(conflict("Cannot deactivate a Master Storage Domain while there are active non-data domains in the Data Center.\n-Please deactivate all the non-data domains first."))
		}
		for _, o := range e.attached(d.dc) {
			if o != d && (o.status == "locked" || o.status == "activating") {
				return c.refuse(conflict("You are trying to deactivate a Master storage domain while there are locked domains in the Data Center. Please wait for the operations on those domains to finish first."))
			}
		}
	}
	c.effect("deactivate storage domain %s", d.name)
	j := c.newJob("Deactivating Storage Domain " + d.name)
	dc, before := d.dc, d.status
	failed := func() {
		d.status = before
		j.end("failed", l.now)
		e.event(eventDeactivateFailed, "error", "Failed to deactivate Storage Domain "+d.name+" (Data Center "+dc.Name+").", refs{domain: d, correlation: c.correlation, user: e.userName()})
	}
	// An engine that was restarted meanwhile leaves the domain unknown.
	cut := func() {
		d.status = "unknown"
		e.event(eventDeactivateCut, "warning", "Failed to deactivate Storage Domain "+d.name+" as the engine was restarted during the operation, please retry. (Data Center "+dc.Name+").", refs{domain: d, correlation: c.correlation})
	}
	d.status = "locked"
	e.operation(dc.work.take(l.now, l.lat.Deactivate), func() {
		ok := d.export.online && d.export.writable
		if e.meets(FaultDeactivate, d.id, d.name) || !ok && !force {
			failed()
			return
		}
		if ok && d.changed {
			e.writeStore(d)
			e.event(eventOVFUpdated, "normal", "OVF_STORE for domain "+d.name+" was updated by "+e.userName()+".", refs{domain: d, correlation: c.correlation})
		}
		d.status = "preparing_for_maintenance"
		about := refs{domain: d, correlation: c.correlation, user: e.userName()}
		if d.master && e.electable(d) == nil {
			e.event(eventLastMaster, "normal", "Storage Domain "+d.name+" (Data Center "+dc.Name+") was deactivated.", about)
		} else {
			e.event(eventDeactivated, "normal", "Storage Domain "+d.name+" (Data Center "+dc.Name+") was deactivated and has moved to 'Preparing for maintenance' until it will no longer be accessed by any Host of the Data Center.", about)
		}
		e.operation(l.now.Add(l.lat.Disconnect), func() {
			d.status = "maintenance"
			if d.master {
				if next := e.electable(d); next != nil {
					e.makeMaster(d, next)
				} else {
					dc.spm = nil
				}
			}
			e.refreshStatus(dc)
			j.end("finished", l.now)
		}, cut)
	}, cut)
	return c.actionDone(j, func(x *xmlWriter) { x.ref("storage_domain", "storagedomains", d.id) })
}

// electable returns the domain that takes over the master's role, or nil.
func (e *engine) electable(d *storageDomain) *storageDomain {
	return find(e.attached(d.dc), func(o *storageDomain) bool {
		return o != d && !o.isoDomain() && o.status == "active" && o.export.online && o.export.writable
	})
}

func (e *engine) makeMaster(from, to *storageDomain) {
	from.master, to.master = false, true
	if from.export.online && from.export.writable && from.export.copy != nil {
		from.export.copy.change(e.lab.now, func(c *contents) { c.master = false })
	}
	to.export.copy.change(e.lab.now, func(c *contents) { c.master = true })
}

// deleteAttached detaches a domain (ovirt-engine DetachStorageDomainFromPoolCommand): its VMs, templates and disks leave the
// engine's database, and stay on the domain.
func (c *call) deleteAttached(d *storageDomain) *reply {
	e, l, dc := c.engine, c.lab, d.dc
	const what = "detach Storage"
	master := e.master(dc)
	stays := e.mayLeave(d)
	switch {
	case d.status == "locked" || d.status == "activating" || d.status == "preparing_for_maintenance" || e.locked["DOMAIN:"+d.id]:
		return c.refuse(objectLocked(what))
	case stays != nil:
		return c.refuse(stays)
	case d.status != "maintenance":
		return c.refuse(statusIllegal(what, d.status))
	case d.master && len(e.attached(dc)) > 1:
		return c.refuse(conflict("Cannot detach the master Storage Domain from the Data Center while other Storage Domains are attached."))
	case !d.master && (master == nil || master.status != "active"):
		return c.refuse(masterInactive(what))
	case len(e.upHosts(dc)) == 0:
		return c.refuse(conflict("Cannot %s. There is no active Host in the Data Center.", what))
	}
	e.locked["DOMAIN:"+d.id] = true
	d.status = "detaching"
	back := func() { d.status = "maintenance" }
	var fail *refusal
	j := c.newJob("Detaching Storage Domain " + d.name)
	o := e.operation(dc.work.take(l.now, l.lat.Detach), func() {
		delete(e.locked, "DOMAIN:"+d.id)
		if !d.export.online || !d.export.writable || d.export.copy == nil {
			back()
			fail = vdsm("Storage domain does not exist or cannot be accessed: %s", d.id)
			j.end("failed", l.now)
			return
		}
		d.export.copy.change(l.now, func(next *contents) { next.pool, next.master = "", false })
		e.dropEntities(d)
		e.event(eventDetached, "normal", "Storage Domain "+d.name+" was detached from Data Center "+dc.Name+" by "+e.userName(), refs{domain: d, correlation: c.correlation, user: e.userName()})
		d.dc, d.status, d.master = nil, "unattached", false
		e.leave(dc)
		c.effect("detach storage domain %s", d.name)
		j.end("finished", l.now)
		// Each detach starts an OVF update of what remains: the next deactivate may meet it.
		for _, o := range e.attached(dc) {
			if o.status == "active" && !o.ovfBusy && !o.isoDomain() {
				e.updateOVF(o, "", nil)
			}
		}
	}, back)
	if !c.wait(o) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.actionDone(j, nil)
}

// leave looks after a data center that a domain left.
func (e *engine) leave(dc *dataCenter) {
	if len(e.attached(dc)) == 0 {
		dc.status, dc.spm, dc.electing, dc.contender = "uninitialized", nil, false, nil
		return
	}
	e.refreshStatus(dc)
}

// onlyOn reports whether a VM has images and all of them lie on a domain. Its direct LUNs do not count.
func onlyOn(v *vm, d *storageDomain) bool {
	for _, a := range v.disks {
		for _, o := range a.disk.domains {
			if o != d {
				return false
			}
		}
	}
	return v.onImages()
}

// dropEntities takes out of the database what lies on a domain. A VM that has disks elsewhere too stays, without those of this
// domain (stored procedure Remove_Entities_From_storage_domain).
func (e *engine) dropEntities(d *storageDomain) {
	gone := map[string]bool{}
	e.templates = slices.DeleteFunc(e.templates, func(t *template) bool {
		left := len(t.disks) == 0
		for _, k := range t.disks {
			left = left || !slices.Contains(k.domains, d) || len(k.domains) > 1
		}
		if !left {
			gone[t.ID] = true
		}
		return !left
	})
	for _, v := range slices.Clone(e.vms) {
		if onlyOn(v, d) || gone[v.templateID] {
			v.seq++
			e.loseSight(v) // of one whose host is isolated; any other is down
			e.closeDisks(v)
			e.removeVM(v)
			continue
		}
		v.disks = slices.DeleteFunc(v.disks, func(a *attachment) bool { return slices.Contains(a.disk.domains, d) && len(a.disk.domains) == 1 })
	}
	for _, k := range slices.Clone(e.disks) {
		k.domains = slices.DeleteFunc(k.domains, func(o *storageDomain) bool { return o == d })
		if len(k.domains) == 0 && k.lun == nil {
			e.removeDisk(k)
		}
	}
	d.vms, d.templates = nil, nil
}
