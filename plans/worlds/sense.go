package worlds

import (
	"slices"

	"drrun/ovirt/lab"
)

// byCenter are the kinds whose names are unique in a data center, bySite those whose names are unique in an engine.
var (
	bySite   = []string{"data_center", "cluster", "host", "storage_domain", "mac_pool", "instance_type", "affinity_group", "affinity_label", "tag", "role", "bookmark"}
	byCenter = []string{"vm", "network", "quota", "qos"}
)

// sense finds what every single key of an object allows and no engine has: names that are there twice, two masters, and parts of one
// thing in two data centers or clusters.
func (b *builder) sense(o *object) {
	b.unique(o)
	switch x := o.value.Addr().Interface().(type) {
	case *lab.DataCenter:
		b.masters(o)
	case *lab.Disk:
		b.together(o, "storage_domain", "the storage domain of its disk")
	case *lab.NIC:
		b.together(o, "profile", "the network of its vNIC profile")
	case *lab.AffinityGroup:
		b.members(o, x)
	}
}

// unique finds a name that another object before it has.
func (b *builder) unique(o *object) {
	kind := o.shape.kind
	where := siteText(o.site)
	if slices.Contains(byCenter, kind) {
		if center := b.dataCenter(o); center != nil {
			where = "data center " + center.name + " of " + where
		}
	}
	if o.name != "" && (slices.Contains(bySite, kind) || slices.Contains(byCenter, kind)) {
		for _, first := range b.named[kindKey{o.site, kind, o.name}] {
			if first == o {
				return
			}
			if first.name == o.name && (slices.Contains(bySite, kind) || b.dataCenter(first) == b.dataCenter(o)) {
				b.add(b.namePath(o), "duplicate", "an engine refuses the second one: give it another name", "%s has two %s named %q", where, kindWords(kind), o.name)
				return
			}
		}
	}
	if o.taken {
		b.add(b.namePath(o), "duplicate", "give one of them another name, or an id: id = lab.id \"TEXT\"", "%s has two %s named %q", where, kindWords(kind), o.name)
	}
}

// namePath is where an object has its name.
func (b *builder) namePath(o *object) []any {
	for _, key := range []string{"name", "alias", "login"} {
		if o.table[key] != nil {
			return append(slices.Clip(o.path), key)
		}
	}
	return o.path
}

// masters finds a second master of a data center.
func (b *builder) masters(center *object) {
	var first *object
	for _, d := range b.named[kindKey{center.site, "storage_domain", ""}] {
		switch {
		case d.table["master"] != true || b.dataCenter(d) != center:
		case first == nil:
			first = d
		default:
			b.add(append(slices.Clip(d.path), "master"), "two-masters", "leave master out of all and the first one is the master, or keep it for one",
				"data center %q of %s has two master storage domains, %s and %s: an engine knows one", center.name, siteText(center.site), first.name, d.name)
		}
	}
}

// together finds that a part of a VM, or of a template, leads into another data center than its own.
func (b *builder) together(o *object, key, what string) {
	to := o.targets[key]
	if to == nil || o.parent == nil || o.parent.shape.kind != "vm" && o.parent.shape.kind != "template" {
		return
	}
	here, there := b.dataCenter(o.parent), b.dataCenter(to)
	if here != nil && there != nil && here != there {
		b.add(append(slices.Clip(o.path), key), "other-data-center", "", "%s %s is in data center %s, and %s, %s, in %s",
			kindWord(o.parent.shape.kind), o.parent.name, here.name, what, to.name, there.name)
	}
}

// members finds VMs and hosts of an affinity group that are in another cluster (ovirt-engine AffinityGroupCRUDCommandBase).
func (b *builder) members(o *object, group *lab.AffinityGroup) {
	for _, kind := range []string{"vm", "host"} {
		key := kind + "s"
		for i, name := range list(o.table[key]) {
			for _, member := range b.named[kindKey{o.site, kind, str(name)}] {
				if k := member.targets["cluster"]; k != nil && k.id != group.ClusterID && slices.Contains(slices.Concat(group.VMIDs, group.HostIDs), member.id) {
					b.add(append(slices.Clip(o.path), key, i+1), "other-cluster", "", "affinity group %s: %s %s is in cluster %s, which is not the group's",
						o.name, kindWord(kind), member.name, k.name)
				}
			}
		}
	}
}
