package lab

// postSetMaster moves the role of the master to another domain (ovirt-engine SwitchMasterStorageDomainCommand). The answer, a fresh
// action, comes before it is done; both domains and the data center are locked meanwhile.
func (c *call) postSetMaster(dc *dataCenter) *reply {
	const what = "switch master storage domain"
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	named := doc.child("storage_domain")
	id, name := named.attr("id"), named.value("name")
	if id == "" && name == "" { // a null pointer
		return html(500, "Internal Server Error")
	}
	d := e.domainRef(named)
	old := e.master(dc)
	switch {
	case d == nil && id == "":
		return c.refuse(notFoundNamed(name))
	case old == nil:
		return c.refuse(poolNotUp(what))
	case dc.busy || e.locked["DOMAIN:"+old.id] || d != nil && e.locked["DOMAIN:"+d.id]:
		return c.refuse(conflict("Cannot %s. The master role is being switched from storage domain %s to %s.", what, old.id, id))
	case olderLevel(dc.Version, "4.6"):
		return c.refuse(bad("Cannot %s. Switch master storage domain operation is not supported.", what))
	case d == old:
		return c.refuse(conflict("Cannot %s. The storage domain is already the master storage domain.", what))
	case d == nil || d.dc != dc:
		return c.refuse(conflict("Cannot %s. The selected Storage Domain is not part of the Data Center.", what))
	case d.status != "active" && d.status != "unknown":
		return c.refuse(conflict("Cannot %s. Storage domain %s must be active.", what, d.name))
	case d.isoDomain() || d.settings.backup:
		return c.refuse(bad("Cannot %s. Action is only applicable for Data domains.", what))
	case e.taskOn(old):
		return c.refuse(conflict("Cannot %s. The storage pool has running tasks.", what))
	}
	c.effect("make storage domain %s the master", d.name)
	j := c.newJob("Switching Master Storage Domain " + old.name + " to " + d.name)
	dc.busy, e.locked["DOMAIN:"+d.id], e.locked["DOMAIN:"+old.id] = true, true, true
	statuses := [2]string{old.status, d.status}
	old.status, d.status = "locked", "locked"
	end := func() {
		dc.busy, old.status, d.status = false, statuses[0], statuses[1]
		delete(e.locked, "DOMAIN:"+d.id)
		delete(e.locked, "DOMAIN:"+old.id)
	}
	e.operation(dc.work.take(l.now, l.lat.Attach), func() {
		end()
		if d.status != "active" || !d.export.online || !d.export.writable || !d.holds() {
			j.end("failed", l.now)
			e.event(eventMasterNotSwitched, "error", "Failed switching master role from storage domain "+old.name+" to "+d.name+".", refs{domain: d, dc: dc, correlation: c.correlation, user: e.userName()})
			return
		}
		old.status, d.status = "active", "active"
		e.makeMaster(old, d)
		e.refreshStatus(dc)
		j.end("finished", l.now)
		e.event(eventMasterSwitched, "normal", "Completed switching master role from storage domain "+old.name+" to "+d.name+".", refs{domain: d, dc: dc, correlation: c.correlation, user: e.userName()})
	}, end)
	return c.actionDone(j, nil)
}

// postCleanTasks clears the finished tasks of the SPM, which leaves none in the lab (ovirt-engine CleanFinishedTasksCommand).
func (c *call) postCleanTasks(dc *dataCenter) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if dc.status != "up" {
		return c.refuse(poolNotUp("clear finished tasks"))
	}
	c.effect("clear the finished tasks of data center %s", dc.Name)
	e.event(eventTasksCleaned, "normal", "Successfully cleaned-up finished tasks in Data Center: "+dc.Name+".", refs{dc: dc, correlation: c.correlation, user: e.userName()})
	return c.actionDone(c.doneJob("Clearing finished tasks of Data Center "+dc.Name), nil)
}
