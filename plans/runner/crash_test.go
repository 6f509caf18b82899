package runner_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// fingerprint is what a failover leaves in the world, without ids of requests, times and hosts.
func (p *pair) fingerprint() string {
	view := p.lab.View()
	var lines []string
	for name, site := range view.Sites {
		for _, vm := range site.VMs {
			lines = append(lines, fmt.Sprintf("%s vm %s %s %s %s %v", name, vm.ID, vm.Name, vm.Status, vm.Cluster, vm.NICs))
		}
		for _, domain := range site.StorageDomains {
			lines = append(lines, fmt.Sprintf("%s domain %s %s %s", name, domain.ID, domain.Name, domain.Status))
		}
	}
	for _, label := range p.labels() { // a run that has ended leaves none
		lines = append(lines, "label "+label)
	}
	for _, violation := range view.Violations {
		lines = append(lines, fmt.Sprintf("violation %+v", violation))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// audit holds the lab's log against the journals: every changing request has its intent, once, and every intent that was not
// settled as without effect has its request. No VM is started twice.
func (p *pair) audit(env engine.Env) []string { return p.auditOf(env, "/state") }

// auditOf is audit with the runs of another state folder.
func (p *pair) auditOf(env engine.Env, stateDir string) []string {
	var wrong []string
	requests := map[string]int{}
	starts := map[string]int{}
	before := map[string]bool{} // correlation ids of what was done before the run that is looked at, by it or by people
	for i, entry := range p.allChanges() {
		requests[entry.Correlation]++
		if before[entry.Correlation] = i < p.audited; i >= p.audited && strings.HasSuffix(entry.Path, "/start") && entry.Effect != "" {
			starts[entry.Site+entry.Path]++
		}
	}
	for path, n := range starts {
		if n > 1 {
			wrong = append(wrong, fmt.Sprintf("%d requests to %s", n, path))
		}
	}
	runs, err := engine.ListRuns(env, stateDir)
	if err != nil {
		return append(wrong, err.Error())
	}
	intents := 0
	for _, run := range runs {
		info, err := engine.ReadRun(env, stateDir, run.ID)
		if err != nil {
			return append(wrong, err.Error())
		}
		unsent := map[string]bool{}
		for _, record := range info.Records {
			if record.Reached != nil {
				unsent[record.ID] = !*record.Reached
			}
			// Without any answer and without doubt: the connection was refused, or the run stopped before it was sent.
			if o := record.Outcome; o != nil && !o.OK && !o.Unknown && o.Status == 0 {
				unsent[record.ID] = true
			}
		}
		for _, record := range info.Records {
			if record.Intent == nil {
				continue
			}
			if record.Intent.Op == ovirt.OpIsAttached {
				continue // a read that is journaled because a host mounts storage for it
			}
			intents++
			switch n := requests[record.Intent.ID]; {
			case n > 1:
				wrong = append(wrong, fmt.Sprintf("%d requests for the intent %s (%s)", n, record.Intent.ID, record.Intent.Op))
			case n == 0 && !unsent[record.Intent.ID]:
				wrong = append(wrong, fmt.Sprintf("no request for the intent %s (%s %s), and it is not settled as without effect", record.Intent.ID, record.Intent.Op, record.Intent.Subject.Name))
			case n == 1 && unsent[record.Intent.ID]:
				wrong = append(wrong, fmt.Sprintf("the intent %s (%s %s) had its effect and is settled as without", record.Intent.ID, record.Intent.Op, record.Intent.Subject.Name))
			}
			delete(requests, record.Intent.ID)
		}
	}
	for id, n := range requests {
		if before[id] {
			continue
		}
		wrong = append(wrong, fmt.Sprintf("%d requests with the correlation id %q and no intent", n, id))
	}
	slices.Sort(wrong)
	return wrong
}

// untilDone starts the failover, or resumes it, until it ends otherwise than stopped.
func (p *pair) untilDone() *runner.Result {
	p.t.Helper()
	last := &runner.Result{}
	for range 5 {
		if last = p.untilEnd(); last.Status != "stopped" {
			return last
		}
	}
	p.t.Fatalf("no end after 5 attempts: %+v", last.Error)
	return nil
}

// untilEnd makes one attempt: a start, a resume of the newest run where that did not end well, or nothing when all is done.
func (p *pair) untilEnd() *runner.Result {
	p.t.Helper()
	var runs []engine.RunInfo
	p.do(func(env engine.Env) {
		var err error
		if runs, err = engine.ListRuns(env, "/state"); err != nil {
			p.t.Error(err)
		}
	})
	switch {
	case len(runs) == 0 || runs[0].Exit == runner.ExitRefused && !runs[0].Unfinished():
		return p.failover(nil)
	case runs[0].Unfinished() || runs[0].Exit == runner.ExitPartial:
		return p.resume(runs[0].ID, nil)
	}
	// Killed behind its last record.
	info := &runner.Result{}
	text, err := p.disk.ReadFile("/state/runs/" + runs[0].ID + "/report.json")
	if err == nil {
		err = json.Unmarshal(text, info)
	}
	if err != nil { // behind the end record, before the report
		info.Exit = runs[0].Exit
	}
	return info
}

// crashHooks makes the plan of the crash tests: with hooks whose calls are counted by the journal.
func crashHooks(p *pair) {
	p.edit("return plan\n", `
plan:on("promote_storage", function(ctx, group) return { writable = true, as_of = "unknown" } end, { as = "array" })
plan:on("after_start", function(ctx, vm) return ctx:step("dns", function() return vm.name .. " is known" end) end, { as = "dns" })
return plan
`)
}

// TestCrashMatrix kills a failover after each journal record and after each effect before its record, with and without loss
// of what was not synced, resumes it, and compares the world with that of an undisturbed run.
func TestCrashMatrix(t *testing.T) {
	t.Parallel()
	reference := newPair(t, 5, lab.TwoSitesOptions{})
	crashHooks(reference)
	reference.lose()
	expect(t, reference.failover(nil), 0)
	want := reference.fingerprint()
	records, _ := reference.disk.Counts(reference.journal())
	effects := reference.effects
	if records < 40 || effects < 9 {
		t.Fatalf("the undisturbed run has %d records and %d effects", records, effects)
	}
	points := 0
	check := func(name string, torn bool, arm func(p *pair, die func())) {
		points++
		p := newPair(t, 5, lab.TwoSitesOptions{})
		crashHooks(p)
		p.lose()
		died := false
		arm(p, func() {
			died = true
			if torn {
				p.world.SetDisk(p.disk.Crash(7))
				p.disk = p.world.Disk()
			}
			p.world.Group("drrun").Kill()
		})
		p.failover(nil)
		if !died {
			t.Errorf("%s: the run was over before", name)
			return
		}
		p.afterEffect, p.disk.OnAppend = nil, nil
		r := p.untilDone()
		if r.Exit != 0 {
			t.Errorf("%s: exit %d after the resume: %+v", name, r.Exit, r.Error)
		}
		if got := p.fingerprint(); got != want {
			t.Errorf("%s: the world differs:\n%s\nwant:\n%s", name, got, want)
		}
		p.do(func(env engine.Env) {
			for _, wrong := range p.audit(env) {
				t.Errorf("%s: %s", name, wrong)
			}
		})
	}
	for _, torn := range []bool{false, true} {
		for n := 1; n <= records; n++ {
			check(fmt.Sprintf("killed after record %d (power loss %v)", n, torn), torn, func(p *pair, die func()) {
				p.disk.OnAppend = func(path string, _ int) {
					if !strings.HasSuffix(path, "journal.jsonl") {
						return
					}
					if count, _ := p.disk.Counts(path); count == n {
						die()
					}
				}
			})
		}
		for n := 1; n <= effects; n++ {
			check(fmt.Sprintf("killed after effect %d (power loss %v)", n, torn), torn, func(p *pair, die func()) {
				p.afterEffect = func(effect int) {
					if effect == n {
						die()
					}
				}
			})
		}
	}
	t.Logf("crash points: %d (%d records, %d effects, each killed and with power loss)", points, records, effects)
}

// journal returns the path of the only run's journal.
func (p *pair) journal() string {
	for _, path := range p.disk.Files() {
		if strings.HasSuffix(path, "journal.jsonl") {
			return path
		}
	}
	p.t.Fatal("no journal")
	return ""
}
