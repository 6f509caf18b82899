package lab

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

func TestHTTPFaults(t *testing.T) {
	t.Parallel()
	start := "/vms/" + vmID(1) + "/start"
	for _, tc := range []struct {
		name   string
		fault  Fault
		effect bool
		check  func(answer) bool
	}{
		{"status with a fault", Fault{Status: 500, Reason: "Operation Failed", Detail: "[x]"}, false, func(a answer) bool { return a.status == 500 && a.doc.value("fault", "detail") == "[x]" }},
		{"status alone", Fault{Status: 503}, false, func(a answer) bool { return a.status == 503 && a.body == "" }},
		{"HTML instead of the effect", Fault{Status: 502, HTML: true}, false, func(a answer) bool { return a.status == 502 && strings.HasPrefix(a.body, "<html>") }},
		{"HTML after the effect", Fault{HTML: true}, true, func(a answer) bool { return a.status == 200 && strings.HasPrefix(a.body, "<html>") }},
		{"empty", Fault{Empty: true}, true, func(a answer) bool { return a.status == 200 && a.body == "" }},
		{"reset before", Fault{Reset: "before"}, false, func(a answer) bool { return a.err != nil && a.status == 0 }},
		{"reset after", Fault{Reset: "after"}, true, func(a answer) bool { return a.err != nil && a.status == 0 }},
		{"truncated", Fault{Truncate: true}, true, func(a answer) bool { return a.status == 200 && errors.Is(a.err, io.ErrUnexpectedEOF) }},
		{"delay", Fault{Delay: time.Minute}, true, func(a answer) bool { return a.status == 200 }},
		{"engine restarts", Fault{Restart: true}, false, func(a answer) bool { return a.err != nil }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := TwoSites(TwoSitesOptions{})
			w.Sites[0].VMs[0].Running = false
			r := rigOf(t, w)
			r.get("primary", "")
			tc.fault.Site, tc.fault.Method, tc.fault.Path, tc.fault.Nth = "primary", "POST", "/start$", 2
			r.ok(r.lab.Fail(tc.fault))
			r.want(409, "", "primary", "POST", "/vms/"+vmID(2)+"/start", "<action/>")
			if a := r.call("primary", "POST", start, "<action/>"); !tc.check(a) {
				t.Errorf("%d %v %s", a.status, a.err, a.body)
			}
			if v := r.vmView("primary", 1); (v.Status != "down") != tc.effect {
				t.Errorf("vm1 is %s", v.Status)
			}
			log := r.lab.Log()
			last := log[len(log)-1]
			if !last.Changing || (last.Effect != "") != tc.effect {
				t.Errorf("log %+v", last)
			}
			if tc.fault.Reset == "after" && last.Status != 0 {
				t.Error("the log tells of an answer that was not given")
			}
		})
	}
	r := newRig(t, TwoSitesOptions{})
	for _, f := range []Fault{{Kind: "x"}, {Reset: "x"}, {Path: "("}, {Site: "x"}, {Kind: FaultHostDown, Subject: "x"}} {
		if r.lab.Fail(f) == nil {
			t.Errorf("rule %+v is taken", f)
		}
	}
}

func TestFaultsOfTheWorld(t *testing.T) {
	t.Parallel()
	host := uuidOf("secondary/host2a")
	for _, tc := range []struct {
		name  string
		fault Fault
		check func(r *rig)
	}{
		{"vm that does not boot", Fault{Kind: FaultVMBoot, Subject: "vm1"}, func(r *rig) {
			r.takeOver()
			r.registerAll(1)
			r.want(200, "complete", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(10 * time.Second)
			if s := r.vmView("secondary", 1).Status; s != "powering_up" {
				r.t.Errorf("vm1 %s", s)
			}
			r.clock.pass(time.Minute)
			if s := r.vmView("secondary", 1).Status; s != "down" || r.events("secondary", "119") != 1 {
				r.t.Errorf("vm1 %s", s)
			}
			r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
			r.clock.pass(time.Minute)
			if s := r.vmView("secondary", 1).Status; s != "up" {
				r.t.Errorf("second try: %s", s)
			}
		}},
		{"activation fails", Fault{Kind: FaultActivation, Subject: "nfs_ds"}, func(r *rig) {
			r.want(201, "", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
			r.want(201, "<status>maintenance</status>", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
			if r.events("secondary", "967") != 1 {
				r.t.Error("no event 967")
			}
			r.want(200, "", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/activate", "<action/>")
			if s := r.status("secondary"); s != "active" {
				r.t.Errorf("domain is %s", s)
			}
		}},
		{"OVF store cannot be read", Fault{Kind: FaultOVFRead}, func(r *rig) {
			r.takeOver()
			if n := len(r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").children); n != 0 || r.events("secondary", "1017") != 1 {
				r.t.Errorf("%d rows", n)
			}
		}},
		{"registration lost in the background", Fault{Kind: FaultRegisterLost, Subject: vmID(1)}, func(r *rig) {
			r.takeOver()
			r.registerAll(1)
			r.clock.pass(5 * time.Second)
			r.want(404, "", "secondary", "GET", "/vms/"+vmID(1), "")
			if n := len(r.get("secondary", "/storagedomains/"+dsID+"/vms?unregistered=true").children); n != 2 {
				r.t.Errorf("%d rows", n)
			}
			jobs := r.get("secondary", "/jobs?search=correlation_id%3Dtest-1").children
			if s := jobs[len(jobs)-1].value("status"); s != "failed" {
				r.t.Errorf("job %s", s)
			}
		}},
		{"listing fails and leaves the connection", Fault{Kind: FaultListing}, func(r *rig) {
			r.want(400, "domain list", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
			r.want(409, "already exists", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
			id := ""
			for _, c := range r.get("secondary", "/storageconnections").children {
				if c.value("path") == "/nfs_ds_replica" {
					id = c.attr("id")
				}
			}
			r.want(201, "", "secondary", "POST", "/storagedomains", `<storage_domain id="`+dsID+`"><type>data</type><host id="`+host+`"/><storage id="`+id+`"/></storage_domain>`)
		}},
		{"listing fails and the connection is deleted", Fault{Kind: FaultListing, Subject: replicaExport}, func(r *rig) {
			r.want(400, "domain list", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
			for _, c := range r.get("secondary", "/storageconnections").children {
				if c.value("path") == "/nfs_ds_replica" {
					r.want(200, "", "secondary", "DELETE", "/storageconnections/"+c.attr("id"), "")
				}
			}
			r.takeOver()
		}},
		{"deactivation falls back", Fault{Kind: FaultDeactivate}, func(r *rig) {
			r.takeOver()
			r.want(200, "", "secondary", "POST", r.secondaryDC()+"/"+dsID+"/deactivate", "<action/>")
			r.clock.pass(time.Minute)
			if s := r.status("secondary"); s != "active" || r.events("secondary", "969") != 1 {
				r.t.Errorf("domain is %s", s)
			}
		}},
		{"the SPM host drops out", Fault{Kind: FaultHostDown, Subject: "host2a"}, func(r *rig) {
			if s := r.get("secondary", "/hosts/"+host).value("status"); s != "connecting" {
				r.t.Errorf("host is %s", s)
			}
			r.clock.pass(2 * time.Minute)
			if s := r.get("secondary", "/hosts/"+host).value("status"); s != "non_responsive" {
				r.t.Errorf("host is %s", s)
			}
			if s := r.get("secondary", "/datacenters/"+r.id("secondary", "dc")).value("status"); s != "problematic" {
				r.t.Errorf("data center is %s", s)
			}
			r.want(409, "Host status", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
			r.ok(r.lab.Heal("secondary"))
			r.clock.pass(2 * time.Minute)
			r.takeOver()
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := lost(t, TwoSitesOptions{})
			r.get("secondary", "")
			tc.fault.Site = "secondary"
			r.ok(r.lab.Fail(tc.fault))
			tc.check(r)
			r.violations()
		})
	}
}

func TestRestartCutsOperations(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		do     func(r *rig) answer
		status string
	}{
		{"import", func(r *rig) answer {
			return r.call("secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
		}, ""},
		{"attach", func(r *rig) answer {
			r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
			r.clock.onWait = func() { r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "secondary"})) }
			return r.call("secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
		}, "unattached"},
		{"register", func(r *rig) answer {
			r.takeOver()
			r.registerAll(0)
			// The first wait ends with the VM there and locked; the engine restarts before it is down.
			r.clock.onWait = func() {
				r.clock.pass(1300 * time.Millisecond)
				r.want(200, "image_locked", "secondary", "GET", "/vms/"+vmID(1), "")
				r.want(409, "is being imported", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
				r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "secondary"}))
			}
			return r.call("secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", registerBody(""))
		}, "active"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := lost(t, TwoSitesOptions{})
			r.login("secondary")
			if tc.name == "import" {
				r.clock.onWait = func() { r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "secondary"})) }
			}
			if a := tc.do(r); a.err == nil {
				t.Errorf("answered %d", a.status)
			}
			r.clock.pass(2 * time.Minute)
			if s := r.status("secondary"); s != tc.status {
				t.Errorf("domain is %q, want %q", s, tc.status)
			}
			r.login("secondary")
			switch tc.status {
			case "":
				r.takeOver()
			case "active":
				r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", registerBody(""))
			default:
				r.want(201, "", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
			}
		})
	}
}

func TestOperationsGoOnWithoutTheirClient(t *testing.T) {
	t.Parallel()
	r := lost(t, TwoSitesOptions{})
	r.login("secondary")
	r.ok(r.lab.Fail(Fault{Method: "POST", Path: "/storagedomains$", Reset: "after"}))
	if a := r.call("secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID)); a.err == nil {
		t.Fatal("answered")
	}
	if s := r.status("secondary"); s != "unattached" {
		t.Errorf("domain is %q", s)
	}
}
