package stdlib

import "drrun/ovirt"

// Presence is what shows a run in the engines, as its writes see it: events, and a task with its steps.
type Presence interface {
	// Allows tells whether a change of an event, a task or a step is the run's own to make.
	Allows(w *ovirt.Write) bool
}
