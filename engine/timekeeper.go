package engine

import (
	"sync"
	"time"

	"drrun/internal/sabotage"
)

// Timekeeper tells the time of day in a way that never goes back, for one process. What is seconds old by the time of day may be an hour
// old when somebody has set the clock back meanwhile: evidence would look fresh that is not, and a last write would be recorded as earlier
// than it was. A clock that is set forward is believed at once: then what was seen before only looks older than it is, and a machine that
// was suspended has that reading alone of how long it slept.
type Timekeeper struct {
	read func() (wall time.Time, passed time.Duration)

	mu     sync.Mutex
	told   time.Time     // what Now returned last
	passed time.Duration // at that moment
}

// NewTimekeeper makes a timekeeper of a reading of two clocks: the time of day, which can be set, and the time that passed since some
// beginning, which cannot. read is called by Now, by one goroutine at a time.
func NewTimekeeper(read func() (wall time.Time, passed time.Duration)) *Timekeeper {
	return &Timekeeper{read: read}
}

// Now returns the time of day in UTC, or, as long as that is behind, what Now returned before and what passed since.
func (k *Timekeeper) Now() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	wall, passed := k.read()
	now := wall.UTC().Round(0)
	if goneOn := k.told.Add(passed - k.passed); !k.told.IsZero() && goneOn.After(now) && !sabotage.On(sabotage.ClockBelieved) {
		now = goneOn
	}
	k.told, k.passed = now, passed
	return now
}

// NotBefore returns the clock, or one that is ahead of it by as much as it is behind t: a run that is taken up by another process, or on
// another machine, goes on from the last moment that it recorded. behind is how much that is, 0 where the clock needs no correction.
func NotBefore(c Clock, t time.Time) (clock Clock, behind time.Duration) {
	if behind = t.Sub(c.Now()); behind <= 0 {
		return c, 0
	}
	return aheadClock{c, behind}, behind
}

// aheadClock is a clock that is ahead of another by a fixed time.
type aheadClock struct {
	Clock
	by time.Duration
}

func (c aheadClock) Now() time.Time { return c.Clock.Now().Add(c.by) }
