package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// asker gives prepared answers.
type asker map[string]string

func (a asker) Ask(_ context.Context, q engine.Question) (string, error) {
	answer, there := a[q.Name]
	if !there {
		return "", engine.ErrNoAnswer
	}
	return answer, nil
}

// calls is a step's function that counts how often it ran and how.
type calls struct {
	n       int
	retried []bool
	value   any
	err     error
}

func (c *calls) fn(_ context.Context, retried bool) (any, error) {
	c.n++
	c.retried = append(c.retried, retried)
	return c.value, c.err
}

// cutStep leaves a step between its intent and its outcome, as a crash does.
func cutStep(env engine.Env, r *engine.Run, d engine.Durable) *engine.Run {
	ctx, cancel := context.WithCancel(background)
	_, err := r.Durable(ctx, d, func(context.Context, bool) (any, error) {
		cancel() // dropped by the second Ctrl-C: the outcome is unknown
		return nil, ctx.Err()
	})
	if !errors.Is(err, context.Canceled) {
		panic(err)
	}
	return reopen(env, r)
}

func TestDurable(t *testing.T) {
	boom := errors.New("boom")
	type M = map[string]any
	d := engine.Durable{Key: "k", Args: M{"b": 1, "a": []int{1}}, Subject: engine.Subject{Kind: "vm", ID: "x"}}
	ask := d
	ask.OnCut = engine.OnCutAsk
	expect := func(name string, got json.RawMessage, err error, want string) {
		text := string(got)
		if err != nil {
			text = "error: " + err.Error()
		}
		if text != want {
			panic(fmt.Sprintf("%s: got %s, want %s", name, text, want))
		}
	}
	tests := []struct {
		name    string
		do      func(env engine.Env, r *engine.Run, c *calls) *engine.Run
		runs    int
		retried []bool
	}{
		{"a recorded result is not made again, in this attempt and the next", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.value = M{"z": 1.5, "a": "x", "bytes": []byte("hi")}
			for range 3 {
				got, err := r.Durable(background, d, c.fn)
				expect("result", got, err, `{"a":"x","bytes":"aGk=","z":1.5}`)
				r = reopen(env, r)
			}
			return r
		}, 1, []bool{false}},
		{"no result is null", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			for range 2 {
				got, err := r.Durable(background, d, c.fn)
				expect("result", got, err, `null`)
				r = reopen(env, r)
			}
			return r
		}, 1, []bool{false}},
		{"the order of keys in the args does not matter", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			_ = must(r.Durable(background, d, c.fn))
			type args struct {
				B int    `json:"b"`
				A [1]int `json:"a"`
			}
			same := d
			same.Args = args{1, [1]int{1}}
			_ = must(r.Durable(background, same, c.fn))
			return r
		}, 1, []bool{false}},
		{"other args are another step, and a note", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			var seen []string
			r.Observe(func(e engine.Event) {
				if e.Kind == "step-args-changed" {
					seen = append(seen, e.Level+" "+e.Text)
				}
			})
			_ = must(r.Durable(background, d, c.fn))
			other := d
			other.Args = M{"b": 2}
			_ = must(r.Durable(background, other, c.fn))
			if len(seen) != 1 || !strings.HasPrefix(seen[0], "warn k is recorded with other arguments") || !slices.Contains(kinds(env, r), "note") {
				t.Errorf("seen %q", seen)
			}
			r = reopen(env, r)
			_ = must(r.Durable(background, d, c.fn))
			_ = must(r.Durable(background, other, c.fn))
			return r
		}, 2, []bool{false, false}},
		{"a failure is final in this attempt and tried again by the next", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.err = boom
			if _, err := r.Durable(background, d, c.fn); err != boom {
				t.Errorf("the live error is %v", err)
			}
			got, err := r.Durable(background, d, c.fn)
			var step *engine.StepError
			if !errors.As(err, &step) || step.Key != "k" || step.Code() != "step-failed" {
				t.Errorf("the recorded error is %#v", err)
			}
			expect("recorded", got, err, "error: boom")
			c.err, c.value = nil, 7
			r = reopen(env, r)
			got, err = r.Durable(background, d, c.fn)
			expect("next attempt", got, err, "7")
			return r
		}, 2, []bool{false, true}},
		{"cut, retry", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, d)
			_ = must(r.Durable(background, d, c.fn))
			return r
		}, 1, []bool{true}},
		{"cut, ask: nobody there", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, ask)
			for range 2 {
				_, err := r.Durable(background, ask, c.fn)
				var cut *engine.CutError
				if !errors.As(err, &cut) || !errors.Is(err, engine.ErrNoAnswer) || cut.Code() != "step-cut" {
					t.Errorf("got %v", err)
				}
			}
			return r
		}, 0, nil},
		{"cut, ask: done", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, ask)
			r.SetAsker(asker{"cut:k": "done"})
			got, err := r.Durable(background, ask, c.fn)
			expect("answered", got, err, "null")
			r = reopen(env, r)
			got, err = r.Durable(background, ask, c.fn) // not asked again
			expect("recorded", got, err, "null")
			return r
		}, 0, nil},
		{"cut, ask: redo", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, ask)
			r.SetAsker(asker{"cut:k": "redo"})
			_ = must(r.Durable(background, ask, c.fn))
			return r
		}, 1, []bool{true}},
		{"cut, ask: abort", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, ask)
			r.SetAsker(asker{"cut:k": "abort"})
			_, err := r.Durable(background, ask, c.fn)
			var cut *engine.CutError
			if !errors.As(err, &cut) || cut.Err != nil || !strings.HasSuffix(err.Error(), "aborted as answered") {
				t.Errorf("got %v", err)
			}
			return r
		}, 0, nil},
		{"cut, ask: an answer that is none", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			r = cutStep(env, r, ask)
			r.SetAsker(asker{"cut:k": "maybe"})
			_, err := r.Durable(background, ask, c.fn)
			if err == nil || !strings.Contains(err.Error(), `"maybe" is none of done, redo, abort`) {
				t.Errorf("got %v", err)
			}
			return r
		}, 0, nil},
		{"renamed", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.value = 1
			_ = must(r.Durable(background, d, c.fn))
			r = reopen(env, r)
			renamed := d
			renamed.Key, renamed.Was = "new", "k"
			got, err := r.Durable(background, renamed, c.fn)
			expect("renamed", got, err, "1")
			r = reopen(env, r)
			renamed.Was = "" // the plan need not say it for ever
			got, err = r.Durable(background, renamed, c.fn)
			expect("later", got, err, "1")
			return r
		}, 1, []bool{false}},
		{"redo", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			_ = must(r.Durable(background, d, c.fn))
			r = reopen(env, r)
			r.Redo("k")
			_ = must(r.Durable(background, d, c.fn))
			_ = must(r.Durable(background, d, c.fn))
			return r
		}, 2, []bool{false, true}},
		{"too large", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.value = strings.Repeat("x", engine.MaxResult-1)
			_, err := r.Durable(background, d, c.fn)
			var res *engine.ResultError
			if !errors.As(err, &res) || res.Size != engine.MaxResult+1 || res.Code() != "step-result" {
				t.Errorf("got %v", err)
			}
			at := d
			at.Key = "just fits"
			c.value = strings.Repeat("x", engine.MaxResult-2)
			_ = must(r.Durable(background, at, c.fn))
			return r
		}, 2, []bool{false, false}},
		{"no JSON", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.value = func() {}
			_, err := r.Durable(background, d, c.fn)
			var res *engine.ResultError
			if !errors.As(err, &res) || res.Err == nil {
				t.Errorf("got %v", err)
			}
			bad := d
			bad.Args = func() {}
			if _, err := r.Durable(background, bad, c.fn); err == nil {
				t.Error("args that are no JSON were taken")
			}
			if _, err := r.Durable(background, engine.Durable{}, c.fn); err == nil {
				t.Error("a step without a key was run")
			}
			return r
		}, 1, []bool{false}},
		{"timeout", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			timed := d
			timed.Timeout = 10 * time.Minute
			start := env.Clock.Now()
			_, err := r.Durable(background, timed, func(ctx context.Context, _ bool) (any, error) {
				_, err := env.Clock.Wait(ctx, -1, nil)
				return nil, err
			})
			if !errors.Is(err, context.DeadlineExceeded) || env.Clock.Now().Sub(start) != 10*time.Minute || !strings.HasPrefix(err.Error(), "no end after 10m0s") {
				t.Errorf("got %v after %s", err, env.Clock.Now().Sub(start))
			}
			_, err = r.Durable(background, timed, c.fn)
			var step *engine.StepError
			if !errors.As(err, &step) {
				t.Errorf("recorded: %v", err)
			}
			return r
		}, 0, nil},
		{"panic", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			_, err := r.Durable(background, d, func(context.Context, bool) (any, error) { panic(boom) })
			var p *engine.PanicError
			if !errors.As(err, &p) || !errors.Is(err, boom) || p.Stack == "" {
				t.Errorf("got %v", err)
			}
			return r
		}, 0, nil},
		{"from inside itself", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			_, err := r.Durable(background, d, func(ctx context.Context, _ bool) (any, error) {
				inner := d
				inner.Key = "inner"
				return r.Durable(ctx, inner, func(ctx context.Context, _ bool) (any, error) {
					return r.Durable(ctx, d, c.fn)
				})
			})
			if err == nil || !strings.Contains(err.Error(), "from inside itself") {
				t.Errorf("got %v", err)
			}
			return r
		}, 0, nil},
		{"the same key at the same time", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			c.value = "once"
			var done [3]chan struct{}
			for i := range done {
				done[i] = make(chan struct{})
				env.Go(func() {
					defer close(done[i])
					got, err := r.Durable(background, d, func(ctx context.Context, retried bool) (any, error) {
						wait(env, time.Minute)
						return c.fn(ctx, retried)
					})
					expect("result", got, err, `"once"`)
				})
			}
			for _, ch := range done {
				_, _ = env.Clock.Wait(background, -1, ch)
			}
			return r
		}, 1, []bool{false}},
		{"after Stop and after a cancel", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			done, cancel := context.WithCancel(background)
			cancel()
			if _, err := r.Durable(done, d, c.fn); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			r.Stop("Ctrl-C")
			if _, err := r.Durable(background, d, c.fn); !errors.Is(err, engine.ErrStopping) || !strings.Contains(err.Error(), "Ctrl-C") {
				t.Errorf("stopping: %v", err)
			}
			return r
		}, 0, nil},
		{"what runs when the run stops is recorded", func(env engine.Env, r *engine.Run, c *calls) *engine.Run {
			_, err := r.Durable(background, d, func(ctx context.Context, retried bool) (any, error) {
				r.Stop("Ctrl-C")
				return c.fn(ctx, retried)
			})
			check(err)
			r = reopen(env, r)
			_ = must(r.Durable(background, d, c.fn))
			return r
		}, 1, []bool{false}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(w *sim.World, env engine.Env) {
				var c calls
				r := tt.do(env, newRun(env), &c)
				if c.n != tt.runs || !slices.Equal(c.retried, tt.retried) {
					t.Errorf("ran %d times, retried %v; want %d, %v", c.n, c.retried, tt.runs, tt.retried)
				}
				check(r.End("done", 0, nil))
			})
		})
	}
}

func TestIntents(t *testing.T) {
	vm := engine.Subject{Kind: "vm", Site: "secondary", ID: "a", Name: "db1"}
	in := engine.Intent{Op: "vm.start", Subject: vm}
	begin := func(r *engine.Run) *engine.Pending { return must(r.Begin(background, in)) }
	tests := []struct {
		name    string
		do      func(env engine.Env, r *engine.Run) *engine.Run
		cut     int
		reached bool
	}{
		{"nothing", func(env engine.Env, r *engine.Run) *engine.Run { return r }, 0, false},
		{"on its way", func(env engine.Env, r *engine.Run) *engine.Run { begin(r); return r }, 0, false},
		{"cut by a crash", func(env engine.Env, r *engine.Run) *engine.Run { begin(r); return reopen(env, r) }, 1, false},
		{"accepted", func(env engine.Env, r *engine.Run) *engine.Run {
			begin(r).Done(engine.Outcome{OK: true, Status: 200})
			return reopen(env, r)
		}, 0, true},
		{"refused", func(env engine.Env, r *engine.Run) *engine.Run {
			begin(r).Done(engine.Outcome{Status: 409, Error: "in use"})
			return reopen(env, r)
		}, 0, false},
		{"unknown", func(env engine.Env, r *engine.Run) *engine.Run {
			begin(r).Done(engine.Outcome{Unknown: true})
			return r
		}, 1, false},
		{"only the first outcome counts", func(env engine.Env, r *engine.Run) *engine.Run {
			p := begin(r)
			p.Done(engine.Outcome{OK: true})
			p.Done(engine.Outcome{Unknown: true})
			return r
		}, 0, true},
		{"settled as reached", func(env engine.Env, r *engine.Run) *engine.Run {
			begin(r)
			r = reopen(env, r)
			r.Settle(r.Cut("vm.start", vm)[0].ID, true, "it is up")
			return reopen(env, r)
		}, 0, true},
		{"settled as not reached, then done", func(env engine.Env, r *engine.Run) *engine.Run {
			p := begin(r)
			p.Done(engine.Outcome{Unknown: true})
			r.Settle(p.ID(), false, "it is down and no event names it")
			if r.Reached("vm.start", vm) {
				t.Error("reached although settled as not")
			}
			again := in
			again.Retry = "settled as not reached"
			must(r.Begin(background, again)).Done(engine.Outcome{OK: true})
			return r
		}, 0, true},
		{"accepted but settled as not reached", func(env engine.Env, r *engine.Run) *engine.Run {
			p := begin(r)
			p.Done(engine.Outcome{OK: true})
			r.Settle(p.ID(), false, "the engine forgot it")
			return reopen(env, r)
		}, 0, false},
		{"an intent that nobody knows", func(env engine.Env, r *engine.Run) *engine.Run {
			r.Settle("nobody-1", true, "")
			return r
		}, 0, false},
		{"other op, other id, other site", func(env engine.Env, r *engine.Run) *engine.Run {
			for _, other := range []engine.Intent{
				{Op: "vm.stop", Subject: vm},
				{Op: "vm.start", Subject: engine.Subject{Kind: "vm", Site: "secondary", ID: "b", Name: "db1"}},
				{Op: "vm.start", Subject: engine.Subject{Kind: "vm", Site: "primary", ID: "a"}},
			} {
				must(r.Begin(background, other)).Done(engine.Outcome{OK: true})
			}
			return r
		}, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 1, func(w *sim.World, env engine.Env) {
				r := tt.do(env, newRun(env))
				if cut, reached := r.Cut("vm.start", vm), r.Reached("vm.start", vm); len(cut) != tt.cut || reached != tt.reached {
					t.Errorf("cut %v, reached %v; want %d, %v", cut, reached, tt.cut, tt.reached)
				}
				check(r.Close())
			})
		})
	}
}

func TestIntentIDs(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		if len(r.ID()) != 20 || !strings.HasPrefix(r.ID(), "20261120-1432-") {
			t.Errorf("run id %q", r.ID())
		}
		var ids []string
		for range 3 {
			err := engine.NewScheduler(env).Run(background, background, "failover", func(task *engine.Task) (err error) {
				task.Release(func() {
					p, e := r.Begin(task.OpCtx(), engine.Intent{Op: "x"})
					err = e
					ids = append(ids, p.ID())
				})
				return err
			})
			check(err)
			r = reopen(env, r)
		}
		for i, cut := range r.Cut("x", engine.Subject{}) {
			if cut.ID != fmt.Sprintf("%s-%d", r.ID(), i+1) || cut.ID != ids[i] || len(cut.ID) > 36 || cut.Task != "failover" {
				t.Errorf("intent %d: %+v", i, cut)
			}
		}
		r.Stop("Ctrl-C")
		if _, err := r.Begin(background, engine.Intent{Op: "x"}); !errors.Is(err, engine.ErrStopping) {
			t.Errorf("begin while stopping: %v", err)
		}
		check(r.Close())
		if _, err := r.Begin(background, engine.Intent{Op: "x"}); !errors.Is(err, engine.ErrStopping) {
			t.Errorf("begin after close: %v", err)
		}
	})
}

// A stop that comes while the intent is being synced keeps the request from leaving.
func TestStopDuringTheSync(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		w.Disk().SyncTime = time.Second
		r := newRun(env)
		env.Go(func() {
			wait(env, 500*time.Millisecond)
			r.Stop("Ctrl-C")
		})
		if _, err := r.Begin(background, engine.Intent{Op: "vm.start"}); !errors.Is(err, engine.ErrStopping) {
			t.Errorf("got %v", err)
		}
		r = reopen(env, r)
		if cut := r.Cut("vm.start", engine.Subject{}); len(cut) != 0 {
			t.Errorf("a request that never left has to be settled: %v", cut)
		}
		check(r.Close())
	})
}

func TestFacts(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		if r.Facts() != nil {
			t.Error("facts before they were set")
		}
		check(r.SetFacts(map[string]any{"b": 2, "a": 1}))
		check(r.SetFacts(json.RawMessage(`{ "a": 1, "b": 2 }`)))
		r = reopen(env, r)
		check(r.SetFacts(map[string]int{"a": 1, "b": 2}))
		if err := r.SetFacts(map[string]int{"a": 2}); !errors.Is(err, engine.ErrFactsChanged) {
			t.Errorf("other facts: %v", err)
		}
		if string(r.Facts()) != `{"a":1,"b":2}` || strings.Count(strings.Join(kinds(env, r), " "), "facts") != 1 {
			t.Errorf("facts %s", r.Facts())
		}
		check(r.Close())
	})
}

func TestKeys(t *testing.T) {
	vm := engine.Subject{Kind: "vm", ID: "1/2", Name: "db1"}
	for _, tt := range []struct{ got, want string }{
		{engine.HookKey("after_start", "notify", vm), "hook:after_start/notify/vm/1%2F2"},
		{engine.HookKey("before_run", "plan", engine.Subject{Kind: "run", Name: "r"}), "hook:before_run/plan/run/r"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		var got []string
		err := engine.NewScheduler(env).Run(background, background, "failover", func(t *engine.Task) error {
			for range 2 { // the same keys again after a join: the count goes on
				for _, key := range []string{"db1", "app1"} {
					if err := t.Join(t.Spawn(key, func(t *engine.Task) error {
						got = append(got, r.StepKey(t.Ctx(), t, "dns"), r.StepKey(t.Ctx(), t, "dns"))
						return nil
					})); err != nil {
						return err
					}
				}
			}
			got = append(got, r.StepKey(t.Ctx(), t, "a/b"), r.StepKey(background, nil, "x"))
			return nil
		})
		want := "step:failover/db1/dns#1 step:failover/db1/dns#2 step:failover/app1/dns#1 step:failover/app1/dns#2 " +
			"step:failover/db1/dns#3 step:failover/db1/dns#4 step:failover/app1/dns#3 step:failover/app1/dns#4 " +
			"step:failover/a%2Fb#1 step:/x#1"
		if strings.Join(got, " ") != want || err != nil {
			t.Errorf("got  %s\nwant %s\n%v", strings.Join(got, " "), want, err)
		}
		check(r.Close())
	})
}

func TestBoard(t *testing.T) {
	one, two := 1, 2
	vm := func(id string) engine.Subject { return engine.Subject{Kind: "vm", ID: id, Name: "vm-" + id} }
	at := time.Date(2026, 11, 20, 15, 0, 0, 0, time.FixedZone("x", 3600))
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		r := newRun(env)
		marks := 0
		r.Observe(func(e engine.Event) {
			if e.Kind == "mark" {
				marks++
			}
		})
		r.Mark(engine.Status{Subject: vm("c"), State: "up"})
		r.Mark(engine.Status{Subject: vm("b"), State: "starting", Rank: &two})
		r.Mark(engine.Status{Subject: vm("a"), State: "starting", Rank: &two, StartedAt: &at})
		r.Mark(engine.Status{Subject: vm("z"), Rank: &one})
		r.Mark(engine.Status{Subject: engine.Subject{Kind: "host", Name: "h"}, Error: "gone"})
		r.Mark(engine.Status{Subject: vm("a"), State: "failed", Error: "no memory", Detail: "try later"})
		r.Mark(engine.Status{Subject: engine.Subject{Kind: "vm", ID: "a"}, State: "up", UpAt: &at, Error: engine.None})
		r.Mark(engine.Status{Subject: vm("a"), State: "up", UpAt: &at}) // nothing new
		if marks != 7 {
			t.Errorf("%d marks were told", marks)
		}
		for range 2 {
			var rows []string
			for _, s := range r.Board() {
				rows = append(rows, s.Subject.Name)
			}
			if got := strings.Join(rows, " "); got != "h vm-z vm-a vm-b vm-c" {
				t.Errorf("board: %s", got)
			}
			a, there := r.Status(engine.Subject{Kind: "vm", ID: "a"})
			if !there || a.State != "up" || a.Error != "" || a.Detail != "try later" || *a.Rank != 2 || !a.StartedAt.Equal(at) || !a.UpAt.Equal(at) || a.UpAt.Location() != time.UTC {
				t.Errorf("status %+v", a)
			}
			r = reopen(env, r)
		}
		if _, there := r.Status(vm("nobody")); there {
			t.Error("a row for nobody")
		}
		check(r.End("done", 0, nil))
		info := must(engine.ReadRun(env, state, r.ID()))
		if len(info.Board()) != 5 || info.Board()[1].Subject.Name != "vm-z" {
			t.Errorf("board on the disk %+v", info.Board())
		}
	})
}

func TestEvents(t *testing.T) {
	for seed := range uint64(10) {
		inWorld(t, seed, func(w *sim.World, env engine.Env) {
			r := newRun(env)
			inside := 0
			var got []string
			r.Observe(func(e engine.Event) {
				inside++
				if inside > 1 {
					t.Error("the observer is called concurrently")
				}
				got = append(got, e.Text)
				wait(env, time.Second) // a slow terminal
				if e.Text == "1" {
					r.Emit(engine.Event{Text: "from the observer"})
				}
				inside--
			})
			for i := range 5 {
				env.Go(func() { r.Emit(engine.Event{Text: fmt.Sprint(i)}) })
			}
			wait(env, time.Millisecond)
			r.Note("seen", engine.Subject{}, map[string]string{"text": "last"})
			check(r.End("done", 0, nil))
			if len(got) != 7 || slices.Index(got, "from the observer") < slices.Index(got, "1") {
				t.Errorf("seed=%d: %q", seed, got)
			}
		})
	}
}

func TestRedactor(t *testing.T) {
	secret := "s3cr\"et\n<&>"
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		clean := engine.WithRedactor(func(s string) string { return strings.ReplaceAll(s, secret, "***") })
		r := must(engine.CreateRun(env, state, engine.Head{Plan: "p", Params: json.RawMessage(`{"pw":"s3cr\"et\n\u003c&>"}`)}, nil, clean))
		var events []string
		r.Observe(func(e engine.Event) { events = append(events, fmt.Sprint(e)+string(must(json.Marshal(e)))) })
		vm := engine.Subject{Kind: "vm", ID: "a"}
		must(r.Begin(background, engine.Intent{Op: "x", Path: "/?" + secret, Subject: vm})).Done(engine.Outcome{Error: "no " + secret})
		d := engine.Durable{Key: "k", Title: "title " + secret, Args: secret}
		got := must(r.Durable(background, d, func(context.Context, bool) (any, error) { return []string{secret, "b"}, nil }))
		if string(got) != `["***","b"]` {
			t.Errorf("the live run goes on with %s", got)
		}
		_, _ = r.Durable(background, engine.Durable{Key: "k2"}, func(context.Context, bool) (any, error) { return nil, errors.New(secret) })
		r.Note("n", vm, map[string]string{secret: secret, "text": secret})
		check(r.NoteSynced("n", vm, secret))
		r.Mark(engine.Status{Subject: vm, Error: secret, Detail: secret})
		r.Emit(engine.Event{Text: secret})
		check(r.Close())
		r = must(engine.OpenRun(env, state, r.ID(), clean))
		_ = must(r.Durable(background, d, func(context.Context, bool) (any, error) { t.Error("ran again"); return nil, nil }))
		r.Stop("because " + secret)
		check(r.End("stopped", 5, map[string]string{"error": secret}))
		all := string(must(env.FS.ReadFile(journalOf(r)))) + string(must(env.FS.ReadFile(r.Dir()+"/report.json"))) + strings.Join(events, "")
		for _, part := range []string{"s3cr", "et\\n", secret} {
			if strings.Contains(all, part) {
				_, after, _ := strings.Cut(all, part)
				t.Errorf("%q is before %.300s", part, after)
			}
		}
		if !strings.Contains(all, "***") {
			t.Error("nothing was replaced")
		}
	})
}

func TestRunsOnDisk(t *testing.T) {
	inWorld(t, 1, func(w *sim.World, env engine.Env) {
		if runs, err := engine.ListRuns(env, state); err != nil || runs != nil {
			t.Errorf("runs of a folder that is not there: %v, %v", runs, err)
		}
		files := map[string][]byte{"plan.lua": []byte("return 1"), "lib/site.lua": []byte("--")}
		head := engine.Head{Plan: "p", PlanFile: "plan.lua", Action: "failover", Source: "primary", Target: "secondary", Domains: []string{"d1", "d2"}, Params: json.RawMessage(`{"a":1}`), Version: "1.0", Host: "dr1", User: "root"}
		a := must(engine.CreateRun(env, state, head, files))
		check(a.End("done", 0, map[string]any{"vms": []int{1}}))
		wait(env, time.Hour)
		b := newRun(env)
		check(b.End("stopped", 5, nil))
		wait(env, time.Hour)
		c := newRun(env)
		check(c.Close())
		check(env.FS.MkdirAll(state + "/runs/20261120-9999-cut"))
		wait(env, time.Hour)
		r := must(engine.OpenRun(env, state, a.ID(), engine.WithBy(engine.By{User: "second"})))
		if r.Attempt() != 2 || !r.Resumed() || a.Attempt() != 1 || a.Resumed() {
			t.Errorf("attempts %d, %d", a.Attempt(), r.Attempt())
		}
		got := must(r.Snapshot())
		if len(got) != 2 || string(got["lib/site.lua"]) != "--" || w.Disk().Perm(r.Dir()+"/plan/plan.lua") != 0o600 {
			t.Errorf("snapshot %q", got)
		}
		check(env.FS.WriteFile(r.Dir()+"/plan/plan.lua", []byte("return 2"), 0o600))
		if _, err := r.Snapshot(); err == nil || !strings.Contains(err.Error(), "plan.lua was changed") {
			t.Errorf("changed snapshot: %v", err)
		}
		var rows []string
		for _, i := range must(engine.ListRuns(env, state)) {
			rows = append(rows, fmt.Sprintf("%s %d %q %d %v", i.Started.Format("15:04"), i.Attempts, i.Status, i.Exit, i.Unfinished()))
		}
		want := []string{`16:32 1 "" 0 true`, `15:32 1 "stopped" 5 true`, `14:32 2 "" 0 true`}
		if !slices.Equal(rows, want) {
			t.Errorf("runs %q\nwant %q", rows, want)
		}
		check(r.End("done", 0, nil))
		info := must(engine.ReadRun(env, state, a.ID()[:len(a.ID())-2]))
		if info.ID != a.ID() || info.Unfinished() || info.Exit != 0 || info.Head.Source != "primary" || len(info.Records) != 5 || info.Ended.Sub(info.Started) != 3*time.Hour || info.Records[3].User != "second" {
			t.Errorf("info %+v", info)
		}
		if got := info.Touches([]string{"d2", "d3"}); !slices.Equal(got, []string{"d2"}) {
			t.Errorf("touches %v", got)
		}
		h := r.Head()
		h.Files = nil
		if string(must(json.Marshal(h))) != string(must(json.Marshal(head))) {
			t.Errorf("head %+v", h)
		}
		if string(must(env.FS.ReadFile(a.Dir()+"/report.json"))) != "null\n" || w.Disk().Perm(journalOf(a)) != 0o600 {
			t.Error("report or mode")
		}
		for _, tt := range []struct {
			id   string
			want string
		}{
			{"2026", "run 2026: 4 runs begin so: "},
			{"nope", "run nope: no such run"},
			{"", `run "": no such run`},
			{"../runs", `run "../runs": no such run`},
			{"20261120-9999", "cut while it was being made"},
		} {
			if _, err := engine.OpenRun(env, state, tt.id); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("open %q: %v", tt.id, err)
			}
			if _, err := engine.ReadRun(env, state, tt.id); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("read %q: %v", tt.id, err)
			}
		}
		if _, err := engine.CreateRun(env, state, head, map[string][]byte{"../x": nil}); err == nil || !strings.Contains(err.Error(), "leads out") {
			t.Errorf("snapshot outside: %v", err)
		}
		broken := must(env.FS.ReadFile(journalOf(b)))
		check(env.FS.WriteFile(journalOf(b), append([]byte("x"), broken...), 0o600))
		for _, i := range must(engine.ListRuns(env, state)) {
			if i.ID == b.ID() && !i.Unfinished() {
				t.Error("a run that cannot be read counts as finished")
			}
		}
		if _, err := engine.OpenRun(env, state, "nope"); !errors.Is(err, engine.ErrNoRun) {
			t.Errorf("no run: %v", err)
		}
	})
}

func TestLocks(t *testing.T) {
	w := sim.New(1)
	defer w.Close()
	var id string
	holder := w.Group("first")
	holder.Run(func() {
		env := holder.Env()
		r := newRun(env)
		id = r.ID()
		_ = must(engine.LockDomains(env, state, []string{"d2", "d1", "d1"}, "the first drrun"))
		other := w.Env()
		_, err := engine.OpenRun(other, state, id)
		var locked *engine.LockedError
		if !errors.As(err, &locked) || locked.Run != id || !errors.Is(err, engine.ErrLocked) || locked.Code() != "locked" ||
			!strings.HasSuffix(err.Error(), "is in use by root on dr1 since 2026-11-20T14:32:00Z") {
			t.Errorf("second open: %v", err)
		}
		if _, err := engine.ReadRun(other, state, id); err != nil {
			t.Errorf("reading a run that is open: %v", err)
		}
		_, err = engine.LockDomains(other, state, []string{"d0", "d2"}, "the second drrun")
		if !errors.As(err, &locked) || locked.Domain != "d2" || locked.Holder != "the first drrun" {
			t.Errorf("domain: %v", err)
		}
		unlock, err := engine.LockDomains(other, state, []string{"d0"}, "the second drrun")
		if err != nil {
			t.Errorf("d0 stayed locked after d2 was refused: %v", err)
		}
		unlock()
		unlock()
		holder.Kill()
	})
	w.Run(func() {
		env := w.Env()
		check(must(engine.OpenRun(env, state, id)).Close())
		check(must(engine.OpenRun(env, state, id)).End("done", 0, nil))
		unlock := must(engine.LockDomains(env, state, []string{"d1", "d2"}, "the second drrun"))
		unlock()
		for _, bad := range []string{"", ".."} {
			if _, err := engine.LockDomains(env, state, []string{bad}, ""); err == nil {
				t.Errorf("%q was locked", bad)
			}
		}
		if _, err := env.FS.ReadFile(state + "/locks/d1"); errors.Is(err, fs.ErrNotExist) {
			t.Error("the lock file was removed: a lock on a removed file protects nothing")
		}
	})
}
