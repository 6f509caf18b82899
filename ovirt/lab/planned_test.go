package lab

import (
	"testing"
	"time"
)

// TestShutdownThatIsNotAShutdown: of a VM that is not up it is a power-off, also the second one, and a guest may ignore it.
func TestShutdownThatIsNotAShutdown(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultShutdown, Subject: "vm2"}))
	for n := 1; n <= 2; n++ {
		r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/shutdown", "<action/>")
	}
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/shutdown", "<action/>")
	if r.events("primary", "73") != 2 || r.events("primary", "76") != 1 {
		t.Error("events 73 and 76")
	}
	r.clock.pass(3 * time.Second)
	if s := r.vmView("primary", 1).Status; s != "down" {
		t.Errorf("vm1 is %s after its power-off", s)
	}
	if s := r.vmView("primary", 2).Status; s != "powering_down" {
		t.Errorf("vm2 is %s", s)
	}
	r.clock.pass(time.Minute)
	if s := r.vmView("primary", 2).Status; s != "up" || r.events("primary", "147") != 1 {
		t.Errorf("vm2 is %s after it ignored its shutdown", s)
	}
}

// TestInstanceTypeWins: every update gives a VM its type's high availability, with 200.
func TestInstanceTypeWins(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	site, _ := w.Site("primary")
	site.InstanceTypes = []InstanceType{{ID: uuidOf("type"), Name: "critical", HA: true}}
	site.VMs[0].InstanceTypeID = uuidOf("type")
	r := rigOf(t, w)
	off := "<vm><high_availability><enabled>false</enabled></high_availability></vm>"
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), off)
	doc := r.get("primary", "/vms/"+vmID(1))
	if doc.value("high_availability", "enabled") != "true" || doc.child("instance_type").attr("id") != uuidOf("type") {
		t.Error("the instance type does not win")
	}
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(2), off)
	if v := r.get("primary", "/vms/"+vmID(2)).value("high_availability", "enabled"); v != "false" {
		t.Error(v)
	}
	site.VMs[0].InstanceTypeID = uuidOf("nowhere")
	if w.Check() == nil {
		t.Error("an unknown instance type passes")
	}
}

// TestOwnOVFUpdatesAreSilent: event 199 tells only of updates that a user asked for.
func TestOwnOVFUpdatesAreSilent(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), "<vm><comment>x</comment></vm>")
	r.clock.pass(2 * time.Hour)
	r.token["primary"] = "" // it has expired
	found, _ := r.lab.content(r.lab.exports[0])
	if found.store.written.IsZero() || r.events("primary", "199")+r.events("primary", "1052") != 0 {
		t.Error("the engine's own update")
	}
}

// TestCutDeactivation: an engine that restarts in the middle leaves the domain unknown, and finds it active again.
func TestCutDeactivation(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for n := 1; n <= 3; n++ {
		r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/shutdown", "<action/>")
	}
	r.clock.pass(time.Minute)
	r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
	r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "primary"}))
	r.clock.pass(46 * time.Second)
	r.token["primary"] = ""
	if s := r.status("primary"); s != "unknown" || r.events("primary", "1009") != 1 {
		t.Errorf("cut: %s", s)
	}
	r.clock.pass(15 * time.Second)
	if s := r.status("primary"); s != "active" {
		t.Errorf("later: %s", s)
	}
}

// TestOVFKeepsTheComment: the comment goes with the VM, through its OVF (ovirt-engine OvfWriter.java and OvfReader.java).
func TestOVFKeepsTheComment(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), "<vm><comment>belongs to Ann</comment></vm>")
	r.clock.pass(2 * time.Hour)
	r.lab.View() // brings the world up to now
	found, _ := r.lab.content(r.lab.exports[0])
	stored := find(found.store.vms, func(v *ovfVM) bool { return v.id == vmID(1) })
	if stored.comment != "belongs to Ann" {
		t.Errorf("the OVF store has the comment %q", stored.comment)
	}
}
