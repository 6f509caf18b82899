package lab

import (
	"slices"
	"time"
)

// Event codes of what people do with hosts (ovirt-engine AuditLogType).
const (
	eventHostActivated   = 16  // VDS_ACTIVATE
	eventHostStarted     = 20  // USER_VDS_START
	eventHostStopped     = 21  // USER_VDS_STOP
	eventHostRestarted   = 41  // USER_VDS_RESTART
	eventMaintenanceLate = 602 // USER_VDS_MAINTENANCE_MIGRATION_FAILED
	eventMaintenance     = 620 // USER_VDS_MAINTENANCE_WITHOUT_REASON
)

// guestsOf returns the VMs that the engine has on a host.
func (e *engine) guestsOf(h *host) []*vm {
	return slices.DeleteFunc(slices.Clone(e.vms), func(v *vm) bool { return v.host != h || !v.runs() })
}

// canMaintain validates a host's way to maintenance (ovirt-engine MaintenanceNumberOfVdssCommand).
func (e *engine) canMaintain(h *host) *refusal {
	const what = "Cannot switch Host to Maintenance mode."
	dc, running := h.cluster.dc, e.guestsOf(h)
	pinned := find(running, func(v *vm) bool { return len(v.pinnedTo) > 0 })
	other := slices.ContainsFunc(e.hosts, func(o *host) bool { return o != h && o.cluster == h.cluster && o.status == "up" })
	tasks := slices.ContainsFunc(e.attached(dc), func(d *storageDomain) bool { return e.hasTasks(d) != nil })
	switch {
	case !slices.Contains([]string{"maintenance", "non_responsive", "up", "error", "preparing_for_maintenance", "down", "non_operational", "install_failed"}, h.status):
		return conflict("Cannot switch Host to Maintenance mode, Host is not operational.")
	case pinned != nil:
		return conflict("Cannot switch the following Hosts to Maintenance mode: %s.\nOne or more running VMs are indicated as non-migratable. The non-migratable VMs are: %s.", h.Name, pinned.name)
	case h.status == "maintenance":
		return conflict(what + " Host is already in Maintenance mode.")
	case dc.contender == h:
		return conflict(what + " Host is contending for Storage Pool Manager,\nwait for operation to complete and retry.")
	case h.status == "non_responsive" && len(running) > 0:
		return conflict(what + "\nHost still has running VMs on it and is in Non Responsive state.")
	case h.status == "non_responsive" && dc.spm == h:
		return conflict(what + "\nHost is Storage Pool Manager and is in Non Responsive state.")
	case dc.spm == h && tasks:
		return conflict(what + " Host has asynchronous running tasks,\nwait for operation to complete and retry.")
	case len(running) > 0 && !other:
		return conflict("The following Hosts have running VMs and cannot be switched to maintenance mode: %s.\nPlease ensure that the following Clusters have at least one Host in UP state: %s.", h.Name, h.cluster.Name)
	}
	return nil
}

// postDeactivateHost sends a host to maintenance: the answer comes at once, its VMs migrate away, and where one cannot the host stays
// on its way (ovirt-engine MaintenanceVdsCommand).
func (c *call) postDeactivateHost(h *host) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if r := e.canMaintain(h); r != nil {
		return c.refuse(r)
	}
	h.status = "preparing_for_maintenance"
	h.seq++
	c.effect("send host %s to maintenance", h.Name)
	e.evacuate(h, c.correlation, e.spec.Username)
	return c.actionDone(c.doneJob("Moving Host "+h.Name+" to Maintenance"), func(x *xmlWriter) { x.ref("host", "hosts", h.ID) })
}

// evacuate lets the VMs of a host migrate, and looks again until none is left.
func (e *engine) evacuate(h *host, correlation, user string) {
	late := false
	for _, v := range e.guestsOf(h) {
		if v.status == "migrating" {
			continue
		}
		to, no := e.canMigrate(need{vm: v})
		if no != nil {
			to, no = e.canMigrate(need{vm: v, despiteVMs: true})
		}
		if no != nil {
			late = true
			continue
		}
		e.migrate(v, to, correlation, "", func(bool) {})
	}
	if late {
		e.event(eventMaintenanceLate, "warning", "Host "+h.Name+" cannot change into maintenance mode - not all Vms have been migrated successfully. "+
			"Consider manual intervention: stopping/migrating Vms running on this host. (User: "+user+")", refs{host: h, correlation: correlation, user: user})
	}
	seq := h.seq
	e.operation(e.lab.now.Add(poolRefresh), func() {
		switch {
		case h.seq != seq || h.status != "preparing_for_maintenance":
		case len(e.guestsOf(h)) > 0:
			e.evacuate(h, correlation, user)
		default:
			h.status = "maintenance"
			e.event(eventMaintenance, "normal", "Host "+h.Name+" was switched to Maintenance mode by "+user+".", refs{host: h, correlation: correlation, user: user})
			if dc := h.cluster.dc; dc.spm == h {
				dc.spm = nil
			}
			e.refreshDC(h.cluster.dc)
		}
	}, func() { h.status = "up" })
}

// postActivateHost is ovirt-engine ActivateVdsCommand: the host is asked afresh what it is.
func (c *call) postActivateHost(h *host) *reply {
	e := c.engine
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	switch h.status {
	case "up":
		return c.refuse(conflict("Cannot activate Host. Host in Up status."))
	case "non_responsive":
		return c.refuse(conflict("Cannot activate Host. Host is in non responsive state."))
	}
	h.status = "unassigned"
	h.seq++
	seq := h.seq
	e.event(eventHostActivated, "normal", "Activation of host "+h.Name+" initiated by "+e.spec.Username+".", refs{host: h, correlation: c.correlation, user: e.spec.Username})
	c.effect("activate host %s", h.Name)
	e.operation(c.lab.now.Add(c.lab.lat.Refresh), func() {
		switch {
		case h.seq != seq:
		case h.alive && !h.isolated:
			e.hostSeen(h)
		default:
			h.status = "up" // as the engine thinks, until it notices
			e.silence(h)
		}
	}, func() { h.status = "maintenance" })
	return c.actionDone(c.doneJob("Activating Host "+h.Name), func(x *xmlWriter) { x.ref("host", "hosts", h.ID) })
}

// cutPower and givePower are what a BMC does for a host.
func (e *engine) cutPower(h *host) {
	h.powered, h.alive, h.isolated, h.lost = false, false, false, true
	h.seq++
	e.killVMs(h)
}

func (e *engine) givePower(h *host, back string) {
	if h.powered {
		return
	}
	h.powered, h.status = true, "reboot"
	h.seq++
	seq, powered := h.seq, e.lab.now
	e.lab.after(e.lab.lat.HostBoot, func() {
		if h.seq != seq {
			return
		}
		h.alive, h.booted = true, powered
		if back == "maintenance" {
			h.status, h.lost = back, false
			return
		}
		e.hostSeen(h)
	})
}

// ended is the bookkeeping after a host is known to be off: its VMs have ended, and the highly available ones start elsewhere
// (ovirt-engine ClearNonResponsiveVdsVmsCommand, RestartVdsVmsOperation).
func (e *engine) ended(h *host, why, correlation string) {
	var list []*vm
	for _, v := range slices.Clone(e.vms) {
		if v.host == h {
			e.loseSight(v)
			e.down(v, true, "VM "+v.name+" is down with error. Exit message: "+why, correlation)
			list = append(list, v)
		}
	}
	e.restartAll(list)
}

// resetSPM takes the role from a host that is known to be off (ovirt-engine FenceVdsManualyCommand).
func (e *engine) resetSPM(h *host, correlation string) {
	if dc := h.cluster.dc; dc.spm == h {
		dc.spm = nil
		e.event(eventPoolReset, "normal", "Data Center "+dc.Name+" was reset. Setting status to Non Responsive (Elect new Storage Pool Manager).", refs{dc: dc, correlation: correlation})
		e.refreshDC(dc)
	}
}

// quietTime is how long after its counterpart a switch is refused (FenceQuietTimeBetweenOperationsInSec), and what that is.
const quietTime = 180 * time.Second

var counterpart = map[string]string{"start": "stop", "stop": "start", "restart": "restart"}

// mayFence refuses switches soon after the engine's start, and soon after the last one (ovirt-engine FenceValidator,
// FenceVdsBaseCommand.isQuietTimeFromLastActionPassed).
func (e *engine) mayFence(h *host, kind string) *refusal {
	now := e.lab.now
	if !e.started.IsZero() && now.Sub(e.started) < fenceAtRest {
		return conflict("Fence is disabled due to the Engine Service start up sequence.")
	}
	if last, ok := h.switched[counterpart[kind]]; ok && now.Sub(last) < quietTime {
		return conflict("Another Power Management operation is still running, please retry in %d Sec.", int((quietTime-now.Sub(last))/time.Second))
	}
	return nil
}

// switchPower does what a BMC whose account may switch is asked to do.
func (c *call) switchPower(h *host, kind string) {
	e, was := c.engine, h.status
	tell := func(code int, what string) {
		e.event(code, "normal", "Host "+h.Name+" was "+what+" by "+e.spec.Username+".", refs{host: h, correlation: c.correlation, user: e.spec.Username})
	}
	if h.switched == nil {
		h.switched = map[string]time.Time{}
	}
	h.switched[kind] = c.lab.now
	c.effect("%s host %s by its power management", kind, h.Name)
	switch kind {
	case "stop":
		e.cutPower(h)
		h.status = "down"
		tell(eventHostStopped, "stopped")
	case "start":
		e.givePower(h, was)
		tell(eventHostStarted, "started")
	case "restart":
		e.cutPower(h)
		h.status = "reboot"
		e.resetSPM(h, c.correlation)
		e.ended(h, "Host was restarted.", c.correlation)
		e.givePower(h, was)
		tell(eventHostRestarted, "restarted")
	}
}
