package lab

import (
	"strings"
	"testing"
	"time"
)

// occupied is the two-site world with one change of its first VM, up unless the change says otherwise.
func occupied(t *testing.T, change func(v *VM)) *rig {
	t.Helper()
	w := TwoSites(TwoSitesOptions{})
	site, _ := w.Site("primary")
	change(&site.VMs[0])
	return rigOf(t, w)
}

// emptied shuts down what runs on the primary.
func (r *rig) emptied() {
	r.t.Helper()
	for n := 1; n <= 3; n++ {
		if r.vmView("primary", n).Status == "up" {
			r.want(200, "", "primary", "POST", "/vms/"+vmID(n)+"/shutdown", "<action/>")
		}
	}
	r.clock.pass(time.Minute)
}

// TestWhatRefusesARelease: each of these lets the VMs be shut down, or not, and is found in the way later.
func TestWhatRefusesARelease(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name               string
		change             func(v *VM)
		shutdown           string // the refusal of it; "" for none
		deactivate, detach string // likewise
	}{
		{"nothing", func(*VM) {}, "", "", ""},
		{"a preview", func(v *VM) { v.Preview = true }, "", "", "Cannot detach Storage. The following VMs are previewing a snapshot: vm1."},
		{"a pool", func(v *VM) { v.Pool = "desks" }, "", "", "The following VMs/Templates are attached to pool: vm1."},
		{"delete protection", func(v *VM) { v.DeleteProtected = true }, "", "", "The following VMs/Templates are delete protected: vm1."},
		{"all three", func(v *VM) { v.DeleteProtected, v.Preview, v.Pool = true, true, "desks" }, "", "",
			"[Cannot detach Storage. The following VMs/Templates are delete protected: vm1., Cannot detach Storage. The following VMs/Templates are attached to pool: vm1., Cannot detach Storage. The following VMs are previewing a snapshot: vm1.]"},
		{"a backup", func(v *VM) { v.Backup = "ready" }, "Cannot shutdown VM. The VM is during a backup operation.", "VMs in a state other than", ""},
		{"a locked disk", func(v *VM) { v.Disks[0].Status = "locked" }, "", "while there are running tasks on its Data Center", ""},
		{"an illegal disk", func(v *VM) { v.Disks[0].Status = "illegal" }, "", "", ""},
		{"suspended", func(v *VM) { v.Running, v.Status = false, "suspended" }, "", "", ""},
		{"paused", func(v *VM) { v.Status = "paused" }, "", "VMs in a state other than", ""},
		{"image_locked", func(v *VM) { v.Running, v.Status = false, "image_locked" }, "", "VMs in a state other than", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := occupied(t, tc.change)
			if r.vmView("primary", 1).Status == "up" && tc.shutdown != "" {
				r.want(409, tc.shutdown, "primary", "POST", "/vms/"+vmID(1)+"/shutdown", "<action/>")
				r.want(409, "The VM is during a backup operation.", "primary", "POST", "/vms/"+vmID(1)+"/stop", "<action/>")
			} else {
				r.emptied()
			}
			one := r.primaryDC() + "/" + dsID
			if tc.deactivate != "" {
				r.want(409, tc.deactivate, "primary", "POST", one+"/deactivate", "<action/>")
				return
			}
			r.want(200, "", "primary", "POST", one+"/deactivate", "<action/>")
			r.clock.pass(time.Minute)
			if tc.detach != "" {
				r.want(409, tc.detach, "primary", "DELETE", one, "")
				return
			}
			r.want(200, "", "primary", "DELETE", one, "")
		})
	}
}

// TestPreviewOnTheWire: the list of VMs can carry the snapshots, so that one request tells all previews.
func TestPreviewOnTheWire(t *testing.T) {
	t.Parallel()
	r := occupied(t, func(v *VM) { v.Preview, v.Pool = true, "desks" })
	kinds := func(list *node) string {
		var out []string
		for _, s := range list.all("snapshot") {
			out = append(out, s.value("snapshot_type")+":"+s.value("snapshot_status"))
		}
		return strings.Join(out, " ")
	}
	const previewing = "active:ok regular:in_preview preview:ok"
	if got := kinds(r.get("primary", "/vms/"+vmID(1)+"/snapshots")); got != previewing {
		t.Error(got)
	}
	for i, v := range r.get("primary", "/vms?follow=snapshots,disk_attachments.disk,nics").all("vm") {
		want := "active:ok"
		if i == 0 {
			want = previewing
		}
		if got := kinds(v.child("snapshots")); got != want {
			t.Errorf("%s: %s", v.value("name"), got)
		}
		pool := v.child("vm_pool")
		if (pool != nil) != (i == 0) {
			t.Errorf("%s: pool %v", v.value("name"), pool)
		}
	}
	href := strings.TrimPrefix(r.get("primary", "/vms/"+vmID(1)).child("vm_pool").attr("href"), apiRoot)
	if pool := r.get("primary", href); pool.value("name") != "desks" || pool.value("size") != "1" {
		t.Error("the pool")
	}
	// A list of backups cannot be followed: a VM of the API has no such member (ovirt-engine-api-model Vm.java).
	if a := r.call("primary", "GET", "/vms?follow=backups", ""); a.status != 500 {
		t.Errorf("follow=backups: %d", a.status)
	}
}

// TestBackupEnds: while it lasts the VM cannot be stopped or started, and its OVF is not written; then all is as before.
func TestBackupEnds(t *testing.T) {
	t.Parallel()
	r := occupied(t, func(v *VM) { v.Backup, v.Running = "ready", false })
	r.want(409, "Cannot run VM. The VM is during a backup operation.", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.want(409, "Cannot remove VM. The VM is during a backup operation.", "primary", "DELETE", "/vms/"+vmID(1), "")
	r.want(200, "", "primary", "PUT", "/vms/"+vmID(1), "<vm><description>changed</description></vm>")
	stored := func() string {
		found, _ := r.lab.content(r.lab.exports[0])
		return find(found.store.vms, func(v *ovfVM) bool { return v.id == vmID(1) }).description
	}
	write := func() {
		r.want(200, "", "primary", "POST", "/storagedomains/"+dsID+"/updateovfstore", "<action/>")
		r.clock.pass(time.Minute)
		r.lab.View() // brings the world up to now
	}
	if write(); stored() != "" {
		t.Error("the OVF of a VM with a locked disk was written")
	}
	list := r.get("primary", "/vms/"+vmID(1)+"/backups").all("backup")
	if len(list) != 1 || list[0].value("phase") != "ready" || list[0].child("vm").attr("id") != vmID(1) {
		t.Fatalf("%d backups", len(list))
	}
	one := "/vms/" + vmID(1) + "/backups/" + list[0].attr("id")
	r.want(200, "", "primary", "POST", one+"/finalize", "<action/>")
	r.want(409, "backup phase is FINALIZING", "primary", "POST", one+"/finalize", "<action/>")
	r.clock.pass(time.Minute)
	if phase := r.get("primary", one).value("phase"); phase != "succeeded" {
		t.Error(phase)
	}
	if write(); stored() != "changed" {
		t.Error("the OVF is still the old one")
	}
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
}

// TestSuspended: a start brings the memory back; a stop and a shutdown lose it, which the monitor calls what it is.
func TestSuspended(t *testing.T) {
	t.Parallel()
	suspend := func(v *VM) { v.Running, v.Status = false, "suspended" }
	r := occupied(t, suspend)
	r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
	r.clock.pass(3 * time.Second)
	if s := r.vmView("primary", 1).Status; s != "restoring_state" {
		t.Error(s)
	}
	r.clock.pass(time.Minute)
	if s := r.vmView("primary", 1).Status; s != "up" {
		t.Error(s)
	}
	r.violations()
	for _, verb := range []string{"shutdown", "stop"} {
		r := occupied(t, suspend)
		r.want(200, "", "primary", "POST", "/vms/"+vmID(1)+"/"+verb, "<action/>")
		if s := r.vmView("primary", 1).Status; s != "down" || r.events("primary", "111") != 1 {
			t.Errorf("%s: %s", verb, s)
		}
		r.violations(ViolationDataDestroyed)
	}
}

// TestDisksThatDoNotRun: what a start says about a disk that is not ok.
func TestDisksThatDoNotRun(t *testing.T) {
	t.Parallel()
	for status, want := range map[string]struct {
		code int
		text string
	}{"locked": {409, "The following disks are locked: vm1_Disk1."}, "illegal": {500, "The following attached disks are in ILLEGAL status: vm1_Disk1"}} {
		r := occupied(t, func(v *VM) { v.Running, v.Disks[0].Status = false, status })
		r.want(want.code, want.text, "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
		if got := r.get("primary", "/vms/"+vmID(1)).value("has_illegal_images"); got != map[string]string{"illegal": "true"}[status] {
			t.Errorf("%s: has_illegal_images is %s", status, got)
		}
	}
}

// TestPinned: it runs on its host or not at all.
func TestPinned(t *testing.T) {
	t.Parallel()
	host := uuidOf("primary/" + host1b)
	r := occupied(t, func(v *VM) { v.PinnedTo = []string{host} })
	if h := r.vmView("primary", 1).Host; h != host1b {
		t.Error(h)
	}
	if p := r.get("primary", "/vms/"+vmID(1)).child("placement_policy"); p.value("affinity") != "pinned" || p.child("hosts", "host").attr("id") != host {
		t.Error("on the wire")
	}
	r.emptied()
	r.ok(r.lab.Fail(Fault{Kind: FaultHostDown, Subject: host1b}))
	r.want(409, "did not satisfy internal filter PinToHost because the host is not present in the pinning list.", "primary", "POST", "/vms/"+vmID(1)+"/start", "<action/>")
}

func TestWorldChecksItsVMs(t *testing.T) {
	t.Parallel()
	for _, change := range []func(v *VM){
		func(v *VM) { v.Status = "up" }, func(v *VM) { v.Status = "suspended" }, func(v *VM) { v.Running, v.Status = false, "paused" },
		func(v *VM) { v.Backup = "succeeded" }, func(v *VM) { v.Disks[0].Status = "broken" },
		func(v *VM) { v.PinnedTo = []string{"nowhere"} },
	} {
		w := TwoSites(TwoSitesOptions{})
		site, _ := w.Site("primary")
		change(&site.VMs[0])
		if w.Check() == nil {
			t.Errorf("%+v passes", site.VMs[0])
		}
	}
}
