package lab

import (
	"testing"
	"time"
)

// powered is the two-site world with a BMC in each host, and the shape of its hosts changed.
func powered(t *testing.T, change func(hosts []Host)) *rig {
	t.Helper()
	w := TwoSites(TwoSitesOptions{PowerManagement: true})
	site, _ := w.Site("primary")
	if change != nil {
		change(site.Hosts)
	}
	return rigOf(t, w)
}

func (r *rig) hostView(site string, n int) HostView { return r.lab.View().Sites[site].Hosts[n] }

// fence sends a fence action for a host of the primary and returns the status that the action says, that of the power, and the
// words of the fault.
func (r *rig) fence(host, kind string) (action, power, why string) {
	r.t.Helper()
	a := r.want(200, "", "primary", "POST", "/hosts/"+r.id("primary", host)+"/fence", "<action><fence_type>"+kind+"</fence_type></action>")
	return a.doc.value("status"), a.doc.value("power_management", "status"), a.doc.value("fault", "reason")
}

const (
	host1a = "host1a"
	host1b = "host1b"
)

// TestPowerStatus: what a person reads from it depends on the BMC, the proxy and the power, and on nothing else.
func TestPowerStatus(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		hosts  func([]Host)
		fail   []Fault
		action string
		power  string
		why    string
	}{
		{"up", nil, nil, "complete", "on", ""},
		{"without power", nil, []Fault{{Kind: FaultHostDown, Subject: host1a}}, "complete", "off", ""},
		{"isolated", nil, []Fault{{Kind: FaultHostIsolated, Subject: host1a}}, "complete", "on", ""},
		{"isolated, then without power", nil, []Fault{{Kind: FaultHostIsolated, Subject: host1a}, {Kind: FaultHostDown, Subject: host1a}}, "complete", "off", ""},
		{"silent BMC", nil, []Fault{{Kind: FaultHostBMC, Subject: host1a}}, "failed", "", "Connection timed out. Unable to connect/login to fencing device"},
		{"no agent", func(h []Host) { h[0].PowerManagement, h[0].FenceAgent = false, "" }, nil, "failed", "", "Invalid fence agents defined for host 'host1a.localdomain'."},
		{"disabled, with an agent", func(h []Host) { h[0].PowerManagement = false }, nil, "complete", "on", ""},
		{"no proxy", nil, []Fault{{Kind: FaultHostDown, Subject: host1a}, {Kind: FaultHostDown, Subject: host1b}}, "failed", "",
			"Failed to run fence status-check on host 'host1a.localdomain'. No other host was available to serve as proxy for the operation."},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := powered(t, tc.hosts)
			for _, f := range tc.fail {
				r.ok(r.lab.Fail(f))
			}
			r.clock.pass(5 * time.Minute)
			action, power, why := r.fence(host1a, "status")
			if action != tc.action || power != tc.power || why != tc.why {
				t.Errorf("%s %s %q", action, power, why)
			}
		})
	}
}

// TestFenceRefusals: nothing but a question gets through, and nothing pretends to have switched.
func TestFenceRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, kind string
		hosts      func([]Host)
		fail       []Fault
		status     int
		want       string
	}{
		{"no type", "", nil, nil, 400, "Action [fenceType] required for fence"},
		{"unknown type", "kill", nil, nil, 400, "kill"},
		{"disabled", "restart", func(h []Host) { h[0].PowerManagement = false }, nil, 409, "Host fence is disabled."},
		{"no agent", "restart", func(h []Host) { h[0].FenceAgent = "" }, nil, 400, "no Agent type selected."},
		{"stop of one that is up", "stop", nil, nil, 409, "has to be in Maintenance mode"},
		{"start of one that is up", "start", nil, nil, 409, "Host has to be in one of the following statuses"},
		{"manual of one that is up", "manual", nil, nil, 409, "Valid Host statuses are"},
		{"no proxy", "restart", nil, []Fault{{Kind: FaultHostDown, Subject: host1b}}, 409, "There is no other Host in the Data Center"},
		{"a BMC that does not switch", "restart", nil, nil, 400, "Fence operation failed."},
		{"start after a power cut", "start", nil, []Fault{{Kind: FaultHostDown, Subject: host1a}}, 400, "Fence operation failed."},
		{"start of an isolated one", "start", nil, []Fault{{Kind: FaultHostIsolated, Subject: host1a}}, 200, "complete"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := powered(t, tc.hosts)
			for _, f := range tc.fail {
				r.ok(r.lab.Fail(f))
			}
			r.clock.pass(5 * time.Minute)
			body := "<action/>"
			if tc.kind != "" {
				body = "<action><fence_type>" + tc.kind + "</fence_type></action>"
			}
			r.want(tc.status, tc.want, "primary", "POST", "/hosts/"+r.id("primary", host1a)+"/fence", body)
			if len(tc.fail) == 0 && r.hostView("primary", 0).Status != "up" {
				t.Error("the host is", r.hostView("primary", 0).Status)
			}
		})
	}
	r := powered(t, nil)
	host := r.get("primary", "/hosts/"+r.id("primary", host1a))
	agents := r.get("primary", "/hosts/"+r.id("primary", host1a)+"/fenceagents").all("agent")
	if host.value("power_management", "enabled") != "true" || len(host.child("power_management", "pm_proxies").children) != 2 || len(agents) != 1 || agents[0].value("type") != "ipmilan" {
		t.Error("power management on the wire")
	}
}

// TestPowerCutOrIsolated: the engine sees the same of both. One has lost its VMs, the other's write on.
func TestPowerCutOrIsolated(t *testing.T) {
	t.Parallel()
	for kind, runs := range map[string]bool{FaultHostDown: false, FaultHostIsolated: true} {
		r := powered(t, nil)
		v := r.vmView("primary", 1)
		r.ok(r.lab.Fail(Fault{Kind: kind, Subject: v.Host}))
		before := r.counter("primary", 1)
		r.clock.pass(2 * time.Minute)
		doc := r.get("primary", "/vms/"+vmID(1))
		host := r.get("primary", "/hosts/"+r.id("primary", v.Host))
		if doc.value("status") != "unknown" || host.value("status") != "non_responsive" || r.events("primary", "12") != 1 {
			t.Errorf("%s: the engine sees vm %s, host %s", kind, doc.value("status"), host.value("status"))
		}
		if now := r.vmView("primary", 1); now.Running != runs || (r.counter("primary", 1) > before) != runs {
			t.Errorf("%s: running %t, counter %d, was %d", kind, now.Running, r.counter("primary", 1), before)
		}
		r.want(409, "VM is not running", "primary", "POST", "/vms/"+vmID(1)+"/shutdown", "<action/>")
		r.ok(r.lab.Heal("primary"))
		r.clock.pass(5 * time.Minute)
		if s := r.vmView("primary", 1); s.Status != "up" || s.Running != true || r.hostView("primary", 0).Status != "up" {
			t.Errorf("%s: after the repair vm1 is %s", kind, s.Status) // started anew as highly available, or seen again
		}
		if restarted := r.vmView("primary", 1).StartedAt != nil; restarted == runs {
			t.Errorf("%s: started anew: %t", kind, restarted)
		}
		r.violations()
	}
}

// TestIsolatedHostSplitsBrain: the copy is promoted and the VM started there while it runs on here.
func TestIsolatedHostSplitsBrain(t *testing.T) {
	t.Parallel()
	start := func(r *rig) {
		r.ok(r.lab.Promote("nfs_ds"))
		r.takeOver()
		r.registerAll(1)
		r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
		r.clock.pass(time.Minute)
	}
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostIsolated, Site: "primary", Subject: r.vmView("primary", 1).Host}))
	r.clock.pass(2 * time.Minute)
	start(r)
	found := map[string]bool{}
	for _, v := range r.lab.View().Violations {
		found[v.Kind] = true
	}
	if !found[ViolationSplitBrain] {
		t.Errorf("not seen: %v", found)
	}
}

// TestManualFence: the engine believes a person. Where the host was dead that is right; where it was isolated a VM runs twice.
func TestManualFence(t *testing.T) {
	t.Parallel()
	for kind, twice := range map[string]bool{FaultHostDown: false, FaultHostIsolated: true} {
		r := newRig(t, TwoSitesOptions{Hosts: 3})
		// vm1 runs on host1a, which is the SPM: the data center is problematic until somebody confirms.
		r.ok(r.lab.Fail(Fault{Kind: kind, Subject: host1a}))
		manual := func(want int, fragment string) {
			r.want(want, fragment, "primary", "POST", "/hosts/"+r.id("primary", host1a)+"/fence", "<action><fence_type>manual</fence_type></action>")
		}
		r.clock.pass(5 * time.Second) // connecting: taken, and nothing cleared
		manual(200, "")
		if s := r.get("primary", "/vms/"+vmID(1)).value("status"); s != "up" {
			t.Errorf("%s: cleared too early: %s", kind, s)
		}
		r.clock.pass(2 * time.Minute)
		manual(200, "")
		r.clock.pass(time.Minute)
		if v := r.vmView("primary", 1); v.Status != "up" || v.Host == host1a {
			t.Errorf("%s: vm1 is %s on %s", kind, v.Status, v.Host)
		}
		if !twice {
			r.violations()
			continue
		}
		r.violations(ViolationSplitBrain)
		if stray := r.hostView("primary", 0).Stray; len(stray) == 0 || stray[0] != "vm1" {
			t.Errorf("stray: %v", stray)
		}
		r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1a}))
		if stray := r.hostView("primary", 0).Stray; len(stray) != 0 {
			t.Errorf("without power: %v", stray)
		}
	}
}

// TestStrayIsAdopted: a host confirmed as rebooted that comes back with a VM which is not highly available.
func TestStrayIsAdopted(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostIsolated, Subject: host1b}))
	r.clock.pass(2 * time.Minute)
	r.want(200, "", "primary", "POST", "/hosts/"+r.id("primary", host1b)+"/fence", "<action><fence_type>manual</fence_type></action>")
	if v := r.vmView("primary", 2); v.Status != "down" || len(r.hostView("primary", 1).Stray) != 1 {
		t.Fatalf("vm2 is %s", v.Status)
	}
	before := r.counter("primary", 2)
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(time.Minute)
	if v := r.vmView("primary", 2); v.Status != "up" || v.Host != host1b || r.counter("primary", 2) <= before || len(r.hostView("primary", 1).Stray) != 0 {
		t.Errorf("vm2 is %s on %s", v.Status, v.Host)
	}
	r.violations()
}

// TestBlindHost: one host of the target does not see the replica.
func TestBlindHost(t *testing.T) {
	t.Parallel()
	blind := func(hosts ...int) *rig {
		w := TwoSites(TwoSitesOptions{})
		site, _ := w.Site("secondary")
		for _, n := range hosts {
			site.Hosts[n].Blind = []string{replicaExport}
		}
		r := rigOf(t, w)
		r.ok(r.lab.Disaster("primary"))
		r.ok(r.lab.Promote("nfs_ds"))
		return r
	}
	body := func(r *rig, host string) string { return importBody(r.id("secondary", host), replicaExport, dsID) }
	isAttached := func(r *rig, host string) string {
		return r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/isattached", `<action><host id="`+r.id("secondary", host)+`"/></action>`).doc.value("is_attached")
	}
	attach := func(r *rig) answer {
		return r.call("secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
	}

	r := blind(1) // not the SPM
	r.want(400, "Problem while trying to mount target", "secondary", "POST", "/storagedomains", body(r, "host2b"))
	r.want(201, "", "secondary", "POST", "/storagedomains", body(r, "host2a"))
	if a, b := isAttached(r, "host2a"), isAttached(r, "host2b"); a != "true" || b != "false" {
		t.Errorf("is attached: %s, and through the blind host %s", a, b)
	}
	if a := attach(r); a.status != 201 {
		t.Fatalf("attach: %d %s", a.status, a.body)
	}
	hosts := r.get("secondary", "/hosts").all("host")
	if hosts[0].value("status") != "up" || hosts[1].value("status") != "non_operational" || r.events("secondary", "522") != 1 || r.status("secondary") != "active" {
		t.Errorf("after attach: %s %s, domain %s", hosts[0].value("status"), hosts[1].value("status"), r.status("secondary"))
	}

	r = blind(0) // the SPM: it does the work
	r.want(201, "", "secondary", "POST", "/storagedomains", body(r, "host2b"))
	if a := attach(r); a.status != 400 {
		t.Errorf("attach through a blind SPM: %d %s", a.status, a.body)
	}

	r = blind()
	r.want(201, "", "secondary", "POST", "/storagedomains", body(r, "host2a"))
	for _, host := range []string{"host2a", "host2b"} {
		r.ok(r.lab.Fail(Fault{Kind: FaultHostBlind, Subject: host, Export: replicaExport}))
	}
	if a := attach(r); a.status != 400 {
		t.Errorf("attach where nobody sees it: %d %s", a.status, a.body)
	}
	if isAttached(r, "host2a") != "false" {
		t.Error("read by a blind host")
	}
	r.ok(r.lab.Heal("secondary"))
	if a := attach(r); a.status != 201 {
		t.Errorf("after the repair: %d %s", a.status, a.body)
	}
	if r.lab.Fail(Fault{Kind: FaultHostBlind, Subject: "host2a", Export: "nowhere"}) == nil || r.lab.Fail(Fault{Kind: FaultHostBlind, Subject: "nobody", Export: replicaExport}) == nil {
		t.Error("faults about nothing")
	}
}

// TestHostGoesBlind: while a domain is in use, one host that loses it is put out of use and comes back; with all of them it is the
// domain that goes.
func TestHostGoesBlind(t *testing.T) {
	t.Parallel()
	const source = arrayAddress + ":/nfs_ds"
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostBlind, Subject: host1a, Export: source})) // the SPM hands over
	r.clock.pass(6 * time.Minute)
	if a, b := r.hostView("primary", 0).Status, r.hostView("primary", 1).Status; a != "non_operational" || b != "up" || r.status("primary") != "active" {
		t.Errorf("%s %s %s", a, b, r.status("primary"))
	}
	if spm := r.get("primary", "/hosts/"+r.id("primary", host1b)).value("spm", "status"); spm != "spm" {
		t.Error("nobody took over as SPM")
	}
	r.ok(r.lab.Fail(Fault{Kind: FaultHostBlind, Subject: host1b, Export: source}))
	r.clock.pass(6 * time.Minute)
	if s := r.status("primary"); s != "inactive" || r.hostView("primary", 1).Status != "up" {
		t.Errorf("domain %s, host1b %s", s, r.hostView("primary", 1).Status)
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(6 * time.Minute)
	if s := r.hostView("primary", 0).Status; s != "up" {
		t.Errorf("host1a is %s", s)
	}
	w := TwoSites(TwoSitesOptions{})
	site, _ := w.Site("primary")
	site.Hosts[0].Blind = []string{"nowhere:/x"}
	if w.Check() == nil {
		t.Error("blind to nothing")
	}
}
