package engine_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// lockTable is an engine in which locks are kept, as one run sees it.
type lockTable struct {
	site      string
	must      bool
	silent    bool
	forbidden bool
	broken    error // of every read
	held      map[string]string
	calls     *[]string
	replace   string // a token that may be replaced
}

func (l *lockTable) Site() string  { return l.site }
func (l *lockTable) Must() bool    { return l.must }
func (l *lockTable) Answers() bool { return !l.silent }

func (l *lockTable) now() map[string]string {
	out := map[string]string{}
	for domain, token := range l.held {
		out[domain] = token
	}
	return out
}

func (l *lockTable) Held(context.Context) (map[string]string, error) {
	*l.calls = append(*l.calls, l.site+" read")
	if l.broken != nil {
		return nil, l.broken
	}
	return l.now(), nil
}

func (l *lockTable) Announce(_ context.Context, locks []engine.LockToken) {
	*l.calls = append(*l.calls, l.site+" announce")
}

func (l *lockTable) Take(_ context.Context, locks []engine.LockToken) (map[string]string, error) {
	for _, lock := range locks {
		if l.forbidden {
			return l.now(), engine.ErrLockForbidden
		}
		*l.calls = append(*l.calls, l.site+" take "+lock.Domain)
		if l.held[lock.Domain] != "" {
			return l.now(), errors.New("taken")
		}
		l.held[lock.Domain] = lock.Token
	}
	return l.now(), nil
}

func (l *lockTable) Release(_ context.Context, locks []engine.LockToken) ([]engine.LockToken, error) {
	for _, lock := range locks {
		*l.calls = append(*l.calls, l.site+" release "+lock.Domain)
		if l.held[lock.Domain] == lock.Token {
			delete(l.held, lock.Domain)
		}
	}
	return nil, nil
}

func (l *lockTable) Foreign(ctx context.Context, lock engine.LockToken) error {
	if lock.Token == l.replace {
		return nil
	}
	return &engine.LockedError{Domain: lock.Domain, Holder: l.Holder(ctx, lock), Site: l.site}
}

func (l *lockTable) Holder(_ context.Context, lock engine.LockToken) string {
	return "holder of " + lock.Token
}

type lockBench struct {
	world    *sim.World
	run      *engine.Run
	calls    []string
	warnings []string
	a, b     *lockTable
}

func (bench *lockBench) locks() *engine.RemoteLocks {
	return engine.NewRemoteLocks(bench.run, []engine.Subject{{ID: "d2", Name: "two"}, {ID: "d1"}}, []engine.RemoteLock{bench.a, bench.b},
		func(text string) { bench.warnings = append(bench.warnings, text) })
}

// withLocks runs a test on a run and two engines, of which b is a must.
func withLocks(t *testing.T, test func(bench *lockBench)) {
	t.Helper()
	world := sim.New(3)
	defer world.Close()
	world.Run(func() {
		run, err := engine.CreateRun(world.Env(), "/state", engine.Head{Plan: "p", Action: "failover"}, nil)
		if err != nil {
			t.Error(err)
			return
		}
		bench := &lockBench{world: world, run: run}
		bench.a = &lockTable{site: "primary", held: map[string]string{}, calls: &bench.calls}
		bench.b = &lockTable{site: "secondary", must: true, held: map[string]string{}, calls: &bench.calls}
		test(bench)
		_ = run.Close()
	})
}

func TestRemoteLocksOrder(t *testing.T) {
	withLocks(t, func(bench *lockBench) {
		locks := bench.locks()
		if err := locks.Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := locks.Verify(t.Context()); err != nil { // a moment ago is now
			t.Fatal(err)
		}
		locks.Release(t.Context())
		want := "primary read, primary announce, primary take d1, primary take d2, secondary read, secondary announce, secondary take d1, secondary take d2, " +
			"secondary release d2, secondary release d1, primary release d2, primary release d1"
		if got := strings.Join(bench.calls, ", "); got != want || len(bench.warnings) > 0 {
			t.Errorf("%s\nwant\n%s\nwarnings %q", got, want, bench.warnings)
		}
		// The journal knows the tokens of both sites, by one record that came before the first of them was used.
		info, err := engine.ReadRun(bench.world.Env(), "/state", bench.run.ID())
		if err != nil || len(info.LockTokens()) != 4 || bench.run.Changed() {
			t.Errorf("%v, %v, changed %v", info.LockTokens(), err, bench.run.Changed())
		}
	})
}

func TestRemoteLocksOfAnotherRun(t *testing.T) {
	withLocks(t, func(bench *lockBench) {
		bench.b.held["d2"] = "theirs"
		err := bench.locks().Take(t.Context())
		var locked *engine.LockedError
		if !errors.As(err, &locked) || locked.Holder != "holder of theirs" || locked.Site != "secondary" {
			t.Fatalf("%v", err)
		}
		if len(bench.a.held) != 0 || len(bench.b.held) != 1 {
			t.Errorf("left at the primary: %v, at the secondary: %v", bench.a.held, bench.b.held)
		}
		bench.b.replace = "theirs"
		if err := bench.locks().Take(t.Context()); err != nil || bench.b.held["d2"] == "theirs" {
			t.Errorf("replace: %v, %v", err, bench.b.held)
		}
	})
}

func TestRemoteLocksOfThisRun(t *testing.T) {
	withLocks(t, func(bench *lockBench) {
		if err := bench.locks().Take(t.Context()); err != nil {
			t.Fatal(err)
		}
		delete(bench.b.held, "d1") // the next attempt finds three of its four
		before := bench.b.held["d2"]
		again := bench.locks()
		if err := again.Take(t.Context()); err != nil || bench.b.held["d1"] == "" || bench.b.held["d2"] != before {
			t.Fatalf("%v, %v", err, bench.b.held)
		}
		bench.locks().Release(t.Context()) // of an attempt that took none
		if len(bench.a.held)+len(bench.b.held) != 0 {
			t.Errorf("left: %v, %v", bench.a.held, bench.b.held)
		}
	})
}

func TestRemoteLocksLost(t *testing.T) {
	for name, lose := range map[string]func(*lockTable){
		"removed": func(l *lockTable) { delete(l.held, "d2") },
		"taken":   func(l *lockTable) { l.held["d2"] = "theirs" },
	} {
		withLocks(t, func(bench *lockBench) {
			locks := bench.locks()
			if err := locks.Take(t.Context()); err != nil {
				t.Fatal(err)
			}
			lose(bench.a)
			_, _ = bench.world.Clock().Wait(t.Context(), 10e9, nil)
			var lost *engine.LockLostError
			if err := locks.Verify(t.Context()); !errors.As(err, &lost) || lost.Domain != "two" || (lost.Holder != "") != (name == "taken") {
				t.Fatalf("%s: %v", name, err)
			}
			if _, err := bench.run.Begin(t.Context(), engine.Intent{Op: "vm.start", Subject: engine.Subject{ID: "x"}}); !errors.Is(err, engine.ErrStopping) {
				t.Errorf("%s: a change may begin: %v", name, err)
			}
			if _, err := bench.run.Begin(t.Context(), engine.Intent{Op: "lock", Subject: engine.Subject{ID: "x"}, Beside: true}); err != nil {
				t.Errorf("%s: a lock may not be given back: %v", name, err)
			}
			if err := locks.Verify(t.Context()); !errors.As(err, &lost) {
				t.Errorf("%s: it is found again: %v", name, err)
			}
		})
	}
}

func TestRemoteLocksOfASiteInTrouble(t *testing.T) {
	withLocks(t, func(bench *lockBench) { // silent, then back, then unreadable
		bench.a.silent = true
		locks := bench.locks()
		if err := locks.Take(t.Context()); err != nil || len(bench.a.held) != 0 || len(bench.run.LockTokens()) != 2 {
			t.Fatalf("%v, %v, %v", err, bench.a.held, bench.run.LockTokens())
		}
		bench.a.silent = false
		if err := locks.Verify(t.Context()); err != nil || len(bench.a.held) != 2 {
			t.Fatalf("%v, %v", err, bench.a.held)
		}
		bench.a.broken = errors.New("no answer")
		_, _ = bench.world.Clock().Wait(t.Context(), 10e9, nil)
		if err := locks.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		bench.a.silent = true
		locks.Release(t.Context())
		if len(bench.b.held) != 0 || !slices.ContainsFunc(bench.warnings, func(w string) bool { return strings.Contains(w, "primary may be left there") }) {
			t.Errorf("left %v, warnings %q", bench.b.held, bench.warnings)
		}
	})
	withLocks(t, func(bench *lockBench) { // the site that is a must cannot be read
		bench.b.broken = errors.New("no answer")
		if err := bench.locks().Take(t.Context()); err == nil || len(bench.a.held) != 0 {
			t.Errorf("%v, left %v", err, bench.a.held)
		}
	})
	withLocks(t, func(bench *lockBench) { // the user may not make locks: a warning, and still no way past another run
		bench.b.forbidden = true
		locks := bench.locks()
		if err := locks.Take(t.Context()); err != nil || len(bench.warnings) != 1 || len(bench.a.held) != 2 {
			t.Fatalf("%v, %q, %v", err, bench.warnings, bench.a.held)
		}
		_, _ = bench.world.Clock().Wait(t.Context(), 10e9, nil)
		if err := locks.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		bench.b.held["d1"] = "theirs"
		_, _ = bench.world.Clock().Wait(t.Context(), 10e9, nil)
		var lost *engine.LockLostError
		if err := locks.Verify(t.Context()); !errors.As(err, &lost) {
			t.Fatal(err)
		}
	})
}

// TestTakenOverLocks: a run that is taken over gets locks of its own, so that a process that still works on it finds out and stops.
func TestTakenOverLocks(t *testing.T) {
	inWorld(t, 4, func(_ *sim.World, env engine.Env) {
		r := must(engine.CreateRun(env, state, engine.Head{Host: "dr1"}, nil, engine.WithMirror(share, patience)))
		table := &lockTable{site: "secondary", must: true, held: map[string]string{}, calls: new([]string)}
		domains := []engine.Subject{{ID: "d1"}, {ID: "d2"}}
		first := engine.NewRemoteLocks(r, domains, []engine.RemoteLock{table}, func(string) {})
		check(first.Take(background))
		before := table.now()
		// A share that keeps no locks: the mirror is copied by other means while the run goes on.
		for _, name := range []string{"journal.jsonl"} {
			check(env.FS.MkdirAll("/copy/runs/" + r.ID()))
			check(env.FS.WriteFile("/copy/runs/"+r.ID()+"/"+name, must(env.FS.ReadFile(share+"/runs/"+r.ID()+"/"+name)), 0o600))
		}
		id := must(engine.Adopt(env, "/other", "/copy", r.ID(), patience, engine.By{Host: "dr2"}))
		other := must(engine.OpenRun(env, "/other", id, engine.WithBy(engine.By{Host: "dr2"})))
		second := engine.NewRemoteLocks(other, domains, []engine.RemoteLock{table}, func(string) {})
		second.Renew()
		check(second.Take(background))
		for domain, token := range table.now() {
			if token == before[domain] {
				t.Errorf("%s has the lock of the machine before", domain)
			}
		}
		check(second.Verify(background))
		wait(env, time.Minute)
		var lost *engine.LockLostError
		if err := first.Verify(background); !errors.As(err, &lost) {
			t.Errorf("the machine before goes on: %v", err)
		}
		if _, err := r.Begin(background, engine.Intent{Op: "vm.start"}); !errors.Is(err, engine.ErrStopping) {
			t.Errorf("the machine before changes something: %v", err)
		}
		wait(env, time.Minute)
		check(second.Verify(background))
		check(errors.Join(r.Close(), other.Close()))
	})
}
