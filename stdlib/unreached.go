package stdlib

import (
	"fmt"
	"slices"

	"drrun/engine"
)

// SayUnreached says of each VM that the workflow ended without coming to it: who reads the report is to know that nothing failed there.
func (s *Session) SayUnreached() {
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		status, _ := s.Run.Status(s.vmSubject(vm))
		if status.Error != "" || s.isLeftOut(vm.ID) {
			continue
		}
		why := ""
		switch status.State {
		case StateRegistered:
			why = "the workflow ended without starting it"
		case "", StatePending, StateStopped:
			why = "the workflow ended without registering it"
		default:
			continue
		}
		s.Run.Mark(engine.Status{Subject: s.vmSubject(vm), State: status.State, Rank: &vm.Rank, Error: why})
	}
}

// SayUnprotected says of each consistency group that the workflow ended without telling whether it is replicated the other way round.
func (s *Session) SayUnprotected() {
	told := map[string]bool{}
	s.mu.Lock()
	for _, v := range s.verdicts {
		told[v.name] = true
	}
	s.mu.Unlock()
	var groups []string
	for _, domain := range s.Moving() {
		if !slices.Contains(groups, domain.Group) {
			groups = append(groups, domain.Group)
		}
	}
	for _, group := range groups {
		if name := "reverse:" + group; !told[name] {
			s.pronounce(name, fmt.Sprintf("reverse replication: NOT known to run for group %s, the workflow ended without asking (dr.steps.reprotect does): until it runs, the VMs on %s have no copy", group, s.Target.Name))
		}
	}
}
