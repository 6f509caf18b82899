package runner

import (
	"fmt"
	"slices"
	"time"

	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// targetView is what the facts need of the target: names of the plan as ids of its engine.
type targetView struct {
	dataCenters []ovirt.DataCenter
	clusters    []ovirt.Cluster
	networks    []ovirt.Network
	profiles    []ovirt.VNICProfile
}

// viewOf takes what the check has just read.
func viewOf(seen plans.Seen) *targetView {
	return &targetView{dataCenters: seen.DataCenters, clusters: seen.Clusters, networks: seen.Networks, profiles: seen.Profiles}
}

func (v *targetView) dataCenterID(name string) (string, bool) {
	i := slices.IndexFunc(v.dataCenters, func(d ovirt.DataCenter) bool { return d.Name == name })
	if i < 0 {
		return "", false
	}
	return v.dataCenters[i].ID, true
}

func (v *targetView) clusterID(name string) (string, bool) {
	i := slices.IndexFunc(v.clusters, func(c ovirt.Cluster) bool { return c.Name == name })
	if i < 0 {
		return "", false
	}
	return v.clusters[i].ID, true
}

func (v *targetView) profileID(ref plans.ProfileRef) (string, bool) {
	dataCenterID, known := v.dataCenterID(ref.DataCenter)
	if !known {
		return "", false
	}
	for _, network := range v.networks {
		if network.Name != ref.Network || network.DataCenterID != dataCenterID {
			continue
		}
		for _, profile := range v.profiles {
			if profile.Name == ref.Profile && profile.NetworkID == network.ID {
				return profile.ID, true
			}
		}
	}
	return "", false
}

// gather composes the facts of a failover: the plan, what the inventory says about the source, and the target's ids.
// The check has passed before, so what cannot be found here changed in between, and the run is refused.
func gather(plan *plans.Plan, inventory *plans.Inventory, view *targetView, action, source, target string, now time.Time) (*stdlib.Facts, error) {
	facts := &stdlib.Facts{
		Schema: stdlib.FactsSchema, Action: action, Plan: plan.Name, Source: source, Target: target, Taken: now,
		RunSet: stdlib.RunSetOrigin{From: "ovf"},
	}
	if inventory != nil {
		facts.RunSet = stdlib.RunSetOrigin{From: "inventory", Taken: inventory.Taken}
	}
	for _, domain := range plan.StorageDomains {
		fact := stdlib.FactDomain{ID: domain.ID, Name: domain.Name, Type: domain.Type, Group: domain.Group}
		if fact.Group == "" {
			fact.Group = "all"
		}
		from, to := domain.Side(source), domain.Side(target)
		fact.Source = stdlib.FactPlace{DataCenter: from.DataCenter, Address: from.Place.Address, Path: from.Place.Path}
		fact.Target = stdlib.FactPlace{DataCenter: to.DataCenter, Address: to.Place.Address, Path: to.Place.Path}
		id, known := view.dataCenterID(to.DataCenter)
		if !known {
			return nil, fmt.Errorf("site %s has no data center %q any more, into which storage domain %q goes", target, to.DataCenter, domain.Name)
		}
		fact.Target.DataCenterID = id
		facts.Domains = append(facts.Domains, fact)
	}
	for _, template := range plan.Templates {
		facts.Templates = append(facts.Templates, stdlib.FactEntity{ID: template.ID, Name: template.Name})
	}
	idByName := map[string]string{}
	for _, vm := range plan.VMs {
		idByName[vm.Name] = vm.ID
	}
	for _, vm := range plan.VMs {
		fact := stdlib.FactVM{
			ID: vm.ID, Name: vm.Name, Rank: vm.Rank, Required: vm.Required, OnError: vm.OnError, Start: vm.Start, Ran: "unknown", Boot: vm.Boot.String(),
		}
		for _, name := range vm.After {
			fact.After = append(fact.After, idByName[name])
		}
		var recorded *plans.InventoryVM
		if inventory != nil {
			recorded, _ = inventory.VM(vm.ID)
		}
		if recorded != nil {
			describe(&fact, recorded)
		}
		if err := place(&fact, recorded, plan, view, source, target); err != nil {
			return nil, err
		}
		facts.VMs = append(facts.VMs, fact)
	}
	slices.SortStableFunc(facts.VMs, func(a, b stdlib.FactVM) int { return a.Rank - b.Rank })
	return facts, nil
}

// describe copies what the inventory recorded of a VM on the source.
func describe(fact *stdlib.FactVM, recorded *plans.InventoryVM) {
	fact.Ran = "up"
	if recorded.Status == "down" || recorded.Status == "suspended" {
		fact.Ran = "down"
	}
	fact.SourceCluster, fact.SourceHost = recorded.Cluster, recorded.Host
	fact.HA, fact.HAPriority, fact.DeleteProtected = recorded.HA, recorded.HAPriority, recorded.DeleteProtected
	for _, disk := range recorded.Disks {
		fact.Disks = append(fact.Disks, disk.ID)
		for _, id := range disk.StorageDomainIDs {
			if !slices.Contains(fact.Domains, id) {
				fact.Domains = append(fact.Domains, id)
			}
		}
	}
}

// place finds the VM's cluster and vNIC profiles on the target. Of a VM that the inventory does not know only the mappings
// are known: its cluster must then be the only one that the plan maps to, and every mapped profile is offered to the engine.
func place(fact *stdlib.FactVM, recorded *plans.InventoryVM, plan *plans.Plan, view *targetView, source, target string) error {
	for _, mapping := range plan.Mappings.Clusters {
		if recorded == nil && len(plan.Mappings.Clusters) > 1 {
			return fmt.Errorf("VM %q is not in the plan's inventory, so its cluster on %s is not known: "+
				"take a new inventory with drrun generate while %s answers, or remove the VM from the plan", fact.Name, source, source)
		}
		if recorded == nil || mapping.Side(source) == recorded.Cluster {
			fact.TargetCluster = mapping.Side(target)
		}
	}
	if fact.TargetCluster == "" {
		return fmt.Errorf("VM %q runs in cluster %q on %s, for which mappings.clusters has no entry", fact.Name, fact.SourceCluster, source)
	}
	id, known := view.clusterID(fact.TargetCluster)
	if !known {
		return fmt.Errorf("site %s has no cluster %q any more, in which VM %q is to run", target, fact.TargetCluster, fact.Name)
	}
	fact.TargetClusterID = id
	if recorded == nil {
		for _, mapping := range plan.Mappings.VNICProfiles {
			if err := placeNIC(fact, stdlib.FactNIC{}, mapping, view, source, target); err != nil {
				return err
			}
		}
		return nil
	}
	for _, nic := range recorded.NICs {
		entry := stdlib.FactNIC{ID: nic.ID, Name: nic.Name, MAC: nic.MAC}
		if nic.Profile == nil {
			fact.NICs = append(fact.NICs, entry)
			continue
		}
		i := slices.IndexFunc(plan.Mappings.VNICProfiles, func(m plans.ProfileMapping) bool { return m.Side(source) == *nic.Profile })
		if i < 0 {
			return fmt.Errorf("NIC %s of VM %q uses vNIC profile %s on %s, for which mappings.vnic_profiles has no entry", nic.Name, fact.Name, nic.Profile, source)
		}
		if err := placeNIC(fact, entry, plan.Mappings.VNICProfiles[i], view, source, target); err != nil {
			return err
		}
	}
	return nil
}

func placeNIC(fact *stdlib.FactVM, entry stdlib.FactNIC, mapping plans.ProfileMapping, view *targetView, source, target string) error {
	from, to := mapping.Side(source), mapping.Side(target)
	id, known := view.profileID(to)
	if !known {
		return fmt.Errorf("site %s has no vNIC profile %s any more, for a NIC of VM %q", target, to, fact.Name)
	}
	entry.SourceNetwork, entry.SourceProfile = from.Network, from.Profile
	entry.TargetProfile, entry.TargetProfileID = to.String(), id
	fact.NICs = append(fact.NICs, entry)
	return nil
}
