package plans

import (
	"fmt"
	"slices"
	"strings"

	"drrun/lua"
)

// Placement is where a VM goes on the target, by names.
type Placement struct {
	SourceCluster string // "" when it is not known
	Cluster       string // "" when the plan and the inventory do not tell
	NICs          []PlacedNIC
	By            Route // how Cluster was found
}

// Route is how the plan or the inventory leads to a place on the target.
type Route struct {
	How RouteKind
	Pos lua.Pos // of the mapping, where one leads there
}

// RouteKind says what leads to a place.
type RouteKind string

// What leads to a place on the target.
const (
	RouteNone    RouteKind = ""        // nothing does
	RouteMapping RouteKind = "mapping" // a mapping of the plan
	RouteHome    RouteKind = "home"    // where the inventory recorded the VM when it lived there
	RouteThere   RouteKind = "there"   // where it came into being, or was seen last
)

// PlacedNIC is a NIC of a VM with its vNIC profiles; nil stands for none. A VM of which nothing is known has one without id and name for
// each mapping: the engine finds out which of them it needs.
type PlacedNIC struct {
	ID, Name, MAC string
	From, To      *ProfileRef
	By            Route // how To was found
}

// Place finds where a VM goes. The findings are errors about it, each with its place in the plan.
//
// To the secondary the plan's mappings lead. To the primary leads what the inventory recorded of the VM when it lived there, its home,
// since the inverse of a mapping need not be unique: it serves only VMs, or NICs, that came into being on the other side.
func (s *Survey) Place(vm VM) (Placement, []Finding) {
	p := &placing{s: s, vm: vm, record: s.VM(vm.ID).Record}
	p.home, p.fromHome = s.Inventory.HomeOf(vm.ID)
	switch {
	case s.Target == Primary && p.fromHome:
		p.goHome()
	case p.record == nil:
		p.byMappings()
	case p.record.ReadAt() == s.Target && p.fromHome:
		// The newest that is known of it was read where it goes to; the mappings still start from its home.
		p.out.SourceCluster = p.home.Cluster
		p.out.Cluster, p.out.By = p.cluster(p.home.Cluster)
		for _, nic := range p.home.NICs {
			p.addMapped(PlacedNIC{ID: nic.ID, Name: nic.Name, MAC: p.mac(nic.ID), From: nic.Profile})
		}
	case p.record.ReadAt() == s.Target: // it came into being there
		p.out.Cluster, p.out.By = p.record.Cluster, Route{How: RouteThere}
		for _, nic := range p.record.NICs {
			p.add(PlacedNIC{ID: nic.ID, Name: nic.Name, MAC: nic.MAC, To: nic.Profile, By: Route{How: RouteThere}})
		}
	default:
		p.out.SourceCluster = p.record.Cluster
		p.out.Cluster, p.out.By = p.cluster(p.record.Cluster)
		for _, nic := range p.record.NICs {
			p.addMapped(PlacedNIC{ID: nic.ID, Name: nic.Name, MAC: nic.MAC, From: nic.Profile})
		}
	}
	return p.out, p.found
}

// placing collects one placement.
type placing struct {
	s        *Survey
	vm       VM
	record   *InventoryVM // nil when nothing is known
	home     *InventoryHome
	fromHome bool
	out      Placement
	found    []Finding
}

func (p *placing) add(nic PlacedNIC) { p.out.NICs = append(p.out.NICs, nic) }

// addMapped adds a NIC that a mapping leads to its profile.
func (p *placing) addMapped(nic PlacedNIC) {
	nic.To, nic.By = p.profile(nic.Name, nic.From)
	p.add(nic)
}

func (p *placing) fail(code, hint, format string, args ...any) {
	p.found = append(p.found, finding(SeverityError, ScopeVM, code, format, args...).on(p.s.Source, "vm", p.vm.ID, p.vm.Name).at(p.vm.Pos).hint("%s", hint))
}

// goHome places the VM where it lived at the primary.
func (p *placing) goHome() {
	p.out.Cluster, p.out.By = p.home.Cluster, Route{How: RouteHome}
	if p.record.ReadAt() == Primary { // nothing newer is known: the names that it has at the source follow from the mappings
		for _, nic := range p.home.NICs {
			placed := PlacedNIC{ID: nic.ID, Name: nic.Name, MAC: p.mac(nic.ID), To: nic.Profile, By: Route{How: RouteHome}}
			if i := p.mapping(Primary, nic.Profile); i >= 0 {
				placed.From = &p.s.Plan.Mappings.VNICProfiles[i].Secondary
			}
			p.add(placed)
		}
	} else {
		p.out.SourceCluster = p.record.Cluster
		for _, nic := range p.record.NICs {
			placed := PlacedNIC{ID: nic.ID, Name: nic.Name, MAC: nic.MAC, From: nic.Profile}
			if was, known := p.home.nic(nic.ID, nic.Name); known {
				placed.To, placed.By = was.Profile, Route{How: RouteHome}
			} else {
				placed.To, placed.By = p.profile(nic.Name, nic.Profile)
			}
			p.add(placed)
		}
	}
	if p.s.target == nil {
		return
	}
	since := fmt.Sprintf("where it lived on %s", p.home.Seen.UTC().Format("2006-01-02"))
	if _, known := p.s.ClusterID(p.home.Cluster); !known {
		p.fail("cluster-missing", "create it again, or correct the cluster of the VM in "+InventoryFile(p.s.Plan.File), "VM %q goes home to cluster %q, %s, and site %q has it no more", p.vm.Name, p.home.Cluster, since, p.s.Target)
	}
	for _, nic := range p.home.NICs {
		if nic.Profile == nil {
			continue
		}
		if _, known := p.s.ProfileID(*nic.Profile); !known {
			p.fail("profile-missing", "create it again, or correct the NIC of the VM in "+InventoryFile(p.s.Plan.File), "VM %q goes home with its %s on vNIC profile %s, and site %q has it no more", p.vm.Name, nic.Name, nic.Profile, p.s.Target)
		}
	}
}

// byMappings places a VM of which nothing but its id is known: only what every VM of the plan would get can be right for it.
func (p *placing) byMappings() {
	m := p.s.Plan.Mappings
	hint := "while the site that has the VM answers: drrun snapshot " + p.s.Plan.File + "; or take the VM out of the plan"
	if len(m.Clusters) == 1 {
		p.out.Cluster, p.out.By = m.Clusters[0].Side(p.s.Target), Route{How: RouteMapping, Pos: m.Clusters[0].Pos}
	} else {
		p.fail("cluster-unknown", hint, "VM %q: nothing is known of it, so it could go to any of the %d clusters of mappings.clusters", p.vm.Name, len(m.Clusters))
	}
	taken := map[ProfileRef]ProfileRef{}
	for _, mapping := range m.VNICProfiles {
		from, to := mapping.Side(p.s.Source), mapping.Side(p.s.Target)
		if other, twice := taken[from]; twice && other != to {
			p.fail("profile-unknown", hint, "VM %q: nothing is known of its NICs, and one on vNIC profile %s could go to %s or to %s", p.vm.Name, from, other, to)
			continue
		}
		taken[from] = to
		p.add(PlacedNIC{From: &from, To: &to, By: Route{How: RouteMapping, Pos: mapping.Pos}})
	}
}

// cluster returns the cluster of the target that takes the place of one at the source, and how it was found.
func (p *placing) cluster(name string) (string, Route) {
	if name == "" {
		p.fail("cluster-unknown", "look at it in the engine of the site that has it", "VM %q belongs to no cluster that its engine showed", p.vm.Name)
		return "", Route{}
	}
	var candidates []string
	by := Route{How: RouteMapping}
	for _, m := range p.s.Plan.Mappings.Clusters {
		if m.Side(p.s.Source) == name {
			candidates, by.Pos = append(candidates, m.Side(p.s.Target)), m.Pos
		}
	}
	switch len(candidates) {
	case 1:
		return candidates[0], by
	case 0:
		p.fail("cluster-unmapped", fmt.Sprintf("add { %s = %s, %s = \"…\" } to mappings.clusters", p.s.Source, lua.Quote(name), p.s.Target),
			"VM %q runs in cluster %q, which mappings.clusters does not name", p.vm.Name, name)
	default:
		p.fail("cluster-ambiguous", oneMapping, "VM %q runs in cluster %q and has never lived at site %q: mappings.clusters leads back to %s", p.vm.Name, name, p.s.Target, choices(candidates))
	}
	return "", Route{}
}

// oneMapping is what to do about a mapping that cannot be inverted. It costs the other VMs nothing: they have a home.
const oneMapping = "leave in the plan, for this action, only the mapping that this VM is to follow; VMs with a recorded home do not use them"

// profile returns the vNIC profile of the target that takes the place of one at the source, and how it was found.
func (p *placing) profile(nic string, from *ProfileRef) (*ProfileRef, Route) {
	if from == nil {
		return nil, Route{}
	}
	by := Route{How: RouteMapping}
	var candidates []ProfileRef
	var names []string
	for _, m := range p.s.Plan.Mappings.VNICProfiles {
		if m.Side(p.s.Source) == *from {
			candidates, by.Pos = append(candidates, m.Side(p.s.Target)), m.Pos
			names = append(names, m.Side(p.s.Target).String())
		}
	}
	switch len(candidates) {
	case 1:
		return &candidates[0], by
	case 0:
		p.fail("profile-unmapped", fmt.Sprintf("add { %s = %s, %s = … } to mappings.vnic_profiles", p.s.Source, profileRef(*from, ""), p.s.Target),
			"VM %q: its %s uses vNIC profile %s, which mappings.vnic_profiles does not name", p.vm.Name, nic, *from)
	default:
		p.fail("profile-ambiguous", oneMapping, "VM %q: its %s uses vNIC profile %s and has never been at site %q: mappings.vnic_profiles leads back to %s", p.vm.Name, nic, *from, p.s.Target, choices(names))
	}
	return nil, Route{}
}

// mapping returns the index of the first mapping of a profile, -1 when there is none.
func (p *placing) mapping(site string, ref *ProfileRef) int {
	if ref == nil {
		return -1
	}
	return slices.IndexFunc(p.s.Plan.Mappings.VNICProfiles, func(m ProfileMapping) bool { return m.Side(site) == *ref })
}

// mac returns the address of a NIC as it was last seen.
func (p *placing) mac(id string) string {
	i := slices.IndexFunc(p.record.NICs, func(n InventoryNIC) bool { return n.ID == id })
	if i < 0 {
		return ""
	}
	return p.record.NICs[i].MAC
}

// choices renders alternatives for a sentence.
func choices(names []string) string {
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// placements reports what keeps a VM from having a place on the target.
func (c *checker) placements() {
	for _, vm := range c.plan.VMs {
		if vm.ID == "" {
			continue
		}
		_, found := c.survey.Place(vm)
		c.findings = append(c.findings, found...)
	}
}

// runSet tells where the inventory and the live source differ about what ran: only what runs now is started on the target.
func (c *checker) runSet() {
	if !c.survey.Live() || c.inv == nil {
		return
	}
	var stopped []string
	for _, vm := range c.plan.VMs {
		known := c.survey.VM(vm.ID)
		recorded, was := c.inv.VM(vm.ID)
		if vm.Start == StartAsBefore && known.Ran == RanDown && was && ranBy(recorded.Status) == RanUp {
			stopped = append(stopped, vm.Name)
		}
	}
	if len(stopped) > 0 {
		c.add(finding(SeverityInfo, ScopeRun, "vm-stopped-since", "down at site %q now, and up when the inventory was taken, so not started on site %q: %s (%s)", c.sourceName, c.targetName, countVMs(len(stopped)), nameList(stopped, 8)).
			on(c.sourceName, "site", "", c.sourceName).at(c.plan.Pos).hint("start them first, or write start = true"))
	}
}

// homes warns where VMs have moved at the primary since the inventory was taken: the way back would lead to where they were then.
func (c *checker) homes() {
	if c.sourceName != Primary || !c.survey.Live() || c.inv == nil {
		return
	}
	var moved []string
	for _, vm := range c.plan.VMs {
		home, known := c.inv.HomeOf(vm.ID)
		there := c.survey.registered[vm.ID]
		if !known || there == nil || c.source.holdOn(there, c.plan) != holdActive {
			continue
		}
		now := c.source.inventoryVM(*there)
		changed := now.Cluster != home.Cluster || slices.ContainsFunc(now.NICs, func(nic InventoryNIC) bool {
			was, known := home.nic(nic.ID, nic.Name)
			return !known || (was.Profile == nil) != (nic.Profile == nil) || nic.Profile != nil && *was.Profile != *nic.Profile
		})
		if changed {
			moved = append(moved, vm.Name)
		}
	}
	if len(moved) > 0 {
		c.add(finding(SeverityWarning, ScopeRun, "home-changed", "in another cluster or network at site %q than the inventory says, where a failback leads to: %s (%s)", c.sourceName, countVMs(len(moved)), nameList(moved, 8)).
			on(c.sourceName, "site", "", c.sourceName).at(c.plan.Pos).hint("record it before they leave: drrun snapshot %s", c.plan.File))
	}
}
