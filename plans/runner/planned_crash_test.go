package runner_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// newestJournal returns the journal of the newest run.
func (p *pair) newestJournal() string {
	newest := ""
	for _, path := range p.disk.Files() {
		if strings.HasSuffix(path, "journal.jsonl") && path > newest {
			newest = path
		}
	}
	return newest
}

// plannedUntilEnd starts a planned action, or goes on with it where an attempt was cut, until it has ended.
func (p *pair) plannedUntilEnd(action string) *runner.Result {
	p.t.Helper()
	last := &runner.Result{}
	for range 5 {
		runs := p.runs()
		admin := func(o *runner.Options) { p.byAdmin(nil, o) }
		switch newest := runs[:min(1, len(runs))]; {
		case len(newest) == 0 || newest[0].Head.Action != action || newest[0].Status == runner.StatusRefused:
			last = p.planned(action, nil, nil)
		case newest[0].Unfinished() || newest[0].Exit == runner.ExitPartial:
			last = p.resume(newest[0].ID, admin)
		default: // killed behind its last record
			return &runner.Result{Exit: newest[0].Exit, Status: newest[0].Status}
		}
		if last.Status != runner.StatusStopped {
			return last
		}
	}
	return last
}

// crashPoint is a moment at which drrun is killed.
type crashPoint struct {
	record, effect int // one of them is set
	torn           bool
}

func (c crashPoint) String() string {
	if c.effect > 0 {
		return fmt.Sprintf("killed after effect %d (power loss %v)", c.effect, c.torn)
	}
	return fmt.Sprintf("killed after record %d (power loss %v)", c.record, c.torn)
}

// arm lets drrun be killed at the point, which is counted in all journals but that of a run before; died tells whether it was.
func (p *pair) arm(c crashPoint, before string) (died *bool) {
	died = new(bool)
	die := func() {
		if *died {
			return
		}
		*died = true
		p.afterEffect, p.disk.OnAppend = nil, nil
		if c.torn {
			p.world.SetDisk(p.disk.Crash(7))
			p.disk = p.world.Disk()
		}
		p.world.Group("drrun").Kill()
	}
	p.effects = 0
	p.afterEffect = func(effect int) {
		if effect == c.effect {
			die()
		}
	}
	p.disk.OnAppend = func(path string, _ int) {
		if !strings.HasSuffix(path, "journal.jsonl") || path == before {
			return
		}
		if count, _ := p.disk.Counts(path); count == c.record {
			die()
		}
	}
	return died
}

// A crash matrix takes each fifth record and each second effect, to keep the tests short. With 1 it takes all.
const everyRecord, everyEffect = 5, 2

// crashPoints are the points after records and effects of a run; every second one is with power loss.
func crashPoints(records, effects int) (points []crashPoint) {
	for n := 1; n <= records; n += everyRecord {
		points = append(points, crashPoint{record: n, torn: len(points)%2 == 1})
	}
	for n := 1; n <= effects; n += everyEffect {
		points = append(points, crashPoint{effect: n, torn: len(points)%2 == 1})
	}
	return points
}

// stale is the way home to a primary that was lost, and is back with its storage domains and HA VMs, on storage that it cannot write.
const stale = "failback to stale copies"

// ready is the world before a planned action.
func ready(t *testing.T, action string, size lab.TwoSitesOptions) *pair {
	t.Helper()
	p := newPair(t, 5, size)
	p.marked()
	p.edit("return plan\n", `
plan:on("after_start", function(ctx, vm) return ctx:step("dns", function() return vm.name .. " is known" end) end, { as = "dns" })
return plan
`)
	switch action {
	case plans.ActionFailback:
		expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
		p.replicate()
	case stale:
		p.edit("return plan\n", `plan:on("promote_storage", function(ctx) if ctx.action == "failover" then return { writable = true } end end, { as = "array" })
return plan
`)
		p.wait(forLongEnough)
		p.lose()
		expect(t, p.failover(nil), runner.ExitDone)
		if err := p.lab.Heal("primary"); err != nil {
			t.Fatal(err)
		}
		p.replicate()
		p.wait(20 * time.Minute)
	}
	p.audited = len(p.allChanges())
	return p
}

// wrongs is what the audit finds.
func (p *pair) wrongs() (wrong []string) {
	p.do(func(env engine.Env) { wrong = p.audit(env) })
	return wrong
}

// TestPlannedCrashMatrix kills a planned failover and a failback after each journal record and after each effect before its record,
// every second time with loss of what was not synced, resumes it, and compares the world with that of an undisturbed run.
func TestPlannedCrashMatrix(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ from, action, target string }{
		{plans.ActionFailover, plans.ActionFailover, "secondary"}, {plans.ActionFailback, plans.ActionFailback, "primary"}, {stale, plans.ActionFailback, "primary"},
	} {
		t.Run(c.from, func(t *testing.T) {
			t.Parallel()
			action, target := c.action, c.target
			reference := ready(t, c.from, lab.TwoSitesOptions{Domains: 2})
			reference.effects = 0
			expect(t, reference.planned(action, nil, nil), runner.ExitDone)
			effects := reference.effects
			records, _ := reference.disk.Counts(reference.newestJournal())
			want, described := reference.fingerprint(), reference.described(target)
			points := crashPoints(records, effects)
			t.Logf("crash points: %d (%d records, %d effects)", len(points), records, effects)
			for _, point := range points {
				p := ready(t, c.from, lab.TwoSitesOptions{Domains: 2})
				written := p.counters(map[string]string{"secondary": "primary", "primary": "secondary"}[target])
				died := p.arm(point, p.newestJournal())
				p.planned(action, nil, nil)
				if !*died {
					t.Errorf("%s: the run was over before", point)
					continue
				}
				r := p.plannedUntilEnd(action)
				if r.Exit != runner.ExitDone {
					t.Errorf("%s: exit %d after the resume: %+v", point, r.Exit, r.Error)
				}
				if got := p.fingerprint(); got != want {
					t.Errorf("%s: the world differs:\n%s\nwant:\n%s", point, got, want)
				}
				p.sound(target, written)
				p.sameVMs(target, described)
				for _, wrong := range p.wrongs() {
					t.Errorf("%s: %s", point, wrong)
				}
			}
		})
	}
}
