package engine_test

import (
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// slowShare is a disk on which what is read below the share takes a while.
type slowShare struct {
	engine.FS
	env   engine.Env
	delay *time.Duration
}

func (s slowShare) slow(path string) {
	if strings.HasPrefix(path, share) {
		wait(s.env, *s.delay)
	}
}

func (s slowShare) ReadFile(path string) ([]byte, error) {
	s.slow(path)
	return s.FS.ReadFile(path)
}

func (s slowShare) ReadDir(path string) ([]engine.Entry, error) {
	s.slow(path)
	return s.FS.ReadDir(path)
}

func slowed(env engine.Env, delay time.Duration) (engine.Env, *time.Duration) {
	env.FS = slowShare{FS: env.FS, env: env, delay: &delay}
	return env, &delay
}

func change(r *engine.Run) {
	must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
}

// TestLateMirrorChangesNothing: a mirror that has more of the run answers when the run has given it up and goes on: its journal stays its
// own.
func TestLateMirrorChangesNothing(t *testing.T) {
	inWorld(t, 3, func(_ *sim.World, env engine.Env) {
		r := mirroredRun(env)
		change(r)
		check(r.Close())
		id := must(engine.Adopt(background, env, "/other", onShare, r.ID(), engine.By{Host: "dr2"}))
		other := must(engine.OpenRun(env, "/other", id, engine.WithMirror(onShare)))
		change(other)
		check(other.Close())
		env, delay := slowed(env, 15*time.Second)
		a := must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(onShare)))
		if _, lost := a.Mirror(); lost == nil {
			t.Error("it is not lost")
		}
		for range 5 {
			change(a)
			wait(env, 10*time.Second)
		}
		*delay = 0
		check(a.Close())
		check(must(engine.OpenRun(env, state, r.ID())).Close())
	})
}

// TestHungMirror: whoever has patience with a mirror gives up in time, and whoever takes over waits as long as it takes.
func TestHungMirror(t *testing.T) {
	inWorld(t, 3, func(_ *sim.World, env engine.Env) {
		r := mirroredRun(env)
		check(r.Close())
		slow, delay := slowed(env, 3*time.Hour)
		before := env.Clock.Now()
		if _, err := engine.Adopt(background, slow, state, onShare, r.ID(), engine.By{}); err == nil || env.Clock.Now().Sub(before) > time.Minute {
			t.Errorf("%v after %s", err, env.Clock.Now().Sub(before))
		}
		wait(env, 24*time.Hour)
		*delay = 20 * time.Second
		if _, err := engine.Adopt(background, slow, "/other", engine.Mirror{Dir: share}, r.ID(), engine.By{}); err != nil {
			t.Errorf("a slow share cannot be taken over from: %v", err)
		}
		*delay = 4 * time.Second // each answer is in time
		if _, err := engine.Adopt(background, slow, "/third", onShare, r.ID(), engine.By{}); err != nil {
			t.Errorf("a share with slow answers cannot be taken over from: %v", err)
		}
	})
}

// TestUnusableMirrorKeepsItsLock: as long as the run goes on without its mirror, nobody takes it over from there.
func TestUnusableMirrorKeepsItsLock(t *testing.T) {
	inWorld(t, 3, func(w *sim.World, env engine.Env) {
		r := mirroredRun(env)
		check(r.Close())
		w.Disk().Fault = func(op, path string) error {
			if op == "open" && strings.HasPrefix(path, share) {
				return syscall.EIO
			}
			return nil
		}
		a := must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(onShare)))
		if _, lost := a.Mirror(); !errors.Is(lost, syscall.EIO) {
			t.Errorf("lost: %v", lost)
		}
		w.Disk().Fault = nil
		if _, err := engine.Adopt(background, env, "/other", onShare, r.ID(), engine.By{}); !errors.Is(err, engine.ErrLocked) {
			t.Errorf("taken over while it is worked on: %v", err)
		}
		if _, err := env.FS.Stat("/other"); err == nil {
			t.Error("a refused takeover left something")
		}
		check(a.Close())
		check(must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(onShare))).Close())
	})
}

// TestLateLockIsGivenBack: a lock that comes when nobody waits for it any more does not stay.
func TestLateLockIsGivenBack(t *testing.T) {
	inWorld(t, 3, func(w *sim.World, env engine.Env) {
		r := mirroredRun(env)
		check(r.Close())
		w.Disk().Fault = func(op, path string) error {
			if op == "mkdir" && strings.HasPrefix(path, share) {
				wait(env, 12*time.Second)
			}
			return nil
		}
		if _, err := engine.Adopt(background, env, state, onShare, r.ID(), engine.By{User: "me"}); err == nil {
			t.Error("it was in time")
		}
		w.Disk().Fault = nil
		wait(env, time.Minute)
		check(must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(onShare))).Close())
	})
}

// TestUnmountedMirror: a folder that had the run and lacks it now is lost, and nothing is made there.
func TestUnmountedMirror(t *testing.T) {
	inWorld(t, 3, func(w *sim.World, env engine.Env) {
		r := mirroredRun(env)
		change(r)
		check(r.Close())
		w.SetDisk(w.Disk().Clone())
		known := engine.Mirror{Dir: "/elsewhere", Patience: time.Second, Known: true}
		check(env.FS.MkdirAll(known.Dir))
		a := must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(known)))
		if _, lost := a.Mirror(); lost == nil || !strings.Contains(lost.Error(), "is the share mounted?") {
			t.Errorf("an empty folder is the mirror: %v", lost)
		}
		check(a.Close())
		if slices.ContainsFunc(w.Disk().Files(), func(path string) bool { return strings.HasPrefix(path, known.Dir) }) {
			t.Errorf("it was begun anew: %q", w.Disk().Files())
		}
		gone := known
		gone.Dir, gone.Known = "/nowhere", false
		var wrong *engine.MirrorError
		if _, err := engine.CreateRun(env, state, engine.Head{}, nil, engine.WithMirror(gone)); !errors.As(err, &wrong) {
			t.Errorf("a mirror that is not there: %v", err)
		}
	})
}

// TestDamagedMirror: a run whose own journal is whole goes on, and does not take the damage for another story.
func TestDamagedMirror(t *testing.T) {
	inWorld(t, 3, func(_ *sim.World, env engine.Env) {
		r := mirroredRun(env)
		change(r)
		change(r)
		check(r.Close())
		text := must(env.FS.ReadFile(mirrorOf(r)))
		text[strings.Index(string(text), "vm.start")] = 'x'
		check(env.FS.WriteFile(mirrorOf(r), text, 0o600))
		a := must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(onShare)))
		if _, lost := a.Mirror(); lost == nil || !strings.Contains(lost.Error(), "damaged") {
			t.Errorf("lost: %v", lost)
		}
		check(a.Close())
		var wrong *engine.MirrorError
		if _, err := engine.Adopt(background, env, "/other", onShare, r.ID(), engine.By{}); !errors.As(err, &wrong) || wrong.Diverged {
			t.Errorf("taken over: %v", err)
		}
	})
}

// TestTakeOverBringsTheReport: what the end of an attempt left comes along.
func TestTakeOverBringsTheReport(t *testing.T) {
	inWorld(t, 3, func(_ *sim.World, env engine.Env) {
		r := mirroredRun(env)
		check(r.End("partial", 4, map[string]int{"attempt": 1}))
		id := must(engine.Adopt(background, env, "/other", onShare, r.ID(), engine.By{Host: "dr2"}))
		other := must(engine.OpenRun(env, "/other", id, engine.WithMirror(onShare), engine.WithSigner(keyOf(1))))
		check(other.End("done", 0, map[string]int{"attempt": 2}))
		again := must(engine.Adopt(background, env, state, onShare, r.ID(), engine.By{Host: "dr1"}))
		if got := string(must(engine.Report(env, state, again))); !strings.Contains(got, `"attempt": 2`) {
			t.Errorf("report %s", got)
		}
		if v := must(engine.Verify(env, r.Dir(), publicOf(keyOf(1)))); v.State != engine.VerifiedSealed {
			t.Errorf("%+v", v)
		}
	})
}
