package stdlib

import (
	"context"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
)

// awaitLeases waits until no lease on the storage can be alive any more. Hosts that were lost without letting go of it keep their
// sanlock leases for a while, and the copy carries them; the official guide speaks of 80 s, the plan's lease_expiry of more. The time
// counts from the last possible write at the source: from when it was seen silent in this attempt. A source that released its storage
// holds none.
func (s *Session) awaitLeases(ctx context.Context) error {
	wait := time.Duration(s.Facts.LeaseExpiry * float64(time.Second))
	if wait <= 0 || s.Dry != nil || sabotage.On(sabotage.LeasesNotAwaited) {
		return nil
	}
	verdict, err := s.Gate.Require(ctx)
	if err != nil {
		return err
	}
	if verdict.Ground != GroundConfirmed {
		return nil
	}
	end := s.Gate.SilentSince().Add(wait)
	rest := end.Sub(s.Env.Clock.Now())
	if rest <= 0 {
		return nil
	}
	s.Run.Note("log", engine.Subject{}, map[string]any{"until": end, "what": "the leases of " + s.Source.Name + "'s hosts to expire",
		"text": fmt.Sprintf("waiting until %s, %s after %s fell silent: leases of its hosts on the storage must have expired (lease_expiry)",
			end.UTC().Format("15:04:05"), wait, s.Source.Name)})
	if _, err := s.Env.Clock.Wait(ctx, rest, nil); err != nil {
		return err
	}
	_, err = s.Gate.Require(ctx) // the source may have come back meanwhile, and what is attached next may be active there
	return err
}
