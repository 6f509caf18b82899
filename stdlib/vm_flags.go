package stdlib

import (
	"context"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
)

// flagMethods declare the changes of a VM that neither start nor stop it.
func flagMethods() []lua.Func {
	self := func(c *lua.Call) *vmRef { return c.Self.(*vmRef) }
	return []lua.Func{
		{
			Name: "set_ha", Effect: lua.Changes,
			Doc: "Switches high availability, and reads it back: an instance type can undo it (ovirt-engine VmManagementCommandBase.java). At the source of a planned move it can only " +
				"be switched off. Priority and lease go into the same request, because the engine adds a lease only while HA is on. Does nothing when it is so already.",
			Params: []lua.Param{
				{Name: "enabled", Type: lua.Bool, Doc: "On or off."},
				{Name: "priority", Type: lua.Integer, Optional: true, Doc: "Restart priority, from 1. Default: as it is."},
				{Name: "lease", Type: lua.String, Optional: true, Doc: "Id of the storage domain of its lease. Default: as it is."},
			},
			Run: releases(func(c *lua.Call) (any, error) {
				goal := ovirt.HA{Enabled: c.Bool("enabled")}
				if c.Has("priority") {
					goal.Priority = c.Int("priority")
				}
				if c.Has("lease") {
					goal.LeaseDomainID = c.String("lease")
				}
				v := self(c)
				if goal.Enabled && v.site == v.site.session.Source {
					return nil, c.Errorf("wrong-site", "", "high availability is not switched on at %q, which this run leaves", v.site.Name)
				}
				return nil, v.setHA(c.Ctx, goal)
			}),
		},
		{
			Name: "set_delete_protection", Effect: lua.Changes,
			Doc:    "Switches delete protection, which keeps the VM's storage domain from being detached, and reads it back. Does nothing when it is so already.",
			Params: []lua.Param{{Name: "on", Type: lua.Bool, Positional: true, Doc: "On or off."}},
			Run:    releases(func(c *lua.Call) (any, error) { return nil, self(c).setProtection(c.Ctx, c.Bool("on")) }),
		},
		{
			Name: "touch", Effect: lua.Changes,
			Doc: "Gives the VM another comment. It is the harmless change that makes the engine write the VM into the OVF store with the next update: " +
				"the end of a shutdown does not count as one (ovirt-engine OvfDataUpdater.java). Does nothing when it has that comment.",
			Params: []lua.Param{{Name: "comment", Type: lua.String, Positional: true, Doc: "The comment."}},
			Run:    releases(func(c *lua.Call) (any, error) { return nil, self(c).touch(c.Ctx, c.String("comment")) }),
		},
		{
			Name: "remove_diskless", Effect: lua.Changes,
			Doc: "Takes a VM without disks that is down out of the engine of the site that is cleaned, or that a planned move leaves, once the other site has it. Such a VM does not leave with a storage domain. " +
				"A VM with disks is refused. Does nothing when the engine does not have it.",
			Run: releases(func(c *lua.Call) (any, error) { return nil, self(c).removeDiskless(c.Ctx) }),
		},
		{
			Name: "forget_luns", Effect: lua.Changes,
			Doc: "Takes the entries of LUNs that were disks of the VM out of the engine of the site that is cleaned, or that a planned move leaves, when the VM has left it with its storage domain and " +
				"the other site has it. They stay behind there, and the engine would not register the VM again. The LUNs are not touched. Does nothing where none is left.",
			Run: releases(func(c *lua.Call) (any, error) { return nil, self(c).forgetLUNs(c.Ctx) }),
		},
	}
}

// flag makes one change of a VM through the permit that it needs.
func (v *vmRef) flag(op, text string, needed func(ovirt.VM) bool, dry func(*ovirt.VM), ctx context.Context, change func(context.Context) (bool, error)) error {
	s := v.site.session
	if s.Dry != nil {
		vm, err := v.read(ctx)
		if err != nil || vm == nil && v.site != s.Target {
			return err
		}
		if vm == nil || needed(*vm) { // on the target it will be there by then
			s.Dry.add(op, text+" "+v.fact.Name, v.subject())
			s.Dry.changeVM(v, dry)
		}
		return nil
	}
	cut := s.cut(op, v.subject())
	defer s.permit(v.site, v.fact.ID, op)()
	changed, err := change(ctx)
	switch {
	case err != nil:
		return err
	case op == ovirt.OpRemoveVM:
		s.settleByState(cut, changed)
		return nil
	}
	// The same flag can be changed again later in a run, and the comment is another one in each attempt: what the VM has now says nothing.
	return s.settleByEvent(ctx, cut, v.site.Engine.VMUpdateReached)
}

func (v *vmRef) setHA(ctx context.Context, goal ovirt.HA) error {
	if sabotage.On(sabotage.HALeftOn) && !goal.Enabled {
		return nil
	}
	text := map[bool]string{true: "switch HA on for", false: "switch HA off for"}[goal.Enabled]
	return v.flag(ovirt.OpSetHA, text, func(vm ovirt.VM) bool {
		return vm.HAEnabled != goal.Enabled || goal.Priority != 0 && vm.HAPriority != goal.Priority || goal.LeaseDomainID != "" && vm.LeaseDomainID != goal.LeaseDomainID
	}, func(vm *ovirt.VM) { vm.HAEnabled = goal.Enabled }, ctx, func(ctx context.Context) (bool, error) {
		_, changed, err := v.site.Engine.SetHA(ctx, v.fact.ID, goal)
		return changed, err
	})
}

func (v *vmRef) setProtection(ctx context.Context, on bool) error {
	text := map[bool]string{true: "protect against deletion:", false: "lift the delete protection of"}[on]
	return v.flag(ovirt.OpSetProtection, text, func(vm ovirt.VM) bool { return vm.DeleteProtected != on },
		func(vm *ovirt.VM) { vm.DeleteProtected = on }, ctx, func(ctx context.Context) (bool, error) {
			return v.site.Engine.SetDeleteProtection(ctx, v.fact.ID, on)
		})
}

func (v *vmRef) touch(ctx context.Context, comment string) error {
	return v.flag(ovirt.OpTouchVM, "set the comment of", func(vm ovirt.VM) bool { return vm.Comment != comment },
		func(vm *ovirt.VM) { vm.Comment = comment }, ctx, func(ctx context.Context) (bool, error) {
			_, changed, err := v.site.Engine.TouchVM(ctx, v.fact.ID, comment)
			if err == nil && v.site == v.site.session.Source {
				v.site.session.marked(v.fact, comment)
			}
			return changed, err
		})
}

func (v *vmRef) removeDiskless(ctx context.Context) error {
	s := v.site.session
	if v.site == s.Target {
		if err := s.requireStale(ctx); err != nil {
			return err
		}
	} else if err := s.hasArrived(ctx, v.fact); err != nil {
		return err
	}
	return v.flag(ovirt.OpRemoveVM, "remove the VM without disks", func(ovirt.VM) bool { return true }, nil, ctx, func(ctx context.Context) (bool, error) {
		return v.site.Engine.RemoveDisklessVM(ctx, v.fact.ID)
	})
}

// markVM sets the state of a VM on the run's board, whose rows are those of the target.
func (s *Session) markVM(vm *FactVM, state string) {
	s.Run.Mark(engine.Status{Subject: s.vmSubject(vm), State: state, Rank: &vm.Rank, Error: engine.None})
}
