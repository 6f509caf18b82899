package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// hourBack is by how much the clock is set back in these tests.
const hourBack = -time.Hour

// slowAnswer says yes after a while.
type slowAnswer struct {
	answers
	clock engine.Clock
	takes time.Duration
	asked func()
}

func (s slowAnswer) Ask(ctx context.Context, q engine.Question) (string, error) {
	if q.Name == "go_on" {
		s.asked()
		_, err := s.clock.Wait(ctx, s.takes, nil)
		return "yes", err
	}
	return s.answers.Ask(ctx, q)
}

// TestClockSetBackKeepsEvidenceOld (I1): evidence that was seconds old when the clock was set back is not taken for fresh later on, and a
// person's word does not live longer.
func TestClockSetBackKeepsEvidenceOld(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		heals bool
		takes time.Duration
		want  string
	}{{true, 15 * time.Minute, "the confirmation of Ann is void"}, {false, 45 * time.Minute, "the confirmation of Ann is older than 30m0s"}} {
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.edit("return plan\n", `plan:on("before_rank", function(ctx, rank) if rank.id == "1" then ctx:confirm("go_on", "Go on?") end end, { timeout = "2h" })
return plan
`)
		p.lose()
		r := p.failover(func(o *runner.Options) {
			o.Asker = slowAnswer{answers: writable, clock: o.Env.Clock, takes: c.takes, asked: func() {
				p.world.SetClock(hourBack)
				if !c.heals {
					return
				}
				if err := p.lab.Heal("primary"); err != nil {
					t.Error(err)
				}
			}}
			o.CanAnswer = func(string) bool { return true }
		})
		expect(t, r, runner.ExitStopped)
		if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, c.want) {
			t.Errorf("the source comes back %v: %+v, want %q", c.heals, r.Error, c.want)
		}
		if started := p.started(); !slices.Equal(started, []string{"vm1"}) {
			t.Errorf("the source comes back %v: started %v", c.heals, started)
		}
	}
}

// TestClockSetBackKeepsTheLastWrite (I6): a process that begins after the clock was set back records no last write that lies before what
// the run has recorded, so that a copy of before the stop is no good.
func TestClockSetBackKeepsTheLastWrite(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.wait(forLongEnough)
	beforeIt := p.world.Clock().Now().Add(-57 * time.Minute) // as the clock of the new process tells the time, it is yet to come, and not by much
	p.afterEffect = func(int) {
		if log := p.lab.Log(); strings.HasSuffix(log[len(log)-1].Path, "/shutdown") {
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
	p.planned(plans.ActionFailover, nil, nil)
	p.world.SetClock(hourBack)
	run := p.runs()[0].ID
	r := p.resume(run, func(o *runner.Options) {
		p.byAdmin(&storageAdmin{asOf: beforeIt.Format(time.RFC3339)}, o)
	})
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "stale-copy" {
		t.Errorf("a copy of %s is taken: %+v", beforeIt, r.Error)
	}
	if !slices.ContainsFunc(r.Warnings, func(w string) bool {
		return strings.Contains(w, "behind what run "+run+" recorded") && strings.Contains(w, "set back")
	}) {
		t.Errorf("warnings %q", r.Warnings)
	}
	expect(t, p.resume(run, func(o *runner.Options) { p.byAdmin(nil, o) }), runner.ExitDone)
	p.noTimeGoesBack(run)
}

// TestClockSetBackKeepsTheOrderOfRuns: what a run did is told from what an older one did also where the clock was set back between them.
func TestClockSetBackKeepsTheOrderOfRuns(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	over := p.planned(plans.ActionFailover, nil, nil)
	expect(t, over, runner.ExitDone)
	p.replicate()
	written := p.counters("secondary")
	p.world.SetClock(hourBack)
	home := p.planned(plans.ActionFailback, nil, nil)
	expect(t, home, runner.ExitDone)
	p.sound("primary", written)
	if runs := p.runs(); runs[0].ID != home.Run || !runs[0].Started.After(runs[1].Ended) {
		t.Errorf("the newest run is %s of %s, want %s; the older one ended %s", runs[0].ID, runs[0].Started, home.Run, runs[1].Ended)
	}
	if home.Duration <= 0 || home.Duration > over.Duration+10*60 {
		t.Errorf("it took %g s", home.Duration)
	}
	p.replicate()
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
}

// TestClockSetBackKeepsBootDelays: a delay that counts from a journaled moment is not an hour longer in a resume.
func TestClockSetBackKeepsBootDelays(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	begun := p.world.Clock().Now()
	p.failover(p.whenever(func(e engine.Event) {
		if e.Subject.Name == "vm3" && e.Text == "up" { // its boot condition is a delay
			p.world.Group("drrun").Kill()
		}
	}))
	p.world.SetClock(hourBack)
	expect(t, p.resume(p.runs()[0].ID, nil), runner.ExitDone)
	if took := p.world.Clock().Now().Sub(begun); took > 15*time.Minute {
		t.Errorf("it took %s", took)
	}
}

// noTimeGoesBack holds the times of a run's records against their order.
func (p *pair) noTimeGoesBack(run string) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", run)
		if err != nil {
			p.t.Error(err)
			return
		}
		for i, record := range info.Records[1:] {
			if before := info.Records[i].Time; record.Time.Before(before) {
				p.t.Errorf("record %d of run %s is of %s, the one before it of %s", record.N, run, record.Time, before)
			}
		}
	})
}
