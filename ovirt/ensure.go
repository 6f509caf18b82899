package ovirt

import (
	"context"
	"net/http"
)

// ensurance is an operation of one request whose goal one look at the object shows.
type ensurance struct {
	change change
	// look reads the object: done says that the goal holds. sent says that the engine has accepted the request, so that the look
	// is the read-back. Its error ends the operation.
	look func(ctx context.Context, sent bool) (done bool, err error)
	// reached finds out whether a request whose outcome is unknown took effect; nil means look.
	reached func(ctx context.Context) (bool, error)
	// undone is the error of a request that the engine accepted and whose goal does not hold then.
	undone func() *Error
}

// ensure looks, does nothing where the goal holds, sends the request otherwise, and looks again. An unknown outcome is settled by
// reading, a lock is waited for, and a refusal counts only where the goal does not hold all the same. changed tells whether a
// request of this call made the difference.
func (s *Site) ensure(ctx context.Context, e *ensurance) (changed bool, err error) {
	op, subject := e.change.op, &e.change.subject
	if e.reached == nil {
		e.reached = func(ctx context.Context) (bool, error) { return e.look(ctx, false) }
	}
	for repeats := 0; ; {
		done, err := e.look(ctx, changed)
		switch {
		case err != nil:
			return changed, s.during(op, *subject, err)
		case done:
			return changed, nil
		case changed:
			return true, e.undone()
		}
		failure := s.perform(ctx, e.change)
		switch {
		case failure == nil:
			changed = true
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, e.reached)
			if err != nil {
				return changed, s.during(op, *subject, err)
			}
			if reached {
				return true, nil
			}
			if repeats++; repeats >= maxRepeats {
				return changed, failure
			}
			e.change.retry = unsettled(failure)
		case failure.Code == CodeLocked && repeats < maxLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				return changed, failure
			}
			e.change.retry = locked(failure)
		case failure.Status == http.StatusConflict, failure.Status == http.StatusBadRequest, failure.Status == http.StatusNotFound, failure.Status >= 500:
			// Somebody else may have been faster, and the text of a refusal changes with whatever check comes first.
			switch there, err := e.reached(ctx); {
			case HasCode(err, CodeAlreadyExists):
				return changed, err
			case err == nil && there:
				return changed, nil
			}
			return changed, failure
		default:
			return changed, failure
		}
	}
}
