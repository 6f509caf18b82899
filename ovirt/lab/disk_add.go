package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// diskSpec is what a request asks a new disk to be.
type diskSpec struct {
	id, imageID, alias, description string
	size                            int64
	format                          string
	shareable, thick                bool
	domain                          *storageDomain
	lun                             *ovfLUN
	through                         *host // that has to see the LUN; nil: nobody is asked
}

// flags reads boolean members of an element.
func (n *node) flags(into map[string]*bool) *refusal {
	for _, c := range n.children {
		if to := into[c.name]; to != nil {
			on, _, r := n.flag(c.name)
			if r != nil {
				return r
			}
			*to = on
		}
	}
	return nil
}

// readDisk reads a disk that is to be made: an image on a storage domain, or a direct LUN (ovirt-engine BackendDisksResource). on is the
// domain of the path, nil where the request has to name one.
func (e *engine) readDisk(doc *node, on *storageDomain) (*diskSpec, *refusal) {
	s := &diskSpec{id: doc.attr("id"), imageID: doc.value("image_id"), alias: cmp.Or(doc.value("alias"), doc.value("name")), description: doc.value("description"),
		format: doc.value("format"), domain: on}
	if s.id != "" && !isUUID(s.id) {
		return nil, invalidValue("id", s.id)
	}
	sparse := s.format == "cow" // a raw disk is thick unless the request says otherwise
	if r := doc.flags(map[string]*bool{"shareable": &s.shareable, "sparse": &sparse}); r != nil {
		return nil, r
	}
	s.thick = !sparse
	if storage := doc.child("lun_storage"); storage != nil {
		return s, e.readLUN(storage, s)
	}
	text := cmp.Or(doc.value("provisioned_size"), doc.value("size"))
	if text == "" || s.format == "" {
		return nil, incomplete("Disk", "provisionedSize, format", "add")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return nil, invalidValue("provisioned_size", text)
	case s.format != "cow" && s.format != "raw":
		return nil, invalidValue("format", s.format)
	}
	s.size = n
	if named := doc.child("storage_domains", "storage_domain"); named != nil && on == nil {
		id, name := named.attr("id"), named.value("name")
		s.domain = e.domainRef(named)
		switch {
		case s.domain == nil && id == "":
			return nil, notFoundNamed(name)
		case s.domain == nil:
			return nil, bad("Cannot add Virtual Disk. The relevant Storage Domain doesn't exist.")
		}
	}
	return s, nil
}

func (e *engine) readLUN(storage *node, s *diskSpec) *refusal {
	unit := storage.child("logical_units", "logical_unit")
	kind := storage.value("type")
	switch {
	case unit == nil:
		return incomplete("LogicalUnit", "", "add")
	case kind == "":
		return incomplete("Storage", "type", "add")
	case kind != kindISCSI && kind != kindFCP:
		return invalidValue("type", kind)
	case kind == kindISCSI && (unit.value("address") == "" || unit.value("target") == "" || unit.value("port") == "" || unit.attr("id") == ""):
		return incomplete("LogicalUnit", "address, target, port, id", "add")
	}
	s.lun = &ovfLUN{id: unit.attr("id"), kind: kind}
	if kind == kindISCSI {
		port, r := portOf(unit)
		if r != nil {
			return r
		}
		s.lun.conns = []connection{{kind: kindISCSI, address: unit.value("address"), port: port, target: unit.value("target"),
			username: unit.value("username"), password: unit.value("password")}}
	}
	if where := storage.child("host"); where != nil {
		if s.through = e.hostRef(where); s.through == nil {
			return notFoundNamed(where.value("name") + where.attr("id"))
		}
	}
	return nil
}

// canAddDisk validates a new disk; v is the VM that gets it, nil for a floating one (ovirt-engine AddDiskCommand).
func (e *engine) canAddDisk(s *diskSpec, v *vm) *refusal {
	const what = "add Virtual Disk"
	d := s.domain
	switch {
	case v != nil && (v.busy || v.status == "image_locked"):
		return isLocked(what)
	case v != nil && v.preview:
		return conflict("Cannot %s. VM is previewing a Snapshot.", what)
	case s.lun != nil:
		if find(e.disks, func(k *disk) bool { return k.lun != nil && k.lun.id == s.lun.id }) != nil {
			return conflict("Cannot %s. The provided lun is used by another disk.", what)
		}
		u := e.lab.lun(s.lun.id)
		if h := s.through; h != nil && (u == nil || h.status != "up" || !u.set.online || u.set.Type != s.lun.kind || !h.sees(u.set) || u.set.target != nil && !e.mayLogin(e.draftLUN(s.lun), u.set.target)) {
			return bad("Cannot %s. The provided LUN is not visible by the specified host, please check storage server connectivity.", what)
		}
		return nil
	case d == nil:
		return bad("Cannot %s. Storage Domain hasn't been specified.", what)
	case d.dc == nil || d.status != "active":
		return statusIllegal(what, d.status)
	case d.isoDomain():
		return bad("Cannot %s. Storage Domain type is illegal.", what)
	case s.shareable && d.export.kind() == kindGluster:
		return bad("Cannot %s. Shareable disks are not supported on Gluster domains.", what)
	case s.shareable && s.format == "cow":
		return conflict("Cannot %s. Disk's volume format is not supported for shareable disk.", what)
	case s.size <= 0:
		return bad("Cannot %s. Disk's provisioned size has to be greater than 0.", what)
	case s.size > d.export.Size:
		return conflict("Cannot %s. Low disk space on Storage Domain %s.", what, d.name)
	case s.id != "" && e.diskByID[s.id] != nil:
		return conflict("Cannot %s. The disk already exists.", what)
	case v != nil && v.cluster.dc.status != "up":
		return poolNotUp(what)
	case v != nil && v.cluster.dc != d.dc:
		return conflict("Cannot %s. The target Data Center does not contain the Virtual Disk.", what)
	}
	return nil
}

// draftLUN is the LUN disk that a request describes, without connections of the engine.
func (e *engine) draftLUN(o *ovfLUN) *lunDisk {
	k := &lunDisk{id: o.id, kind: o.kind}
	for i := range o.conns {
		k.conns = append(k.conns, &o.conns[i])
	}
	return k
}

// makeDisk makes the disk and, for an image, the task in which a host makes it: it is locked until then.
func (c *call) makeDisk(s *diskSpec, done func(*disk)) (*disk, *op) {
	e, l := c.engine, c.lab
	k := &disk{id: cmp.Or(s.id, l.newID()), alias: s.alias, description: s.description, size: s.size, status: "locked", imageID: s.imageID,
		shareable: s.shareable, raw: s.format == "raw", thick: s.thick}
	k.imageID = cmp.Or(k.imageID, uuidOf(k.id+"/image"))
	if s.lun != nil {
		k.status, k.lun, k.raw = "ok", e.lunFor(s.lun), false
		if u := l.lun(s.lun.id); u != nil {
			k.size = u.Size
		}
		e.addDisk(k)
		done(k)
		return k, nil
	}
	k.domains = []*storageDomain{s.domain}
	e.addDisk(k)
	return k, e.operation(s.domain.dc.work.take(l.now, l.lat.Snapshot), func() {
		d := s.domain
		if !d.export.online || !d.export.writable || !d.holds() {
			e.removeDisk(k)
			return
		}
		d.addImage(e, image{disk: k.id, size: k.size, alias: k.alias})
		k.status = "ok"
		done(k)
	}, func() { k.status = "illegal" })
}

// addImage puts the image of a new disk on the storage.
func (d *storageDomain) addImage(e *engine, i image) {
	d.export.copy.change(e.lab.now, func(next *contents) {
		next.images = append(slices.Clone(next.images), i)
		slices.SortFunc(next.images, func(a, b image) int { return strings.Compare(a.disk, b.disk) })
	})
}

// postDisk makes a floating disk, one that no VM has (ovirt-engine BackendDisksResource, AddDiskCommand).
func (c *call) postDisk(on *storageDomain) *reply {
	e := c.engine
	doc, r := c.parse("disk")
	if r != nil {
		return c.refuse(r)
	}
	s, r := e.readDisk(doc, on)
	if r == nil {
		r = e.canAddDisk(s, nil)
	}
	if r != nil {
		return c.refuse(r)
	}
	about := refs{domain: s.domain, correlation: c.correlation, user: e.userName()}
	if s.lun == nil {
		e.event(eventDiskAdding, "normal", "Add-Disk operation of '"+s.alias+"' was initiated by "+e.userName()+".", about)
	}
	j := c.newJob("Adding Disk " + s.alias)
	k, task := c.makeDisk(s, func(k *disk) {
		j.end("finished", c.lab.now)
		e.event(eventDiskAdded, "normal", "The disk '"+k.alias+"' was successfully added.", about)
	})
	c.effect("add disk %s", k.alias)
	write := func(x *xmlWriter) { c.writeDisk(x, k) }
	if task == nil {
		return c.created("/disks/"+k.id, write)
	}
	return c.creating("/disks/"+k.id, task, write)
}
