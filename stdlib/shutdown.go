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

// shutdownMethod declares vm:shutdown.
func shutdownMethod() lua.Func {
	return lua.Func{
		Name: "shutdown", Effect: lua.Changes, Returns: "shutdown_result",
		Doc: "Asks the guest to shut down and waits until the VM is seen down: at the source of a planned move, and on a site whose stale VMs are cleaned away. The request is sent once " +
			"and only while the VM is up, because a second one is a power-off (ovirt-engine ShutdownVmCommand.java). When the grace is over the VM is switched off only where force is true; " +
			"else the error timeout says so. Never switched off are a suspended VM and one that its engine cannot see. HA must be off before: the engine would start it again. " +
			"Does nothing when it is down. Returns { requested, forced, down_at }.",
		Params: []lua.Param{
			{Name: "grace", Type: lua.Duration, Optional: true, Doc: "How long the guest may take. Default: as the plan says for the VM, else \"5m\"."},
			{Name: "force", Type: lua.Bool, Optional: true, Doc: "Switch it off when the grace is over. Default: force_stop of the plan."},
		},
		Run: releases(func(c *lua.Call) (any, error) {
			v := c.Self.(*vmRef)
			o := ovirt.ShutdownOptions{Grace: time.Duration(v.fact.Grace * float64(time.Second)), Force: v.fact.ForceStop}
			if c.Has("grace") {
				o.Grace = c.Duration("grace")
			}
			if c.Has("force") {
				o.Force = c.Bool("force")
			}
			result, err := v.shutdown(c.Ctx, o)
			if err != nil {
				return nil, err
			}
			return map[string]any{"requested": result.Requested, "forced": result.Forced, "down_at": timeText(result.DownAt)}, nil
		}),
	}
}

func (v *vmRef) shutdown(ctx context.Context, o ovirt.ShutdownOptions) (ovirt.ShutdownResult, error) {
	s := v.site.session
	if s.Dry != nil {
		return ovirt.ShutdownResult{}, v.wouldShutDown(ctx, o)
	}
	subject := v.subject()
	switch {
	case s.Facts.Own && v.site == s.Target:
		if past, err := s.stoppedBefore(v, subject); past || err != nil {
			return ovirt.ShutdownResult{}, err
		}
	case v.site == s.Target:
		if err := s.requireStale(ctx); err != nil {
			return ovirt.ShutdownResult{}, err
		}
	}
	cut := s.cut(ovirt.OpShutdownVM, subject)
	for _, intent := range cut {
		o.Earlier = append(o.Earlier, intent.ID)
	}
	cutStop := s.cut(ovirt.OpStopVM, subject)
	ops := []string{ovirt.OpShutdownVM}
	if o.Force {
		ops = append(ops, ovirt.OpStopVM)
	}
	defer s.permit(v.site, v.fact.ID, ops...)()
	// The engine restarts an HA VM that it finds down, and a shutdown that ends by an error looks like that.
	o.MayAsk = func(vm ovirt.VM) error {
		if vm.HAEnabled && !sabotage.On(sabotage.HALeftOn) {
			return fmt.Errorf("VM %q on %s is not shut down: its high availability is on, so the engine could start it again; switch it off first: vm:set_ha { enabled = false }", v.fact.Name, v.site.Name)
		}
		return nil
	}
	if sabotage.On(sabotage.ReleaseWhileUp) {
		o.Grace = time.Second
	}
	result, err := v.site.Engine.ShutdownVM(ctx, v.fact.ID, o)
	if sabotage.On(sabotage.ReleaseWhileUp) && ovirt.HasCode(err, ovirt.CodeTimeout) {
		err = nil
	}
	if err != nil {
		return result, err
	}
	s.settleByState(cut, result.Requested)
	s.settleByState(cutStop, result.Forced)
	if (result.Requested || result.Forced) && v.site == s.Source {
		// Its OVF stores were written before this stop, if at all.
		for _, id := range v.fact.Domains {
			if domain, planned := s.Facts.Domain(id); planned && s.releaseOf(id).Written {
				if err := s.noteRelease(noteStoreWritten, domain, release{}); err != nil {
					return result, err
				}
			}
		}
	}
	if v.site == s.Source {
		// An earlier attempt may have gone further with it already.
		if status, known := s.Run.Status(s.vmSubject(v.fact)); !known || status.State == StatePending || status.State == StateFailed {
			s.markVM(v.fact, StateStopped)
		}
	}
	if s.Facts.Own {
		s.Run.Mark(engine.Status{Subject: subject, State: StateStopped, Rank: &v.fact.Rank, Error: engine.None})
	}
	if result.Forced {
		s.Warn(s.vmSubject(v.fact), fmt.Sprintf("VM %s did not shut down on %s within %s and was switched off: its guest did not end properly", v.fact.Name, v.site.Name, o.Grace))
	}
	return result, nil
}

// stoppedBefore tells that an action of the plan's own has shut a VM down, and started it again, in an earlier attempt: it runs its text from
// the top once more, and what is behind it stays behind it. A second round within one attempt would not be told from that, so there is none.
func (s *Session) stoppedBefore(v *vmRef, subject engine.Subject) (bool, error) {
	s.mu.Lock()
	again := s.stops[v.fact.ID]
	s.stops[v.fact.ID] = true
	s.mu.Unlock()
	switch {
	case !s.Run.Reached(ovirt.OpStartVM, subject) || !s.Run.Reached(ovirt.OpShutdownVM, subject) && !s.Run.Reached(ovirt.OpStopVM, subject):
		return false, nil
	case again:
		return false, &RestartedError{VM: v.fact.Name, Site: v.site.Name}
	}
	return true, nil
}

// RestartedError says that a run has stopped and started a VM already.
type RestartedError struct{ VM, Site string }

// Error names the VM and the rule.
func (e *RestartedError) Error() string {
	return fmt.Sprintf("VM %q on %s was shut down and started by this run already; a run does each once, or a resumed one could not tell what is done: put the second round into another action", e.VM, e.Site)
}

// Code is the stable code of the error.
func (e *RestartedError) Code() string { return "restarted" }

func (v *vmRef) wouldShutDown(ctx context.Context, o ovirt.ShutdownOptions) error {
	s := v.site.session
	vm, err := v.read(ctx)
	if err != nil || vm == nil || vm.Status == "down" {
		return err
	}
	if vm.Status == "up" || !o.Force {
		s.Dry.add(ovirt.OpShutdownVM, "shut down "+v.fact.Name, v.subject())
	} else {
		s.Dry.add(ovirt.OpStopVM, "switch off "+v.fact.Name, v.subject())
	}
	s.Dry.changeVM(v, func(vm *ovirt.VM) { vm.Status = "down" })
	return nil
}

// release says how the source let go of a storage domain in a planned move.
type release struct {
	At      time.Time `json:"at,omitzero"`       // when it was seen in maintenance: nothing was written there later
	Attempt int       `json:"attempt,omitempty"` // that saw it so
	Written bool      `json:"written,omitempty"` // its OVF store was seen written after the last stop (event 199)
	Marked  string    `json:"marked,omitempty"`  // id of the VM whose comment had this run's id in it when the store was written
}

// NoteReleased is the kind of the journal's note about when the source let go of a storage domain; its data is a Released. A resumed
// run takes it up.
const NoteReleased = "released"

// noteStoreWritten is the kind of the note that the OVF store of a storage domain was seen written, which a resumed run takes up too.
const noteStoreWritten = "store_written"

// RestoreRelease takes up a note about a release that an earlier attempt journaled.
func (s *Session) RestoreRelease(note string, domainID string, r Released) {
	s.mu.Lock()
	defer s.mu.Unlock()
	known := s.released[domainID]
	switch note {
	case NoteReleased:
		known.At, known.Attempt = r.At, r.Attempt
	case noteStoreWritten:
		known.Written, known.Marked = r.Written, r.Marked
	}
	s.released[domainID] = known
}

// Released is the data of a note about a release.
type Released = release

// noteRelease journals, synced, what a later attempt must know about the release of a domain: it decides which copy is good enough.
func (s *Session) noteRelease(note string, domain *FactDomain, r release) error {
	subject := engine.Subject{Kind: "storage_domain", Site: s.Source.Name, ID: domain.ID, Name: domain.Name}
	if err := s.Run.NoteSynced(note, subject, r); err != nil {
		return err
	}
	s.RestoreRelease(note, domain.ID, r)
	return nil
}

func (s *Session) releaseOf(domainID string) release {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.released[domainID]
}

// errNotLeft refuses to let go of a domain that nobody else has.
var errNotLeft = errors.New("the other site does not have it")
