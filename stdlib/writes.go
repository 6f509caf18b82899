package stdlib

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"drrun/engine"
	"drrun/ovirt"
)

// OutsidePlanError refuses a change of an object that is not part of the run's facts (invariant I7).
type OutsidePlanError struct {
	Site    string
	Op      string
	Subject ovirt.Subject
}

// Error names the object and the rule.
func (e *OutsidePlanError) Error() string {
	return fmt.Sprintf("%s %s %q on %s: it is not one of the objects that this run may change (only those of its facts)",
		e.Op, e.Subject.Kind, e.Subject.Name, e.Site)
}

// WriteHook is put on every site of a run. It is the one door through which a change leaves: each mutating request is checked
// against the facts (I7) and journaled as an intent, synced, before it is sent; its answer is journaled as the outcome.
// session is asked at each write, because the sites are opened before the session exists.
func WriteHook(session func() *Session) ovirt.WriteHook {
	return func(ctx context.Context, w *ovirt.Write) (func(ovirt.WriteResult), error) {
		s := session()
		if s == nil {
			return nil, fmt.Errorf("%s on %s: no run has begun, so nothing may be changed", w.Op, w.Site)
		}
		if !s.mayChange(w) {
			return nil, &OutsidePlanError{Site: w.Site, Op: w.Op, Subject: w.Subject}
		}
		sum := sha256.Sum256(w.Body)
		pending, err := s.Run.Begin(ctx, engine.Intent{
			Op: w.Op, Method: w.Method, Path: w.Path, Digest: hex.EncodeToString(sum[:8]), Retry: w.Retry, Site: w.Site,
			Subject: engine.Subject{Kind: w.Subject.Kind, Site: w.Site, ID: w.Subject.ID, Name: w.Subject.Name},
		})
		if err != nil {
			return nil, err
		}
		w.Correlation = pending.ID()
		return func(result ovirt.WriteResult) {
			outcome := engine.Outcome{OK: result.Err == nil, Unknown: result.Unknown, Status: result.Status}
			if result.Err != nil {
				outcome.Error = result.Err.Error()
			}
			pending.Done(outcome)
		}, nil
	}
}

// mayChange holds each write against the facts. A connection is judged by the storage domain for whose import it was made.
func (s *Session) mayChange(w *ovirt.Write) bool {
	switch w.Subject.Kind {
	case "vm":
		for i := range s.Facts.VMs {
			if s.Facts.VMs[i].ID == w.Subject.ID {
				return true
			}
		}
	case "storage_domain":
		for i := range s.Facts.Domains {
			if s.Facts.Domains[i].ID == w.Subject.ID {
				return true
			}
		}
	case "template":
		_, known := s.Facts.Template(w.Subject.ID)
		return known
	case "storage_connection":
		for i := range s.Facts.Domains {
			place := s.Facts.Domains[i].Target
			if w.Subject.Name == place.Address+":"+place.Path {
				return true
			}
		}
	}
	return false
}

// cut returns the intents of an operation on an object that an earlier attempt journaled without an outcome.
func (s *Session) cut(op string, subject engine.Subject) []engine.Intent {
	return s.Run.Cut(op, subject)
}

// settleByState closes cut intents after the operation has read the object: a goal that held at the first look was reached
// by them, a goal that needed a new request was not.
func (s *Session) settleByState(cut []engine.Intent, changed bool) {
	for i, intent := range cut {
		// Of several requests only the last can have reached a goal that an earlier one missed.
		reached := !changed && i == len(cut)-1
		how := "the goal was found reached on the object"
		if !reached {
			how = "the object showed that it had no effect"
		}
		s.Run.Settle(intent.ID, reached, how)
	}
}
