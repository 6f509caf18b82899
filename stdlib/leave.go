package stdlib

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
)

// How a storage domain left an engine.
const (
	leftNothing   = "not there"
	leftRemoved   = "removed" // detached and removed; the engine wrote so into its metadata
	leftDestroyed = "cleared" // out of the engine's books; its storage was not touched
)

// leave takes the domain out of the site's engine.
func (d *domainRef) leave(ctx context.Context) (how string, err error) {
	s := d.site.session
	if d.site == s.Target && s.Run != nil && s.Dry == nil && s.imported(d.subject()) {
		return "", fmt.Errorf("take storage domain %q out of %s: this run has imported it there", d.fact.Name, d.site.Name)
	}
	status, dataCenterID, err := d.place(ctx)
	if err != nil {
		return "", err
	}
	if status == "" && dataCenterID == "" {
		d.hasLeft()
		return leftNothing, nil
	}
	if s.Dry == nil {
		if err := d.mayLeave(ctx); err != nil {
			return "", err
		}
	}
	if err := d.refuseLosses(ctx, dataCenterID); err != nil {
		return "", err
	}
	destroys, err := d.mustDestroy(ctx, status, dataCenterID)
	if err != nil {
		return "", err
	}
	if s.Dry != nil {
		return d.wouldLeave(status, dataCenterID, destroys)
	}
	defer s.permit(d.site, d.fact.ID, ovirt.OpDeactivateDomain, ovirt.OpDetachDomain, ovirt.OpRemoveDomain, ovirt.OpDestroyDomain)()
	if destroys {
		return leftDestroyed, d.destroy(ctx)
	}
	if how, err = leftRemoved, d.removePatiently(ctx, status, dataCenterID); err == nil {
		return how, nil
	}
	// What its storage or its host keeps from leaving properly leaves the books. Silence and Ctrl-C decide nothing.
	var fault *ovirt.Error
	if !errors.As(err, &fault) || ctx.Err() != nil || fault.Code == ovirt.CodeUnreachable || fault.Code == ovirt.CodeCancelled || fault.Code == ovirt.CodeCredentials {
		return "", err
	}
	now, _, readErr := d.place(ctx)
	if readErr != nil || now == "active" || now == "locked" {
		return "", err
	}
	s.Warn(d.subject(), fmt.Sprintf("storage domain %s could not be detached and removed on %s (%v): it is cleared from the engine's books, its content stays", d.fact.Name, d.site.Name, err))
	return leftDestroyed, d.destroy(ctx)
}

// mayLeave makes sure that nobody needs the domain here any more.
func (d *domainRef) mayLeave(ctx context.Context) error {
	s := d.site.session
	if d.site == s.Target {
		return s.requireStale(ctx)
	}
	there := domainRef{site: s.Target, fact: d.fact}
	status, dataCenterID, err := there.place(ctx)
	if err != nil {
		return fmt.Errorf("take storage domain %q out of %s: whether %s has it cannot be read: %w", d.fact.Name, d.site.Name, s.Target.Name, err)
	}
	if (dataCenterID == "" || status != "active") && !sabotage.On(sabotage.LeaveUnheld) {
		return fmt.Errorf("take storage domain %q out of %s: on %s it is %s, not active: %w", d.fact.Name, d.site.Name, s.Target.Name, orWords(status, "not there"), errNotLeft)
	}
	return nil
}

// refuseLosses refuses when something would vanish from the engine with the domain that nobody else has: VMs and templates that are not
// part of the run (I7), and at the source of a move the VMs that did not come up on the target, whose configuration only the source has
// then. A template takes all VMs along that are based on it, wherever their disks are.
func (d *domainRef) refuseLosses(ctx context.Context, dataCenterID string) error {
	if dataCenterID == "" {
		return nil
	}
	s := d.site.session
	leaves, templates, err := d.wouldVanish(ctx)
	if err != nil {
		return err
	}
	strangers, only := templates, []string(nil)
	arrived := map[string]bool{}
	if d.site == s.Source && s.Dry == nil && len(leaves) > 0 {
		if arrived, err = s.arrivedVMs(ctx); err != nil {
			return fmt.Errorf("take storage domain %q out of %s: which VMs %s has cannot be read: %w", d.fact.Name, d.site.Name, s.Target.Name, err)
		}
	}
	for _, vm := range leaves {
		switch {
		case !s.hasVM(vm.ID):
			strangers = append(strangers, vm.Name)
		case d.site == s.Source && s.Dry == nil && !arrived[vm.ID]:
			only = append(only, vm.Name)
		}
	}
	slices.Sort(strangers)
	slices.Sort(only)
	switch {
	case len(strangers) > 0 && !sabotage.On(sabotage.StrangersIgnored):
		return &StrangersError{Domain: d.fact.Name, Site: d.site.Name, Objects: strangers}
	case len(only) > 0 && !sabotage.On(sabotage.LeaveUnarrived):
		return fmt.Errorf("take storage domain %q out of %s: %s does not have VM %s, whose configuration would be lost with it: %w",
			d.fact.Name, d.site.Name, s.Target.Name, strings.Join(only, ", "), errNotLeft)
	}
	return nil
}

// wouldVanish reads the VMs that leave the engine with the domain, and names the templates that do and are not in the plan.
func (d *domainRef) wouldVanish(ctx context.Context) (vms []ovirt.VM, strangeTemplates []string, err error) {
	s := d.site.session
	on, err := d.site.Engine.StorageDomainVMs(ctx, d.fact.ID)
	if err != nil {
		return nil, nil, err
	}
	templates, err := d.site.Engine.StorageDomainTemplates(ctx, d.fact.ID)
	if err != nil || len(templates) == 0 {
		return on, nil, err
	}
	going, listed := map[string]bool{}, map[string]bool{}
	for _, template := range templates {
		going[template.ID] = true
		if _, planned := s.Facts.Template(template.ID); !planned {
			strangeTemplates = append(strangeTemplates, "template "+template.Name)
		}
	}
	for _, vm := range on {
		listed[vm.ID] = true
	}
	all, err := d.site.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return nil, nil, err
	}
	for _, vm := range all {
		if going[vm.TemplateID] && !listed[vm.ID] {
			on = append(on, vm)
		}
	}
	return on, strangeTemplates, nil
}

// refuseStrangers refuses to let go of anything on the target where that would take along what is not in the plan.
func (s *Session) refuseStrangers(ctx context.Context) error {
	for i := range s.Facts.Domains {
		d := &domainRef{site: s.Target, fact: &s.Facts.Domains[i]}
		_, dataCenterID, err := d.place(ctx)
		if err == nil {
			err = d.refuseLosses(ctx, dataCenterID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// arrivedVMs returns the VMs that the target has, by id. One read serves all storage domains.
func (s *Session) arrivedVMs(ctx context.Context) (map[string]bool, error) {
	return s.arrived.get(ctx, s.Env.Clock, EvidenceAge, func(ctx context.Context) (map[string]bool, error) {
		there, err := s.Target.Engine.VMs(ctx, ovirt.VMQuery{})
		ids := map[string]bool{}
		for _, vm := range there {
			ids[vm.ID] = true
		}
		return ids, err
	})
}

// StrangersError says that a storage domain cannot leave an engine because VMs or templates would go with it that the run does not know.
type StrangersError struct {
	Domain, Site string
	Objects      []string
}

// Error names them.
func (e *StrangersError) Error() string {
	return fmt.Sprintf("take storage domain %q out of %s: what is not in the plan would leave the engine with it: %s", e.Domain, e.Site, strings.Join(e.Objects, ", "))
}

// mustDestroy tells whether only the books can be cleared: the storage is not there, or the data center has no active master for a
// detach (ovirt-engine DetachStorageDomainFromPoolCommand.java lets only the last domain go without one).
func (d *domainRef) mustDestroy(ctx context.Context, status, dataCenterID string) (bool, error) {
	switch {
	case dataCenterID == "": // what is in no data center is in the books alone, and leaves them where no host can look at it
		_, err := d.remover(ctx, "")
		return errors.Is(err, errNoHostUp), ignoring(err, errNoHostUp)
	case status == "inactive" || status == "unknown":
		return true, nil
	}
	attached, err := d.site.Engine.AttachedStorageDomains(ctx, dataCenterID)
	if err != nil {
		return false, err
	}
	others, master := 0, false
	for _, one := range attached {
		now := one.Status
		if fact, planned := d.site.session.Facts.Domain(one.ID); planned && d.site.session.Dry != nil {
			if changed, known := d.site.session.Dry.domain(&domainRef{site: d.site, fact: fact}); known {
				now = changed.status
			}
		}
		if one.ID == d.fact.ID || now == "" {
			continue
		}
		others++
		// In a dry run a master in maintenance would have handed its role to an active one before.
		master = master || now == "active" && (one.Master || d.site.session.Dry != nil)
	}
	return others > 0 && !master && status == "maintenance", nil
}

// An engine sees only after some minutes that a storage can no longer be written (StorageDomainFailureTimeoutInMinutes is 5). Up to then
// it shows the domain as active and fails to deactivate it, because the OVF store cannot be written.
const (
	deactivatePatience = 10 * time.Minute
	deactivatePause    = time.Minute
)

// removePatiently removes the domain, and asks again for some minutes where the engine began to deactivate it and fell back.
func (d *domainRef) removePatiently(ctx context.Context, status, dataCenterID string) error {
	s := d.site.session
	end := s.Env.Clock.Now().Add(deactivatePatience)
	for {
		err := d.remove(ctx, status, dataCenterID)
		var fault *ovirt.Error
		fellBack := errors.As(err, &fault) && fault.Op == ovirt.OpDeactivateDomain && fault.Code == ovirt.CodeEngineError && fault.State == "active"
		if !fellBack || !s.Env.Clock.Now().Before(end) {
			return err
		}
		s.Run.Note("log", d.subject(), map[string]any{"text": fmt.Sprintf("%v: it is tried again until %s", err, end.UTC().Format("15:04:05"))})
		if _, waitErr := s.Env.Clock.Wait(ctx, deactivatePause, nil); waitErr != nil {
			return waitErr
		}
	}
}

func (d *domainRef) remove(ctx context.Context, status, dataCenterID string) error {
	s := d.site.session
	host, err := d.remover(ctx, dataCenterID)
	if err != nil {
		return err
	}
	if dataCenterID != "" {
		if status != "maintenance" {
			cut := s.cut(ovirt.OpDeactivateDomain, d.subject())
			_, changed, err := d.site.Engine.DeactivateDomain(ctx, dataCenterID, d.fact.ID, 0)
			if err != nil {
				return err
			}
			s.settleByState(cut, changed)
		}
		cut := s.cut(ovirt.OpDetachDomain, d.subject())
		changed, err := d.site.Engine.DetachDomain(ctx, dataCenterID, d.fact.ID)
		if err != nil {
			return err
		}
		s.settleByState(cut, changed)
	}
	cut := s.cut(ovirt.OpRemoveDomain, d.subject())
	changed, err := d.site.Engine.RemoveDomain(ctx, d.fact.ID, host)
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	d.hasLeft()
	return nil
}

// homeDataCenter is the data center whose hosts can reach the domain: that which has it, else that of the plan.
func (d *domainRef) homeDataCenter(attachedTo string) string {
	switch {
	case attachedTo != "":
		return attachedTo
	case d.site == d.site.session.Target:
		return d.fact.Target.DataCenterID
	}
	return d.fact.Source.DataCenterID
}

func (d *domainRef) destroy(ctx context.Context) error {
	s := d.site.session
	cut := s.cut(ovirt.OpDestroyDomain, d.subject())
	changed, err := d.site.Engine.DestroyDomain(ctx, d.fact.ID)
	if err != nil {
		return err
	}
	s.settleByState(cut, changed)
	d.hasLeft()
	return nil
}

// hasLeft closes what earlier attempts left open about the domain here: it is gone, so whatever they asked for had its effect.
func (d *domainRef) hasLeft() {
	s := d.site.session
	if s.Dry != nil {
		return
	}
	for _, op := range []string{ovirt.OpDeactivateDomain, ovirt.OpDetachDomain, ovirt.OpRemoveDomain, ovirt.OpDestroyDomain} {
		var last []engine.Intent
		for _, intent := range s.cut(op, d.subject()) {
			if s.Run.AskedAgain(intent.ID) { // and was refused: it left in another way
				s.Run.Settle(intent.ID, false, "a later attempt saw that it had no effect, and asked again")
				continue
			}
			last = append(last, intent)
		}
		s.settleByState(last, false)
	}
	if s.Facts.Action == ActionClean {
		s.Run.Mark(engine.Status{Subject: s.domainSubject(d.fact), State: StateLeft, Error: engine.None})
	}
}

func (d *domainRef) wouldLeave(status, dataCenterID string, destroys bool) (string, error) {
	dry := d.site.session.Dry
	defer dry.changeDomain(d, "")
	if destroys {
		dry.add(ovirt.OpDestroyDomain, "clear storage domain "+d.fact.Name+" from the books", d.subject())
		return leftDestroyed, nil
	}
	if dataCenterID != "" {
		if status != "maintenance" {
			dry.add(ovirt.OpDeactivateDomain, "deactivate storage domain "+d.fact.Name, d.subject())
		}
		dry.add(ovirt.OpDetachDomain, "detach storage domain "+d.fact.Name, d.subject())
	}
	dry.add(ovirt.OpRemoveDomain, "remove storage domain "+d.fact.Name+" without formatting", d.subject())
	return leftRemoved, nil
}

func orWords(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
