package sim

import (
	"context"
	"runtime"
	"sync"
	"time"

	"drrun/engine"
)

type clock struct{ w *World }

func (c clock) Now() time.Time { return c.w.now }

// processClock is the clock of the world as a process reads it on a machine whose clock can be set.
type processClock struct {
	clock
	day *engine.Timekeeper
}

func (c processClock) Now() time.Time { return c.day.Now() }

// Wait is always a point where another goroutine may be chosen.
func (c clock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	w := c.w
	g := w.cur
	if g == nil {
		panic("sim: Wait called by a goroutine that the world does not know: start it with Env.Go, or inside World.Run")
	}
	if g.dead {
		runtime.Goexit() // a deferred function of a killed goroutine, during Close
	}
	g.ctx, g.wake, g.timed, g.since = ctx, wake, d >= 0, w.now
	if d >= 0 {
		g.until = w.now.Add(d)
	}
	g.npcs = runtime.Callers(2, g.pcs[:])
	w.back <- struct{}{}
	<-g.resume
	if g.dead {
		runtime.Goexit()
	}
	why := g.ready()
	g.ctx, g.wake, g.timed = nil, nil, false
	switch why {
	case "wake":
		return true, nil
	case "cancel":
		return false, context.Cause(ctx)
	}
	return false, nil
}

// timeout is the context of WithTimeout. It sits above a cancel context of the standard
// library, which takes over its error at the very moment it fires because timeout has
// an AfterFunc: so contexts derived from it, however often wrapped, need no goroutine.
// Its own parent cannot call it back without one; it is looked at before each step, and
// whenever somebody asks this context.
type timeout struct {
	parent   context.Context
	deadline time.Time
	owner    *Group
	done     chan struct{}

	mu    sync.Mutex
	err   error
	after func() // of the one cancel context above
}

func (t *timeout) Deadline() (time.Time, bool) {
	if d, ok := t.parent.Deadline(); ok && d.Before(t.deadline) {
		return d, true
	}
	return t.deadline, true
}

func (t *timeout) Done() <-chan struct{} { return t.done }
func (t *timeout) Value(key any) any     { return t.parent.Value(key) }

func (t *timeout) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// AfterFunc is what package context looks for in a parent of another type. It is called
// once, when WithTimeout puts its cancel context on top, before anything can have fired.
func (t *timeout) AfterFunc(f func()) (stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.after = f
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		there := t.after != nil
		t.after = nil
		return there
	}
}

func (t *timeout) end(err error) {
	t.mu.Lock()
	if t.err != nil {
		t.mu.Unlock()
		return
	}
	t.err = err
	close(t.done)
	f := t.after
	t.after = nil
	t.mu.Unlock()
	if f != nil {
		f()
	}
}

// check fires the context when its parent is done.
func (t *timeout) check() {
	if err := t.parent.Err(); err != nil {
		t.end(err)
	}
}

// timeoutCtx is the cancel context over a timeout, looking at the timeout's parent first.
type timeoutCtx struct {
	context.Context
	t *timeout
}

func (c timeoutCtx) Err() error {
	c.t.check()
	return c.Context.Err()
}

func (c timeoutCtx) Done() <-chan struct{} {
	c.t.check()
	return c.Context.Done()
}

func (c clock) WithTimeout(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	w := c.w
	t := &timeout{parent: parent, deadline: w.now.Add(d), done: make(chan struct{})}
	if w.cur != nil {
		t.owner = w.cur.group
	}
	ctx, cancel := context.WithCancel(t)
	if d <= 0 {
		t.end(context.DeadlineExceeded)
		return ctx, cancel
	}
	w.timeouts = append(w.timeouts, t)
	return timeoutCtx{ctx, t}, func() {
		cancel()
		for i, x := range w.timeouts {
			if x == t {
				w.timeouts = append(w.timeouts[:i:i], w.timeouts[i+1:]...)
				return
			}
		}
	}
}

// fire ends the contexts whose time has come or whose parent is done.
func (w *World) fire() {
	kept := w.timeouts[:0:0]
	for _, t := range w.timeouts {
		if t.Err() == nil {
			t.check()
		}
		if t.Err() == nil && !t.deadline.After(w.now) {
			t.end(context.DeadlineExceeded)
		}
		if t.Err() == nil {
			kept = append(kept, t)
		}
	}
	w.timeouts = kept
}
