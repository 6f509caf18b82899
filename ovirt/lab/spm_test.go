package lab

import (
	"strings"
	"testing"
	"time"
)

// center is what the engine of the primary says of its data center: status, SPM of each host, domain nfs_ds.
func (r *rig) center() string {
	r.t.Helper()
	var b strings.Builder
	b.WriteString(r.get("primary", "/datacenters/"+r.id("primary", "dc")).value("status"))
	for _, h := range r.get("primary", "/hosts").all("host") {
		b.WriteString(" " + h.value("spm", "status"))
	}
	return b.String() + " " + r.status("primary")
}

// until passes time in seconds and returns the different answers of look, in their order.
func (r *rig) until(d time.Duration, look func() string) string {
	r.t.Helper()
	var seen []string
	for range int(d / time.Second) {
		r.clock.pass(time.Second)
		if s := look(); len(seen) == 0 || seen[len(seen)-1] != s {
			seen = append(seen, s)
		}
	}
	return strings.Join(seen, ", ")
}

// TestSPMMoves: a host that answers gives the role up, and another one contends for it (ovirt-engine IrsProxyImpl.hostFromVds).
func TestSPMMoves(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	force := func(status int, fragment, host string) {
		r.want(status, fragment, "primary", "POST", "/hosts/"+r.id("primary", host)+"/forceselectspm", "<action/>")
	}
	if got := r.center(); got != "up spm none active" {
		t.Fatal(got)
	}
	r.want(200, "", "primary", "POST", "/vms/"+vmID(3)+"/stop", "<action/>")
	r.clock.pass(time.Minute)
	force(409, "is already SPM or contending", host1a)
	force(200, "<status>complete</status>", host1b)
	force(409, "Unknown Data Center status", host1a)
	r.want(409, "Unknown Data Center status", "primary", "POST", "/vms/"+vmID(3)+"/start", "<action/>")
	if got := r.until(15*time.Second, r.center); got != "problematic none none unknown, contend none contending unknown, up none spm active" {
		t.Error(got)
	}
	if r.events("primary", "159") != 1 || r.events("primary", "204") != 1 || r.events("primary", "986") != 1 {
		t.Error("events 159, 204 and 986")
	}
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1a}))
	force(409, "is not active", host1a)
}

// TestSilentSPM: nobody takes the role of a host that is not heard of, until a person says that it was rebooted, or it comes back.
func TestSilentSPM(t *testing.T) {
	t.Parallel()
	lose := func(kind string) *rig {
		r := newRig(t, TwoSitesOptions{})
		r.ok(r.lab.Fail(Fault{Kind: kind, Subject: host1a}))
		if got := r.until(2*time.Minute, r.center); got != "problematic spm none unknown" {
			t.Errorf("%s: %s", kind, got)
		}
		return r
	}
	r := lose(FaultHostDown)
	r.want(200, "", "primary", "POST", "/hosts/"+r.id("primary", host1a)+"/fence", "<action><fence_type>manual</fence_type></action>")
	if got := r.until(30*time.Second, r.center); got != "problematic none none unknown, contend none contending unknown, up none spm active" || r.events("primary", "993") != 1 {
		t.Error(got)
	}
	r = lose(FaultHostIsolated)
	r.ok(r.lab.Heal("primary"))
	if got := r.until(30*time.Second, r.center); got != "problematic spm none unknown, up spm none active" {
		t.Error("an SPM that was not heard of:", got)
	}
	r = lose(FaultHostDown)
	r.ok(r.lab.Heal("primary"))
	if got := r.until(3*time.Minute, r.center); got != "problematic spm none unknown, problematic none none unknown, contend contending none unknown, up spm none active" {
		t.Error("an SPM that lost its power:", got)
	}
}

// TestNotOperational: soon after the engine's start a lost SPM is not fenced (ovirt-engine VdsNotRespondingTreatmentCommand).
func TestNotOperational(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "primary"}))
	r.clock.pass(2 * time.Minute)
	r.token["primary"] = ""
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1a}))
	if got := r.until(5*time.Minute, r.center); got != "problematic spm none unknown, not_operational spm none unknown, problematic spm none unknown" {
		t.Error(got)
	}
	if r.events("primary", "979") != 1 || r.events("primary", "989") != 1 {
		t.Error("events 979 and 989")
	}
	r.want(200, "", "primary", "POST", "/hosts/"+r.id("primary", host1a)+"/fence", "<action><fence_type>manual</fence_type></action>")
	r.clock.pass(time.Minute)
	if got := r.center(); got != "up none spm active" {
		t.Error(got)
	}
}

// TestMasterIsReconstructed: the role goes to another domain when nobody reaches the master, and does not come back with it
// (ovirt-engine ReconstructMasterDomainCommand).
func TestMasterIsReconstructed(t *testing.T) {
	t.Parallel()
	masters := func(r *rig) string {
		var b strings.Builder
		for _, d := range r.get("primary", r.primaryDC()).all("storage_domain") {
			b.WriteString(d.value("name") + " " + d.value("status") + " " + d.value("master") + ";")
		}
		return b.String() + r.get("primary", "/datacenters/"+r.id("primary", "dc")).value("status")
	}
	r := newRig(t, TwoSitesOptions{Domains: 2})
	before := masters(r)
	if before != "nfs_ds active true;nfs_ds2 active false;up" {
		t.Fatal(before)
	}
	r.ok(r.lab.Fail(Fault{Kind: FaultStorageDown, Export: arrayAddress + ":/nfs_ds"}))
	r.clock.pass(6 * time.Minute)
	if got := masters(r); got != "nfs_ds inactive false;nfs_ds2 active true;up" || r.events("primary", "984") != 1 {
		t.Error(got)
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(5 * time.Minute)
	if got := masters(r); got != "nfs_ds active false;nfs_ds2 active true;up" {
		t.Error(got)
	}
	if found, _ := r.lab.content(r.lab.export(arrayAddress + ":/nfs_ds")); found.master {
		t.Error("its metadata still says master")
	}
	r = newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultStorageDown, Export: arrayAddress + ":/nfs_ds"}))
	r.clock.pass(6 * time.Minute)
	if got := masters(r); got != "nfs_ds inactive true;problematic" || r.events("primary", "983") != 1 {
		t.Error(got)
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(5 * time.Minute)
	if got := masters(r); got != "nfs_ds active true;up" {
		t.Error(got)
	}
}

// TestVMsOfALostHost: they keep their status while the host is connecting, and are unknown after that; in between nothing reaches them
// (ovirt-engine VdsManager.handleNetworkException).
func TestVMsOfALostHost(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1b}))
	r.want(400, "Network error during communication with the Host.", "primary", "POST", "/vms/"+vmID(2)+"/stop", "<action/>")
	r.want(400, "Network error during communication with the Host.", "primary", "POST", "/vms/"+vmID(2)+"/suspend", "<action/>")
	look := func() string {
		return r.get("primary", "/hosts/"+r.id("primary", host1b)).value("status") + " " + r.get("primary", "/vms/"+vmID(2)).value("status")
	}
	if got := r.until(2*time.Minute, look); got != "connecting up, non_responsive unknown" {
		t.Error(got)
	}
	r.want(409, "VM is not running", "primary", "POST", "/vms/"+vmID(2)+"/stop", "<action/>")
	// A short loss changes nothing.
	r = newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostIsolated, Subject: host1b}))
	r.clock.pass(20 * time.Second)
	r.ok(r.lab.Heal("primary"))
	if got := r.until(2*time.Minute, look); got != "connecting up, up up" {
		t.Error(got)
	}
	r.violations()
}

// TestLeasesRestartWithoutFencing: sanlock knows whether the VM still runs (ovirt-engine VdsManager.restartVmsWithLeaseIfNeeded).
func TestLeasesRestartWithoutFencing(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]string{FaultHostDown: "up host1a", FaultHostIsolated: "unknown host1b"} {
		w := TwoSites(TwoSitesOptions{})
		v := &w.Sites[0].VMs[1]
		v.HA, v.LeaseDomainID = true, dsID
		r := rigOf(t, w)
		if b := r.get("primary", "/vms/"+vmID(2)).value("storage_error_resume_behaviour"); b != "kill" {
			t.Error(b)
		}
		r.ok(r.lab.Fail(Fault{Kind: kind, Subject: host1b}))
		r.clock.pass(3 * time.Minute)
		if v := r.vmView("primary", 2); v.Status+" "+v.Host != want {
			t.Errorf("%s: %s on %s", kind, v.Status, v.Host)
		}
		r.violations()
	}
}

// TestLeasedVMIsKilled: a highly available VM with a lease does not wait paused for its storage.
func TestLeasedVMIsKilled(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	v := &w.Sites[0].VMs[1]
	v.HA, v.LeaseDomainID = true, dsID
	r := rigOf(t, w)
	r.ok(r.lab.Fail(Fault{Kind: FaultStorageDown, Export: arrayAddress + ":/nfs_ds"}))
	look := func() string { return r.vmView("primary", 2).Status + " " + r.vmView("primary", 3).Status }
	if got := r.until(time.Minute, look); got != "paused paused, down paused" {
		t.Error(got)
	}
	r.ok(r.lab.Heal("primary"))
	if got := r.until(10*time.Minute, look); !strings.HasSuffix(got, "up up") {
		t.Error(got)
	}
}

// TestUnmanagedVM: what runs on a host and is not in the database comes back as an external VM (ovirt-engine AddUnmanagedVmsCommand).
func TestUnmanagedVM(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{Hosts: 3, Domains: 2})
	r.ok(r.lab.Fail(Fault{Kind: FaultHostIsolated, Subject: host1b}))
	r.clock.pass(2 * time.Minute)
	// Its engine forgets the domain, and so the VM, while the VM runs on.
	second := uuidOf("domain/nfs_ds2")
	r.ok(r.lab.Fail(Fault{Kind: FaultStorageDown, Export: arrayAddress + ":/nfs_ds2"}))
	r.clock.pass(6 * time.Minute)
	r.want(200, "", "primary", "DELETE", "/storagedomains/"+second+"?destroy=true", "")
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(2 * time.Minute)
	var names []string
	for _, v := range r.get("primary", "/vms").all("vm") {
		if v.value("origin") == "external" {
			names = append(names, v.value("name")+" "+v.value("status"))
			path := "/vms/" + v.attr("id")
			r.want(400, "This VM is not managed by the engine.", "primary", "POST", path+"/start", "<action/>")
			r.want(200, "", "primary", "POST", path+"/stop", "<action/>")
		}
	}
	if got := strings.Join(names, ", "); got != "external-vm2 up" {
		t.Error(got)
	}
}

// TestElectionEndsWithTheDataCenter: a data center whose only domain was destroyed while no host could be the SPM takes a new one.
func TestElectionEndsWithTheDataCenter(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.ok(r.lab.Heal("primary"))
	r.ok(r.lab.Replicate("nfs_ds")) // its copy can only be read now
	r.clock.pass(3 * time.Minute)
	if got := r.center(); got != "problematic none none inactive" {
		t.Fatal(got)
	}
	r.want(200, "", "primary", "DELETE", "/storagedomains/"+dsID+"?destroy=true", "")
	r.ok(r.lab.Promote("nfs_ds"))
	r.want(201, "", "primary", "POST", "/storagedomains", importBody(r.id("primary", "host1a"), arrayAddress+":/nfs_ds", dsID))
	r.want(201, "<status>active</status>", "primary", "POST", r.primaryDC(), `<storage_domain id="`+dsID+`"/>`)
	if got := r.center(); got != "up spm none active" {
		t.Error(got)
	}
}
