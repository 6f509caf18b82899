package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// registration is what a register request asks for, beyond the entity.
type registration struct {
	partial, reassign bool
	name              string
	cluster           *cluster          // explicit
	clusters          map[string]string // map by name
	vnics             []vnicMapping
}

type vnicMapping struct {
	network, profile     string
	toID                 string
	toNetwork, toProfile string
	toNamesEmpty         bool // both target names are given, and empty
	toNamed              bool
}

// parseRegistration reads the action. A nil reply means that it is sound.
func (c *call) parseRegistration(doc *node) (*registration, *reply) {
	e := c.engine
	g := &registration{name: doc.value("name"), clusters: map[string]string{}}
	clone := false
	for _, f := range []struct {
		name string
		to   *bool
	}{{"allow_partial_import", &g.partial}, {"reassign_bad_macs", &g.reassign}, {"clone", &clone}} {
		var r *refusal
		if *f.to, _, r = doc.flag(f.name); r != nil {
			return nil, c.refuse(r)
		}
	}
	if clone {
		return nil, c.refuse(bad("Cannot import VM. The lab does not clone."))
	}
	if k := doc.child("cluster"); k != nil {
		switch id, name := k.attr("id"), k.value("name"); {
		case id != "":
			g.cluster = e.cluster(id)
			if g.cluster == nil {
				return nil, c.refuse(clusterEmpty())
			}
		case name != "":
			g.cluster = e.clusterByName(name)
			if g.cluster == nil {
				return nil, c.refuse(notFoundNamed(name))
			}
		}
	}
	config := doc.child("registration_configuration")
	for _, m := range []struct{ list, item, word string }{
		{"cluster_mappings", "registration_cluster_mapping", "Cluster"}, {"role_mappings", "registration_role_mapping", "Role"},
		{"domain_mappings", "registration_domain_mapping", "Domain"}, {"affinity_group_mappings", "registration_affinity_group_mapping", "Affinity Group"},
		{"affinity_label_mappings", "registration_affinity_label_mapping", "Affinity Label"},
	} {
		seen := map[string]bool{}
		for _, item := range config.child(m.list).all(m.item) {
			from, to := item.child("from"), item.child("to")
			switch {
			case from == nil || from.value("name") == "":
				return nil, c.refuse(&refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: "[" + m.word + " name is missing from source.]", bare: true})
			case to == nil:
				return nil, c.refuse(&refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: "[" + m.word + " name is missing from destination.]", bare: true})
			case seen[from.value("name")] || to.value("name") == "":
				// The REST layer makes a Java map of the list, which does not take duplicates or nulls.
				return nil, html(http.StatusInternalServerError, "Internal Server Error")
			}
			seen[from.value("name")] = true
			if m.word == "Cluster" {
				g.clusters[from.value("name")] = to.value("name")
			}
		}
	}
	for _, item := range config.child("vnic_profile_mappings").all("registration_vnic_profile_mapping") {
		from, to := item.child("from"), item.child("to")
		m := vnicMapping{network: from.value("network", "name"), profile: from.value("name"), toID: to.attr("id"),
			toNetwork: to.value("network", "name"), toProfile: to.value("name")}
		named := to.child("name") != nil && to.child("network", "name") != nil
		m.toNamesEmpty, m.toNamed = named && m.toNetwork == "" && m.toProfile == "", m.toNetwork != "" && m.toProfile != ""
		if m.network != "" && m.profile != "" { // an incomplete source is ignored without a word
			g.vnics = append(g.vnics, m)
		}
	}
	if len(g.vnics) == 0 {
		// The deprecated form counts only when the configuration has none.
		for _, item := range doc.child("vnic_profile_mappings").all("vnic_profile_mapping") {
			m := vnicMapping{network: item.value("source_network_name"), profile: item.value("source_network_profile_name"),
				toID: item.child("target_vnic_profile").attr("id")}
			if m.network != "" || m.profile != "" {
				g.vnics = append(g.vnics, m)
			}
		}
	}
	return g, nil
}

// clusterEmpty is ACTION_TYPE_FAILED_CLUSTER_CAN_NOT_BE_EMPTY.
func clusterEmpty() *refusal { return bad("Cannot import VM. The relevant Cluster doesn't exist.") }

// targetCluster resolves the cluster: explicit, by the map, by the original name.
func (e *engine) targetCluster(g *registration, original string) *cluster {
	if g.cluster != nil {
		return g.cluster
	}
	if to, ok := g.clusters[original]; ok {
		if k := e.clusterByName(to); k != nil {
			return k
		}
	}
	return e.clusterByName(original)
}

// targetProfile resolves the vNIC profile of a NIC: the first rule that gives a usable one wins, else the NIC has none, without a
// word (ovirt-engine MapVnicFlow).
func (e *engine) targetProfile(g *registration, k *cluster, network, profile string) string {
	byName := func(network, profile string) string {
		for _, p := range e.profiles {
			if n := e.network(p.NetworkID); p.Name == profile && n.Name == network && e.carries(k, n.ID) {
				return p.ID
			}
		}
		return ""
	}
	for _, m := range g.vnics {
		if m.network != network || m.profile != profile {
			continue
		}
		if p := e.profile(m.toID); p != nil && e.carries(k, p.NetworkID) {
			return p.ID
		}
		if m.toNamed {
			if id := byName(m.toNetwork, m.toProfile); id != "" {
				return id
			}
		}
		if m.toNamesEmpty {
			return ""
		}
		break
	}
	return byName(network, profile)
}

// macUsed reports which VM of the engine has a MAC in a pool, "" for none.
func (e *engine) macUsed(mac string, pool *macPool) string {
	for _, v := range e.vms {
		if v.cluster.pool != pool {
			continue
		}
		for _, n := range v.nics {
			if strings.EqualFold(n.mac, mac) {
				return v.name
			}
		}
	}
	return ""
}

// freeMAC allocates an address of a pool; taken holds those given out in the same registration.
func (e *engine) freeMAC(pool *macPool, taken map[string]bool) (string, bool) {
	used := map[string]bool{}
	for _, v := range e.vms {
		for _, n := range v.nics {
			used[strings.ToLower(n.mac)] = true
		}
	}
	for n := pool.from; n <= pool.to; n++ {
		if mac := macString(n); !used[mac] && !taken[mac] {
			return mac, true
		}
	}
	return "", false
}

const importVM = "import VM"

// canRegister validates a registration (ovirt-engine ImportVmFromConfigurationCommand, ImportValidator). It returns the disks that
// will be part of the VM and the MACs of its NICs.
func (e *engine) canRegister(d *storageDomain, o *ovfVM, g *registration, k *cluster) (disks []ovfDisk, macs []string, r *refusal) {
	name := o.name
	if g.name != "" {
		name = g.name
	}
	switch {
	case e.locked["VM:"+o.id]:
		return nil, nil, conflict("Cannot import VM. VM %s is being imported.", name)
	case e.locked["VMNAME:"+name]:
		return nil, nil, conflict("Cannot import VM. The VM name is already in use, please choose a unique name and try again.")
	case e.vm(o.id) != nil:
		return nil, nil, conflict("Import VM failed - VM Id already exists in the system. Please remove the VM (%s) from the system first", e.vm(o.id).name)
	case k == nil:
		return nil, nil, clusterEmpty()
	case k.BIOSType == "":
		return nil, nil, conflict("Cannot import VM. The cluster's BIOS type is not set.")
	case k.Architecture != o.architecture:
		return nil, nil, bad("Cannot import VM. The VM's architecture is not supported by the cluster.")
	case k.dc.status != "up" || k.dc.spm == nil:
		return nil, nil, conflict("Cannot import VM. The relevant Data Center's status is not up.")
	}
	for _, v := range e.vms {
		if v.cluster.dc == k.dc && v.name == name {
			return nil, nil, conflict("Import VM failed - VM Name already exists in the Data Center. Please rename the VM in the system first")
		}
	}
	if o.templateID != blankID {
		t := e.template(o.templateID)
		switch {
		case t == nil:
			return nil, nil, bad("Cannot import VM. The VM is thin provisioned and its template doesn't exist.")
		case t.cluster == nil || t.cluster.dc != k.dc:
			return nil, nil, bad("Cannot import VM. The Template doesn't exist in the current Data Center.")
		}
		on := len(t.disks) == 0
		for _, td := range t.disks {
			on = on || slices.Contains(td.domains, d)
		}
		if !on {
			return nil, nil, bad("Cannot import VM. Template's disks are not found on the Storage Domain %s.", d.name)
		}
	}
	taken := map[string]bool{}
	for _, n := range o.nics {
		mac := n.mac
		inRange := macNumber(mac) >= k.pool.from && macNumber(mac) <= k.pool.to
		owner := e.macUsed(mac, k.pool)
		if owner == "" && taken[strings.ToLower(mac)] {
			owner = name
		}
		if g.reassign && (owner != "" || !inRange) {
			var ok bool
			if mac, ok = e.freeMAC(k.pool, taken); !ok {
				return nil, nil, conflict("Cannot import VM. Not enough MAC addresses left in MAC Address Pool.")
			}
		} else if owner != "" {
			return nil, nil, conflict("Cannot import VM. MAC Address %s is already in use by VM or snapshot: %s.", mac, owner)
		}
		taken[strings.ToLower(mac)] = true
		macs = append(macs, mac)
	}
	for _, k := range o.disks {
		r := e.canTake(k)
		if r == nil {
			disks = append(disks, k)
		} else if !g.partial {
			return nil, nil, r
		}
	}
	return disks, macs, nil
}

// canTake validates one disk of a registration.
func (e *engine) canTake(k ovfDisk) *refusal {
	if k.lun != nil && e.diskByID[k.id] == nil {
		return e.canTakeLUN(k.lun)
	}
	on := e.domain(k.domainID)
	switch {
	case e.diskByID[k.id] != nil && e.diskByID[k.id].shareable && k.shareable:
		return nil
	case e.diskByID[k.id] != nil:
		return conflict("Cannot import VM. The following disks already exist: %s. Please import as a clone.", k.alias)
	case on == nil || on.dc == nil:
		return bad("Cannot import VM. The Storage Domain doesn't exist.")
	case on.status != "active":
		return statusIllegal(importVM, on.status)
	}
	if found, _ := e.lab.content(on.export); found != nil {
		if _, ok := found.image(k.id); ok {
			return nil
		}
	}
	return bad("Cannot import VM. VM's Image does not exist: %s. Please allow partial import to import the VM without it.", k.alias)
}

// postRegisterVM registers a VM from the OVF store. The request lasts until the job ends, and says complete however that was.
func (c *call) postRegisterVM(d *storageDomain, id string) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	g, no := c.parseRegistration(doc)
	if no != nil {
		return no
	}
	o := find(d.vms, func(o *ovfVM) bool { return o.id == id })
	if o == nil {
		// There is no row to validate. A repeated registration is refused by whatever comes first, mostly its own MACs.
		if v := e.vm(id); v != nil {
			if len(v.nics) > 0 {
				return c.refuse(conflict("Cannot import VM. MAC Address %s is already in use by VM or snapshot: %s.", v.nics[0].mac, v.name))
			}
			return c.refuse(conflict("Import VM failed - VM Id already exists in the system. Please remove the VM (%s) from the system first", v.name))
		}
		return c.refuse(internal())
	}
	k := e.targetCluster(g, o.cluster)
	if _, _, r := e.canRegister(d, o, g, k); r != nil {
		return c.refuse(r)
	}
	name := o.name
	if g.name != "" {
		name = g.name
	}
	locks := []string{"VM:" + o.id, "VMNAME:" + name}
	for _, lock := range locks {
		e.locked[lock] = true
	}
	j := c.newJob("Importing VM " + name + " from configuration")
	done := e.registering.take(l.now, l.lat.RegisterVM)
	var fail *refusal
	var v *vm
	var rows []*storageDomain
	free := func() {
		for _, lock := range locks {
			delete(e.locked, lock)
		}
	}
	// Towards the end the VM is there, locked; then it is down.
	o1 := e.operation(done.Add(-l.lat.RegisterVM/6), func() {
		free()
		disks, macs, r := e.canRegister(d, o, g, k)
		if r != nil {
			fail = r
			j.end("failed", l.now)
			return
		}
		rows = e.rowsOf(o.id)
		v = e.register(o, g, k, name, disks, macs)
		for i, n := range v.nics {
			if m := macNumber(n.mac); m < k.pool.from || m > k.pool.to {
				e.event(eventMACRange, "warning", fmt.Sprintf("VM %s has MAC address(es) %s, which is/are out of its MAC pool definitions.", v.name, macs[i]), refs{vm: v, correlation: c.correlation})
			}
		}
		if len(disks) < len(o.disks) {
			var missing []string
			for _, s := range o.disks {
				if v.attachment(s.id) == nil {
					missing = append(missing, s.alias)
				}
			}
			e.event(eventPartsLeftOut, "warning", fmt.Sprintf("The following entities could not be verified and will not be part of the imported VM %s: 'Disks: %s ' (User: %s).", v.name, strings.Join(missing, ", "), e.userName()), refs{vm: v, correlation: c.correlation})
		}
		c.effect("register %s", v.name)
	}, nil)
	o2 := e.operation(done, func() {
		if v == nil || e.vm(v.id) != v {
			return
		}
		v.status, v.busy, v.busyWith = "down", false, ""
		j.end("finished", l.now)
		e.event(eventVMRegistered, "normal", "VM "+v.name+" has been successfully imported from the given configuration.", refs{vm: v, domain: d, correlation: c.correlation, user: e.userName()})
		if e.meets(FaultRegisterLost, v.id, v.name) {
			e.operation(l.now.Add(time.Second), func() {
				e.unregister(v)
				j.status = "failed"
				e.event(eventImportFailed, "error", "Failed to import Vm "+v.name+" to Data Center "+k.dc.Name+", Cluster "+k.Name, refs{correlation: c.correlation, cluster: k})
			}, nil)
		}
	}, func() {
		// An engine that was restarted in the middle takes the half-made VM out again and has its rows back.
		if v != nil {
			e.unregister(v)
			for _, d := range rows {
				d.vms = append(d.vms, o)
			}
		}
	})
	if !c.wait(o1) {
		return nil
	}
	var answer *reply
	if fail != nil {
		answer = c.refuse(fail)
	} else {
		if !c.wait(o2) {
			return nil
		}
		answer = c.actionDone(j, func(x *xmlWriter) {
			x.ref("vm", "vms", v.id)
		})
	}
	answer.waited = true
	return answer
}

// register makes the VM. Its rows go on all domains, whatever was left out.
func (e *engine) register(o *ovfVM, g *registration, k *cluster, name string, disks []ovfDisk, macs []string) *vm {
	v := &vm{id: o.id, name: name, description: o.description, comment: o.comment, cluster: k, templateID: o.templateID, memory: o.memory, ha: o.ha,
		haPriority: o.haPriority, deleteProtected: o.deleteProtected, agent: o.agent, fqdn: o.fqdn, ip: o.ip, ovfBroken: o.broken, taken: slices.Clone(o.taken), cd: o.cd,
		created: o.created, status: "image_locked", busy: true, busyWith: "VM " + name + " is being imported."}
	if o.ha {
		v.leaseDomainID = o.leaseDomainID // switched off HA loses the lease
	}
	if v.leaseDomainID != "" && e.domain(v.leaseDomainID) == nil {
		v.leaseDomainID = ""
	}
	for i, n := range o.nics {
		v.nics = append(v.nics, &nic{id: n.id, name: n.name, mac: macs[i], linked: n.linked, plugged: n.plugged,
			profileID: e.targetProfile(g, k, n.network, n.profile)})
	}
	for _, s := range disks {
		x := e.diskOf(s)
		v.disks = append(v.disks, &attachment{disk: x, bootable: s.bootable, active: true})
	}
	e.addVM(v)
	e.touch(v)
	e.dropRows(o.id)
	return v
}

// unregister takes a VM out of the database; its images stay.
func (e *engine) unregister(v *vm) {
	if e.vm(v.id) != v {
		return
	}
	v.seq++
	e.closeDisks(v)
	for _, a := range v.disks {
		e.removeDisk(a.disk)
	}
	e.removeVM(v)
}

// postRegisterTemplate is ovirt-engine ImportVmTemplateFromConfigurationCommand.
func (c *call) postRegisterTemplate(d *storageDomain, id string) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	g, no := c.parseRegistration(doc)
	if no != nil {
		return no
	}
	o := find(d.templates, func(o *ovfTemplate) bool { return o.id == id })
	switch {
	case e.template(id) != nil:
		return c.refuse(conflict("Import Template failed - Template Id already exists in the system. Please remove the Template (%s) from the system first", e.template(id).Name))
	case o == nil:
		return c.refuse(internal())
	case e.locked["TEMPLATE:"+id]:
		return c.refuse(objectLocked("import Template"))
	}
	k := e.targetCluster(g, o.cluster)
	switch {
	case k == nil:
		return c.refuse(clusterEmpty())
	case k.dc.status != "up":
		return c.refuse(conflict("Cannot import Template. The relevant Data Center's status is not up."))
	case d.status != "active":
		return c.refuse(statusIllegal("import Template", d.status))
	case o.baseID != "" && o.baseID != o.id && e.template(o.baseID) == nil:
		return c.refuse(bad("Cannot import Template. The base template doesn't exist."))
	}
	for _, t := range e.templates {
		if t.Name == o.name && t.cluster != nil && t.cluster.dc == k.dc && o.baseID == "" {
			return c.refuse(conflict("Import Template failed - Template Name already exists in the Data Center. Please rename the Template in the system first"))
		}
	}
	var disks []ovfDisk
	for _, s := range o.disks {
		r := e.canTake(s)
		if r == nil {
			disks = append(disks, s)
		} else if !g.partial {
			return c.refuse(r)
		}
	}
	e.locked["TEMPLATE:"+id] = true
	j := c.newJob("Importing Template " + o.name + " from configuration")
	var t *template
	op1 := e.operation(e.registering.take(l.now, l.lat.RegisterTmpl), func() {
		delete(e.locked, "TEMPLATE:"+id)
		t = &template{Template: Template{ID: o.id, Name: o.name, ClusterID: k.ID, BaseID: o.baseID, Version: o.version}, cluster: k, status: "locked", created: o.created}
		for _, s := range disks {
			x := e.diskOf(s)
			t.disks = append(t.disks, x)
		}
		e.templates = append(e.templates, t)
		slices.SortStableFunc(e.templates, func(a, b *template) int { return strings.Compare(a.Name, b.Name) })
		d.changed = true
		e.dropRows(o.id)
		c.effect("register template %s", t.Name)
		e.event(eventTemplateRegister, "normal", "Template "+t.Name+" has been successfully imported from the given configuration.", refs{template: t.ID, domain: d, cluster: k, correlation: c.correlation, user: e.userName()})
		// The tasks of the hosts end a moment after the answer: wait for its status.
		ready := func() {
			t.status = "ok"
			j.end("finished", l.now)
		}
		e.operation(l.now.Add(time.Second), ready, ready)
	}, nil)
	if !c.wait(op1) {
		return nil
	}
	answer := c.actionDone(j, func(x *xmlWriter) { x.ref("template", "templates", id) })
	answer.waited = true
	return answer
}
