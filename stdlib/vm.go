package stdlib

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
)

// vmRef is the Go value behind a vm object: a VM of the plan on one site. storageDomainID is set when it came from the
// list of unregistered VMs of a storage domain.
type vmRef struct {
	site            *Site
	fact            *FactVM
	storageDomainID string
}

func (v *vmRef) subject() engine.Subject { return v.site.vmSubject(v.fact) }

func (site *Site) vmObject(fact *FactVM, storageDomainID string) *lua.Object {
	return lua.NewObject(site.session.classes.vm, &vmRef{site: site, fact: fact, storageDomainID: storageDomainID})
}

func vmField(name, doc, luaType string, get func(*vmRef) any) lua.Field {
	return lua.Field{Name: name, Doc: doc, Type: luaType, Get: func(self any) any { return get(self.(*vmRef)) }}
}

func vmClass() *lua.Class {
	return &lua.Class{
		Name: "vm",
		Doc:  "A VM of the plan on one site.",
		Fields: []lua.Field{
			vmField("id", "Id, the same on both sites.", "string", func(v *vmRef) any { return v.fact.ID }),
			vmField("name", "Name.", "string", func(v *vmRef) any { return v.fact.Name }),
			vmField("rank", "Rank.", "integer", func(v *vmRef) any { return float64(v.fact.Rank) }),
			vmField("kind", "\"vm\".", "string", func(*vmRef) any { return "vm" }),
			vmField("ran", "Whether it ran before: up, down or unknown.", "string", func(v *vmRef) any { return v.fact.Ran }),
			vmField("stopped_by_run", "Whether this run, in any attempt, asked the engine to shut it down or to switch it off, or was cut off while it did.", "boolean", func(v *vmRef) any {
				run, subject := v.site.session.Run, v.subject()
				return run.ReachedOrCut(ovirt.OpShutdownVM, subject) || run.ReachedOrCut(ovirt.OpStopVM, subject)
			}),
			vmField("started_by_run", "Whether this run, in any attempt, asked the engine to start it, or was cut off while it did.", "boolean", func(v *vmRef) any {
				return v.site.session.Run.ReachedOrCut(ovirt.OpStartVM, v.subject())
			}),
			vmField("ovf_status", "Its status in the OVF store as it was last read, nil before: what it was when the store was written.", "string?", func(v *vmRef) any {
				if status := v.site.session.ovfStatus(v.fact.ID); status != "" {
					return status
				}
				return nil
			}),
			vmField("required", "Whether the run stops when it does not come up.", "boolean", func(v *vmRef) any { return v.fact.Required }),
			vmField("on_error", "continue or stop.", "string", func(v *vmRef) any { return v.fact.OnError }),
			vmField("cluster", "Cluster that the plan gives it on the target.", "string", func(v *vmRef) any { return v.fact.TargetCluster }),
		},
		String:  func(self any) string { return "vm " + self.(*vmRef).fact.Name },
		Methods: vmMethods(),
	}
}

func vmMethods() []lua.Func {
	self := func(c *lua.Call) *vmRef { return c.Self.(*vmRef) }
	return append([]lua.Func{
		{
			Name: "status", Doc: "Reads the status: up, down, powering_up, …; nil where the engine does not know the VM.", Effect: lua.Observes, Returns: "string?",
			Run: observes(func(c *lua.Call) (any, error) {
				vm, err := self(c).read(c.Ctx)
				if err != nil || vm == nil {
					return nil, err
				}
				return vm.Status, nil
			}),
		},
		{
			Name: "host", Doc: "Reads the id of the host that it runs on; nil while it does not run.", Effect: lua.Observes, Returns: "string?",
			Run: observes(func(c *lua.Call) (any, error) {
				vm, err := self(c).read(c.Ctx)
				if err != nil || vm == nil || vm.HostID == "" {
					return nil, err
				}
				return vm.HostID, nil
			}),
		},
		{
			Name: "fqdn", Doc: "Reads the name that the guest agent reports; nil before it does.", Effect: lua.Observes, Returns: "string?",
			Run: observes(func(c *lua.Call) (any, error) {
				vm, err := self(c).read(c.Ctx)
				if err != nil || vm == nil || vm.FQDN == "" {
					return nil, err
				}
				return vm.FQDN, nil
			}),
		},
		{
			Name: "nics", Doc: "Reads its NICs: id, name, mac, profile_id, linked, plugged.", Effect: lua.Observes, Returns: "site_nic[]",
			Run: observes(func(c *lua.Call) (any, error) {
				nics, err := self(c).site.Engine.VMNICs(c.Ctx, self(c).fact.ID)
				if err != nil {
					return nil, err
				}
				return tables(nics, func(n ovirt.NIC) map[string]any {
					return map[string]any{"id": n.ID, "name": n.Name, "mac": n.MAC, "profile_id": n.ProfileID, "linked": n.Linked, "plugged": n.Plugged}
				}), nil
			}),
		},
		{
			Name: "to_start", Doc: "Whether the run starts it, and why: as the plan says, or as it was before.", Effect: lua.Observes, Returns: "start_decision",
			Run: func(c *lua.Call) (any, error) {
				start, why := self(c).site.session.toStart(self(c).fact)
				return map[string]any{"start": start, "why": why}, nil
			},
		},
		{
			Name: "register", Effect: lua.Changes,
			Doc: "Registers the VM on the target from the OVF store, with its disks, in the cluster and on the vNIC profiles of the plan, then reads it back and puts right " +
				"any NIC whose profile the engine lost. Does nothing when it is registered.",
			Params: []lua.Param{{Name: "reassign_macs", Type: lua.Bool, Default: false, Doc: "Give NICs whose MAC is taken on the target a new one."}},
			Run: changes(func(c *lua.Call) (any, error) {
				return nil, self(c).register(c.Ctx, c.Bool("reassign_macs"))
			}),
		},
		{
			Name: "start", Effect: lua.Changes, Returns: "start_result",
			Doc: "Starts the VM and waits until it is up. Does nothing when it is. Right before the request leaves, the evidence that the source cannot run it is collected anew " +
				"(invariant I1); without it nothing is started. A VM that this run has started before and that is down now is not started again: the error vm-went-down says so.",
			Params: []lua.Param{{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long it may take to be up."}},
			Run: changes(func(c *lua.Call) (any, error) {
				result, err := self(c).start(c.Ctx, c.Duration("timeout"))
				if err != nil {
					return nil, err
				}
				return map[string]any{"requested": result.Requested, "started_at": timeText(result.StartedAt), "up_at": timeText(result.UpAt)}, nil
			}),
		},
		{
			Name: "wait", Doc: "Waits until the VM has a status.", Effect: lua.Observes,
			Params: []lua.Param{
				{Name: "status", Type: lua.String, Default: "up", Doc: "The status."},
				{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long to wait."},
			},
			Run: observes(func(c *lua.Call) (any, error) {
				v, wanted := self(c), c.String("status")
				_, err := v.site.Engine.WaitVM(c.Ctx, v.fact.ID, c.Duration("timeout"), func(vm ovirt.VM) (bool, error) { return vm.Status == wanted, nil })
				return nil, err
			}),
		},
		{
			Name: "wait_boot", Effect: lua.Observes, Returns: "boot_verdict",
			Doc: "Waits until the VM meets the boot condition that the plan gives it, or the condition's time-out has passed. Returns { ok = boolean, why = string }. Delays count from the moment the VM was seen up.",
			Run: observes(func(c *lua.Call) (any, error) {
				ok, why, err := self(c).waitBoot(c.Task, c.Ctx)
				if err != nil {
					return nil, err
				}
				return map[string]any{"ok": ok, "why": why}, nil
			}),
		},
	}, append(flagMethods(), shutdownMethod())...)
}

// read returns the VM as the engine shows it now, nil when the engine does not know it.
func (v *vmRef) read(ctx context.Context) (*ovirt.VM, error) {
	if dry := v.site.session.Dry; dry != nil {
		if gone := dry.hasGone(v.site, v.fact.ID); gone {
			return nil, nil
		}
	}
	vm, err := v.site.Engine.VM(ctx, v.fact.ID)
	var fault *ovirt.Error
	if errors.As(err, &fault) && fault.Code == ovirt.CodeNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if dry := v.site.session.Dry; dry != nil {
		dry.applyVM(v, &vm)
	}
	return &vm, nil
}

func (v *vmRef) register(ctx context.Context, reassignMACs bool) error {
	s := v.site.session
	if s.Dry != nil {
		return v.wouldRegister(ctx)
	}
	if err := s.mayMove(v.fact.ID, v.fact.Name); err != nil {
		return err
	}
	if err := s.proveStores(ctx); err != nil {
		return err
	}
	storageDomainID := v.storageDomainID
	if storageDomainID == "" && len(v.fact.Domains) > 0 {
		storageDomainID = v.fact.Domains[0]
	}
	spec := ovirt.RegisterSpec{
		VMID: v.fact.ID, Name: v.fact.Name, StorageDomainID: storageDomainID, ClusterID: v.fact.TargetClusterID, ReassignBadMACs: reassignMACs,
		Absent: s.knownAbsent(v.fact.ID),
	}
	for _, nic := range v.fact.NICs {
		if nic.TargetProfileID != "" && nic.SourceProfile != "" { // one without a source has no name to map by: repairNICs finds it
			spec.NICs = append(spec.NICs, ovirt.NICTarget{FromNetwork: nic.SourceNetwork, FromProfile: nic.SourceProfile, ToProfileID: nic.TargetProfileID})
		}
	}
	luns, without, err := v.lunsOf(ctx)
	if err != nil {
		return err
	}
	spec.LUNs, spec.Partial = luns, len(without) > 0
	cut := s.cut(ovirt.OpRegisterVM, v.subject())
	registered, changed, err := v.site.Engine.RegisterVM(ctx, spec)
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	if err := v.compareDisks(registered, without); err != nil {
		return err
	}
	if sabotage.On(sabotage.NICsUnread) {
		registered.NICs = nil
	}
	if err := v.repairNICs(ctx, registered.NICs); err != nil {
		return err
	}
	// A VM that an earlier attempt could not register, or did not find, is as good as any other now.
	switch status, _ := s.Run.Status(v.subject()); status.State {
	case "", StatePending, StateStopped, StateMissing, StateFailed:
		s.Run.Mark(engine.Status{Subject: v.subject(), State: StateRegistered, Rank: &v.fact.Rank, Error: engine.None})
	}
	return nil
}

// repairNICs puts every NIC of the facts on its profile: the engine loses profiles silently at registration (ovirt-engine MapVnicFlow).
func (v *vmRef) repairNICs(ctx context.Context, found []ovirt.NIC) error {
	for _, wanted := range v.fact.NICs {
		if wanted.TargetProfileID == "" {
			continue
		}
		for _, nic := range found {
			if nic.Name != wanted.Name {
				continue
			}
			cut := v.site.session.cut(ovirt.OpUpdateNIC, engine.Subject{Kind: ovirt.KindNIC, Site: v.site.Name, ID: nic.ID, Name: nic.Name})
			changed := false
			if nic.ProfileID != wanted.TargetProfileID {
				var err error
				if changed, err = v.site.Engine.UpdateNIC(ctx, v.fact.ID, nic.ID, wanted.TargetProfileID); err != nil {
					return fmt.Errorf("put NIC %s of VM %q on %s: %w", nic.Name, v.fact.Name, wanted.TargetProfile, err)
				}
			}
			v.site.session.settleByState(cut, changed)
		}
	}
	return nil
}

func (v *vmRef) start(ctx context.Context, timeout time.Duration) (ovirt.StartResult, error) {
	s := v.site.session
	if s.Dry != nil {
		return ovirt.StartResult{}, v.wouldStart(ctx)
	}
	if err := s.mayMove(v.fact.ID, v.fact.Name); err != nil {
		return ovirt.StartResult{}, err
	}
	if err := s.proveStores(ctx); err != nil {
		return ovirt.StartResult{}, err
	}
	subject := v.subject()
	// An intent without an outcome is settled before anything else: the engine's own events know whether the request arrived.
	reachedBefore := s.Run.Reached(ovirt.OpStartVM, subject)
	for _, intent := range s.cut(ovirt.OpStartVM, subject) {
		reached, err := v.site.Engine.StartReached(ctx, intent.ID)
		if err != nil {
			return ovirt.StartResult{}, fmt.Errorf("find out whether VM %q was started by the interrupted attempt: %w", v.fact.Name, err)
		}
		how := "the engine has no event with its correlation id"
		if reached {
			how = "the engine's events carry its correlation id"
		}
		s.Run.Settle(intent.ID, reached, how)
		reachedBefore = reachedBefore || reached
	}
	task := engine.TaskFrom(ctx)
	result, err := v.site.Engine.StartVM(ctx, v.fact.ID, ovirt.StartOptions{
		Timeout: timeout,
		MayStart: func(ctx context.Context) error {
			if reachedBefore && !sabotage.On(sabotage.StartRepeated) {
				return &WentDownError{VM: v.fact.Name, Site: v.site.Name, First: s.whyFailed(v.fact.ID)}
			}
			if task != nil && task.Ctx().Err() != nil { // it waited for its turn meanwhile
				return fmt.Errorf("%w: %w", engine.ErrStopping, context.Cause(task.Ctx()))
			}
			if _, err := s.Gate.Require(ctx); err != nil && !sabotage.On(sabotage.StartWithoutGate) {
				return err
			}
			s.Run.Mark(engine.Status{Subject: subject, State: StateStarting, Rank: &v.fact.Rank})
			return nil
		},
	})
	var down *WentDownError
	if errors.As(err, &down) { // the client's words about a request that was not sent would hide the reason
		return result, down
	}
	if err != nil {
		return result, err
	}
	mark := engine.Status{Subject: subject, State: StateUp, Rank: &v.fact.Rank, Error: engine.None}
	if known, _ := s.Run.Status(subject); known.UpAt == nil { // the first time seen counts, for delays and for the report
		mark.UpAt = &result.UpAt
		if !result.StartedAt.IsZero() {
			mark.StartedAt = &result.StartedAt
		}
	}
	s.Run.Mark(mark)
	return result, nil
}
