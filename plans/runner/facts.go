package runner

import (
	"cmp"
	"fmt"
	"slices"

	"drrun/plans"
	"drrun/stdlib"
)

// gather composes the facts of a run from what the check has just seen: the plan, what ran and how, and the target's ids.
// The check has passed before, so what cannot be found here is a fault of the check, and the run is refused. With the error come facts that
// lack it: those of a trial, which asks no engine.
func gather(survey *plans.Survey, planned bool) (*stdlib.Facts, error) {
	plan := survey.Plan
	facts := &stdlib.Facts{
		Schema: stdlib.FactsSchema, Action: survey.Action, Plan: plan.Name, Source: survey.Source, Target: survey.Target,
		Planned: planned, Own: survey.Own(), Taken: survey.At, LeaseExpiry: plan.LeaseExpiry.Seconds(),
	}
	if planned && !survey.Live() {
		return nil, fmt.Errorf("a planned %s needs site %s, which could not be read", survey.Action, survey.Source)
	}
	var missing error
	for _, domain := range plan.StorageDomains {
		fact, err := domainFact(survey, domain)
		missing = cmp.Or(missing, err)
		facts.Domains = append(facts.Domains, fact)
	}
	facts.LUNs = lunFacts(survey)
	for _, template := range plan.Templates {
		facts.Templates = append(facts.Templates, stdlib.FactEntity{ID: template.ID, Name: template.Name})
	}
	idByName := map[string]string{}
	for _, vm := range plan.VMs {
		idByName[vm.Name] = vm.ID
	}
	for _, vm := range inStartingOrder(plan) {
		fact := stdlib.FactVM{
			ID: vm.ID, Name: vm.Name, Rank: vm.Rank, Required: vm.Required, OnError: vm.OnError, Start: vm.Start, Boot: vm.Boot.String(),
			Grace: vm.Grace.Seconds(), ForceStop: vm.ForceStop,
		}
		for _, name := range vm.After {
			fact.After = append(fact.After, idByName[name])
		}
		known := survey.VM(vm.ID)
		fact.Ran, fact.RanFrom, fact.Comment = known.Ran, &known.Origin, known.Comment
		if known.Record != nil {
			describe(&fact, known.Record, survey.Source)
		}
		if plans.Moves(survey.Action) {
			missing = cmp.Or(missing, place(&fact, survey, vm))
		}
		facts.VMs = append(facts.VMs, fact)
	}
	setRunSet(facts, survey)
	return facts, missing
}

// inStartingOrder returns the VMs of a plan by their ranks.
func inStartingOrder(plan *plans.Plan) []plans.VM {
	vms := make([]plans.VM, 0, len(plan.VMs))
	for _, rank := range plan.Ranks() {
		for _, i := range rank.VMs {
			vms = append(vms, plan.VMs[i])
		}
	}
	return vms
}

// setRunSet says of the run as a whole what most of its VMs have in common, and leaves with the others what is different.
func setRunSet(facts *stdlib.Facts, survey *plans.Survey) {
	count := map[stdlib.RunSetOrigin]int{}
	for _, vm := range facts.VMs {
		count[*vm.RanFrom]++
	}
	most := 0
	for _, vm := range facts.VMs { // in order, so that a tie has one outcome
		if n := count[*vm.RanFrom]; n > most {
			most, facts.RunSet = n, *vm.RanFrom
		}
	}
	if most == 0 {
		facts.RunSet.From = stdlib.RunSetOVF
	}
	for i := range facts.VMs {
		if *facts.VMs[i].RanFrom == facts.RunSet {
			facts.VMs[i].RanFrom = nil
		}
	}
}

// domainFact names a storage domain with its data centers by id: at the source the one that has it attached; at the target the one that
// the plan names, or for a clean, which takes it away there, the one that has it.
func domainFact(survey *plans.Survey, domain plans.StorageDomain) (stdlib.FactDomain, error) {
	fact := stdlib.FactDomain{ID: domain.ID, Name: domain.Name, Type: domain.Type, Group: domain.GroupName()}
	fact.UpgradeFormat, fact.Settings = domain.UpgradeFormat, survey.Settings(domain.ID)
	from, to := domain.Side(survey.Source), domain.Side(survey.Target)
	fact.Source, fact.Target = factPlace(domain, from), factPlace(domain, to)
	fact.Source.DataCenterID, fact.Source.LUNs = survey.AttachedIn(survey.Source, domain.ID), survey.OriginalLUNs(domain)
	if survey.Own() { // where it is; nothing is known about it where it is not
		fact.Target.DataCenterID = survey.AttachedIn(survey.Target, domain.ID)
		return fact, nil
	}
	if survey.Action == plans.ActionClean {
		if fact.Target.DataCenterID = survey.AttachedIn(survey.Target, domain.ID); fact.Target.DataCenterID == "" {
			fact.Target.DataCenterID, _ = survey.DataCenterID(to.DataCenter)
		}
		return fact, nil
	}
	id, known := survey.DataCenterID(to.DataCenter)
	if !known {
		return fact, fmt.Errorf("site %s has no data center %q any more, into which storage domain %q goes", survey.Target, to.DataCenter, domain.Name)
	}
	fact.Target.DataCenterID = id
	return fact, nil
}

// factPlace is one side of a storage domain, as an import needs it.
func factPlace(domain plans.StorageDomain, side plans.DomainSide) stdlib.FactPlace {
	place := stdlib.FactPlace{DataCenter: side.DataCenter, Address: side.Place.Mount(), Path: side.Place.Path, VFSType: side.VFSType, NFSVersion: side.NFSVersion,
		MountOptions: side.MountOptions, LUNs: side.LUNs, Targets: factTargets(side.Targets)}
	if domain.Type == plans.StorageGlusterFS && place.VFSType == "" {
		place.VFSType = plans.StorageGlusterFS
	}
	return place
}

func factTargets(targets []plans.TargetLogin) []stdlib.FactTarget {
	var out []stdlib.FactTarget
	for _, t := range targets {
		out = append(out, stdlib.FactTarget{Address: t.Address, Port: t.Port, IQN: t.IQN, Username: t.Username})
	}
	return out
}

// lunFacts are the LUNs that take the place of those that are disks of VMs.
func lunFacts(survey *plans.Survey) []stdlib.FactLUN {
	var out []stdlib.FactLUN
	for _, m := range survey.Plan.Mappings.LUNs {
		from, to := m.Side(survey.Source), m.Side(survey.Target)
		out = append(out, stdlib.FactLUN{Source: from.ID, SourceTargets: factTargets(from.Targets), Target: to.ID, Targets: factTargets(to.Targets), Optional: m.Optional})
	}
	return out
}

// describe copies what is known of a VM. Its cluster and host are those of the source only where it was read there.
func describe(fact *stdlib.FactVM, record *plans.InventoryVM, source string) {
	if record.ReadAt() == source {
		fact.SourceCluster, fact.SourceHost = record.Cluster, record.Host
	}
	fact.Template = record.TemplateID
	fact.HA, fact.HAPriority, fact.LeaseDomain, fact.DeleteProtected = record.HA, record.HAPriority, record.LeaseDomainID, record.DeleteProtected
	for _, disk := range record.Disks {
		fact.Disks = append(fact.Disks, disk.ID)
		if disk.LUN != nil && record.ReadAt() == source {
			fact.LUNs = append(fact.LUNs, stdlib.FactLUNDisk{Disk: disk.ID, Alias: disk.Alias, LUN: disk.LUN.ID})
		}
		for _, id := range disk.StorageDomainIDs {
			if !slices.Contains(fact.Domains, id) {
				fact.Domains = append(fact.Domains, id)
			}
		}
	}
}

// place turns the names of the VM's place on the target into ids. The error is about the first that the target has not.
func place(fact *stdlib.FactVM, survey *plans.Survey, vm plans.VM) (missing error) {
	placement, found := survey.Place(vm)
	if plans.HasErrors(found) {
		missing = plans.FindingsError(found)
	}
	id, known := survey.ClusterID(placement.Cluster)
	if !known {
		missing = cmp.Or(missing, fmt.Errorf("site %s has no cluster %q any more, in which VM %q is to run", survey.Target, placement.Cluster, fact.Name))
	}
	fact.TargetCluster, fact.TargetClusterID = placement.Cluster, id
	for _, nic := range placement.NICs {
		entry := stdlib.FactNIC{ID: nic.ID, Name: nic.Name, MAC: nic.MAC}
		if nic.From != nil {
			entry.SourceNetwork, entry.SourceProfile = nic.From.Network, nic.From.Profile
		}
		if nic.To != nil {
			if entry.TargetProfileID, known = survey.ProfileID(*nic.To); !known {
				missing = cmp.Or(missing, fmt.Errorf("site %s has no vNIC profile %s any more, for a NIC of VM %q", survey.Target, nic.To, fact.Name))
			}
			entry.TargetProfile = nic.To.String()
		}
		fact.NICs = append(fact.NICs, entry)
	}
	return missing
}
