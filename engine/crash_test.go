package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// site is the world outside: what drrun changes, and what it cannot take back. It lives
// in a daemon's group, so an effect happens also when drrun is killed meanwhile.
type site struct {
	group  *sim.Group
	env    engine.Env
	up     map[string]int // starts of each VM
	begun  map[string]bool
	hooks  map[string]int // times that each hook ran to its end
	sent   []string       // correlation ids
	effect func(n int)    // called after the n-th effect
	n      int
}

func newSite(w *sim.World) *site {
	g := w.Daemon("site")
	return &site{group: g, env: g.Env(), up: map[string]int{}, begun: map[string]bool{}, hooks: map[string]int{}}
}

// do lets the site do something, in its own time, and waits for it.
func (s *site) do(ctx context.Context, fn func()) error {
	done := make(chan struct{})
	s.group.Go(func() {
		wait(s.env, time.Duration(s.env.Rand()%5)*time.Second)
		fn()
		s.n++
		close(done)
		if s.effect != nil {
			s.effect(s.n)
		}
	})
	_, err := s.env.Clock.Wait(ctx, -1, done)
	return err
}

// workflow starts four VMs in two ranks, with a hook after each, all of a rank in parallel.
func workflow(env engine.Env, r *engine.Run, s *site) error {
	facts := []string{"db1", "db2", "app1", "app2"}
	if err := r.SetFacts(facts); err != nil {
		return err
	}
	return engine.NewScheduler(env).Run(background, background, "failover", func(t *engine.Task) error {
		for rank := range 2 {
			var children []*engine.Child
			for _, vm := range facts[2*rank : 2*rank+2] {
				children = append(children, t.Spawn(vm, func(t *engine.Task) (err error) {
					t.Release(func() { err = bringUp(t, r, s, vm, rank) })
					return err
				}))
			}
			for _, c := range children {
				if err := t.Join(c); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

func bringUp(t *engine.Task, r *engine.Run, s *site, vm string, rank int) error {
	subject := engine.Subject{Kind: "vm", Site: "secondary", ID: vm, Name: vm}
	for _, cut := range r.Cut("vm.start", subject) {
		// What is on its way has to land before reading says anything.
		wait(s.env, 10*time.Second)
		r.Settle(cut.ID, slices.Contains(s.sent, cut.ID), "read back")
	}
	if !r.Reached("vm.start", subject) {
		p, err := r.Begin(t.OpCtx(), engine.Intent{Op: "vm.start", Subject: subject})
		if err != nil {
			return err
		}
		if err := s.do(t.OpCtx(), func() { s.up[vm]++; s.sent = append(s.sent, p.ID()) }); err != nil {
			return err
		}
		p.Done(engine.Outcome{OK: true})
	}
	r.Mark(engine.Status{Subject: subject, State: "up", Rank: &rank})
	_, err := r.Durable(t.OpCtx(), engine.Durable{Key: engine.HookKey("after_start", "dns", subject), Args: vm},
		func(ctx context.Context, retried bool) (any, error) {
			if s.begun[vm] && !retried {
				return nil, errors.New("the hook runs again and is not told")
			}
			s.begun[vm] = true
			return vm, s.do(ctx, func() { s.hooks[vm]++ })
		})
	return err
}

// attempt runs or resumes the workflow in a group of its own and tells whether it ended.
func attempt(t *testing.T, w *sim.World, s *site, n int) (ended bool) {
	g := w.Group(fmt.Sprintf("drrun%d", n))
	g.Run(func() {
		env := g.Env()
		var r *engine.Run
		runs := must(engine.ListRuns(env, state))
		if len(runs) == 0 {
			r = newRun(env)
		} else {
			r = must(engine.OpenRun(env, state, runs[0].ID))
		}
		if err := workflow(env, r, s); err != nil {
			t.Errorf("seed=%d attempt %d: %v", w.Seed(), n, err)
		}
		check(r.End("done", 0, nil))
		ended = true
	})
	return ended
}

// verify compares the world and the journal with what an undisturbed run leaves.
func verify(t *testing.T, w *sim.World, s *site, where string) {
	t.Helper()
	env := w.Env()
	info := must(engine.ListRuns(env, state))
	run := must(engine.ReadRun(env, state, info[0].ID))
	var intents, board []string
	for _, rec := range run.Records {
		if rec.Kind == "intent" {
			intents = append(intents, rec.Intent.ID)
		}
	}
	for _, row := range run.Board() {
		board = append(board, fmt.Sprint(row.Subject.Name, " ", row.State, " ", *row.Rank))
	}
	if got := strings.Join(board, ", "); got != "db1 up 0, db2 up 0, app1 up 1, app2 up 1" {
		t.Errorf("%s: board %s", where, got)
	}
	for _, vm := range []string{"db1", "db2", "app1", "app2"} {
		if s.up[vm] != 1 || s.hooks[vm] < 1 {
			t.Errorf("%s: %s was started %d times, its hook ran %d times", where, vm, s.up[vm], s.hooks[vm])
		}
	}
	for _, id := range s.sent {
		if !slices.Contains(intents, id) {
			t.Errorf("%s: request %s has no intent", where, id)
		}
	}
	if run.Unfinished() || len(info) != 1 {
		t.Errorf("%s: %d runs, unfinished %v", where, len(info), run.Unfinished())
	}
}

// TestKilledAnywhere kills the run after each record, and after each effect before its
// record, with and without a power failure, and a second time while it is resumed.
func TestKilledAnywhere(t *testing.T) {
	points := 0
	for _, power := range []bool{false, true} {
		for _, at := range []string{"record", "effect"} {
			for n := 1; ; n++ {
				for _, second := range []int{0, 1, 2, 3, 5, 8} {
					if second > 0 && n%3 != 0 && testing.Short() {
						continue
					}
					killed := killAt(t, at, n, second, power)
					if !killed && second == 0 {
						goto next
					}
					points++
				}
			}
		next:
		}
	}
	t.Logf("%d points", points)
	if points < 100 {
		t.Errorf("only %d points", points)
	}
}

func killAt(t *testing.T, at string, n, second int, power bool) (killed bool) {
	w := sim.New(uint64(n))
	defer w.Close()
	w.Disk().SyncTime = 5 * time.Millisecond
	s := newSite(w)
	where := fmt.Sprintf("killed after %s %d, then %d, power failure %v", at, n, second, power)
	crash := func() {
		if power {
			w.SetDisk(w.Disk().Crash(int(w.Seed()) * 7 % 60))
		}
	}
	count := 0
	arm := func(after int) {
		count = 0
		hit := func() {
			if count++; count == after {
				killed = true
				w.Kill()
			}
		}
		w.Disk().OnAppend, s.effect = nil, nil
		if at == "record" {
			w.Disk().OnAppend = func(string, int) { hit() }
		} else {
			s.effect = func(int) { hit() }
		}
	}
	arm(n)
	ended := attempt(t, w, s, 1)
	if ended {
		verify(t, w, s, where)
		return false
	}
	crash()
	next := 2
	if second > 0 {
		arm(second)
		ended = attempt(t, w, s, next)
		next++
		if !ended {
			crash()
		}
	}
	w.Disk().OnAppend, s.effect = nil, nil
	if !ended && !attempt(t, w, s, next) {
		t.Errorf("%s: did not end", where)
		return killed
	}
	verify(t, w, s, where)
	return killed
}

// TestSeeds runs the workflow with other orders; all end in the same world.
func TestSeeds(t *testing.T) {
	traces := map[string]bool{}
	for seed := range uint64(200) {
		w := sim.New(seed)
		w.Disk().SyncTime = time.Duration(seed%7) * time.Millisecond
		s := newSite(w)
		attempt(t, w, s, 1)
		verify(t, w, s, fmt.Sprint("seed=", seed))
		traces[strings.Join(w.Trace(), "\n")] = true
		w.Close()
	}
	if len(traces) < 190 {
		t.Errorf("200 seeds gave only %d traces", len(traces))
	}
}

// A write that fails once stops the run before its next change; resuming finishes it.
func TestFullDiskAnywhere(t *testing.T) {
	for n := 2; n < 40; n++ {
		w := sim.New(uint64(n))
		s := newSite(w)
		disk := w.Disk()
		count := 0
		disk.Fault = func(op, path string) error {
			if op == "write" {
				if count++; count == n {
					return errors.New("no space left on device")
				}
			}
			return nil
		}
		w.Run(func() {
			env := w.Env()
			r, err := engine.CreateRun(env, state, engine.Head{Plan: "p", Action: "failover"}, nil)
			if err != nil {
				return
			}
			err = workflow(env, r, s)
			_, stopping := r.Stopping()
			if stopping != (count >= n) || stopping && err != nil && !strings.Contains(err.Error(), "no space left") {
				t.Errorf("record %d: stopping %v, %v", n, stopping, err)
			}
			before := count
			if err := r.End("stopped", 5, nil); err != nil && (before >= n || count < n) {
				t.Errorf("record %d: end: %v", n, err)
			}
		})
		disk.Fault = nil
		if len(must(engine.ListRuns(w.Env(), state))) > 0 {
			attempt(t, w, s, 2)
			verify(t, w, s, fmt.Sprint("disk full at record ", n))
		}
		w.Close()
	}
}
