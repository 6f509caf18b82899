package lab

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

func TestSearchGrammar(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 12})
	w.Sites[0].VMs[3].Running = false
	w.Sites[0].VMs[4].Description = "web server of vm1"
	w.Sites[0].VMs[5].Description = "colour=red"
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
		{"unknown field is free text with all that follows", "vms", `colour=vm5`, ""},
		{"and found where the text has it", "vms", `colour=red`, "vm6"},
		{"names of columns are no free text", "vms", `name`, ""},
		{"but may begin one", "vms", `names`, ""},
		{"free text that begins like a column, at the end of a condition", "vms", `name=vm2 mem`, ""},
		{"a reference is no beginning of free text", "vms", `template1`, ""},
		{"and binds tighter than or, nothing binds loosest", "vms", `name=vm2 or name=vm3 description="*red*"`, ""},
		{"nothing between means and", "vms", `name=vm2 or name=vm6 description="*red*"`, "vm6"},
		{"a relation in two pieces", "vms", `name ! = vm2 and name=vm3`, ""},
		{"an empty value", "vms", `fqdn=""`, ""},
		{"no value", "vms", `pool!=x and name=vm3`, "vm3"},
		{"null", "vms", `quota=null and name=vm3`, "vm3"},
		{"numbers", "vms", `memory > 1 and memory >= 1024 and memory < 1000000 and name=vm3`, "vm3"},
		{"no number", "vms", `memory > big`, ""},
		{"relation that the column does not have", "vms", `name > a`, ""},
		{"boolean", "vms", `has_illegal_images=false and name=vm3`, "vm3"},
		{"no boolean", "vms", `has_illegal_images=no`, ""},
		{"up since", "vms", `uptime > 00:01 and name=vm3`, "vm3"},
		{"up for so long", "vms", `uptime > 400`, ""},
		{"no time span", "vms", `uptime > x`, ""},
		{"operating system", "vms", `os=rhel_9x64 and name=vm3`, "vm3"},
		{"no operating system", "vms", `os=cpm`, ""},
		{"host of a VM", "vms", `hosts.name=host1a and name=vm1`, "vm1"},
		{"host column", "vms", `on_host=host1a and name=vm1`, "vm1"},
		{"cluster is a column of VMs, no reference", "vms", `clusters.name=Prod`, ""},
		{"vNIC", "vms", `vnic.network_name=lan and name=vm1`, "vm1"},
		{"events of a VM, in one row", "vms", `events.severity=normal and events.type=1`, ""},
		{"free text once for each kind", "vms", `storage=nfs and host=host1a and vm1 and name=vm1`, "vm1"},
		{"free text twice on a reference", "vms", `storage=nfs and storage=ds`, ""},
		{"quoted and unquoted", "vms", `name="vm2"or name=vm3`, "vm2 vm3"},
		{"wildcard alone", "vms?max=1", `name=*`, "vm1"},
		{"underscore is a character", "vms", `name=vm_`, ""},
		{"percent is a character", "vms", `name=vm%`, ""},
		{"sortby without direction", "vms?max=1", `sortby name`, "vm1"},
		{"page without direction before it", "vms?max=1", `sortby name page 2`, ""},
		{"sortby direction page", "vms?max=2", `sortby name asc page 2`, "vm11 vm12"},
		{"sort field is unknown", "vms", `sortby colour`, ""},
		{"page is no number", "vms?max=2", `page x`, ""},
		{"something after the page", "vms?max=2", `page 1 and name=vm1`, ""},
		{"max is nonsense", "vms?max=x", `name=vm3`, "vm3"},
		{"max is a matrix parameter", "vms;max=1", `name=vm*`, "vm1"},
		{"case_sensitive free text", "vms?case_sensitive=true", `SERVER`, ""},
		{"free text ignores case", "vms", `SERVER`, "vm5"},
		{"data center of a domain is a list of patterns", "storagedomains", `datacenter=De*`, ""},
		{"data center of a domain", "storagedomains", `datacenter=default`, "nfs_ds"},
		{"domains refer to hosts", "storagedomains", `hosts.name=host1a`, "nfs_ds"},
		{"domains refer to clusters", "storagedomains", `clusters.name=Prod`, "nfs_ds"},
		{"storage.name is free text on domains", "storagedomains", `storage.name=nfs_ds`, ""},
		{"networks refer to clusters", "networks", `cluster_network.cluster_name=Prod and name=lan`, "lan"},
		{"hosts refer to VMs", "hosts", `vms.name=vm1`, "host1a"},
		{"host by id", "hosts", `id=` + uuidOf("primary/host1b"), "host1b"},
		{"SPM number", "hosts", `spm_id=1`, "host1a"},
		{"data centers refer to networks", "datacenters", `network.name=lan`, "Default"},
		{"clusters refer to data centers", "clusters", `datacenter.name=Default and compatibility_level=4.7`, "Prod"},
		{"templates refer to VMs", "templates", `vm.name=vm1`, "rhel9"},
		{"template by hidden id", "templates", `_vmt_id=` + blankID, "Blank"},
		{"OVF stores are disks", "disks", `disk_content_type=ovf_store`, "OVF_STORE OVF_STORE"},
		{"disks of a VM", "disks", `vm_names=vm3`, "vm3_Disk1"},
		{"disks by size", "disks", `provisioned_size > 1 and alias=vm2_Disk1 and number_of_vms = 1`, "vm2_Disk1"},
		{"disks refer to storage", "disks", `storage.name=nfs_ds and name=vm2_Disk1`, "vm2_Disk1"},
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
	r.want(201, "", "primary", "POST", "/events", "<event><origin>drrun</origin><severity>warning</severity><custom_id>7</custom_id><description>a &amp; b</description><correlation_id>run-1</correlation_id></event>")
	next := r.get("primary", "/events?from="+last)
	if len(next.children) != 1 || next.children[0].value("description") != "a & b" || next.children[0].value("correlation_id") != "run-1" {
		t.Fatalf("%d new events", len(next.children))
	}
	r.want(400, "already exists", "primary", "POST", "/events", "<event><origin>drrun</origin><severity>normal</severity><custom_id>7</custom_id><description>x</description></event>")
	r.want(200, "", "primary", "DELETE", "/events/"+next.children[0].attr("id"), "")
	if n := len(r.get("primary", "/events?search=origin%3Ddrrun").children); n != 0 {
		t.Errorf("a deleted event is found")
	}
}

// TestSearchesOfTheOfficialRole are the expressions that the disaster_recovery role, its scripts and the modules that it uses send.
func TestSearchesOfTheOfficialRole(t *testing.T) {
	t.Parallel()
	const id = "00000000-0000-0000-0000-000000000001"
	for _, tc := range []struct {
		object, search string
		parses         bool
	}{
		{"host", `status=up and datacenter=Default`, true},
		{"host", `status=up`, true},
		{"host", `status=up and storage=nfs_ds`, true},
		{"storage", `status=active`, true},
		{"storage", `type != glance`, true},
		{"storage", `name=nfs_ds and type != glance and type != cinder and status != active`, true},
		{"storage", `name=nfs_ds and ( datacenter=Default and status = active or datacenter=Default and status = inactive )`, false},
		{"storage", `status = active and storage.name=nfs_ds`, true},
		{"vm", `status = up`, true},
		{"vm", "status != down and storage.name=nfs_ds and datacenter=Default\n", true},
		{"vm", `status = down`, true},
		{"disk", `disk_type = lun and number_of_vms =0`, true},
		{"vm", `name="web 01"`, true},
		{"host", `name="host1"`, true},
		{"storage", `name="nfs_ds"`, true},
		{"datacenter", `name="Default"`, true},
		{"cluster", `name="Default"`, true},
		{"template", `name="Blank"`, true},
		{"network", `name="lan"`, true},
		{"host", `status="up"`, true},
		{"datacenter", `storage="nfs_ds"`, true},
		{"vm", `name="web01" and cluster="Prod"`, true},
		{"disk", `disk_type=lun`, true},
		{"cluster", `name=Prod`, true},
		{"template", `name=rhel9 and datacenter=Default`, true},
		{"template", `vm.name=web01`, true},
		{"storage", `name="*"`, true},
		{"event", `type=1152 and vm.id=` + id, true},
		{"event", `type=1158 and message=*rhel9*`, true},
		{"event", `type=885`, true},
		{"event", `type=839 or type=887 and host.name=host1`, true},
		{"event", `type=842 or type=841 or type=888`, true},
		{"event", `type=65 or type=140 or type=166 or type=17`, true},
		{"host", `status=non_responsive`, false},
		{"host", `datacenter=My DC`, true}, // DC becomes free text
		{"event", `time > 2026-01-02`, false},
		{"event", `time > 1/2/2026`, true},
		{"event", `time > "Jan 2, 2026"`, true},
		{"event", `time = today`, true},
		{"event", `severity > normal`, true},
		{"event", `usrid=x`, false},
		{"user", `usrname=admin@internal-authz`, true},
		{"group", `name=x`, true},
		{"pool", `name=x and running_vm_count=3`, true},
	} {
		if _, err := parseSearch(tc.search, searchObjects[tc.object]); (err == nil) != tc.parses {
			t.Errorf("%s: %s: %v", tc.object, tc.search, err)
		}
	}
}

func TestSearchesThatSQLRefuses(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for path, search := range map[string]string{"/vms": "id=x", "/disks": "size > big", "/jobs": "x", "/jobs?": "status=started", "/events": "hosts.name=host1a", "/hosts": "hw_id=7"} {
		r.want(400, "bad SQL grammar", "primary", "GET", strings.TrimSuffix(path, "?")+"?search="+url.QueryEscape(search), "")
	}
}

func TestEventSearches(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	for i, severity := range []string{"normal", "warning", "error", "alert"} {
		r.want(201, "", "primary", "POST", "/events", fmt.Sprintf("<event><origin>drrun</origin><severity>%s</severity><custom_id>%d</custom_id><description>event %d</description><correlation_id>run-%d</correlation_id></event>", severity, i, i, i))
	}
	count := func(search string) int {
		return len(r.get("primary", "/events?search="+url.QueryEscape(search)).children)
	}
	for search, want := range map[string]int{
		"origin=drrun": 4, "origin=drrun and severity > warning": 2, "severity != normal": 3, "custom_event_id=2": 1, "message=event*": 4, "event 2": 0,
		"type=9801": 1, "origin=drrun and type != 9801": 3, "correlation_id=run-2": 1, "correlation_id=run-*": 4, "correlation_id=test-1": 0, "time = today": 6, "time > today and origin=drrun": 4,
		"time < yesterday": 0, "origin=drrun sortby severity desc": 4, "deleted=true": 0, "usrname=admin@internal-authz": 1, "usrname=admin@internal": 0, "host.name=x": 0,
	} {
		if got := count(search); got != want {
			t.Errorf("%s: %d, want %d", search, got, want)
		}
	}
	first := r.get("primary", "/events?max=2&search="+url.QueryEscape("origin=drrun sortby severity desc")).children
	if len(first) != 2 || first[0].value("severity") != "alert" || first[1].value("severity") != "error" {
		t.Errorf("sorted by severity: %d", len(first))
	}
	if newest := r.get("primary", "/events?max=1&search=origin%3Ddrrun").children; len(newest) != 1 || newest[0].value("severity") != "alert" {
		t.Error("the newest event is not the first")
	}
}
