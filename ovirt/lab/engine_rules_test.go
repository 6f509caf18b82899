package lab

import (
	"strings"
	"testing"
	"time"
)

// TestRegistrationLocks: a name and an id are locked while they are registered, for the whole engine (ovirt-engine
// ImportVmCommandBase.getExclusiveLocks); another VM goes on at the same time.
func TestRegistrationLocks(t *testing.T) {
	t.Parallel()
	r := recovered(t, nil)
	done := false
	r.clock.onWait = func() {
		done = true
		for _, tc := range []struct {
			n       int
			members string
			want    string
		}{{1, "", "VM vm1 is being imported."}, {1, "<name>other</name>", "is being imported."}, {2, "<name>vm1</name>", "The VM name is already in use"}} {
			if a := r.register(tc.n, tc.members); a.status != 409 || !strings.Contains(a.body, tc.want) {
				t.Errorf("vm%d %s: %d %s", tc.n, tc.members, a.status, a.body)
			}
		}
		if a := r.register(3, ""); a.status != 200 {
			t.Errorf("another VM: %d %s", a.status, a.body)
		}
	}
	if a := r.register(1, ""); a.status != 200 || !done {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestHARestarts: only those that are highly available and ended by an error, the most important first, with the flag read afresh, and
// again after the engine's own restart (ovirt-engine HaAutoStartVmsRunner).
func TestHARestarts(t *testing.T) {
	t.Parallel()
	world := func() World {
		w := TwoSites(TwoSitesOptions{})
		for i := range w.Sites[0].VMs {
			v := &w.Sites[0].VMs[i]
			v.HA, v.HAPriority, v.PinnedTo = i != 1, 1+i, []string{w.Sites[0].Hosts[1].ID}
		}
		return w
	}
	lose := func(r *rig) {
		r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1b}))
		r.clock.pass(2 * time.Minute)
	}
	statuses := func(r *rig) string {
		var list []string
		for n := 1; n <= 3; n++ {
			list = append(list, r.vmView("primary", n).Status)
		}
		return strings.Join(list, " ")
	}
	r := rigOf(t, world())
	lose(r)
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(3 * time.Minute)
	if got := statuses(r); got != "up down up" {
		t.Error(got)
	}
	var order []string
	for _, v := range r.get("primary", "/events?search=type%3D153").all("event") { // the newest first
		order = append(order, v.child("vm").attr("id"))
	}
	if len(order) != 2 || order[0] != vmID(1) || order[1] != vmID(3) {
		t.Errorf("started in the order %v", order)
	}
	// Somebody switches the flag off before the host is back.
	r = rigOf(t, world())
	lose(r)
	for _, n := range []int{1, 3} {
		r.want(200, "", "primary", "PUT", "/vms/"+vmID(n), "<vm><high_availability><enabled>false</enabled></high_availability></vm>")
	}
	r.ok(r.lab.Heal("primary"))
	r.clock.pass(5 * time.Minute)
	if got := statuses(r); got != "down down down" {
		t.Error("without the flag:", got)
	}
	// What could not be restarted is taken up again, after the flag is back and the engine has restarted.
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), "<vm><high_availability><enabled>true</enabled></high_availability></vm>")
	r.clock.pass(5 * time.Minute)
	if got := statuses(r); got != "down down down" {
		t.Error("nobody looks:", got)
	}
	r.ok(r.lab.Fail(Fault{Kind: FaultEngine, Site: "primary"}))
	r.clock.pass(5 * time.Minute)
	if got := statuses(r); got != "up down down" {
		t.Error("after the engine's start:", got)
	}
	// A power-off is no error.
	r.token["primary"] = ""
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
	r.clock.pass(5 * time.Minute)
	if got := statuses(r); got != "down down down" {
		t.Error("after a stop:", got)
	}
}

// TestGuestAgents: up says nothing of the guest; an agent reports later, some much later, some never, also after a registration.
func TestGuestAgents(t *testing.T) {
	t.Parallel()
	r := recovered(t, func(w *World) { w.Sites[0].VMs[1].AgentDelay = 5 * time.Minute })
	for n := 1; n <= 3; n++ {
		if a := r.register(n, ""); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		r.want(200, "", "secondary", "POST", "/vms/"+vmID(n)+"/start", "<action/>")
	}
	reports := func() string {
		var list []string
		for n := 1; n <= 3; n++ {
			v := r.get("secondary", "/vms/"+vmID(n))
			list = append(list, v.value("status")+" "+v.value("fqdn"))
		}
		return strings.Join(list, ", ")
	}
	r.clock.pass(20 * time.Second)
	if got := reports(); got != "up , up , up " {
		t.Error(got)
	}
	r.clock.pass(time.Minute)
	if got := reports(); got != "up vm1.localdomain, up , up " {
		t.Error(got)
	}
	r.clock.pass(5 * time.Minute)
	if got := reports(); got != "up vm1.localdomain, up vm2.localdomain, up " {
		t.Error(got)
	}
}

// TestCapacityIsTakenAtOnce: what is being started counts already (ovirt-engine SchedulingManager, pending resources).
func TestCapacityIsTakenAtOnce(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{VMs: 4, Hosts: 2})
	p := &w.Sites[0]
	for i := range p.VMs {
		p.VMs[i].Running, p.VMs[i].Memory = false, 4*gib
	}
	p.Hosts[0].Memory, p.Hosts[1].Memory = 8*gib, 4*gib
	r := rigOf(t, w)
	for n := 1; n <= 3; n++ {
		r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/start", "<action/>")
	}
	r.want(409, "internal filter Memory because its available memory is too low (0 MB)", "primary", "POST", "/vms/"+vmID(4)+"/start", "<action/>")
	r.clock.pass(time.Minute)
	on := map[string]int{}
	for n := 1; n <= 3; n++ {
		on[r.vmView("primary", n).Host]++
	}
	if on[host1a] != 2 || on[host1b] != 1 {
		t.Errorf("%v", on)
	}
}

// TestAffinitySchedules: hard rules between VMs, and between VMs and hosts, by group and by label (ovirt-engine
// VmAffinityFilterPolicyUnit, VmToHostAffinityFilterPolicyUnit); soft ones give way.
func TestAffinitySchedules(t *testing.T) {
	t.Parallel()
	rule := func(positive, enforcing bool) AffinityRule {
		return AffinityRule{Enabled: true, Positive: positive, Enforcing: enforcing}
	}
	both := []string{vmID(1), vmID(2)}
	for _, tc := range []struct {
		name  string
		group AffinityGroup
		want  string // where vm2 starts when vm1 is on host1a, or the refusal
	}{
		{"together", AffinityGroup{VMsRule: rule(true, true), VMIDs: both}, host1a},
		{"apart", AffinityGroup{VMsRule: rule(false, true), VMIDs: both}, host1b},
		{"softly together", AffinityGroup{VMsRule: rule(true, false), VMIDs: both}, host1a},
		{"softly apart", AffinityGroup{VMsRule: rule(false, false), VMIDs: both}, host1b},
		{"to a host", AffinityGroup{HostsRule: rule(true, true), VMIDs: both[1:], HostIDs: []string{uuidOf("primary/" + host1a)}}, host1a},
		{"not to a host", AffinityGroup{HostsRule: rule(false, true), VMIDs: both[1:], HostIDs: []string{uuidOf("primary/" + host1b)}}, host1a},
		{"to no host of the cluster", AffinityGroup{HostsRule: rule(true, true), VMIDs: both[1:]}, "did not match positive affinity rules"},
		{"by label", AffinityGroup{HostsRule: rule(true, true), VMLabelIDs: []string{uuidOf("label")}, HostLabelIDs: []string{uuidOf("label")}}, host1b},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := TwoSites(TwoSitesOptions{})
			p := &w.Sites[0]
			p.VMs[0].PinnedTo = []string{p.Hosts[0].ID}
			p.VMs[1].Running, p.VMs[2].Running = false, false
			tc.group.ID, tc.group.Name, tc.group.ClusterID = uuidOf("group"), "group", p.Clusters[0].ID
			p.AffinityGroups = []AffinityGroup{tc.group}
			p.AffinityLabels = []AffinityLabel{{ID: uuidOf("label"), Name: "label", VMIDs: both[1:], HostIDs: []string{p.Hosts[1].ID}}}
			r := rigOf(t, w)
			a := r.call("primary", "POST", "/vms/"+vmID(2)+"/start", "<action/>")
			r.clock.pass(time.Minute)
			if got := r.vmView("primary", 2).Host; got != tc.want && !(a.status == 409 && strings.Contains(a.body, tc.want)) {
				t.Errorf("on %q: %d %s", got, a.status, a.body)
			}
		})
	}
}
