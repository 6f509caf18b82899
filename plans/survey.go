package plans

import (
	"time"

	"drrun/ovirt"
	"drrun/stdlib"
)

// Survey is what one look at both engines and at the inventory showed: what Check judges, and what the facts of a run are made of.
type Survey struct {
	Plan           *Plan
	Inventory      *Inventory // nil when there is none
	Action         string
	Source, Target string    // the names of the sites
	At             time.Time // model time

	source, target *siteView             // nil where a site could not be read
	living         *siteView             // of the site that has the VMs: the source, or of an action of the plan's own the target; nil as well
	registered     map[string]*ovirt.VM  // there, by id
	profiles       map[ProfileRef]string // at the target: ids
}

// newSurvey makes the survey of a plan; a nil view is that of a site that could not be read.
func newSurvey(p *Plan, inv *Inventory, o CheckOptions, source, target *siteView) *Survey {
	s := &Survey{Plan: p, Inventory: inv, Action: o.action(), Source: Other(o.target()), Target: o.target(), At: o.Now, source: source, target: target,
		registered: map[string]*ovirt.VM{}, profiles: map[ProfileRef]string{}}
	if s.living = source; s.Own() {
		s.living = target
	}
	if s.living != nil {
		for i := range s.living.vms {
			s.registered[s.living.vms[i].ID] = &s.living.vms[i]
		}
	}
	if target != nil {
		for _, profile := range target.profiles {
			if ref, _, ok := target.describeProfile(profile); ok {
				s.profiles[ref] = profile.ID
			}
		}
	}
	return s
}

// UnaskedSurvey is what the plan and its inventory tell by themselves, where no engine is asked; inv may be nil.
func UnaskedSurvey(p *Plan, inv *Inventory, o CheckOptions) *Survey {
	return newSurvey(p, inv, o, nil, nil)
}

// Own tells whether the action is one of the plan's own, which moves nothing: its target is the site that has the VMs.
func (s *Survey) Own() bool { return !Moves(s.Action) && s.Action != ActionClean }

// What a VM did before the run.
const (
	RanUp      = "up"
	RanDown    = "down"
	RanUnknown = "unknown" // only the OVF store can tell
)

// KnownVM is what is known of a VM before anything moves.
type KnownVM struct {
	Record *InventoryVM // nil when nothing but the plan knows it
	Ran    string       // RanUp, RanDown or RanUnknown
	Origin stdlib.RunSetOrigin
	// Comment is what the live source has as its comment; "" otherwise.
	Comment string
}

// Live reports whether the source answered and everything that was asked of it could be read.
func (s *Survey) Live() bool { return s.source != nil }

// VM tells what is known of a VM: what the source shows now, else what the inventory recorded.
//
// A VM whose storage is not active at the source is down there because of that, which does not tell what it did before: then the
// inventory has the word. Statuses like unknown, not_responding and paused are those of a VM that was running.
func (s *Survey) VM(id string) KnownVM {
	var recorded *InventoryVM
	if s.Inventory != nil {
		recorded, _ = s.Inventory.VM(id)
	}
	nothing := KnownVM{Ran: RanUnknown, Origin: stdlib.RunSetOrigin{From: stdlib.RunSetOVF}}
	old := nothing
	if recorded != nil {
		old = KnownVM{Record: recorded, Ran: ranBy(recorded.Status), Origin: stdlib.RunSetOrigin{From: stdlib.RunSetInventory, Taken: s.Inventory.SeenAt(recorded)}}
	}
	vm := s.registered[id]
	if vm == nil || len(vm.Disks) == 0 && recorded != nil { // not there, or stripped of its disks
		return old
	}
	record := s.living.inventoryVM(*vm)
	record.Site, record.Seen = s.living.name, s.At
	known := KnownVM{Record: &record, Ran: ranBy(vm.Status), Origin: stdlib.RunSetOrigin{From: stdlib.RunSetLive, Taken: s.At}, Comment: vm.Comment}
	hold := s.living.holdOn(vm, s.Plan)
	if hold != holdActive && known.Ran == RanDown {
		known.Ran, known.Origin = old.Ran, old.Origin
	}
	if hold == holdNone && recorded != nil { // a planned stop that went no further has switched these off
		record.HA, record.HAPriority, record.DeleteProtected = recorded.HA, recorded.HAPriority, recorded.DeleteProtected
	}
	return known
}

// FirstStart is when the first of the plan's VMs that run at the live source was started; zero when none runs there.
func (s *Survey) FirstStart() (at time.Time) {
	for _, vm := range s.Plan.VMs {
		if there := s.registered[vm.ID]; there != nil && !there.StartTime.IsZero() && (at.IsZero() || there.StartTime.Before(at)) {
			at = there.StartTime
		}
	}
	return at
}

func ranBy(status string) string {
	if status == "down" || status == "suspended" {
		return RanDown
	}
	return RanUp
}

// AttachedIn returns the id of the data center that has a storage domain attached on a site, "" when none has or the site cannot be read.
func (s *Survey) AttachedIn(site, domainID string) string {
	view := s.target
	if site == s.Source {
		view = s.source
	}
	if view == nil {
		return ""
	}
	if domain := view.domain(domainID); domain != nil {
		return domain.DataCenterID
	}
	return ""
}

// StorageDomains returns the storage domains of a site; known is false where it could not be read.
func (s *Survey) StorageDomains(site string) (domains []ovirt.StorageDomain, known bool) {
	view := s.target
	if site == s.Source {
		view = s.source
	}
	if view == nil {
		return nil, false
	}
	return view.domains, true
}

// Settings are what an administrator set of a storage domain: by the live source, or where that does not tell by the inventory; nil where
// neither does.
func (s *Survey) Settings(domainID string) *ovirt.DomainSettings {
	if there := s.source.known(domainID); there != nil && there.DataCenterID != "" {
		settings := there.Settings
		return &settings
	}
	if s.Inventory == nil {
		return nil
	}
	for _, was := range s.Inventory.Domains {
		if was.ID == domainID {
			return was.Settings
		}
	}
	return nil
}

// OriginalLUNs are the LUNs of a block domain at the source.
func (s *Survey) OriginalLUNs(domain StorageDomain) []string {
	return (&checker{plan: s.Plan, inv: s.Inventory, sourceName: s.Source, source: s.source}).originalLUNs(domain)
}

// DataCenterID returns the id of a data center of the target by its name.
func (s *Survey) DataCenterID(name string) (string, bool) {
	if s.target == nil {
		return "", false
	}
	if dc := s.target.dataCenterNamed(name); dc != nil {
		return dc.ID, true
	}
	return "", false
}

// ClusterID returns the id of a cluster of the target by its name.
func (s *Survey) ClusterID(name string) (string, bool) {
	if s.target == nil {
		return "", false
	}
	if cluster := s.target.clusterNamed(name); cluster != nil {
		return cluster.ID, true
	}
	return "", false
}

// ProfileID returns the id of a vNIC profile of the target.
func (s *Survey) ProfileID(ref ProfileRef) (string, bool) {
	id, known := s.profiles[ref]
	return id, known
}

// hold is how firmly a site has a VM.
type hold int

const (
	holdNone   hold = iota // none of its storage is attached and out of maintenance there, or it has no disks
	holdWeak               // some is, but not all of it is active
	holdActive             // all of its storage that the plan names is active there
)

// holdOn tells how firmly a site has a VM that is registered there.
func (v *siteView) holdOn(vm *ovirt.VM, p *Plan) hold {
	if len(vm.Disks) == 0 {
		return holdNone
	}
	held, active, all := 0, 0, 0
	for _, d := range p.StorageDomains {
		if !hasDiskOn(*vm, []string{d.ID}) {
			continue
		}
		all++
		holding := v.holdsDomain(v.name, d.ID)
		if holding.Holds {
			held++
		}
		if holding.Status == "active" {
			active++
		}
	}
	switch {
	case active == all:
		return holdActive
	case held > 0:
		return holdWeak
	}
	return holdNone
}
