package lab

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// send sends a request with headers as name, value pairs, and with a token where it has no Authorization.
func (r *rig) send(site, method, path, body string, headers ...string) answer {
	r.t.Helper()
	if r.token[site] == "" {
		r.login(site)
	}
	req, err := http.NewRequest(method, siteURL(site)+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.token[site])
	for i := 0; i+1 < len(headers); i += 2 {
		if headers[i+1] == "" {
			req.Header.Del(headers[i])
			continue
		}
		req.Header.Set(headers[i], headers[i+1])
	}
	return r.do(req)
}

func TestJSONForm(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, in, want string }{
		{"own members, base members, href and id",
			`<vm href="/x" id="1"><actions><link href="/x/start" rel="start"/></actions><name>a</name><description></description><link href="/x/nics" rel="nics"/><memory>1024</memory><run_once>false</run_once></vm>`,
			`{
  "memory" : "1024",
  "run_once" : "false",
  "actions" : {
    "link" : [ {
      "href" : "/x/start",
      "rel" : "start"
    } ]
  },
  "name" : "a",
  "description" : "",
  "link" : [ {
    "href" : "/x/nics",
    "rel" : "nics"
  } ],
  "href" : "/x",
  "id" : "1"
}`},
		{"an empty list has no member", `<vms></vms>`, `{ }`},
		{"one object is a list too", `<vms><vm id="1"/></vms>`, "{\n  \"vm\" : [ {\n    \"id\" : \"1\"\n  } ]\n}"},
		{"dates are milliseconds", `<event><time>1970-01-01T00:00:01.500Z</time></event>`, "{\n  \"time\" : 1500\n}"},
		{"decimals are numbers", `<value><datum>3.5</datum></value>`, "{\n  \"datum\" : 3.5\n}"},
		{"strings in a list", `<network><usages><usage>vm</usage><usage>display</usage></usages></network>`,
			"{\n  \"usages\" : {\n    \"usage\" : [ \"vm\", \"display\" ]\n  }\n}"},
		{"an empty list inside an object", `<network><usages/></network>`, "{\n  \"usages\" : { }\n}"},
		{"a summary is no list", `<summary><vms><active>1</active><total>2</total></vms></summary>`,
			"{\n  \"vms\" : {\n    \"active\" : \"1\",\n    \"total\" : \"2\"\n  }\n}"},
		{"escapes", "<a><b>\"\\ü/\n\u0001</b></a>", "{\n  \"b\" : \"\\\"\\\\ü/\\n\uFFFD\"\n}"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			doc, err := parseXML([]byte(strings.ReplaceAll(tc.in, "\u0001", "\uFFFD")))
			if err != nil {
				t.Fatal(err)
			}
			if got := string(asJSON(doc)); got != tc.want {
				t.Errorf("got\n%s\nwant\n%s", got, tc.want)
			}
		})
	}
}

// TestEveryDocumentAsJSON reads collections as XML and as JSON, which must tell the same.
func TestEveryDocumentAsJSON(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{VMs: 3})
	for _, path := range []string{"", "/vms", "/vms/" + vmID(1), "/vms?follow=nics,disk_attachments.disk", "/hosts", "/hosts?follow=statistics", "/clusters", "/datacenters",
		"/storagedomains", "/disks", "/networks", "/vnicprofiles", "/templates", "/events", "/jobs", "/macpools", "/domains", "/storageconnections"} {
		xml := r.get("primary", path)
		a := r.send("primary", "GET", path, "", "Accept", "application/json")
		if a.status != 200 || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, a.status, a.header.Get("Content-Type"))
			continue
		}
		if !json.Valid([]byte(a.body)) {
			t.Errorf("%s: not JSON:\n%s", path, a.body)
			continue
		}
		back, err := parseJSON(xml.name, []byte(a.body))
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if path == "" { // the time goes on
			xml.children, back.children = without(xml.children, "time"), without(back.children, "time")
		}
		if x, j := string(asJSON(xml)), string(asJSON(back)); scalars(x) != scalars(j) {
			t.Errorf("%s: XML and JSON differ", path)
		}
	}
}

// scalars cuts the numbers out, which have another form after a way through JSON (dates).
func scalars(s string) int { return strings.Count(s, " : ") }

func without(list []*node, name string) []*node {
	var rest []*node
	for _, n := range list {
		if n.name != name {
			rest = append(rest, n)
		}
	}
	return rest
}

func TestJSONRequests(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 2})
	w.Sites[0].VMs[0].Running = false
	r := rigOf(t, w)
	both := []string{"Accept", "application/json", "Content-Type", "application/json; charset=utf-8"}
	a := r.send("primary", "POST", "/events", `{"origin":"drrun","severity":"normal","custom_id":7,"description":"a \"b\"","vm":{"id":"`+vmID(1)+`"},"host":null}`, both...)
	if a.status != 201 || !strings.Contains(a.body, `"description" : "a \"b\""`) || !strings.Contains(a.body, `"custom_id" : "7"`) {
		t.Errorf("event: %d %s", a.status, a.body)
	}
	a = r.send("primary", "POST", "/vms/"+vmID(1)+"/start", `{"async":"false","pause":false,"vm":{"name":"x"}}`, both...)
	if a.status != 200 || !strings.Contains(a.body, `"pause" : "false"`) || !strings.Contains(a.body, `"status" : "complete"`) {
		t.Errorf("start: %d %s", a.status, a.body)
	}
	// Faults have the form that the client asked for, inside an action too.
	a = r.send("primary", "POST", "/vms/"+vmID(1)+"/start", `{}`, both...)
	if a.status != 409 || !strings.Contains(a.body, `"fault" : {`) || !strings.Contains(a.body, `"status" : "failed"`) {
		t.Errorf("second start: %d %s", a.status, a.body)
	}
	for body, why := range map[string]string{`{"origin":`: "cut off", `[]`: "no object", `{} {}`: "two documents", `{"colour":"red"}`: "unknown member", ``: "empty"} {
		if a := r.send("primary", "POST", "/events", body, both...); a.status != 400 || !strings.Contains(a.body, `"reason" : "Request syntactically incorrect."`) {
			t.Errorf("%s: %d %s", why, a.status, a.body)
		}
	}
	if a := r.send("primary", "POST", "/events", `{"origin":"drrun"}`, both...); a.status != 400 || !strings.Contains(a.body, `"reason" : "Incomplete parameters"`) {
		t.Errorf("incomplete: %d %s", a.status, a.body)
	}
}

func TestNegotiation(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for _, tc := range []struct {
		accept, query, want string
	}{
		{"", "", "application/xml"},
		{"*/*", "", "application/xml"},
		{"application/xml", "", "application/xml"},
		{"application/xml; detail=statistics", "", "application/xml"},
		{"application/json", "", "application/json"},
		{"text/html, application/json;q=0.9, */*;q=0.1", "", "application/json"},
		{"application/xml;q=0.5, application/json", "", "application/json"},
		{"application/*", "", "application/xml"},
		{"application/xml", "?accept=application/json", "application/json"},
	} {
		a := r.send("primary", "GET", "/vms/"+vmID(1)+tc.query, "", "Accept", tc.accept)
		if got, _, _ := strings.Cut(a.header.Get("Content-Type"), ";"); a.status != 200 || got != tc.want {
			t.Errorf("Accept %q %s: %d %s, want %s", tc.accept, tc.query, a.status, got, tc.want)
		}
	}
	for _, accept := range []string{"text/plain", "application/json;q=0"} {
		if a := r.send("primary", "GET", "/vms", "", "Accept", accept); a.status != 406 {
			t.Errorf("Accept %q: %d", accept, a.status)
		}
	}
}
