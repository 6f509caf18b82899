package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// next is the one next command that drrun status names, with ids of runs as RUN.
func (p *pair) next() string {
	p.t.Helper()
	var r *runner.Result
	p.do(func(env engine.Env) {
		r = runner.Status(context.Background(), context.Background(), p.options(env, answers{}))
	})
	expect(p.t, r, runner.ExitDone)
	if r.Pair.Why == "" {
		p.t.Error("no reason")
	}
	command := r.Pair.Next
	for _, run := range p.runs() {
		command = strings.ReplaceAll(command, run.ID, "RUN")
	}
	return command
}

// TestStoryOfDirections goes through the states of a pair of sites. In each of them status names one next command, and actions in a
// wrong direction are refused and change nothing.
func TestStoryOfDirections(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	next := func(state, want string) {
		t.Helper()
		if got := p.next(); got != want {
			t.Errorf("%s: next %q, want %q", state, got, want)
		}
	}
	refused := func(state, code string, run func() *runner.Result) {
		t.Helper()
		n := len(p.changes())
		r := run()
		found := r.Error != nil && r.Error.Code == code
		for _, finding := range r.Findings {
			found = found || finding.Code == code
		}
		if r.Exit != runner.ExitRefused || !found || len(p.changes()) != n {
			t.Errorf("%s: exit %d %+v, %d changes; want refused by %s", state, r.Exit, r.Error, len(p.changes())-n, code)
		}
	}
	over := func() *runner.Result { return p.planned(plans.ActionFailover, nil, nil) }
	back := func() *runner.Result { return p.planned(plans.ActionFailback, nil, nil) }
	lost := func() *runner.Result { return p.failover(nil) }

	next("at home", "drrun check /site/plan.lua")
	refused("failback at home", "wrong-direction", back)
	refused("unplanned failback at home", "wrong-direction", func() *runner.Result {
		return p.failover(func(o *runner.Options) { o.Action = plans.ActionFailback })
	})

	stopped := p.heldOff()
	next("a planned failover is unfinished", "drrun resume RUN")
	refused("failback meanwhile", "unfinished-run", back)
	refused("failover meanwhile", "unfinished-run", over)
	refused("unplanned failover meanwhile", "unfinished-run", lost)
	refused("clean meanwhile", "unfinished-run", func() *runner.Result { return p.clean("secondary", nil) })

	p.killAfter(len(p.changes()) + 1)
	p.rollback(stopped.Run, nil)
	next("it is being undone", "drrun rollback RUN")
	refused("failover while it is undone", "unfinished-run", over)
	expect(t, p.rollback(stopped.Run, nil), runner.ExitDone)
	next("undone", "drrun check /site/plan.lua")

	p.lose()
	next("the primary is silent", "drrun failover /site/plan.lua")
	expect(t, p.failover(nil), runner.ExitDone)
	next("away, the primary silent", "")
	refused("failover twice", "wrong-direction", lost)
	refused("failback to a silent site", "unreachable", back)

	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.wait(20 * time.Minute)
	p.story = len(p.lab.View().Violations)
	next("both hold, and VMs run at both", "drrun clean /site/plan.lua --site primary")
	refused("planned failover while both hold", "not-stale", over)
	refused("clean of the living site", "not-stale", func() *runner.Result { return p.clean("secondary", nil) })
	expect(t, p.clean("primary", nil), runner.ExitDone)
	next("away and clean", "drrun failback /site/plan.lua")
	refused("failover twice, planned", "wrong-direction", over)

	p.replicate()
	p.wait(10 * time.Minute)
	written := p.counters("primary")
	if err := p.lab.Disaster("secondary"); err != nil {
		t.Fatal(err)
	}
	next("the secondary is lost while away", "drrun failback /site/plan.lua --unplanned")
	refused("planned failback from a lost site", "site-unreachable", back)
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, p.failover(func(o *runner.Options) { o.Action = plans.ActionFailback }), runner.ExitDone)
	p.sound("primary", written)
	if err := p.lab.Heal("secondary"); err != nil {
		t.Fatal(err)
	}
	p.wait(20 * time.Minute)
	p.story = len(p.lab.View().Violations)
	next("home again, and the secondary is back", "drrun clean /site/plan.lua --site secondary")
	expect(t, p.clean("secondary", nil), runner.ExitDone)
	p.nothingOfThePlan("secondary")
	next("home and clean", "drrun check /site/plan.lua")
	p.replicate()
	p.wait(10 * time.Minute)
	expect(t, over(), runner.ExitDone)
	p.sound("secondary", p.counters("primary"))
}
