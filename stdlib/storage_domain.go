package stdlib

import (
	"context"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// domainRef is the Go value behind a storage_domain object: a storage domain of the plan on one site.
type domainRef struct {
	site *Site
	fact *FactDomain
}

func (d *domainRef) subject() engine.Subject { return d.site.domainSubject(d.fact) }

func (site *Site) domainObject(fact *FactDomain) *lua.Object {
	return lua.NewObject(site.session.classes.domain, &domainRef{site: site, fact: fact})
}

func domainClass() *lua.Class {
	return &lua.Class{
		Name: "storage_domain",
		Doc:  "A storage domain of the plan on one site.",
		Fields: []lua.Field{
			{Name: "id", Doc: "Id, the same on both sites.", Type: "string", Get: func(self any) any { return self.(*domainRef).fact.ID }},
			{Name: "name", Doc: "Name.", Type: "string", Get: func(self any) any { return self.(*domainRef).fact.Name }},
			{Name: "group", Doc: "Consistency group.", Type: "string", Get: func(self any) any { return self.(*domainRef).fact.Group }},
			{Name: "kind", Doc: "\"storage_domain\".", Type: "string", Get: func(any) any { return "storage_domain" }},
		},
		String: func(self any) string { return "storage domain " + self.(*domainRef).fact.Name },
		Methods: append([]lua.Func{
			{
				Name: "status", Doc: "Reads the status in its data center: active, maintenance, locked, …; unattached where it is in none, nil where the engine does not know it.",
				Effect: lua.Observes, Returns: "string?",
				Run: observes(func(c *lua.Call) (any, error) {
					d := c.Self.(*domainRef)
					status, err := d.status(c.Ctx)
					if status == "" {
						return nil, err
					}
					return status, err
				}),
			},
			{
				Name: "attach", Effect: lua.Changes,
				Doc: "Attaches the storage domain to its data center of the plan and waits until it is seen active. Does nothing when it is. " +
					"An OVF store that the engine could not read (event 1017) is an error, since its VMs would be missing.",
				Params: []lua.Param{{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long to wait for it."}},
				Run: changes(func(c *lua.Call) (any, error) {
					return nil, c.Self.(*domainRef).attach(c.Ctx, c.Duration("timeout"))
				}),
			},
			{
				Name: "activate", Doc: "Activates the storage domain and waits until it is seen active. Does nothing when it is.", Effect: lua.Changes,
				Params: []lua.Param{{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long to wait for it."}},
				Run: changes(func(c *lua.Call) (any, error) {
					return nil, c.Self.(*domainRef).activate(c.Ctx, c.Duration("timeout"))
				}),
			},
			{
				Name: "wait", Effect: lua.Observes, Returns: "boolean",
				Doc: "Waits until the storage domain has a status in its data center. Returns whether it has; false when the time is over.",
				Params: []lua.Param{
					{Name: "status", Type: lua.String, Default: "active", Doc: "The status."},
					{Name: "timeout", Type: lua.Duration, Default: "2m", Doc: "How long to wait."},
				},
				Run: observes(func(c *lua.Call) (any, error) {
					return c.Self.(*domainRef).wait(c.Ctx, c.String("status"), c.Duration("timeout"))
				}),
			},
			{
				Name: "unregistered_vms", Effect: lua.Observes, Returns: "vm[]",
				Doc: "Lists the VMs of the plan that the domain's OVF store holds and that are not registered. Those that the plan does not name are left out; so is, by the engine, a VM whose OVF does not parse.",
				Run: observes(func(c *lua.Call) (any, error) {
					d := c.Self.(*domainRef)
					found, err := d.unregisteredVMs(c.Ctx)
					if err != nil {
						return nil, err
					}
					objects := make([]any, len(found))
					for i, vm := range found {
						objects[i] = d.site.vmObject(vm, d.fact.ID)
					}
					return objects, nil
				}),
			},
			{
				Name: "unregistered_templates", Doc: "Lists the templates of the plan that the domain holds and that are not registered, base versions first.", Effect: lua.Observes, Returns: "template[]",
				Run: observes(func(c *lua.Call) (any, error) {
					d := c.Self.(*domainRef)
					var found []ovirt.Template
					var err error
					if d.site.session.Dry != nil {
						_, found, err = d.wouldHold(c.Ctx)
					} else {
						found, err = d.site.Engine.UnregisteredTemplates(c.Ctx, d.fact.ID)
					}
					if err != nil {
						return nil, err
					}
					var objects []any
					for _, base := range []bool{true, false} {
						for _, template := range found {
							_, planned := d.site.session.Facts.Template(template.ID)
							if planned && (template.BaseID == "" || template.BaseID == template.ID) == base {
								objects = append(objects, d.site.templateObject(template, d.fact.ID))
							}
						}
					}
					return objects, nil
				}),
			},
			{
				Name: "unregistered_disks", Effect: lua.Observes, Returns: "unregistered_disk[]",
				Doc: "Lists the disks that the domain holds and that are not registered, as { id, name, size }: those of VMs and templates that are not, and those that no VM had.",
				Run: observes(func(c *lua.Call) (any, error) {
					d := c.Self.(*domainRef)
					if d.site.session.Dry != nil {
						return []any{}, nil // they are known when it is attached
					}
					found, err := d.site.Engine.UnregisteredDisks(c.Ctx, d.fact.ID)
					if err != nil {
						return nil, err
					}
					return tables(found, func(disk ovirt.Disk) map[string]any {
						return map[string]any{"id": disk.ID, "name": disk.Alias, "size": float64(disk.Size)}
					}), nil
				}),
			},
		}, releaseMethods()...),
	}
}

func (d *domainRef) wait(ctx context.Context, wanted string, timeout time.Duration) (bool, error) {
	status, dataCenterID, err := d.place(ctx)
	if err != nil || status == wanted || dataCenterID == "" || d.site.session.Dry != nil {
		return status == wanted, err
	}
	_, err = d.site.Engine.WaitStorageDomain(ctx, dataCenterID, d.fact.ID, timeout, func(sd ovirt.StorageDomain) (bool, error) { return sd.Status == wanted, nil })
	if ovirt.HasCode(err, ovirt.CodeTimeout) {
		return false, nil
	}
	return err == nil, err
}

func (d *domainRef) status(ctx context.Context) (string, error) {
	status, _, err := d.place(ctx)
	return status, err
}

func (d *domainRef) attach(ctx context.Context, timeout time.Duration) error {
	s := d.site.session
	if s.Dry != nil {
		return d.wouldAttach(ctx)
	}
	if err := s.mayMove(d.fact.ID, d.fact.Name); err != nil {
		return err
	}
	if err := s.requirePromotion(d.fact); err != nil {
		return err
	}
	if err := s.awaitLeases(ctx, func() {}); err != nil {
		return err
	}
	cut := s.cut(ovirt.OpAttachDomain, d.subject())
	attached, changed, err := d.site.Engine.AttachDomain(ctx, d.fact.ID, d.fact.Target.DataCenterID, ovirt.AttachOptions{Timeout: timeout, UpgradeFormat: d.fact.UpgradeFormat})
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	s.Run.Mark(engine.Status{Subject: d.subject(), State: StateActive})
	return d.carrySettings(ctx, attached)
}

func (d *domainRef) activate(ctx context.Context, timeout time.Duration) error {
	s := d.site.session
	if s.Dry != nil {
		return nil // attach has said it
	}
	cut := s.cut(ovirt.OpActivateDomain, d.subject())
	_, changed, err := d.site.Engine.ActivateDomain(ctx, d.fact.Target.DataCenterID, d.fact.ID, timeout)
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	s.Run.Mark(engine.Status{Subject: d.subject(), State: StateActive})
	return nil
}

// unregisteredVMs lists the plan's VMs in the order of the facts, and notes the status in which the OVF store shows each.
func (d *domainRef) unregisteredVMs(ctx context.Context) ([]*FactVM, error) {
	if d.site.session.Dry != nil {
		vms, _, err := d.wouldHold(ctx)
		return vms, err
	}
	listed, err := d.site.Engine.UnregisteredVMs(ctx, d.fact.ID)
	if err != nil {
		return nil, err
	}
	s := d.site.session
	statuses := map[string]string{}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.listed[d.fact.ID] = statuses
	}()
	for _, vm := range listed {
		statuses[vm.ID] = vm.Status
		s.sawComment(d.fact.ID, vm.ID, vm.Comment)
	}
	var found []*FactVM
	for i := range s.Facts.VMs {
		vm := &s.Facts.VMs[i]
		if status, listed := statuses[vm.ID]; listed {
			s.sawInOVFStore(vm.ID, status)
			s.Run.Note("ovf_status", d.site.vmSubject(vm), map[string]any{"status": status})
			found = append(found, vm)
		}
	}
	return found, nil
}
