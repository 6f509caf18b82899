package sim_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

func TestMain(m *testing.M) {
	code := m.Run()
	for i := 0; runtime.NumGoroutine() > 2 && i < 1_000_000; i++ {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > 2 && code == 0 {
		fmt.Printf("%d goroutines are left\n", n)
		code = 1
	}
	os.Exit(code)
}

var background = context.Background()

// wait is Clock.Wait for tests that only want time to pass.
func wait(c engine.Clock, d time.Duration) { _, _ = c.Wait(background, d, nil) }

// pingPong starts five goroutines that wait, draw random numbers and wake each other.
func pingPong(seed uint64) []string {
	w := sim.New(seed)
	defer w.Close()
	env := w.Env()
	w.Run(func() {
		done := make([]chan struct{}, 5)
		for i := range done {
			done[i] = make(chan struct{})
			env.Go(func() {
				for n := range 4 {
					wait(env.Clock, time.Duration(env.Rand()%3)*time.Second)
					w.Logf("worker %d round %d id %s", i, n, env.NewID())
				}
				close(done[i])
			})
		}
		for _, d := range done {
			_, _ = env.Clock.Wait(background, -1, d)
		}
	})
	return w.Trace()
}

func TestOneSeedOneTrace(t *testing.T) {
	first := pingPong(7)
	for i := range 19 {
		if got := pingPong(7); !slices.Equal(first, got) {
			t.Fatalf("run %d of seed 7 differs:\n%s\n---\n%s", i+2, strings.Join(first, "\n"), strings.Join(got, "\n"))
		}
	}
	seen := map[string]uint64{}
	for seed := range uint64(20) {
		trace := strings.Join(pingPong(seed), "\n")
		if other, there := seen[trace]; there {
			t.Errorf("seeds %d and %d give the same trace", other, seed)
		}
		seen[trace] = seed
	}
}

func TestWait(t *testing.T) {
	closed := make(chan struct{})
	close(closed)
	cancelled, cancel := context.WithCancelCause(background)
	cause := errors.New("the cause")
	cancel(cause)
	tests := []struct {
		name  string
		ctx   context.Context
		d     time.Duration
		wake  <-chan struct{}
		woken bool
		err   error
		took  time.Duration
	}{
		{name: "time passes", ctx: background, d: 3 * time.Hour, took: 3 * time.Hour},
		{name: "look once", ctx: background, d: 0},
		{name: "wake that is closed", ctx: background, d: -1, wake: closed, woken: true},
		{name: "context that is done", ctx: cancelled, d: -1, err: cause},
		{name: "wake wins over context", ctx: cancelled, d: -1, wake: closed, woken: true},
		{name: "context wins over time", ctx: cancelled, d: 0, err: cause},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := sim.New(1)
			defer w.Close()
			w.Run(func() {
				start := w.Clock().Now()
				woken, err := w.Clock().Wait(tt.ctx, tt.d, tt.wake)
				if woken != tt.woken || err != tt.err || w.Clock().Now().Sub(start) != tt.took {
					t.Errorf("got %v, %v after %s, want %v, %v after %s", woken, err, w.Clock().Now().Sub(start), tt.woken, tt.err, tt.took)
				}
			})
		})
	}
}

func TestTimeout(t *testing.T) {
	type key struct{}
	w := sim.New(1)
	defer w.Close()
	clock := w.Clock()
	w.Run(func() {
		ctx, cancel := clock.WithTimeout(background, time.Minute)
		defer cancel()
		child, stop := context.WithCancel(context.WithValue(ctx, key{}, 1))
		defer stop()
		inner, stopInner := clock.WithTimeout(child, time.Hour)
		defer stopInner()
		start := clock.Now()
		if d, ok := inner.Deadline(); !ok || d.Sub(start) != time.Minute {
			t.Errorf("deadline is %v, want in a minute", d)
		}
		_, err := clock.Wait(inner, -1, nil)
		if took := clock.Now().Sub(start); took != time.Minute {
			t.Errorf("waited %s, want a minute", took)
		}
		for name, c := range map[string]context.Context{"itself": ctx, "child": child, "inner": inner} {
			if c.Err() != context.DeadlineExceeded || context.Cause(c) != context.DeadlineExceeded {
				t.Errorf("%s: err %v, cause %v", name, c.Err(), context.Cause(c))
			}
		}
		if err != context.DeadlineExceeded {
			t.Errorf("wait gave %v", err)
		}
	})
	w.Run(func() { // a cancel of the parent is seen at once
		parent, cancelParent := context.WithCancelCause(background)
		ctx, cancel := clock.WithTimeout(parent, time.Minute)
		defer cancel()
		cause := errors.New("the cause")
		cancelParent(cause)
		if ctx.Err() != context.Canceled || context.Cause(ctx) != cause {
			t.Errorf("err %v, cause %v", ctx.Err(), context.Cause(ctx))
		}
		select {
		case <-ctx.Done():
		default:
			t.Error("Done is not closed")
		}
		late, cancelLate := clock.WithTimeout(background, -time.Second)
		defer cancelLate()
		if late.Err() != context.DeadlineExceeded {
			t.Errorf("past deadline: err %v", late.Err())
		}
		own, cancelOwn := clock.WithTimeout(background, time.Second)
		cancelOwn()
		if own.Err() != context.Canceled {
			t.Errorf("cancelled by its own function: err %v", own.Err())
		}
	})
}

// panicOf returns what fn panics with.
func panicOf(fn func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	fn()
	return ""
}

func TestDeadlockNamesTheWaiters(t *testing.T) {
	w := sim.New(42)
	defer w.Close()
	got := panicOf(func() {
		w.Run(func() { _, _ = w.Clock().Wait(background, -1, make(chan struct{})) })
	})
	for _, want := range []string{"seed=42", "deadlock", "main/g1", "for a wake", "TestDeadlockNamesTheWaiters"} {
		if !strings.Contains(got, want) {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}

func TestPollingForEverIsFound(t *testing.T) {
	w := sim.New(1)
	w.Horizon = time.Hour
	defer w.Close()
	got := panicOf(func() {
		w.Run(func() {
			for {
				wait(w.Clock(), time.Second)
			}
		})
	})
	if !strings.Contains(got, "no end after") {
		t.Errorf("got %s", got)
	}
}

func TestPanicCarriesTheSeed(t *testing.T) {
	w := sim.New(9)
	defer w.Close()
	got := panicOf(func() { w.Run(func() { panic("boom") }) })
	if !strings.Contains(got, "seed=9: panic in main/g1 at +0s: boom") {
		t.Errorf("got %s", got)
	}
}

func TestDaemonsDoNotKeepRun(t *testing.T) {
	w := sim.New(1)
	defer w.Close()
	lab := w.Daemon("lab")
	ticks := 0
	lab.Go(func() {
		for {
			wait(w.Clock(), time.Minute)
			ticks++
		}
	})
	w.Run(func() { wait(w.Clock(), 150*time.Second) })
	w.Run(func() { wait(w.Clock(), 60*time.Second) })
	if ticks != 3 {
		t.Errorf("the daemon ticked %d times in 3.5 minutes over two runs, want 3", ticks)
	}
}

func TestKill(t *testing.T) {
	w := sim.New(3)
	env := w.Env()
	if err := env.FS.MkdirAll("/state"); err != nil {
		t.Fatal(err)
	}
	w.Disk().OnAppend = func(path string, n int) {
		if n == 3 {
			w.Kill()
		}
	}
	var after []string
	unwound := 0
	w.Run(func() {
		if _, _, err := env.FS.Lock("/state/lock", []byte("first")); err != nil {
			t.Error(err)
		}
		env.Go(func() {
			defer func() {
				unwound++
				wait(env.Clock, time.Hour) // ends here
				after = append(after, "waited while unwinding")
			}()
			wait(env.Clock, -1)
			after = append(after, "woke up")
		})
		env.Go(func() { // never started, or killed when parked
			wait(env.Clock, time.Hour)
			after = append(after, "slept")
		})
		f, err := env.FS.OpenAppend("/state/log")
		if err != nil {
			t.Error(err)
			return
		}
		defer func() {
			unwound++
			_, _ = f.Write([]byte("too late"))
			after = append(after, "wrote while unwinding")
		}()
		for range 9 {
			wait(env.Clock, time.Second)
			_, _ = f.Write([]byte("x"))
		}
		after = append(after, "wrote on")
	})
	at := w.Clock().Now()
	if unwound != 0 {
		t.Errorf("%d deferred functions ran before Close", unwound)
	}
	w.Disk().OnAppend = nil
	second := w.Env()
	w.Run(func() {
		if !w.Clock().Now().Equal(at) {
			t.Errorf("the second incarnation starts at %s, the first died at %s", w.Clock().Now(), at)
		}
		if _, now, err := second.FS.Lock("/state/lock", []byte("second")); err != nil {
			t.Errorf("the lock did not die with its holder: %v %s", err, now)
		}
		wait(second.Clock, 48*time.Hour)
		env.Go(func() { after = append(after, "started by the dead") })
	})
	w.Close()
	if data, err := w.Disk().ReadFile("/state/log"); err != nil || string(data) != "xxx" {
		t.Errorf("log is %q, %v", data, err)
	}
	if len(after) != 0 || unwound != 2 {
		t.Errorf("dead goroutines did %q, %d unwound", after, unwound)
	}
}

func TestKillOneGroup(t *testing.T) {
	w := sim.New(1)
	defer w.Close()
	drrun := w.Group("drrun")
	reached := false
	w.Run(func() {
		drrun.Go(func() {
			wait(w.Clock(), time.Minute)
			reached = true
		})
		wait(w.Clock(), time.Second)
		drrun.Kill()
		wait(w.Clock(), time.Hour)
	})
	if reached || !drrun.Dead() || w.Group("drrun") == drrun {
		t.Errorf("reached %v, dead %v", reached, drrun.Dead())
	}
}

func TestFatalEndsTheTest(t *testing.T) {
	ended := make(chan bool, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := sim.New(1)
		defer w.Close()
		w.Run(func() { runtime.Goexit() })
		ended <- true
	}()
	<-done
	if len(ended) != 0 {
		t.Error("Run returned although main ended by Goexit")
	}
}

func TestPowerFailure(t *testing.T) {
	disk := sim.NewFS()
	if err := disk.MkdirAll("/a/b"); err != nil {
		t.Fatal(err)
	}
	f, err := disk.OpenAppend("/a/b/f")
	if err != nil {
		t.Fatal(err)
	}
	var syncs []int
	disk.OnSync = func(_ string, n int) { syncs = append(syncs, n) }
	write := func(s string) {
		t.Helper()
		if _, err := f.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	write("synced")
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	write("+tail")
	if err := disk.WriteFile("/a/whole", []byte("whole"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		disk *sim.FS
		want string
	}{
		{"killed", disk.Clone(), "synced+tail"},
		{"power failure", disk.Crash(0), "synced"},
		{"torn", disk.Crash(2), "synced+t"},
		{"all of it", disk.Crash(99), "synced+tail"},
	} {
		got, err := tt.disk.ReadFile("/a/b/f")
		whole, err2 := tt.disk.ReadFile("/a/whole")
		if err != nil || err2 != nil || string(got) != tt.want || string(whole) != "whole" {
			t.Errorf("%s: %q %v, %q %v", tt.name, got, err, whole, err2)
		}
	}
	if len(syncs) != 1 || disk.Unsynced("/a/b/f") != 5 {
		t.Errorf("syncs %v, unsynced %d", syncs, disk.Unsynced("/a/b/f"))
	}
	disk.Fault = func(op, path string) error {
		if op == "write" {
			return errors.New("no space left on device")
		}
		return nil
	}
	if n, err := f.Write([]byte("1234")); n != 2 || err == nil || !strings.Contains(err.Error(), "no space") {
		t.Errorf("write on a full disk: %d, %v", n, err)
	}
	disk.Fault = nil
	if err := disk.Truncate("/a/b/f", 6); err != nil {
		t.Fatal(err)
	}
	if e, err := disk.Stat("/a/b/f"); err != nil || e.Size != 6 || e.Dir {
		t.Errorf("stat: %+v, %v", e, err)
	}
	if err := disk.Remove("/a"); err == nil {
		t.Error("a full folder was removed")
	}
	if err := disk.Remove("/a/whole"); err != nil {
		t.Error(err)
	}
	if list, err := disk.ReadDir("/a"); err != nil || len(list) != 1 || !list[0].Dir || list[0].Name != "b" {
		t.Errorf("list: %+v, %v", list, err)
	}
	if _, err := disk.ReadFile("/nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}
