package stdlib

import (
	"context"
	"fmt"

	"drrun/ovirt"
)

// SayUnrepaired says of each VM from which a planned move took high availability or delete protection at the source, or an action of the
// plan's own for a shutdown, that no stage of the workflow gave them back. Where every one was given back, as by the built-in workflow, no
// engine is asked.
func (s *Session) SayUnrepaired(ctx context.Context) {
	var open []*FactVM
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		if !s.isLeftOut(vm.ID) && (vm.HA && s.took(ovirt.OpSetHA, vm) || vm.DeleteProtected && s.took(ovirt.OpSetProtection, vm)) {
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
		switch {
		case !known || (!vm.HA || there.HAEnabled) && (!vm.DeleteProtected || there.DeleteProtected):
		case s.Facts.Own && there.Status == "down": // it is to stay down, it seems, and nothing may start it then
			s.Warn(s.vmSubject(vm), fmt.Sprintf("VM %s is down and without its high availability or delete protection, which this run took: "+
				"give it back when the VM is started again, no later run knows that it had it", vm.Name))
		default:
			s.Skip(fmt.Sprintf("VM %s does not have back its high availability or delete protection: no stage of the workflow gave it back (dr.steps.repair does)", vm.Name))
		}
	}
}

// took tells whether this run changed a VM that it stopped, and did not give back what it changed as far as can be told without a look.
func (s *Session) took(op string, vm *FactVM) bool {
	target := s.Target.vmSubject(vm)
	if s.Facts.Own { // an action that only switches HA off means to
		return s.Run.Reached(op, target) && (s.Run.Reached(ovirt.OpShutdownVM, target) || s.Run.Reached(ovirt.OpStopVM, target))
	}
	return s.Facts.Planned && s.Run.Reached(op, s.Source.vmSubject(vm)) && !s.Run.Reached(op, target)
}
