package runner_test

import (
	"context"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// rollback undoes a planned run.
func (p *pair) rollback(id string, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, answers{})
		o.ConfirmSourceDown = ""
		if change != nil {
			change(&o)
		}
		result = runner.Rollback(context.Background(), context.Background(), id, o)
	})
	return result
}

func (p *pair) abort(id string) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		result = runner.Abort(context.Background(), context.Background(), p.options(env, answers{}), id)
	})
	return result
}

// heldOff starts a planned failover that stops at the question for the promotion, the last moment in which it can be undone.
func (p *pair) heldOff() *runner.Result {
	p.t.Helper()
	r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) {
		o.Asker = answers{"replication": "yes"}
	})
	expect(p.t, r, runner.ExitStopped)
	if r.Error.Code != "needs-answer" {
		p.t.Fatalf("stopped by %+v", r.Error)
	}
	return r
}

// undone fails where the world is not as before a planned run that was rolled back.
func (p *pair) undone(world string, described map[string]string) {
	p.t.Helper()
	if got := p.fingerprint(); got != world {
		p.t.Errorf("the world differs:\n%s\nwant:\n%s", got, world)
	}
	p.sameVMs("primary", described)
}

// marked is the world before a planned failover, with VMs that carry what a move must keep, and a hook in the plan.
func marked(t *testing.T, size lab.TwoSitesOptions) *pair {
	t.Helper()
	p := newPair(t, 5, size)
	p.marked()
	p.edit("return plan\n", `
plan:on("after_start", function(ctx, vm) return ctx:step("dns", function() return vm.name .. " is known" end) end, { as = "dns" })
return plan
`)
	p.audited = len(p.allChanges())
	return p
}

// TestRollbackFromEveryStep kills a planned failover after each record and each effect before the promotion, and undoes it: the world is
// as it was, the run is closed, and another planned failover works.
func TestRollbackFromEveryStep(t *testing.T) {
	t.Parallel()
	size := lab.TwoSitesOptions{Domains: 2}
	reference := marked(t, size)
	world, described := reference.fingerprint(), reference.described("primary")
	reference.count()
	stopped := reference.heldOff()
	points := reference.counted().every(5)
	expect(t, reference.rollback(stopped.Run, nil), runner.ExitDone)
	reference.undone(world, described)
	undone := 0
	for i, point := range points {
		p := marked(t, size)
		died := p.arm(point)
		p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker = answers{"replication": "yes"} })
		if !*died {
			continue // behind the question
		}
		runs := p.runs()
		if len(runs) == 0 {
			continue
		}
		switch r := p.rollback(runs[0].ID, nil); {
		case r.Exit == runner.ExitRefused && r.Error.Code == "nothing-to-undo":
			if a := p.abort(runs[0].ID); a.Exit != runner.ExitDone || len(a.Warnings) > 0 {
				t.Errorf("%s: the run that changed nothing is not closed: %+v %v", point, a.Error, a.Warnings)
			}
		case r.Exit != runner.ExitDone:
			t.Errorf("%s: exit %d of the rollback: %+v", point, r.Exit, r.Error)
		default:
			undone++
			if status := p.runs()[0].Status; status != runner.StatusRolledBack {
				t.Errorf("%s: the run is %s", point, status)
			}
		}
		p.undone(world, described)
		for _, wrong := range p.wrongs() {
			// What was cut before it left stays open where the way back has no need to know.
			if !strings.Contains(wrong, "and it is not settled as without effect") {
				t.Errorf("%s: %s", point, wrong)
			}
		}
		if i%5 == 0 {
			written := p.counters("primary")
			if r := p.planned(plans.ActionFailover, nil, nil); r.Exit != runner.ExitDone {
				t.Errorf("%s: exit %d of the next planned failover: %+v", point, r.Exit, r.Error)
			}
			p.sound("secondary", written)
		}
		if t.Failed() {
			t.Fatalf("at: %s", point)
		}
	}
	t.Logf("%d points, %d of them undone", len(points), undone)
}

// TestRollbackIsKilled kills a rollback after each record and each effect, and does it again.
func TestRollbackIsKilled(t *testing.T) {
	t.Parallel()
	size := lab.TwoSitesOptions{Domains: 2}
	reference := marked(t, size)
	world, described := reference.fingerprint(), reference.described("primary")
	run := reference.heldOff().Run
	reference.count()
	expect(t, reference.rollback(run, nil), runner.ExitDone)
	for _, point := range reference.counted().every(5) {
		p := marked(t, size)
		run := p.heldOff().Run
		died := p.arm(point)
		p.rollback(run, nil)
		if !*died {
			t.Errorf("%s: the rollback was over before", point)
		}
		p.disarm()
		if p.isBeingUndone(run) { // from then on it can only go on backwards
			if r := p.resume(run, func(o *runner.Options) { p.byAdmin(nil, o) }); r.Exit != runner.ExitRefused || r.Error.Code != "being-undone" {
				t.Errorf("%s: the resume: exit %d %+v", point, r.Exit, r.Error)
			}
		}
		if p.runs()[0].Status != runner.StatusRolledBack {
			if r := p.rollback(run, nil); r.Exit != runner.ExitDone {
				t.Errorf("%s: exit %d of the second rollback: %+v", point, r.Exit, r.Error)
			}
		}
		p.undone(world, described)
		for _, wrong := range p.wrongs() {
			// What was cut before it left stays open where the way back has no need to know.
			if !strings.Contains(wrong, "and it is not settled as without effect") {
				t.Errorf("%s: %s", point, wrong)
			}
		}
		if t.Failed() {
			t.Fatalf("at: %s", point)
		}
	}
}

// isBeingUndone tells whether a rollback of the unfinished run has begun.
func (p *pair) isBeingUndone(id string) (begun bool) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", id)
		if err != nil {
			p.t.Error(err)
			return
		}
		for _, record := range info.Records {
			begun = begun || record.Note == "rollback" && info.Unfinished()
		}
	})
	return begun
}

// TestRollbackIsRefused: for a run that cannot be undone, with the way that is left.
func TestRollbackIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		make       func(p *pair) (run string)
	}{
		{"unplanned", "not-planned", func(p *pair) string {
			p.lose()
			p.fail(lab.Fault{Kind: lab.FaultActivation, Times: -1})
			return p.failover(nil).Run
		}},
		{"it went to its end, and not all is well", "promoted", func(p *pair) string {
			p.fail(lab.Fault{Kind: lab.FaultVMBoot, Subject: "vm2", Times: -1})
			r := p.planned(plans.ActionFailover, nil, nil)
			expect(p.t, r, runner.ExitPartial)
			return r.Run
		}},
		{"finished", "finished-run", func(p *pair) string { return p.planned(plans.ActionFailover, nil, nil).Run }},
		{"the question was answered", "promoted", func(p *pair) string {
			p.fail(lab.Fault{Site: "secondary", Path: "/hosts/.*/refresh$", Status: 409, Reason: "Operation Failed", Times: -1})
			return p.planned(plans.ActionFailover, nil, nil).Run
		}},
		{"a hook was begun", "promoted", func(p *pair) string {
			p.edit("return plan\n", `plan:on("promote_storage", function() error("the array is silent") end, { as = "array" })
return plan
`)
			return p.planned(plans.ActionFailover, nil, nil).Run
		}},
		{"the source was demoted", "promoted", func(p *pair) string {
			p.edit("return plan\n", `plan:on("demote_storage", function() error("the array is silent") end, { as = "array" })
return plan
`)
			return p.planned(plans.ActionFailover, nil, nil).Run
		}},
		{"the import was begun", "promoted", func(p *pair) string {
			p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/storagedomains$", Reset: "before", Times: -1})
			return p.planned(plans.ActionFailover, nil, nil).Run
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			run := c.make(p)
			n, world, status := len(p.changes()), p.fingerprint(), p.runs()[0].Status
			r := p.rollback(run, nil)
			expect(t, r, runner.ExitRefused)
			if r.Error.Code != c.code {
				t.Errorf("error %+v", r.Error)
			}
			if len(p.changes()) != n || p.fingerprint() != world {
				t.Errorf("it changed something: %v", p.changes()[n:])
			}
			if now := p.runs()[0].Status; now != status {
				t.Errorf("the run is %s and was %s", now, status)
			}
			if strings.Contains(r.Error.Hint, "drrun rollback") {
				t.Errorf("hint %q", r.Error.Hint)
			}
		})
	}
}
