package lab

import (
	"cmp"
	"fmt"
	"slices"
)

// looseDisk is an image on a storage domain that no disk of the engine is.
type looseDisk struct {
	image
	ovf *ovfDisk // what the OVF of a VM or template on the domain tells of it; nil for a floating one
}

// looseDisks lists the images of a domain that the engine does not know, those of unregistered VMs among them (ovirt-engine
// GetUnregisteredDisksQuery).
func (e *engine) looseDisks(d *storageDomain) []looseDisk {
	found, _ := e.lab.content(d.export)
	if found == nil || d.dc == nil {
		return nil
	}
	known := map[string]*ovfDisk{}
	note := func(list []ovfDisk) {
		for i := range list {
			known[list[i].id] = &list[i]
		}
	}
	for _, o := range found.store.vms {
		note(o.disks)
	}
	for _, o := range found.store.templates {
		note(o.disks)
	}
	var list []looseDisk
	for _, i := range found.images {
		if e.diskByID[i.disk] == nil {
			list = append(list, looseDisk{image: i, ovf: known[i.disk]})
		}
	}
	return list
}

// disk is what the engine makes of a loose image.
func (k looseDisk) disk(d *storageDomain) *disk {
	n := &disk{id: k.image.disk, alias: k.alias, size: k.size, status: "ok", imageID: uuidOf(k.image.disk + "/image"), domains: []*storageDomain{d}}
	if o := k.ovf; o != nil {
		n.alias, n.imageID, n.shareable, n.raw, n.thick = o.alias, cmp.Or(o.imageID, n.imageID), o.shareable, o.raw, o.thick
	}
	return n
}

// routeDomainDisks serves the disks of a storage domain; below its data center one that is not registered can be (ovirt-engine
// AbstractBackendStorageDomainDisksResource, BackendAttachedStorageDomainDiskResource).
func (c *call) routeDomainDisks(d *storageDomain, s []string, attached bool) *reply {
	e, method := c.engine, c.req.Method
	loose := func(id string) (looseDisk, bool) {
		list := e.looseDisks(d)
		at := slices.IndexFunc(list, func(k looseDisk) bool { return k.image.disk == id })
		if at < 0 {
			return looseDisk{}, false
		}
		return list[at], true
	}
	switch {
	case len(s) == 0 && c.reading() && c.flagParam("unregistered"):
		return c.getLooseDisks(d)
	case len(s) == 0 && c.reading():
		return c.getDisks(d)
	case len(s) == 0 && method == "POST" && c.flagParam("unregistered"): // the form that is deprecated since 4.2
		doc, r := c.parse("disk")
		if r != nil {
			return c.refuse(r)
		}
		k, ok := loose(doc.attr("id"))
		if !ok {
			return c.refuse(notFoundNamed(doc.attr("id")))
		}
		k.alias = cmp.Or(doc.value("alias"), doc.value("name"), k.alias)
		if k.ovf != nil {
			o := *k.ovf
			o.alias = cmp.Or(doc.value("alias"), doc.value("name"), o.alias)
			k.ovf = &o
		}
		return c.registerDisk(d, k, func(n *disk) *reply {
			return c.created("/disks/"+n.id, func(x *xmlWriter) { c.writeDisk(x, n) })
		})
	case len(s) == 0 && method == "POST":
		return c.postDisk(d)
	case len(s) == 1 && c.reading():
		k := e.diskByID[s[0]]
		if k == nil || !slices.Contains(k.domains, d) {
			if slices.Contains(d.ovfDisks[:], s[0]) {
				return c.getDisk(s[0])
			}
			return c.notFound()
		}
		return single(k, c.writeDisk)
	case len(s) == 1 && method == "DELETE":
		if k, ok := loose(s[0]); ok {
			e.deleteImage(d, k.image.disk)
			c.effect("delete unregistered disk %s", s[0])
			return c.actionDone(c.doneJob("Removing Disk "+k.disk(d).alias), nil)
		}
		return c.deleteDisk(s[0])
	case len(s) == 2 && attached && s[1] == "register" && method == "POST":
		if _, r := c.startAction(); r != nil {
			return c.refuse(r)
		}
		k, ok := loose(s[0])
		if !ok {
			return c.notFound()
		}
		return c.registerDisk(d, k, func(n *disk) *reply {
			return c.actionDone(c.doneJob("Registering Disk "+n.alias), func(x *xmlWriter) { x.ref("disk", "disks", n.id) })
		})
	}
	if len(s) > 1 {
		return c.notFound()
	}
	return html(405, "Method Not Allowed")
}

// registerDisk makes a loose image a floating disk of the engine (ovirt-engine RegisterDiskCommand). Whose it was is forgotten: it has to
// be attached by hand.
func (c *call) registerDisk(d *storageDomain, k looseDisk, answer func(*disk) *reply) *reply {
	e := c.engine
	switch {
	case d.status != "active":
		return c.refuse(vdsm("Storage domain does not exist: %s", d.id)) // the SPM is asked for the image
	case d.isoDomain():
		return c.refuse(bad("Cannot import Virtual Disk. Storage Domain type is illegal."))
	}
	n := k.disk(d)
	if n.alias == "" {
		n.alias = fmt.Sprintf("RegisteredDisk_%s", c.lab.now.Format("2006-01-02_15-04-05"))
	}
	e.addDisk(n)
	c.effect("register disk %s", n.alias)
	e.event(eventDiskRegistered, "normal", "Disk '"+n.alias+"' has been successfully registered as a floating disk.", refs{domain: d, correlation: c.correlation, user: e.spec.Username})
	return answer(n)
}

// getLooseDisks lists the loose images: as disks without actions. A host looks at each of them, which takes its time.
func (c *call) getLooseDisks(d *storageDomain) *reply {
	x := newXML("disks")
	list := c.engine.looseDisks(d)
	for _, k := range list {
		n := k.disk(d)
		x.open("disk", "id", n.id)
		x.text("name", n.alias)
		x.text("description", "")
		writeImage(x, n, n.imageID)
		writeDiskDomains(x, n)
		x.close("disk")
	}
	c.items = len(list)
	return x.reply(200)
}
