package stdlib

import (
	"context"
	"sync"
	"time"

	"drrun/engine"
)

// sharedRead is one read of an engine that many tasks want at the same moment: the first one reads, the others wait for it, and
// who comes within a tick takes its answer. A failed read is nobody's answer.
type sharedRead[T any] struct {
	mu      sync.Mutex
	value   T
	at      time.Time
	known   bool
	reading chan struct{} // closed when the read under way has ended
}

func (r *sharedRead[T]) get(ctx context.Context, clock engine.Clock, age time.Duration, read func(context.Context) (T, error)) (T, error) {
	for {
		r.mu.Lock()
		if r.known && clock.Now().Sub(r.at) <= age {
			defer r.mu.Unlock()
			return r.value, nil
		}
		if r.reading == nil {
			r.reading = make(chan struct{})
			r.mu.Unlock()
			break
		}
		wake := r.reading
		r.mu.Unlock()
		if _, err := clock.Wait(ctx, -1, wake); err != nil {
			var none T
			return none, err
		}
	}
	began := clock.Now()
	value, err := read(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.value, r.at, r.known = value, began, true
	}
	close(r.reading)
	r.reading = nil
	return value, err
}
