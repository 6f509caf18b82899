package ovirt

import (
	"context"
	"time"
)

// asking is what the engine's events tell of earlier shutdown requests.
type asking struct {
	received bool
	at       time.Time // of the newest one; zero where the event has no time
}

// earlierAsking looks for the events with the correlation ids of some shutdown requests.
func (s *Site) earlierAsking(ctx context.Context, correlations []string) (asked asking, err error) {
	for _, correlation := range correlations {
		events, err := s.eventsOf(ctx, correlation, shutdownEvents...)
		if err != nil {
			return asked, err
		}
		for _, event := range events {
			asked.received = true
			if event.Time.After(asked.at) {
				asked.at = event.Time
			}
		}
	}
	return asked, nil
}

// counts tells whether the guest that runs now is the one that was asked. One that was started since has not been asked, and would be
// switched off without a chance when its grace is over.
func (a asking) counts(vm VM) bool {
	passing := vm.Status != "up" && vm.Status != "powering_down" // who it is shows when it is up
	return a.received && !passing && (a.at.IsZero() || !vm.StartTime.After(a.at))
}
