package lab

const (
	eventMasterSwitched     = 1480
	eventMasterSwitchFailed = 1481
)

// postSetMaster moves the master's role to another storage domain; both are locked meanwhile, and the answer comes before the work
// (ovirt-engine SwitchMasterStorageDomainCommand).
func (c *call) postSetMaster(dc *dataCenter) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	const what = "switch master storage domain"
	ref := doc.child("storage_domain")
	id, name := ref.attr("id"), ref.value("name")
	to := find(e.domains, func(d *storageDomain) bool { return d.id == id || id == "" && name != "" && d.name == name })
	from := e.master(dc)
	switch {
	case to == nil && id == "" && name != "":
		return c.refuse(notFoundNamed(name))
	case to == nil && id == "":
		return c.refuse(bad("Storage Domain doesn't exist."))
	case to != nil && (to.status == "locked" || e.locked["DOMAIN:"+to.id]) || from != nil && from.status == "locked":
		return c.refuse(objectLocked(what))
	case to != nil && to == from:
		return c.refuse(conflict("Cannot %s. The storage domain is already the master storage domain.", what))
	case to == nil || to.dc != dc:
		return c.refuse(conflict("Cannot %s. The selected Storage Domain is not part of the Data Center.", what))
	case to.status != "active" && to.status != "unknown":
		return c.refuse(conflict("Cannot %s. Storage domain %s must be active.", what, to.name))
	case to.isoDomain():
		return c.refuse(bad("Cannot %s. Action is only applicable for Data domains.", what))
	case from == nil || dc.status != "up":
		return c.refuse(conflict("Cannot %s. The storage pool has running tasks.", what))
	}
	c.effect("make %s the master", to.name)
	j := c.newJob("Switching master role from storage domain " + from.name + " to " + to.name)
	was := [2]string{from.status, to.status}
	back := func() { from.status, to.status = was[0], was[1] }
	from.status, to.status = "locked", "locked"
	about := refs{domain: to, correlation: c.correlation, user: e.spec.Username}
	e.operation(dc.work.take(l.now, l.lat.Activate), func() {
		if !to.export.online || !to.export.writable {
			back()
			j.end("failed", l.now)
			e.event(eventMasterSwitchFailed, "error", "Failed switching master role from storage domain "+from.name+" to "+to.name+".", about)
			return
		}
		from.status, to.status = "active", "active"
		e.makeMaster(from, to)
		j.end("finished", l.now)
		e.event(eventMasterSwitched, "normal", "Completed switching master role from storage domain "+from.name+" to "+to.name+".", about)
	}, back)
	return c.actionDone(j, func(x *xmlWriter) { x.ref("data_center", "datacenters", dc.ID) })
}

// postCleanFinishedTasks clears what the SPM remembers of tasks that ended (ovirt-engine CleanFinishedTasksCommand): the lab's SPM
// forgets them by itself.
func (c *call) postCleanFinishedTasks(dc *dataCenter) *reply {
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if dc.status != "up" {
		return c.refuse(conflict("Cannot clean finished tasks. The Data Center is not up."))
	}
	return c.actionDone(c.doneJob("Cleaning finished tasks"), func(x *xmlWriter) { x.ref("data_center", "datacenters", dc.ID) })
}
