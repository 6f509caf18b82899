package lab

import (
	"context"
	"time"
)

// Clock is model time. Everything in the lab that takes time waits here, so that a virtual clock can drive it.
type Clock interface {
	// Now is the model time, UTC.
	Now() time.Time
	// Wait blocks until wake is closed (woken), d has passed (d < 0: never), or ctx is done (err is its cause). wake may be nil.
	Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken bool, err error)
	// WithTimeout is context.WithTimeout in model time.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// ScaledClock is the machine's clock, running speed times faster than the wall (speed <= 0 means 1). With speed 1 model time
// is UTC wall time; otherwise it starts at the wall time of this call and runs ahead of it.
func ScaledClock(speed float64) Clock {
	if speed <= 0 {
		speed = 1
	}
	return &scaledClock{start: time.Now(), speed: speed}
}

// scaledClock and spawn are the only users of the machine's clock and of goroutines in this package.
type scaledClock struct {
	start time.Time
	speed float64
}

func (c *scaledClock) Now() time.Time {
	passed := time.Since(c.start)
	return c.start.Add(time.Duration(float64(passed) * c.speed)).UTC().Round(0)
}

func (c *scaledClock) wall(d time.Duration) time.Duration {
	return time.Duration(float64(d) / c.speed)
}

func (c *scaledClock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	var due <-chan time.Time
	if d >= 0 {
		timer := time.NewTimer(c.wall(d))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-wake:
		return true, nil
	case <-due:
		return false, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
}

func (c *scaledClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.wall(d))
}

// spawn starts a goroutine; Serve uses it where its caller injects none.
func spawn(f func()) { go f() }
