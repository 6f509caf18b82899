package lab

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// rig is a lab on a virtual clock with a client of each engine.
type rig struct {
	t     *testing.T
	clock *jumpClock
	lab   *Lab
	token map[string]string
}

func newRig(t *testing.T, o TwoSitesOptions) *rig {
	return rigOf(t, TwoSites(o))
}

func rigOf(t *testing.T, w World) *rig {
	t.Helper()
	clock := newClock()
	return &rig{t: t, clock: clock, lab: New(w, clock, 1), token: map[string]string{}}
}

// answer is what a request came to.
type answer struct {
	status int
	body   string
	header http.Header
	err    error
	doc    *node
}

func (r *rig) do(req *http.Request) answer {
	r.t.Helper()
	res, err := r.lab.Transport().RoundTrip(req)
	if err != nil {
		return answer{err: err}
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	a := answer{status: res.StatusCode, body: string(body), header: res.Header, err: err}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "application/xml") && res.Header.Get("Content-Encoding") == "" && err == nil && len(body) > 0 {
		if a.doc, err = parseXML(body); err != nil {
			r.t.Fatalf("%s %s: not XML: %v\n%s", req.Method, req.URL, err, body)
		}
	}
	return a
}

func siteURL(site string) string {
	if site == "primary" {
		return PrimaryURL
	}
	return SecondaryURL
}

func (r *rig) login(site string) answer {
	r.t.Helper()
	user, password := PrimaryUsername, PrimaryPassword
	if site == "secondary" {
		user, password = SecondaryUsername, SecondaryPassword
	}
	a := r.do(tokenRequest(r.t, site, url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {user}, "password": {password}}, "application/json"))
	var out struct {
		Token string `json:"access_token"`
	}
	if a.status == http.StatusOK {
		if err := json.Unmarshal([]byte(a.body), &out); err != nil {
			r.t.Fatal(err)
		}
		r.token[site] = out.Token
	}
	return a
}

func tokenRequest(t *testing.T, site string, form url.Values, accept string) *http.Request {
	t.Helper()
	base := strings.TrimSuffix(siteURL(site), "/api")
	req, err := http.NewRequest(http.MethodPost, base+"/sso/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", accept)
	return req
}

// call sends a request with a token, getting one first where there is none.
func (r *rig) call(site, method, path, body string) answer {
	r.t.Helper()
	if r.token[site] == "" {
		if a := r.login(site); a.err != nil {
			return a
		}
	}
	req, err := http.NewRequest(method, siteURL(site)+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token[site])
	req.Header.Set("Accept", "application/xml")
	if body != "" {
		req.Header.Set("Content-Type", "application/xml")
	}
	req.Header.Set("Correlation-Id", "test-1")
	return r.do(req)
}

// want sends a request and demands a status and, for refusals, a fragment of the body.
func (r *rig) want(status int, fragment, site, method, path, body string) answer {
	r.t.Helper()
	a := r.call(site, method, path, body)
	if a.err != nil {
		r.t.Fatalf("%s %s %s: %v", site, method, path, a.err)
	}
	if a.status != status || !strings.Contains(a.body, fragment) {
		r.t.Fatalf("%s %s %s = %d, want %d with %q\n%s", site, method, path, a.status, status, fragment, a.body)
	}
	return a
}

func (r *rig) get(site, path string) *node {
	r.t.Helper()
	return r.want(200, "", site, "GET", path, "").doc
}

func (r *rig) ok(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) id(site, what string) string { return uuidOf(site + "/" + what) }

var (
	dsID   = uuidOf("domain/nfs_ds")
	rhelID = uuidOf("template/rhel9")
)

func vmID(n int) string { return uuidOf(fmt.Sprintf("vm/vm%d", n)) }

func importBody(host, export, id string) string {
	address, path, _ := strings.Cut(export, ":")
	idXML := ""
	if id != "" {
		idXML = ` id="` + id + `"`
	}
	return `<storage_domain` + idXML + `><type>data</type><host id="` + host + `"/><storage><type>nfs</type><address>` + address + `</address><path>` + path + `</path></storage></storage_domain>`
}

const replicaExport = arrayAddress + ":/nfs_ds_replica"

func (r *rig) secondaryDC() string {
	return "/datacenters/" + r.id("secondary", "dc") + "/storagedomains"
}
func (r *rig) primaryDC() string { return "/datacenters/" + r.id("primary", "dc") + "/storagedomains" }

// takeOver imports and attaches nfs_ds at the secondary.
func (r *rig) takeOver() {
	r.t.Helper()
	a := r.want(201, "", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
	if got := a.doc.attr("id"); got != dsID {
		r.t.Fatalf("imported %s, want %s", got, dsID)
	}
	r.want(201, "", "secondary", "POST", r.secondaryDC(), `<storage_domain id="`+dsID+`"/>`)
	if got := r.get("secondary", r.secondaryDC()+"/"+dsID).value("status"); got != "active" {
		r.t.Fatalf("attached domain is %q", got)
	}
}

func registerBody(profile string) string {
	return `<action><cluster id="` + uuidOf("secondary/cluster") + `"/><registration_configuration><vnic_profile_mappings><registration_vnic_profile_mapping>` +
		`<from><name>lan</name><network><name>lan</name></network></from><to id="` + profile + `"><name></name><network><name></name></network></to>` +
		`</registration_vnic_profile_mapping></vnic_profile_mappings></registration_configuration></action>`
}

func (r *rig) registerAll(vms int) {
	r.t.Helper()
	base := "/storagedomains/" + dsID
	r.want(200, "<status>complete</status>", "secondary", "POST", base+"/templates/"+rhelID+"/register", `<action><cluster id="`+uuidOf("secondary/cluster")+`"/></action>`)
	r.clock.pass(2 * time.Second) // the template is locked until its tasks have ended
	for n := 1; n <= vms; n++ {
		r.want(200, "<status>complete</status>", "secondary", "POST", base+"/vms/"+vmID(n)+"/register", registerBody(r.id("secondary", "profile/lan")))
	}
}

func (r *rig) violations(want ...string) {
	r.t.Helper()
	var got []string
	for _, v := range r.lab.View().Violations {
		got = append(got, v.Kind)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		r.t.Errorf("violations %v, want %v: %+v", got, want, r.lab.View().Violations)
	}
}

func (r *rig) vmView(site string, n int) VMView {
	r.t.Helper()
	for _, v := range r.lab.View().Sites[site].VMs {
		if v.ID == vmID(n) {
			return v
		}
	}
	return VMView{}
}

func (r *rig) counter(site string, n int) int64 {
	r.t.Helper()
	for _, d := range r.lab.View().Disks {
		if d.VM == vmID(n) && d.Site == site {
			return d.Counter
		}
	}
	r.t.Fatalf("no disk of vm%d on %s", n, site)
	return 0
}

func TestUnplannedFailover(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	root := r.get("primary", "")
	if got := root.value("product_info", "vendor"); got != "drrun lab" {
		t.Errorf("vendor %q", got)
	}
	vms := r.get("primary", "/vms?follow=nics,disk_attachments.disk")
	if len(vms.children) != 3 || vms.children[0].value("nics", "nic", "mac", "address") == "" || vms.children[0].value("disk_attachments", "disk_attachment", "disk", "alias") != "vm1_Disk1" {
		t.Fatalf("vms with details: %d", len(vms.children))
	}
	r.clock.pass(time.Minute)
	before := r.counter("primary", 1)
	r.ok(r.lab.Disaster("primary"))
	if a := r.call("primary", "GET", "", ""); a.err == nil {
		t.Fatal("an engine in a disaster answers")
	}
	if behind := before - r.counter("secondary", 1); behind != 5 {
		t.Errorf("the replica is %d behind, want the lag of 5", behind)
	}
	// Not promoted: refused, and nothing is left behind.
	r.want(400, "Permission settings on the specified path", "secondary", "POST", "/storagedomains", importBody(r.id("secondary", "host2a"), replicaExport, dsID))
	if n := len(r.get("secondary", "/storageconnections").children); n != 1 {
		t.Errorf("%d storage connections, want the one of recovery_local", n)
	}
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	base := "/storagedomains/" + dsID
	list := r.get("secondary", base+"/vms?unregistered=true")
	if len(list.children) != 3 || list.children[0].value("status") != "up" {
		t.Fatalf("unregistered: %d", len(list.children))
	}
	if n := len(r.get("secondary", base+"/vms;unregistered").children); n != 3 {
		t.Errorf("matrix form lists %d", n)
	}
	r.want(400, "relevant Template doesn't exist", "secondary", "POST", base+"/vms/"+vmID(1)+"/register", registerBody(""))
	r.registerAll(3)
	if n := len(r.get("secondary", base+"/vms?unregistered=true").children); n != 0 {
		t.Errorf("%d rows left", n)
	}
	v := r.get("secondary", "/vms/"+vmID(1))
	if v.value("status") != "down" || v.value("high_availability", "enabled") != "true" {
		t.Errorf("registered vm1: %s, ha %s", v.value("status"), v.value("high_availability", "enabled"))
	}
	if p := r.get("secondary", "/vms/"+vmID(1)+"/nics").child("nic", "vnic_profile").attr("id"); p != r.id("secondary", "profile/lan") {
		t.Errorf("profile %s", p)
	}
	a := r.want(200, "<status>complete</status>", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	if a.doc.child("vm").attr("id") != vmID(1) || a.doc.child("job") == nil || a.header.Get("Correlation-Id") != "test-1" {
		t.Errorf("start answered\n%s", a.body)
	}
	states := []string{}
	for range 30 {
		if s := r.get("secondary", "/vms/"+vmID(1)).value("status"); len(states) == 0 || states[len(states)-1] != s {
			states = append(states, s)
		}
		r.clock.pass(time.Second)
	}
	if got := strings.Join(states, " "); got != "wait_for_launch powering_up up" {
		t.Errorf("states %s", got)
	}
	if v := r.get("secondary", "/vms/"+vmID(1)); v.value("fqdn") != "vm1.localdomain" || v.child("host") == nil {
		t.Error("no guest agent")
	}
	w := r.vmView("secondary", 1)
	if w.StartedAt == nil || w.UpAt == nil || w.UpAt.Sub(*w.StartedAt) != 17*time.Second {
		t.Errorf("view %+v", w)
	}
	codes := map[string]bool{}
	for _, e := range r.get("secondary", "/events?search=correlation_id=test-1").children {
		codes[e.value("code")] = true
	}
	for _, code := range []string{"956", "962", "966", "174", "180", "153", "32"} {
		if !codes[code] {
			t.Errorf("no event %s", code)
		}
	}
	r.violations()
	var effects []string
	for _, e := range r.lab.Log() {
		if e.Effect != "" {
			effects = append(effects, e.Effect)
		}
	}
	if got := strings.Join(effects, ", "); got != "import storage domain nfs_ds, attach storage domain nfs_ds, register template rhel9, register vm1, register vm2, register vm3, start vm1" {
		t.Errorf("effects %s", got)
	}
}

func TestLogCountsChanges(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.get("primary", "/vms")
	r.want(409, "in Up status", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	log := r.lab.Log()
	if len(log) != 3 {
		t.Fatalf("%d entries", len(log))
	}
	if log[0].Changing || log[1].Changing || !log[2].Changing || log[2].Status != 409 || log[2].Correlation != "test-1" || log[2].Effect != "" || log[2].N != 3 {
		t.Errorf("log %+v", log)
	}
}

func TestHealBringsTheOldSiteBack(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.get("primary", "")
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	r.registerAll(1)
	r.want(200, "", "secondary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.clock.pass(time.Minute)
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(50 * time.Second)
	a := r.call("primary", "GET", "/vms/"+vmID(1), "")
	if a.status != 401 || !strings.Contains(a.header.Get("Content-Type"), "text/html") {
		t.Fatalf("an old token after a restart: %d", a.status)
	}
	r.login("primary")
	if s := r.get("primary", "/vms/"+vmID(1)).value("status"); s != "unknown" {
		t.Errorf("vm1 while its host boots: %s", s)
	}
	r.violations()
	r.clock.pass(2 * time.Minute)
	// vm1 is highly available: the engine restarts it, knowing nothing of the secondary. The others stay down.
	if s := r.get("primary", "/vms/"+vmID(1)).value("status"); s != "up" {
		t.Errorf("vm1 %s", s)
	}
	if s := r.get("primary", "/vms/"+vmID(2)).value("status"); s != "down" {
		t.Errorf("vm2 %s", s)
	}
	r.violations(ViolationSplitBrain, ViolationStaleCopy)
	if v := r.get("primary", "/events?search="+url.QueryEscape("type=119 and vm.name=vm2")); len(v.children) != 1 {
		t.Errorf("%d events 119 of vm2", len(v.children))
	}
}

func TestTransportOfADeadSite(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	r.login("primary")
	r.clock.onWait = func() { r.ok(r.lab.Disaster("primary")) }
	a := r.call("primary", "POST", "/hosts/"+r.id("primary", "host1a")+"/refresh", "<action/>")
	if a.err == nil || !strings.Contains(a.err.Error(), "reset") {
		t.Errorf("a request cut by a disaster: %v", a.err)
	}
	a = r.call("primary", "GET", "/vms", "")
	if a.err == nil || !strings.Contains(a.err.Error(), "refused") {
		t.Errorf("a request to a dead site: %v", a.err)
	}
	req, _ := http.NewRequest("GET", "https://nowhere.localdomain/", nil)
	if _, err := r.lab.Transport().RoundTrip(req); err == nil {
		t.Error("an unknown host answers")
	}
}
