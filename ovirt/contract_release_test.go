package ovirt_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// counters are the disks of a side, by id.
func (r *rig) counters(site string) map[string]int64 {
	out := map[string]int64{}
	for _, disk := range r.lab.View().Disks {
		if disk.Site == site {
			out[disk.ID] = disk.Counter
		}
	}
	return out
}

// release brings the primary to where its copies may be promoted: HA off, VMs down, stores written, domains in maintenance.
func (r *rig) release(tg target) {
	r.t.Helper()
	ctx := r.t.Context()
	s := r.primary
	var wg sync.WaitGroup
	for _, vm := range tg.vms {
		wg.Go(func() {
			if was, _, err := s.SetHA(ctx, vm.ID, ovirt.HA{}); err != nil || was.Enabled != vm.HAEnabled {
				r.t.Error(was, err)
			}
			if _, err := s.SetDeleteProtection(ctx, vm.ID, false); err != nil {
				r.t.Error(err)
			}
			result, err := s.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{})
			if err != nil || !result.Requested || result.Forced || result.DownAt.IsZero() {
				r.t.Error(result, err)
			}
		})
	}
	wg.Wait()
	dc := must2(s.DataCenters(ctx))[0].ID
	for _, spec := range tg.spec {
		wg.Go(func() {
			vms := must2(s.StorageDomainVMs(ctx, spec.ID))
			if was, changed, err := s.TouchVM(ctx, vms[0].ID, "drrun run 1"); err != nil || !changed || was != "" {
				r.t.Error(was, changed, err)
			}
			if result, err := s.UpdateOVFStore(ctx, spec.ID); err != nil || !result.Written {
				r.t.Error(result, err)
			}
			if result, err := s.UpdateOVFStore(ctx, spec.ID); err != nil || !result.NothingToDo || result.Written {
				r.t.Error(result, err)
			}
		})
	}
	wg.Wait()
	for range tg.spec { // all but the master, in parallel; then whichever is master
		master := must2(s.MasterDomain(ctx, dc))
		for _, sd := range must2(s.AttachedStorageDomains(ctx, dc)) {
			if sd.ID != master.ID && sd.Status == "active" {
				wg.Go(func() {
					if sd, changed, err := s.DeactivateDomain(ctx, dc, sd.ID, 0); err != nil || !changed || sd.Status != "maintenance" {
						r.t.Error(sd, changed, err)
					}
				})
			}
		}
		wg.Wait()
		if sd, _, err := s.DeactivateDomain(ctx, dc, master.ID, 0); err != nil || sd.Status != "maintenance" {
			r.t.Error(sd, err)
		}
	}
}

func TestLabPlannedRelease(t *testing.T) {
	for _, o := range []lab.TwoSitesOptions{{}, {VMs: 20, Domains: 3}} {
		world := lab.TwoSites(o)
		site, _ := world.Site("primary")
		site.VMs[0].DeleteProtected = true
		inWorld(t, world, func(r *rig) {
			ctx := r.t.Context()
			tg := r.prepare()
			before := r.primary.Counters()
			r.release(tg)
			after := r.primary.Counters()
			// HA off of those that had it, one protection, a shutdown each; per domain a touch, two updates, a deactivation.
			want := o.VMs + 4*max(o.Domains, 1) + 1
			for _, vm := range tg.vms {
				if vm.HAEnabled {
					want++
				}
			}
			if o.VMs == 0 {
				want += 3
			}
			if got := after.Writes - before.Writes; got != want {
				t.Errorf("%d writes, want %d", got, want)
			}
			if n, most := after.Reads-before.Reads, 30+12*len(tg.spec)+len(tg.vms)/4; n > most {
				t.Errorf("%d reads for %d VMs on %d domains, at most %d", n, len(tg.vms), len(tg.spec), most)
			}
			if testing.Verbose() {
				fmt.Printf("release of %d VMs on %d domains: %+v after %+v\n", len(tg.vms), len(tg.spec), after, before)
			}
			stopped := r.counters("primary")
			for _, pair := range r.lab.View().Arrays.Replications {
				if err := r.lab.Replicate(pair.Domain); err != nil {
					t.Fatal(err)
				}
				if err := r.lab.Promote(pair.Domain); err != nil {
					t.Fatal(err)
				}
			}
			had := map[string]ovirt.HA{}
			for i, vm := range tg.vms { // its OVF says now that HA is off
				had[vm.ID] = ovirt.HA{Enabled: vm.HAEnabled, Priority: vm.HAPriority, LeaseDomainID: vm.LeaseDomainID}
				tg.vms[i].HAEnabled = false
			}
			r.failover(tg)
			for id, ha := range had {
				if _, changed, err := r.secondary.SetHA(ctx, id, ha); err != nil || changed != ha.Enabled {
					t.Error(changed, err)
				}
			}
			for id, counter := range stopped {
				if now := r.counters("secondary")[id]; now < counter {
					t.Errorf("disk %s has %d on the secondary, and had %d", id, now, counter)
				}
			}
			// The old side's entries leave: non-masters while there is a master, which none is any more, so it is destroyed or activated
			// first. With one domain the master is the last one and goes.
			if o.Domains > 1 {
				return
			}
			dc, host := must2(r.primary.DataCenters(ctx))[0].ID, must2(r.primary.Hosts(ctx))[0].ID
			if _, err := r.primary.RemoveDomain(ctx, tg.spec[0].ID, host); !ovirt.HasCode(err, ovirt.CodeConflict) {
				t.Error(err)
			}
			// The source of a split pair is still writable here, so it can be detached.
			for _, changed := range []bool{true, false} {
				if got, err := r.primary.DetachDomain(ctx, dc, tg.spec[0].ID); err != nil || got != changed {
					t.Error(got, err)
				}
			}
			if vms := must2(r.primary.VMs(ctx, ovirt.VMQuery{})); len(vms) != 0 {
				t.Errorf("%d VMs are left", len(vms))
			}
			if attached, err := r.primary.IsAttached(ctx, must2(r.primary.StorageDomain(ctx, tg.spec[0].ID)), host); err != nil || attached {
				t.Error(attached, err)
			}
			for _, changed := range []bool{true, false} {
				if got, err := r.primary.RemoveDomain(ctx, tg.spec[0].ID, host); err != nil || got != changed {
					t.Error(got, err)
				}
			}
			if _, err := r.primary.MasterDomain(ctx, dc); !ovirt.HasCode(err, ovirt.CodeNotFound) {
				t.Error(err)
			}
		})
	}
}

// TestLabReleaseUnderTrouble is the same with answers that get lost, and an engine that restarts.
func TestLabReleaseUnderTrouble(t *testing.T) {
	for name, faults := range map[string][]lab.Fault{
		"reset before": {{Method: "PUT", Reset: "before"}, {Method: "POST", Path: "/shutdown$", Reset: "before"}, {Method: "POST", Path: "/updateovfstore$", Reset: "before"}, {Method: "POST", Path: "/deactivate$", Reset: "before"}},
		"reset after":  {{Method: "PUT", Reset: "after"}, {Method: "POST", Path: "/shutdown$", Reset: "after"}, {Method: "POST", Path: "/updateovfstore$", Reset: "after"}, {Method: "POST", Path: "/deactivate$", Reset: "after"}},
		"html":         {{Method: "PUT", HTML: true}, {Method: "POST", Path: "/shutdown$", HTML: true}, {Method: "POST", Path: "/updateovfstore$", HTML: true}, {Method: "POST", Path: "/deactivate$", HTML: true}},
		"truncated":    {{Method: "PUT", Truncate: true}, {Method: "POST", Path: "/shutdown$", Truncate: true}, {Method: "POST", Path: "/updateovfstore$", Truncate: true}, {Method: "POST", Path: "/deactivate$", Truncate: true}},
		"empty":        {{Method: "PUT", Empty: true}, {Method: "POST", Path: "/shutdown$", Empty: true}, {Method: "POST", Path: "/updateovfstore$", Empty: true}, {Method: "POST", Path: "/deactivate$", Empty: true}},
		"restart":      {{Method: "POST", Path: "/shutdown$", Nth: 2, Restart: true}},
		"503":          {{Method: "POST", Path: "/deactivate$", Status: http.StatusServiceUnavailable, HTML: true}},
	} {
		t.Run(name, func(t *testing.T) {
			inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
				tg := r.prepare()
				for _, f := range faults {
					f.Site = "primary"
					if err := r.lab.Fail(f); err != nil {
						t.Fatal(err)
					}
				}
				r.releaseLoosely(tg)
			})
		})
	}
}

// releaseLoosely is release without the claims about which request made the difference.
func (r *rig) releaseLoosely(tg target) {
	r.t.Helper()
	ctx, s := r.t.Context(), r.primary
	var wg sync.WaitGroup
	for _, vm := range tg.vms {
		wg.Go(func() {
			if _, _, err := s.SetHA(ctx, vm.ID, ovirt.HA{}); err != nil {
				r.t.Error(err)
			}
			if result, err := s.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{}); err != nil || result.Forced {
				r.t.Error(result, err)
			}
		})
	}
	wg.Wait()
	dc := must2(s.DataCenters(ctx))[0].ID
	if _, _, err := s.TouchVM(ctx, tg.vms[0].ID, "drrun run 1"); err != nil {
		r.t.Error(err)
	}
	if result, err := s.UpdateOVFStore(ctx, tg.spec[0].ID); err != nil || !result.Written {
		r.t.Error(result, err)
	}
	if sd, _, err := s.DeactivateDomain(ctx, dc, tg.spec[0].ID, 0); err != nil || sd.Status != "maintenance" {
		r.t.Error(sd, err)
	}
	// No guest was powered off: each was asked at most once while it listened.
	stops := 0
	for _, entry := range r.lab.Log() {
		if strings.HasPrefix(entry.Effect, "stop ") {
			stops++
		}
	}
	if stops != 0 {
		r.t.Errorf("%d VMs were powered off", stops)
	}
}

func TestLabGuestThatIgnoresAShutdown(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		ctx := r.t.Context()
		tg := r.prepare()
		if err := r.lab.Fail(lab.Fault{Kind: lab.FaultShutdown, Subject: "vm2", Times: -1}); err != nil {
			t.Fatal(err)
		}
		vm := tg.vms[1]
		result, err := r.primary.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{Grace: time.Minute})
		var e *ovirt.Error
		if !errors.As(err, &e) || e.Code != ovirt.CodeTimeout || e.State != "up" || !result.Requested {
			t.Fatal(result, err)
		}
		earlier := r.intents[len(r.intents)-1].Correlation
		if reached, err := r.primary.ShutdownReached(ctx, earlier); err != nil || !reached {
			t.Fatal(reached, err)
		}
		result, err = r.primary.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{Grace: time.Minute, Force: true, Earlier: []string{earlier}})
		if err != nil || result.Requested || !result.Forced {
			t.Fatal(result, err)
		}
		if now := must2(r.primary.VM(ctx, vm.ID)); now.Status != "down" {
			t.Error(now.Status)
		}
	})
}

func TestLabDeactivateRefusalsAndFallBacks(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		ctx := r.t.Context()
		tg := r.prepare()
		dc, sd := must2(r.primary.DataCenters(ctx))[0].ID, tg.spec[0].ID
		_, changed, err := r.primary.DeactivateDomain(ctx, dc, sd, 0)
		if changed || !ovirt.HasCode(err, ovirt.CodeConflict) || !strings.Contains(err.Error(), "VMs in a state other than") {
			t.Fatal(changed, err)
		}
		if _, err := r.primary.DestroyDomain(ctx, sd); !ovirt.HasCode(err, ovirt.CodeRefused) {
			t.Fatal(err)
		}
		if _, err := r.primary.DetachDomain(ctx, dc, sd); !ovirt.HasCode(err, ovirt.CodeConflict) {
			t.Fatal(err)
		}
		if _, err := r.primary.RemoveDisklessVM(ctx, tg.vms[0].ID); !ovirt.HasCode(err, ovirt.CodeRefused) {
			t.Fatal(err)
		}
		for _, vm := range tg.vms {
			if _, err := r.primary.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.primary.RemoveDisklessVM(ctx, tg.vms[0].ID); !ovirt.HasCode(err, ovirt.CodeRefused) {
			t.Fatal(err)
		}
		if err := r.lab.Fail(lab.Fault{Kind: lab.FaultDeactivate, Subject: "nfs_ds"}); err != nil {
			t.Fatal(err)
		}
		now, changed, err := r.primary.DeactivateDomain(ctx, dc, sd, 0)
		if !changed || now.Status != "active" || !ovirt.HasCode(err, ovirt.CodeEngineError) || !strings.Contains(err.Error(), "Failed to deactivate Storage Domain nfs_ds") {
			t.Fatal(now, changed, err)
		}
		// The engine restarts in the middle: unknown, event 1009, and active again by itself; then it works.
		var wg sync.WaitGroup
		wg.Go(func() { now, changed, err = r.primary.DeactivateDomain(ctx, dc, sd, 0) })
		time.Sleep(5 * time.Second) // virtual
		if err := r.lab.Fail(lab.Fault{Kind: lab.FaultEngine, Site: "primary"}); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		if !changed || !ovirt.HasCode(err, ovirt.CodeEngineError) || !strings.Contains(err.Error(), "please retry") {
			t.Fatal(now, changed, err)
		}
		t.Log(err)
		if _, err := r.primary.WaitStorageDomain(ctx, dc, sd, time.Minute, func(sd ovirt.StorageDomain) (bool, error) { return sd.Status == "active", nil }); err != nil {
			t.Fatal(err)
		}
		// An OVF update is under way: 409, sent again.
		if _, _, err := r.primary.TouchVM(ctx, tg.vms[0].ID, "again"); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			if result, err := r.primary.UpdateOVFStore(ctx, sd); err != nil || !result.Written {
				t.Error(result, err)
			}
		})
		time.Sleep(time.Second) // virtual
		if now, changed, err = r.primary.DeactivateDomain(ctx, dc, sd, 0); err != nil || !changed || now.Status != "maintenance" {
			t.Fatal(now, changed, err)
		}
		wg.Wait()
		retries := 0
		for _, w := range r.intents {
			if w.Op == ovirt.OpDeactivateDomain && strings.Contains(w.Retry, "currently being updated") {
				retries++
			}
		}
		if retries == 0 {
			t.Error("no repeat with a reason")
		}
		// The storage is gone: only the books are cleared.
		if changed, err := r.primary.DestroyDomain(ctx, sd); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if vms := must2(r.primary.VMs(ctx, ovirt.VMQuery{})); len(vms) != 0 {
			t.Error(vms)
		}
	})
}

// TestLabHAAndLeases: recorded together, restored in one request, and undone by an instance type.
func TestLabHAAndLeases(t *testing.T) {
	world := lab.TwoSites(lab.TwoSitesOptions{})
	site, _ := world.Site("primary")
	site.VMs[0].LeaseDomainID = site.StorageDomains[0].ID
	site.InstanceTypes = []lab.InstanceType{{ID: "0f0f0f0f-0000-4000-8000-000000000001", Name: "critical", HA: true}}
	site.VMs[1].InstanceTypeID, site.VMs[1].HA = site.InstanceTypes[0].ID, true
	inWorld(t, world, func(r *rig) {
		ctx := r.t.Context()
		tg := r.prepare()
		had := ovirt.HA{Enabled: true, Priority: 50, LeaseDomainID: site.StorageDomains[0].ID}
		was, changed, err := r.primary.SetHA(ctx, tg.vms[0].ID, ovirt.HA{})
		if err != nil || !changed || was != had {
			t.Fatal(was, changed, err)
		}
		if vm := must2(r.primary.VM(ctx, tg.vms[0].ID)); vm.HAEnabled || vm.LeaseDomainID != had.LeaseDomainID || vm.HAPriority != 50 {
			t.Fatalf("%+v", vm)
		}
		if _, changed, err = r.primary.SetHA(ctx, tg.vms[0].ID, had); err != nil || !changed {
			t.Fatal(changed, err)
		}
		if _, changed, err = r.primary.SetHA(ctx, tg.vms[2].ID, had); err != nil || !changed { // HA and a new lease in one request
			t.Fatal(changed, err)
		}
		was, changed, err = r.primary.SetHA(ctx, tg.vms[1].ID, ovirt.HA{})
		var e *ovirt.Error
		if !errors.As(err, &e) || e.Code != ovirt.CodeEngineError || !was.Enabled || !changed || !strings.Contains(e.Hint, "instance type") {
			t.Fatal(was, changed, err)
		}
	})
}

func TestLabDisklessVM(t *testing.T) {
	world := lab.TwoSites(lab.TwoSitesOptions{})
	site, _ := world.Site("primary")
	site.VMs[1].Disks, site.VMs[1].Running = nil, false
	site.VMs[1].TemplateID = "00000000-0000-0000-0000-000000000000"
	inWorld(t, world, func(r *rig) {
		id := site.VMs[1].ID
		for _, want := range []bool{true, false} {
			if changed, err := r.primary.RemoveDisklessVM(r.t.Context(), id); err != nil || changed != want {
				t.Fatal(changed, err)
			}
		}
		if _, err := r.primary.VM(r.t.Context(), id); !ovirt.HasCode(err, ovirt.CodeNotFound) {
			t.Error(err)
		}
	})
}

// TestLabLabelsAreALock: of twenty that race for a name one gets it, and the others are told whose it is.
func TestLabLabelsAreALock(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		ctx := r.t.Context()
		const name = "drrun.26c8cd54-65d4-424f-a870-8145439bba1c"
		holder := func(n int) string { return fmt.Sprintf("0f0f0f0f-0000-4000-8000-%012d", n) }
		errs := make([]error, 20)
		var wg sync.WaitGroup
		for n := range errs {
			wg.Go(func() { errs[n] = r.primary.CreateLabel(ctx, name, holder(n)) })
		}
		wg.Wait()
		winner := -1
		for n, err := range errs {
			if err == nil {
				if winner >= 0 {
					t.Error("two winners")
				}
				winner = n
			}
		}
		if winner < 0 {
			t.Fatal(errs)
		}
		for n, err := range errs {
			var e *ovirt.Error
			if n != winner && (!errors.As(err, &e) || e.Code != ovirt.CodeAlreadyExists || e.State != holder(winner)) {
				t.Error(n, err)
			}
		}
		if labels := must2(r.primary.AffinityLabels(ctx)); len(labels) != 1 || labels[0] != (ovirt.AffinityLabel{ID: holder(winner), Name: name}) {
			t.Error(labels)
		}
		if err := r.primary.CreateLabel(ctx, name, holder(winner)); err != nil {
			t.Error(err)
		}
		posted, err := r.primary.PostEvent(ctx, ovirt.EventSpec{Origin: "drrun", CustomID: 42, Severity: "warning", Description: "run x holds <nfs_ds>", StorageDomainID: must2(r.primary.StorageDomains(ctx))[0].ID})
		if err != nil || posted.ID == 0 || posted.Origin != "drrun" || posted.CustomID != 42 || posted.Severity != "warning" || posted.StorageDomainID == "" {
			t.Error(posted, err)
		}
		if _, err = r.primary.PostEvent(ctx, ovirt.EventSpec{Origin: "drrun", CustomID: 42, Severity: "warning", Description: "run y"}); !ovirt.HasCode(err, ovirt.CodeAlreadyExists) {
			t.Error(err)
		}
		found := must2(r.primary.Events(ctx, ovirt.EventQuery{Search: "origin=drrun and custom_event_id=42"}))
		if len(found) != 1 || found[0].Description != "run x holds <nfs_ds>" {
			t.Error(found)
		}
		for range 2 {
			if err := r.primary.DeleteLabel(ctx, holder(winner)); err != nil {
				t.Error(err)
			}
		}
		if labels := must2(r.primary.AffinityLabels(ctx)); len(labels) != 0 {
			t.Error(labels)
		}
	})
}

// TestLabShowsAJob: an external job with its steps, found by the correlation id of the request that made it, and an event that is found
// by its own.
func TestLabShowsAJob(t *testing.T) {
	inLab(t, lab.TwoSitesOptions{}, func(r *rig) {
		ctx := r.t.Context()
		job := must2(r.secondary.AddJob(ctx, "drrun failover of <Plan>, run r-1"))
		if !job.External || !job.Open() || job.Description != "drrun failover of <Plan>, run r-1" {
			t.Error(job)
		}
		if found := must2(r.secondary.JobsOf(ctx, r.intents[len(r.intents)-1].Correlation)); len(found) != 1 || found[0] != job {
			t.Error(found)
		}
		var made []string
		for _, stage := range []string{"import", "register", "register"} { // two of one name are two
			made = append(made, must2(r.secondary.AddStep(ctx, ovirt.StepSpec{JobID: job.ID, Description: stage, Known: made})).ID)
		}
		if err := r.secondary.EndStep(ctx, job.ID, made[0], true); err != nil {
			t.Error(err)
		}
		if err := r.secondary.EndJob(ctx, job.ID, false); err != nil {
			t.Error(err)
		}
		var shown []string
		for _, step := range must2(r.secondary.Steps(ctx, job.ID)) {
			shown = append(shown, step.Description+" "+step.Status)
		}
		if text := strings.Join(shown, ", "); text != "import finished, register failed, register failed" {
			t.Error(text)
		}
		if job = must2(r.secondary.Job(ctx, job.ID)); job.Status != "failed" {
			t.Error(job)
		}
		if _, err := r.secondary.AddStep(ctx, ovirt.StepSpec{JobID: "11111111-2222-4333-8444-555555555555", Description: "import"}); err == nil {
			t.Error("a step of no job")
		}
		if err := r.secondary.EndJob(ctx, "11111111-2222-4333-8444-555555555555", true); err != nil {
			t.Error("a job that is gone is none that is open:", err)
		}

		posted := must2(r.primary.PostEvent(ctx, ovirt.EventSpec{Origin: "drrun", CustomID: 43, Severity: "normal", Description: "facts 1 of 1", CorrelationID: "r-1-facts", CustomData: "H4sI+/=="}))
		found := must2(r.primary.Events(ctx, ovirt.EventQuery{Search: "correlation_id=r-1-facts"}))
		if len(found) != 1 || found[0].ID != posted.ID || found[0].CustomData != "H4sI+/==" || found[0].CorrelationID != "r-1-facts" {
			t.Error(found)
		}
		for _, wrong := range []string{"a b", strings.Repeat("x", 51)} {
			if _, err := r.primary.PostEvent(ctx, ovirt.EventSpec{Origin: "drrun", CustomID: 44, Severity: "normal", Description: "x", CorrelationID: wrong}); !ovirt.HasCode(err, ovirt.CodeBadRequest) {
				t.Error(wrong, err)
			}
		}
	})
}
