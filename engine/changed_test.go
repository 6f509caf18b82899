package engine_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

func TestChanged(t *testing.T) {
	begin := func(r *engine.Run) *engine.Pending { return must(r.Begin(background, engine.Intent{Op: "x"})) }
	step := func(r *engine.Run, key string) {
		_ = must(r.Durable(background, engine.Durable{Key: key}, func(context.Context, bool) (any, error) { return nil, nil }))
	}
	tests := []struct {
		name string
		do   func(r *engine.Run)
		want bool
	}{
		{"nothing", func(*engine.Run) {}, false},
		{"facts and notes", func(r *engine.Run) { check(r.SetFacts(1)); r.Note("n", engine.Subject{}, nil) }, false},
		{"a question", func(r *engine.Run) { step(r, engine.PromptKey("as_of")) }, false},
		{"a step", func(r *engine.Run) { step(r, "step:x#1") }, true},
		{"on its way", func(r *engine.Run) { begin(r) }, true},
		{"accepted", func(r *engine.Run) { begin(r).Done(engine.Outcome{OK: true}) }, true},
		{"unknown", func(r *engine.Run) { begin(r).Done(engine.Outcome{Unknown: true}) }, true},
		{"refused", func(r *engine.Run) { begin(r).Done(engine.Outcome{Status: 409}) }, false},
		{"a look", func(r *engine.Run) {
			must(r.Begin(background, engine.Intent{Op: "x", Look: true})).Done(engine.Outcome{OK: true})
		}, false},
		{"taken back", func(r *engine.Run) { importAndRemove(r, "d1", engine.Outcome{OK: true}) }, false},
		{"taken back twice", func(r *engine.Run) {
			importAndRemove(r, "d1", engine.Outcome{OK: true})
			importAndRemove(r, "d1", engine.Outcome{OK: true})
		}, false},
		{"taken back, and done again", func(r *engine.Run) {
			importAndRemove(r, "d1", engine.Outcome{OK: true})
			must(r.Begin(background, engine.Intent{Op: "import", Subject: engine.Subject{Kind: "d", Site: "b", ID: "d1"}})).Done(engine.Outcome{OK: true})
		}, true},
		{"may be taken back", func(r *engine.Run) { importAndRemove(r, "d1", engine.Outcome{Unknown: true}) }, true},
		{"another one is taken back", func(r *engine.Run) {
			must(r.Begin(background, engine.Intent{Op: "import", Subject: engine.Subject{Kind: "d", Site: "b", ID: "d2"}})).Done(engine.Outcome{OK: true})
			importAndRemove(r, "d1", engine.Outcome{OK: true})
		}, true},
		{"settled as reached", func(r *engine.Run) { r.Settle(begin(r).ID(), true, "") }, true},
		{"settled as not reached", func(r *engine.Run) { r.Settle(begin(r).ID(), false, "") }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(_ *sim.World, env engine.Env) {
				r := newRun(env)
				tt.do(r)
				now := r.Changed()
				r = reopen(env, r)
				if now != tt.want || r.Changed() != tt.want {
					t.Errorf("changed %v, and %v in the next attempt, want %v", now, r.Changed(), tt.want)
				}
				check(r.Close())
			})
		})
	}
}

// importAndRemove does something, and takes it back with that outcome.
func importAndRemove(r *engine.Run, id string, back engine.Outcome) {
	subject := engine.Subject{Kind: "d", Site: "b", ID: id}
	must(r.Begin(background, engine.Intent{Op: "import", Subject: subject})).Done(engine.Outcome{OK: true})
	must(r.Begin(background, engine.Intent{Op: "remove", Undoes: "import", Subject: subject})).Done(back)
}

// A renamed step finds its record, whichever use of its name it was.
func TestStepWas(t *testing.T) {
	inWorld(t, 1, func(_ *sim.World, env engine.Env) {
		r := newRun(env)
		uses := func(name, was string) (values string) {
			check(engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error {
				for _, value := range []string{"a", "b"} {
					d := engine.Durable{Key: r.StepKey(t.Ctx(), t, name)}
					if was != "" {
						d.Was = engine.StepWas(d.Key, was)
					}
					values += string(must(r.Durable(background, d, func(context.Context, bool) (any, error) { return value, nil })))
				}
				return nil
			}))
			return values
		}
		first := uses("old/name", "")
		r = reopen(env, r)
		r.Stop("nothing may run") // and nothing has to
		check(r.Close())
		r = must(engine.OpenRun(env, state, r.ID()))
		if got := uses("new", "old/name"); got != first {
			t.Errorf("got %s, recorded %s", got, first)
		}
		if n := len(must(engine.ReadRun(env, state, r.ID())).Records); n != 2+4+1+1+1+2 {
			t.Errorf("%d records: a step ran again", n)
		}
		check(r.Close())
	})
}

func TestWithBatonAndAwait(t *testing.T) {
	inWorld(t, 1, func(_ *sim.World, env engine.Env) {
		check(engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error {
			done := make(chan struct{})
			env.Go(func() { wait(env, time.Minute); close(done) })
			ran := 0
			t.Spawn("other", func(*engine.Task) error { ran++; return nil })
			t.WithBaton(func() { ran *= 10 })
			start := env.Clock.Now()
			t.Await(done) // the other task has the baton meanwhile
			t.Release(func() { t.WithBaton(func() { ran += 10 }) })
			if ran != 11 || env.Clock.Now().Sub(start) != time.Minute || engine.TaskFrom(t.Within(background)) != t {
				return errors.New("WithBaton, Await or Within is wrong")
			}
			return nil
		}))
	})
}

// TestIntentsOfAnOperation returns those of one operation at one site, also of earlier attempts, in the order in which they were made.
func TestIntentsOfAnOperation(t *testing.T) {
	inWorld(t, 1, func(_ *sim.World, env engine.Env) {
		r := newRun(env)
		var want []string
		for n := range 12 { // "…-10" is no earlier than "…-9"
			site := []string{"a", "b"}[n%2]
			p := must(r.Begin(background, engine.Intent{Op: "mark", Site: site, Beside: true, Subject: engine.Subject{Kind: "job", Site: site}}))
			if site == "a" {
				want = append(want, p.ID())
			}
			must(r.Begin(background, engine.Intent{Op: "other", Site: "a"}))
		}
		r = reopen(env, r)
		for what, got := range map[string][]engine.Intent{"all": r.Intents("mark", "a"), "open": r.OpenBeside("a")} {
			var ids []string
			for _, in := range got {
				ids = append(ids, in.ID)
			}
			if !slices.Equal(ids, want) {
				t.Errorf("%s: %v, want %v", what, ids, want)
			}
		}
	})
}
