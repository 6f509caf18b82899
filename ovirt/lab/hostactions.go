package lab

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// hostCalls are the actions on a host beside those of storage and fencing.
var hostCalls = map[string]func(*call, *host) *reply{
	"activate": (*call).postActivateHost, "deactivate": (*call).postDeactivateHost, "forceselectspm": (*call).postForceSelectSPM,
	"commitnetconfig": (*call).postCommitNet, "upgradecheck": (*call).postUpgradeCheck,
}

func (c *call) aboutHost(h *host) refs {
	return refs{host: h, correlation: c.correlation, user: c.engine.userName()}
}

func (c *call) doneHost(h *host, j *job) *reply {
	return c.actionDone(j, func(x *xmlWriter) { x.ref("host", "hosts", h.ID) })
}

// postActivateHost takes a host back into use. The answer comes before the host is looked at (ovirt-engine ActivateVdsCommand,
// HostValidator).
func (c *call) postActivateHost(h *host) *reply {
	e, l := c.engine, c.lab
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	switch h.status {
	case "up":
		return c.refuse(conflict("Cannot activate Host. Host in Up status."))
	case "non_responsive":
		return c.refuse(conflict("Cannot activate Host. Host is in non responsive state."))
	}
	h.seq++
	seq := h.seq
	h.status = "unassigned"
	c.effect("activate host %s", h.Name)
	e.event(eventHostActivate, "normal", "Activation of host "+h.Name+" initiated by "+e.userName()+".", c.aboutHost(h))
	j := c.newJob("Activating Host " + h.Name)
	l.after(l.lat.Refresh, func() {
		j.end("finished", l.now)
		switch {
		case h.seq != seq:
		case h.alive && !h.isolated:
			e.hostSeen(h)
		default:
			e.silence(h)
		}
	})
	return c.doneHost(h, j)
}

// canRest validates a host's way into maintenance (ovirt-engine MaintenanceNumberOfVdssCommand).
func (e *engine) canRest(h *host) *refusal {
	var on, pinned []string
	for _, v := range e.vms {
		if v.host == h {
			on = append(on, v.name)
			if len(v.pinnedTo) > 0 {
				pinned = append(pinned, v.name)
			}
		}
	}
	spm := h.cluster.dc.spm == h
	master := e.master(h.cluster.dc)
	switch {
	case !slices.Contains([]string{"maintenance", "non_responsive", "up", "error", "preparing_for_maintenance", "down", "non_operational", "install_failed"}, h.status):
		return conflict("Cannot switch Host to Maintenance mode, Host is not operational.")
	case len(pinned) > 0:
		return conflict("Cannot switch the following Hosts to Maintenance mode: %s.\nOne or more running VMs are indicated as non-migratable. The non-migratable VMs are: %s.", h.Name, strings.Join(pinned, ","))
	case h.status == "maintenance":
		return conflict("Cannot switch Host to Maintenance mode. Host is already in Maintenance mode.")
	case h.status == "non_responsive" && len(on) > 0:
		return conflict("Cannot switch Host to Maintenance mode.\nHost still has running VMs on it and is in Non Responsive state.")
	case h.status == "non_responsive" && spm:
		return conflict("Cannot switch Host to Maintenance mode.\nHost is Storage Pool Manager and is in Non Responsive state.\n- If power management is configured, engine will try to fence the host automatically.\n- Otherwise, either bring the node back up, or release the SPM resource.")
	case spm && h.status == "up" && master != nil && e.taskOn(master):
		return conflict("Cannot switch Host to Maintenance mode. Host has asynchronous running tasks,\nwait for operation to complete and retry.")
	}
	others := slices.ContainsFunc(e.hosts, func(o *host) bool { return o != h && o.cluster == h.cluster && o.status == "up" })
	if len(on) > 0 && !others {
		return conflict("The following Hosts have running VMs and cannot be switched to maintenance mode: %s.\nPlease ensure that the following Clusters have at least one Host in UP state: %s.", h.Name, h.cluster.Name)
	}
	return nil
}

// postDeactivateHost puts a host into maintenance: preparing_for_maintenance while its VMs migrate away, and as long as one does not.
func (c *call) postDeactivateHost(h *host) *reply {
	e := c.engine
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	if r := e.canRest(h); r != nil {
		return c.refuse(r)
	}
	h.seq++
	h.status = "preparing_for_maintenance"
	c.effect("put host %s into maintenance", h.Name)
	if reason := doc.value("reason"); reason != "" {
		e.event(eventHostResting, "normal", "Host "+h.Name+" was switched to Maintenance mode by "+e.userName()+" (Reason: "+reason+").", c.aboutHost(h))
	} else {
		e.event(eventHostRestingPlain, "normal", "Host "+h.Name+" was switched to Maintenance mode by "+e.userName()+".", c.aboutHost(h))
	}
	j := c.newJob("Moving Host " + h.Name + " to Maintenance")
	e.evacuate(h, c.correlation, j)
	return c.doneHost(h, j)
}

// evacuate migrates what runs on a host that prepares for maintenance, and puts it there when nothing does any more.
func (e *engine) evacuate(h *host, correlation string, j *job) {
	l, seq := e.lab, h.seq
	rest := func() {
		if h.seq != seq || h.status != "preparing_for_maintenance" || len(e.vmsOn(h)) > 0 {
			return
		}
		e.operation(l.now.Add(l.lat.Disconnect), func() {
			if h.seq != seq || h.status != "preparing_for_maintenance" || len(e.vmsOn(h)) > 0 {
				return
			}
			h.status = "maintenance"
			e.event(eventHostRests, "normal", "Host "+h.Name+" was switched to Maintenance Mode.", refs{host: h, correlation: correlation})
			j.end("finished", l.now)
			e.refreshDC(h.cluster.dc)
		}, nil)
	}
	for _, v := range slices.Clone(e.vms) {
		if v.host != h {
			continue
		}
		to, no := e.canMigrate(need{vm: v, not: []*host{h}})
		if no != nil {
			e.event(eventNowhereToMigrate, "warning", "No available host was found to migrate VM "+v.name+" to.", refs{vm: v, host: h, correlation: correlation})
			continue
		}
		e.migrate(v, to, correlation, "", func(bool) { rest() })
	}
	rest()
}

// pickSPM is the host that becomes SPM: the one of the highest priority, and none whose priority is never (ovirt-engine IrsProxy).
func pickSPM(hosts []*host) *host {
	var best *host
	for _, h := range hosts {
		if h.priority() >= 0 && (best == nil || h.priority() > best.priority()) {
			best = h
		}
	}
	return best
}

// priority is a host's SPM priority: 5 unless somebody set it, -1 means never.
func (h *host) priority() int {
	if h.spmPriority == nil {
		return 5
	}
	return *h.spmPriority
}

// postCommitNet saves the network configuration of a host (ovirt-engine CommitNetworkChangesCommand).
func (c *call) postCommitNet(h *host) *reply {
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if h.status != "up" && h.status != "maintenance" && h.status != "non_operational" {
		return c.refuse(networkError())
	}
	c.effect("commit the network configuration of host %s", h.Name)
	c.engine.event(eventNetCommitted, "normal", "Network changes were saved on host "+h.Name, c.aboutHost(h))
	return c.doneHost(h, c.doneJob("Committing Network Changes on Host "+h.Name))
}

// postUpgradeCheck looks for updates, of which there are none (ovirt-engine HostUpgradeCheckCommand).
func (c *call) postUpgradeCheck(h *host) *reply {
	e, l := c.engine, c.lab
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if h.status != "up" && h.status != "non_operational" {
		return c.refuse(conflict("Cannot check for upgrade Host. Valid Host statuses for upgrade check are Up or Non-Operational."))
	}
	c.effect("check host %s for updates", h.Name)
	e.event(eventUpdatesAsked, "normal", "Started to check for available updates on host "+h.Name+".", c.aboutHost(h))
	j := c.newJob("Checking for Available Updates on Host " + h.Name)
	e.operation(l.now.Add(l.lat.Rescan), func() {
		j.end("finished", l.now)
		e.event(eventUpdatesChecked, "normal", "Check for available updates on host "+h.Name+" was completed successfully with message 'no updates available.'.", refs{host: h, correlation: c.correlation})
	}, nil)
	return c.doneHost(h, j)
}

// putHost changes a host's name, comment, SPM priority and the switches of its power management. A host stays in its cluster and at its
// address in the lab.
func (c *call) putHost(h *host) *reply {
	e := c.engine
	doc, r := c.parse("host")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attr("id"); id != "" && id != h.ID {
		return c.refuse(immutable("id"))
	}
	next := *h
	next.Name = cmp.Or(doc.value("name"), h.Name)
	if n := doc.child("comment"); n != nil {
		next.comment = strings.TrimSpace(n.text)
	}
	if text := doc.value("spm", "priority"); text != "" {
		n, err := strconv.Atoi(text)
		switch {
		case err != nil:
			return c.refuse(invalidValue("priority", text))
		case n < -1 || n > 10:
			return c.refuse(bad("SPM priority must be between -1 and 10."))
		}
		next.spmPriority = &n
	}
	if pm := doc.child("power_management"); pm != nil {
		if r := pm.flags(map[string]*bool{"enabled": &next.PowerManagement}); r != nil {
			return c.refuse(r)
		}
	}
	cluster := doc.child("cluster")
	moved := cluster.attr("id") != "" && cluster.attr("id") != h.ClusterID || cluster.attr("id") == "" && cluster.value("name") != "" && cluster.value("name") != h.cluster.Name
	switch address := doc.value("address"); {
	case moved || address != "" && address != h.Address:
		return c.refuse(&refusal{status: http.StatusNotImplemented, reason: "Operation Failed", detail: "[The lab does not simulate this request: " + noHardware + ".]"})
	case next.Name != h.Name && find(e.hosts, func(o *host) bool { return o.Name == next.Name }) != nil:
		return c.refuse(conflict("Cannot edit Host. The Host name is already in use, please choose a unique name and try again."))
	case next.PowerManagement && !h.PowerManagement && len(h.agents) == 0:
		return c.refuse(bad("Cannot edit Host. Power Management is enabled for Host but no Agent type selected."))
	}
	*h = next
	c.effect("update host %s", h.Name)
	e.event(eventHostUpdated, "normal", "Host "+h.Name+" configuration was updated by "+e.userName()+".", c.aboutHost(h))
	return single(h, c.writeHost)
}
