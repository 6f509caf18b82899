package runner

import (
	"fmt"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
)

// worthAWarning is how far a clock may be behind before a person is told: less is what clocks of machines differ by.
const worthAWarning = time.Minute

// neverBefore makes the time of this attempt go on from the last moment that runs have recorded, where the clock of this machine is behind
// it: it was set back, or they were begun on another machine. Else the source would seem to have written last before it did, a VM would
// seem to come up in the future, and a new run would stand before an older one.
func (a *attempt) neverBefore(runs ...engine.RunInfo) {
	var last time.Time
	var by string
	for _, run := range runs {
		if recorded := lastRecorded(run); recorded.After(last) {
			last, by = recorded, run.ID
		}
	}
	clock, behind := engine.NotBefore(a.Env.Clock, last)
	if behind == 0 || sabotage.On(sabotage.PastForgotten) {
		return
	}
	a.Env.Clock = clock
	a.started = clock.Now()
	a.result.Started = a.started
	if behind >= worthAWarning {
		a.warn(fmt.Sprintf("the clock of this machine is %s behind what run %s recorded at %s: it was set back, or that of another machine is ahead; the times of this run go on from there. "+
			"Until the clocks agree, answer the question for the copy with in_sync where the array says so: a time of the array would be too early",
			behind.Round(time.Second), by, last.UTC().Format(time.RFC3339)))
	}
}

// lastRecorded is the last moment that a run recorded, as far as it was read.
func lastRecorded(run engine.RunInfo) time.Time {
	if n := len(run.Records); n > 0 {
		return run.Records[n-1].Time
	}
	last := run.Started
	for _, at := range []time.Time{run.Resumed, run.Ended} {
		if at.After(last) {
			last = at
		}
	}
	return last
}
