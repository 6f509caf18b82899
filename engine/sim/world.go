// Package sim runs a whole system, engine, client and lab, in one process on a virtual
// clock, one goroutine at a time. A seed chooses who goes on whenever several could, so
// one seed gives one trace, and another seed another order.
//
// It works because everything that blocks does so in Clock.Wait and every goroutine is
// started through Env.Go. A goroutine that blocks otherwise stalls the world; one that
// was started with a bare go statement is not seen by it.
package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"drrun/engine"
)

// Start is the virtual time at which every world begins.
var Start = time.Date(2026, 11, 20, 14, 32, 0, 0, time.UTC)

// World is a set of goroutines, a clock and a disk. Its state is touched by one
// goroutine at a time: the one that it let run, or the caller of Run.
type World struct {
	// Horizon is how much virtual time one Run may take before it is called a deadlock:
	// goroutines that only poll keep a world alive for ever. 0 means 60 days.
	Horizon time.Duration
	// Steps is how many times one Run may choose a goroutine. 0 means 50 million.
	Steps int
	// Quiet leaves the steps out of the trace, for those who play many worlds and read none.
	Quiet bool

	seed     uint64
	order    *rand.Rand // who goes on
	values   *rand.Rand // what Rand, NewID and Pick give
	now      time.Time
	set      time.Duration // by how much the machines' clocks were set
	nextID   int
	live     []*goroutine // not ended, in the order in which they were started
	frozen   []*goroutine // killed
	cur      *goroutine   // running now; nil between steps
	back     chan struct{}
	timeouts []*timeout
	groups   map[string]*Group
	disk     *FS
	trace    []string
	failure  *failure
}

type failure struct {
	value any
	where string
	stack string
}

type goroutine struct {
	id      int
	group   *Group
	fn      func()
	main    bool
	started bool
	ended   bool
	goexit  bool // ended by runtime.Goexit
	dead    bool // killed: it never runs on
	resume  chan struct{}

	// What it waits for.
	ctx   context.Context
	wake  <-chan struct{}
	timed bool
	until time.Time
	since time.Time
	pcs   [6]uintptr
	npcs  int
}

func (g *goroutine) String() string { return fmt.Sprintf("%s/g%d", g.group.name, g.id) }

// New returns a world at virtual time Start with an empty disk. Call Close when done
// with it, where goroutines may be left.
func New(seed uint64) *World {
	w := &World{
		seed:   seed,
		order:  rand.New(rand.NewPCG(seed, 0x6f72646572)),
		values: rand.New(rand.NewPCG(seed, 0x76616c756573)),
		now:    Start,
		back:   make(chan struct{}),
		groups: map[string]*Group{},
	}
	w.disk = NewFS()
	w.disk.world = w
	return w
}

// Seed is the seed of the world, to be printed when a test fails.
func (w *World) Seed() uint64 { return w.seed }

// Group is a set of goroutines that can be killed together, as a process is: an
// incarnation of drrun, or the lab.
type Group struct {
	world  *World
	name   string
	daemon bool
	dead   bool
}

// Group returns the group of that name; a new one where there is none yet, or where it
// was killed.
func (w *World) Group(name string) *Group {
	g := w.groups[name]
	if g == nil || g.dead {
		g = &Group{world: w, name: name}
		w.groups[name] = g
	}
	return g
}

// Daemon is Group for goroutines that do not keep Run from returning, such as a lab's.
// What they wait for goes on in the next Run.
func (w *World) Daemon(name string) *Group {
	g := w.Group(name)
	g.daemon = true
	return g
}

// Env returns the environment of the group "main".
func (w *World) Env() engine.Env { return w.Group("main").Env() }

// Clock returns the clock of the world. A goroutine belongs to the group that started
// it, whichever clock it uses.
func (w *World) Clock() engine.Clock { return clock{w} }

// Disk returns the disk of the world: it outlives every group.
func (w *World) Disk() *FS { return w.disk }

// SetDisk puts another disk into the world, such as the image after a power failure.
// Environments made before keep the old one.
func (w *World) SetDisk(f *FS) {
	f.world = w
	w.disk = f
}

// SetClock sets the time of day of the machines on which groups run, forward or, where by is negative, back. What waits goes on
// waiting, and Clock, which is the time that others live in, does not notice.
func (w *World) SetClock(by time.Duration) { w.set += by }

// Env returns an environment whose goroutines and locks belong to the group, with the clock of a process that begins now.
func (g *Group) Env() engine.Env {
	w := g.world
	day := engine.NewTimekeeper(func() (time.Time, time.Duration) { return w.now.Add(w.set), w.now.Sub(Start) })
	return engine.Env{
		Clock: processClock{clock{w}, day},
		Rand:  w.values.Uint64,
		NewID: func() string {
			var b [16]byte
			for i := range b {
				b[i] = byte(w.values.Uint32())
			}
			return engine.UUID(b)
		},
		Go:   g.Go,
		FS:   groupFS{FS: w.disk, group: g},
		Pick: func(n int) int { return w.values.IntN(n) },
	}
}

// Go starts a goroutine of the group. In a killed group it does nothing.
func (g *Group) Go(fn func()) { g.spawn(fn) }

func (g *Group) spawn(fn func()) *goroutine {
	if g.dead {
		return nil
	}
	w := g.world
	w.nextID++
	r := &goroutine{id: w.nextID, group: g, fn: fn, resume: make(chan struct{}), since: w.now}
	w.live = append(w.live, r)
	return r
}

// Dead tells whether the group was killed.
func (g *Group) Dead() bool { return g.dead }

// Run is World.Run with main in this group.
func (g *Group) Run(main func()) { g.world.run(g, main) }

// Run runs main in the group "main" and returns when it and every goroutine that is
// not a daemon's have ended or were killed. It panics in the caller, with the seed, when
// a goroutine panicked, and, with what each one waits for, when all wait for something
// that cannot happen. When main ends by runtime.Goexit, as t.Fatal does, so does the caller.
func (w *World) Run(main func()) { w.run(w.Group("main"), main) }

func (w *World) run(group *Group, main func()) {
	if w.cur != nil {
		panic("sim: Run called inside of Run")
	}
	m := group.spawn(main)
	if m == nil {
		panic("sim: Run in group " + group.name + ", which was killed")
	}
	m.main = true
	horizon, steps := w.Horizon, w.Steps
	if horizon <= 0 {
		horizon = 60 * 24 * time.Hour
	}
	if steps <= 0 {
		steps = 50_000_000
	}
	end := w.now.Add(horizon)
	var ready []*goroutine
	for n := 0; w.busy(); n++ {
		if n > steps || w.now.After(end) {
			panic(fmt.Sprintf("sim: seed=%d: no end after %d steps and %s of virtual time\n%s", w.seed, n, w.now.Sub(end.Add(-horizon)), w.waiters()))
		}
		w.fire()
		ready = ready[:0]
		for _, g := range w.live {
			if g.ready() != "" {
				ready = append(ready, g)
			}
		}
		if len(ready) == 0 {
			if !w.jump() {
				panic(fmt.Sprintf("sim: seed=%d: deadlock at +%s: everybody waits\n%s", w.seed, w.now.Sub(Start), w.waiters()))
			}
			continue
		}
		i := 0
		if len(ready) > 1 {
			i = w.order.IntN(len(ready))
		}
		g := ready[i]
		if !w.Quiet {
			w.trace = append(w.trace, fmt.Sprintf("+%s %s %s %d/%d", w.now.Sub(Start), g, g.ready(), i+1, len(ready)))
		}
		w.step(g)
		if f := w.failure; f != nil {
			w.failure = nil
			panic(fmt.Sprintf("sim: seed=%d: panic in %s at +%s: %v\n%s", w.seed, f.where, w.now.Sub(Start), f.value, f.stack))
		}
		if m.ended && m.goexit {
			runtime.Goexit()
		}
	}
}

func (w *World) busy() bool {
	for _, g := range w.live {
		if !g.group.daemon || g.main {
			return true
		}
	}
	return false
}

// ready says why a goroutine can go on, in the order of precedence of Clock.Wait;
// empty when it cannot.
func (g *goroutine) ready() string {
	if !g.started {
		return "start"
	}
	if g.wake != nil {
		select {
		case <-g.wake:
			return "wake"
		default:
		}
	}
	if g.ctx != nil && g.ctx.Err() != nil {
		return "cancel"
	}
	if g.timed && !g.until.After(g.group.world.now) {
		return "time"
	}
	return ""
}

// jump moves the clock to the next thing that time alone brings about.
func (w *World) jump() bool {
	var next time.Time
	consider := func(t time.Time) {
		if next.IsZero() || t.Before(next) {
			next = t
		}
	}
	for _, g := range w.live {
		if g.timed {
			consider(g.until)
		}
	}
	for _, t := range w.timeouts {
		consider(t.deadline)
	}
	if next.IsZero() {
		return false
	}
	if next.After(w.now) {
		w.now = next
	}
	return true
}

// step lets one goroutine run until it waits, ends or is killed.
func (w *World) step(g *goroutine) {
	w.cur = g
	if g.started {
		g.resume <- struct{}{}
	} else {
		g.started = true
		go w.body(g)
	}
	<-w.back
	w.cur = nil
}

func (w *World) body(g *goroutine) {
	returned := false
	defer func() {
		if !returned {
			g.goexit = true
			if v := recover(); v != nil && !g.dead {
				w.failure = &failure{value: v, where: g.String(), stack: string(debug.Stack())}
			}
		}
		g.ended = true
		w.forget(g)
		w.back <- struct{}{}
	}()
	g.fn()
	returned = true
}

func (w *World) forget(g *goroutine) {
	for i, x := range w.live {
		if x == g {
			w.live = append(w.live[:i], w.live[i+1:]...)
			return
		}
	}
}

// Kill kills every group that is not a daemon's, as SIGKILL does: no goroutine of them
// runs any further, not even its deferred functions, and their file locks are free.
// What they wrote stays on the disk. When a killed goroutine calls it, it does not return.
func (w *World) Kill() {
	for _, g := range w.groups {
		if !g.daemon {
			g.mark()
		}
	}
	w.freeze()
}

// Kill is World.Kill for one group.
func (g *Group) Kill() {
	g.mark()
	g.world.freeze()
}

func (g *Group) mark() {
	if g.dead {
		return
	}
	g.dead = true
	w := g.world
	w.trace = append(w.trace, fmt.Sprintf("+%s kill %s", w.now.Sub(Start), g.name))
	kept := w.live[:0:0]
	for _, r := range w.live {
		if r.group != g {
			kept = append(kept, r)
			continue
		}
		r.dead = true
		if r.started {
			w.frozen = append(w.frozen, r)
		}
	}
	w.live = kept
	w.disk.unlock(g)
	var left []*timeout
	for _, t := range w.timeouts {
		if t.owner != g {
			left = append(left, t)
		}
	}
	w.timeouts = left
}

// freeze stops the calling goroutine for good when it was killed.
func (w *World) freeze() {
	g := w.cur
	if g == nil || !g.dead {
		return
	}
	w.back <- struct{}{}
	<-g.resume // by Close
	runtime.Goexit()
}

// Close ends what is left of the world's goroutines, so that a test leaks none: each
// unwinds by runtime.Goexit, with every seam dead. One whose deferred functions block
// is left behind after a second. The world cannot be used afterwards.
func (w *World) Close() {
	for _, g := range w.groups {
		g.mark()
	}
	for _, g := range w.frozen {
		if g.ended {
			continue
		}
		w.cur = g
		// A goroutine that was blocked by something else than Wait does not take the token.
		guard := time.NewTimer(time.Second)
		select {
		case g.resume <- struct{}{}:
			select {
			case <-w.back:
			case <-guard.C:
			}
		case <-guard.C:
		}
		guard.Stop()
	}
	w.frozen = nil
	w.cur = nil
}

// Trace is what happened: one line for each choice, and for each append and sync of a
// file. Equal traces mean equal runs.
func (w *World) Trace() []string { return w.trace }

// Logf adds a line to the trace.
func (w *World) Logf(format string, args ...any) {
	w.trace = append(w.trace, fmt.Sprintf("+%s ", w.now.Sub(Start))+fmt.Sprintf(format, args...))
}

// waiters lists what every goroutine waits for.
func (w *World) waiters() string {
	var b strings.Builder
	for _, g := range w.live {
		fmt.Fprintf(&b, "  %s since +%s", g, g.since.Sub(Start))
		if g.timed {
			fmt.Fprintf(&b, " until +%s", g.until.Sub(Start))
		}
		if g.wake != nil {
			b.WriteString(" for a wake")
		}
		frames := runtime.CallersFrames(g.pcs[:g.npcs])
		for {
			f, more := frames.Next()
			if f.Function != "" {
				fmt.Fprintf(&b, "\n    %s\n      %s:%d", f.Function, f.File, f.Line)
			}
			if !more {
				break
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}
