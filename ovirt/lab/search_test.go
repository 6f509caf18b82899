package lab

import (
	"net/url"
	"strings"
	"testing"
)

func TestSearchGrammar(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 12})
	w.Sites[0].VMs[3].Running = false
	w.Sites[0].VMs[4].Description = "web server of vm1"
	r := rigOf(t, w)
	for _, tc := range []struct{ name, path, search, want string }{
		{"by name", "vms", `name=vm2`, "vm2"},
		{"names are case-insensitive", "vms", `name="VM2"`, "vm2"},
		{"case_sensitive", "vms?case_sensitive=true", `name="VM2"`, ""},
		{"wildcard", "vms", `name="vm1*"`, "vm1 vm10 vm11 vm12"},
		{"not equal", "vms", `name!=vm* and status=up`, ""},
		{"status", "vms", `status = down`, "vm4"},
		{"enumerations have no underscores", "vms", `status=powering_up`, ""},
		{"known enumeration value without match", "vms", `status=poweringup`, ""},
		{"and binds tighter than or", "vms", `name=vm4 and status=up or name=vm2`, "vm2"},
		{"and without the word", "vms", `name=vm4 status=down`, "vm4"},
		{"by id", "vms", `id=` + vmID(3) + ` or id=` + vmID(5), "vm3 vm5"},
		{"free text is a substring over several columns", "vms", `server`, "vm5"},
		{"free text twice", "vms", `server vm5`, ""},
		{"parentheses are free text", "vms", `(status=up)`, ""},
		{"group of words", "vms", `name=vm2 and ( status = up or status = down )`, ""},
		{"quote", "vms", `name='vm2'`, ""},
		{"semicolon", "vms", `name="vm2;"`, ""},
		{"embedded quote", "vms", `name="v"m2"`, ""},
		{"trailing backslash", "vms", `name="vm2\"`, ""},
		{"dangling and", "vms", `name=vm2 and`, ""},
		{"dangling operator", "vms", `name=`, ""},
		{"unknown field is free text", "vms", `colour=vm5`, "vm5"},
		{"reference with a field", "vms", `storage.name=nfs_ds and name=vm2`, "vm2"},
		{"reference with an unknown value", "vms", `storage.name=nfs`, ""},
		{"reference without a field is a substring", "vms", `storage=nfs and name=vm2`, "vm2"},
		{"template reference", "vms", `template.name=rhel9 and name=vm7`, "vm7"},
		{"sortby", "vms?max=2", `name=vm* sortby name desc`, "vm9 vm8"},
		{"page", "vms?max=3", `name=vm* page 2`, "vm12 vm2 vm3"},
		{"page 2 without max", "vms", `name=vm* page 2`, ""},
		{"max", "vms?max=1", `status=up`, "vm1"},
		{"hosts", "hosts", `status=up and datacenter=Default`, "host1a host1b"},
		{"hosts with an underscore", "hosts", `status=non_responsive`, ""},
		{"storage domains", "storagedomains", `type != glance and status=active`, "nfs_ds"},
		{"id of storage domains is free text", "storagedomains", `id=` + dsID, ""},
		{"data centers", "datacenters", `name="Default"`, "Default"},
		{"clusters", "clusters", `name=Prod`, "Prod"},
		{"templates", "templates", `name="rhel9" and datacenter=Default`, "rhel9"},
		{"networks", "networks", `name=lan`, "lan"},
		{"disks", "disks", `alias=vm2_Disk1`, "vm2_Disk1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			sep := "?"
			if strings.Contains(tc.path, "?") {
				sep = "&"
			}
			var got []string
			for _, n := range r.get("primary", "/"+tc.path+sep+"search="+url.QueryEscape(tc.search)).children {
				got = append(got, n.value("name"))
			}
			if s := strings.Join(got, " "); s != tc.want {
				t.Errorf("%s: got %q, want %q", tc.search, s, tc.want)
			}
		})
	}
}

func TestEventsFeed(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	one := r.get("primary", "/events?max=1")
	if len(one.children) != 1 || one.children[0].value("index") == "" {
		t.Fatalf("events?max=1 has %d", len(one.children))
	}
	last := one.children[0].attr("id")
	r.want(201, "", "primary", "POST", "/events", "<event><origin>drrun</origin><severity>warning</severity><custom_id>7</custom_id><description>a &amp; b</description></event>")
	next := r.get("primary", "/events?from="+last)
	if len(next.children) != 1 || next.children[0].value("description") != "a & b" || next.children[0].value("correlation_id") != "test-1" {
		t.Fatalf("%d new events", len(next.children))
	}
	r.want(400, "already exists", "primary", "POST", "/events", "<event><origin>drrun</origin><severity>normal</severity><custom_id>7</custom_id><description>x</description></event>")
	r.want(200, "", "primary", "DELETE", "/events/"+next.children[0].attr("id"), "")
	if n := len(r.get("primary", "/events?search=origin%3Ddrrun").children); n != 0 {
		t.Errorf("a deleted event is found")
	}
}
