package lab

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// with sends a request to the API of the primary site with a token and more headers, as name, value pairs.
func (r *rig) with(method, path, body string, headers ...string) answer {
	r.t.Helper()
	if r.token["primary"] == "" {
		r.login("primary")
	}
	req, err := http.NewRequest(method, PrimaryURL+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token["primary"])
	if body != "" {
		req.Header.Set("Content-Type", "application/xml")
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	return r.do(req)
}

// A parameter of the query goes before one of the last segment; those of other segments are none (ovirt-engine ParametersHelper.java).
func TestParameters(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 8})
	for path, want := range map[string]int{
		"/vms?max=3":                   3,
		"/vms;max=3":                   3,
		"/vms;max=3?max=5":             5,
		"/vms;max=3;search=name%3Dvm*": 3,
		"/vms;max=3;max=4":             3,
		"/vms;max":                     8, // a name without a value is an empty one, and that is no number
		"/vms;max=x":                   8,
		"/vms;max=":                    8,
		"/vms?max=0":                   0,
		"/vms;search=name%3Dvm1":       1,
		"/vms?search=name%3D%22vm1":    0, // what does not parse answers 200 with nothing (SearchQuery.java)
		"/vms?search=(name%3Dvm1%20or%20name%3Dvm2)": 0,
		"/vms?search=name%3DVM1":                     1,
		"/vms?search=name%3DVM1&case_sensitive":      0,
		"/vms?search=name%3DVM1&case_sensitive=f":    1,
		"/vms;case_sensitive=true?search=name%3DVM1": 0,
		"/v4/vms;max=2": 2,
		"/v3/vms":       8,
		"/vms/":         8,
	} {
		if a := r.with("GET", path, ""); a.status != 200 || a.doc == nil || len(a.doc.children) != want {
			t.Errorf("%s: %d %s, want %d VMs", path, a.status, a.body, want)
		}
	}
	if got := len(r.with("GET", "/datacenters;max=0/"+uuidOf("primary/dc")+"/storagedomains", "").doc.children); got != 1 {
		t.Errorf("a parameter of another segment counts: %d domains", got)
	}
}

// ovirt-engine VersionFilter.java: the path, then the header; a version that is not known is a 400 of the servlet container.
func TestVersions(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	const page = "<html><head><title>Error</title></head><body>Bad Request</body></html>"
	for _, tc := range []struct {
		path, header string
		status       int
	}{{"/vms", "4", 200}, {"/vms", "3", 200}, {"/vms", "5", 400}, {"/v5/vms", "", 400}, {"/v4/vms", "5", 200}, {"/vx/vms", "", 404}} {
		a := r.with("GET", tc.path, "", "Version", tc.header)
		if a.status != tc.status || a.status == 400 && a.body != page {
			t.Errorf("%+v: %d %s", tc, a.status, a.body)
		}
	}
}

// What the REST layer itself refuses has no document (RESTEasy NotFoundException, NotAllowedException, NotAcceptableException,
// NotSupportedException).
func TestAnswersWithoutDocument(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for _, tc := range []struct {
		method, path, body, name, value string
		status                          int
	}{
		{"GET", "/nothing", "", "", "", 404}, {"GET", "/vms/" + uuidOf("x"), "", "", "", 404}, {"DELETE", "/vms", "", "", "", 405}, {"PATCH", "/tags", "", "", "", 405},
		{"GET", "/vms", "", "Accept", "text/plain", 406}, {"POST", "/tags", "x", "Content-Type", "text/plain", 415},
	} {
		var headers []string
		if tc.name != "" {
			headers = []string{tc.name, tc.value}
		}
		a := r.with(tc.method, tc.path, "", headers...)
		if a.status != tc.status || a.body != "" || a.header.Get("Content-Type") != "" || a.header.Get("Correlation-Id") == "" {
			t.Errorf("%+v: %d %v %s", tc, a.status, a.header, a.body)
		}
	}
}

// A header of which nothing is left gives way to the query (ovirt-engine CurrentFilter.java).
func TestCorrelationOfTheQuery(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for _, tc := range [][3]string{{"", "q", "q"}, {"öß", "q", "q"}, {"h", "q", "h"}} {
		if got := r.with("GET", "/vms?correlation_id="+tc[1], "", "Correlation-Id", tc[0]).header.Get("Correlation-Id"); got != tc[2] {
			t.Errorf("%v: %q", tc, got)
		}
	}
	if id := r.with("GET", "/vms", "").header.Get("Correlation-Id"); len(id) != 36 {
		t.Errorf("generated: %q", id)
	}
}

// Documents of any size are compressed for who accepts it (ovirt-engine ovirt-engine-proxy.conf.v2.in).
func TestGzip(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	plain := r.with("GET", "/clusters", "")
	for accepted, want := range map[string]string{"": "", "gzip": "gzip", "deflate, gzip;q=0.5": "gzip", "gzip;q=0": "", "identity": "", "br": ""} {
		a := r.with("GET", "/clusters", "", "Accept-Encoding", accepted)
		if a.header.Get("Content-Encoding") != want || a.header.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%q: %v", accepted, a.header)
		}
		if want == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(a.body))
			r.ok(err)
			text, err := io.ReadAll(z)
			r.ok(err)
			if string(text) != plain.body {
				t.Errorf("%q is something else", accepted)
			}
		}
	}
	if a := r.with("GET", "/jobs", "", "Accept-Encoding", "gzip", "Accept", "application/json"); a.header.Get("Content-Encoding") != "gzip" {
		t.Errorf("a short one is not compressed: %v", a.header)
	}
}

// An action answers with what it got, in the order of the model (ovirt-engine AbstractBackendActionableResource.doAction).
func TestActionEcho(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	body := "<action><vm><name>x</name></vm><reason>why</reason><async>false</async><description>d</description></action>"
	names := func(n *node) string {
		var list []string
		for _, k := range n.children {
			list = append(list, k.name)
		}
		return strings.Join(list, " ")
	}
	a := r.with("POST", "/vms/"+vmID(1)+"/stop", body)
	if a.status != 200 || names(a.doc) != "description async job reason status vm" || a.doc.child("vm").attr("id") != vmID(1) || a.doc.child("vm", "name") != nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	a = r.with("POST", "/vms/"+vmID(1)+"/suspend", body)
	if a.status != 409 || names(a.doc) != "description async fault reason status vm" || a.doc.value("status") != "failed" || a.doc.value("vm", "name") != "x" {
		t.Errorf("%d %s", a.status, a.body)
	}
	// Some actions do not (BackendStorageDomainResource.updateOvfStore).
	path := "/storagedomains/" + dsID + "/updateovfstore"
	if a = r.with("POST", path, body); a.status != 200 || names(a.doc) != "job status" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a = r.with("POST", path, body); a.status != 409 || a.doc.name != "fault" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Who does not wait gets 202 without a document, and never learns of a refusal (ovirt-engine BackendResource.performNonBlockingAction).
func TestAccepted(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 3})
	accepted := func(a answer) {
		t.Helper()
		if a.status != 202 || a.body != "" || a.header.Get("Content-Type") != "" {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	tag := r.with("POST", "/tags", "<tag><name>t</name></tag>").doc.attr("id")
	accepted(r.with("DELETE", "/tags/"+tag+"?async=true", ""))
	if a := r.with("GET", "/tags/"+tag, ""); a.status != 404 {
		t.Errorf("the tag is there: %d", a.status)
	}
	accepted(r.with("DELETE", "/vms/"+vmID(1)+";async", "")) // it runs: refused
	accepted(r.with("DELETE", "/vms/"+vmID(1), "", "X-Ovirt-Expect", "202-accepted"))
	if a := r.with("DELETE", "/vms/"+vmID(1), "", "Expect", "202-accepted"); a.status != 409 {
		t.Errorf("the web server drops Expect: %d", a.status)
	}
	if a := r.with("DELETE", "/vms/"+uuidOf("x")+"?async=true", ""); a.status != 404 {
		t.Errorf("no such VM: %d", a.status)
	}
	accepted(r.with("POST", "/storagedomains/"+dsID+"/updateovfstore?async=true", "<action/>"))
	if a := r.with("POST", "/vms/"+vmID(1)+"/stop?async=true", "<action/>"); a.status != 200 {
		t.Errorf("stop waits for nothing: %d", a.status)
	}
	// What takes long goes on without the client.
	before := r.clock.Now()
	accepted(r.with("DELETE", "/datacenters/"+uuidOf("primary/dc")+"/storagedomains/"+dsID+"?async=true", ""))
	if took := r.clock.Now().Sub(before); took > time.Second {
		t.Errorf("it took %s", took)
	}
}
