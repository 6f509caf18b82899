package ovirt

import "context"

// performRepeatable sends a request that does no harm twice: again where its object is locked, and where no answer was understood. what
// names it for the reason of a repeat, such as "a login". refused tells that the failure is the engine's own answer, which a repeat would
// not change.
func (s *Site) performRepeatable(ctx context.Context, c change, what string) (failure *Error, refused bool) {
	for repeats := 0; ; repeats++ {
		failure = s.perform(ctx, c)
		switch {
		case failure == nil:
			return nil, false
		case ctx.Err() != nil || repeats >= maxRepeats:
			return failure, false
		case failure.Code == CodeLocked:
			c.retry = locked(failure)
		case failure.unknown:
			c.retry = "no answer was understood: " + failure.cause() + "; " + what + " may be repeated"
		default:
			return failure, true
		}
		if s.pause(ctx, backoff(repeats+1)) != nil {
			return failure, false
		}
	}
}
