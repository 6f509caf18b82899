package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// This file is the only place outside engine/sim that reads the real clock, draws
// random numbers and starts goroutines.

// SystemEnv is the machine: real clock, random numbers, goroutines and disk. Model
// time runs speed times faster than the wall: 1 in production, more against the lab.
// At speed 1 model time is the time of day as a Timekeeper tells it; at another speed it
// starts at the time of day and runs away from it. A speed that is not above 0 counts as 1.
func SystemEnv(speed float64) Env { return SystemEnvSince(speed, time.Time{}) }

// SystemEnvSince is SystemEnv with model time that left the time of day at since, so that
// several processes, one after the other, and the lab live in one model time. A zero since
// is now. At speed 1 it changes nothing.
func SystemEnvSince(speed float64, since time.Time) Env {
	if !(speed > 0) || math.IsInf(speed, 0) {
		speed = 1
	}
	now := time.Now()
	clock := &systemClock{start: now, begun: now, speed: speed}
	// UTC takes out of a time what Since needs: the reading of the clock that nobody can set.
	clock.day = NewTimekeeper(func() (time.Time, time.Duration) { return time.Now(), time.Since(now) })
	if !since.IsZero() {
		clock.begun = since.Add(scale(now.Sub(since), speed))
	}
	return Env{
		Clock: clock,
		Rand:  systemRand,
		NewID: systemID,
		Go:    func(fn func()) { go fn() },
		FS:    diskFS{},
	}
}

type systemClock struct {
	start time.Time // by the wall
	begun time.Time // model time at start
	speed float64
	day   *Timekeeper
}

func (c *systemClock) Now() time.Time {
	if c.speed == 1 {
		return c.day.Now()
	}
	return c.begun.Add(scale(time.Since(c.start), c.speed)).UTC()
}

// scale multiplies without wrapping around.
func scale(d time.Duration, by float64) time.Duration {
	if by == 1 {
		return d
	}
	f := float64(d) * by
	if f >= math.MaxInt64 {
		return math.MaxInt64
	}
	return time.Duration(f)
}

func (c *systemClock) wall(d time.Duration) time.Duration { return scale(d, 1/c.speed) }

func (c *systemClock) Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (bool, error) {
	if woken, err := look(ctx, wake); woken || err != nil || d == 0 {
		return woken, err
	}
	var fired <-chan time.Time
	if d > 0 {
		t := time.NewTimer(c.wall(d))
		defer t.Stop()
		fired = t.C
	}
	select {
	case <-wake:
		return true, nil
	case <-ctx.Done():
	case <-fired:
	}
	// select picks at random among what is ready; the order of Clock.Wait holds here too.
	return look(ctx, wake)
}

func look(ctx context.Context, wake <-chan struct{}) (bool, error) {
	select {
	case <-wake:
		return true, nil
	default:
	}
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return false, nil
}

func (c *systemClock) WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, c.wall(d))
}

func systemRand() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the program instead
	return binary.LittleEndian.Uint64(b[:])
}

func systemID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return UUID(b)
}

// UUID makes a version 4 UUID from random bytes.
func UUID(b [16]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
