package lab

import "slices"

// postNIC gives a VM a NIC, with a MAC address of its cluster's pool where the request has none (ovirt-engine AddVmInterfaceCommand).
func (c *call) postNIC(v *vm) *reply {
	const what = "add Interface"
	e := c.engine
	doc, r := c.parse("nic")
	if r != nil {
		return c.refuse(r)
	}
	k := &nic{name: doc.value("name"), mac: doc.value("mac", "address"), profileID: doc.child("vnic_profile").attr("id"), linked: true, plugged: true}
	if r := doc.flags(map[string]*bool{"linked": &k.linked, "plugged": &k.plugged}); r != nil {
		return c.refuse(r)
	}
	p := e.profile(k.profileID)
	switch {
	case k.name == "":
		return c.refuse(incomplete("Nic", "name", "add"))
	case v.busy || v.status != "down" && v.status != "up":
		return c.refuse(badStatus(what, v))
	case find(v.nics, func(o *nic) bool { return o.name == k.name }) != nil:
		return c.refuse(conflict("Cannot %s. The network interface name is already in use.", what))
	case k.profileID != "" && p == nil:
		return c.refuse(bad("Cannot %s. The vNic Profile does not exist.", what))
	case p != nil && !e.carries(v.cluster, p.NetworkID):
		return c.refuse(conflict("Cannot %s. The network %s does not exist in the cluster.", what, e.network(p.NetworkID).Name))
	}
	if k.mac != "" {
		if owner := e.macUsed(k.mac, v.cluster.pool); owner != "" {
			return c.refuse(conflict("Cannot %s. MAC Address %s is already in use by VM or snapshot: %s.", what, k.mac, owner))
		}
	} else if free := e.freeMACs(v.cluster.pool, 1, nil); len(free) > 0 {
		k.mac = free[0]
	} else {
		return c.refuse(conflict("Cannot %s. Not enough MAC addresses left in MAC Address Pool.", what))
	}
	k.id = c.lab.newID()
	v.nics = append(slices.Clone(v.nics), k)
	e.touch(v)
	c.effect("add %s to %s", k.name, v.name)
	e.event(eventNICAdded, "normal", "Interface "+k.name+" (VirtIO) was added to VM "+v.name+". (User: "+e.userName()+")", c.about(v))
	return c.created("/vms/"+v.id+"/nics/"+k.id, func(x *xmlWriter) { writeNIC(x, v, k) })
}

// deleteNIC takes a NIC from a VM, which in a running VM has to be unplugged (ovirt-engine RemoveVmInterfaceCommand).
func (c *call) deleteNIC(v *vm, k *nic) *reply {
	e := c.engine
	switch {
	case v.busy || v.status != "down" && v.status != "up":
		return c.refuse(badStatus("remove Interface", v))
	case v.status == "up" && k.plugged:
		return c.refuse(conflict("Cannot remove an active network interface. Please unplug it first."))
	}
	v.nics = slices.DeleteFunc(slices.Clone(v.nics), func(o *nic) bool { return o == k })
	e.touch(v)
	c.effect("remove %s from %s", k.name, v.name)
	e.event(eventNICRemoved, "normal", "Interface "+k.name+" (VirtIO) was removed from VM "+v.name+". (User: "+e.userName()+")", c.about(v))
	return c.actionDone(c.doneJob("Removing Network Interface "+k.name+" from VM "+v.name), nil)
}
