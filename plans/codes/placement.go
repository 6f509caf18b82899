package codes

var placementCodes = []Code{
	{Name: "cluster-missing", Title: "A site has no such cluster", Meaning: "VMs that are mapped to it could not be registered.", Remedy: "Correct the name in mappings.clusters, or make the cluster."},
	{Name: "cluster-data-center", Title: "A cluster belongs to another data center", Meaning: "VMs can run only in clusters of the data center that their storage is attached to.", Remedy: "Name a cluster of that data center."},
	{Name: "cluster-architecture", Title: "A cluster has another processor architecture", Meaning: "A VM made for one architecture does not start on another one.", Remedy: "Name a cluster of the same architecture."},
	{Name: "cluster-unmapped", Title: "The cluster of a VM is not mapped", Meaning: "The plan does not say where the VMs of this cluster go.", Remedy: "Add the cluster to mappings.clusters."},
	{Name: "cluster-ambiguous", Title: "A VM could go to several clusters", Meaning: "Read backwards, the mapping leads to more than one cluster, and the VM has never lived at that site, so nothing decides.", Remedy: "Leave in the plan, for this action, only the mapping that the VM is to follow."},
	{Name: "cluster-unknown", Title: "The cluster of a VM is not known", Meaning: "Neither a live site nor the inventory tells in which cluster the VM runs.", Remedy: "Record it while its site answers: drrun snapshot PLAN."},
	{Name: "cluster-by-choice", Title: "A cluster was chosen for VMs", Meaning: "Several clusters were possible, and drrun generate took one.", Remedy: "See whether it is the right one, and correct mappings.clusters if not."},
	{Name: "profile-missing", Title: "A site has no such vNIC profile", Meaning: "The engine silently leaves a NIC without network when its profile is not there, so drrun asks for it before.", Remedy: "Correct data center, network and profile in mappings.vnic_profiles, or make the profile."},
	{Name: "profile-unmapped", Title: "The vNIC profile of a NIC is not mapped", Meaning: "The plan does not say which network the NIC gets at the other site.", Remedy: "Add the profile to mappings.vnic_profiles."},
	{Name: "profile-ambiguous", Title: "A NIC could get several vNIC profiles", Meaning: "Read backwards, the mapping leads to more than one profile, and the VM has never lived at that site, so nothing decides.", Remedy: "Leave in the plan, for this action, only the mapping that the VM is to follow."},
	{Name: "profile-unknown", Title: "The NICs of a VM are not known", Meaning: "Neither a live site nor the inventory tells which vNIC profiles the VM uses, and the mapping leaves a choice.", Remedy: "Record it while its site answers: drrun snapshot PLAN."},
	{Name: "network-not-vm", Title: "A network carries no VMs", Meaning: "The network is for hosts only: a NIC of a VM cannot use it.", Remedy: "Name a profile of a VM network."},
	{Name: "mac-in-use", Title: "The address of a NIC is taken at the target", Meaning: "Another VM there has the same MAC address. In the same cluster the registration is refused; elsewhere two machines with one address disturb each other.", Remedy: "Give one of them another address."},
	{Name: "home-changed", Title: "VMs moved to another cluster or network since the inventory", Meaning: "A failback leads to where a VM lived; what the inventory says is no longer true.", Remedy: "Record it before they leave: drrun snapshot PLAN."},
}
