package lab

import (
	"fmt"
	"net/http"
	"slices"
)

// Power management. The BMC of a host, its fence agent, answers whether the host has power as long as it has some itself, whatever
// the host does. Unless the world says otherwise, the account that the engines have on the BMCs of the lab may look and not switch:
// start, stop and restart end as they do with such an account. Automatic fencing is off ("disable policy control of power management"), so an engine does
// nothing by itself about a host that it does not hear of.

// mayProxy reports whether a host can ask the BMC of another one (ovirt-engine FenceProxyLocator).
func (h *host) mayProxy() bool { return h.status == "up" || h.status == "non_operational" }

// proxyFor returns the host through which a BMC is asked: of the cluster, else of the data center, one that is up before one that
// is not.
func (e *engine) proxyFor(h *host) *host {
	var best *host
	rank := func(o *host) int {
		n := 0
		if o.cluster != h.cluster {
			n += 2
		}
		if o.status != "up" {
			n++
		}
		return n
	}
	for _, o := range e.hosts {
		if o != h && o.cluster.dc == h.cluster.dc && o.mayProxy() && (best == nil || rank(o) < rank(best)) {
			best = o
		}
	}
	return best
}

// writePowerManagement is the member of a host.
func writePowerManagement(x *xmlWriter, h *host) {
	x.open("power_management")
	x.bool("automatic_pm_enabled", true)
	x.bool("enabled", h.PowerManagement)
	x.bool("kdump_detection", true)
	if !h.PowerManagement {
		x.empty("pm_proxies")
	} else {
		x.open("pm_proxies")
		for _, kind := range []string{"cluster", "dc"} {
			x.open("pm_proxy")
			x.text("type", kind)
			x.close("pm_proxy")
		}
		x.close("pm_proxies")
	}
	x.close("power_management")
}

// postFence is ovirt-engine BackendHostResource.fence.
func (c *call) postFence(h *host) *reply {
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	switch kind := doc.value("fence_type"); kind {
	case "":
		return c.refuse(incomplete("Action", "fenceType", "fence"))
	case "status":
		return c.fenceStatus(h)
	case "start", "stop", "restart":
		return c.fenceSwitch(h, kind)
	case "manual":
		return c.fenceManual(h)
	default:
		return c.refuse(invalidValue("fenceType", kind))
	}
}

// askAgent lets a proxy ask the BMC, and returns what it says, or why nobody knows (ovirt-engine FenceAgentExecutor).
func (c *call) askAgent(h *host, action string) (status, why string) {
	e := c.engine
	agent := h.agent()
	if agent == nil {
		return "", fmt.Sprintf("Invalid fence agents defined for host '%s'.", h.Address)
	}
	proxy := e.proxyFor(h)
	if proxy == nil {
		return "", fmt.Sprintf("Failed to run fence status-check on host '%s'. No other host was available to serve as proxy for the operation.", h.Address)
	}
	tell := func(code int, severity, what, end string) {
		e.event(code, severity, fmt.Sprintf("%s power management %s on Host %s using Proxy Host %s and Fence Agent %s:%s%s.", what, action, h.Name, proxy.Name, agent.Type, agent.Address, end),
			c.aboutHost(h))
	}
	tell(eventFenceStarted, "normal", "Executing", "")
	if h.bmcSilent {
		tell(eventFenceFailed, "warning", "Execution of", " failed")
		return "", "Connection timed out. Unable to connect/login to fencing device"
	}
	if h.powered {
		return "on", ""
	}
	return "off", ""
}

// fenceStatus is a query, not a command: nothing is validated before it, not even whether power management is enabled, and one
// that failed answers 200 with the status failed, a fault and no power_management (ovirt-engine BackendHostResource.getFenceStatus,
// GetVdsFenceStatusQuery, HostFenceActionExecutor).
func (c *call) fenceStatus(h *host) *reply {
	var status, why string
	o := c.engine.operation(c.lab.now.Add(c.lab.lat.Fence), func() { status, why = c.askAgent(h, "status") }, nil)
	if !c.wait(o) {
		return nil
	}
	return c.echo(func(x *xmlWriter) {
		if why == "" {
			x.open("power_management")
			x.text("status", status)
			x.close("power_management")
			x.text("status", "complete")
		} else {
			x.open("fault")
			x.text("reason", why)
			x.close("fault")
			x.text("status", "failed")
		}
	}).reply(http.StatusOK)
}

// fenceSwitch validates as StartVdsCommand, StopVdsCommand and RestartVdsCommand do, and then fails at the BMC, unless the host is in
// the wanted state already. A host keeps its status then.
func (c *call) fenceSwitch(h *host, kind string) *reply {
	e := c.engine
	no := conflict("Cannot fence Host, Host fence is disabled.")
	switch {
	case !h.PowerManagement:
		return c.refuse(no)
	case h.agent() == nil: // two messages, of which the one with 400 wins
		return c.refuse(bad("Cannot %s Host. Power Management is enabled for Host but no Agent type selected., Cannot fence Host, Host fence is disabled.", kind))
	case e.mayFence(h, kind) != nil:
		return c.refuse(e.mayFence(h, kind))
	case e.proxyFor(h) == nil:
		return c.refuse(conflict("Cannot %s Host.\nThere is no other Host in the Data Center that can be used to test the Power Management settings.", kind))
	case kind == "stop" && h.status != "maintenance":
		return c.refuse(conflict("Cannot perform Stop operation, Host has to be in Maintenance mode in order to be stopped."))
	case kind == "start" && !slices.Contains([]string{"down", "non_responsive", "reboot", "maintenance"}, h.status):
		return c.refuse(conflict("Cannot perform Start operation, Host has to be in one of the following statuses: Down ,Non Responsive or Maintenance."))
	}
	var status string
	o := e.operation(c.lab.now.Add(c.lab.lat.Fence), func() { status, _ = c.askAgent(h, kind) }, nil)
	if !c.wait(o) {
		return nil
	}
	switched := status != "" && h.PowerSwitch
	if switched {
		c.switchPower(h, kind)
	}
	if !switched && (status != "on" || kind != "start") && (status != "off" || kind != "stop") {
		e.event(eventFenceOpFailed, "error", "Power management "+kind+" of Host "+h.Name+" failed.", c.aboutHost(h))
		return c.refuse(vdsm("Cannot %s Host. Fence operation failed.", kind))
	}
	return c.doneHost(h, c.doneJob("Executing power management "+kind+" on Host "+h.Name))
}

// fenceManual is a person's word that a host was rebooted. The engine believes it, and takes up elsewhere what ran there
// (ovirt-engine FenceVdsManualyCommand). What runs on a host that is alive all the same runs on, out of the engine's books. Where
// the host is not known to be silent, the VMs are not cleared, and the answer is 200 too (ClearNonResponsiveVdsVmsCommand).
func (c *call) fenceManual(h *host) *reply {
	e, dc := c.engine, h.cluster.dc
	switch {
	case !slices.Contains([]string{"down", "install_failed", "maintenance", "non_operational", "non_responsive", "reboot", "installing", "connecting", "kdumping"}, h.status):
		return c.refuse(conflict("Cannot manually fence Host. Valid Host statuses are \"Non operational\", \"Maintenance\" or \"Connecting\"."))
	case dc.spm == h && dc.status != "problematic" && dc.status != "maintenance" && dc.status != "not_operational":
		return c.refuse(conflict("Cannot manually fence Host. The relevant Data Center's status is %s.", statusWords(dc.status)))
	}
	c.effect("confirm host %s as rebooted", h.Name)
	e.resetSPM(h, c.correlation)
	if slices.Contains([]string{"non_responsive", "reboot", "kdumping"}, h.status) {
		e.ended(h, "Host was manually confirmed as rebooted.", c.correlation)
	}
	e.event(eventManualFence, "normal", "Manual fence for host "+h.Name+" was started.", c.aboutHost(h))
	return c.doneHost(h, c.doneJob("Manually fencing Host "+h.Name))
}
