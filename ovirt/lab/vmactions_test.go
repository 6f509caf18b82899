package lab

import (
	"strings"
	"testing"
	"time"
)

// TestVMActions goes through the statuses of each action on a VM, and what is refused in between (ovirt-engine HibernateVmCommand,
// RebootVmCommand, ResetVmCommand, MigrateVmCommand, CancelMigrateVmCommand, StopVmCommandBase).
func TestVMActions(t *testing.T) {
	t.Parallel()
	type step struct {
		action, body string
		status       int
		fragment     string
		pass         time.Duration
		want         string // status afterwards
	}
	for _, tc := range []struct {
		name  string
		steps []step
	}{
		{"suspend and resume", []step{
			{"suspend", "<action/>", 200, "complete", 0, "saving_state"},
			{"suspend", "<action/>", 409, "VM is hibernating", 0, "saving_state"},
			{"stop", "<action/>", 409, "VM is in saving/restoring state", 0, "saving_state"},
			{"start", "<action/>", 409, "VM is hibernating", 11 * time.Second, "suspended"},
			{"suspend", "<action/>", 409, "VM is not up", 0, "suspended"},
			{"start", "<action/>", 200, "complete", 4 * time.Second, "restoring_state"},
			{"shutdown", "<action/>", 409, "VM is in saving/restoring state", 20 * time.Second, "up"},
		}},
		{"reboot", []step{
			{"reboot", "<action/>", 200, "complete", 0, "reboot_in_progress"},
			{"reboot", "<action/>", 409, "because the VM is in Reboot in Progress status", 16 * time.Second, "up"},
			{"reset", "<action/>", 200, "complete", 0, "up"},
		}},
		{"migrate", []step{
			{"migrate", "<action/>", 200, "complete", 0, "migrating"},
			{"migrate", "<action/>", 409, "VM migration is in progress", 0, "migrating"},
			{"reboot", "<action/>", 409, "because the VM is in Migrating status", 21 * time.Second, "up"},
			{"cancelmigration", "<action/>", 409, "Cannot cancel migration for non migrating VM", 0, "up"},
			{"migrate", `<action><host><name>host1a</name></host></action>`, 200, "complete", 0, "migrating"},
			{"cancelmigration", "<action/>", 200, "complete", 30 * time.Second, "up"},
		}},
		{"migrate to where it is", []step{
			{"migrate", `<action><host><name>host1a</name></host></action>`, 409, "The host host1a did not satisfy internal filter Migration because it currently hosts the VM.", 0, "up"},
			{"migrate", `<action><host><name>nobody</name></host></action>`, 404, "Entity not found", 0, "up"},
		}},
		{"a VM that is down", []step{
			{"stop", "<action/>", 200, "complete", 3 * time.Second, "down"},
			{"stop", "<action/>", 200, "complete", 0, "down"},
			{"shutdown", "<action/>", 200, "complete", 0, "down"},
			{"reset", "<action/>", 409, "because the VM is in Down status", 0, "down"},
			{"migrate", "<action/>", 409, "VM is not running", 0, "down"},
			{"start", "<action/>", 200, "complete", time.Second, "wait_for_launch"},
			{"suspend", "<action/>", 409, "because the VM is in Wait for Launch status", 0, "wait_for_launch"},
			{"start", "<action/>", 409, "because the VM is in Wait for Launch status", 0, "wait_for_launch"},
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, TwoSitesOptions{})
			for n, s := range tc.steps {
				r.want(s.status, s.fragment, "primary", "POST", "/vms/"+vmID(1)+"/"+s.action, s.body)
				r.clock.pass(s.pass)
				if got := r.get("primary", "/vms/"+vmID(1)).value("status"); got != s.want {
					t.Fatalf("step %d: after %s the VM is %s, want %s", n, s.action, got, s.want)
				}
			}
			r.violations()
		})
	}
}

// TestMigrationMovesTheVM: the guest writes on, the host changes, and a VM that is down already says so in an event.
func TestMigrationMovesTheVM(t *testing.T) {
	t.Parallel()
	r := newRig(t, TwoSitesOptions{})
	before, count := r.vmView("primary", 1).Host, r.counter("primary", 1)
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/migrate", "<action/>")
	r.clock.pass(time.Minute)
	if v := r.vmView("primary", 1); v.Host == before || !v.Running || r.counter("primary", 1) <= count || r.events("primary", "63") != 1 {
		t.Errorf("on %s, was on %s", v.Host, before)
	}
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
	r.clock.pass(time.Minute)
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
	if r.events("primary", "254") != 1 {
		t.Error("no event about a stop that was skipped")
	}
	// Where it goes breaks down: it stays where it was.
	r.want(200, "", "primary", "POST", "/vms/"+vmID(2)+"/migrate", "<action/>")
	from := r.vmView("primary", 2).Host
	other := map[string]string{host1a: host1b, host1b: host1a}[from]
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: other}))
	r.clock.pass(time.Minute)
	if v := r.vmView("primary", 2); v.Status != "up" || v.Host != from || r.events("primary", "65") != 1 {
		t.Errorf("after a failed migration: %s on %s", v.Status, v.Host)
	}
}

// TestPreview: what a snapshot in preview stands in the way of, and how it ends (ovirt-engine TryBackToAllSnapshotsOfVmCommand,
// RestoreAllSnapshotsCommand).
func TestPreview(t *testing.T) {
	t.Parallel()
	w := TwoSites(TwoSitesOptions{})
	w.Sites[0].VMs[1].Preview = true
	r := rigOf(t, w)
	vm := "/vms/" + vmID(2)
	if k := len(r.get("primary", vm+"/snapshots").children); k != 3 {
		t.Errorf("%d snapshots in a preview", k)
	}
	r.want(409, "VM is previewing a Snapshot", "primary", "POST", vm+"/suspend", "<action/>")
	r.want(409, "because the VM is in Up status", "primary", "POST", vm+"/undosnapshot", "<action/>")
	r.want(200, "", "primary", "POST", vm+"/stop", "<action/>")
	r.clock.pass(time.Minute)
	regular := uuidOf(vmID(2) + "/snapshot/regular")
	preview := `<action><snapshot id="` + regular + `"/></action>`
	r.want(409, "VM is previewing a Snapshot", "primary", "POST", vm+"/previewsnapshot", preview)
	r.want(400, "snapshot.id", "primary", "POST", vm+"/previewsnapshot", "<action/>")
	r.want(200, "", "primary", "POST", vm+"/undosnapshot", "<action/>")
	r.want(409, "Related operation is currently in progress", "primary", "POST", vm+"/start", "<action/>")
	r.clock.pass(10 * time.Second)
	if s := r.get("primary", vm).value("status"); s != "down" {
		t.Errorf("after the undo: %s", s)
	}
	r.want(400, "VM's Snapshot does not exist", "primary", "POST", vm+"/commitsnapshot", "<action/>")
	r.want(400, "VM's Snapshot does not exist", "primary", "POST", vm+"/previewsnapshot", `<action><snapshot id="`+blankID+`"/></action>`)
	r.want(400, "Cannot preview Active VM snapshot", "primary", "POST", vm+"/previewsnapshot", `<action><snapshot id="`+uuidOf(vmID(2)+"/snapshot/active")+`"/></action>`)
	r.want(409, "not down", "primary", "POST", "/vms/"+vmID(1)+"/previewsnapshot", preview)
}

// TestSchedulingTexts: which filter takes which host away, in the engine's words (ovirt-engine SchedulingManager, PinToHostPolicyUnit,
// MemoryPolicyUnit, CompatibilityVersionFilterPolicyUnit, VmLeasesReadyFilterPolicyUnit).
func TestSchedulingTexts(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		edit   func(*Site, *VM)
		status int
		want   string
	}{
		{"memory", func(s *Site, v *VM) { v.Memory = 1024 * gib }, 409,
			"The host host1a did not satisfy internal filter Memory because its available memory is too low (262144 MB) to run the VM., The host host1b did not satisfy internal filter Memory"},
		{"pinned to one without memory", func(s *Site, v *VM) { v.PinnedTo = []string{s.Hosts[1].ID}; s.Hosts[1].Memory = gib / 2 }, 409,
			"The host host1a did not satisfy internal filter PinToHost because the host is not present in the pinning list.., The host host1b did not satisfy internal filter Memory because its available memory is too low (512 MB)"},
		{"level", func(s *Site, v *VM) {
			v.CustomVersion = "4.7"
			s.Hosts[0].Levels, s.Hosts[1].Levels = []string{"4.5", "4.6"}, []string{"4.6"}
		}, 409, "Compatibility-Version because it doesn't support compatibility version '4.7' which is required by the VM. Host supported compatibility versions are: 4.5,4.6."},
		{"level older than the data center", func(s *Site, v *VM) { v.CustomVersion = "4.3" }, 409,
			"The Custom Compatibility Version of VM vm2 (4.3) is not supported in Data Center compatibility version 4.7."},
		{"no disk", func(s *Site, v *VM) { v.Disks = nil }, 409, "without at least one bootable disk"},
		{"not a VM network", func(s *Site, v *VM) { s.Networks[0].VM = false }, 409, "The following networks (lan) are not defined as VM networks."},
		{"network not in the cluster", func(s *Site, v *VM) { s.Clusters[0].NetworkIDs = nil }, 409, "The following networks (lan) are not defined in the cluster."},
		{"no cluster host", func(s *Site, v *VM) { s.Hosts = nil }, 400, "There are no hosts to use"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := TwoSites(TwoSitesOptions{})
			w.Sites[0].VMs[1].Running = false
			w.Sites[0].VMs[0].Running, w.Sites[0].VMs[2].Running = false, false
			tc.edit(&w.Sites[0], &w.Sites[0].VMs[1])
			r := rigOf(t, w)
			a := r.call("primary", "POST", "/vms/"+vmID(2)+"/start", "<action/>")
			if a.status != tc.status || !strings.Contains(strings.ReplaceAll(a.body, "&#39;", "'"), tc.want) {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
