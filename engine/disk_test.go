package engine_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"drrun/engine"
)

func TestDisk(t *testing.T) {
	dir := t.TempDir()
	disk := engine.SystemEnv(1).FS
	deep := filepath.Join(dir, "a", "b")
	check(disk.MkdirAll(deep))
	check(disk.MkdirAll(deep))
	name := filepath.Join(deep, "journal")
	mode := func(path string, want fs.FileMode) {
		t.Helper()
		if info := must(os.Stat(path)); info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", path, info.Mode().Perm(), want)
		}
	}
	for _, text := range []string{"one\n", "two\n"} {
		f := must(disk.OpenAppend(name))
		must(f.Write([]byte(text)))
		check(f.Sync())
		check(f.Close())
	}
	mode(deep, 0o700)
	mode(filepath.Join(dir, "a"), 0o700)
	mode(name, 0o600)
	check(disk.Truncate(name, 4))
	if got := must(disk.ReadFile(name)); string(got) != "one\n" {
		t.Errorf("file is %q", got)
	}
	report := filepath.Join(deep, "report")
	check(disk.WriteFile(report, []byte("old"), 0o644))
	check(disk.WriteFile(report, []byte("new"), 0o600))
	mode(report, 0o600)
	list := must(disk.ReadDir(deep))
	if len(list) != 2 || list[0] != (engine.Entry{Name: "journal", Size: 4}) || list[1] != (engine.Entry{Name: "report", Size: 3}) {
		t.Errorf("list %+v: no file may be left over", list)
	}
	if e := must(disk.Stat(deep)); e != (engine.Entry{Name: "b", Dir: true}) {
		t.Errorf("stat %+v", e)
	}
	check(disk.Remove(report))
	for what, err := range map[string]error{
		"read":     second(disk.ReadFile(report)),
		"stat":     second(disk.Stat(report)),
		"list":     second(disk.ReadDir(report)),
		"remove":   disk.Remove(report),
		"truncate": disk.Truncate(report, 0),
		"append":   second(disk.OpenAppend(filepath.Join(report, "x"))),
		"write":    disk.WriteFile(filepath.Join(report, "x"), nil, 0o600),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s of what is not there: %v", what, err)
		}
	}
	if err := disk.MkdirAll(filepath.Join(name, "x")); err == nil {
		t.Error("a folder was made inside a file")
	}
}

func second[T any](_ T, err error) error { return err }

func TestRunOnTheDisk(t *testing.T) {
	env := engine.SystemEnv(1e6)
	dir := filepath.Join(t.TempDir(), "state")
	r := must(engine.CreateRun(env, dir, engine.Head{Plan: "p"}, map[string][]byte{"plan.lua": []byte("x")}))
	err := engine.NewScheduler(env).Run(background, background, "run", func(t *engine.Task) error {
		for i := range 40 {
			t.Spawn(fmt.Sprint(i), func(t *engine.Task) (err error) {
				t.Release(func() {
					p, e := r.Begin(t.OpCtx(), engine.Intent{Op: "x", Subject: engine.Subject{Kind: "vm", ID: t.Key()}})
					if e == nil {
						p.Done(engine.Outcome{OK: true})
						_, e = r.Durable(t.OpCtx(), engine.Durable{Key: t.Path()}, func(context.Context, bool) (any, error) { return i, nil })
					}
					err = e
				})
				return err
			})
		}
		return nil
	})
	check(err)
	if _, err := engine.OpenRun(env, dir, r.ID()); !errors.Is(err, engine.ErrLocked) {
		t.Errorf("open twice: %v", err)
	}
	check(r.Close())
	r = must(engine.OpenRun(env, dir, r.ID()))
	for i := range 40 {
		if !r.Reached("x", engine.Subject{Kind: "vm", ID: fmt.Sprint(i)}) {
			t.Errorf("%d is not reached", i)
		}
	}
	check(r.End("done", 0, nil))
	if info := must(engine.ReadRun(env, dir, r.ID())); info.Unfinished() || len(info.Records) != 2+4*40+2 {
		t.Errorf("%d records, %+v", len(info.Records), info.Status)
	}
}

const holderVariable = "ENGINE_TEST_HOLDS_LOCK"

// A lock ends with the process that has it, also when that is killed by SIGKILL.
func TestLockDiesWithItsProcess(t *testing.T) {
	disk := engine.SystemEnv(1).FS
	if path := os.Getenv(holderVariable); path != "" {
		_, _, err := disk.Lock(path, []byte("the child"))
		fmt.Println("lock:", err)
		_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
		return
	}
	path := filepath.Join(t.TempDir(), "lock")
	child := exec.Command(os.Args[0], "-test.run=^TestLockDiesWithItsProcess$")
	child.Env = append(os.Environ(), holderVariable+"="+path)
	_ = must(child.StdinPipe()) // stays open
	out := must(child.StdoutPipe())
	check(child.Start())
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "lock: <nil>\n" {
		t.Fatalf("the child says %q, %v", line, err)
	}
	if _, now, err := disk.Lock(path, nil); !errors.Is(err, engine.ErrLocked) || string(now) != "the child" {
		t.Errorf("while the child lives: holder %q, %v", now, err)
	}
	check(child.Process.Kill())
	_ = child.Wait() // killed
	unlock, _, err := disk.Lock(path, []byte("the parent"))
	if err != nil {
		t.Fatalf("after the child was killed: %v", err)
	}
	if _, now, err := disk.Lock(path, nil); !errors.Is(err, engine.ErrLocked) || string(now) != "the parent" {
		t.Errorf("twice in one process: holder %q, %v", now, err)
	}
	check(unlock())
	unlock, _, err = disk.Lock(path, nil)
	check(err)
	check(unlock())
}

func TestSystemClock(t *testing.T) {
	env := engine.SystemEnv(1e6)
	start := env.Clock.Now()
	if start.Location() != time.UTC {
		t.Error("model time is not UTC")
	}
	if woken, err := env.Clock.Wait(background, time.Hour, nil); woken || err != nil {
		t.Errorf("got %v, %v", woken, err)
	}
	if took := env.Clock.Now().Sub(start); took < time.Hour {
		t.Errorf("an hour took %s of model time", took)
	}
	ctx, cancel := env.Clock.WithTimeout(background, time.Minute)
	defer cancel()
	if _, err := env.Clock.Wait(ctx, -1, nil); err != context.DeadlineExceeded {
		t.Errorf("timeout: %v", err)
	}
	closed := make(chan struct{})
	close(closed)
	cause := errors.New("the cause")
	done, stop := context.WithCancelCause(background)
	stop(cause)
	for range 100 {
		if woken, err := env.Clock.Wait(done, 0, closed); !woken || err != nil {
			t.Fatalf("wake and context: %v, %v", woken, err)
		}
		if woken, err := env.Clock.Wait(done, 0, nil); woken || err != cause {
			t.Fatalf("context and time: %v, %v", woken, err)
		}
	}
	if woken, err := env.Clock.Wait(background, 1<<62, closed); !woken || err != nil {
		t.Errorf("long wait: %v, %v", woken, err)
	}
	slow := engine.SystemEnv(1e-9)
	ctx, cancel = slow.Clock.WithTimeout(background, 1<<62)
	cancel()
	if ctx.Err() != context.Canceled {
		t.Errorf("a timeout beyond what a duration holds: %v", ctx.Err())
	}
	id := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if a, b := env.NewID(), env.NewID(); a == b || !id.MatchString(a) {
		t.Errorf("ids %s %s", a, b)
	}
	for _, speed := range []float64{0, -1} {
		if now := engine.SystemEnv(speed).Clock.Now(); now.Sub(start) > 365*24*time.Hour || strings.HasPrefix(now.String(), "0001") {
			t.Errorf("speed %v: %s", speed, now)
		}
	}
}
