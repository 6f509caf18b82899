package engine_test

import (
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

const (
	share    = "/share"
	patience = 10 * time.Second
)

func mirroredRun(env engine.Env) *engine.Run {
	return must(engine.CreateRun(env, state, engine.Head{Plan: "p", Action: "failover", Domains: []string{"d1"}, User: "root", Host: "dr1"},
		map[string][]byte{"plan.lua": []byte("return 1")}, engine.WithMirror(share, patience)))
}

func mirrorOf(r *engine.Run) string { return share + "/runs/" + r.ID() + "/journal.jsonl" }

// TestMirrorHasWhatCounts: what was committed survives the loss of the state folder and of the mirror's power together.
func TestMirrorHasWhatCounts(t *testing.T) {
	inWorld(t, 3, func(w *sim.World, env engine.Env) {
		r := mirroredRun(env)
		disk := w.Disk()
		last := func(want string) {
			t.Helper()
			records, _, err := engine.DecodeJournal(must(disk.Crash(0).ReadFile(mirrorOf(r))))
			if err != nil || len(records) == 0 || records[len(records)-1].Kind != want {
				t.Errorf("the mirror ends with %v (%v), want %s", records[max(0, len(records)-1):], err, want)
			}
		}
		last("attempt")
		check(r.SetFacts(map[string]any{"vms": 1}))
		last("facts")
		r.Note("seen", engine.Subject{}, nil)
		must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
		last("intent")
		must(r.Durable(background, engine.Durable{Key: "k"}, func(contextT, bool) (any, error) {
			last("step")
			return 1, nil
		}))
		last("result")
		check(r.NoteSynced("confirmed", engine.Subject{}, nil))
		last("confirm")
		check(r.SetFacts(map[string]any{"vms": 1}))
		check(r.End("done", 0, map[string]int{"a": 1}))
		last("end")
		for _, name := range []string{"journal.jsonl", "report.json", "plan/plan.lua"} {
			if own, theirs := must(env.FS.ReadFile(r.Dir()+"/"+name)), must(env.FS.ReadFile(share+"/runs/"+r.ID()+"/"+name)); string(own) != string(theirs) {
				t.Errorf("%s differs:\n%s\n%s", name, own, theirs)
			}
		}
		if _, lost := r.Mirror(); lost != nil {
			t.Errorf("lost: %v", lost)
		}
	})
}

// TestMirrorIsLost: a mirror that fails or hangs holds nothing up and is told of, and the next attempt makes it whole again.
func TestMirrorIsLost(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault func(w *sim.World) error
		want  string
	}{
		{"fails", func(*sim.World) error { return syscall.ENOSPC }, "no space left"},
		{"hangs", func(w *sim.World) error {
			_, err := w.Clock().Wait(background, 3*time.Hour, nil)
			return errors.Join(err, syscall.ETIMEDOUT)
		}, "did not answer for 10s"},
	} {
		for _, op := range []string{"write", "sync"} {
			t.Run(tt.name+" at "+op, func(t *testing.T) {
				inWorld(t, 3, func(w *sim.World, env engine.Env) {
					r := mirroredRun(env)
					must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
					w.Disk().Fault = func(fop, path string) error {
						if fop == op && strings.HasPrefix(path, share) {
							return tt.fault(w)
						}
						return nil
					}
					var told []string
					r.Observe(func(e engine.Event) {
						if e.Kind == engine.MirrorNote {
							told = append(told, e.Text)
						}
					})
					before := env.Clock.Now()
					for range 5 {
						must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
					}
					if took := env.Clock.Now().Sub(before); took > 10*time.Second {
						t.Errorf("five changes took %s", took)
					}
					if _, lost := r.Mirror(); lost == nil || !strings.Contains(lost.Error(), tt.want) {
						t.Errorf("lost: %v", lost)
					}
					if len(told) != 1 || !strings.Contains(told[0], "must not be taken over from there") {
						t.Errorf("told %q", told)
					}
					if _, err := engine.Adopt(env, "/other", share, r.ID(), patience, engine.By{}); !errors.Is(err, engine.ErrLocked) {
						t.Errorf("another machine takes over what is still being worked on: %v", err)
					}
					w.Disk().Fault = nil
					check(r.Close())
					r = must(engine.OpenRun(env, state, r.ID(), engine.WithMirror(share, patience)))
					if own, theirs := must(env.FS.ReadFile(journalOf(r))), must(env.FS.ReadFile(mirrorOf(r))); string(own) != string(theirs) {
						t.Errorf("the mirror was not made whole:\n%s\n%s", own, theirs)
					}
					check(r.Close())
				})
			})
		}
	}
}

// TestMirrorIsNotThere: a new run is refused before it begins, one that goes on does so without.
func TestMirrorIsNotThere(t *testing.T) {
	for _, op := range []string{"mkdir", "lock", "open", "replace"} {
		t.Run(op, func(t *testing.T) {
			inWorld(t, 3, func(w *sim.World, env engine.Env) {
				old := newRun(env)
				check(old.Close())
				w.Disk().Fault = func(fop, path string) error {
					if fop == op && strings.HasPrefix(path, share) {
						return syscall.EROFS
					}
					return nil
				}
				var wrong *engine.MirrorError
				_, err := engine.CreateRun(env, state, engine.Head{}, map[string][]byte{"plan.lua": nil}, engine.WithMirror(share, patience))
				if !errors.As(err, &wrong) || !errors.Is(err, syscall.EROFS) {
					t.Errorf("a new run: %v", err)
				}
				if runs := must(engine.ListRuns(env, state)); len(runs) != 1 {
					t.Errorf("it left a run: %+v", runs)
				}
				r := must(engine.OpenRun(env, state, old.ID(), engine.WithMirror(share, patience)))
				if _, lost := r.Mirror(); !errors.Is(lost, syscall.EROFS) && op != "replace" {
					t.Errorf("lost: %v", lost)
				}
				must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
				check(r.Close())
			})
		})
	}
}

// TestTakeOver brings a run from the mirror to another state folder, whatever each of them has.
func TestTakeOver(t *testing.T) {
	change := func(r *engine.Run) {
		must(r.Begin(background, engine.Intent{Op: "vm.start"})).Done(engine.Outcome{OK: true})
	}
	copyOf := func(env engine.Env, r *engine.Run, to string) { // of the journal
		check(env.FS.MkdirAll(to + "/runs/" + r.ID()))
		check(env.FS.WriteFile(to+"/runs/"+r.ID()+"/journal.jsonl", must(env.FS.ReadFile(journalOf(r))), 0o600))
	}
	cut := func(env engine.Env, path string, bytes int64) {
		check(env.FS.Truncate(path, must(env.FS.Stat(path)).Size-bytes))
	}
	tests := []struct {
		name     string
		prepare  func(env engine.Env, r *engine.Run) // r is closed
		fails    string
		attempts int  // when taken over; 0 for 2
		apart    bool // the machine that comes back has records that the mirror never got
	}{
		{name: "there is nothing", prepare: func(engine.Env, *engine.Run) {}},
		{name: "the mirror has a torn last line", apart: true, prepare: func(env engine.Env, r *engine.Run) { cut(env, mirrorOf(r), 5) }},
		{name: "it has an older part", prepare: func(env engine.Env, r *engine.Run) {
			copyOf(env, r, "/other")
			cut(env, "/other/runs/"+r.ID()+"/journal.jsonl", 300)
		}},
		{name: "it has more", prepare: func(env engine.Env, r *engine.Run) {
			copyOf(env, r, "/other")
			cut(env, mirrorOf(r), 300)
		}},
		{name: "the mirror has an attempt that was refused", attempts: 3, prepare: func(env engine.Env, r *engine.Run) {
			copyOf(env, r, "/other")
			own := must(engine.OpenRun(env, "/other", r.ID()))
			change(own)
			check(own.Close())
			wait(env, time.Minute)
			refused := must(engine.OpenRun(env, share, r.ID()))
			refused.Note("evidence", engine.Subject{}, nil)
			refused.Note("evidence", engine.Subject{}, nil)
			refused.Note("evidence", engine.Subject{}, nil)
			refused.Note("evidence", engine.Subject{}, nil)
			check(refused.End("refused", 3, nil))
		}},
		{name: "both went on", fails: "different stories", prepare: func(env engine.Env, r *engine.Run) {
			copyOf(env, r, "/other")
			for _, dir := range []string{share, "/other"} {
				wait(env, time.Minute)
				own := must(engine.OpenRun(env, dir, r.ID()))
				change(own)
				check(own.Close())
			}
		}},
		{name: "the mirror has no such run", fails: "no such run", prepare: func(env engine.Env, r *engine.Run) {
			for _, path := range []string{"journal.jsonl", "plan/plan.lua", "plan", "lock", ""} {
				check(env.FS.Remove(strings.TrimSuffix(share+"/runs/"+r.ID()+"/"+path, "/")))
			}
		}},
		{name: "the mirror's journal is damaged", fails: "record 1", prepare: func(env engine.Env, r *engine.Run) {
			check(env.FS.WriteFile(mirrorOf(r), append([]byte("{}\n"), must(env.FS.ReadFile(mirrorOf(r)))...), 0o600))
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, 3, func(_ *sim.World, env engine.Env) {
				r := mirroredRun(env)
				change(r)
				change(r)
				check(r.Close())
				tt.prepare(env, r)
				id, err := engine.Adopt(env, "/other", share, r.ID()[:9], patience, engine.By{Host: "dr2"})
				if tt.fails != "" {
					var wrong *engine.MirrorError
					if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tt.fails) || wrong.Dir != share {
						t.Errorf("taken over: %v", err)
					}
					return
				}
				check(err)
				other := must(engine.OpenRun(env, "/other", id, engine.WithMirror(share, patience)))
				if files := must(other.Snapshot()); string(files["plan.lua"]) != "return 1" {
					t.Errorf("snapshot %q", files)
				}
				change(other)
				check(other.End("done", 0, nil))
				for _, dir := range []string{"/other", share} {
					info := must(engine.ReadRun(env, dir, id))
					if info.Attempts != max(2, tt.attempts) || info.Status != "done" {
						t.Errorf("%s: %+v", dir, info)
					}
				}
				// The machine that comes back learns of it.
				back, err := engine.Adopt(env, state, share, id, patience, engine.By{Host: "dr1"})
				if tt.apart {
					var wrong *engine.MirrorError
					if !errors.As(err, &wrong) || !wrong.Diverged {
						t.Errorf("back: %v", err)
					}
					return
				}
				check(err)
				if info := must(engine.ReadRun(env, state, back)); info.Status != "done" {
					t.Errorf("back: %+v", info)
				}
			})
		})
	}
}
