package stdlib

import (
	"context"
	"fmt"
	"slices"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
)

// releaseMethods declare what lets go of a storage domain.
func releaseMethods() []lua.Func {
	self := func(c *lua.Call) *domainRef { return c.Self.(*domainRef) }
	timeout := lua.Param{Name: "timeout", Type: lua.Duration, Default: "10m", Doc: "How long to wait for it."}
	return []lua.Func{
		{
			Name: "update_ovf_store", Effect: lua.Changes, Returns: "ovf_update",
			Doc: "Lets the engine write the domain's OVF store and waits for the event that says how it ended. Returns { written = true } only with event 199 for this domain; " +
				"event 1052 means that nothing was written, because no VM had changed (vm:touch changes one).",
			Run: releases(func(c *lua.Call) (any, error) {
				result, err := self(c).updateStore(c.Ctx)
				if err != nil {
					return nil, err
				}
				return map[string]any{"written": result.Written, "nothing_to_do": result.NothingToDo}, nil
			}),
		},
		{
			Name: "deactivate", Effect: lua.Changes, Params: []lua.Param{timeout},
			Doc: "Brings the storage domain into maintenance and waits until it is seen there. Its VMs stay registered and can do nothing. At the source of a planned move that is the release: " +
				"up to here everything can be undone. Does nothing when it is in maintenance or not attached.",
			Run: releases(func(c *lua.Call) (any, error) { return nil, self(c).deactivate(c.Ctx, c.Duration("timeout")) }),
		},
		{
			Name: "leave", Effect: lua.Changes, Returns: "string",
			Doc: "Takes the storage domain, with the registered copies of its VMs, out of the engine of a site that no longer holds it; its content stays. At the source of a planned move only when " +
				"the target has it active; on a site that is cleaned only with evidence that what is there is stale. In maintenance it is detached and removed; where its storage or its master is " +
				"not there for that, only the engine's books are cleared. A domain with VMs or templates on it that are not part of the run is refused. Returns how it left.",
			Run: releases(func(c *lua.Call) (any, error) { return self(c).leave(c.Ctx) }),
		},
	}
}

func (d *domainRef) updateStore(ctx context.Context) (ovirt.UpdateResult, error) {
	s := d.site.session
	if s.Dry != nil {
		s.Dry.add(ovirt.OpUpdateOVFStore, "write the OVF store of "+d.fact.Name, d.subject())
		return ovirt.UpdateResult{Written: true}, nil
	}
	if d.site != s.Source {
		return ovirt.UpdateResult{}, fmt.Errorf("write the OVF store of %q on %s: only the source of a planned move does that", d.fact.Name, d.site.Name)
	}
	marked := s.markedOn(d.fact.ID) // now: what is marked while the engine writes need not be in it
	if sabotage.On(sabotage.StoreNotWritten) {
		return ovirt.UpdateResult{Written: true}, nil
	}
	cut := s.cut(ovirt.OpUpdateOVFStore, d.subject())
	defer s.permit(d.site, d.fact.ID, ovirt.OpUpdateOVFStore)()
	result, err := d.site.Engine.UpdateOVFStore(ctx, d.fact.ID)
	if err == nil {
		err = s.settleByEvent(ctx, cut, d.site.Engine.UpdateReached) // by now an earlier one has ended
	}
	if err == nil && result.Written {
		err = s.noteRelease(noteStoreWritten, d.fact, release{Written: true, Marked: marked})
	}
	return result, err
}

func (d *domainRef) deactivate(ctx context.Context, timeout time.Duration) error {
	s := d.site.session
	status, dataCenterID, err := d.place(ctx)
	if err != nil || dataCenterID == "" {
		return err
	}
	if s.Dry != nil {
		if status == "active" || status == "inactive" {
			s.Dry.add(ovirt.OpDeactivateDomain, "deactivate storage domain "+d.fact.Name, d.subject())
			s.Dry.changeDomain(d, "maintenance")
		}
		return nil
	}
	if d.site == s.Target {
		if err := s.requireStale(ctx); err != nil {
			return err
		}
	}
	cut := s.cut(ovirt.OpDeactivateDomain, d.subject())
	defer s.permit(d.site, d.fact.ID, ovirt.OpDeactivateDomain)()
	_, changed, err := d.site.Engine.DeactivateDomain(ctx, dataCenterID, d.fact.ID, timeout)
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	if d.site != s.Source {
		return nil
	}
	// Somebody may have used it between two attempts. Before the promotion what the attempt finds counts anew; after it a domain that was
	// active again makes the recorded promotion too old.
	known := s.releaseOf(d.fact.ID)
	if _, judged := s.promotedGroup(d.fact.Group); !known.At.IsZero() && !changed && (judged || s.Run.Attempt() == known.Attempt || s.promotionRecorded(d.fact.Group)) {
		return nil
	}
	if err := s.noteRelease(NoteReleased, d.fact, release{At: s.Env.Clock.Now(), Attempt: s.Run.Attempt()}); err != nil {
		return err
	}
	if status, marked := s.Run.Status(s.domainSubject(d.fact)); !marked || status.State == StatePending {
		s.Run.Mark(engine.Status{Subject: s.domainSubject(d.fact), State: StateReleased})
	}
	return nil
}

// place reads the status of the domain, and the data center that has it; "" where none has.
func (d *domainRef) place(ctx context.Context) (status, dataCenterID string, err error) {
	if dry := d.site.session.Dry; dry != nil {
		if changed, known := dry.domain(d); known {
			status, dataCenterID = changed.status, changed.dataCenterID
			return status, dataCenterID, nil
		}
	}
	known, err := d.site.Engine.StorageDomains(ctx)
	if err != nil {
		return "", "", err
	}
	at := slices.IndexFunc(known, func(one ovirt.StorageDomain) bool { return one.ID == d.fact.ID })
	if at < 0 {
		return "", "", nil
	}
	if known[at].DataCenterID == "" {
		return known[at].Status, "", nil
	}
	attached, err := d.site.Engine.AttachedStorageDomains(ctx, known[at].DataCenterID)
	if err != nil {
		return "", "", err
	}
	for _, entry := range attached {
		if entry.ID == d.fact.ID {
			return entry.Status, known[at].DataCenterID, nil
		}
	}
	return "", known[at].DataCenterID, nil
}

// planDomains lists the domains of the run that a site's engine knows and that are not quarantined, masters last: the order in which they can let go.
func (site *Site) planDomains(ctx context.Context) ([]any, error) {
	known, err := site.Engine.StorageDomains(ctx)
	if err != nil {
		return nil, err
	}
	attached := map[string][]ovirt.StorageDomain{}
	var rows, masters []any
	for i := range site.session.Facts.Domains {
		fact := &site.session.Facts.Domains[i]
		if site.session.isLeftOut(fact.ID) {
			continue
		}
		at := slices.IndexFunc(known, func(one ovirt.StorageDomain) bool { return one.ID == fact.ID })
		if at < 0 {
			continue
		}
		row := domainTable(known[at])
		dataCenterID := known[at].DataCenterID
		row["store_written"] = site.session.releaseOf(fact.ID).Written
		row["imported_by_run"] = site.session.imported(site.domainSubject(fact))
		if _, seen := attached[dataCenterID]; !seen && dataCenterID != "" {
			if attached[dataCenterID], err = site.Engine.AttachedStorageDomains(ctx, dataCenterID); err != nil {
				return nil, err
			}
		}
		for _, one := range attached[dataCenterID] {
			if one.ID == fact.ID {
				row["status"], row["master"] = one.Status, one.Master
			}
		}
		if dry := site.session.Dry; dry != nil {
			changed, was := dry.domain(&domainRef{site: site, fact: fact})
			if was && changed.status == "" {
				continue
			}
			if was {
				row["status"] = changed.status
			}
		}
		if row["master"] == true {
			masters = append(masters, row)
		} else {
			rows = append(rows, row)
		}
	}
	return append(rows, masters...), nil
}

// imported tells whether this run has imported a storage domain, or may have: an attempt that was cut off there is settled only later.
func (s *Session) imported(domain engine.Subject) bool {
	return s.Run.ReachedOrCut(ovirt.OpImportDomain, domain)
}
