package stdlib

import (
	"context"
	"sync"

	"drrun/engine"
)

// turnstile lets a number of tasks through at once; the others wait in the order in which they came.
type turnstile struct {
	mu      sync.Mutex
	free    int
	waiting []chan struct{}
}

// enter waits for its turn. Who got in leaves again.
func (t *turnstile) enter(ctx context.Context, clock engine.Clock) error {
	t.mu.Lock()
	if t.free > 0 {
		t.free--
		t.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	t.waiting = append(t.waiting, turn)
	t.mu.Unlock()
	_, err := clock.Wait(ctx, -1, turn)
	if err == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, other := range t.waiting {
		if other == turn {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return err
		}
	}
	t.pass() // its turn had come meanwhile
	return err
}

// leave lets the next one in.
func (t *turnstile) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pass()
}

// pass gives a place on. The caller holds t.mu.
func (t *turnstile) pass() {
	if len(t.waiting) == 0 {
		t.free++
		return
	}
	close(t.waiting[0])
	t.waiting = t.waiting[1:]
}
