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
	"drrun/stdlib"
)

// logged returns what the plan logged, in the order of the run's events.
func (p *pair) logged() []string {
	var lines []string
	for _, e := range p.out {
		if e.Kind == "log" && strings.HasPrefix(e.Text, ": ") {
			lines = append(lines, e.Text[2:])
		}
	}
	return lines
}

// hook adds Lua to the end of the plan.
func (p *pair) hook(text string) {
	p.t.Helper()
	p.edit("return plan\n", text+"\nreturn plan\n")
}

// TestHooks puts a handler on every point that a failover reaches.
func TestHooks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`
for _, point in ipairs { "` + strings.Join(stdlib.HookPointNames(), `", "`) + `" } do
  for _, name in ipairs { "first", "second" } do
    plan:on(point, function(ctx, subject)
      ctx:log(": " .. point .. " " .. name .. " " .. tostring(subject.kind) .. " " .. tostring(subject.name or subject.status))
      if point == "promote_storage" then return { writable = true, as_of = "2026-11-20T14:30:00Z" } end
      if point == "reverse_replication" then return { ready = name == "second" } end
    end, { as = name })
  end
end`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	var want []string
	add := func(entries ...string) {
		for _, entry := range entries {
			point, subject, _ := strings.Cut(entry, " ")
			want = append(want, point+" first "+subject, point+" second "+subject)
		}
	}
	add("before_run run nil", "confirm_source_down site primary", "demote_storage group all", "promote_storage group all",
		"before_import storage_domain nfs_ds", "after_import storage_domain nfs_ds")
	got := p.logged()
	n := len(want)
	if len(got) < n || !slices.Equal(got[:n], want) {
		t.Fatalf("hooks\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	// VMs are registered side by side, and so do those of rank 1 start.
	for _, part := range []struct{ name, order string }{
		{"vm1", "before_register after_register before_start after_start verify_vm"},
		{"vm2", "before_register after_register before_start after_start verify_vm"},
		{"rank 0", "before_rank after_rank"}, {"rank 1", "before_rank after_rank"},
	} {
		var order []string
		for _, line := range got {
			fields := strings.SplitN(line, " ", 4)
			if fields[3] == part.name && fields[1] == "first" {
				order = append(order, fields[0])
			}
		}
		if strings.Join(order, " ") != part.order {
			t.Errorf("%s: %v", part.name, order)
		}
	}
	at := func(line string) int { return slices.Index(got, line) }
	if !(at("before_rank second rank rank 0") < at("before_start first vm vm1") && at("verify_vm second vm vm1") < at("after_rank first rank rank 0") &&
		at("after_rank second rank rank 0") < at("before_rank first rank rank 1")) {
		t.Errorf("ranks out of order:\n%s", strings.Join(got, "\n"))
	}
	want = nil
	add("reverse_replication group all", "after_run nil done")
	if tail := got[len(got)-4:]; !slices.Equal(tail, want) {
		t.Errorf("at the end %q, want %q", tail, want)
	}
	for _, words := range []string{"NOT ISOLATED", "as of 2026-11-20T14:30:00Z", "reverse replication: ready"} {
		if !slices.ContainsFunc(r.Verdicts, func(v string) bool { return strings.Contains(v, words) }) {
			t.Errorf("no verdict says %q: %q", words, r.Verdicts)
		}
	}
}

func TestVerdictsWithoutHooks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 0)
	for _, words := range []string{"NOT ISOLATED: do not power on the primary: only the word of Ann", "how much was lost is unknown", "reverse replication: NOT ready for group all"} {
		if !slices.ContainsFunc(r.Verdicts, func(v string) bool { return strings.Contains(v, words) }) {
			t.Errorf("no verdict says %q: %q", words, r.Verdicts)
		}
	}
	report := p.read(strings.TrimSuffix(p.journal(), "journal.jsonl") + "report.json")
	if !strings.Contains(report, "NOT ready for group all") || !strings.Contains(report, "NOT ISOLATED") {
		t.Error("the verdicts are not in report.json")
	}
}

// counting counts the questions that it passes on.
type counting struct {
	answers
	asked map[string]int
}

func (c counting) Ask(ctx context.Context, q engine.Question) (string, error) {
	c.asked[q.Name]++
	return c.answers.Ask(ctx, q)
}

// TestDurable stops a run after a step, a prompt and a question, and resumes it: none of them is repeated.
func TestDurable(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`
plan:on("after_import", function(ctx)
  local made = ctx:step("make", function() ctx:log(": made") return { at = 7, list = { "a", "b" } } end)
  local said = ctx:prompt { name = "colour", text = "Which colour?" }
  local sure = ctx:confirm("sure", "Are you sure?")
  ctx:log(": " .. made.at .. made.list[2] .. " " .. said.answer .. " " .. tostring(sure))
end, { as = "durable" })
plan:on("before_rank", function(ctx, rank)
  local made = ctx:step("rank " .. rank.id, function() return ctx.run.attempt end)
  ctx:log(": rank " .. rank.id .. " attempt " .. ctx.run.attempt .. " step " .. made .. " retried " .. tostring(ctx.retried))
  if rank.id == "1" and ctx.run.attempt == 1 then error("not yet") end
end, { as = "stopper" })`)
	p.lose()
	asker := counting{answers{"promote_storage": "writable,as_of=unknown", "colour": "red", "sure": "yes"}, map[string]int{}}
	with := func(o *runner.Options) { o.Asker, o.CanAnswer = asker, asker.can }
	r := p.failover(with)
	expect(t, r, 5)
	if !strings.Contains(r.Error.Message, "not yet") || !strings.Contains(r.Error.Message, "before_rank (stopper)") || !strings.Contains(r.Error.Hint, "drrun resume "+r.Run) {
		t.Errorf("error %+v", r.Error)
	}
	expect(t, p.resume(r.Run, with), 0)
	want := []string{"made", "7b red true", "rank 0 attempt 1 step 1 retried false", "rank 1 attempt 1 step 1 retried false", "rank 1 attempt 2 step 1 retried true"}
	if got := p.logged(); !slices.Equal(got, want) {
		t.Errorf("logged %q, want %q", got, want)
	}
	for name, n := range asker.asked {
		if n != 1 {
			t.Errorf("%s was asked %d times", name, n)
		}
	}
	if len(asker.asked) != 3 {
		t.Errorf("asked %v", asker.asked)
	}
}

// TestUnfitAnswer answers the promotion with something that is no answer: it is not recorded, so the next attempt asks again.
func TestUnfitAnswer(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`plan:on("before_run", function() end)`) // so that there is something to resume
	p.lose()
	typo := answers{"promote_storage": "writeable"}
	r := p.failover(func(o *runner.Options) { o.Asker, o.CanAnswer = typo, typo.can })
	expect(t, r, 5)
	if r.Error.Code != "bad-answer" || !strings.Contains(r.Error.Message, `does not say "writable"`) {
		t.Errorf("error %+v", r.Error)
	}
	if changes := p.changes(); len(changes) > 0 {
		t.Errorf("%d changing requests", len(changes))
	}
	expect(t, p.resume(r.Run, nil), 0)
}

func TestHookErrors(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, hook string
		exit       int
		words      string        // in the error
		within     time.Duration // of model time, 0: any
		again      int           // exit of the resumed run
		started    int           // VMs after the first attempt
	}{
		{name: "stop", hook: `plan:on("before_rank", function(ctx, rank) if ctx.run.attempt == 1 then error("no array") end end)`,
			exit: 5, words: "hook before_rank (plan) for rank \"rank 0\": ", again: 0},
		{name: "continue", hook: `plan:on("before_rank", function(ctx, rank) if ctx.run.attempt == 1 then error("no array") end end, { on_error = "continue" })`,
			exit: 4, words: "hook before_rank (plan) for rank \"rank 0\" failed", again: 0, started: 3},
		{name: "a result that is no data", hook: `plan:on("before_rank", function(ctx) if ctx.run.attempt == 1 then return function() end end end)`,
			exit: 5, words: "is a function, which cannot be recorded", again: 0},
		{name: "an object as the result", hook: `plan:on("before_start", function(ctx, vm) if ctx.run.attempt == 1 and vm.name == "vm1" then return vm end end)`,
			exit: 4, words: "VM vm1 is failed", again: 0, started: 2},
		{name: "a secret as the result", hook: `plan:on("before_rank", function(ctx) if ctx.run.attempt == 1 then return { key = dr.secret "primary_password" } end end)`,
			exit: 5, words: "is a secret, which cannot be recorded", again: 0},
		{name: "a time-out", hook: `plan:on("before_rank", function(ctx, rank)
  if ctx.run.attempt == 1 then ctx.target:vm("vm1"):wait { status = "never", timeout = "2h" } end
end, { timeout = "1m" })`, exit: 5, words: "no end after 1m0s", within: 5 * time.Minute, again: 0},
		{name: "verify_vm says no", hook: `plan:on("verify_vm", function(ctx, vm) return ctx.run.attempt > 1 or vm.name ~= "vm2" end)`,
			exit: 4, words: "VM vm2 is unverified", again: 0, started: 3},
		{name: "an answer that nobody gives is not passed over", hook: `plan:on("before_rank", function(ctx)
  if ctx.run.attempt == 1 then ctx:confirm("go", "Shall I?") end
end, { on_error = "continue" })`, exit: 5, words: `the question "go" has no answer`, again: 0},
		{name: "after_run", hook: `plan:on("after_run", function(ctx, result) if ctx.run.attempt == 1 then error("no mail") end end)`,
			exit: 5, words: "no mail", again: 0, started: 3},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook(c.hook)
			p.hook(`plan:on("on_error", function(ctx, report) ctx:log(": on_error " .. report.status .. " " .. ctx.target.name) end)`)
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			if !strings.Contains(r.Error.Message, c.words) {
				t.Errorf("error %q, want %q in it", r.Error.Message, c.words)
			}
			if started := p.started(); len(started) != c.started {
				t.Errorf("started %v", started)
			}
			if took := time.Duration(r.Duration * float64(time.Second)); c.within > 0 && took > c.within {
				t.Errorf("it took %s", took)
			}
			wantLog := []string{"on_error stopped secondary"}
			if c.exit == 4 {
				wantLog = nil
			}
			if got := p.logged(); !slices.Equal(got, wantLog) {
				t.Errorf("logged %q", got)
			}
			if text := p.read(p.journal()); strings.Contains(text, lab.PrimaryPassword) || strings.Contains(text, lab.SecondaryPassword) {
				t.Error("a password is in the journal")
			}
			expect(t, p.resume(r.Run, nil), c.again)
			if started := p.started(); len(started) != 3 {
				t.Errorf("started %v", started)
			}
		})
	}
}

// TestConditions gives vm1 boot conditions of every kind.
func TestConditions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, boot string
		state      string
		words      string
		least      time.Duration // from vm1 up until vm2 is started
		most       time.Duration
	}{
		{name: "true at once", boot: `function(ctx, vm) return vm:status() == "up" end`, state: "up", most: 30 * time.Second},
		{name: "never true", boot: `function() return false end`, state: "unverified", words: "returned false", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "nothing", boot: `function() end`, state: "unverified", words: "returned nothing", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "neither true nor false", boot: `function() return "yes" end`, state: "unverified", words: "neither true nor false", most: time.Minute},
		{name: "an error", boot: `function() local x = nil; return x.y end`, state: "unverified", words: "failed: ", most: time.Minute},
		{name: "it starts the VM", boot: `function(ctx, vm) vm:start {} return true end`, state: "unverified", words: "may only observe", most: time.Minute},
		{name: "it runs a step", boot: `function(ctx, vm) return ctx:step("x", function() return true end) end`, state: "unverified", words: "may only observe", most: time.Minute},
		{name: "it asks", boot: `function(ctx, vm) return ctx:confirm("x", "well?") end`, state: "unverified", words: "may only observe", most: time.Minute},
		{name: "it marks", boot: `function(ctx, vm) ctx:mark(vm, "up") return true end`, state: "unverified", words: "may only observe", most: time.Minute},
		{name: "it changes from a task of its own", boot: `function(ctx, vm) ctx:parallel({ "a" }, function() vm:start {} end) return true end`, state: "unverified", words: "may only observe", most: time.Minute},
		{name: "it does not return", boot: `function(ctx, vm) vm:wait { status = "never", timeout = "9h" } return true end`, state: "unverified", words: "did not return in time", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "any: one holds", boot: `dr.boot.any { function() return false end, dr.boot.wait "3m" }`, state: "up", least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "any: the agent is seen", boot: `dr.boot.any { dr.boot.wait "20m", dr.boot.guest_agent() }`, state: "up", most: 3 * time.Minute},
		{name: "any: none in time", boot: `dr.boot.any { function() return false end, function() return false end }`, state: "unverified", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "any: a broken one does not hide the others", boot: `dr.boot.any { function() error("boom") end, dr.boot.wait "3m" }`, state: "up", least: 3 * time.Minute, most: 4 * time.Minute},
		{name: "all: the longest counts", boot: `dr.boot.all { dr.boot.wait "12m", dr.boot.guest_agent { timeout = "5m" } }`, state: "up", least: 12 * time.Minute, most: 13 * time.Minute},
		{name: "all: one fails", boot: `dr.boot.all { dr.boot.wait "1m", function() return false end }`, state: "unverified", words: "returned false", least: 10 * time.Minute, most: 11 * time.Minute},
		{name: "all: a broken one ends it", boot: `dr.boot.all { function() error("boom") end, dr.boot.wait "20m" }`, state: "unverified", words: "boom", most: time.Minute},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, "rank = 0, boot = "+c.boot)
			p.lose()
			r := p.failover(nil)
			if exit := map[bool]int{true: 0, false: 4}[c.state == "up"]; r.Exit != exit {
				expect(t, r, exit)
			}
			first, next := vm(t, r, "vm1"), vm(t, r, "vm2")
			if first.Status != c.state || !strings.Contains(first.Error, c.words) {
				t.Errorf("vm1 is %s: %q; want %s: %q", first.Status, first.Error, c.state, c.words)
			}
			if gap := next.StartedAt.Sub(*first.UpAt); gap < c.least || gap > c.most {
				t.Errorf("vm2 was started %s after vm1 was up, want %s to %s", gap, c.least, c.most)
			}
			if started := p.started(); len(started) != 3 {
				t.Errorf("started %v", started)
			}
		})
	}
}

// TestDelayCountsFromUp kills drrun while a VM waits out its delay; the resumed run waits only for the rest.
func TestDelayCountsFromUp(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.wait "10m"`)
	p.lose()
	soft, interrupt := context.WithCancel(context.Background())
	var r *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		p.whenever(func(e engine.Event) {
			if e.Subject.Name == "vm1" && e.Text == "up" {
				env.Go(func() {
					_, _ = env.Clock.Wait(context.Background(), 2*time.Minute, nil)
					interrupt()
				})
			}
		})(&o)
		r = runner.Start(soft, context.Background(), o)
		_, _ = env.Clock.Wait(context.Background(), 3*time.Minute, nil)
	})
	expect(t, r, 130)
	up := vm(t, r, "vm1").UpAt
	again := p.resume(r.Run, nil)
	expect(t, again, 0)
	if !vm(t, again, "vm1").UpAt.Equal(*up) {
		t.Errorf("vm1 was up at %v, and in the resumed run at %v", up, vm(t, again, "vm1").UpAt)
	}
	if gap := vm(t, again, "vm2").StartedAt.Sub(*up); gap < 10*time.Minute || gap > 10*time.Minute+30*time.Second {
		t.Errorf("vm2 was started %s after vm1 was up", gap)
	}
}

// TestInterrupt cancels at many moments: what runs is brought to its end, nothing new starts, and the resumed run finishes.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, seconds := range []int{1, 5, 20, 40, 60, 70, 90, 120} {
		for _, twice := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %ds, twice %v", seconds, twice), func(t *testing.T) {
				t.Parallel()
				p := newPair(t, 7, lab.TwoSitesOptions{VMs: 12})
				p.hook(`plan:on("on_error", function(ctx, report) ctx:log(": on_error " .. report.status) end)`)
				p.lose()
				soft, first := context.WithCancel(context.Background())
				hard, second := context.WithCancel(context.Background())
				var r *runner.Result
				var at time.Time
				p.do(func(env engine.Env) {
					o := p.options(env, writable)
					env.Go(func() {
						_, _ = env.Clock.Wait(context.Background(), time.Duration(seconds)*time.Second, nil)
						at = env.Clock.Now()
						first()
						if twice {
							second()
						}
					})
					r = runner.Start(soft, hard, o)
				})
				if r.Exit == 0 {
					return // it was over before
				}
				expect(t, r, 130)
				for _, entry := range p.changes() {
					if strings.HasSuffix(entry.Path, "/start") && entry.Time.After(at.Add(time.Second)) {
						t.Errorf("%s %s after the interrupt", entry.Effect, entry.Time.Sub(at))
					}
				}
				if r.Run == "" {
					expect(t, p.failover(nil), 0)
					return
				}
				if log := p.logged(); !slices.Equal(log, []string{"on_error interrupted"}) {
					t.Errorf("logged %q", log)
				}
				if strings.Contains(r.Error.State, "no object of the plan was changed") {
					expect(t, p.failover(nil), 0) // nothing waits for it
					return
				}
				if !strings.Contains(r.Error.Hint, "drrun resume "+r.Run) {
					t.Errorf("hint %q", r.Error.Hint)
				}
				expect(t, p.resume(r.Run, nil), 0)
				p.do(func(env engine.Env) {
					for _, wrong := range p.audit(env) {
						t.Error(wrong)
					}
				})
			})
		}
	}
}

// TestInterruptInRank cancels while the VMs of a rank wait for their turn at the engine: those that wait are not started any more.
func TestInterruptInRank(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 60})
	p.lose()
	soft, interrupt := context.WithCancel(context.Background())
	var r *runner.Result
	seen := 0
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		p.whenever(func(e engine.Event) {
			if e.Kind == "intent" && e.Text == ovirt.OpStartVM {
				if seen++; seen == 3 {
					interrupt()
				}
			}
		})(&o)
		r = runner.Start(soft, context.Background(), o)
	})
	expect(t, r, 130)
	started := len(p.started())
	if started < 3 || started > 20 {
		t.Errorf("%d VMs were started, the interrupt came with the third", started)
	}
	for _, one := range r.VMs {
		if one.Status == "starting" || one.Status == "failed" {
			t.Errorf("%s is %s: %s", one.Name, one.Status, one.Error)
		}
	}
	expect(t, p.resume(r.Run, nil), 0)
	if total := len(p.started()); total != 60 {
		t.Errorf("%d starts", total)
	}
}
