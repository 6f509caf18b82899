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
	"drrun/internal/sabotage"
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
	return fmt.Sprintf("%s %s %q on %s: this run may not do that: it changes only objects of its facts, and lets go of something only where it has made sure that it may",
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
		// Each attach, also one that the client repeats after an outage of the engine: what was seen before it is too old by then.
		if w.Op == ovirt.OpAttachDomain && !sabotage.On(sabotage.AttachNotJudged) {
			if _, err := s.Gate.Require(ctx); err != nil {
				return nil, err
			}
		}
		sum := sha256.Sum256(w.Body)
		subject := engine.Subject{Kind: w.Subject.Kind, Site: w.Site, ID: w.Subject.ID, Name: w.Subject.Name}
		if domain, known := s.Facts.Domain(subject.ID); known && subject.Kind == ovirt.KindStorageDomain {
			subject.Name = cmp.Or(subject.Name, domain.Name)
		}
		pending, err := s.Run.Begin(ctx, engine.Intent{
			Op: w.Op, Method: w.Method, Path: w.Path, Digest: hex.EncodeToString(sum[:8]), Retry: w.Retry, Site: w.Site, Look: looks(w), Beside: beside(w), Undoes: s.undoes(w, subject), Subject: subject,
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

// undoes names what a removal takes back: the import of this run, which brought the entry of a storage domain and no more.
func (s *Session) undoes(w *ovirt.Write, subject engine.Subject) string {
	if w.Op == ovirt.OpRemoveDomain && w.Site == s.Target.Name && s.Run.Reached(ovirt.OpImportDomain, subject) {
		return ovirt.OpImportDomain
	}
	return ""
}

// looks tells that a request changes no object: a host looks anew at what it can reach, for which it may open sessions, or at the power
// of another one.
func looks(w *ovirt.Write) bool {
	return w.Op == ovirt.OpIsAttached || w.Op == ovirt.OpLogInISCSI || asksHost(w)
}

// takingOver are the changes that every primitive may make on the site that takes over. All others need a permit: what lets go of
// something (a shutdown, maintenance, a removal), and all that is done on the site that is left.
var takingOver = []string{
	ovirt.OpImportDomain, ovirt.OpRemoveConnection, ovirt.OpAttachDomain, ovirt.OpActivateDomain, ovirt.OpSetDomain,
	ovirt.OpRegisterTemplate, ovirt.OpRegisterVM, ovirt.OpUpdateNIC, ovirt.OpStartVM,
}

// permit is what one primitive has found out that it may do to one object.
type permit struct{ site, id, op string }

// permit lets changes of one object leave for a site until over is called. A primitive asks for it after it has made sure that the
// change is right, so nothing else can let go of an object, not even by a fault of ours.
func (s *Session) permit(site *Site, id string, ops ...string) (over func()) {
	count := func(by int) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, op := range ops {
			s.permits[permit{site.Name, id, op}] += by
		}
	}
	count(1)
	return func() { count(-1) }
}

func (s *Session) permitted(w *ovirt.Write) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.permits[permit{w.Site, w.Subject.ID, w.Op}] > 0
}

// mayChange holds each write against the facts (I7), and those that let go of something against the permits.
// A connection is judged by the storage domain for whose import it was made, a NIC by the VM in its path, since its own id is the
// engine's.
func (s *Session) mayChange(w *ovirt.Write) bool {
	if beside(w) { // the run's own locks, and what tells of it, belong into both engines
		known := w.Site == s.Source.Name || w.Site == s.Target.Name
		return known && (s.Locks != nil && s.Locks.Allows(w) || s.Presence != nil && s.Presence.Allows(w))
	}
	if asksHost(w) {
		return true
	}
	// An import that brought another domain than the expected one takes that entry out again. The client does that inside the
	// import, without format, and only with the entry that it has just made: its content stays.
	if w.Site == s.Target.Name && w.Op == ovirt.OpRemoveDomain && w.Subject.Kind == ovirt.KindStorageDomain && s.importsUnderWay() {
		return true
	}
	if !s.inFacts(w) && !sabotage.On(sabotage.WriteAnything) {
		return false
	}
	if sabotage.On(sabotage.PermitsIgnored) {
		return true
	}
	return w.Site == s.Target.Name && slices.Contains(takingOver, w.Op) || s.permitted(w)
}

func (s *Session) inFacts(w *ovirt.Write) bool {
	switch w.Subject.Kind {
	case ovirt.KindHost: // a host is in no plan: whether its VMs are is what the permit is given for
		return w.Op == ovirt.OpConfirmRebooted
	case ovirt.KindISCSISession:
		return w.Site == s.Target.Name && s.Facts.hasTarget(w.Subject.ID)
	case ovirt.KindVM:
		return s.hasVM(w.Subject.ID)
	case ovirt.KindNIC:
		below, _ := strings.CutPrefix(w.Path, "/vms/")
		id, _, _ := strings.Cut(below, "/")
		return s.hasVM(id)
	case ovirt.KindStorageDomain:
		return slices.ContainsFunc(s.Facts.Domains, func(d FactDomain) bool { return d.ID == w.Subject.ID })
	case ovirt.KindDisk:
		return slices.ContainsFunc(s.Facts.VMs, func(vm FactVM) bool {
			return slices.ContainsFunc(vm.LUNs, func(disk FactLUNDisk) bool { return disk.Disk == w.Subject.ID })
		})
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

func (s *Session) importsUnderWay() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.imports > 0
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

// stateOps ask for a state of an object, and look at it before: asked for again, the first request is known to have had no effect. Each
// touch of a VM, each writing of an OVF store and each refresh of a host has an effect of its own; the engine's events tell of those.
var stateOps = []string{
	ovirt.OpAttachDomain, ovirt.OpActivateDomain, ovirt.OpDeactivateDomain, ovirt.OpDetachDomain, ovirt.OpRemoveDomain, ovirt.OpDestroyDomain,
	ovirt.OpRegisterTemplate, ovirt.OpRegisterVM, ovirt.OpSetHA, ovirt.OpSetProtection, ovirt.OpShutdownVM, ovirt.OpStopVM, ovirt.OpSetDomain,
	ovirt.OpLogInISCSI, ovirt.OpRemoveLUNDisk,
}

// AsksForState tells whether an operation asks for a state of an object, which it looks at before.
func AsksForState(op string) bool { return slices.Contains(stateOps, op) }

// settleByEvent closes cut intents by whether the engine has an event of each.
func (s *Session) settleByEvent(ctx context.Context, cut []engine.Intent, reached func(ctx context.Context, correlation string) (bool, error)) error {
	for _, intent := range cut {
		had, err := reached(ctx, intent.ID)
		if err != nil {
			return err
		}
		how := "the engine has no event with its correlation id"
		if had {
			how = "the engine's events carry its correlation id"
		}
		s.Run.Settle(intent.ID, had, how)
	}
	return nil
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
