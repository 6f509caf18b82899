package stdlib

import (
	"context"
	"errors"
	"slices"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// Locks are the run's locks in the engines of its sites, as its stages and its writes see them (invariant I4).
type Locks interface {
	// Verify reads the locks back before a stage. Its error is an *engine.LockLostError when one is not the run's any more.
	Verify(ctx context.Context) error
	// Allows tells whether a change of a label or an event is about the run's own locks.
	Allows(w *ovirt.Write) bool
}

// besideKinds are those of what is no object of a plan: locks, events, tasks.
var besideKinds = []string{ovirt.KindAffinityLabel, ovirt.KindEvent, ovirt.KindJob, ovirt.KindStep}

// beside tells whether a request changes no object of a plan.
func beside(w *ovirt.Write) bool { return slices.Contains(besideKinds, w.Subject.Kind) }

// lockFault says what to do about a lock that was lost.
func lockFault(c *lua.Call, err error) error {
	var lost *engine.LockLostError
	if !errors.As(err, &lost) {
		return err
	}
	fault := c.Errorf(lost.Code(), "", "%v", lost)
	fault.Err, fault.Hint = err, "find out who took it away and why; two runs must not work on one storage domain"
	return fault
}
