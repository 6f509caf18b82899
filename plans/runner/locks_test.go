package runner_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// machine is one of several from which drrun is run: a name, and a state folder of its own.
type machine struct {
	p    *pair
	name string
}

func (p *pair) machine(name string) machine { return machine{p, name} }

func (m machine) options(env engine.Env) runner.Options {
	o := m.p.options(env, writable)
	o.Host, o.User, o.StateDir = m.name, "ann", "/"+m.name
	return o
}

func (m machine) start(change func(*runner.Options)) (r *runner.Result) {
	m.p.do(func(env engine.Env) {
		o := m.options(env)
		if change != nil {
			change(&o)
		}
		r = runner.Start(context.Background(), context.Background(), o)
	})
	return r
}

func (m machine) resume(id string, change func(*runner.Options)) (r *runner.Result) {
	m.p.do(func(env engine.Env) {
		o := m.options(env)
		if change != nil {
			change(&o)
		}
		r = runner.Resume(context.Background(), context.Background(), id, o)
	})
	return r
}

func (m machine) abort(id string) (r *runner.Result) {
	m.p.do(func(env engine.Env) { r = runner.Abort(context.Background(), context.Background(), m.options(env), id) })
	return r
}

// newest returns the newest run of the machine's state folder.
func (m machine) newest() (newest engine.RunInfo) {
	m.p.t.Helper()
	m.p.do(func(env engine.Env) {
		runs, err := engine.ListRuns(env, "/"+m.name)
		if err != nil || len(runs) == 0 {
			m.p.t.Errorf("runs of %s: %v, %v", m.name, runs, err)
			return
		}
		newest = runs[0]
	})
	return newest
}

// killAfter kills drrun when its n-th request that changed an object of the plan had its effect.
func (p *pair) killAfter(n int) {
	p.afterEffect = func(int) {
		if len(p.changes()) >= n { // several can have theirs at one moment
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
}

// label makes a label in an engine as another machine would.
func (p *pair) label(site, domainID, id string) {
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error { return s.CreateLabel(ctx, "drrun."+domainID, id) })
}

func (p *pair) engine(name string, do func(ctx context.Context, s *ovirt.Site) error) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		url, user, password := lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword
		if name == "secondary" {
			url, user, password = lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword
		}
		if err := do(context.Background(), p.open(env, name, url, user, password)); err != nil {
			p.t.Fatal(err)
		}
	})
}

// letGo puts every storage domain of the plan into maintenance at the primary, so that the source answers and has let go of all.
func (p *pair) letGo() {
	for _, domain := range p.lab.View().Sites["primary"].StorageDomains {
		if !strings.HasPrefix(domain.Name, "nfs_ds") {
			continue
		}
		p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
			known, err := s.StorageDomain(ctx, domain.ID)
			if err == nil {
				_, _, err = s.DeactivateDomain(ctx, known.DataCenterID, domain.ID, 0)
			}
			return err
		})
		if err := p.lab.Promote(domain.Name); err != nil {
			p.t.Fatal(err)
		}
	}
}

// stopVMs stops every VM of the primary.
func (p *pair) stopVMs() {
	for _, vm := range p.lab.View().Sites["primary"].VMs {
		p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
			_, err := s.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{Force: true})
			return err
		})
	}
}

const otherLabel = "0f0f3dd2-5fd5-44e9-8b3f-2a1c7d3b9a77"

func (p *pair) domainID(name string) string {
	for _, domain := range p.lab.View().Sites["primary"].StorageDomains {
		if domain.Name == name {
			return domain.ID
		}
	}
	p.t.Fatalf("no storage domain %s", name)
	return ""
}

// TestLocksOfARun takes one label per storage domain in each engine that answers, in order, the event about them first, and gives all
// back at the end.
func TestLocksOfARun(t *testing.T) {
	t.Parallel()
	for _, sourceAnswers := range []bool{false, true} {
		p := newPair(t, 21, lab.TwoSitesOptions{Domains: 2})
		p.quiet()
		ids := []string{p.domainID("nfs_ds"), p.domainID("nfs_ds2")}
		slices.Sort(ids)
		sites := []string{"secondary"}
		if sourceAnswers {
			sites = []string{"primary", "secondary"}
			p.stopVMs()
			p.letGo()
		} else {
			p.lose()
		}
		before := len(p.allChanges())
		r := p.failover(func(o *runner.Options) {
			if sourceAnswers {
				o.ConfirmSourceDown = ""
			}
		})
		expect(t, r, 0)
		var want []string
		for _, site := range sites {
			want = append(want, site+" add event drrun", site+" add affinity label drrun."+ids[0], site+" add affinity label drrun."+ids[1])
		}
		for _, site := range slices.Backward(sites) {
			want = append(want, site+" delete affinity label drrun."+ids[1], site+" delete affinity label drrun."+ids[0])
		}
		var got []string
		for _, entry := range p.allChanges()[before:] {
			if besideThePlan(entry) {
				effect, _, _ := strings.Cut(entry.Effect, " run ")
				got = append(got, entry.Site+" "+effect)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("source answers %v: lock calls\n%s\nwant\n%s", sourceAnswers, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		if len(r.Warnings) > 0 {
			t.Errorf("warnings: %q", r.Warnings)
		}
	}
}

// TestKilledHolderKeepsItsLocks kills a run in the middle: another machine is refused and told who holds what since when, the holder's
// resume finds its locks its own, and they are gone when it is done.
func TestKilledHolderKeepsItsLocks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 22, lab.TwoSitesOptions{})
	p.lose()
	p.killAfter(3)
	one, two := p.machine("dr1"), p.machine("dr2")
	one.start(nil)
	run := one.newest()
	if held := p.labels(); len(held) != 1 || held[0] != "secondary drrun."+p.domainID("nfs_ds") {
		t.Fatalf("labels after the kill: %v", held)
	}
	changed := len(p.allChanges())
	r := two.start(nil)
	expect(t, r, 3)
	for _, want := range []string{"nfs_ds", "secondary", "run " + run.ID, "failover of plan \"Plan_Recovery\"", "ann@dr1", "since 2026-11-20T14:"} {
		if !strings.Contains(r.Error.Message, want) {
			t.Errorf("the refusal does not say %q: %s", want, r.Error.Message)
		}
	}
	if r.Error.Code != "locked" || !strings.Contains(r.Error.Hint, "drrun resume "+run.ID) || !strings.Contains(r.Error.Hint, "--break-lock") || r.Run != "" || len(p.allChanges()) != changed {
		t.Errorf("code %s, hint %s, run %q, %d changes", r.Error.Code, r.Error.Hint, r.Run, len(p.allChanges())-changed)
	}
	dry := two.start(func(o *runner.Options) { o.DryRun = true })
	if len(dry.Warnings) != 1 || !strings.Contains(dry.Warnings[0], "run "+run.ID) || len(p.allChanges()) != changed {
		t.Errorf("a dry run shows %q and changes %d", dry.Warnings, len(p.allChanges())-changed)
	}
	expect(t, one.resume(run.ID, nil), 0)
	if held := p.labels(); len(held) != 0 {
		t.Errorf("labels at the end: %v", held)
	}
}

// TestForeignLockInTheMiddle ends a run with 5 when somebody takes its lock over, or away, between two stages.
func TestForeignLockInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, taken := range []bool{true, false} {
		p := newPair(t, 23, lab.TwoSitesOptions{})
		p.lose()
		id := p.domainID("nfs_ds")
		stolen := false
		p.afterEffect = func(int) {
			changes := p.changes()
			if stolen || len(changes) == 0 || !strings.HasPrefix(changes[len(changes)-1].Effect, "start vm1") {
				return
			}
			stolen = true
			p.world.Daemon("thief").Go(func() {
				env := p.world.Daemon("thief").Env()
				thief := p.open(env, "secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword)
				labels, err := thief.AffinityLabels(context.Background())
				for _, label := range labels {
					err = thief.DeleteLabel(context.Background(), label.ID)
				}
				if err == nil && taken {
					err = thief.CreateLabel(context.Background(), "drrun."+id, otherLabel)
				}
				if err != nil || len(labels) != 1 {
					t.Errorf("steal %v: %v", labels, err)
				}
			})
		}
		r := p.failover(nil)
		expect(t, r, 5)
		words := "removed by somebody"
		if taken {
			words = "the id " + otherLabel
		}
		if r.Error.Code != "lock-lost" || !strings.Contains(r.Error.Message, "nfs_ds") || !strings.Contains(r.Error.Message, words) {
			t.Errorf("taken %v: %+v", taken, r.Error)
		}
		starts := slices.DeleteFunc(p.changes(), func(e lab.LogEntry) bool { return !strings.HasPrefix(e.Effect, "start ") })
		if len(starts) != 1 {
			t.Errorf("taken %v: %d starts after the lock was lost", taken, len(starts)-1)
		}
		again := p.resume(r.Run, nil)
		if !taken { // whoever broke the lock may have moved everything since: only a person knows
			expect(t, again, 3)
			if again.Error.Code != "lock-lost" {
				t.Errorf("resume: %+v", again.Error)
			}
			expect(t, p.resume(r.Run, func(o *runner.Options) { o.BreakLock = true }), 0)
			continue
		}
		expect(t, again, 3)
		if again.Error.Code != "locked" || !strings.Contains(again.Error.Message, otherLabel) {
			t.Errorf("resume: %+v", again.Error)
		}
		// It is still to be resumed: the refusal did not close it.
		answered := func(o *runner.Options) {
			o.BreakLock, o.Asker = true, answers{"promote_storage": "writable,as_of=unknown", "cut": "redo", "break_lock": otherLabel}
		}
		expect(t, p.resume(r.Run, answered), 0)
		if held := p.labels(); len(held) != 0 {
			t.Errorf("labels at the end: %v", held)
		}
	}
}

// TestBreakLock replaces another machine's lock only with its name in the answer; what was broken stops at its next stage and cannot go on.
func TestBreakLock(t *testing.T) {
	t.Parallel()
	p := newPair(t, 24, lab.TwoSitesOptions{})
	p.lose()
	p.killAfter(2)
	one, two := p.machine("dr1"), p.machine("dr2")
	one.start(nil)
	run := one.newest().ID
	with := func(answer string) func(*runner.Options) {
		return func(o *runner.Options) {
			a := answers{"promote_storage": "writable,as_of=unknown"}
			if answer != "" {
				a["break_lock"] = answer
			}
			o.BreakLock, o.Asker, o.CanAnswer = true, a, a.can
		}
	}
	for answer, hint := range map[string]string{"": "--break-lock --answer 'break_lock=" + run + "'", "yes": "break_lock=" + run, otherLabel: "break_lock=" + run} {
		r := two.start(with(answer))
		expect(t, r, 3)
		if r.Error.Code != "locked" || !strings.Contains(r.Error.Hint, hint) || !strings.Contains(r.Error.Message, run) {
			t.Errorf("answer %q: %+v", answer, r.Error)
		}
	}
	r := two.start(with(run))
	expect(t, r, 0)
	if len(r.Warnings) == 0 || !strings.Contains(r.Warnings[0], "run "+run) || !strings.Contains(r.Warnings[0], "ann@dr1") {
		t.Errorf("warnings: %q", r.Warnings)
	}
	shown := slices.ContainsFunc(p.out, func(e engine.Event) bool { return e.Kind == "warning" && strings.Contains(e.Text, "run "+run) })
	if !shown {
		t.Error("whose lock it is was not shown while the run was on")
	}
}

// TestAbortReleasesLocks takes the locks out of the engines that answer, and names those that it cannot reach.
func TestAbortReleasesLocks(t *testing.T) {
	t.Parallel()
	for _, reachable := range []bool{true, false} {
		p := newPair(t, 25, lab.TwoSitesOptions{})
		p.lose()
		p.killAfter(2)
		one := p.machine("dr1")
		one.start(nil)
		if !reachable {
			p.lab.Disaster("secondary")
		}
		r := one.abort(one.newest().ID)
		expect(t, r, 0)
		held := p.labels()
		if reachable {
			if len(held)+len(r.Warnings) != 0 {
				t.Errorf("labels %v, warnings %q", held, r.Warnings)
			}
			expect(t, p.machine("dr2").start(nil), 0)
			continue
		}
		if len(held) != 1 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "secondary") || !strings.Contains(r.Warnings[0], "--break-lock") {
			t.Errorf("labels %v, warnings %q", held, r.Warnings)
		}
	}
}

// TestLeftBehindLock lets the next action from the same state folder replace a lock that its ended run could not give back.
func TestLeftBehindLock(t *testing.T) {
	t.Parallel()
	p := newPair(t, 26, lab.TwoSitesOptions{})
	p.lose()
	if err := p.lab.Fail(lab.Fault{Site: "secondary", Method: "DELETE", Path: "/affinitylabels/", Status: 409, Reason: "Operation Failed", Detail: "[in use]"}); err != nil {
		t.Fatal(err)
	}
	one := p.machine("dr1")
	p.edit("return plan\n", `plan:on("before_run", function() error("not today") end)
return plan
`)
	r := one.start(nil)
	if r.Exit != 3 && r.Exit != 5 {
		t.Fatalf("exit %d", r.Exit)
	}
	if r.Exit == 5 {
		expect(t, one.abort(r.Run), 0)
	}
	if held := p.labels(); len(held) != 1 {
		t.Fatalf("labels: %v, warnings %q", held, r.Warnings)
	}
	p.edit(`error("not today")`, `return`)
	elsewhere := p.machine("dr2").start(nil)
	expect(t, elsewhere, 3)
	again := one.start(nil)
	expect(t, again, 0)
	if held := p.labels(); len(held) != 0 || len(again.Warnings) == 0 || !strings.Contains(again.Warnings[0], "run "+r.Run+" left it there and has ended") {
		t.Errorf("labels %v, warnings %q", held, again.Warnings)
	}
}

// TestLockNotPermitted goes on with a warning where the user may not manage labels, but never past somebody else's lock.
func TestLockNotPermitted(t *testing.T) {
	t.Parallel()
	forbid := lab.Fault{Site: "secondary", Method: "POST", Path: "/affinitylabels", Times: -1, Status: 403, Reason: "Operation Failed", Detail: "[User is not authorized to perform this action.]"}
	p := newPair(t, 27, lab.TwoSitesOptions{})
	p.lose()
	if err := p.lab.Fail(forbid); err != nil {
		t.Fatal(err)
	}
	r := p.failover(nil)
	expect(t, r, 0)
	if len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0], "not locked in the engine of secondary") {
		t.Errorf("warnings %q", r.Warnings)
	}

	p = newPair(t, 27, lab.TwoSitesOptions{})
	p.label("secondary", p.domainID("nfs_ds"), otherLabel)
	p.lose()
	if err := p.lab.Fail(forbid); err != nil {
		t.Fatal(err)
	}
	expect(t, p.failover(nil), 3)
}

// TestSourceAnswersAgain takes the locks at a source that comes back with everything released, and stops where it finds another run's.
func TestSourceAnswersAgain(t *testing.T) {
	t.Parallel()
	for _, foreign := range []bool{false, true} {
		p := newPair(t, 30, lab.TwoSitesOptions{})
		p.stopVMs()
		p.letGo()
		if foreign {
			p.label("primary", p.domainID("nfs_ds"), otherLabel)
		}
		if err := p.lab.Outage("primary"); err != nil {
			t.Fatal(err)
		}
		back := false
		p.afterEffect = func(int) {
			if changes := p.changes(); !back && len(changes) > 0 && strings.HasPrefix(changes[len(changes)-1].Effect, "start vm1") {
				back = true
				if err := p.lab.Heal("primary"); err != nil {
					t.Error(err)
				}
			}
		}
		// Long enough for its engine to boot, and one more rank whose evidence sees it.
		p.edit(`rank = 1, boot = dr.boot.wait "60s"`, `rank = 1, boot = dr.boot.wait "900s"`)
		p.edit("rank = 1, boot = dr.boot.guest_agent", "rank = 2, boot = dr.boot.guest_agent")
		r := p.failover(nil)
		primary := slices.DeleteFunc(p.allChanges(), func(e lab.LogEntry) bool { return e.Site != "primary" || !strings.HasSuffix(e.Path, "/affinitylabels") })
		if foreign {
			expect(t, r, 5)
			if r.Error.Code != "lock-lost" || !strings.Contains(r.Error.Message, "primary") || !strings.Contains(r.Error.Message, otherLabel) {
				t.Errorf("%+v", r.Error)
			}
			continue
		}
		if len(primary) != 1 || len(p.labels()) != 0 {
			t.Errorf("exit %d, labels made at the primary: %v; left: %v; %+v", r.Exit, primary, p.labels(), r.Error)
		}
	}
}

// TestLockFailsAtTheTarget refuses a run, with nothing left behind, when the engine that is to take over cannot make the locks.
func TestLockFailsAtTheTarget(t *testing.T) {
	t.Parallel()
	p := newPair(t, 28, lab.TwoSitesOptions{Domains: 2})
	p.lose()
	if err := p.lab.Fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/affinitylabels", Nth: 2, Status: 409, Reason: "Operation Failed", Detail: "[Internal Engine Error]"}); err != nil {
		t.Fatal(err)
	}
	r := p.failover(nil)
	expect(t, r, 3)
	if held := p.labels(); len(held) != 0 || len(p.changes()) != 0 || !strings.Contains(r.Error.Message, "lock the storage domains") {
		t.Errorf("labels %v, %d changes, %+v", held, len(p.changes()), r.Error)
	}
	expect(t, p.failover(nil), 0)
}

// TestRunInBetween refuses a run whose check was over before another machine's whole run, and whose locks came after it.
func TestRunInBetween(t *testing.T) {
	t.Parallel()
	p := newPair(t, 29, lab.TwoSitesOptions{})
	p.lose()
	var fast *runner.Result
	var slow *runner.Result
	p.do(func(env engine.Env) {
		o := p.machine("dr1").options(env)
		can := o.CanAnswer
		asked := false
		// The last thing before the locks is whether the promotion can be answered: there the machine sleeps for an hour.
		o.CanAnswer = func(name string) bool {
			if !asked {
				asked = true
				fast = runner.Start(context.Background(), context.Background(), p.machine("dr2").options(env))
			}
			return can(name)
		}
		slow = runner.Start(context.Background(), context.Background(), o)
	})
	expect(t, fast, 0)
	expect(t, slow, 3)
	if slow.Error.Code != "changed-meanwhile" || !strings.Contains(slow.Error.Message, "nfs_ds") {
		t.Errorf("%+v", slow.Error)
	}
	if held := p.labels(); len(held) != 0 {
		t.Errorf("labels: %v", held)
	}
}

// racer is one of those who start at the same time.
type racer struct {
	machine string
	plan    string
	action  string
	delay   time.Duration
}

// race starts all racers at once, each in a process of its own, and returns how they ended.
func (p *pair) race(racers []racer, confirmation string) []*runner.Result {
	results := make([]*runner.Result, len(racers))
	p.do(func(env engine.Env) {
		for i, racer := range racers {
			group := p.world.Group(fmt.Sprintf("drrun%d", i))
			group.Go(func() {
				env := group.Env()
				if racer.delay > 0 {
					_, _ = env.Clock.Wait(context.Background(), racer.delay, nil)
				}
				o := p.machine(racer.machine).options(env)
				o.PlanFile, o.Action, o.ConfirmSourceDown, o.Observe = racer.plan, racer.action, confirmation, nil
				results[i] = runner.Start(context.Background(), context.Background(), o)
			})
		}
	})
	return results
}

// TestRaceOfStarters starts 20 at once on two state folders and with two plan files that share one storage domain: in every schedule one
// goes on and 19 are refused and name a holder.
func TestRaceOfStarters(t *testing.T) {
	t.Parallel()
	schedules := uint64(60)
	if testing.Short() {
		schedules = 10
	}
	late := 0 // losers that had passed every look and were refused by the making of a label
	for seed := range schedules {
		p := newPair(t, 1000+seed, lab.TwoSitesOptions{Domains: 2})
		p.secondPlan()
		confirmation := confirmed
		if seed%2 == 0 {
			p.lose()
		} else { // both engines answer
			p.stopVMs()
			p.letGo()
			confirmation = ""
		}
		var racers []racer
		for i := range 20 {
			racers = append(racers, racer{
				machine: []string{"dr1", "dr2"}[i%2], plan: []string{"/site/plan.lua", "/site/second.lua"}[i/2%2], action: "failover",
				delay: time.Duration(i%5) * time.Duration(seed%4) * 100 * time.Millisecond,
			})
		}
		won, winner := 0, ""
		for i, r := range p.race(racers, confirmation) {
			if r.Exit == 3 && r.Run != "" {
				late++
			}
			switch {
			case r.Exit == 0:
				won, winner = won+1, fmt.Sprint(racers[i])
			case r.Exit != 3:
				t.Errorf("seed=%d: %v ended with %d: %+v", seed, racers[i], r.Exit, r.Error)
			case r.Error.Code != "locked" || !namesAHolder(r.Error.Message):
				t.Errorf("seed=%d: %v was refused without a holder: %+v", seed, racers[i], r.Error)
			}
		}
		if won != 1 {
			t.Errorf("seed=%d: %d of 20 went on", seed, won)
		}
		if held := p.labels(); len(held) != 0 {
			t.Errorf("seed=%d: labels left: %v", seed, held)
		}
		if violations := p.lab.View().Violations; len(violations) > 0 {
			t.Errorf("seed=%d: %v", seed, violations)
		}
		p.world.Close()
		if t.Failed() {
			t.Fatalf("stopped at seed=%d, won by %s", seed, winner)
		}
	}
	t.Logf("%d schedules of %d starters, %d losers decided by the engine", schedules, 20, late)
	if late == 0 {
		t.Error("no schedule got as far as two runs that make the same label")
	}
}

// namesAHolder tells whether a refusal says who is at work: by the file lock of the same state folder, or by the label of another machine.
func namesAHolder(message string) bool {
	return strings.Contains(message, "ann@dr1") || strings.Contains(message, "ann@dr2")
}

// secondPlan generates another plan file, which shares the storage domain nfs_ds with the first and has no other.
func (p *pair) secondPlan() {
	p.t.Helper()
	first, inventory := p.read("/site/plan.lua"), p.read("/site/plan.inventory.json")
	p.generate(1)
	p.write("/site/second.lua", strings.Replace(p.read("/site/plan.lua"), `"Plan_Recovery"`, `"Second"`, 1))
	p.write("/site/second.inventory.json", p.read("/site/plan.inventory.json"))
	p.write("/site/plan.lua", first)
	p.write("/site/plan.inventory.json", inventory)
}

// TestRaceOfDirections starts ten failbacks and ten failovers at once, on two state folders, while the VMs are away and the primary is
// back: at most one failback goes on, and no failover. Whoever could have gone on names its holder: where that was a failover, which is
// refused a moment later, nobody goes on.
func TestRaceOfDirections(t *testing.T) {
	t.Parallel()
	schedules := uint64(12)
	if testing.Short() {
		schedules = 3
	}
	wins := 0
	for seed := range schedules {
		p := newPair(t, seed+1, lab.TwoSitesOptions{})
		p.lose()
		expect(t, p.failover(nil), 0)
		if err := p.lab.Heal("primary"); err != nil {
			t.Fatal(err)
		}
		p.replicate()
		p.wait(10 * time.Minute)
		results := make([]*runner.Result, 20)
		actions := make([]string, 20)
		p.do(func(engine.Env) {
			for i := range results {
				actions[i] = []string{"failback", "failover"}[i%2]
				group := p.world.Group(fmt.Sprintf("drrun%d", i))
				group.Go(func() {
					env := group.Env()
					_, _ = env.Clock.Wait(context.Background(), time.Duration(i%5)*time.Duration(seed%4)*100*time.Millisecond, nil)
					o := p.machine([]string{"dr1", "dr2"}[i/2%2]).options(env)
					o.Action, o.Observe = actions[i], nil
					if actions[i] == "failback" {
						p.byAdmin(nil, &o)
						o.Planned, o.ConfirmStale = true, "Ann: the VMs are at the secondary, by another machine"
					}
					results[i] = runner.Start(context.Background(), context.Background(), o)
				})
			}
		})
		won := 0
		for i, r := range results {
			switch {
			case r.Exit == 0:
				won++
				if actions[i] != "failback" {
					t.Errorf("seed=%d: %s went on", seed, actions[i])
				}
			case r.Exit != 3:
				t.Errorf("seed=%d: %s ended with %d: %+v", seed, actions[i], r.Exit, r.Error)
			case r.Error.Code == "locked" && !namesAHolder(r.Error.Message):
				t.Errorf("seed=%d: %s was refused without a holder: %+v", seed, actions[i], r.Error)
			case r.Error.Code != "locked" && actions[i] == "failback":
				t.Errorf("seed=%d: failback was refused by something else: %+v", seed, r.Error)
			}
		}
		if won > 1 {
			t.Errorf("seed=%d: %d of 20 went on", seed, won)
		}
		if won == 1 {
			p.sound("primary", nil)
		}
		wins += won
		if held := p.labels(); len(held) != 0 {
			t.Errorf("seed=%d: labels left: %v", seed, held)
		}
		if violations := p.lab.View().Violations; len(violations) > 0 {
			t.Errorf("seed=%d: %v", seed, violations)
		}
		p.world.Close()
	}
	if wins < int(schedules)/2 {
		t.Errorf("in %d of %d schedules somebody went on", wins, schedules)
	}
}
