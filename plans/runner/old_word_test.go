package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// What a run recorded was true when it recorded it. The tests in this file let the world move on before it is taken up again.

// refused checks that an action changed nothing and was refused with a code.
func (p *pair) refused(r *runner.Result, code string, before int) {
	p.t.Helper()
	if r.Exit != runner.ExitRefused || r.Error == nil || r.Error.Code != code {
		p.t.Errorf("exit %d, %+v; want it to be refused as %s", r.Exit, r.Error, code)
	}
	if after := len(p.changes()); after != before {
		p.t.Errorf("%d changes", after-before)
	}
}

// TestOvertakenRun resumes a run that ended with 4 after the VMs have gone home: it would take them to the old copy.
func TestOvertakenRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	if err := p.lab.Fail(lab.Fault{Kind: lab.FaultVMBoot, Subject: "vm2", Times: 1}); err != nil {
		t.Fatal(err)
	}
	old := p.planned(plans.ActionFailover, nil, nil)
	expect(t, old, runner.ExitPartial)
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	p.wait(time.Hour)
	before := len(p.changes())
	r := p.resume(old.Run, func(o *runner.Options) { p.byAdmin(nil, o) })
	p.refused(r, "overtaken", before)
	if !strings.Contains(r.Error.Message, "failback") {
		t.Errorf("it does not name what came after: %s", r.Error.Message)
	}
	p.harmless()
}

// harmless fails on whatever must never happen.
func (p *pair) harmless() {
	p.t.Helper()
	for _, v := range p.lab.View().Violations {
		p.t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
}

// TestMovedByAnotherMachine is the same where the failback ran on another machine, of which this one's state folder knows nothing.
func TestMovedByAnotherMachine(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	if err := p.lab.Fail(lab.Fault{Kind: lab.FaultVMBoot, Subject: "vm2", Times: 1}); err != nil {
		t.Fatal(err)
	}
	old := p.planned(plans.ActionFailover, nil, nil)
	expect(t, old, runner.ExitPartial)
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, func(o *runner.Options) { o.StateDir = "/elsewhere" }), runner.ExitDone)
	before := len(p.changes())
	p.refused(p.resume(old.Run, func(o *runner.Options) { p.byAdmin(nil, o) }), "moved-since", before)
	p.harmless()
}

// stoppedAtPromotion begins a planned failover that stops because the copy is too old.
func (p *pair) stoppedAtPromotion() string {
	p.t.Helper()
	r := p.planned(plans.ActionFailover, &storageAdmin{idle: true, asOf: "2020-01-01T00:00:00Z"}, nil)
	expect(p.t, r, runner.ExitStopped)
	return r.Run
}

// TestSilenceIsNoEvidenceForARollback: the other site may have the VMs by now, through a run that broke the locks.
func TestSilenceIsNoEvidenceForARollback(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	id := p.stoppedAtPromotion()
	if err := p.lab.Disaster("secondary"); err != nil {
		t.Fatal(err)
	}
	before := len(p.changes())
	r := p.rollback(id, func(o *runner.Options) { o.CanAnswer = func(string) bool { return false } })
	if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != "no-evidence" || len(p.changes()) != before {
		t.Errorf("exit %d, %+v, %d changes", r.Exit, r.Error, len(p.changes())-before)
	}
	expect(t, p.rollback(id, func(o *runner.Options) { o.ConfirmSourceDown = confirmed }), runner.ExitDone)
	p.sound("primary", nil)
}

// TestBrokenLocks: another machine broke the locks of a run that was stopped, and has the VMs. The first one is not taken up again, nor undone.
func TestBrokenLocks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	first := p.stoppedAtPromotion()
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			t.Fatal(err)
		}
	}
	second := p.failover(func(o *runner.Options) {
		o.StateDir, o.BreakLock, o.ConfirmSourceDown = "/elsewhere", true, ""
		breaker := answers{"promote_storage": "writable,as_of=unknown", "break_lock": first}
		o.Asker, o.CanAnswer = breaker, breaker.can
	})
	expect(t, second, runner.ExitDone)
	before := len(p.changes())
	p.refused(p.resume(first, func(o *runner.Options) { p.byAdmin(nil, o) }), "lock-lost", before)
	if r := p.rollback(first, nil); r.Exit == runner.ExitDone || len(p.changes()) != before {
		t.Errorf("rolled back: exit %d, %+v", r.Exit, r.Error)
	}
	p.harmless()
}

// TestSourceUsedBetweenAttempts: the operator goes on at the source for an hour, and comes back to the run with the time of the first release.
func TestSourceUsedBetweenAttempts(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	id := p.stoppedAtPromotion()
	p.wait(time.Minute)
	var released time.Time
	p.do(func(env engine.Env) { released = env.Clock.Now() })
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			t.Fatal(err)
		}
	}
	view := p.lab.View().Sites["primary"]
	p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
		known, err := s.StorageDomain(ctx, view.StorageDomains[0].ID)
		if err != nil {
			return err
		}
		if _, _, err = s.ActivateDomain(ctx, known.DataCenterID, known.ID, 10*time.Minute); err != nil {
			return err
		}
		for _, vm := range view.VMs {
			if _, err := s.StartVM(ctx, vm.ID, ovirt.StartOptions{Timeout: 10 * time.Minute, MayStart: func(context.Context) error { return nil }}); err != nil {
				return err
			}
		}
		return nil
	})
	p.wait(time.Hour)
	r := p.resume(id, func(o *runner.Options) {
		p.byAdmin(&storageAdmin{idle: true, asOf: released.UTC().Format(time.RFC3339)}, o)
	})
	if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != "stale-copy" {
		t.Errorf("exit %d, %+v", r.Exit, r.Error)
	}
	p.harmless()
}

// TestLossIsAcceptedForOneAttempt: a promotion that only --accept-loss let pass is judged again by the attempt after it.
func TestLossIsAcceptedForOneAttempt(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	died := false
	p.planned(plans.ActionFailover, &storageAdmin{asOf: "unknown"}, func(o *runner.Options) {
		o.AcceptLoss = "Ann: there is no time"
		p.whenever(func(e engine.Event) {
			if !died && e.Kind == "stage" && e.Text == "import" {
				died = true
				p.world.Group("drrun").Kill()
			}
		})(o)
	})
	if !died {
		t.Fatal("it was not killed")
	}
	id := p.runID()
	r := p.resume(id, func(o *runner.Options) { p.byAdmin(nil, o) })
	if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != "stale-copy" {
		t.Errorf("exit %d, %+v", r.Exit, r.Error)
	}
	r = p.resume(id, func(o *runner.Options) {
		p.byAdmin(nil, o)
		o.AcceptLoss = "Ann: there is no time"
	})
	expect(t, r, runner.ExitDone)
	if said := strings.Join(r.Verdicts, "\n"); strings.Contains(said, "nothing lost") {
		t.Errorf("said:\n%s", said)
	}
}

// TestWorkflowsCannotWaive runs workflows of a plan's own that leave out what the built-in one does first.
func TestWorkflowsCannotWaive(t *testing.T) {
	t.Parallel()
	const bring = `
  ctx.target:import_domain("nfs_ds")
  local d = ctx.target:storage_domain("nfs_ds")
  d:attach()
  for _, x in ipairs(d:unregistered_templates()) do x:register() end
  for _, vm in ipairs(d:unregistered_vms()) do vm:register() end
  ctx.target:vm("vm2"):start {}
`
	for name, c := range map[string]struct{ begin, code string }{
		"a quarantine of everything":  {`for _, d in ipairs(ctx.facts.storage_domains) do ctx:quarantine(d.id, "x") end`, "not-allowed"},
		"no release":                  {`ctx:judge_copy("all", { writable = true, as_of = "in_sync" })`, "stale-copy"},
		"no promotion":                {`local s = require "dr.steps" s.stop_source(ctx) s.release_storage(ctx)`, "stale-copy"},
		"a promotion that nobody saw": {`local s = require "dr.steps" s.stop_source(ctx) s.release_storage(ctx) ctx:judge_copy("all", { writable = true, as_of = "in_sync" })`, "stale-copy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.edit("return plan\n", "function plan.failover(ctx)\n  "+c.begin+bring+"end\nreturn plan\n")
			for _, domain := range p.domains() {
				if err := p.lab.Promote(domain); err != nil {
					t.Fatal(err)
				}
			}
			p.wait(time.Hour)
			r := p.planned(plans.ActionFailover, &storageAdmin{idle: true}, nil)
			if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != c.code {
				t.Errorf("exit %d, %+v; want %s", r.Exit, r.Error, c.code)
			}
			p.harmless()
			if started := p.started(); len(started) > 0 {
				t.Errorf("started %v", started)
			}
		})
	}
}
