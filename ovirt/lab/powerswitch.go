package lab

import (
	"slices"
	"time"
)

// Event codes of what power management does (ovirt-engine AuditLogType).
const (
	eventHostStarted   = 20 // USER_VDS_START
	eventHostStopped   = 21 // USER_VDS_STOP
	eventHostRestarted = 41 // USER_VDS_RESTART
)

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
		e.event(code, "normal", "Host "+h.Name+" was "+what+" by "+e.userName()+".", c.aboutHost(h))
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
