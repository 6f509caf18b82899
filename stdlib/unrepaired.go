package stdlib

import (
	"context"
	"fmt"

	"drrun/ovirt"
)

// SayUnrepaired says of each VM from which a planned move took high availability or delete protection at the source that no stage of the
// workflow gave them back. Where every one was given back, as by the built-in workflow, no engine is asked.
func (s *Session) SayUnrepaired(ctx context.Context) {
	if !s.Facts.Planned {
		return
	}
	var open []*FactVM
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		if !s.isLeftOut(vm.ID) && (vm.HA && s.tookForGood(ovirt.OpSetHA, vm) || vm.DeleteProtected && s.tookForGood(ovirt.OpSetProtection, vm)) {
			open = append(open, vm)
		}
	}
	if len(open) == 0 {
		return
	}
	vms, err := s.Target.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		s.Skip(fmt.Sprintf("whether VMs have back their high availability and delete protection on %s could not be read: %v", s.Target.Name, err))
		return
	}
	now := map[string]ovirt.VM{}
	for _, vm := range vms {
		now[vm.ID] = vm
	}
	for _, vm := range open {
		there, known := now[vm.ID]
		if known && (vm.HA && !there.HAEnabled || vm.DeleteProtected && !there.DeleteProtected) {
			s.Skip(fmt.Sprintf("VM %s does not have back its high availability or delete protection: no stage of the workflow gave it back (dr.steps.repair does)", vm.Name))
		}
	}
}

// tookForGood tells whether this run changed a VM at the source and never changed the same at the target.
func (s *Session) tookForGood(op string, vm *FactVM) bool {
	return s.Run.Reached(op, s.Source.vmSubject(vm)) && !s.Run.Reached(op, s.Target.vmSubject(vm))
}
