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
	partial, reassign, clone bool

	name     string
	cluster  *cluster // explicit
	mappings mappings
	vnics    []vnicMapping
}

type vnicMapping struct {
	network, profile     string
	toID                 string
	toNetwork, toProfile string
	toNamesEmpty         bool // both target names are given, and empty
	toNamed              bool
}

// parseRegistration reads the action; check validates its mappings, or is nil where the REST layer does not. A nil reply means that
// it is sound.
func (c *call) parseRegistration(doc *node, check func(config *node) *refusal) (*registration, *reply) {
	e := c.engine
	config := doc.child("registration_configuration")
	if check != nil {
		if r := check(config); r != nil {
			return nil, c.refuse(r)
		}
	}
	g := &registration{}
	for _, f := range []struct {
		name string
		to   *bool
	}{{"allow_partial_import", &g.partial}, {"reassign_bad_macs", &g.reassign}, {"clone", &g.clone}} {
		var r *refusal
		if *f.to, _, r = doc.flag(f.name); r != nil {
			return nil, c.refuse(r)
		}
	}
	var ok bool
	if g.mappings, ok = readMappings(config); !ok {
		return nil, html(http.StatusInternalServerError, "Internal Server Error")
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
	if to, ok := g.mappings.clusters[original]; ok {
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

const importVM = "import VM"

// postRegisterVM registers a VM from the OVF store (ovirt-engine BackendStorageDomainVmResource.register,
// ImportVmFromConfigurationCommand). The request lasts until the job ends, and says complete however that was.
func (c *call) postRegisterVM(d *storageDomain, id string) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	g, no := c.parseRegistration(doc, checkMappings)
	if no != nil {
		return no
	}
	g.name = doc.value("name")
	if doc.child("clone") != nil && doc.child("vm", "name") != nil { // the parameters have no VM yet that could take the name
		return html(http.StatusInternalServerError, "Internal Server Error")
	}
	row := find(d.vms, func(o *ovfVM) bool { return o.id == id })
	if row == nil {
		// There is no row to validate. A repeated registration is refused by whatever comes first, mostly its own MACs.
		if v := e.vm(id); v != nil {
			if len(v.nics) > 0 && !v.cluster.pool.AllowDuplicates {
				return c.refuse(macDuplicates([]string{v.nics[0].name}))
			}
			return c.refuse(vmExists(v.name))
		}
		return c.refuse(internal())
	}
	o, ok := g.mappings.mapLUNs(row)
	if !ok {
		return html(http.StatusInternalServerError, "Internal Server Error")
	}
	e.registrationID(o, g)
	k := e.targetCluster(g, o.cluster)
	if r := e.registrationLocked(o.as, o.named); r != nil {
		return c.refuse(r)
	}
	if _, r := e.canRegister(o, g, k); r != nil {
		return c.refuse(r)
	}
	locks := []string{"VM:" + o.as, "VMNAME:" + o.named}
	for _, lock := range locks {
		e.locked[lock] = true
	}
	j := c.newJob("Importing VM " + o.named + " from configuration")
	done := e.registering.take(l.now, l.lat.RegisterVM)
	var fail *refusal
	var v *vm
	var rows []*storageDomain
	var joins *joining
	free := func() {
		for _, lock := range locks {
			delete(e.locked, lock)
		}
	}
	// What the VM will join is read when the validation ends, and written when the command is carried out: two registrations at a time
	// do not see each other.
	e.operation(done.Add(-l.lat.RegisterVM/3), func() { joins = e.joining(o, g, k) }, nil)
	// Towards the end the VM is there, locked; then it is down.
	o1 := e.operation(done.Add(-l.lat.RegisterVM/6), func() {
		free()
		parts, r := e.canRegister(o, g, k)
		if r != nil {
			fail = r
			j.end("failed", l.now)
			return
		}
		rows = e.rowsOf(o.id)
		if text := joins.missing(parts.dropped); text != "" {
			e.event(eventPartsLeftOut, "warning", fmt.Sprintf("The following entities could not be verified and will not be part of the imported VM %s: '%s' (User: %s).",
				o.named, text, e.userName()), refs{correlation: c.correlation, cluster: k, user: e.userName()})
		}
		v = e.register(o, g, k, parts, c.correlation)
		e.join(v, joins)
		if outside := k.pool.outside(v); len(outside) > 0 && !g.reassign && !g.clone {
			e.event(eventMACRange, "warning", fmt.Sprintf("VM %s has MAC address(es) %s, which is/are out of its MAC pool definitions.", v.name, strings.Join(outside, ", ")),
				refs{vm: v, correlation: c.correlation})
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
		// The lease is made in the background, when the answer is out.
		if e.meets(FaultRegisterLost, v.id, v.name) || !e.leaseMade(v) {
			e.operation(l.now.Add(time.Second), func() {
				e.unregister(v)
				j.status = "failed"
				e.event(eventImportFailed, "error", fmt.Sprintf("Failed to import Vm %s to Data Center %s, Cluster %s", v.name, k.dc.Name, k.Name), refs{correlation: c.correlation, cluster: k})
			}, nil)
		}
	}, func() {
		// An engine that was restarted in the middle takes the half-made VM out again and has its rows back.
		if v != nil {
			e.unregister(v)
			for _, d := range rows {
				d.vms = append(d.vms, o.row)
			}
		}
	})
	if !c.wait(o1) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	if !c.wait(o2) {
		return nil
	}
	return c.actionDone(j, func(x *xmlWriter) {
		x.ref("vm", "vms", v.id)
	})
}

// register makes the VM. Its rows go on all domains, whatever was left out.
func (e *engine) register(o *incoming, g *registration, k *cluster, parts parts, correlation string) *vm {
	v := &vm{id: o.as, name: o.named, description: o.description, comment: o.comment, cluster: k, templateID: o.templateID, memory: o.memory, ha: o.ha,
		haPriority: o.haPriority, deleteProtected: o.deleteProtected, agent: o.agent, agentDelay: o.agentDelay, fqdn: o.fqdn, ip: o.ip, ovfBroken: o.broken,
		customLevel: o.customLevel, properties: o.properties, taken: slices.Clone(o.taken), cd: o.cd, pinnedTo: e.knownHosts(k, o.pinnedTo),
		created: o.created, status: "image_locked", busy: true, busyWith: "VM " + o.named + " is being imported."}
	for i, n := range o.nics {
		id := n.id
		if g.clone {
			id = e.lab.newID()
		}
		v.nics = append(v.nics, &nic{id: id, name: n.name, mac: parts.macs[i], linked: n.linked, plugged: n.plugged,
			profileID: e.targetProfile(g, k, n.network, n.profile)})
	}
	for _, s := range parts.disks {
		// A clone without template and snapshots gets new ids for its disks, while the images keep theirs: nothing is copied
		// (ovirt-engine ImportVmCommand.addVmImagesAndSnapshots).
		if g.clone && s.lun == nil && o.templateID == blankID && len(o.taken) == 0 {
			s.id, s.imageID = e.lab.newID(), e.lab.newID()
		}
		x := e.diskOf(s)
		v.disks = append(v.disks, &attachment{disk: x, bootable: s.bootable, active: true})
	}
	e.addVM(v)
	e.settleLevel(v, correlation)
	e.settleLease(v, o.leaseDomainID, correlation)
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
