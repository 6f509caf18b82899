package stdlib

import (
	"fmt"
	"slices"

	"drrun/engine"
)

// SubjectError is an error that is about one object.
type SubjectError struct {
	Subject engine.Subject
	Err     error
}

// Error is the text of the error itself, which names the object.
func (e *SubjectError) Error() string { return e.Err.Error() }

// Unwrap returns the error itself.
func (e *SubjectError) Unwrap() error { return e.Err }

// Dependents returns the VMs that cannot start without the given one: it is required, and they come after it, or after one of these.
func (f *Facts) Dependents(vmID string) []*FactVM {
	var found []*FactVM
	blocked := []string{vmID}
	for len(blocked) > 0 {
		before, known := f.VM(blocked[0])
		blocked = blocked[1:]
		if !known || !before.Required {
			continue
		}
		for i := range f.VMs {
			vm := &f.VMs[i]
			if slices.Contains(vm.After, before.ID) && vm.ID != vmID && !slices.Contains(found, vm) {
				found = append(found, vm)
				blocked = append(blocked, vm.ID)
			}
		}
	}
	return found
}

// LeaveOut keeps a VM of the facts out of this attempt: workflows do not see it, and the result says why it is not done. What is
// up stays up. The VMs that cannot start without it are left out with it.
func (s *Session) LeaveOut(vmID, why string) {
	vm, known := s.Facts.VM(vmID)
	if !known {
		return
	}
	s.leave(vm, StateFailed, "left out: "+why)
	for _, dependent := range s.Facts.Dependents(vmID) {
		s.leave(dependent, StatePending, fmt.Sprintf("left out: it comes after %s, which is required and left out", vm.Name))
	}
}

func (s *Session) leave(vm *FactVM, state, why string) {
	s.hide(vm.ID)
	if now, known := s.Run.Status(s.vmSubject(vm)); known && (now.State == StateUp || now.State == StateUnverified) {
		state = StateUnverified
	}
	s.Run.Mark(engine.Status{Subject: s.vmSubject(vm), State: state, Rank: &vm.Rank, Error: why})
	s.settle(vm.ID)
}

// quarantine leaves a storage domain where it is, with every VM that lies on it: a planned move cannot release it.
func (s *Session) quarantine(domain *FactDomain, why string) {
	s.hide(domain.ID)
	s.Run.Mark(engine.Status{Subject: s.domainSubject(domain), State: StateQuarantined, Error: why})
	for i := range s.Facts.VMs {
		if vm := &s.Facts.VMs[i]; slices.Contains(vm.Domains, domain.ID) {
			s.leave(vm, StateQuarantined, "left at "+s.Source.Name+" with storage domain "+domain.Name+": "+why)
		}
	}
}

// factsShown are the facts without what is left out.
func (s *Session) factsShown() *Facts {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leftOut) == 0 {
		return s.Facts
	}
	shown := *s.Facts
	shown.VMs = slices.DeleteFunc(slices.Clone(shown.VMs), func(vm FactVM) bool { return s.leftOut[vm.ID] })
	shown.Domains = slices.DeleteFunc(slices.Clone(shown.Domains), func(domain FactDomain) bool { return s.leftOut[domain.ID] })
	return &shown
}

// Moving returns the storage domains of the run without those that stay where they are.
func (s *Session) Moving() []FactDomain {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leftOut) == 0 {
		return s.Facts.Domains
	}
	return slices.DeleteFunc(slices.Clone(s.Facts.Domains), func(domain FactDomain) bool { return s.leftOut[domain.ID] })
}

// isLeftOut tells whether a VM or a storage domain of the facts is kept from the workflow.
func (s *Session) isLeftOut(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leftOut[id]
}

// mayMove refuses to bring an object to the target that is left out of the run: the evidence is about what moves.
func (s *Session) mayMove(id, name string) error {
	if !s.isLeftOut(id) {
		return nil
	}
	return fmt.Errorf("%s is left out of this run: it stays at %s", name, s.Source.Name)
}
