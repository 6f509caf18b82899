package runner

import (
	"errors"
	"fmt"

	"drrun/engine"
)

// orTheDisk returns the error that an attempt ended with, or, where its journal could not be written any more, that: whatever was asked
// for afterwards failed for that reason.
func (a *attempt) orTheDisk(err error) error {
	var panicked *engine.PanicError
	if a.run == nil || a.run.Unwritable() == nil || errors.As(err, &panicked) {
		return err
	}
	return refuse("journal", "make room on the disk of the state folder "+a.StateDir+", or make it writable again",
		fmt.Errorf("the journal of run %s cannot be written, so nothing more was begun: %w", a.run.ID(), a.run.Unwritable()))
}
