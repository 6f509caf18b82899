package stdlib

import (
	"context"
	"errors"
	"fmt"

	"drrun/engine"
	"drrun/ovirt"
)

// proveStores compares, once in an attempt of a planned move, what the target's OVF stores show with what the source wrote there after
// the last stop. What was not listed yet is listed; VMs that are registered already have left the lists.
func (s *Session) proveStores(ctx context.Context) error {
	if !s.Facts.Planned || s.Dry != nil {
		return nil
	}
	s.mu.Lock()
	proved := s.proved
	s.mu.Unlock()
	if proved {
		return nil
	}
	moving := s.Moving()
	present := map[string]string{}
	for i := range moving {
		s.mu.Lock()
		statuses, known := s.listed[moving[i].ID]
		s.mu.Unlock()
		if !known {
			if _, err := (&domainRef{site: s.Target, fact: &moving[i]}).unregisteredVMs(ctx); err != nil {
				return err
			}
			s.mu.Lock()
			statuses = s.listed[moving[i].ID]
			s.mu.Unlock()
		}
		for id, status := range statuses {
			if was, seen := present[id]; !seen || was == "down" { // of two stores that differ the worse one counts
				present[id] = orWords(status, "down")
			}
		}
	}
	there, err := s.Target.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return err
	}
	for _, vm := range there {
		if s.hasVM(vm.ID) {
			present[vm.ID] = ""
		}
	}
	if err := s.storeProof(present); err != nil {
		var stale *StaleCopyError
		if s.AcceptLoss == nil || !errors.As(err, &stale) {
			// What was attached has to leave again before a better copy can come, so the run does not count on it.
			for i := range moving {
				s.Run.Mark(engine.Status{Subject: s.domainSubject(&moving[i]), State: StateReleased, Error: err.Error()})
			}
			return err
		}
		group := stale.domain.Group
		s.pronounce("data:"+group, fmt.Sprintf("data of group %s: what was written last is lost: %v", group, stale))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.proved = true
	return nil
}
