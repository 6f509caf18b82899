package stdlib

import (
	"context"
	"fmt"

	"drrun/engine"
)

// leaveArrived keeps out of a planned move what an earlier one has brought to the target already: it stays as it is there.
func (s *Session) leaveArrived() {
	for i := range s.Facts.Domains {
		domain := &s.Facts.Domains[i]
		if !domain.Arrived {
			continue
		}
		s.hide(domain.ID)
		s.Run.Mark(engine.Status{Subject: s.domainSubject(domain), State: StateActive, Detail: fmt.Sprintf("run %s left it there", domain.CameBy)})
	}
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		if vm.Arrived == "" {
			continue
		}
		state := StateUp
		if vm.Arrived == "down" {
			state = StateNotStarted
		}
		s.hide(vm.ID)
		s.Run.Mark(engine.Status{Subject: s.vmSubject(vm), State: state, Rank: &vm.Rank, Detail: "it was there before this run"})
		s.settle(vm.ID)
	}
}

// hide keeps a VM or a storage domain of the facts from the workflow.
func (s *Session) hide(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.leftOut == nil {
		s.leftOut = map[string]bool{}
	}
	s.leftOut[id] = true
}

// Begin makes the session ready for its workflow: what has arrived earlier is left alone, and what an earlier attempt left in
// quarantine is judged anew.
func (s *Session) Begin() {
	if !s.Facts.Planned {
		return
	}
	s.leaveArrived()
	for _, row := range s.Run.Board() {
		if row.State == StateQuarantined && row.Subject.Site == s.Target.Name {
			s.Run.Mark(engine.Status{Subject: row.Subject, State: StatePending, Error: engine.None})
		}
	}
}

// hasArrived returns nil when a VM may leave the source of a planned move: the target has it registered.
func (s *Session) hasArrived(ctx context.Context, vm *FactVM) error {
	there, err := s.arrivedVMs(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("remove VM %q from %s: which VMs %s has cannot be read: %w", vm.Name, s.Source.Name, s.Target.Name, err)
	case !there[vm.ID]:
		return fmt.Errorf("remove VM %q from %s: %s does not have it, so its configuration would be lost: %w", vm.Name, s.Source.Name, s.Target.Name, errNotLeft)
	}
	return nil
}
