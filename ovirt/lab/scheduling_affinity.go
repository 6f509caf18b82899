package lab

import "slices"

// The rules of affinity groups and of labels at scheduling. A group's VM labels count as its VMs, its host labels as its hosts
// (ovirt-engine AffinityGroupDao.getAllAffinityGroupsWithFlatLabelsByVmId).

// flatGroup is an affinity group with the members that its labels bring.
type flatGroup struct {
	vmsRule, hostsRule AffinityRule
	vms, hosts         []string
}

// groupsOf returns the groups of a VM. A label of a cluster older than 4.4 is a group too, that its VMs run on its hosts
// (ovirt-engine AffinityRulesUtils.affinityGroupsFromLabels).
func (e *engine) groupsOf(v *vm) []flatGroup {
	var list []flatGroup
	for _, g := range e.affinityGroups {
		if vms, hosts := e.groupMembers(g); slices.Contains(vms, v.id) {
			list = append(list, flatGroup{vmsRule: g.VMsRule, hostsRule: g.HostsRule, vms: vms, hosts: hosts})
		}
	}
	if olderLevel(v.cluster.Version, "4.4") {
		for _, l := range e.labels {
			if l.implicit && slices.Contains(l.vms, v.id) {
				list = append(list, flatGroup{hostsRule: AffinityRule{Enabled: true, Positive: true, Enforcing: true}, vms: l.vms, hosts: l.hosts})
			}
		}
	}
	return list
}

// hostsOf returns where the other VMs of a group run, or will run in a moment.
func (e *engine) hostsOf(g flatGroup, but *vm) []*host {
	var list []*host
	for _, id := range g.vms {
		if o := e.vm(id); o != nil && o != but && o.host != nil && runs(o.status) {
			list = append(list, o.host)
		}
	}
	return list
}

const (
	notTogether = "it did not match positive affinity rules "
	notApart    = "it matched negative affinity rules "
)

// vmAffinity is ovirt-engine VmAffinityFilterPolicyUnit: hard rules between VMs. Where the VMs that belong together run on several
// hosts, each of them does.
func vmAffinity(e *engine, n need, h *host) string {
	if n.despiteVMs {
		return ""
	}
	var near, far []*host
	for _, g := range e.groupsOf(n.vm) {
		switch {
		case !g.vmsRule.Enabled || !g.vmsRule.Enforcing:
		case g.vmsRule.Positive:
			near = append(near, e.hostsOf(g, n.vm)...)
		default:
			far = append(far, e.hostsOf(g, n.vm)...)
		}
	}
	switch {
	case len(near) > 0 && !slices.Contains(near, h):
		return notTogether
	case slices.Contains(far, h):
		return notApart
	}
	return ""
}

// hostAffinity is ovirt-engine VmToHostAffinityFilterPolicyUnit: hard rules between VMs and hosts.
func hostAffinity(e *engine, n need, h *host) string {
	for _, g := range e.groupsOf(n.vm) {
		in := slices.Contains(g.hosts, h.ID)
		switch {
		case !g.hostsRule.Enabled || !g.hostsRule.Enforcing:
		case g.hostsRule.Positive && !in:
			return notTogether
		case !g.hostsRule.Positive && in:
			return notApart
		}
	}
	return ""
}

// softlyBroken counts the soft rules that a VM on a host would break (ovirt-engine VmAffinityWeightPolicyUnit,
// VmToHostAffinityWeightPolicyUnit).
func (e *engine) softlyBroken(v *vm, h *host) int {
	broken := 0
	for _, g := range e.groupsOf(v) {
		if g.hostsRule.Enabled && !g.hostsRule.Enforcing && slices.Contains(g.hosts, h.ID) != g.hostsRule.Positive {
			broken++
		}
		if !g.vmsRule.Enabled || g.vmsRule.Enforcing {
			continue
		}
		others := e.hostsOf(g, v)
		if with := slices.Contains(others, h); g.vmsRule.Positive && len(others) > 0 && !with || !g.vmsRule.Positive && with {
			broken++
		}
	}
	return broken
}
