package stdlib

import (
	"context"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
)

// The stages into which a wait for leases parts the import.
const (
	leaseStage  = "lease wait"
	attachStage = "attach"
)

// leaseStages is ctx:await_leases: a wait has a stage of its own, since it takes most of the time of an import, and so has what comes after.
// Both are parts of the import, before which the locks were read back.
func leaseStages(c *lua.Call) error {
	waited := false
	err := session(c).awaitLeases(c.Task.Ctx(), func() {
		waited = true
		nameStage(c, leaseStage)
	})
	switch {
	case err != nil:
		return describe(c, err)
	case waited:
		nameStage(c, attachStage)
	}
	return nil
}

// enterStage names the stage that the run is in, when the locks have been found to be the run's own.
func enterStage(c *lua.Call, name string) error {
	s := session(c)
	if s.Locks != nil && c.Task.Local(observing{}) == nil {
		if err := s.Locks.Verify(c.Ctx); err != nil {
			return lockFault(c, err)
		}
	}
	nameStage(c, name)
	return nil
}

// nameStage names the stage that the run is in.
func nameStage(c *lua.Call, name string) {
	s := session(c)
	if s.Dry != nil {
		s.Dry.enter(name)
	}
	s.Run.Note("stage", engine.Subject{}, map[string]any{"text": name})
}

// awaitLeases waits until no lease on the storage can be alive any more. Hosts that were lost without letting go of it keep their
// sanlock leases for a while, and the copy carries them; the official guide speaks of 80 s, the plan's lease_expiry of more. The time
// counts from the last possible write at the source: from when it was seen silent in this attempt. A source that released its storage
// holds none.
//
// begins is called where there is something to wait for, before the wait.
func (s *Session) awaitLeases(ctx context.Context, begins func()) error {
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
	begins()
	s.Run.Note("log", engine.Subject{}, map[string]any{"until": end, "what": "the leases of " + s.Source.Name + "'s hosts to expire",
		"text": fmt.Sprintf("waiting until %s, %s after this attempt first saw %s silent: leases of its hosts on the storage must have expired (lease_expiry)",
			end.UTC().Format("15:04:05"), wait, s.Source.Name)})
	if _, err := s.Env.Clock.Wait(ctx, rest, nil); err != nil {
		return err
	}
	_, err = s.Gate.Require(ctx) // the source may have come back meanwhile, and what is attached next may be active there
	return err
}
