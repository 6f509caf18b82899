package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestHostileHooks has hooks that go for the run itself. Each row is a promise; in each the run ends as it says, what it did to the sites is
// right, and no secret is on the disk. What code can use up, and what of the interpreter it can reach, is in package lua.
func TestHostileHooks(t *testing.T) {
	t.Parallel()
	const once = `if ctx.run.attempt > 1 then return end `
	for _, c := range []struct {
		promise, point, body string
		exit                 int
		words                string // in the error; "" for any
	}{
		{"a text that eats all memory stops the run, which can be resumed", "before_rank", once + `local s = "x" while true do s = s .. s end`, 5, "a text of"},
		{"a hook that waits for ever ends with its time-out", "after_run", once + `ctx.target:vm("vm1"):wait { status = "never", timeout = "48h" }`, 5, "no end after 10m0s"},
		{"facts cannot be changed: what is written to them is lost", "before_run", `ctx.facts.vms[1].rank = 9 ctx.facts.vms[2] = nil ctx.facts.storage_domains[1].id = "x" pcall(function() ctx.facts = {} end)`, 0, ""},
		{"ctx cannot be changed", "before_run", once + `ctx.log = function() end`, 5, "cannot be changed"},
		{"nor what its methods are read from", "before_run", once + `getmetatable(ctx).__index = {}`, 5, ""},
		{"a plan is not changed in a run", "before_run", once + `plan:on("after_run", function() end, { as = "late" })`, 5, "while the plan is read"},
		{"nor its workflow", "before_run", once + `plan.failover = function() end`, 5, "not changed in a run"},
		{"nobody asks for evidence in the name of drrun", "before_run", once + `ctx:prompt { name = "confirm_source_down", text = "Is lunch ready? NAME: WHY" }`, 5, "is a question of drrun itself"},
		{"nor whether an interrupted step was done", "before_run", once + `ctx:confirm("cut:hook:promote_storage/array/group/all", "Fine?")`, 5, "is a question of drrun itself"},
		{"nor for the promotion of a group, in a hook that is about something else", "before_run", once + `ctx:prompt { name = "promote_storage:all", text = "Write writable,in_sync" }`, 5, "is a question of drrun itself"},
		{"a result that holds itself is refused", "before_rank", once + `local t = {} t.t = t return t`, 5, "hold themselves"},
		{"a result whose metatable raises errors is data all the same", "before_rank", `return setmetatable({ a = 1 }, { __index = function() error("no") end, __tostring = function() error("no") end })`, 0, ""},
		{"an error that breaks when it is looked at is an error", "before_rank", once + `error(setmetatable({}, { __tostring = function() error("again") end, __index = function() error("no") end }))`, 5, ""},
		{"an error that claims to be one of drrun stops as any other", "before_rank", once + `error { code = "cancelled", message = "I am Ctrl-C" }`, 5, "I am Ctrl-C"},
		{"a secret does not become a text", "before_run", once + `ctx:log(tostring(dr.secret "primary_password") .. (" %s"):format(dr.secret "primary_password"))
pcall(function() return "x" .. dr.secret "primary_password" end)
pcall(function() return require "json".encode { dr.secret "primary_password" } end)
pcall(function() return require "template".render("{{.s}}", { s = dr.secret "primary_password" }) end)
pcall(function() ctx:step("leak", function() return { dr.secret "primary_password" } end) end)
pcall(function() require "log".info("x", { s = dr.secret "primary_password" }) end)
error(dr.secret "primary_password")`, 5, ""},
		{"a flood of log lines does not fill the disk", "before_run", `local line = ("x"):rep(1e6) for i = 1, 5000 do ctx:log(line .. i) end`, 0, ""},
	} {
		t.Run(c.promise, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 3, lab.TwoSitesOptions{})
			p.hook(`plan:on("` + c.point + `", function(ctx, subject) ` + c.body + ` end, { as = "hostile" })`)
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			if c.words != "" && !strings.Contains(r.Error.Message, c.words) {
				t.Errorf("it ended with %q, want %q in it", r.Error.Message, c.words)
			}
			if c.exit != runner.ExitDone {
				expect(t, p.resume(r.Run, nil), runner.ExitDone)
			}
			if started := p.started(); len(started) != 3 {
				t.Errorf("started %v", started)
			}
			for _, violation := range p.lab.View().Violations {
				t.Errorf("%s: %s", violation.Kind, violation.Text)
			}
			for _, path := range p.disk.Files() {
				text := p.read(path)
				if strings.Contains(text, lab.PrimaryPassword) {
					t.Errorf("%s holds the password", path)
				}
				if len(text) > 50<<20 {
					t.Errorf("%s has %d MiB", path, len(text)>>20)
				}
			}
		})
	}
}

// TestForgedPromotion: a hook says that it promoted the storage, and did not. No VM starts on what is not writable, and nothing is destroyed.
func TestForgedPromotion(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{})
	p.hook(`plan:on("promote_storage", function() return { writable = true, in_sync = true } end, { as = "liar" })`)
	if err := p.lab.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	r := p.failover(nil)
	if r.Exit == runner.ExitDone || len(p.started()) > 0 {
		t.Errorf("exit %d, started %v", r.Exit, p.started())
	}
	for _, violation := range p.lab.View().Violations {
		t.Errorf("%s: %s", violation.Kind, violation.Text)
	}
}

// TestForgedEvidence: no hook says that a source is down which answers.
func TestForgedEvidence(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{})
	p.hook(`plan:on("confirm_source_down", function() return { down = true, evidence = "trust me" } end, { as = "liar" })
plan:on("promote_storage", function() return { writable = true, as_of = "unknown" } end, { as = "array" })`)
	r := p.failover(nil)
	if r.Exit != runner.ExitRefused || len(p.changes()) > 0 {
		t.Errorf("exit %d, %d changes", r.Exit, len(p.changes()))
	}
}
