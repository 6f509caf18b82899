package lab

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// Which requests a probability meets depends on the seeds alone, and is about as many as it says.
func TestProbability(t *testing.T) {
	t.Parallel()
	met := func(seed uint64, p float64, times int) string {
		r := newRig(t, TwoSitesOptions{})
		r.get("primary", "")
		r.ok(r.lab.Fail(Fault{Site: "primary", Path: "/vms$", Probability: p, Seed: seed, Times: times, Status: 503}))
		var b strings.Builder
		for range 200 {
			if r.call("primary", "GET", "/vms", "").status == 503 {
				b.WriteByte('x')
			} else {
				b.WriteByte('.')
			}
		}
		return b.String()
	}
	first := met(1, 0.25, 0)
	if again := met(1, 0.25, 0); first != again {
		t.Error("the same seed meets others")
	}
	if first == met(2, 0.25, 0) {
		t.Error("another seed meets the same")
	}
	for _, tc := range []struct {
		name     string
		met      string
		from, to int
	}{{"a quarter", first, 30, 70}, {"all", met(1, 1, 0), 200, 200}, {"three times", met(1, 0.25, 3), 3, 3}} {
		if n := strings.Count(tc.met, "x"); n < tc.from || n > tc.to {
			t.Errorf("%s: %d of 200", tc.name, n)
		}
	}
}

// What changes the world can wait for a request, also for one to the other site.
func TestTriggeredFaults(t *testing.T) {
	t.Parallel()
	source := arrayAddress + ":/nfs_ds"
	for _, tc := range []struct {
		name  string
		fault Fault
		cut   bool // the request that meets it gets no answer
		holds func(r *rig) bool
	}{
		{"engine restarts", Fault{Kind: FaultEngine, Site: "primary"}, true, func(r *rig) bool { return r.lab.View().Sites["primary"].Engine == "down" }},
		{"site loses its power", Fault{Kind: FaultSiteDown, Site: "primary"}, true, func(r *rig) bool {
			return r.lab.View().Sites["primary"].Hosts[0].Power == "off" && r.lab.View().Sites["secondary"].Engine == "up"
		}},
		{"host loses its power", Fault{Kind: FaultHostDown, Site: "primary", Subject: "host1b"}, false, func(r *rig) bool { return r.lab.View().Sites["primary"].Hosts[1].Power == "off" }},
		{"storage is lost", Fault{Kind: FaultStorageDown, Export: source, Asked: "primary"}, false, func(r *rig) bool { return !r.lab.View().Arrays.Exports[0].Online }},
		{"storage is lost later", Fault{Kind: FaultStorageDown, Export: source, Asked: "primary", Delay: time.Minute}, false, func(r *rig) bool {
			early := r.lab.View().Arrays.Exports[0].Online
			r.clock.pass(2 * time.Minute)
			return early && !r.lab.View().Arrays.Exports[0].Online
		}},
		{"of the other site", Fault{Kind: FaultSiteDown, Site: "secondary", Asked: "primary"}, false, func(r *rig) bool { return r.lab.View().Sites["secondary"].Engine == "down" }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{})
			r.get("primary", "")
			tc.fault.Method, tc.fault.Path, tc.fault.Nth = "GET", "/vms$", 2
			r.ok(r.lab.Fail(tc.fault))
			r.get("primary", "/vms")
			if tc.fault.Delay == 0 && tc.holds(r) {
				t.Error("it did not wait")
			}
			if a := r.call("primary", "GET", "/vms", ""); (a.err != nil) != tc.cut {
				t.Errorf("%d %v", a.status, a.err)
			}
			if !tc.holds(r) {
				t.Error("it did not happen")
			}
			if f := r.lab.Faults(); len(f) != 1 || f[0].Seen != 2 || f[0].Used != 1 || !f[0].Spent || len(f[0].Fired) != 1 || f[0].Fired[0].Path != apiRoot+"/vms" {
				t.Errorf("%+v", f)
			}
		})
	}
}

// Storage that goes away pauses those who write to it, stops replication, and becomes inactive; when it is back the VMs go on.
func TestStorageLoss(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.get("primary", "")
	r.ok(r.lab.Fail(Fault{Kind: FaultStorageDown, Export: arrayAddress + ":/nfs_ds"}))
	before := r.lab.View()
	if v := r.vmView("primary", 1); v.Status != "paused" || !v.Running || r.events("primary", "145") != 3 {
		t.Errorf("%+v", v)
	}
	if s := before.Arrays.Replications[0].State; s != "stopped" {
		t.Errorf("replication is %s", s)
	}
	r.clock.pass(10 * time.Minute)
	after := r.lab.View()
	if s := r.status("primary"); s != "inactive" {
		t.Errorf("domain is %s", s)
	}
	if before.Disks[0].Counter != after.Disks[0].Counter {
		t.Error("a paused guest writes")
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(time.Minute)
	if v := r.vmView("primary", 1); v.Status != "up" || r.events("primary", "196") != 3 || r.status("primary") != "active" {
		t.Errorf("%+v, domain %s", v, r.status("primary"))
	}
	if now := r.lab.View(); now.Disks[0].Counter <= after.Disks[0].Counter {
		t.Error("the guest does not go on")
	}
	r.violations()
}

// An action that says complete while its job failed has done nothing.
func TestFailedJob(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	w.Sites[0].VMs[0].Running, w.Sites[0].VMs[1].Running = false, false
	r := rigOf(t, w)
	r.get("primary", "")
	r.ok(r.lab.Fail(Fault{Kind: FaultJob, Site: "primary", Method: "POST", Path: "/start$", Subject: "vm1"}))
	r.want(200, "complete", "primary", "POST", "/vms/"+vmID(2)+"/start", "<action/>")
	if a := r.call("primary", "GET", "/vms/"+vmID(1)+"/start", ""); a.status == 200 {
		t.Error("a read is an action")
	}
	answer := r.want(200, "<status>complete</status>", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action><reason>test</reason></action>")
	if !strings.Contains(answer.body, "<reason>test</reason>") {
		t.Errorf("the action is not echoed: %s", answer.body)
	}
	jobs := r.get("primary", "/jobs").children
	if s := jobs[len(jobs)-1].value("status"); s != "failed" {
		t.Errorf("job %s", s)
	}
	r.clock.pass(time.Minute)
	if one, two := r.vmView("primary", 1).Status, r.vmView("primary", 2).Status; one != "down" || two != "up" || r.events("primary", "54") != 1 {
		t.Errorf("vm1 %s, vm2 %s", one, two)
	}
	r.want(200, "complete", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.clock.pass(time.Minute)
	if s := r.vmView("primary", 1).Status; s != "up" {
		t.Errorf("the second try: %s", s)
	}
}

// Without a session a rule makes no action succeed.
func TestFailedJobNeedsASession(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.ok(r.lab.Fail(Fault{Kind: FaultJob, Times: -1}))
	req, _ := http.NewRequest(http.MethodPost, PrimaryURL+"/vms/"+vmID(1)+"/stop", strings.NewReader("<action/>"))
	req.Header.Set("Content-Type", "application/xml")
	answer, err := r.lab.Transport().RoundTrip(req)
	if err != nil || answer.StatusCode != 401 {
		t.Errorf("%v %v", answer, err)
	}
}

func TestRulesAreRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for _, tc := range []struct {
		rule          Fault
		message, hint string
	}{
		{Fault{Kind: "hostdown"}, `no kind of fault "hostdown"`, "host-down"},
		{Fault{Site: "tertiary"}, `no site "tertiary"`, "primary, secondary"},
		{Fault{Asked: "tertiary"}, `no site "tertiary"`, "primary, secondary"},
		{Fault{Path: "("}, "path is no regular expression", "/start$"},
		{Fault{Reset: "during"}, "reset is before or after", "nobody is told"},
		{Fault{Probability: 1.5}, "probability is from 0 to 1", ""},
		{Fault{Nth: -1}, "nth counts from 1", ""},
		{Fault{Delay: -1}, "delay is", ""},
		{Fault{Status: 42}, "status is an HTTP status", ""},
		{Fault{Kind: FaultHostDown, Subject: "host9"}, `no host "host9"`, "known: host1a, host1b, host2a, host2b"},
		{Fault{Kind: FaultHostDown, Site: "secondary", Subject: "host1a"}, `no host "host1a"`, "known: host2a, host2b"},
		{Fault{Kind: FaultHostBlind, Subject: "host1a"}, `no export ""`, "known: " + arrayAddress},
		{Fault{Kind: FaultStorageDown, Export: "x"}, `no export "x"`, "known: " + arrayAddress},
		{Fault{Kind: FaultSiteDown}, "site-down needs the site", "known: primary"},
	} {
		var refused *ControlError
		err := r.lab.Fail(tc.rule)
		if !errors.As(err, &refused) || !strings.Contains(refused.Message, tc.message) || !strings.Contains(refused.Advice, tc.hint) {
			t.Errorf("%+v: %v", tc.rule, err)
		}
		w := TwoSites(TwoSitesOptions{})
		w.Faults = []Fault{tc.rule}
		if err := w.Check(); err == nil || !strings.Contains(err.Error(), "fault 1: ") {
			t.Errorf("%+v in a world: %v", tc.rule, err)
		}
	}
	if f := r.lab.Faults(); len(f) != 0 {
		t.Errorf("%+v", f)
	}
}

// Rules have numbers that are not used again; each says in words what it does, and lists what it did.
func TestFaultList(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	w.Faults = []Fault{
		{Site: "primary", Method: "GET", Path: "/vms$", Nth: 2, Times: 2, Status: 503, HTML: true},
		{Kind: FaultVMBoot, Subject: "vm1", Times: -1},
		{Kind: FaultHostDown, Site: "secondary", Subject: "host2b"},
		{Path: "/hosts", Probability: 0.5, Seed: 7, Reset: "after"},
		{Method: "post", Path: "/x", Delay: 2 * time.Second},
		{Kind: FaultSiteDown, Site: "secondary", Asked: "primary", Method: "POST", Path: "/failover"},
	}
	r := rigOf(t, w)
	r.get("primary", "/vms")
	for range 3 {
		r.call("primary", "GET", "/vms", "")
	}
	var got []string
	for _, f := range r.lab.Faults() {
		got = append(got, fmt.Sprintf("%d %s (%d/%d/%t/%d)", f.N, f.Text, f.Seen, f.Used, f.Spent, len(f.Fired)))
	}
	want := []string{
		"1 GET /vms$ to primary from the 2. on 2 times: status 503 with an HTML page (3/2/true/2)",
		"2 each time: vm-boot vm1 (0/0/false/0)",
		"3 on secondary at once: host-down host2b (1/1/true/1)",
		"4 any request /hosts each time with probability 0.5 (seed 7): the connection is reset after the effect (0/0/false/0)",
		"5 POST /x once: after 2s the answer (0/0/false/0)",
		"6 POST /failover to primary once: site-down (0/0/false/0)",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	r.ok(r.lab.DropFault(2))
	var missing *ControlError
	if err := r.lab.DropFault(2); !errors.As(err, &missing) || missing.Status != 404 || missing.Advice != "known: 1, 3, 4, 5, 6" {
		t.Errorf("%v", err)
	}
	r.ok(r.lab.DropFault(0))
	if one, err := r.lab.AddFault(Fault{Status: 500}); err != nil || one.N != 7 || len(r.lab.Faults()) != 1 {
		t.Errorf("%+v %v", one, err)
	}
}
