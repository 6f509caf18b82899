package lab

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLoginRefusals(t *testing.T) {
	t.Parallel()
	good := func() url.Values {
		return url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {PrimaryUsername}, "password": {PrimaryPassword}}
	}
	with := func(name, value string) url.Values {
		v := good()
		v.Set(name, value)
		return v
	}
	for _, tc := range []struct {
		name   string
		form   url.Values
		accept string
		status int
		want   string
	}{
		{"good", good(), "application/json", 200, `"token_type":"bearer"`},
		{"accept is compared for equality", good(), "application/json, */*", 400, `"error_code":"invalid_request"`},
		{"wrong password", with("password", "x"), "application/json", 400, `"error_code":"access_denied"`},
		{"unknown user", with("username", "root@internal"), "application/json", 400, `"error_code":"access_denied"`},
		{"no profile", with("username", "admin"), "application/json", 400, "No valid profile"},
		{"unknown profile", with("username", "admin@ldap"), "application/json", 400, "'admin@ldap': No valid profile found in credentials.."},
		{"grant type", with("grant_type", "implicit"), "application/json", 400, "unsupported_grant_type"},
		{"scope", with("scope", "other"), "application/json", 200, `"scope":"other"`}, // it is no good for the API
		{"empty password", with("password", ""), "application/json", 400, "access_denied"},
		{"no password", url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {PrimaryUsername}}, "application/json", 400,
			`{"error_code":"invalid_request","error":"Missing parameter: 'password'"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{})
			a := r.do(tokenRequest(t, "primary", tc.form, tc.accept))
			if a.status != tc.status || !strings.Contains(a.body, tc.want) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}

func TestSessions(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for range 3 { // each request keeps the session alive
		r.get("primary", "/vms")
		r.clock.pass(29 * time.Minute)
	}
	r.get("primary", "/vms")
	r.clock.pass(31 * time.Minute)
	unauthorized := func() {
		t.Helper()
		a := r.call("primary", "GET", "/vms", "")
		if a.status != 401 || !strings.Contains(a.header.Get("Content-Type"), "text/html") || a.header.Get("WWW-Authenticate") == "" {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	unauthorized()
	r.login("primary")
	r.get("primary", "/vms")
	r.lab.ExpireTokens("primary")
	unauthorized()
	r.login("primary")
	r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "primary"}))
	if a := r.call("primary", "GET", "/vms", ""); a.err == nil {
		t.Error("an engine that restarts answers")
	}
	r.clock.pass(time.Minute)
	unauthorized()
	// Basic works too; a token of the other engine does not.
	req, _ := http.NewRequest("GET", PrimaryURL+"/datacenters", nil)
	req.SetBasicAuth(PrimaryUsername, PrimaryPassword)
	if a := r.do(req); a.status != 200 {
		t.Errorf("basic: %d", a.status)
	}
	r.login("secondary")
	r.token["primary"] = r.token["secondary"]
	unauthorized()
	// Logout answers 200 for anything.
	out, _ := http.NewRequest("POST", strings.TrimSuffix(SecondaryURL, "/api")+"/services/sso-logout", strings.NewReader("scope=&token="))
	out.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a := r.do(out); a.status != 200 || a.body != "{}" {
		t.Errorf("logout %d %s", a.status, a.body)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	host, dc := uuidOf("secondary/host2a"), uuidOf("secondary/dc")
	nowhere := uuidOf("nowhere")
	taken := func(r *rig) { r.ok(r.lab.Promote("nfs_ds")); r.takeOver() }
	registered := func(r *rig) { taken(r); r.registerAll(3) }
	base := "/storagedomains/" + dsID
	for _, tc := range []struct {
		name               string
		setup              func(*rig)
		site, method, path string
		body               string
		status             int
		want               string
	}{
		{"path unknown", nil, "primary", "GET", "/nothing", "", 404, ""},
		{"object unknown", nil, "primary", "GET", "/vms/" + nowhere, "", 404, ""},
		{"unknown element", nil, "secondary", "POST", "/storagedomains", `<storage_domain><nmae>x</nmae></storage_domain>`, 400, "unknown element nmae"},
		{"not XML", nil, "secondary", "POST", "/storagedomains", `<storage_domain>`, 400, "syntactically incorrect"},
		{"wrong root", nil, "primary", "POST", "/vms/" + vmID(1) + "/start", `<vm/>`, 400, "expected element action"},
		{"bad boolean", nil, "primary", "POST", "/vms/" + vmID(1) + "/start", `<action><pause>yes</pause></action>`, 400, "Invalid value"},
		{"unknown link to follow", nil, "primary", "GET", "/vms?follow=vms.vm", "", 500, "<html>"},
		{"import without host", nil, "secondary", "POST", "/storagedomains", `<storage_domain><type>data</type></storage_domain>`, 400, "StorageDomain [host.id|name] required for add"},
		{"import with unknown host", nil, "secondary", "POST", "/storagedomains", importBody(nowhere, replicaExport, ""), 400, "Invalid Host Id"},
		{"import of a bad type", nil, "secondary", "POST", "/storagedomains", strings.Replace(importBody(host, replicaExport, ""), "<type>nfs", "<type>smb", 1), 400, "Invalid value"},
		{"import from no export", nil, "secondary", "POST", "/storagedomains", importBody(host, arrayAddress+":/none", ""), 400, "mount target"},
		{"import of a replica", nil, "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID), 400, "Permission settings"},
		{"import of another id", func(r *rig) { r.ok(r.lab.Promote("nfs_ds")) }, "secondary", "POST", "/storagedomains", importBody(host, replicaExport, nowhere), 500, "General command validation failure"},
		{"import over a known connection", taken, "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID), 409, "already exists for nfs_ds"},
		{"import, name in use", func(r *rig) {
			r.ok(r.lab.Promote("nfs_ds"))
			r.want(200, "", "secondary", "PUT", "/storagedomains/"+uuidOf("domain/recovery_local"), `<storage_domain><name>nfs_ds</name></storage_domain>`)
		}, "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID), 409, "name is already in use"},
		{"attach of an unknown domain", nil, "secondary", "POST", "/datacenters/" + dc + "/storagedomains", `<storage_domain id="` + nowhere + `"/>`, 400, "doesn't exist"},
		{"attach twice", taken, "secondary", "POST", "/datacenters/" + dc + "/storagedomains", `<storage_domain id="` + dsID + `"/>`, 409, "is inaccessible"},
		{"activate an active domain", taken, "secondary", "POST", "/datacenters/" + dc + "/storagedomains/" + dsID + "/activate", "<action/>", 409, "status is Active"},
		{"detach an active domain", taken, "secondary", "DELETE", "/datacenters/" + dc + "/storagedomains/" + dsID, "", 409, "status is Active"},
		{"deactivate under running VMs", nil, "primary", "POST", "/datacenters/" + uuidOf("primary/dc") + "/storagedomains/" + dsID + "/deactivate", "<action/>", 409, "VMs in a state other than"},
		{"remove an attached domain", taken, "secondary", "DELETE", base + "?host=" + host, "", 409, "status is Active"},
		{"remove without host", taken, "secondary", "DELETE", base, "", 400, "host parameter is missing"},
		{"destroy an active domain", taken, "secondary", "DELETE", base + "?destroy=true", "", 409, "status is Active"},
		{"unregistered VM alone", taken, "secondary", "GET", base + "/vms/" + vmID(1), "", 404, ""},
		{"register unknown VM", taken, "secondary", "POST", base + "/vms/" + nowhere + "/register", "<action/>", 500, "General command validation failure"},
		{"register again", registered, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", registerBody(""), 409, "create duplicates in target MAC pool"},
		{"register without cluster", taken, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", "<action/>", 400, "relevant Cluster doesn't exist"},
		{"register to an unknown cluster", taken, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", "<action><cluster><name>None</name></cluster></action>", 404, "Entity not found: None"},
		{"register before its template", taken, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", registerBody(""), 400, "relevant Template doesn't exist"},
		{"mapping without source", taken, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", "<action><registration_configuration><cluster_mappings><registration_cluster_mapping><to><name>Recovery</name></to></registration_cluster_mapping></cluster_mappings></registration_configuration></action>", 400, "Cluster name is missing from source"},
		{"mapping twice", taken, "secondary", "POST", base + "/vms/" + vmID(1) + "/register", "<action><registration_configuration><cluster_mappings>" + strings.Repeat("<registration_cluster_mapping><from><name>Prod</name></from><to><name>Recovery</name></to></registration_cluster_mapping>", 2) + "</cluster_mappings></registration_configuration></action>", 500, "<html>"},
		{"register template again", registered, "secondary", "POST", base + "/templates/" + rhelID + "/register", "<action/>", 409, "already exists"},
		{"start a running VM", nil, "primary", "POST", "/vms/" + vmID(1) + "/start", "<action/>", 409, "because the VM is in Up status"},
		{"start with two ways", nil, "primary", "POST", "/vms/" + vmID(1) + "/start", "<action><use_cloud_init>true</use_cloud_init><use_sysprep>true</use_sysprep></action>", 409, "At most one"},
		{"start without hosts", func(r *rig) {
			registered(r)
			r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: "host2b"}))
			r.lab.engine("secondary").host(host).status = "maintenance"
		}, "secondary", "POST", "/vms/" + vmID(1) + "/start", "<action/>", 400, "no hosts to use"},
		{"start over a domain in maintenance", func(r *rig) { registered(r); r.lab.engine("secondary").domain(dsID).status = "maintenance" }, "secondary", "POST", "/vms/" + vmID(1) + "/start", "<action/>", 409, "status is Maintenance"},
		{"change an id", nil, "primary", "PUT", "/vms/" + vmID(1), `<vm id="` + vmID(2) + `"/>`, 400, "immutab"},
		{"vm name in use", nil, "primary", "PUT", "/vms/" + vmID(1), "<vm><name>vm2</name></vm>", 409, "already in use"},
		{"nic to an unknown profile", nil, "primary", "PUT", "/vms/" + vmID(1) + "/nics/" + uuidOf("vm/vm1/nic1"), `<nic><vnic_profile id="` + nowhere + `"/></nic>`, 400, "does not exist"},
		{"nic with a used MAC", nil, "primary", "PUT", "/vms/" + vmID(1) + "/nics/" + uuidOf("vm/vm1/nic1"), `<nic><mac><address>56:6F:01:00:00:01</address></mac></nic>`, 409, "already in use"},
		{"delete a running VM", nil, "primary", "DELETE", "/vms/" + vmID(1), "", 409, "is running"},
		{"update the store of an unattached domain", func(r *rig) {
			r.ok(r.lab.Promote("nfs_ds"))
			r.want(201, "", "secondary", "POST", "/storagedomains", importBody(host, replicaExport, dsID))
		}, "secondary", "POST", base + "/updateovfstore", "<action/>", 409, "status is Unattached"},
		{"delete a used connection", nil, "secondary", "DELETE", "/storageconnections/" + uuidOf("secondary/connection/"+recoveryAddress+":/recovery_local"), "", 409, "used by"},
		{"label twice", func(r *rig) {
			r.want(201, "", "primary", "POST", "/affinitylabels", "<affinity_label><name>drrun.1</name></affinity_label>")
		}, "primary", "POST", "/affinitylabels", "<affinity_label><name>drrun.1</name></affinity_label>", 409, "conflicting NAME"},
		{"label with an odd name", nil, "primary", "POST", "/affinitylabels", "<affinity_label><name>a b</name></affinity_label>", 400, "Only letters, numbers"},
		{"event of the engine's own origin", nil, "primary", "POST", "/events", "<event><origin>OVIRT</origin><severity>normal</severity><custom_id>1</custom_id><description>x</description></event>", 400, "Illegal Origin"},
		{"malformed id in a search", nil, "primary", "GET", "/vms?search=id%3D12", "", 400, "invalid input syntax"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{})
			if tc.setup != nil {
				if tc.site == "secondary" {
					r.get("primary", "")
					r.ok(r.lab.Disaster("primary"))
				}
				tc.setup(r)
			}
			before := len(r.lab.Log())
			r.want(tc.status, tc.want, tc.site, tc.method, tc.path, tc.body)
			for _, e := range r.lab.Log()[before:] {
				if e.Effect != "" {
					t.Errorf("a refused request had the effect %q", e.Effect)
				}
			}
			r.violations()
		})
	}
}

func TestRefusedActionsCarryTheFault(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	a := r.want(409, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action><pause>false</pause></action>")
	if a.doc.name != "action" || a.doc.value("status") != "failed" || a.doc.value("fault", "reason") != "Operation Failed" || a.doc.value("pause") != "false" ||
		!strings.HasPrefix(a.doc.value("fault", "detail"), "[") {
		t.Errorf("%s", a.body)
	}
	a = r.want(400, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action><pause>perhaps</pause></action>")
	if a.doc.name != "fault" {
		t.Errorf("a parameter error is a bare fault: %s", a.body)
	}
}
