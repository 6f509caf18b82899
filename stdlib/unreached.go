package stdlib

import "drrun/engine"

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
