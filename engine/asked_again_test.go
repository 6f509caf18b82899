package engine_test

import (
	"testing"

	"drrun/engine"
	"drrun/engine/sim"
)

// TestSettleRepeated: a first attempt was cut behind its intent, a second one does something, and is cut; the third one settles what is
// proved by then.
func TestSettleRepeated(t *testing.T) {
	vm := engine.Subject{Kind: "vm", Site: "a", ID: "v1"}
	for _, c := range []struct {
		name    string
		outcome *engine.Outcome
		settled bool
	}{
		{"it was accepted", &engine.Outcome{OK: true, Status: 200}, true},
		{"it was refused: the first may have been under way", &engine.Outcome{Status: 409}, false},
		{"nobody knows what came of it", &engine.Outcome{Unknown: true}, false},
		{"it was cut as well", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 1, func(_ *sim.World, env engine.Env) {
				r := newRun(env)
				first := must(r.Begin(background, engine.Intent{Op: "set_ha", Site: "a", Subject: vm})).ID()
				r = reopen(env, r)
				again := must(r.Begin(background, engine.Intent{Op: "set_ha", Site: "a", Subject: vm}))
				if c.outcome != nil {
					again.Done(*c.outcome)
				}
				r = reopen(env, r)
				r.SettleRepeated(func(op string) bool { return op != "set_ha" })
				if len(r.Cut("set_ha", vm)) == 0 {
					t.Error("a request is settled by another one that has nothing to do with it")
				}
				r.SettleRepeated(func(op string) bool { return op == "set_ha" })
				open := false
				for _, in := range r.Cut("set_ha", vm) {
					open = open || in.ID == first
				}
				if open == c.settled {
					t.Errorf("the first request is open: %v, want it settled: %v", open, c.settled)
				}
			})
		})
	}
}

// TestAskedAgain: a first attempt was cut behind its intent; the cases are what the second one does.
func TestAskedAgain(t *testing.T) {
	domain := engine.Subject{Kind: "storage_domain", Site: "a", ID: "d1"}
	begin := func(r *engine.Run, op string, s engine.Subject) *engine.Pending {
		return must(r.Begin(background, engine.Intent{Op: op, Site: "a", Subject: s}))
	}
	for _, c := range []struct {
		name string
		do   func(r *engine.Run)
		want bool
	}{
		{"nothing", func(*engine.Run) {}, false},
		{"it was refused", func(r *engine.Run) { begin(r, "detach", domain).Done(engine.Outcome{Status: 409}) }, true},
		{"it was accepted", func(r *engine.Run) { begin(r, "detach", domain).Done(engine.Outcome{OK: true, Status: 200}) }, true},
		{"it is on its way", func(r *engine.Run) { begin(r, "detach", domain) }, false},
		{"nobody knows what came of it", func(r *engine.Run) { begin(r, "detach", domain).Done(engine.Outcome{Unknown: true}) }, false},
		{"for another object", func(r *engine.Run) {
			begin(r, "detach", engine.Subject{Kind: "storage_domain", Site: "a", ID: "d2"}).Done(engine.Outcome{Status: 409})
		}, false},
		{"for something else", func(r *engine.Run) { begin(r, "remove", domain).Done(engine.Outcome{Status: 409}) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, 1, func(_ *sim.World, env engine.Env) {
				r := newRun(env)
				first := begin(r, "detach", domain).ID()
				if r.AskedAgain(first) {
					t.Error("the first attempt itself asked again")
				}
				r = reopen(env, r)
				c.do(r)
				if got := r.AskedAgain(first); got != c.want {
					t.Errorf("asked again: %v, want %v", got, c.want)
				}
			})
		})
	}
}
