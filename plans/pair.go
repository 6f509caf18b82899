package plans

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drrun/ovirt"
)

// Place says where a storage domain or a VM of a plan is, by what both engines show.
type Place string

// The places.
const (
	AtPrimary   Place = "primary"
	AtSecondary Place = "secondary"
	AtBoth      Place = "both"
	Nowhere     Place = "nowhere"
	Stripped    Place = "stripped" // a VM that is registered without its disks
	UnknownAt   Place = "unknown"  // an engine that would have to say so does not answer
)

// Holding is what one engine shows of a storage domain or a VM.
type Holding struct {
	Site   string `json:"site"`
	Known  bool   `json:"known"`            // the engine answered
	Holds  bool   `json:"holds"`            // it holds the object: a domain attached and not in maintenance, a VM registered
	Status string `json:"status,omitempty"` // as the engine spells it; "" when it does not know the object
}

// String renders the holding for a table.
func (h Holding) String() string {
	switch {
	case !h.Known:
		return "silent"
	case h.Status == "":
		return "-"
	}
	return h.Status
}

// ObjectState is where one object of the plan is.
type ObjectState struct {
	Kind      string  `json:"kind"` // storage_domain or vm
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Place     Place   `json:"place"`
	Primary   Holding `json:"primary"`
	Secondary Holding `json:"secondary"`
}

// Pair is the state of a pair of sites, as far as a plan is concerned.
type Pair struct {
	Place          Place         `json:"place"` // of all storage domains together
	StorageDomains []ObjectState `json:"storage_domains"`
	VMs            []ObjectState `json:"vms"`
	Silent         []string      `json:"silent,omitempty"` // sites that do not answer
	Reasons        []string      `json:"reasons,omitempty"`
}

// ReadPair derives the pair state from both engines: the storage domains of each with one list of each data center that holds one of
// the plan, and where withVMs is set the VMs. A nil site does not answer. An engine that answers with an error is unknown, not empty.
func ReadPair(ctx context.Context, p *Plan, primary, secondary *ovirt.Site, withVMs bool) *Pair {
	pair := &Pair{}
	views := map[string]*siteView{}
	for _, site := range []*ovirt.Site{primary, secondary} {
		if site == nil {
			continue
		}
		view, err := lookAtHoldings(ctx, p, site, withVMs)
		if err != nil {
			pair.Reasons = append(pair.Reasons, fmt.Sprintf("%s cannot be read: %v", site.Name(), err))
			continue
		}
		views[site.Name()] = view
	}
	derived := p.pair(views[Primary], views[Secondary], withVMs)
	derived.Reasons = pair.Reasons
	return derived
}

// pair derives the pair state from what the engines said. A nil view is an engine that said nothing.
func (p *Plan) pair(primary, secondary *siteView, withVMs bool) *Pair {
	pair := &Pair{StorageDomains: []ObjectState{}, VMs: []ObjectState{}}
	if primary == nil {
		pair.Silent = append(pair.Silent, Primary)
	}
	if secondary == nil {
		pair.Silent = append(pair.Silent, Secondary)
	}
	for _, domain := range p.StorageDomains {
		state := ObjectState{Kind: "storage_domain", ID: domain.ID, Name: domain.Name,
			Primary: primary.holdsDomain(Primary, domain.ID), Secondary: secondary.holdsDomain(Secondary, domain.ID)}
		state.Place = holderOf(state.Primary, state.Secondary)
		pair.StorageDomains = append(pair.StorageDomains, state)
	}
	for _, vm := range p.VMs {
		if !withVMs {
			break
		}
		state := ObjectState{Kind: "vm", ID: vm.ID, Name: vm.Name,
			Primary: primary.holdsVM(Primary, vm.ID), Secondary: secondary.holdsVM(Secondary, vm.ID)}
		state.Place = holderOf(state.Primary, state.Secondary)
		if state.Place == AtPrimary && primary.stripped(vm.ID) || state.Place == AtSecondary && secondary.stripped(vm.ID) {
			state.Place = Stripped
		}
		pair.VMs = append(pair.VMs, state)
	}
	pair.Place = together(pair.StorageDomains)
	return pair
}

func lookAtHoldings(ctx context.Context, p *Plan, site *ovirt.Site, withVMs bool) (*siteView, error) {
	v := &siteView{name: site.Name()}
	var err error
	if v.domains, err = site.StorageDomains(ctx); err != nil {
		return nil, err
	}
	if err := v.readStatuses(ctx, site, v.dataCentersHolding(p)); err != nil {
		return nil, err
	}
	if withVMs {
		v.vms, err = site.VMs(ctx, ovirt.VMQuery{Details: true})
	}
	return v, err
}

// dataCentersHolding returns the data centers in which storage domains of the plan are attached.
func (v *siteView) dataCentersHolding(p *Plan) []string {
	var ids []string
	for _, d := range v.domains {
		planned := slices.ContainsFunc(p.StorageDomains, func(own StorageDomain) bool { return own.ID == d.ID })
		if planned && d.DataCenterID != "" && !slices.Contains(ids, d.DataCenterID) {
			ids = append(ids, d.DataCenterID)
		}
	}
	slices.Sort(ids)
	return ids
}

// holdsDomain tells what the engine shows of a storage domain. One in maintenance is not held: it can be written by nobody, which is
// the release point of a planned move.
func (v *siteView) holdsDomain(site, id string) Holding {
	if v == nil {
		return Holding{Site: site}
	}
	i := slices.IndexFunc(v.domains, func(d ovirt.StorageDomain) bool { return d.ID == id })
	if i < 0 {
		return Holding{Site: site, Known: true}
	}
	d := v.domains[i]
	return Holding{Site: site, Known: true, Status: d.Status, Holds: d.DataCenterID != "" && d.Status != "maintenance"}
}

func (v *siteView) holdsVM(site, id string) Holding {
	if v == nil {
		return Holding{Site: site}
	}
	i := slices.IndexFunc(v.vms, func(vm ovirt.VM) bool { return vm.ID == id })
	if i < 0 {
		return Holding{Site: site, Known: true}
	}
	return Holding{Site: site, Known: true, Status: v.vms[i].Status, Holds: true}
}

// stripped reports a registered VM without any disk: the storage domain of its disks was detached under it.
func (v *siteView) stripped(id string) bool {
	if v == nil {
		return false
	}
	i := slices.IndexFunc(v.vms, func(vm ovirt.VM) bool { return vm.ID == id })
	return i >= 0 && len(v.vms[i].Disks) == 0
}

func holderOf(primary, secondary Holding) Place {
	switch {
	case primary.Holds && secondary.Holds:
		return AtBoth
	case primary.Holds && secondary.Known:
		return AtPrimary
	case secondary.Holds && primary.Known:
		return AtSecondary
	case primary.Known && secondary.Known:
		return Nowhere
	}
	return UnknownAt
}

// together says where the storage domains are as a whole: at one place, or at different ones (both).
func together(states []ObjectState) Place {
	place := Place("")
	for _, state := range states {
		switch {
		case place == "" || place == state.Place:
			place = state.Place
		case state.Place == UnknownAt || place == UnknownAt:
			place = UnknownAt
		default:
			place = AtBoth
		}
	}
	return place
}

// heldBy reports whether a site holds every storage domain, whatever the other one would say.
func (p *Pair) heldBy(site string) bool {
	return len(p.StorageDomains) > 0 && !slices.ContainsFunc(p.StorageDomains, func(s ObjectState) bool { return !s.at(site).Holds })
}

// LivesAt tells that a site holds every storage domain, and that the other one said that it holds none.
func (p *Pair) LivesAt(site string) bool {
	return p.heldBy(site) && p.known(Other(site)) && !slices.ContainsFunc(p.StorageDomains, func(s ObjectState) bool { return s.at(Other(site)).Holds })
}

// at returns what a site shows of the object.
func (s ObjectState) at(site string) Holding {
	if site == Secondary {
		return s.Secondary
	}
	return s.Primary
}

// Next is the one command that leads on from this state, "" where a person has to do something first, and why.
func (p *Pair) Next(planFile string) (command, why string) {
	silentPrimary, silentSecondary := slices.Contains(p.Silent, Primary), slices.Contains(p.Silent, Secondary)
	switch {
	case silentPrimary && silentSecondary:
		return "", "neither site answers: bring one of the engines up"
	case silentPrimary && p.heldBy(Secondary):
		return "", "the storage domains are at secondary and primary does not answer: keep primary off until they can be brought back"
	case silentPrimary:
		return "drrun failover " + planFile, "primary does not answer; if it is lost, bring the VMs up at secondary"
	case silentSecondary && p.heldBy(Primary):
		return "", "the storage domains are at home and secondary does not answer: bring its engine up, there is no way to fail over now"
	case silentSecondary && p.known(Primary):
		return "drrun failback " + planFile + " --unplanned", "primary does not hold the storage domains and secondary does not answer; if it is lost, bring the VMs up at primary"
	case silentSecondary:
		return "", "secondary does not answer: bring its engine up to see what it holds"
	}
	switch p.Place {
	case AtPrimary:
		return "drrun check " + planFile, "the storage domains are at home: see whether a failover would work"
	case AtSecondary:
		return "drrun failback " + planFile, "the VMs are away: when the array replicates from secondary to primary, bring them home"
	case AtBoth:
		return p.nextOfBoth(planFile)
	case Nowhere:
		return "drrun history", "no engine holds the storage domains: a run may have stopped between release and import; look for it and resume it"
	}
	return "drrun check " + planFile, "what the engines hold cannot be read"
}

// known reports whether a site said what it holds.
func (p *Pair) known(site string) bool {
	return len(p.StorageDomains) > 0 && !slices.ContainsFunc(p.StorageDomains, func(s ObjectState) bool { return !s.at(site).Known })
}

// nextOfBoth leads on where both engines hold something of the plan. The VMs say which side counts: only one where none of them runs, and
// whose counterpart holds everything, is stale.
func (p *Pair) nextOfBoth(planFile string) (command, why string) {
	runsAt := func(site string) bool {
		return slices.ContainsFunc(p.VMs, func(vm ObjectState) bool {
			status := vm.at(site).Status
			return status != "" && status != "down"
		})
	}
	const both = "both engines hold storage domains of the plan"
	switch primary, secondary := runsAt(Primary), runsAt(Secondary); {
	case secondary && !primary && p.heldBy(Secondary):
		return "drrun failback " + planFile, both + ", and the VMs run at secondary: what primary has is stale. When the array replicates from secondary to primary, " +
			"failback takes it out first and brings the VMs home; drrun clean " + planFile + " --site primary only takes it out"
	case primary && !secondary && p.heldBy(Primary):
		return "drrun clean " + planFile + " --site secondary", both + ", and the VMs run at primary: what secondary has is stale"
	case primary && secondary && p.lives(Secondary, Primary):
		return "drrun clean " + planFile + " --site primary", both + ", and VMs run at both, most of them at secondary: what primary has looks stale; drrun clean looks for proof before it stops anything"
	case primary && secondary && p.lives(Primary, Secondary):
		return "drrun clean " + planFile + " --site secondary", both + ", and VMs run at both, most of them at primary: what secondary has looks stale; drrun clean looks for proof before it stops anything"
	case primary && secondary:
		return "", both + ", and VMs run at both: two copies are being written to. Find out which is to be kept, then clean the other site: drrun clean " + planFile + " --site SITE"
	}
	return "drrun history", both + ", and no VM says which is the newer: a run may have stopped on its way; look for it and resume it"
}

// lives tells that a site has every storage domain active and every VM, and more of them up than the other one, which has none in a state
// that its engine cannot tell.
func (p *Pair) lives(site, other string) bool {
	up := map[string]int{}
	for _, vm := range p.VMs {
		if !vm.at(site).Holds || vm.at(other).Status == "unknown" {
			return false
		}
		for _, at := range []string{site, other} {
			if vm.at(at).Status == "up" {
				up[at]++
			}
		}
	}
	return up[site] > up[other] && !slices.ContainsFunc(p.StorageDomains, func(s ObjectState) bool { return s.at(site).Status != "active" })
}

// WrongDirection says why an action cannot start from this state, "" when it can: its target holds every storage domain already, with
// every VM of the plan that was looked at, and the source holds none. Where a VM is missing or down, the action can be needed to finish
// a move that was broken off.
func (p *Pair) WrongDirection(action string) string {
	source, target := Primary, Secondary
	if action == ActionFailback {
		source, target = Secondary, Primary
	}
	if !p.heldBy(target) || slices.ContainsFunc(p.VMs, func(vm ObjectState) bool { return !vm.at(target).Holds || vm.at(target).Status == "down" }) ||
		slices.ContainsFunc(p.StorageDomains, func(s ObjectState) bool { return s.at(source).Holds }) {
		return ""
	}
	var there []string
	for _, state := range p.StorageDomains {
		there = append(there, fmt.Sprintf("%q is %s", state.Name, state.at(target).Status))
	}
	return fmt.Sprintf("%s goes from %s to %s, and %s has the VMs and the storage domains already: %s", action, source, target, target, strings.Join(there, ", "))
}
