package runner_test

import (
	"context"
	"strings"
	"syscall"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

const share = "/share"

// loseState takes the state folder away, as a machine that is gone does, with its power or without.
func (p *pair) loseState(power bool) {
	disk := p.disk.Clone()
	if power {
		disk = p.disk.Crash(7)
	}
	for _, path := range disk.Files() {
		if strings.HasPrefix(path, "/state/") {
			if err := disk.Remove(path); err != nil {
				p.t.Fatal(err)
			}
		}
	}
	p.world.SetDisk(disk)
	p.disk = p.world.Disk()
}

// elsewhere takes a run over on another machine.
func elsewhere(o *runner.Options) {
	o.StateDir, o.FromMirror, o.Host = "/other", share, "dr2"
}

// TestTakeOverFromMirror deletes the state folder at points of each action that moves VMs, with the power of its machine or without, and goes
// on from the mirror with another state folder. The same is compared as after a kill: the world, the hooks, the requests.
func TestTakeOverFromMirror(t *testing.T) {
	t.Parallel()
	for _, s := range mainStories() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			mirrored := func(p *pair) *runner.Result {
				return p.failover(func(o *runner.Options) {
					o.Action, o.Planned, o.Mirror = s.action, s.planned, share
					p.atHand(o)
				})
			}
			reference := s.ready(t, smallWorld, func(*lab.World) {})
			written := s.kept(reference)
			expect(t, mirrored(reference), runner.ExitDone)
			want := s.outcomeOf(reference)
			records, _ := reference.disk.Counts(reference.newestJournal())
			reference.world.Close()
			points, resumed, different := 0, 0, 0
			for n := 3; n < records; n += 7 { // before that, the mirror has no run
				power := n%2 == 0
				points++
				p := s.ready(t, smallWorld, func(*lab.World) {})
				before := p.newestJournal()
				died := false
				p.disk.OnAppend = func(path string, _ int) {
					count, _ := p.disk.Counts(path)
					if !died && path != before && strings.HasPrefix(path, "/state/runs/") && strings.HasSuffix(path, "journal.jsonl") && count == n {
						died = true
						p.disk.OnAppend = nil
						p.loseState(power)
						p.world.Group("drrun").Kill()
					}
				}
				mirrored(p)
				p.disk.OnAppend = nil
				if !died { // what is shown in the engines makes a few records more or less
					points--
					p.world.Close()
					continue
				}
				p.moved = share
				run := p.newestOf(s.action)
				if run == nil {
					t.Fatalf("record %d: the mirror has no run", n)
				}
				s.killed(p)
				p.moved = "/other"
				r := p.resume(run.ID, func(o *runner.Options) {
					p.atHand(o)
					elsewhere(o)
				})
				for range attempts {
					if r.Status == runner.StatusStopped {
						r = p.resume(run.ID, p.atHand)
					}
				}
				if r.Exit == runner.ExitDone {
					resumed++
				}
				wrong := s.differences(p, r, want, written)
				for _, text := range wrong {
					t.Errorf("record %d (power loss %v): %s", n, power, text)
				}
				if len(wrong) > 0 {
					different++
				}
				p.world.Close()
			}
			t.Logf("%s: points: %d, resumed: %d, different: %d", s.name, points, resumed, different)
		})
	}
}

// TestLostMirrorIsRefused: a mirror that was lost before the end is an old copy; the engine knows changes that it lacks.
func TestLostMirrorIsRefused(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	starts := 0
	p.disk.OnAppend = func(path string, _ int) {
		if !strings.HasPrefix(path, "/state/runs/") || !strings.Contains(p.read(path), `"op":"vm.start"`) {
			return
		}
		if starts++; starts == 12 {
			p.disk.OnAppend = nil
			p.world.Group("drrun").Kill()
		}
	}
	fault := func(op, path string) error {
		if op == "write" && strings.HasPrefix(path, share) && strings.Contains(p.read(path), `"op":"vm.register"`) {
			return syscall.ENOSPC
		}
		return nil
	}
	p.disk.Fault = fault
	p.failover(func(o *runner.Options) { o.Mirror = share })
	if starts != 12 {
		t.Fatalf("%d records after the first start", starts)
	}
	run := p.runs()[0]
	changes := len(p.changes())
	p.disk.Fault = nil
	r := p.resume(run.ID, elsewhere)
	if r.Exit != runner.ExitRefused || r.Error.Code != "old-journal" {
		t.Errorf("taken over: %d %+v", r.Exit, r.Error)
	}
	if now := len(p.changes()); now != changes {
		t.Errorf("%d changes were made", now-changes)
	}
	// The state folder is there: the run goes on from it, and makes the mirror whole again.
	expect(t, p.resume(run.ID, func(o *runner.Options) { o.Mirror = share }), runner.ExitDone)
	if own, theirs := p.read("/state/runs/"+run.ID+"/journal.jsonl"), p.read(share+"/runs/"+run.ID+"/journal.jsonl"); own != theirs {
		t.Error("the mirror is not whole")
	}
}

// TestLostMirrorIsTold: the run goes on, and result and report warn.
func TestLostMirrorIsTold(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	p.disk.Fault = func(op, path string) error {
		if op == "sync" && strings.HasPrefix(path, share) && strings.Contains(p.read(path), `"kind":"facts"`) {
			return syscall.EIO
		}
		return nil
	}
	r := p.failover(func(o *runner.Options) { o.Mirror = share })
	expect(t, r, runner.ExitDone)
	if text := strings.Join(r.Warnings, "\n"); strings.Count(text, "the mirror /share was lost") != 1 {
		t.Errorf("warnings:\n%s", text)
	}
}

// TestNoMirrorNoRun: a mirror that cannot be written refuses a new run, before anything is changed or left.
func TestNoMirrorNoRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	p.disk.Fault = func(op, path string) error {
		if strings.HasPrefix(path, share) {
			return syscall.EROFS
		}
		return nil
	}
	r := p.failover(func(o *runner.Options) { o.Mirror = share })
	if r.Exit != runner.ExitRefused || r.Error.Code != "mirror" || len(p.allChanges()) > 0 {
		t.Errorf("exit %d: %+v; %d changes", r.Exit, r.Error, len(p.allChanges()))
	}
	p.disk.Fault = nil
	expect(t, p.failover(func(o *runner.Options) { o.Mirror = share }), runner.ExitDone)
}

// TestLoneJournal warns where a planned move runs on the site that it leaves, without a mirror.
func TestLoneJournal(t *testing.T) {
	t.Parallel()
	near := func(names ...string) func(context.Context, string) bool {
		return func(_ context.Context, host string) bool {
			for _, name := range names {
				if strings.Contains(host, name) {
					return true
				}
			}
			return false
		}
	}
	for _, c := range []struct {
		name, mirror string
		near         func(context.Context, string) bool
		warned       bool
	}{
		{"at the source", "", near("engine1"), true},
		{"with a mirror", share, near("engine1"), false},
		{"without one on purpose", runner.NoMirror, near("engine1"), false},
		{"at the target", "", near("engine2"), false},
		{"at both", "", near("engine"), false},
		{"not known", "", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			p.marked()
			r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Mirror, o.Near = c.mirror, c.near })
			expect(t, r, runner.ExitDone)
			if got := strings.Contains(strings.Join(r.Warnings, "\n"), "has no mirror"); got != c.warned {
				t.Errorf("warned %v: %q", got, r.Warnings)
			}
		})
	}
}

// TestFirstMachineComesBack: the state folder of the machine that was thought lost learns from the mirror what became of its run.
func TestFirstMachineComesBack(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	p.afterEffect = func(int) {
		if strings.Contains(p.read(p.newestJournal()), `"op":"vm.register"`) {
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
	p.failover(func(o *runner.Options) { o.Mirror = share })
	run := p.runs()[0]
	before := strings.Join(p.disk.Files(), "\n")
	preview := p.resume(run.ID, func(o *runner.Options) {
		elsewhere(o)
		o.PreviewOnly = true
	})
	expect(t, preview, runner.ExitDone)
	if after := strings.Join(p.disk.Files(), "\n"); strings.ReplaceAll(after, "/state/locks", "") != strings.ReplaceAll(before, "/state/locks", "") {
		t.Errorf("a preview wrote something:\n%s\nbefore:\n%s", after, before)
	}
	expect(t, p.resume(run.ID, elsewhere), runner.ExitDone)
	want := p.fingerprint()
	changes := len(p.allChanges())
	r := p.resume(run.ID, nil)
	if r.Exit != runner.ExitRefused || r.Error.Code != "finished-run" {
		t.Errorf("resumed where it began: %d %+v", r.Exit, r.Error)
	}
	if own, theirs := p.read("/state/runs/"+run.ID+"/journal.jsonl"), p.read("/other/runs/"+run.ID+"/journal.jsonl"); own != theirs {
		t.Error("the first machine did not learn of it")
	}
	if len(p.allChanges()) != changes || p.fingerprint() != want {
		t.Error("something was changed")
	}
}

// TestLostMirrorPromotesOnce: the mirror is lost right before the promotion, the machine dies when the promotion is recorded, and another
// one tries to take the run over: it finds that its copy is old.
func TestLostMirrorPromotesOnce(t *testing.T) {
	for _, s := range crashStories()[:2] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			p := s.ready(t, smallWorld, func(*lab.World) {})
			defer p.world.Close()
			const key = "hook:promote_storage/array/group/all"
			p.disk.Fault = func(op, path string) error {
				if (op == "write" || op == "sync") && strings.HasPrefix(path, share) && strings.Contains(p.read(p.newestJournal()), `"key":"`+key) {
					return syscall.EIO
				}
				return nil
			}
			p.disk.OnAppend = func(path string, _ int) {
				if !strings.HasPrefix(path, "/state/runs/") {
					return
				}
				if strings.Contains(p.read(path), `"kind":"result","result":{"key":"`+key) {
					p.disk.OnAppend = nil
					p.loseState(false)
					p.world.Group("drrun").Kill()
				}
			}
			p.failover(func(o *runner.Options) {
				o.Action, o.Planned, o.Mirror = s.action, s.planned, share
				p.atHand(o)
			})
			p.disk.Fault = nil
			var runs []engine.RunInfo
			p.do(func(env engine.Env) { runs, _ = engine.ListRuns(env, share) })
			if len(runs) != 1 {
				t.Fatalf("%d runs in the mirror", len(runs))
			}
			r := p.resume(runs[0].ID, func(o *runner.Options) {
				p.atHand(o)
				elsewhere(o)
			})
			if p.hooks.ran[key] != 1 || r.Exit != runner.ExitRefused || r.Error.Code != "old-journal" {
				t.Errorf("the promotion ran %d times; taken over: exit %d %+v", p.hooks.ran[key], r.Exit, r.Error)
			}
		})
	}
}
