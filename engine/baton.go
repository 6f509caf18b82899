package engine

import "context"

// WithBaton runs fn with the baton: at once where the task has it, else after taking it, as Hold does.
func (t *Task) WithBaton(fn func()) {
	if t.sched.holds(t) {
		fn()
		return
	}
	t.Hold(fn)
}

// Await waits, without the baton, until done is closed. It is not cut short by a cancel: whoever closes done sees to that.
func (t *Task) Await(done <-chan struct{}) {
	t.Release(func() { _, _ = t.sched.env.Clock.Wait(context.Background(), -1, done) })
}

// Within returns ctx as the context of this task: TaskFrom finds it there.
func (t *Task) Within(ctx context.Context) context.Context {
	return context.WithValue(ctx, taskKey{}, t)
}
