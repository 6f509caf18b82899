package ovirt

import (
	"context"
	"sync"
	"time"
)

// Bounds of the limiter.
const (
	limitStart = 8 // a register holds a thread of the engine while it polls its job (ovirt-engine BackendResource.java)
	limitMin   = 2
	limitMax   = 32
)

// limiter bounds the changing requests under way on one site, and finds the bound itself: it grows by one for every full set of
// answers that came at the usual speed, and halves when the engine says "locked" or "unavailable" or answers much later than it
// can. What is usual is learned per operation, since a start takes a second and an attach a minute.
// It is first come, first served, and deterministic: it waits on channels through the clock only.
type limiter struct {
	clock Clock

	mu     sync.Mutex
	limit  float64
	used   int
	queue  []chan struct{}
	best   map[string]time.Duration // fastest good answer per operation
	shrunk time.Time                // when the limit was last lowered
}

func newLimiter(clock Clock) *limiter {
	return &limiter{clock: clock, limit: limitStart, best: map[string]time.Duration{}}
}

// acquire takes a place; the caller must release it.
func (l *limiter) acquire(ctx context.Context) error {
	l.mu.Lock()
	if l.used < int(l.limit) && len(l.queue) == 0 {
		l.used++
		l.mu.Unlock()
		return nil
	}
	mine := make(chan struct{})
	l.queue = append(l.queue, mine)
	l.mu.Unlock()
	if _, err := l.clock.Wait(ctx, -1, mine); err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		for i, waiting := range l.queue {
			if waiting == mine {
				l.queue = append(l.queue[:i:i], l.queue[i+1:]...)
				return err
			}
		}
		// The place was given in the same moment: pass it on.
		l.used--
		l.hand()
		return err
	}
	return nil
}

// hand gives free places to those who wait longest. The caller holds mu.
func (l *limiter) hand() {
	for len(l.queue) > 0 && l.used < int(l.limit) {
		l.used++
		close(l.queue[0])
		l.queue = l.queue[1:]
	}
}

// release gives the place back. took is how long the request was under way since started; pressed says that the engine
// asked for less (locked, unavailable, no answer in time).
func (l *limiter) release(op string, started time.Time, took time.Duration, good, pressed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used--
	best, known := l.best[op]
	slow := known && took > 4*best && took > 2*time.Second
	switch {
	case pressed || slow:
		// Requests that left before the last reduction say nothing about the lower limit.
		if started.After(l.shrunk) || l.shrunk.IsZero() {
			l.limit = max(limitMin, l.limit/2)
			l.shrunk = l.clock.Now()
		}
	case good:
		l.limit = min(limitMax, l.limit+1/l.limit)
	}
	if good && (!known || took < best) {
		l.best[op] = took
	}
	l.hand()
}
