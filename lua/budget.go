package lua

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"

	glua "github.com/yuin/gopher-lua"
)

// What Lua code may use up. gopher-lua has no limit of its own: a loop without an end keeps the baton until a time-out, of which there is none
// while a plan is loaded, and code that eats memory ends with the kernel killing the process, and the run with it. Here both end as errors of
// the code, and a run that they stop can be resumed.
const (
	// MaxSteps is how many instructions one call from Go may take, with what it calls: half a minute or so. A plan of 5,000 VMs takes a
	// few millions.
	MaxSteps = 1_000_000_000
	// MaxMemory is by how many bytes the memory of the process may grow from when the interpreter was made. A run of 5,000 VMs takes less
	// than a fifth of it.
	MaxMemory = 1 << 30
	// maxText is how long a text can become, in bytes.
	maxText = 16 << 20

	lookEach      = 4096     // instructions between two looks at the limits
	lookEachBytes = 32 << 20 // bytes of new texts between two looks
	stepsPerCall  = 500      // what a call of a primitive counts for
	threadBytes   = 22 << 10 // what a thread takes, as measured
)

// budget is what one call from Go, with all that it calls, has used up. Whoever has the baton changes it.
type budget struct {
	steps   int
	bytes   int         // of texts made since the last look
	stopped *Diagnostic // why nothing of it runs on; nil while it may
}

// meter is the context of a Lua thread. The interpreter asks it before each instruction whether it is done: that is where instructions are
// counted. Nobody but the interpreter sees it, and that has the baton.
type meter struct {
	context.Context
	rt     *Runtime
	budget *budget
}

// stoppedAlready is closed.
var stoppedAlready = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// Done counts an instruction.
func (m *meter) Done() <-chan struct{} {
	if m.budget.steps++; m.budget.steps%lookEach == 0 {
		m.rt.look(m.budget)
	}
	if m.budget.stopped != nil {
		return stoppedAlready
	}
	return m.Context.Done()
}

// Err is what the interpreter raises.
func (m *meter) Err() error {
	if m.budget.stopped != nil {
		return errors.New(m.budget.stopped.Message)
	}
	return m.Context.Err()
}

// contextOf is the context that the Lua code of a thread runs under.
func contextOf(L *glua.LState) context.Context {
	ctx := L.Context()
	if m, metered := ctx.(*meter); metered {
		return m.Context
	}
	return ctx
}

// budgetOf is what the code of a thread uses up; nil for a thread that nobody counts for.
func budgetOf(L *glua.LState) *budget {
	if m, metered := L.Context().(*meter); metered {
		return m.budget
	}
	return nil
}

// meterFor is the context of a thread that serves a call of parent, with the budget of that call, or without a parent with one of its own.
func (rt *Runtime) meterFor(ctx context.Context, parent *glua.LState) *meter {
	b := &budget{}
	if parent != nil {
		if shared := budgetOf(parent); shared != nil {
			b = shared
		}
	}
	return &meter{Context: ctx, rt: rt, budget: b}
}

// look stops the code where it is over a limit.
func (rt *Runtime) look(b *budget) {
	b.bytes = 0
	switch {
	case b.stopped != nil:
	case b.steps > rt.maxSteps:
		b.stopped = &Diagnostic{Code: "endless-loop", Message: fmt.Sprintf("the code has run for %d million steps without an end and was stopped", rt.maxSteps/1_000_000),
			Hint: "a loop probably never ends: look at its condition. Code that waits does so by a call, such as ctx:wait_for or a boot condition, not in a loop of its own"}
	case rt.overMemory():
		b.stopped = &Diagnostic{Code: "lua-memory", Message: fmt.Sprintf("the code has used up the memory that it may have (%d MiB) and was stopped", rt.maxMemory>>20),
			Hint: "a table or a text probably grows in a loop: keep what is needed only"}
	}
}

// overMemory tells whether the process has grown by more than it may. What is garbage does not count.
func (rt *Runtime) overMemory() bool {
	held, limit := heldMemory(), rt.heldFirst+rt.maxMemory
	if held < limit || held < rt.heldLast+rt.maxMemory/4 {
		return false
	}
	runtime.GC()
	rt.heldLast = heldMemory()
	return rt.heldLast >= limit
}

func heldMemory() uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// spend counts what a function of Go did for Lua code, and raises where that is over a limit: what the interpreter does between two
// instructions it cannot see.
func (rt *Runtime) spend(L *glua.LState, steps, bytes int) {
	if stopped := rt.count(budgetOf(L), steps, bytes); stopped != nil {
		L.RaiseError("%s", stopped.Message)
	}
}

// count is spend for code that is in another thread: it returns why nothing runs on.
func (rt *Runtime) count(b *budget, steps, bytes int) *Diagnostic {
	if b == nil {
		return nil
	}
	before := b.steps / lookEach
	b.steps += steps
	b.bytes += bytes
	if b.bytes > lookEachBytes || b.steps/lookEach != before {
		rt.look(b)
	}
	return b.stopped
}

// stopError is why a call ended whose budget was used up, with the place where it was; nil where it was not.
func (rt *Runtime) stopError(L *glua.LState, err error) error {
	b := budgetOf(L)
	if b == nil || b.stopped == nil {
		return nil
	}
	var api *glua.ApiError
	if !errors.As(err, &api) {
		return err
	}
	if inner := raised(api.Object); inner != nil { // the place is known already
		return inner
	}
	stopped := *b.stopped
	if _, stopped.Pos = rt.translate(api.Object.String()); stopped.Pos.Line > 0 {
		if src := rt.sourceOf(stopped.Pos); src != nil {
			stopped.Source = src.line(stopped.Pos.Line)
		}
	}
	stopped.Traceback = rt.traceback(api.StackTrace)
	return &stopped
}

// isStop tells whether an error says that a budget was used up: no pcall passes over it.
func isStop(err error) bool {
	var d *Diagnostic
	return errors.As(err, &d) && (d.Code == "endless-loop" || d.Code == "lua-memory")
}
