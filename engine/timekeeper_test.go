package engine_test

import (
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
)

// TestTimekeeper: each case sets the time of day at moments of a time that only passes.
func TestTimekeeper(t *testing.T) {
	t.Parallel()
	type reading struct{ passed, set, want time.Duration } // want is what is told, all counted from the beginning
	for _, c := range []struct {
		name string
		seen []reading
	}{
		{"nobody sets it", []reading{{0, 0, 0}, {time.Minute, 0, time.Minute}, {time.Hour, 0, time.Hour}}},
		{"set back by an hour it goes on as it was", []reading{{0, 0, 0}, {time.Minute, -time.Hour, time.Minute}, {2 * time.Minute, -time.Hour, 2 * time.Minute}}},
		{"until the time of day has caught up", []reading{{0, 0, 0}, {time.Minute, -time.Hour, time.Minute}, {2 * time.Hour, 0, 2 * time.Hour}}},
		{"set back before it was ever asked, nobody can tell", []reading{{0, -time.Hour, -time.Hour}, {time.Minute, -time.Hour, time.Minute - time.Hour}}},
		{"set forward it is believed", []reading{{0, 0, 0}, {time.Minute, time.Hour, time.Hour + time.Minute}}},
		{"set forward and back again it stays ahead", []reading{{0, time.Hour, time.Hour}, {time.Minute, 0, time.Hour + time.Minute}}},
		{"two settings back", []reading{{0, 0, 0}, {time.Minute, -time.Hour, time.Minute}, {3 * time.Minute, -2 * time.Hour, 3 * time.Minute}}},
	} {
		at := 0
		keeper := engine.NewTimekeeper(func() (time.Time, time.Duration) {
			return sim.Start.Add(c.seen[at].passed + c.seen[at].set), c.seen[at].passed
		})
		for i, seen := range c.seen {
			at = i
			if got := keeper.Now().Sub(sim.Start); got != seen.want {
				t.Errorf("%s: reading %d tells +%s, want +%s", c.name, i+1, got, seen.want)
			}
		}
	}
}

// TestNotBefore: a process whose clock is behind what a run recorded goes on from there.
func TestNotBefore(t *testing.T) {
	t.Parallel()
	w := sim.New(1)
	defer w.Close()
	w.Run(func() {
		clock := w.Env().Clock
		if same, behind := engine.NotBefore(clock, sim.Start); behind != 0 || same.Now() != clock.Now() {
			t.Errorf("a clock that is not behind is corrected by %s", behind)
		}
		ahead, behind := engine.NotBefore(clock, sim.Start.Add(time.Hour))
		if behind != time.Hour || !ahead.Now().Equal(sim.Start.Add(time.Hour)) {
			t.Errorf("it is behind by %s and tells %s", behind, ahead.Now())
		}
		if _, err := ahead.Wait(background, time.Minute, nil); err != nil || !ahead.Now().Equal(sim.Start.Add(time.Hour+time.Minute)) {
			t.Errorf("a minute later it tells %s, %v", ahead.Now(), err)
		}
	})
}

// TestClockIsSetBack: a process that runs does not notice, one that begins does, and what waits is not woken early or late.
func TestClockIsSetBack(t *testing.T) {
	t.Parallel()
	w := sim.New(1)
	defer w.Close()
	w.Run(func() {
		env := w.Env()
		before := env.Clock.Now()
		w.SetClock(-time.Hour)
		if now := env.Clock.Now(); !now.Equal(before) {
			t.Errorf("a process that runs sees %s, and saw %s before", now, before)
		}
		if now := w.Env().Clock.Now(); !now.Equal(before.Add(-time.Hour)) {
			t.Errorf("a new process sees %s", now)
		}
		limit, cancel := env.Clock.WithTimeout(background, 10*time.Minute)
		defer cancel()
		if _, err := env.Clock.Wait(limit, 5*time.Minute, nil); err != nil || env.Clock.Now().Sub(before) != 5*time.Minute {
			t.Errorf("after 5 minutes it is +%s: %v", env.Clock.Now().Sub(before), err)
		}
		if _, err := env.Clock.Wait(limit, time.Hour, nil); err == nil || w.Clock().Now().Sub(before) != 10*time.Minute {
			t.Errorf("the time-out of 10 minutes ended at +%s: %v", w.Clock().Now().Sub(before), err)
		}
	})
}
