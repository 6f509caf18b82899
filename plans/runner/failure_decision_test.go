package runner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// decisions is a person who decides in turn, and does something before each.
type decisions struct {
	t    *testing.T
	asks []func(f runner.Failure) string
	seen []runner.Failure
}

func (d *decisions) ask(_ context.Context, f runner.Failure) runner.Decision {
	d.seen = append(d.seen, f)
	if len(d.seen) > len(d.asks) {
		d.t.Errorf("asked once more: %+v", f.Result.Error)
		return runner.Decision{}
	}
	return runner.Decision{Choice: d.asks[len(d.seen)-1](f), By: "ann on dr1"}
}

func always(choice string) func(runner.Failure) string {
	return func(runner.Failure) string { return choice }
}

// person answers what an attempt asks: the source is confirmed down anew in each.
var person = answers{"promote_storage": "writable,as_of=unknown", "confirm_source_down": confirmed}

const vetoVM2 = `plan:on("before_start", function(ctx, vm) if vm.name == "vm2" then error("vm2 is not wanted today") end end, { as = "veto" })
return plan
`

func stopAtVM2(p *pair) {
	p.edit(`rank = 1, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 1, on_error = "stop", required = true, boot = dr.boot.guest_agent { timeout = "5m" }`)
	p.edit("return plan\n", vetoVM2)
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	withoutVeto := func(p *pair) func(runner.Failure) string {
		return func(runner.Failure) string {
			p.edit(vetoVM2, "return plan\n")
			return runner.DecideEdit
		}
	}
	tests := []struct {
		name     string
		edit     func(p *pair)
		asks     func(p *pair) []func(runner.Failure) string
		exit     int
		attempts int
		choices  []string // of the first question
		up       []string
		journal  []string
	}{
		{
			name: "abort stops as without a terminal", edit: stopAtVM2, exit: 5, attempts: 1, up: []string{"vm1", "vm3"},
			asks: func(*pair) []func(runner.Failure) string {
				return []func(runner.Failure) string{always(runner.DecideAbort)}
			},
			choices: []string{"retry", "skip", "edit", "abort"},
		},
		{
			name: "what is no choice aborts", edit: stopAtVM2, exit: 5, attempts: 1, up: []string{"vm1", "vm3"},
			asks:    func(*pair) []func(runner.Failure) string { return []func(runner.Failure) string{always("yes")} },
			choices: []string{"retry", "skip", "edit", "abort"},
		},
		{
			name: "skip leaves the VM out, and what cannot start without it", exit: 4, attempts: 2, up: []string{"vm1"},
			edit: func(p *pair) {
				stopAtVM2(p)
				p.edit(`rank = 1, boot = dr.boot.wait "60s"`, `rank = 2, after = { "vm2" }`)
			},
			asks: func(p *pair) []func(runner.Failure) string {
				return []func(runner.Failure) string{func(f runner.Failure) string {
					if f.VM != "vm2" || !slices.Equal(f.With, []string{"vm3"}) {
						p.t.Errorf("skip leaves out %q and %q", f.VM, f.With)
					}
					return runner.DecideSkip
				}}
			},
			choices: []string{"retry", "skip", "edit", "abort"},
			journal: []string{"ann on dr1 decided: skip", "left out: ann on dr1 skipped it after", "comes after vm2, which is required and left out"},
		},
		{
			name: "retry runs it again, and asks again", edit: stopAtVM2, exit: 5, attempts: 3, up: []string{"vm1", "vm3"},
			asks: func(*pair) []func(runner.Failure) string {
				return []func(runner.Failure) string{always(runner.DecideRetry), always(runner.DecideRetry), always(runner.DecideAbort)}
			},
			choices: []string{"retry", "skip", "edit", "abort"}, journal: []string{"ann on dr1 decided: retry"},
		},
		{
			name: "edit goes on with the new text", edit: stopAtVM2, exit: 0, attempts: 2, up: []string{"vm1", "vm2", "vm3"},
			asks:    func(p *pair) []func(runner.Failure) string { return []func(runner.Failure) string{withoutVeto(p)} },
			choices: []string{"retry", "skip", "edit", "abort"},
			journal: []string{"ann on dr1 decided: edit", "hook before_start (veto): removed", `"kind":"snapshot"`},
		},
		{
			name: "an error of the whole run skips no VM", exit: 0, attempts: 2, up: []string{"vm1", "vm2", "vm3"},
			edit: func(p *pair) {
				p.edit("return plan\n", `plan:on("before_rank", function(ctx, rank)
  if not ctx.retried then error("not yet") end
end)
return plan
`)
			},
			asks: func(p *pair) []func(runner.Failure) string {
				return []func(runner.Failure) string{func(runner.Failure) string {
					p.edit(`if not ctx.retried then error("not yet") end`, "")
					return runner.DecideEdit
				}}
			},
			choices: []string{"retry", "edit", "abort"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 7, lab.TwoSitesOptions{})
			tt.edit(p)
			p.lose()
			who := &decisions{t: t, asks: tt.asks(p)}
			r := p.failover(func(o *runner.Options) { o.Asker, o.CanAnswer, o.OnFailure = person, person.can, who.ask })
			expect(t, r, tt.exit)
			if len(who.seen) != len(who.asks) || !slices.Equal(who.seen[0].Choices, tt.choices) {
				t.Errorf("asked %d times, the choices were %v", len(who.seen), who.seen[0].Choices)
			}
			journal := p.read(p.journal())
			if n := strings.Count(journal, `"kind":"attempt"`); n != tt.attempts {
				t.Errorf("%d attempts", n)
			}
			for _, want := range tt.journal {
				if !strings.Contains(journal, want) {
					t.Errorf("the journal does not say %q", want)
				}
			}
			var up []string
			for _, there := range p.lab.View().Sites["secondary"].VMs {
				if there.Status == "up" {
					up = append(up, there.Name)
				}
			}
			slices.Sort(up)
			if !slices.Equal(up, tt.up) {
				t.Errorf("up: %v", up)
			}
			// The word of a person counts for one attempt: each attempt has its own.
			if n := strings.Count(journal, `"note":"confirmation"`); n != tt.attempts {
				t.Errorf("%d confirmations in %d attempts", n, tt.attempts)
			}
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}

// TestNothingIsDecidedAbout lists the ends that no person is asked about.
func TestNothingIsDecidedAbout(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(p *pair, o *runner.Options){
		"a dry run": func(_ *pair, o *runner.Options) { o.DryRun = true },
		"a source that comes back": func(p *pair, o *runner.Options) {
			p.afterEffect = func(effect int) {
				if effect == 6 {
					p.lab.Heal("primary")
				}
			}
		},
		"an answer that is missing": func(_ *pair, o *runner.Options) { o.Asker = answers{"confirm_source_down": confirmed} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 8, lab.TwoSitesOptions{})
			p.lose()
			r := p.failover(func(o *runner.Options) {
				o.OnFailure = func(context.Context, runner.Failure) runner.Decision {
					t.Errorf("asked")
					return runner.Decision{}
				}
				change(p, o)
			})
			if !strings.Contains(name, "dry") && r.Exit == 0 {
				t.Errorf("it ended as done")
			}
		})
	}
}

// TestEditsAreWaitedFor saves what cannot be taken, in pieces, until something can.
func TestEditsAreWaitedFor(t *testing.T) {
	t.Parallel()
	p := newPair(t, 9, lab.TwoSitesOptions{})
	stopAtVM2(p)
	p.lose()
	var told []runner.Edit
	who := &decisions{t: t, asks: []func(runner.Failure) string{always(runner.DecideEdit)}}
	r := p.failover(func(o *runner.Options) {
		o.Asker, o.CanAnswer = person, person.can
		o.OnEdit = func(e runner.Edit) { told = append(told, e) }
		env := o.Env
		o.OnFailure = func(ctx context.Context, f runner.Failure) runner.Decision {
			good := p.read("/site/plan.lua")
			other := p.world.Group("other").Env()
			if _, err := engine.LockDomains(other, "/state", []string{f.Result.StorageDomains[0].ID}, "other"); !errors.Is(err, engine.ErrLocked) {
				t.Errorf("another drrun can take the storage domain while a person decides: %v", err)
			}
			env.Go(func() {
				wait := func(d time.Duration) { _, _ = env.Clock.Wait(context.Background(), d, nil) }
				wait(time.Minute)
				p.write("/site/plan.lua", "") // an editor that truncates first
				wait(time.Second)
				p.write("/site/plan.lua", strings.Replace(good, "return plan", "return plann", 1))
				wait(time.Minute)
				p.write("/site/plan.lua", strings.Replace(good, "https://engine1.localdomain", "https://engine9.localdomain", 1))
				wait(time.Minute)
				p.write("/site/plan.lua", good[:len(good)/2])
				wait(100 * time.Millisecond)
				p.write("/site/plan.lua", strings.Replace(strings.Replace(good, vetoVM2, "return plan\n", 1), "rank = 0", "rank = 4", 1))
			})
			return who.ask(ctx, f)
		}
	})
	expect(t, r, 0)
	if len(told) != 3 {
		t.Fatalf("told %d times: %+v", len(told), told)
	}
	if !strings.Contains(told[0].Problem, "correct them and save it again") {
		t.Errorf("%+v", told[0])
	}
	if want := `site primary: url was "https://engine1.localdomain/ovirt-engine/api" and is "https://engine9.localdomain/ovirt-engine/api"`; !slices.Contains(told[1].Changes.Refused, want) {
		t.Errorf("%+v", told[1])
	}
	last := told[2]
	if last.Problem != "" || len(last.Files) != 1 || last.Files[0].Path != "/site/plan.lua" || !slices.Contains(last.Changes.Taken, "hook before_start (veto): removed") ||
		len(last.Changes.Later) != 1 || !strings.Contains(last.Changes.Later[0], "rank 4") {
		t.Errorf("%+v", last)
	}
	// The next process goes on with the new text too.
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", r.Run)
		if err != nil || info.Attempts != 2 {
			t.Errorf("%d attempts, %v", info.Attempts, err)
		}
	})
	if !strings.Contains(p.read("/state/runs/"+r.Run+"/plan-2/001-plan.lua"), "rank = 4") || !strings.Contains(p.read("/state/runs/"+r.Run+"/plan/001-plan.lua"), "veto") {
		t.Error("the snapshots are not those of the two attempts")
	}
}

// TestResumeGoesOnWithTheEdit aborts after an edit; another process then has the edited text, and no lock is left behind.
func TestResumeGoesOnWithTheEdit(t *testing.T) {
	t.Parallel()
	p := newPair(t, 10, lab.TwoSitesOptions{})
	const first = `plan:on("before_rank", function(ctx, rank) error("not yet") end)
return plan
`
	p.edit("return plan\n", first)
	p.lose()
	who := &decisions{t: t, asks: []func(runner.Failure) string{func(runner.Failure) string {
		p.edit("not yet", "still not")
		return runner.DecideEdit
	}, always(runner.DecideAbort)}}
	r := p.failover(func(o *runner.Options) { o.Asker, o.CanAnswer, o.OnFailure = person, person.can, who.ask })
	expect(t, r, 5)
	p.edit("still not", "never") // not seen by a plain resume
	again := p.resume(r.Run, nil)
	expect(t, again, 5)
	if !strings.Contains(again.Error.Message, "still not") {
		t.Errorf("it went on with another text: %s", again.Error.Message)
	}
}
