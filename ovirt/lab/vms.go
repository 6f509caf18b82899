package lab

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

func (c *call) routeVMs(s []string, get, post, put, del bool) *reply {
	e := c.engine
	if len(s) == 0 {
		if !get {
			return noMethod()
		}
		follow := c.follow()
		return list(c, "vms", vmSearch, e.vms, func(x *xmlWriter, v *vm) { c.writeVM(x, v, follow) })
	}
	v := e.vm(s[0])
	if v == nil {
		return c.notFound()
	}
	if len(s) == 1 {
		switch {
		case get:
			c.single = true
			follow := c.follow()
			x := newDocument()
			c.writeVM(x, v, follow)
			return x.reply(http.StatusOK)
		case put:
			return c.putVM(v)
		case del:
			return c.deleteVM(v)
		}
		return noMethod()
	}
	if len(s) == 2 && post && (v.external || v.unheard() && runs(v.status)) {
		if no := c.outOfReach(v, s[1]); no != nil {
			return no
		}
	}
	if len(s) == 2 && post {
		if act := vmActions[s[1]]; act != nil {
			return act(c, v)
		}
	}
	switch n := len(s); s[1] {
	case "start":
		if n == 2 && post {
			return c.postStart(v)
		}
	case "shutdown", "stop":
		if n == 2 && post {
			return c.postStop(v, s[1] == "shutdown")
		}
	case "nics":
		switch {
		case n == 2 && get:
			x := newXML("nics")
			for _, k := range v.nics {
				writeNIC(x, v, k)
			}
			return x.reply(http.StatusOK)
		case n == 2 && post:
			return c.postNIC(v)
		case n >= 3:
			k := find(v.nics, func(k *nic) bool { return k.id == s[2] })
			switch {
			case k == nil:
			case n == 3 && get:
				x := newDocument()
				writeNIC(x, v, k)
				return x.reply(http.StatusOK)
			case n == 3 && put:
				return c.putNIC(v, k)
			case n == 3 && del:
				return c.deleteNIC(v, k)
			case get && s[3] == "reporteddevices":
				return c.getDevices(v, k, s[4:])
			case get && s[3] == "statistics":
				return c.getStatistics(s[4:], "nic", "vms/"+v.id+"/nics", k.id, nicStatistics())
			case n == 4 && get:
				return c.emptyList(s[3])
			}
		}
	case "diskattachments":
		return c.routeAttachedDisks(v, s[2:], get, post, put, del)
	case "snapshots":
		return c.routeSnapshots(v, s[2:], get, post, del)
	case "backups":
		return c.routeBackups(v, s[2:], get, post)
	case "cdroms":
		return c.routeCDs(v, s[2:], get, post, put, del)
	case "reporteddevices":
		if get {
			return c.getDevices(v, nil, s[2:])
		}
	case "applications":
		if get {
			return c.getApplications(v, s[2:])
		}
	case "statistics":
		if get {
			return c.getStatistics(s[2:], "vm", "vms", v.id, vmStatistics(c.lab.now, v))
		}
	default:
		if n == 2 && get {
			return c.emptyList(s[1])
		}
	}
	return c.notFound()
}

// follow takes the parameter of that name: NICs, disks and snapshots, which clients ask for with every list, are written at once;
// where anything else is asked for, all links are followed after the document is written (follow.go), to the same effect.
func (c *call) follow() map[string]bool {
	set := map[string]bool{}
	if value := c.params.Get("follow"); value != "" {
		for _, name := range strings.Split(value, ",") {
			switch name {
			case "nics", "disk_attachments", "snapshots":
				set[name] = true
			case "disk_attachments.disk":
				set["disk_attachments"], set["disk"] = true, true
			default:
				return nil
			}
		}
		c.inlined = true
	}
	return set
}

func writeHA(x *xmlWriter, enabled bool, priority int) {
	x.open("high_availability")
	x.bool("enabled", enabled)
	x.int("priority", int64(priority))
	x.close("high_availability")
}

func writeLease(x *xmlWriter, domainID string) {
	x.open("lease")
	x.ref("storage_domain", "storagedomains", domainID)
	x.close("lease")
}

// vmActions and vmLinks are in the order in which an engine of version 4.3 gave them; those that came later follow.
var (
	vmActionLinks = []string{"detach", "export", "commitsnapshot", "clone", "reordermacaddresses", "logon", "maintenance", "previewsnapshot", "ticket",
		"thawfilesystems", "undosnapshot", "freezefilesystems", "cancelmigration", "reboot", "migrate", "shutdown", "start", "stop", "suspend",
		"autopincpuandnumanodes", "reset", "screenshot"}
	vmLinks = []string{"applications", "cdroms", "diskattachments", "watchdogs", "graphicsconsoles", "hostdevices", "nics", "numanodes", "sessions",
		"reporteddevices", "snapshots", "backups", "affinitylabels", "katelloerrata", "permissions", "tags", "statistics", "checkpoints",
		"mediateddevices"}
)

func (c *call) writeVM(x *xmlWriter, v *vm, follow map[string]bool) {
	href := apiRoot + "/vms/" + v.id
	x.open("vm", "href", href, "id", v.id)
	x.actions(href, vmActionLinks...)
	x.text("name", v.name)
	x.text("description", v.description)
	x.text("comment", v.comment)
	x.links(href, vmLinks...)
	b := v.base()
	if b.all = c.allContent(); b.all {
		b.ovf = c.engine.ovfText(v)
	}
	b.certified = b.all || c.single
	b.inline = func(x *xmlWriter, name string) {
		if !follow[name] {
			return
		}
		x.open(name)
		switch name {
		case "disk_attachments":
			for _, a := range v.disks {
				c.writeAttachment(x, "vm", "vms", v.id, v.guestName(a), a, follow["disk"])
			}
		case "nics":
			for _, k := range v.nics {
				writeNIC(x, v, k)
			}
		case "snapshots":
			c.writeSnapshots(x, v)
		}
		x.close(name)
	}
	c.writeVMBase(x, &b)
	c.writeVMRest(x, v)
	x.close("vm")
}

func writeNIC(x *xmlWriter, v *vm, k *nic) {
	href := apiRoot + "/vms/" + v.id + "/nics/" + k.id
	x.open("nic", "href", href, "id", k.id)
	x.actions(href, "activate", "deactivate")
	x.text("name", k.name)
	x.links(href, "reporteddevices", "networkfilterparameters", "statistics")
	x.ref("vm", "vms", v.id)
	x.text("interface", "virtio")
	x.bool("linked", k.linked)
	x.open("mac")
	x.text("address", k.mac)
	x.close("mac")
	x.bool("plugged", k.plugged)
	if d := find(v.devices(), func(d guestDevice) bool { return d.nic == k }); d.nic != nil {
		x.open("reported_devices")
		writeDevice(x, v, d, true)
		x.close("reported_devices")
	}
	x.bool("synced", true)
	if k.profileID != "" {
		x.ref("vnic_profile", "vnicprofiles", k.profileID)
	}
	x.close("nic")
}

// guestName is the name by which the guest calls a disk, as its agent tells.
func (v *vm) guestName(a *attachment) string {
	if !v.agentUp || !v.runs() || !a.active {
		return ""
	}
	return "/dev/sd" + string(rune('a'+slices.Index(v.disks, a)%26))
}

// writeAttachment writes a disk attachment of a VM or a template; logicalName is what the guest calls the disk, "" where nobody knows.
// An engine gives a template's also a VM of the template's id, with an href that leads nowhere, which is left out here.
func (c *call) writeAttachment(x *xmlWriter, owner, collection, id, logicalName string, a *attachment, whole bool) {
	x.open("disk_attachment", "href", apiRoot+"/"+collection+"/"+id+"/diskattachments/"+a.disk.id, "id", a.disk.id)
	x.bool("active", a.active)
	x.bool("bootable", a.bootable)
	x.text("interface", "virtio_scsi")
	if logicalName != "" {
		x.text("logical_name", logicalName)
	}
	x.bool("pass_discard", false)
	x.bool("read_only", false)
	x.bool("uses_scsi_reservation", false)
	if whole {
		c.writeDisk(x, a.disk)
	} else {
		x.ref("disk", "disks", a.disk.id)
	}
	x.ref(owner, collection, id)
	if owner == "template" {
		x.empty("vm", "id", id)
	}
	x.close("disk_attachment")
}

// postStart starts a VM. The 200 means that the run was scheduled.
func (c *call) postStart(v *vm) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	ways := 0
	for _, flag := range []string{"pause", "filter", "volatile", "use_cloud_init", "use_sysprep", "use_ignition", "use_initialization"} {
		on, _, r := doc.flag(flag)
		if r != nil {
			return c.refuse(r)
		}
		if on && strings.HasPrefix(flag, "use_") && flag != "use_initialization" {
			ways++
		}
	}
	if ways > 1 {
		return c.refuse(conflict("Cannot run VM. At most one of cloud-init, sysprep and ignition can be used."))
	}
	want := need{vm: v}
	for _, named := range doc.child("vm", "placement_policy", "hosts").all("host") {
		h := e.hostRef(named)
		if h == nil {
			return c.refuse(notFoundNamed(named.value("name") + named.attr("id")))
		}
		want.only = append(want.only, h)
	}
	h, r := e.canRun(want, false)
	if r != nil {
		return c.refuse(r)
	}
	if v.status == "paused" {
		return c.resume(v)
	}
	c.effect("start %s", v.name)
	e.launch(v, h, c.correlation, e.userName())
	v.runOnce = doc.child("vm") != nil
	j := c.newJob("Launching VM " + v.name)
	o := e.operation(v.cluster.sched.take(l.now, l.lat.Schedule), func() { j.end("finished", l.now) }, nil)
	if !c.wait(o) {
		return nil
	}
	return c.actionDone(j, func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

// postStop is shutdown or stop. A shutdown of a VM that is not up, so also the second one, is a power-off (ovirt-engine
// ShutdownVmCommand).
func (c *call) postStop(v *vm, gentle bool) *reply {
	e := c.engine
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	force, _, r := doc.flag("force")
	if r != nil {
		return c.refuse(r)
	}
	what := "stop VM"
	if gentle {
		what = "shutdown VM"
	}
	if r := e.canStop(v, what, force); r != nil {
		return c.refuse(r)
	}
	if v.status == "down" { // skipped, and a success (ovirt-engine StopVmCommandBase.shouldSkipCommandExecution)
		action := map[bool]string{true: "Shutdown VM", false: "Stop VM"}[gentle]
		e.event(eventAlreadyThere, "normal", "VM "+v.name+" is already Down, "+action+" was skipped. User: "+e.userName()+".", c.about(v))
		return c.doneVM(v, "Stopping VM "+v.name)
	}
	// It is the request that changes the OVF's generation, not its end.
	e.touch(v)
	v.exitError, v.stopReason = false, doc.value("reason")
	about := refs{vm: v, correlation: c.correlation, user: e.userName()}
	switch {
	case gentle && v.status == "up":
		e.event(eventVMShutdown, "normal", "VM shutdown initiated by "+e.userName()+" on VM "+v.name+" (Host: "+v.host.Name+").", about)
		e.powerDown(v, c.correlation)
		c.effect("shutdown %s", v.name)
	case gentle && v.status != "suspended":
		e.event(eventVMStoppedInstead, "normal", "VM "+v.name+" was powered off ungracefully by "+e.userName()+" (Host: "+v.host.Name+").", about)
		e.powerOff(v, c.correlation)
		c.effect("stop %s", v.name)
	case v.status == "suspended":
		e.discardMemory(v, c.correlation)
		c.effect("discard the memory of %s", v.name)
	default:
		e.event(eventVMStopped, "normal", "VM "+v.name+" powered off by "+e.userName()+" (Host: "+v.host.Name+").", about)
		e.powerOff(v, c.correlation)
		c.effect("stop %s", v.name)
	}
	j := c.doneJob("Stopping VM " + v.name)
	return c.actionDone(j, func(x *xmlWriter) { x.ref("vm", "vms", v.id) })
}

// putVM changes a VM. High availability, delete protection and the texts take effect at once in every status.
func (c *call) putVM(v *vm) *reply {
	e := c.engine
	doc, r := c.parse("vm")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attrs["id"]; id != "" && id != v.id {
		return c.refuse(immutable("id"))
	}
	switch {
	case v.busy:
		return c.refuse(v.held("edit VM"))
	case v.status == "image_locked":
		return c.refuse(isLocked("edit VM"))
	case v.cd != "" && !e.findsCD(v, v.cd):
		return c.refuse(bad("Invalid ISO image path"))
	}
	next := *v
	if name := doc.value("name"); name != "" && name != v.name {
		if o := find(e.vms, func(o *vm) bool { return o.name == name && o.cluster.dc == v.cluster.dc }); o != nil {
			return c.refuse(conflict("Cannot edit VM. The VM name is already in use, please choose a unique name and try again."))
		}
		next.name = name
	}
	if n := doc.child("description"); n != nil {
		next.description = strings.TrimSpace(n.text)
	}
	if n := doc.child("comment"); n != nil {
		next.comment = strings.TrimSpace(n.text)
	}
	for _, f := range []struct {
		to   *bool
		path []string
	}{{&next.ha, []string{"high_availability", "enabled"}}, {&next.deleteProtected, []string{"delete_protected"}}} {
		on, set, r := doc.flag(f.path...)
		if r != nil {
			return c.refuse(r)
		}
		if set {
			*f.to = on
		}
	}
	if p := doc.value("high_availability", "priority"); p != "" {
		n, err := strconv.Atoi(p)
		if err != nil {
			return c.refuse(invalidValue("priority", p))
		}
		next.haPriority = n
	}
	if lease := doc.child("lease"); lease != nil {
		id := lease.child("storage_domain").attr("id")
		d := e.domain(id)
		switch {
		case id == "":
		case d == nil || d.status != "active":
			return c.refuse(conflict("Cannot edit VM. The storage domain of the VM lease is not active."))
		case !next.ha:
			return c.refuse(conflict("Cannot edit VM. A VM lease can be set for highly available VMs only."))
		}
		next.leaseDomainID = id
	}
	// Every update gives a VM the value of its instance type (ovirt-engine VmManagementCommandBase, updateParametersVmFromInstanceType).
	if t := e.instanceType(v.instanceTypeID); t != nil {
		next.ha = t.HA
	}
	renamed := next.name != v.name
	if renamed {
		e.removeVM(v)
	}
	*v = next
	if renamed {
		e.addVM(v)
	}
	e.touch(v)
	c.effect("update %s", v.name)
	e.event(eventVMUpdated, "normal", "VM "+v.name+" configuration was updated by "+e.userName()+".", refs{vm: v, correlation: c.correlation, user: e.userName()})
	x := newDocument()
	c.writeVM(x, v, nil)
	return x.reply(http.StatusOK)
}

// putNIC changes a NIC; an empty vnic_profile element takes its profile away.
func (c *call) putNIC(v *vm, k *nic) *reply {
	e := c.engine
	doc, r := c.parse("nic")
	if r != nil {
		return c.refuse(r)
	}
	if v.busy || v.status == "image_locked" {
		return c.refuse(badStatus("edit Interface", v))
	}
	next := *k
	if n := doc.child("vnic_profile"); n != nil {
		id := n.attr("id")
		p := e.profile(id)
		switch {
		case id == "":
		case p == nil:
			return c.refuse(bad("Cannot edit Interface. The vNic Profile does not exist."))
		case !e.carries(v.cluster, p.NetworkID):
			return c.refuse(conflict("Cannot edit Interface. The network %s does not exist in the cluster.", e.network(p.NetworkID).Name))
		}
		next.profileID = id
	}
	if mac := doc.value("mac", "address"); mac != "" && !strings.EqualFold(mac, k.mac) {
		if owner := e.macUsed(mac, v.cluster.pool); owner != "" {
			return c.refuse(conflict("Cannot edit Interface. MAC Address %s is already in use by VM or snapshot: %s.", mac, owner))
		}
		next.mac = mac
	}
	for _, f := range []struct {
		name string
		to   *bool
	}{{"linked", &next.linked}, {"plugged", &next.plugged}} {
		on, set, r := doc.flag(f.name)
		if r != nil {
			return c.refuse(r)
		}
		if set {
			*f.to = on
		}
	}
	*k = next
	e.touch(v)
	c.effect("update %s of %s", k.name, v.name)
	x := newDocument()
	writeNIC(x, v, k)
	return x.reply(http.StatusOK)
}

// deleteVM removes a VM; without detach_only its disks are deleted with their images.
func (c *call) deleteVM(v *vm) *reply {
	e := c.engine
	detach := c.flagParam("detach_only")
	if r := e.canRemoveVM(v, detach, c.flagParam("force")); r != nil {
		return c.refuse(r)
	}
	e.touch(v)
	e.removeVM(v)
	what := "delete %s and keep its disks"
	if !detach {
		what = "delete %s with its disks"
		for _, a := range slices.Clone(v.disks) {
			e.removeDisk(a.disk)
			for _, d := range a.disk.domains {
				e.deleteImage(d, a.disk.id)
			}
		}
	}
	c.effect(what, v.name)
	e.event(eventVMRemoved, "normal", "VM "+v.name+" was successfully removed by "+e.userName()+".", refs{cluster: v.cluster, correlation: c.correlation, user: e.userName()})
	return c.actionDone(c.doneJob("Removing VM "+v.name), nil)
}
