package lab

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func (r *rig) status(site string) string {
	r.t.Helper()
	for _, d := range r.lab.View().Sites[site].StorageDomains {
		if d.ID == dsID {
			return d.Status
		}
	}
	return ""
}

func (r *rig) events(site, code string) int {
	r.t.Helper()
	return len(r.get(site, "/events?search="+url.QueryEscape("type="+code)).children)
}

// lost promotes after a disaster and leaves nothing else done.
func lost(t *testing.T, o TwoSitesOptions) *rig {
	t.Helper()
	r := newRig(t, o)
	r.get("primary", "")
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	return r
}

func TestStatesWhileAttaching(t *testing.T) {
	t.Parallel()
	r := lost(t, TwoSitesOptions{})
	r.login("secondary")
	r.clock.onWait = func() {
		r.want(409, "currently in progress", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
	}
	a := r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
	if got := a.doc.value("status"); got != "unknown" {
		t.Errorf("the reply's own status is %q", got)
	}
	if got := r.get("secondary", "/storagedomains/"+dsID).value("status"); got != "unattached" {
		t.Errorf("status then is %q", got)
	}
	for _, e := range r.lab.View().Arrays.Exports {
		if e.Export == replicaExport && e.Pool != r.id("primary", "dc") {
			t.Errorf("the copy names the pool %q", e.Pool)
		}
	}
	r.clock.onWait = func() {
		if s := r.status("secondary"); s != "locked" {
			t.Errorf("half way the domain is %s", s)
		}
		r.want(409, "currently in progress", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/activate", "<action/>")
		r.clock.onWait = func() {
			if s := r.status("secondary"); s != "activating" {
				t.Errorf("then the domain is %s", s)
			}
		}
	}
	start := r.clock.Now()
	r.want(201, "", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
	if took := r.clock.Now().Sub(start); took < 20*time.Second || took > 30*time.Second {
		t.Errorf("attach took %s", took)
	}
	if d := r.get("secondary", "/storagedomains/"+dsID); d.child("status") != nil || d.child("data_centers", "data_center") == nil {
		t.Error("the global collection shows a status of an attached domain, or no data center")
	}
	for _, e := range r.lab.View().Arrays.Exports {
		if e.Export == replicaExport && e.Pool != r.id("secondary", "dc") {
			t.Errorf("after attach the copy names the pool %q", e.Pool)
		}
	}
	r.violations()
}

func TestUninitializedDataCenter(t *testing.T) {
	t.Parallel()
	r := lost(t, TwoSitesOptions{EmptySecondary: true})
	dc := "/datacenters/" + r.id("secondary", "dc")
	if s := r.get("secondary", dc).value("status"); s != "uninitialized" {
		t.Fatalf("data center is %s", s)
	}
	r.takeOver()
	if s := r.get("secondary", dc).value("status"); s != "up" {
		t.Errorf("data center is %s", s)
	}
	if d := r.get("secondary", r.secondaryDC()+"/"+dsID); d.value("master") != "true" {
		t.Error("the first domain is not the master")
	}
	if r.events("secondary", "1002") != 1 {
		t.Error("no event 1002")
	}
}

// TestPlannedMove stops everything at the source, releases the storage, replicates and promotes: nothing is lost.
func TestPlannedMove(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for n := 1; n <= 3; n++ {
		r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/shutdown", "<action/>")
	}
	if s := r.vmView("primary", 1).Status; s != "powering_down" {
		t.Errorf("vm1 %s", s)
	}
	// The store is written while the VMs still power down: it says so for ever, until something changes.
	r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/updateovfstore", "<action/>")
	r.want(409, "currently being updated", "primary", "POST", "/storagedomains/"+dsID+"/updateovfstore", "<action/>")
	r.clock.pass(time.Minute)
	if r.events("primary", "199") != 1 || r.events("primary", "61") != 3 {
		t.Error("events 199 and 61")
	}
	r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/updateovfstore", "<action/>")
	r.clock.pass(time.Minute)
	if r.events("primary", "1052") != 1 || r.events("primary", "199") != 1 {
		t.Error("nothing to update gives 1052")
	}
	found, _ := r.lab.content(r.lab.exports[0])
	if s := found.store.vms[0].status; s != "powering_down" {
		t.Errorf("the store has %s", s)
	}
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), "<vm><comment>touched</comment></vm>")
	r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
	if s := r.status("primary"); s != "locked" {
		t.Errorf("domain is %s", s)
	}
	r.clock.pass(9 * time.Second)
	if s := r.status("primary"); s != "preparing_for_maintenance" {
		t.Errorf("domain is %s", s)
	}
	r.clock.pass(10 * time.Second)
	if s := r.status("primary"); s != "maintenance" {
		t.Errorf("domain is %s", s)
	}
	if s := r.get("primary", "/datacenters/"+r.id("primary", "dc")).value("status"); s != "maintenance" {
		t.Errorf("without a master the data center is %s", s)
	}
	before := r.counter("primary", 1)
	r.ok(r.lab.Replicate("nfs_ds"))
	r.ok(r.lab.Promote("nfs_ds"))
	if after := r.counter("secondary", 1); after != before {
		t.Errorf("counter %d, want %d", after, before)
	}
	r.takeOver()
	if s := r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").children[0].value("status"); s != "down" {
		t.Errorf("unregistered vm1 is %s", s)
	}
	r.registerAll(3)
	r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.clock.pass(time.Minute)
	r.violations()
	// And back: the old side is overwritten, detached there, imported again.
	r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/shutdown", "<action/>")
	r.clock.pass(time.Minute)
	r.want(200, "", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/deactivate", "<action/>")
	r.clock.pass(time.Minute)
	r.want(200, "", "secondary", "DELETE", r.secondaryDC()+"/"+dsID, "")
	if a := r.call("secondary", "GET", "/vms/"+vmID(1), ""); a.status != 404 {
		t.Errorf("vm1 after detach: %d", a.status)
	}
	newest := r.counter("secondary", 1)
	r.want(200, "", "primary", "DELETE", r.primaryDC()+"/"+dsID, "")
	r.want(200, "", "primary", "DELETE", "/storagedomains/"+dsID+"?host="+r.id("primary", "host1a"), "")
	if n := len(r.get("primary", "/storageconnections").children); n != 0 {
		t.Errorf("%d connections left", n)
	}
	r.ok(r.lab.Replicate("nfs_ds"))
	body := importBody(r.id("primary", "host1a"), arrayAddress+":/nfs_ds", dsID)
	r.want(400, "Permission settings", "primary", "POST", "/storagedomains", body)
	r.ok(r.lab.Promote("nfs_ds"))
	r.want(201, "", "primary", "POST", "/storagedomains", body)
	r.want(201, "", "primary", "POST", r.primaryDC(), `<storage_domain id="`+dsID+`"/>`)
	r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/templates/"+rhelID+"/register", `<action><cluster><name>Prod</name></cluster></action>`)
	r.clock.pass(2 * time.Second)
	r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", `<action><cluster><name>Prod</name></cluster></action>`)
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.clock.pass(time.Minute)
	if c := r.counter("primary", 1); c <= newest {
		t.Errorf("counter %d, want more than %d", c, newest)
	}
	r.violations()
}

func TestReplicationDirectionAndDisaster(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{Lag: 30 * time.Second})
	r.clock.pass(time.Minute)
	first := r.lab.View().Arrays.Replications[0]
	if first.State != replicating || r.lab.View().Time.Sub(first.AsOf) != 30*time.Second {
		t.Errorf("%+v", first)
	}
	r.ok(r.lab.Disaster("primary"))
	r.clock.pass(time.Hour)
	v := r.lab.View()
	if p := v.Arrays.Replications[0]; p.State != stopped || v.Time.Sub(p.AsOf) != time.Hour+30*time.Second {
		t.Errorf("%+v", p)
	}
	if v.Sites["primary"].Engine != "down" || v.Sites["primary"].VMs[0].Running || v.Sites["primary"].VMs[0].Status != "down" || v.Sites["primary"].Hosts[0].Status != "down" {
		t.Errorf("%+v", v.Sites["primary"])
	}
	if err := r.lab.Replicate("nfs_ds"); err == nil || !strings.Contains(err.Error(), "off") {
		t.Errorf("replicate with a dead end: %v", err)
	}
	r.ok(r.lab.Promote(dsID)) // by id
	r.ok(r.lab.Promote("nfs_ds"))
	v = r.lab.View()
	if p := v.Arrays.Replications[0]; p.State != split || p.Source != arrayAddress+":/nfs_ds" {
		t.Errorf("promotion keeps the direction: %+v", p)
	}
	if a, b := r.counter("primary", 1), r.counter("secondary", 1); a-b != 30 {
		t.Errorf("counters %d and %d", a, b)
	}
	if err := r.lab.Promote("none"); err == nil {
		t.Error("promote of an unknown domain")
	}
	for _, err := range []error{r.lab.Disaster("x"), r.lab.Heal("x"), r.lab.Outage("x"), r.lab.Replicate("x")} {
		if err == nil {
			t.Error("an unknown name is no error")
		}
	}
}

func TestViolations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		do   func(*rig)
		want []string
	}{
		{"attach while active at the other site, then two sides", func(r *rig) {
			r.ok(r.lab.Replicate("nfs_ds"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.registerAll(1)
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
		}, []string{ViolationAttachedTwice, ViolationSplitBrain, ViolationStaleCopy}},
		{"only the engine is silent: its VMs run on", func(r *rig) {
			r.ok(r.lab.Outage("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.registerAll(1)
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
		}, []string{ViolationAttachedTwice, ViolationSplitBrain, ViolationStaleCopy}},
		{"promotion without the last writes", func(r *rig) {
			for n := 1; n <= 3; n++ {
				r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/stop", "<action/>")
			}
			r.clock.pass(3 * time.Second)
			r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
			r.ok(r.lab.Promote("nfs_ds")) // the lag has not passed
			r.clock.pass(time.Minute)
			r.takeOver()
			r.registerAll(1)
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
		}, []string{ViolationStaleCopy}},
		{"a name on an empty export", func(r *rig) {
			r.want(400, "[name] required", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), "10.0.0.9:/empty", ""))
			body := strings.Replace(importBody(r.id("secondary", "host2a"), "10.0.0.9:/empty", ""), "<type>data", "<name>new</name><type>data", 1)
			r.want(201, "", "secondary", "POST", "/storagedomains", body)
		}, []string{ViolationEmptyDomain}},
		{"deletion of an unregistered VM", func(r *rig) {
			r.ok(r.lab.Disaster("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.want(200, "", "secondary", "DELETE", "/storagedomains/"+dsID+"/vms/"+vmID(2), "")
			if n := len(r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").children); n != 2 {
				r.t.Errorf("%d rows", n)
			}
		}, []string{ViolationDataDestroyed}},
		{"format", func(r *rig) {
			r.ok(r.lab.Disaster("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.want(200, "", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/deactivate", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "secondary", "DELETE", r.secondaryDC()+"/"+dsID, "")
			r.want(200, "", "secondary", "DELETE", "/storagedomains/"+dsID+"?format=true&host=host2a", "")
		}, []string{ViolationDataDestroyed}},
		{"format of a domain that its metadata says is attached", func(r *rig) {
			r.ok(r.lab.Disaster("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
			r.want(409, "already attached", "secondary", "DELETE", "/storagedomains/"+dsID+"?format=true&host=host2a", "")
		}, nil},
		{"deletion of a VM with its disks", func(r *rig) {
			r.want(200, "", "primary", "POST", "/vms/"+vmID(3)+"/stop", "<action/>")
			r.clock.pass(time.Minute)
			r.want(200, "", "primary", "DELETE", "/vms/"+vmID(3), "")
		}, []string{ViolationDataDestroyed}},
		{"replication over running VMs", func(r *rig) {
			r.ok(r.lab.Promote("nfs_ds"))
			r.ok(r.lab.Replicate("nfs_ds"))
			if s := r.vmView("primary", 1).Status; s != "paused" {
				r.t.Errorf("vm1 %s", s)
			}
		}, []string{ViolationDataDestroyed, ViolationDataDestroyed, ViolationDataDestroyed}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := TwoSites(TwoSitesOptions{})
			w.Exports = append(w.Exports, Export{Site: "secondary", Address: "10.0.0.9", Path: "/empty", Size: gib})
			r := rigOf(t, w)
			r.get("primary", "")
			tc.do(r)
			r.violations(tc.want...)
		})
	}
}

func TestStorageThatGoesAway(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.get("primary", "")
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(10 * time.Minute)
	r.ok(r.lab.Replicate("nfs_ds")) // the old side becomes the read-only replica of the new one
	r.clock.pass(time.Minute)
	if s := r.status("primary"); s != "active" {
		t.Errorf("at once the domain is %s", s)
	}
	r.clock.pass(5 * time.Minute)
	if s := r.status("primary"); s != "inactive" {
		t.Errorf("after five minutes the domain is %s", s)
	}
	r.login("primary")
	r.want(409, "Unknown Data Center status", "primary", "POST", "/vms/"+vmID(2)+"/start", "<action/>")
	if s := r.vmView("primary", 1).Status; s != "paused" { // restarted by the engine, then its disks were overwritten
		t.Errorf("vm1 %s", s)
	}
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
	r.clock.pass(time.Minute)
	r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action/>")
	r.clock.pass(time.Minute)
	if s := r.status("primary"); s != "inactive" || r.events("primary", "969") != 1 {
		t.Errorf("deactivate without storage: %s", s)
	}
	r.want(200, "", "primary", "POST", r.primaryDC()+"/"+dsID+"/deactivate", "<action><force>true</force></action>")
	r.clock.pass(time.Minute)
	if s := r.status("primary"); s != "maintenance" {
		t.Errorf("forced: %s", s)
	}
	r.want(200, "", "primary", "DELETE", "/storagedomains/"+dsID+"?destroy=true", "")
	if n := len(r.get("primary", "/vms").children); n != 0 {
		t.Errorf("%d VMs left", n)
	}
}
