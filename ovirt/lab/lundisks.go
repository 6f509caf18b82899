package lab

import (
	"fmt"
	"slices"
)

// lunDisk is what an engine knows of the LUN that is a disk: a direct LUN lies on no storage domain.
type lunDisk struct {
	id, kind string // the WWID; iscsi or fcp
	unit     LUN    // as it was when the disk was added; zero where no host had looked at it
	conns    []*connection
}

// diskPlace is where the data of a disk lies: an export, and the name of its counter there.
type diskPlace struct {
	export *export
	key    string
}

// places returns where the data of a disk lies: its image on each of its storage domains, or its LUN. A LUN that the world does not
// have is nowhere.
func (e *engine) places(k *disk) []diskPlace {
	var list []diskPlace
	if k.lun != nil {
		if u := e.lab.lun(k.lun.id); u != nil {
			list = append(list, diskPlace{export: u.set, key: u.counterKey()})
		}
		return list
	}
	for _, d := range k.domains {
		list = append(list, diskPlace{export: d.export, key: k.id})
	}
	return list
}

// opens is why a host cannot open the data of a disk for QEMU; "" means that it can.
func (e *engine) opens(h *host, k *disk) string {
	if k.lun != nil {
		u := e.lab.lun(k.lun.id)
		switch {
		case u == nil || !u.set.online || !h.sees(u.set):
			return "unable to open LUN " + k.lun.id + ": No such file or directory."
		case u.set.Type == kindISCSI && !e.mayLogin(k.lun, u.set.target):
			return "unable to open LUN " + k.lun.id + ": Failed to login to iSCSI node due to authorization failure."
		case !u.set.writable:
			return "unable to open LUN " + k.lun.id + ": Read-only file system."
		}
		return ""
	}
	for _, d := range k.domains {
		if !d.export.online || !d.export.writable || d.export.copy == nil || !h.sees(d.export) {
			return "unable to open the image of disk " + k.alias + ": Read-only file system."
		}
		if _, ok := d.export.copy.now().image(k.id); !ok {
			return "Bad volume specification of disk " + k.alias + "."
		}
	}
	return ""
}

// mayLogin reports whether one of a LUN disk's connections lets a host in.
func (e *engine) mayLogin(k *lunDisk, t *target) bool {
	return slices.ContainsFunc(k.conns, func(v *connection) bool {
		return v.target == t.Name && t.accepts(v.username, v.password) &&
			slices.ContainsFunc(t.portals, func(p portal) bool { return p.address == v.address && p.port == v.port })
	})
}

// storageType is the kind of a disk in the API's spelling.
func (k *disk) storageType() string {
	if k.lun != nil {
		return "lun"
	}
	return "image"
}

// onImages reports whether a VM has a disk that is an image on a storage domain.
func (v *vm) onImages() bool {
	return slices.ContainsFunc(v.disks, func(a *attachment) bool { return a.disk.lun == nil })
}

// writeLUNDisk writes the disk of a direct LUN, which has no size and no status of its own (ovirt-engine DiskMapper).
func writeLUNDisk(x *xmlWriter, d *disk) {
	href := apiRoot + "/disks/" + d.id
	x.open("disk", "href", href, "id", d.id)
	x.actions(href, diskActions...)
	x.text("name", d.alias)
	x.text("description", d.description)
	x.links(href, "permissions", "disksnapshots", "statistics")
	x.text("alias", d.alias)
	x.text("content_type", "data")
	x.open("lun_storage", "id", d.lun.id)
	x.open("logical_units")
	var first *connection
	if len(d.lun.conns) > 0 {
		first = d.lun.conns[0]
	}
	u := d.lun.unit
	u.ID = d.lun.id
	writeUnit(x, &lun{LUN: u, set: &export{}}, unitUse{disk: d.id}, first, 0)
	x.close("logical_units")
	x.text("type", d.lun.kind)
	x.close("lun_storage")
	x.bool("propagate_errors", false)
	x.text("sgio", "disabled")
	x.bool("shareable", d.shareable)
	x.text("storage_type", "lun")
	x.bool("wipe_after_delete", false)
	x.close("disk")
}

// ovfLUN is a direct LUN as an OVF tells of it: without credentials, which only the mapping of a registration can supply.
type ovfLUN struct {
	id, kind string
	unit     LUN
	conns    []connection // without id, user name and password
}

func ovfLUNOf(k *lunDisk) *ovfLUN {
	o := &ovfLUN{id: k.id, kind: k.kind, unit: k.unit}
	for _, v := range k.conns {
		o.conns = append(o.conns, connection{kind: v.kind, address: v.address, port: v.port, target: v.target})
	}
	return o
}

// lunFor makes the LUN disk's side of a direct LUN, with the engine's connections to it.
func (e *engine) lunFor(o *ovfLUN) *lunDisk {
	k := &lunDisk{id: o.id, kind: o.kind, unit: o.unit}
	if u := e.lab.lun(o.id); u != nil {
		k.unit = u.LUN
	}
	if o.kind == kindISCSI {
		for _, v := range o.conns {
			k.conns = append(k.conns, e.keep(&v))
		}
	}
	return k
}

// buildLUNDisk makes the LUN's side of a disk of the starting world, with a connection for each portal of its target.
func (e *engine) buildLUNDisk(u *lun) *lunDisk {
	k := &lunDisk{id: u.ID, kind: u.set.Type, unit: u.LUN}
	if u.Counter > 0 { // before a guest of the starting world goes on writing
		e.lab.raw(u).counter(u.counterKey()).base = u.Counter
	}
	if u.set.Type != kindISCSI {
		return k
	}
	t := u.set.target
	for _, p := range t.portals {
		v := &connection{kind: kindISCSI, address: p.address, port: p.port, target: t.Name, username: t.Username, password: t.Password}
		if known := e.connectionLike(v); known != nil {
			v = known
		} else {
			v.id = uuidOf(e.name + "/connection/" + v.spec())
			e.connections = append(e.connections, v)
		}
		k.conns = append(k.conns, v)
	}
	return k
}

// canTakeLUN validates a direct LUN of a registration: a host must see the LUN, for which it logs in where that is needed, and no other
// disk may have it (ovirt-engine ImportVmFromConfigurationCommand, ImportValidator, DiskValidator).
func (e *engine) canTakeLUN(o *ovfLUN) *refusal {
	u := e.lab.lun(o.id)
	k := &lunDisk{id: o.id, kind: o.kind}
	for i := range o.conns {
		k.conns = append(k.conns, &o.conns[i])
	}
	seen := u != nil && u.set.online && u.set.Type == o.kind && (o.kind == kindFCP || e.mayLogin(k, u.set.target)) &&
		slices.ContainsFunc(e.hosts, func(h *host) bool { return h.status == "up" && h.sees(u.set) })
	switch {
	case !seen:
		return bad("Cannot import VM. The provided LUN is not visible by the specified host, please check storage server connectivity.")
	case e.lunUser(u) != "":
		return conflict("Cannot import VM. The provided lun is used by another disk.")
	}
	return nil
}

// diskOf makes the disk of an OVF a disk of the engine: an image on its storage domain, or a direct LUN. A shareable disk that another
// VM brought along is the same disk.
func (e *engine) diskOf(s ovfDisk) *disk {
	if k := e.diskByID[s.id]; k != nil && k.shareable {
		return k
	}
	k := &disk{id: s.id, alias: s.alias, size: s.size, status: "ok", imageID: s.imageID, shareable: s.shareable, raw: s.raw, thick: s.thick}
	if s.lun != nil {
		k.lun = e.lunFor(s.lun)
	} else {
		k.domains = []*storageDomain{e.domain(s.domainID)}
	}
	e.addDisk(k)
	return k
}

// checkLUNDisks reports a direct LUN that there is not, that a storage domain lies on, or that a site has twice.
func (w *World) checkLUNDisks() error {
	sets, of := map[string]string{}, map[string]string{}
	for _, s := range w.LUNSets {
		for _, u := range s.LUNs {
			of[u.ID] = s.Name
		}
	}
	for _, site := range w.Sites {
		for _, d := range site.StorageDomains {
			sets[d.LUNSet] = d.Name
		}
	}
	for _, site := range w.Sites {
		taken := map[string]string{}
		disks := slices.Clone(site.FloatingDisks)
		for _, v := range site.VMs {
			disks = append(disks, v.Disks...)
		}
		for _, t := range site.Templates {
			for _, d := range t.Disks {
				if d.LUN != "" {
					return fmt.Errorf("site %q: template %s: a template has no disks that are LUNs", site.Name, t.Name)
				}
			}
		}
		for _, d := range disks {
			set, known := of[d.LUN]
			switch {
			case d.LUN == "":
				continue
			case d.StorageDomainID != "" || d.Counter != 0:
				return fmt.Errorf("site %q: disk %s: a LUN has no storage domain, and its counter stands with the LUN", site.Name, d.Alias)
			case !known:
				return fmt.Errorf("site %q: disk %s: there is no LUN %q", site.Name, d.Alias, d.LUN)
			case sets[set] != "":
				return fmt.Errorf("site %q: disk %s: on LUN %s lies the storage domain %s", site.Name, d.Alias, d.LUN, sets[set])
			case taken[d.LUN] != "":
				return fmt.Errorf("site %q: disk %s: the disk %s has LUN %s already", site.Name, d.Alias, taken[d.LUN], d.LUN)
			}
			taken[d.LUN] = d.Alias
		}
	}
	return nil
}
