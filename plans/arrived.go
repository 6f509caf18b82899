package plans

import (
	"slices"

	"drrun/stdlib"
)

// FindArrived finds what a planned move does not have to move, because an earlier one did: a storage domain that the last move known
// here took to the target, or left there, that is active there, and that the source does not hold; and the VMs that lie on such storage
// domains only. A VM without disks has arrived with them where it runs at the target and not at the source.
func (s *Survey) FindArrived(facts *stdlib.Facts) {
	if s.source == nil || s.target == nil {
		return
	}
	arrived := map[string]bool{}
	for i := range facts.Domains {
		domain := &facts.Domains[i]
		there := s.target.holdsDomain(s.Target, domain.ID)
		domain.Arrived = domain.CameBy != "" && there.Status == "active" && there.Holds && !s.source.holdsDomain(s.Source, domain.ID).Holds
		arrived[domain.ID] = domain.Arrived
	}
	if len(arrived) == 0 || !slices.ContainsFunc(facts.Domains, func(d stdlib.FactDomain) bool { return d.Arrived }) {
		return
	}
	for i := range facts.VMs {
		vm := &facts.VMs[i]
		there, here := s.target.holdsVM(s.Target, vm.ID), s.source.holdsVM(s.Source, vm.ID)
		elsewhere := slices.ContainsFunc(vm.Domains, func(id string) bool { return !arrived[id] })
		idle := !here.Holds || here.Status == "down"
		if there.Holds && idle && !elsewhere && (len(vm.Domains) > 0 || !here.Holds || there.Status != "down") {
			vm.Arrived = there.Status
		}
	}
}

// movedEarlier tells of what the target has whether a planned move may find it moved already: the source, which was read, does not hold it.
func (c *checker) movedEarlier(source Holding) bool {
	return c.o.Planned && source.Known && !source.Holds
}
