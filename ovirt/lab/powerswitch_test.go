package lab

import (
	"strings"
	"testing"
	"time"
)

// TestPowerSwitch: with an account that may switch, restart needs no state at all and takes the VMs with it (ovirt-engine
// RestartVdsCommand, StartVdsCommand, StopVdsCommand, FenceValidator).
func TestPowerSwitch(t *testing.T) {
	t.Parallel()
	begin := func() *rig {
		return powered(t, func(h []Host) { h[0].PowerSwitch, h[1].PowerSwitch = true, true })
	}
	fence := func(r *rig, status int, want, host, kind string) {
		t.Helper()
		r.want(status, want, "primary", "POST", "/hosts/"+r.id("primary", host)+"/fence", "<action><fence_type>"+kind+"</fence_type></action>")
	}
	r := begin()
	fence(r, 200, "<status>complete</status>", host1a, "restart") // it is up, and ran the highly available vm1
	if v := r.vmView("primary", 1); v.Status != "down" || r.events("primary", "41") != 1 {
		t.Error(v.Status)
	}
	fence(r, 409, "please retry in 179 Sec.", host1a, "restart")
	status := func() string { return r.get("primary", "/hosts/"+r.id("primary", host1a)).value("status") }
	if got := r.until(3*time.Minute, func() string { return status() + " " + r.vmView("primary", 1).Host }); got != "reboot host1b, up host1b" {
		t.Error(got)
	}
	fence(r, 200, "", host1a, "restart")

	r = begin()
	fence(r, 409, "has to be in Maintenance mode", host1b, "stop")
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1a}))
	r.clock.pass(2 * time.Minute)
	fence(r, 200, "", host1a, "start")
	if got := r.until(3*time.Minute, status); got != "reboot, up" {
		t.Error(got)
	}
	if v := r.vmView("primary", 1); v.Status != "up" {
		t.Error("vm1 is", v.Status)
	}

	r = begin()
	r.want(200, "", "primary", "POST", "/hosts/"+r.id("primary", host1b)+"/deactivate", "<action/>")
	r.clock.pass(2 * time.Minute)
	fence(r, 200, "", host1b, "stop")
	if s := r.get("primary", "/hosts/"+r.id("primary", host1b)).value("status"); s != "down" || r.hostView("primary", 1).Power != "off" {
		t.Error(s)
	}
	fence(r, 409, "please retry in", host1b, "start")
	r.clock.pass(3 * time.Minute)
	fence(r, 200, "", host1b, "start")

	r = begin()
	r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "primary"}))
	r.clock.pass(2 * time.Minute)
	r.token["primary"] = ""
	fence(r, 409, "Engine Service start up sequence", host1a, "restart")
	if !strings.Contains(r.center(), "up") {
		t.Error(r.center())
	}
}
