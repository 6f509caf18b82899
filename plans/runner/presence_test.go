package runner_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// shown is what an engine shows of runs.
type shown struct {
	events []ovirt.Event // of drrun, the oldest first; those about locks and those with facts left out
	facts  []ovirt.Event // those with facts
	tasks  []string      // "STATUS DESCRIPTION: STEP STATUS, …" of each external job, the oldest first
}

// look reads what the engine of a site shows.
func (p *pair) look(site string) (s shown) {
	p.t.Helper()
	p.engine(site, func(ctx context.Context, client *ovirt.Site) error {
		events, err := client.Events(ctx, ovirt.EventQuery{Search: "origin=drrun"})
		for _, event := range slices.Backward(events) {
			switch {
			case strings.Contains(event.Description, "; locks: "):
			case event.CustomData != "":
				s.facts = append(s.facts, event)
			default:
				s.events = append(s.events, event)
			}
		}
		for _, entry := range p.lab.Log() {
			if err != nil || entry.Site != site || entry.Method != "POST" || !strings.HasSuffix(entry.Path, "/jobs") {
				continue
			}
			var jobs []ovirt.Job
			jobs, err = client.JobsOf(ctx, entry.Correlation)
			for _, job := range jobs {
				var task string
				if task, err = described(ctx, client, job); err == nil {
					s.tasks = append(s.tasks, task)
				}
			}
		}
		return err
	})
	return s
}

// described is a job with its steps, in a line.
func described(ctx context.Context, client *ovirt.Site, job ovirt.Job) (string, error) {
	steps, err := client.Steps(ctx, job.ID)
	var names []string
	for _, step := range steps {
		names = append(names, step.Description+" "+step.Status)
	}
	return job.Status + " " + job.Description + ": " + strings.Join(names, ", "), err
}

// lines are events as "SEVERITY TEXT", with RUN for the id of each run and without what differs from time to time.
func (p *pair) lines(events []ovirt.Event) (lines []string) {
	for _, event := range events {
		text := event.Severity + " " + event.Description
		for _, run := range p.runs() {
			text = strings.ReplaceAll(text, run.ID, "RUN")
		}
		lines = append(lines, text)
	}
	return lines
}

// same compares lines by their beginnings: what is wanted ends where it does not matter any more.
func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Errorf("%s: missing %q", what, want[i])
		case i >= len(want):
			t.Errorf("%s: too much: %q", what, got[i])
		case !strings.HasPrefix(got[i], want[i]):
			t.Errorf("%s: line %d is %q, want %q", what, i+1, got[i], want[i])
		}
	}
}

const ofPlan = "of plan Plan_Recovery"

// TestRunIsShown: an unplanned failover is shown at the target, a planned move in both engines, as events and as a task.
func TestRunIsShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 61, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	if len(r.Warnings) > 0 {
		t.Errorf("warnings: %q", r.Warnings)
	}
	s := p.look(plans.Secondary)
	same(t, "failover", p.lines(s.events), []string{
		"normal drrun run RUN: failover " + ofPlan + " from primary to secondary begins: 2 storage domains, 4 VMs; by user on host. More: drrun show RUN",
		"normal drrun run RUN: rank 0 is up on secondary: 2 VMs up. More: drrun show RUN",
		"normal drrun run RUN: rank 1 is up on secondary: 2 VMs up. More: drrun show RUN",
		"warning drrun run RUN: failover " + ofPlan + " from primary to secondary ended: done, exit code 0, after 5m",
	})
	last := s.events[len(s.events)-1].Description
	for _, verdict := range r.Verdicts {
		if !strings.Contains(last, verdict) {
			t.Errorf("the last event does not say %q: %s", verdict, last)
		}
	}
	for _, event := range s.events {
		if event.CorrelationID != r.Run {
			t.Errorf("the correlation id is %q: %s", event.CorrelationID, event.Description)
		}
	}
	same(t, "tasks", s.tasks, []string{"finished drrun failover " + ofPlan + " from primary to secondary, run " + r.Run +
		": preflight finished, evidence finished, promote finished, import finished, lease wait finished, attach finished, register finished, boot finished, boot rank 0 finished, boot rank 1 finished, verify finished, reprotect finished"})
	if s := p.marks(plans.Primary); s.all() > 0 {
		t.Errorf("the source is silent and is shown %+v", s)
	}
}

// TestPlannedMoveIsShown: both engines tell of it, the task is the target's.
func TestPlannedMoveIsShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 62, lab.TwoSitesOptions{VMs: 3})
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	primary, secondary := p.look(plans.Primary), p.look(plans.Secondary)
	want := []string{
		"normal drrun run RUN: planned failover " + ofPlan + " from primary to secondary begins: 1 storage domain, 3 VMs",
		"normal drrun run RUN: rank 0 is up on secondary: 1 VM up",
		"normal drrun run RUN: rank 1 is up on secondary: 2 VMs up",
		"warning drrun run RUN: planned failover " + ofPlan + " from primary to secondary ended: done, exit code 0",
		"normal drrun run RUN: failback " + ofPlan + " from secondary to primary begins",
		"normal drrun run RUN: rank 0 is up on primary",
		"normal drrun run RUN: rank 1 is up on primary",
		"warning drrun run RUN: failback " + ofPlan + " from secondary to primary ended: done",
	}
	same(t, "primary", p.lines(primary.events), want)
	same(t, "secondary", p.lines(secondary.events), want)
	same(t, "tasks at the secondary", secondary.tasks, []string{"finished drrun planned failover " + ofPlan + " from primary to secondary, run "})
	same(t, "tasks at the primary", primary.tasks, []string{"finished drrun failback " + ofPlan + " from secondary to primary, run "})
	if len(primary.facts) != 1 || len(secondary.facts) != 1 {
		t.Errorf("facts: %d events at the primary, %d at the secondary; those of each run belong to its target", len(primary.facts), len(secondary.facts))
	}
}

// TestStopIsShown: where a run stopped and why, in the events and by its task; the attempt that goes on has a task of its own.
func TestStopIsShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 63, lab.TwoSitesOptions{VMs: 3})
	p.edit("return plan\n", `
plan:on("after_import", function(ctx) if ctx.run.attempt == 1 then error("the array is on fire") end end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitStopped)
	p.wait(time.Minute)
	expect(t, p.resume(r.Run, nil), runner.ExitDone)
	s := p.look(plans.Secondary)
	same(t, "events", p.lines(s.events), []string{
		"normal drrun run RUN: failover " + ofPlan + " from primary to secondary begins",
		"error drrun run RUN: stopped in stage attach: hook after_import",
		"error drrun run RUN: failover " + ofPlan + " from primary to secondary ended: stopped, exit code 5",
		"normal drrun run RUN: failover " + ofPlan + " from primary to secondary goes on, attempt 2: 1 storage domain, 3 VMs",
		"normal drrun run RUN: rank 0 is up on secondary: 1 VM up",
		"normal drrun run RUN: rank 1 is up on secondary: 2 VMs up",
		"warning drrun run RUN: failover " + ofPlan + " from primary to secondary, attempt 2 ended: done, exit code 0",
	})
	if text := s.events[1].Description; !strings.Contains(text, "the array is on fire") || !strings.Contains(text, "drrun resume "+r.Run) {
		t.Errorf("the stop says neither why nor what is next: %s", text)
	}
	same(t, "tasks", s.tasks, []string{
		"failed drrun failover " + ofPlan + " from primary to secondary, run " + r.Run + ": preflight finished, evidence finished, promote finished, import finished, lease wait finished, attach failed",
		"finished drrun failover " + ofPlan + " from primary to secondary, run " + r.Run + ", attempt 2: preflight finished, evidence finished, promote finished, import finished, lease wait finished, attach finished, register finished",
	})
	if len(s.facts) != 1 {
		t.Errorf("the facts were posted %d times", len(s.facts))
	}
}

// TestRollbackAndCleanAreShown, in the engine that is their target.
func TestRollbackAndCleanAreShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 64, lab.TwoSitesOptions{VMs: 3})
	r := p.heldOff()
	expect(t, p.rollback(r.Run, nil), runner.ExitDone)
	s := p.look(plans.Primary)
	lines := p.lines(s.events)
	same(t, "events", lines[len(lines)-4:], []string{
		"normal drrun run RUN: rollback of the failover " + ofPlan + ", back to primary goes on, attempt 2",
		"normal drrun run RUN: rank 0 is up on primary: 1 VM up",
		"normal drrun run RUN: rank 1 is up on primary: 2 VMs up",
		"normal drrun run RUN: rollback of the failover " + ofPlan + ", back to primary, attempt 2 ended: ",
	})
	same(t, "tasks", s.tasks, []string{"finished drrun rollback of the failover " + ofPlan + ", back to primary, run " + r.Run + ", attempt 2: evidence finished, take back primary finished, repair finished"})
}

// TestFailuresAreGrouped: many VMs that fail are one event of their rank, which names some of them.
func TestFailuresAreGrouped(t *testing.T) {
	t.Parallel()
	p := newPair(t, 65, lab.TwoSitesOptions{VMs: 60, Domains: 2})
	p.edit("return plan\n", `
plan:on("before_start", function(ctx, vm) if vm.name ~= "vm1" and vm.name ~= "vm7" then error("no power for " .. vm.name) end end)
return plan
`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitPartial)
	s := p.look(plans.Secondary)
	lines := p.lines(s.events)
	_, ranks := p.stages()
	if len(lines) != ranks+2 {
		t.Fatalf("%d events of %d ranks: %q", len(lines), ranks, lines)
	}
	failed := 0
	for _, text := range lines[1 : len(lines)-1] {
		named := strings.Count(text, "no power for")
		failed += named
		if named > 20 || named == 20 && !strings.Contains(text, " more. More: drrun show RUN") || named > 0 && !strings.HasPrefix(text, "error ") {
			t.Errorf("%d are named: %s", named, text)
		}
	}
	if failed < 20 {
		t.Errorf("%d failures are named", failed)
	}
	if want := "failed drrun failover"; !strings.HasPrefix(s.tasks[0], want) || strings.Contains(s.tasks[0], "reprotect failed") {
		t.Errorf("a run that ended in part fails without its last step: %s", s.tasks[0])
	}
}

// TestEventNamesItsObject: an event about one VM refers to it, so that the engine shows it there too; not where the engine has no such VM.
func TestEventNamesItsObject(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hook string
		known      bool
	}{
		{"at its start", "before_start", true},
		{"at its registration", "before_register", false},
	} {
		p := newPair(t, 66, lab.TwoSitesOptions{VMs: 3})
		p.edit("return plan\n", `plan:on("`+c.hook+`", function(ctx, vm) if vm.name == "vm2" then error("not this one") end end)
return plan
`)
		p.lose()
		expect(t, p.failover(nil), runner.ExitPartial)
		named := 0
		for _, event := range p.look(plans.Secondary).events {
			if strings.Contains(event.Description, "(hook "+c.hook) && strings.Contains(event.Description, "VM vm2 is failed") {
				named++
				if (event.VMID == p.vmID("vm2")) != c.known || event.VMID != "" && !c.known {
					t.Errorf("%s: the event refers to %q: %s", c.name, event.VMID, event.Description)
				}
			}
		}
		if named == 0 {
			t.Errorf("%s: no event names the VM", c.name)
		}
	}
}

// TestNothingIsShown of a dry run, and of a plan with events = false, whose locks are announced all the same.
func TestNothingIsShown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 67, lab.TwoSitesOptions{})
	p.lose()
	expect(t, p.failover(func(o *runner.Options) { o.DryRun = true }), runner.ExitDone)
	if n := len(p.allChanges()); n > 0 {
		t.Errorf("%d requests of a dry run", n)
	}
	p.quiet()
	expect(t, p.failover(nil), runner.ExitDone)
	if shown := p.marks(plans.Secondary); shown.all() > 0 {
		t.Errorf("shown: %+v", shown)
	}
	if !slices.ContainsFunc(p.allChanges(), func(entry lab.LogEntry) bool { return strings.Contains(entry.Effect, "; locks: ") }) {
		t.Error("the locks are not announced")
	}
}

// TestPresenceIsBestEffort: whatever the engine does about what shows the run, the run is the same and takes no longer; there is one
// warning for each kind, and that kind is not tried any more.
func TestPresenceIsBestEffort(t *testing.T) {
	t.Parallel()
	world := func() *pair {
		p := newPair(t, 68, lab.TwoSitesOptions{VMs: 6, Domains: 2})
		p.lose()
		return p
	}
	reference := world()
	undisturbed := reference.failover(nil)
	expect(t, undisturbed, runner.ExitDone)
	want := reference.fingerprint()
	const events, jobs = "/events$", "/jobs"
	for _, c := range []struct {
		name   string
		fault  lab.Fault
		warned []string // kinds
		why    string   // in each warning
		most   int      // requests of each kind
		late   bool     // the end waits for it
	}{
		{"events are not permitted", lab.Fault{Path: events, Nth: 2, Status: 403, Detail: "[User is not authorized to perform this action.]"}, []string{"events"}, "the role ExternalEventsCreator", 1, false},
		{"tasks are not permitted", lab.Fault{Path: jobs, Status: 403, Detail: "[User is not authorized to perform this action.]"}, []string{"tasks"}, "the role ExternalTasksCreator", 1, false},
		{"the engine's disk is full", lab.Fault{Path: events + "|" + jobs, Nth: 2, Status: 500, Detail: "[No space left on device]"}, []string{"events", "tasks"}, "No space left", 2, false},
		{"steps fail", lab.Fault{Path: "/steps", Status: 500, Detail: "[Internal Engine Error]"}, []string{"tasks"}, "Internal Engine Error", 3, false},
		{"no answer", lab.Fault{Path: events + "|" + jobs, Nth: 2, Delay: 24 * time.Hour}, []string{"events", "tasks"}, "given up after 2m0s: ", 2, true},
		{"resets", lab.Fault{Path: events + "|" + jobs, Nth: 2, Reset: "before"}, []string{"events", "tasks"}, "reset", 6, true},
		{"answers that nobody understands", lab.Fault{Path: jobs, HTML: true, Status: 200}, nil, "", 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := world()
			p.t = t
			c.fault.Site, c.fault.Method, c.fault.Times, c.fault.Reason = plans.Secondary, "POST", -1, "Operation Failed"
			if c.fault.Status == 0 || c.fault.HTML {
				c.fault.Reason = ""
			}
			p.fail(c.fault)
			r := p.failover(nil)
			expect(t, r, runner.ExitDone)
			if got := p.fingerprint(); got != want {
				t.Errorf("the world differs:\n%s\nwant:\n%s", got, want)
			}
			limit := undisturbed.Duration + 10
			if c.late {
				limit += 30
			}
			if r.Duration > limit {
				t.Errorf("it took %.0f s, and %.0f s undisturbed", r.Duration, undisturbed.Duration)
			}
			var kinds []string
			for _, warning := range r.Warnings {
				for _, kind := range []string{"events", "tasks"} {
					if strings.HasPrefix(warning, "the run could not be shown among the "+kind+" in the engine of secondary: ") {
						kinds = append(kinds, kind)
					}
				}
				if !strings.Contains(warning, c.why) {
					t.Errorf("it does not say why: %s", warning)
				}
			}
			slices.Sort(kinds)
			if !slices.Equal(kinds, c.warned) || len(r.Warnings) != len(c.warned) {
				t.Errorf("warnings %q, want one of each of %v", r.Warnings, c.warned)
			}
			shown := p.marks(plans.Secondary)
			if slices.Contains(c.warned, "tasks") && shown.tasks > c.most || slices.Contains(c.warned, "events") && shown.lines+shown.facts > c.most {
				t.Errorf("it was tried on: %+v", shown)
			}
			if status := p.runs()[0].Status; status != runner.StatusDone {
				t.Errorf("the run is %s", status)
			}
		})
	}
}

// TestSlowEndIsBounded: an engine that answers nothing any more when the work is over holds up the end for half a minute at most.
func TestSlowEndIsBounded(t *testing.T) {
	t.Parallel()
	p := newPair(t, 69, lab.TwoSitesOptions{VMs: 3})
	p.edit("return plan\n", `plan:on("after_run", function(ctx) ctx:log("over") end)
return plan
`)
	p.lose()
	began := time.Time{}
	p.afterEffect = func(int) {
		if n := len(p.out); n > 0 && slices.ContainsFunc(p.out, func(e engine.Event) bool { return e.Kind == "stage" && e.Text == "reprotect" }) && began.IsZero() {
			began = p.lab.View().Time
			p.fail(lab.Fault{Site: plans.Secondary, Method: "POST", Path: "/events$|/jobs", Times: -1, Delay: time.Hour})
		}
	}
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	took := r.Started.Add(time.Duration(r.Duration * float64(time.Second))).Sub(began)
	if began.IsZero() || took < 25*time.Second || took > 40*time.Second {
		t.Errorf("the end took %s", took)
	}
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "it took longer than 30s after the end of the work") {
		t.Errorf("warnings: %q", r.Warnings)
	}
}

// TestInterruptIsShown: the first Ctrl-C leaves time to say that the run was interrupted; the second drops what is not said by then.
func TestInterruptIsShown(t *testing.T) {
	t.Parallel()
	for _, twice := range []bool{false, true} {
		p := newPair(t, 76, lab.TwoSitesOptions{VMs: 3})
		p.lose()
		var r *runner.Result
		p.do(func(env engine.Env) {
			soft, first := context.WithCancel(context.Background())
			hard, second := context.WithCancel(context.Background())
			defer first()
			defer second()
			p.afterEffect = func(int) {
				if _, ranks := p.stages(); ranks == 1 {
					first()
					if twice {
						second()
					}
				}
			}
			r = runner.Start(soft, hard, p.options(env, writable))
		})
		p.afterEffect = nil
		expect(t, r, runner.ExitInterrupted)
		s := p.look(plans.Secondary)
		last := p.lines(s.events)[len(s.events)-1]
		const want = "warning drrun run RUN: failover " + ofPlan + " from primary to secondary ended: interrupted, exit code 130"
		if said := strings.HasPrefix(last, want); said == twice {
			t.Errorf("interrupted twice %v: the last event is %q", twice, last)
		}
		if failed := strings.HasPrefix(s.tasks[0], "failed "); failed == twice {
			t.Errorf("interrupted twice %v: the task is %q", twice, s.tasks[0])
		}
		if why := strings.Join(r.Warnings, "\n"); twice != strings.Contains(why, "in the engine of secondary: interrupted") {
			t.Errorf("interrupted twice %v: warnings %q", twice, r.Warnings)
		}
		expect(t, p.resume(r.Run, nil), runner.ExitDone)
		for _, task := range p.look(plans.Secondary).tasks {
			if strings.HasPrefix(task, "started") {
				t.Errorf("left open: %s", task)
			}
		}
	}
}

// TestEveryRequestNamesItsRun: the correlation id of each changing request begins with the id of its run, and has the length that every
// engine takes.
func TestEveryRequestNamesItsRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 70, lab.TwoSitesOptions{VMs: 5, Domains: 2})
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	runs := p.runs()
	for _, entry := range p.allChanges() {
		own := slices.ContainsFunc(runs, func(run engine.RunInfo) bool { return strings.HasPrefix(entry.Correlation, run.ID+"-") })
		if !own || len(entry.Correlation) > 36 {
			t.Errorf("%s %s has the correlation id %q", entry.Method, entry.Path, entry.Correlation)
		}
	}
}

// TestKilledWhileShowing kills a run after each request that shows it, and resumes it: nothing is asked, nothing is posted twice, and no
// task stays open.
func TestKilledWhileShowing(t *testing.T) {
	t.Parallel()
	world := func() *pair {
		p := newPair(t, 71, lab.TwoSitesOptions{VMs: 3})
		p.lose()
		return p
	}
	reference := world()
	expect(t, reference.failover(nil), runner.ExitDone)
	want, shown := reference.fingerprint(), reference.marks(plans.Secondary).all()
	if shown < 20 {
		t.Fatalf("%d requests show a run", shown)
	}
	for n := 1; n <= shown; n++ {
		for _, torn := range []bool{false, true} {
			name := fmt.Sprintf("killed after mark %d (power loss %v)", n, torn)
			p := world()
			p.afterEffect = func(int) {
				if p.marks(plans.Secondary).all() >= n {
					p.afterEffect = nil
					if torn {
						p.world.SetDisk(p.disk.Crash(7))
						p.disk = p.world.Disk()
					}
					p.world.Group("drrun").Kill()
				}
			}
			p.failover(nil)
			if p.afterEffect != nil {
				t.Errorf("%s: the run was over before", name)
			}
			if r := p.untilDone(); r.Exit != runner.ExitDone || len(r.Warnings) > 0 {
				t.Errorf("%s: exit %d, %+v, warnings %q", name, r.Exit, r.Error, r.Warnings)
			}
			if got := p.fingerprint(); got != want {
				t.Errorf("%s: the world differs:\n%s", name, got)
			}
			for _, wrong := range p.wrongs() {
				t.Errorf("%s: %s", name, wrong)
			}
			s := p.look(plans.Secondary)
			said := map[string]bool{}
			for _, event := range append(s.events, s.facts...) {
				if said[event.Description] {
					t.Errorf("%s: posted twice: %s", name, event.Description)
				}
				said[event.Description] = true
			}
			for _, task := range s.tasks {
				if strings.HasPrefix(task, "started ") || strings.Contains(task, " started") {
					t.Errorf("%s: left open: %s", name, task)
				}
			}
			p.world.Close()
		}
	}
}

// TestAbortEndsTheTask that a killed run has left open, and tells of it.
func TestAbortEndsTheTask(t *testing.T) {
	t.Parallel()
	for _, silent := range []bool{false, true} {
		p := newPair(t, 73, lab.TwoSitesOptions{VMs: 3})
		p.lose()
		p.afterEffect = func(int) {
			if p.marks(plans.Secondary).tasks == 9 {
				p.world.Group("drrun").Kill()
			}
		}
		p.failover(nil)
		p.afterEffect = nil
		p.wait(time.Second)
		open := p.look(plans.Secondary)
		if len(open.tasks) != 1 || !strings.HasPrefix(open.tasks[0], "started ") {
			t.Fatalf("tasks of the killed run: %q", open.tasks)
		}
		if silent {
			p.fail(lab.Fault{Site: plans.Secondary, Method: "POST", Path: "/jobs", Times: -1, Status: 403, Reason: "Operation Failed", Detail: "[no]"})
		}
		r := p.abort(p.runs()[0].ID)
		expect(t, r, runner.ExitDone)
		s := p.look(plans.Secondary)
		if silent {
			if len(r.Warnings) != 1 || !strings.HasPrefix(r.Warnings[0], "the engine of secondary may show the run as one that goes on: ") {
				t.Errorf("warnings: %q", r.Warnings)
			}
			continue
		}
		if len(s.tasks) != 1 || !strings.HasPrefix(s.tasks[0], "failed ") || strings.Contains(s.tasks[0], "started") {
			t.Errorf("tasks: %q", s.tasks)
		}
		if lines := p.lines(s.events); !strings.HasPrefix(lines[len(lines)-1], "warning drrun run RUN: closed as it is by user on host, with drrun abort; on secondary: ") {
			t.Errorf("events: %q", lines)
		}
		if len(r.Warnings) > 0 {
			t.Errorf("warnings: %q", r.Warnings)
		}
		for _, wrong := range p.wrongs() {
			t.Error(wrong)
		}
	}
}

// TestEventsHoldNoSecret (invariant I5) lets passwords into whatever reaches an engine's lists: names of stages, errors, comments of VMs.
func TestEventsHoldNoSecret(t *testing.T) {
	t.Parallel()
	p := newPair(t, 72, lab.TwoSitesOptions{VMs: 3})
	p.engine(plans.Primary, func(ctx context.Context, s *ovirt.Site) error {
		_, _, err := s.TouchVM(ctx, p.vmID("vm1"), "log in with "+lab.SecondaryPassword)
		return err
	})
	p.edit("return plan\n", `
plan:on("before_start", function(ctx, vm)
  ctx:stage("key `+lab.PrimaryPassword+`")
  if vm.name == "vm2" then error("no luck with `+lab.SecondaryPassword+`") end
end)
return plan
`)
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitPartial)
	if !slices.ContainsFunc(r.Warnings, func(text string) bool { return strings.HasPrefix(text, "the facts of the run are not kept") }) {
		t.Errorf("facts with a password in them are kept: %q", r.Warnings)
	}
	redacted := 0
	for _, site := range []string{plans.Primary, plans.Secondary} {
		s := p.look(site)
		text, err := json.Marshal([]any{s.events, s.facts, s.tasks})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.facts) > 0 {
			t.Errorf("facts in the engine of %s", site)
		}
		for _, secret := range []string{lab.PrimaryPassword, lab.SecondaryPassword} {
			if strings.Contains(string(text), secret) {
				t.Errorf("the engine of %s shows the password %s", site, secret)
			}
		}
		redacted += strings.Count(strings.Join(append(p.lines(s.events), s.tasks...), "\n"), "<secret>")
	}
	if redacted < 3 {
		t.Errorf("only %d secrets would have been shown: the test proves little", redacted)
	}
}

// TestShowsItselfOnly (invariant I7): a run posts events of drrun, and changes no job and no step but its own.
func TestShowsItselfOnly(t *testing.T) {
	t.Parallel()
	target, err := ovirt.New(ovirt.Options{Name: plans.Secondary, URL: lab.SecondaryURL, Username: "u", Password: "p", Clock: newPair(t, 75, lab.TwoSitesOptions{}).world.Clock()})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what                       string
		site, op, kind, name, path string
		want                       bool
	}{
		{"an event of drrun", plans.Primary, ovirt.OpPostEvent, ovirt.KindEvent, "drrun", "/events", true},
		{"an event of another", plans.Primary, ovirt.OpPostEvent, ovirt.KindEvent, "backup", "/events", false},
		{"a job at the target", plans.Secondary, ovirt.OpAddJob, ovirt.KindJob, "drrun failover", "/jobs", true},
		{"a job at the source", plans.Primary, ovirt.OpAddJob, ovirt.KindJob, "drrun failover", "/jobs", false},
		{"a step of its job", plans.Secondary, ovirt.OpAddStep, ovirt.KindStep, "import", "/jobs/mine/steps", true},
		{"a step of its job, at the source", plans.Primary, ovirt.OpAddStep, ovirt.KindStep, "import", "/jobs/mine/steps", false},
		{"the end of its step", plans.Secondary, ovirt.OpEndStep, ovirt.KindStep, "", "/jobs/mine/steps/s/end", true},
		{"the end of its job", plans.Secondary, ovirt.OpEndJob, ovirt.KindJob, "", "/jobs/mine/end", true},
		{"the end of the job of an attempt before", plans.Secondary, ovirt.OpEndJob, ovirt.KindJob, "", "/jobs/earlier/end", true},
		{"the end of another job", plans.Secondary, ovirt.OpEndJob, ovirt.KindJob, "", "/jobs/other/end", false},
		{"a step of another job", plans.Secondary, ovirt.OpAddStep, ovirt.KindStep, "import", "/jobs/other/steps", false},
		{"a job without id", plans.Secondary, ovirt.OpEndJob, ovirt.KindJob, "", "/jobs//end", false},
		{"a label", plans.Secondary, ovirt.OpCreateLabel, ovirt.KindAffinityLabel, "drrun", "/affinitylabels", false},
		{"a VM", plans.Secondary, ovirt.OpStartVM, ovirt.KindVM, "drrun", "/jobs/mine", false},
	} {
		w := &ovirt.Write{Site: c.site, Op: c.op, Path: c.path, Subject: ovirt.Subject{Kind: c.kind, Name: c.name}}
		if got := runner.Shows(target, "mine", []string{"earlier"}, w); got != c.want {
			t.Errorf("%s: %v", c.what, got)
		}
	}
}
