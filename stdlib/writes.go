package stdlib

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

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
	return fmt.Sprintf("%s %s %q on %s: it is not one of the objects that this run may change (only those of its facts, on its target)",
		e.Op, e.Subject.Kind, cmp.Or(e.Subject.Name, e.Subject.ID), e.Site)
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
		if s.Dry != nil {
			return nil, fmt.Errorf("%s on %s: a dry run changes nothing", w.Op, w.Site)
		}
		if !s.mayChange(w) {
			return nil, &OutsidePlanError{Site: w.Site, Op: w.Op, Subject: w.Subject}
		}
		sum := sha256.Sum256(w.Body)
		pending, err := s.Run.Begin(ctx, engine.Intent{
			Op: w.Op, Method: w.Method, Path: w.Path, Digest: hex.EncodeToString(sum[:8]), Retry: w.Retry, Site: w.Site, Look: looks(w),
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

// looks tells that a request changes no object: a host looks anew at what it can reach, or at the power of another one.
func looks(w *ovirt.Write) bool { return w.Op == ovirt.OpIsAttached || asksHost(w) }

// mayChange holds each write against the facts. A connection is judged by the storage domain for whose import it was made.
// A NIC by the VM in its path, since its own id is the engine's. Nothing at all is changed on the site that is left, but its hosts
// may be asked.
func (s *Session) mayChange(w *ovirt.Write) bool {
	if asksHost(w) {
		return true
	}
	if w.Site != s.Target.Name {
		return false
	}
	switch w.Subject.Kind {
	case ovirt.KindVM:
		return s.hasVM(w.Subject.ID)
	case ovirt.KindNIC:
		below, _ := strings.CutPrefix(w.Path, "/vms/")
		id, _, _ := strings.Cut(below, "/")
		return s.hasVM(id)
	case ovirt.KindStorageDomain:
		if slices.ContainsFunc(s.Facts.Domains, func(d FactDomain) bool { return d.ID == w.Subject.ID }) {
			return true
		}
		// An import that brought another domain than the expected one takes that entry out again. The client does that inside
		// the import, without format, and only with the entry that it has just made: its content stays.
		s.mu.Lock()
		defer s.mu.Unlock()
		return w.Op == ovirt.OpRemoveDomain && s.imports > 0
	case ovirt.KindTemplate:
		_, known := s.Facts.Template(w.Subject.ID)
		return known
	case ovirt.KindStorageConn:
		return slices.ContainsFunc(s.Facts.Domains, func(d FactDomain) bool { return w.Subject.Name == d.Target.Address+":"+d.Target.Path })
	}
	return false
}

func (s *Session) hasVM(id string) bool {
	return id != "" && slices.ContainsFunc(s.Facts.VMs, func(vm FactVM) bool { return vm.ID == id })
}

// importing counts the imports under way.
func (s *Session) importing(change int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.imports += change
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
