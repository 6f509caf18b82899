package engine

import (
	"context"
	"sync"
	"time"
)

// timebox is the time-out of a step that does not count the time in which a question waits for a person.
type timebox struct {
	clock Clock

	mu    sync.Mutex
	until time.Time // while nothing waits
	left  time.Duration
	waits int // questions
	bell  Bell
}

// newTimebox returns a context that ends after d; its cause is context.DeadlineExceeded then. cancel must be called.
func (r *Run) newTimebox(parent context.Context, d time.Duration) (ctx context.Context, box *timebox, cancel func()) {
	ctx, end := context.WithCancelCause(parent)
	box = &timebox{clock: r.env.Clock, until: r.env.Clock.Now().Add(d)}
	r.env.Go(func() {
		for {
			changed := box.bell.Next()
			left := box.remaining()
			if left == 0 {
				end(context.DeadlineExceeded)
				return
			}
			if _, err := box.clock.Wait(ctx, left, changed); err != nil {
				return
			}
		}
	})
	return ctx, box, func() { end(nil) }
}

// remaining is the time left, and less than 0, which is for ever, while a question waits.
func (b *timebox) remaining() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.waits > 0 {
		return -1
	}
	return max(0, b.until.Sub(b.clock.Now()))
}

// pause stops the time until resume.
func (b *timebox) pause() (resume func()) {
	b.mu.Lock()
	if b.waits++; b.waits == 1 {
		b.left = b.until.Sub(b.clock.Now())
	}
	b.mu.Unlock()
	b.bell.Ring()
	return func() {
		b.mu.Lock()
		if b.waits--; b.waits == 0 {
			b.until = b.clock.Now().Add(b.left)
		}
		b.mu.Unlock()
		b.bell.Ring()
	}
}

// PauseTimeouts stops the time-outs of the steps that ctx is inside of until resume is called: a person who thinks does not use
// up the time of the hook that asks.
func PauseTimeouts(ctx context.Context) (resume func()) {
	var resumes []func()
	for frame, _ := ctx.Value(insideStep{}).(*stepFrame); frame != nil; frame = frame.outer {
		if frame.box != nil {
			resumes = append(resumes, frame.box.pause())
		}
	}
	return func() {
		for _, resume := range resumes {
			resume()
		}
	}
}
