package lab

import (
	"slices"
	"time"
)

// ovfStore is the OVF_STORE of a storage domain: the VMs and templates as they were when it was written, and the status that
// each VM which was not down had at that time (ovirt-engine ProcessOvfUpdateForStorageDomainCommand). It is never changed in place.
type ovfStore struct {
	written   time.Time
	vms       []*ovfVM
	templates []*ovfTemplate
}

// ovfVM is a VM as its OVF tells: networks and cluster by name, disks by id.
type ovfVM struct {
	id, name, description, comment string
	cluster, architecture          string
	templateID                     string
	memory                         int64
	ha                             bool
	haPriority                     int
	leaseDomainID                  string
	deleteProtected                bool
	agent                          bool
	fqdn, ip                       string // of the guest: the lab's stand-in for what is inside the disks
	broken                         bool
	status                         string // from the store's status map; down when absent
	created                        time.Time
	nics                           []ovfNIC
	disks                          []ovfDisk
	customLevel                    string
	agentDelay                     time.Duration // of the guest, as fqdn and ip are
	taken                          []snapshot
	pinnedTo                       []string
	belongings
	cd string
}

type ovfNIC struct {
	id, name, mac    string
	network, profile string
	linked, plugged  bool
}

type ovfDisk struct {
	id, alias, imageID string
	size               int64
	domainID           string
	bootable           bool
	shareable          bool
	raw, thick         bool
	lun                *ovfLUN // of a direct LUN, which has no domain
}

type ovfTemplate struct {
	id, name, baseID string
	version          int
	cluster          string
	disks            []ovfDisk
	created          time.Time
	belongings
}

// domains returns the storage domains on which a VM's OVF is kept: those of its images, or for a VM without any all data domains of
// its data center (ovirt-engine OvfDataUpdater).
func (e *engine) ovfDomains(v *vm) []*storageDomain {
	var list []*storageDomain
	for _, a := range v.disks {
		for _, d := range a.disk.domains {
			if !slices.Contains(list, d) {
				list = append(list, d)
			}
		}
	}
	if !v.onImages() {
		return slices.DeleteFunc(e.attached(v.cluster.dc), (*storageDomain).isoDomain)
	}
	return list
}

// touch marks the OVF of a VM as changed: the next update of its domains writes it.
func (e *engine) touch(v *vm) {
	for _, d := range e.ovfDomains(v) {
		d.changed = true
	}
}

func ovfDiskOf(d *disk, bootable bool) ovfDisk {
	domain := ""
	if len(d.domains) > 0 {
		domain = d.domains[0].id
	}
	o := ovfDisk{id: d.id, alias: d.alias, imageID: d.imageID, size: d.size, domainID: domain, bootable: bootable, shareable: d.shareable, raw: d.raw, thick: d.thick}
	if d.lun != nil {
		o.lun = ovfLUNOf(d.lun)
	}
	return o
}

func (e *engine) ovfOf(v *vm) *ovfVM {
	o := &ovfVM{id: v.id, name: v.name, description: v.description, comment: v.comment, cluster: v.cluster.Name, architecture: v.cluster.Architecture,
		templateID: v.templateID, memory: v.memory, ha: v.ha, haPriority: v.haPriority, leaseDomainID: v.leaseDomainID,
		deleteProtected: v.deleteProtected, agent: v.agent, fqdn: v.fqdn, ip: v.ip, broken: v.ovfBroken, status: v.status, created: v.created,
		customLevel: v.customLevel, agentDelay: v.agentDelay, taken: slices.Clone(v.taken), pinnedTo: v.pinnedTo, cd: v.cd, belongings: e.belongingsOf("vm", v.id)}
	for _, n := range v.nics {
		network, profile := e.networkName(n.profileID)
		o.nics = append(o.nics, ovfNIC{id: n.id, name: n.name, mac: n.mac, network: network, profile: profile, linked: n.linked, plugged: n.plugged})
	}
	for _, a := range v.disks {
		o.disks = append(o.disks, ovfDiskOf(a.disk, a.bootable))
	}
	return o
}

// unwritable reports whether an OVF update passes a VM over: in image_locked, with a locked disk, or in a preview (ovirt-engine
// ProcessOvfUpdateForStoragePoolCommand, populateVmsMetadataForOvfUpdate).
func (v *vm) unwritable() bool {
	return v.status == "image_locked" || v.disksIn("locked") != "" || v.preview
}

// writeStore writes the OVF store of an attached domain. VMs that an update passes over keep the OVF that they had.
func (e *engine) writeStore(d *storageDomain) {
	c := d.export.copy
	if c == nil {
		return
	}
	store := ovfStore{written: e.lab.now}
	first := c.now().store.written.IsZero() // while the world is built: these OVFs have always been there
	old := map[string]*ovfVM{}
	for _, o := range c.now().store.vms {
		old[o.id] = o
	}
	for _, v := range e.vms {
		if v.cluster.dc != d.dc || !slices.Contains(e.ovfDomains(v), d) {
			continue
		}
		if v.unwritable() && !first {
			if o := old[v.id]; o != nil {
				store.vms = append(store.vms, o)
			}
			continue
		}
		store.vms = append(store.vms, e.ovfOf(v))
	}
	// What lies on the domain and was never registered here stays in the store.
	for _, o := range d.vms {
		if e.vm(o.id) == nil {
			store.vms = append(store.vms, o)
		}
	}
	for _, t := range e.templates {
		if t.cluster == nil || t.cluster.dc != d.dc {
			continue
		}
		on := false
		o := &ovfTemplate{id: t.ID, name: t.Name, baseID: t.BaseID, version: t.Version, cluster: t.cluster.Name, created: t.created,
			belongings: e.belongingsOf("template", t.ID)}
		for _, k := range t.disks {
			o.disks = append(o.disks, ovfDiskOf(k, true))
			on = on || slices.Contains(k.domains, d)
		}
		if on {
			store.templates = append(store.templates, o)
		}
	}
	store.templates = append(store.templates, d.templates...)
	c.change(e.lab.now, func(next *contents) { next.store = store })
	d.changed = false
}

// readStore fills the unregistered entities of a domain from its OVF store. An OVF that does not parse is left out without a
// word (ovirt-engine AttachStorageDomainToPoolCommand).
func (d *storageDomain) readStore(c *contents) {
	d.vms, d.templates = nil, nil
	for _, o := range c.store.vms {
		if !o.broken {
			d.vms = append(d.vms, o)
		}
	}
	d.templates = append(d.templates, c.store.templates...)
}

// scheduleOVF lets the engine write the OVF stores by itself from time to time.
func (e *engine) scheduleOVF() {
	e.operation(e.lab.now.Add(e.lab.ovf), func() {
		for _, d := range e.domains {
			if d.status == "active" && !d.ovfBusy && d.changed {
				e.updateOVF(d, "", nil)
			}
		}
		e.scheduleOVF()
	}, nil)
}

// updateOVF starts an OVF update of an active domain; j is its job, nil where the engine does it by itself.
func (e *engine) updateOVF(d *storageDomain, correlation string, j *job) {
	d.ovfBusy = true
	e.operation(d.dc.work.take(e.lab.now, e.lab.lat.OVFUpdate), func() {
		d.ovfBusy = false
		if j != nil {
			j.end("finished", e.lab.now)
		}
		switch {
		case d.dc == nil || d.status != "active" || !d.export.online || !d.export.writable:
			e.event(eventOVFFailed, "error", "Failed to update VMs/Templates OVF data for Storage Domain "+d.name+".", refs{domain: d, correlation: correlation})
		case !d.changed:
			if j != nil {
				e.event(eventOVFNothing, "normal", "OVFs update was ignored - nothing to update for storage domain '"+d.name+"'", refs{domain: d, correlation: correlation})
			}
		default:
			e.writeStore(d)
			if j != nil { // of its own updates the engine tells only failures (ovirt-engine ProcessOvfUpdateForStorageDomainCommand)
				e.event(eventOVFUpdated, "normal", "OVF_STORE for domain "+d.name+" was updated by "+e.spec.Username+".", refs{domain: d, correlation: correlation})
			}
		}
	}, func() { d.ovfBusy = false })
}
