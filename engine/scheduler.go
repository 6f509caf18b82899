package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
)

// Scheduler lets tasks take turns. Each task has a goroutine of its own, but only
// the one that holds the baton runs interpreter code. A task gives the baton away
// while it waits for the world (Release) and stands in line to get it back; who is
// next is first come, or Env.Pick. So a script needs no locks, and a simulation can
// choose and repeat every order.
//
// The line consists of tickets, not of tasks, because a primitive may call back
// into the interpreter (Hold) from more than one goroutine at a time.
type Scheduler struct {
	env Env

	mu     sync.Mutex
	holder *Task     // who has the baton; nil when nobody
	line   []*ticket // who wants it
	hooks  []switchHook
}

type switchHook struct {
	leave func(*Task) any
	enter func(*Task, any)
}

type ticket struct {
	task *Task
	wake chan struct{} // closed when the ticket gets the baton; nil when it had it at once
}

// NewScheduler returns a scheduler without tasks.
func NewScheduler(env Env) *Scheduler {
	return &Scheduler{env: env}
}

// OnSwitch adds a pair of hooks around every change of the baton. leave runs when a
// task is about to give the baton away, enter when it has got it (again) and is
// given what its last leave returned, nil the first time. Both run with the baton
// held and must not block. Call it before Run.
func (s *Scheduler) OnSwitch(leave func(t *Task) any, enter func(t *Task, saved any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, switchHook{leave, enter})
}

// Run runs main as the root task and returns when it and every task that it spawned
// have ended. Its error is that of main joined with those of the tasks that nobody
// joined. soft is cancelled by the first Ctrl-C (nothing new starts), hard by the
// second (running operations are dropped). Neither ends Run early: tasks end by
// themselves. One scheduler may run several roots, also at the same time.
func (s *Scheduler) Run(soft, hard context.Context, name string, main func(*Task) error) error {
	t := &Task{sched: s, path: escapeKey(name), key: name}
	t.setContexts(soft, hard)
	c := s.start(t, main)
	// Not cancellable: returning while tasks run would leave them without a journal.
	_, err := s.env.Clock.Wait(context.Background(), -1, c.done)
	if err != nil {
		return fmt.Errorf("wait for task %s: %w", t.path, err)
	}
	return c.err
}

// start puts the task in line at once, not when its goroutine comes to run, so that
// tasks begin in the order in which they were spawned.
func (s *Scheduler) start(t *Task, fn func(*Task) error) *Child {
	c := &Child{task: t, done: make(chan struct{})}
	k := s.queue(t)
	s.env.Go(func() {
		// Also ends the task when fn calls runtime.Goexit, as a failing test does.
		err := error(&PanicError{Task: t.path, Value: "the task's goroutine ended before its function returned"})
		s.take(k)
		defer func() {
			s.release(t)
			c.err = err
			close(c.done)
		}()
		err = t.run(fn)
	})
	return c
}

func (s *Scheduler) acquire(t *Task) { s.take(s.queue(t)) }

// queue puts a task at the end of the line; where nobody is before it, it has the
// baton at once.
func (s *Scheduler) queue(t *Task) *ticket {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := &ticket{task: t}
	if s.holder == nil {
		s.holder = t
		return k
	}
	k.wake = make(chan struct{})
	s.line = append(s.line, k)
	return k
}

// take waits until the ticket has the baton.
func (s *Scheduler) take(k *ticket) {
	if k.wake != nil {
		// Background: whoever waits for the baton needs it to clean up after a cancel too.
		_, _ = s.env.Clock.Wait(context.Background(), -1, k.wake)
	}
	t := k.task
	for i, h := range s.hooks {
		var saved any
		if i < len(t.saved) {
			saved = t.saved[i]
		}
		h.enter(t, saved)
	}
}

func (s *Scheduler) release(t *Task) {
	t.saved = t.saved[:0]
	for _, h := range s.hooks {
		t.saved = append(t.saved, h.leave(t))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.line) == 0 {
		s.holder = nil
		return
	}
	i := 0
	if s.env.Pick != nil && len(s.line) > 1 {
		i = s.env.Pick(len(s.line))
	}
	k := s.line[i]
	s.line = slices.Delete(s.line, i, i+1)
	s.holder = k.task
	close(k.wake)
}

func (s *Scheduler) holds(t *Task) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.holder == t
}

// Task is one line of work of a run. Its methods may be called from its own
// goroutine and from those of the primitive that it is in.
type Task struct {
	sched  *Scheduler
	path   string
	key    string
	parent *Task
	saved  []any // what the leave hooks returned; only touched with the baton

	mu       sync.Mutex
	soft     context.Context // carry the task
	hard     context.Context
	locals   map[any]any
	children []*Child        // not yet joined, in the order they were spawned
	keys     map[string]bool // of the children not yet joined
}

// Child is a spawned task, to be given to Join.
type Child struct {
	task *Task
	done chan struct{}
	err  error // set before done is closed
}

// Task is the spawned task. It is nil when the spawn was refused.
func (c *Child) Task() *Task { return c.task }

// Done is closed when the task and everything that it spawned have ended.
func (c *Child) Done() <-chan struct{} { return c.done }

type taskKey struct{}

// TaskFrom returns the task that a context belongs to, nil outside of tasks.
func TaskFrom(ctx context.Context) *Task {
	t, _ := ctx.Value(taskKey{}).(*Task)
	return t
}

// Path names the task for people and keys: the keys of its ancestors and its own,
// joined by "/". It holds no index and no order of arrival, so it is the same when
// a run is resumed.
func (t *Task) Path() string { return t.path }

// Key is the last element of the path as it was given to Spawn.
func (t *Task) Key() string { return t.key }

// Ctx is done after the first Ctrl-C: for waiting and observing. It carries the task.
func (t *Task) Ctx() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.soft
}

// OpCtx is done after the second Ctrl-C: for operations that change something. It
// carries the task.
func (t *Task) OpCtx() context.Context {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hard
}

func (t *Task) setContexts(soft, hard context.Context) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.soft = context.WithValue(soft, taskKey{}, t)
	t.hard = context.WithValue(hard, taskKey{}, t)
}

// Under runs fn with other contexts for the task and for what it spawns meanwhile.
// It is for what must still run after a cancel, such as on_error with its 30 s.
func (t *Task) Under(soft, hard context.Context, fn func() error) error {
	oldSoft, oldHard := t.Ctx(), t.OpCtx()
	t.setContexts(soft, hard)
	defer t.setContexts(oldSoft, oldHard)
	return fn()
}

// Release runs fn without the baton, then takes it again. Inside another Release it
// just runs fn.
func (t *Task) Release(fn func()) {
	if !t.sched.holds(t) {
		fn()
		return
	}
	t.sched.release(t)
	defer t.sched.acquire(t)
	fn()
}

// Hold takes the baton, runs fn and gives the baton away again. It is for calling
// the interpreter from inside Release; several goroutines of one primitive may call
// it, and take turns. It must not be called while the calling goroutine holds the
// baton already: it would wait for itself.
func (t *Task) Hold(fn func()) {
	t.sched.acquire(t)
	defer t.sched.release(t)
	fn()
}

// KeyError is a missing or repeated key of a spawned task.
type KeyError struct {
	Parent string // path of the task that spawns
	Key    string
}

func (e *KeyError) Error() string {
	if e.Key == "" {
		return fmt.Sprintf("task %s: a parallel item has no key: give each item an id or a name, or pass key=", e.Parent)
	}
	return fmt.Sprintf("task %s: two parallel items have the key %q: keys must differ, pass key= to tell them apart", e.Parent, e.Key)
}

// Code is the stable code of the error.
func (e *KeyError) Code() string { return "parallel-key" }

// Spawn starts a task whose path ends with key, with the contexts and a copy of the
// locals of t. The caller holds the baton; the child runs when it gets it. A key may
// be used again once the child that has it was joined. A missing or repeated key
// starts nothing: Join then returns a *KeyError.
func (t *Task) Spawn(key string, fn func(*Task) error) *Child {
	t.mu.Lock()
	if key == "" || t.keys[key] {
		c := &Child{done: make(chan struct{}), err: &KeyError{Parent: t.path, Key: key}}
		close(c.done)
		t.children = append(t.children, c)
		t.mu.Unlock()
		return c
	}
	if t.keys == nil {
		t.keys = map[string]bool{}
	}
	t.keys[key] = true
	child := &Task{sched: t.sched, path: t.path + "/" + escapeKey(key), key: key, parent: t, locals: maps.Clone(t.locals)}
	soft, hard := t.soft, t.hard
	t.mu.Unlock()
	child.setContexts(soft, hard)
	c := t.sched.start(child, fn)
	t.mu.Lock()
	t.children = append(t.children, c)
	t.mu.Unlock()
	return c
}

// Join waits, without the baton, until a child of t and everything that it spawned
// have ended, and returns its error, which is then not raised again when t ends.
// It is not cut short by a cancel. Joining twice returns the error again.
func (t *Task) Join(c *Child) error {
	t.await(c)
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.Index(t.children, c); i >= 0 {
		t.children = slices.Delete(t.children, i, i+1)
		if c.task != nil {
			delete(t.keys, c.task.key)
		}
	}
	return c.err
}

func (t *Task) await(c *Child) {
	select {
	case <-c.done:
		return
	default:
	}
	t.Release(func() { _, _ = t.sched.env.Clock.Wait(context.Background(), -1, c.done) })
}

// run runs the function of the task and then waits for what it left running.
func (t *Task) run(fn func(*Task) error) error {
	errs := []error{protect(t.path, func() error { return fn(t) })}
	for {
		t.mu.Lock()
		if len(t.children) == 0 {
			t.mu.Unlock()
			break
		}
		c := t.children[0]
		t.mu.Unlock()
		if err := t.Join(c); err != nil {
			if c.task != nil {
				err = fmt.Errorf("task %s: %w", c.task.path, err)
			}
			errs = append(errs, err)
		}
	}
	if len(errs) == 1 {
		return errs[0]
	}
	if errs[0] == nil && len(errs) == 2 {
		return errs[1]
	}
	return errors.Join(errs...)
}

// SetLocal stores a value with the task; tasks spawned later inherit it.
func (t *Task) SetLocal(key, v any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.locals == nil {
		t.locals = map[any]any{}
	}
	t.locals[key] = v
}

// Local returns what SetLocal stored in this task, or in an ancestor before it
// spawned this one; nil when nothing was.
func (t *Task) Local(key any) any {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.locals[key]
}

// PanicError is a panic in a task or in the function of a durable step: a broken
// invariant of ours, reported with the place where it happened.
type PanicError struct {
	Task  string // path of the task, or key of the step
	Value any    // what was given to panic
	Stack string // of the goroutine, empty when it ended without a panic
}

func (e *PanicError) Error() string { return fmt.Sprintf("internal error in %s: %v", e.Task, e.Value) }

// Code is the stable code of the error.
func (e *PanicError) Code() string { return "internal" }

// Unwrap returns the value when it was an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// protect turns a panic of fn into an error. It does not stop runtime.Goexit, which
// is how a failing test or a killed simulation ends a goroutine.
func protect(what string, fn func() error) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			err = &PanicError{Task: what, Value: v, Stack: string(debug.Stack())}
		}
	}()
	err = fn()
	returned = true
	return err
}

// escapeKey keeps "/" the separator of paths.
var escapeKey = strings.NewReplacer("%", "%25", "/", "%2F", "\n", "%0A").Replace
