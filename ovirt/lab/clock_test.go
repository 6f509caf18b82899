package lab

import (
	"context"
	"sync"
	"testing"
	"time"
)

// jumpClock is a virtual clock: whoever waits makes the time pass. onWait, when set, is called once, half way through the next
// wait that is longer than a second.
type jumpClock struct {
	mu     sync.Mutex
	now    time.Time
	onWait func()
}

func newClock() *jumpClock {
	return &jumpClock{now: time.Date(2026, 11, 20, 3, 0, 0, 0, time.UTC)}
}

func (c *jumpClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *jumpClock) pass(d time.Duration) {
	c.mu.Lock()
	c.now = c.now.Add(d)
	c.mu.Unlock()
}

func (c *jumpClock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, context.Cause(ctx)
	}
	select {
	case <-wake:
		return true, nil
	default:
	}
	target := c.Now().Add(d)
	if f := c.onWait; f != nil && d > time.Second {
		c.onWait = nil
		c.pass(d / 2)
		f()
	}
	select {
	case <-wake:
		return true, nil
	case <-ctx.Done():
		return false, context.Cause(ctx)
	default:
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if target.After(c.now) {
		c.now = target
	}
	return false, nil
}

func (c *jumpClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithCancel(ctx)
}

func TestScaledClock(t *testing.T) {
	t.Parallel()
	c := ScaledClock(100000)
	before := c.Now()
	if woken, err := c.Wait(context.Background(), time.Minute, nil); woken || err != nil {
		t.Fatalf("Wait = %v, %v", woken, err)
	}
	if passed := c.Now().Sub(before); passed < time.Minute {
		t.Errorf("only %s passed in a wait of 1m", passed)
	}
	wake := make(chan struct{})
	close(wake)
	if woken, err := c.Wait(context.Background(), -1, wake); !woken || err != nil {
		t.Errorf("Wait with a closed wake = %v, %v", woken, err)
	}
	ctx, cancel := c.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if _, err := c.Wait(ctx, -1, nil); err == nil {
		t.Error("Wait outlived its context")
	}
}
