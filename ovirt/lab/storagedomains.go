package lab

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"
)

func (c *call) routeDomains(s []string, get, post, put, del bool) *reply {
	e := c.engine
	if len(s) == 0 {
		switch {
		case get:
			return list(c, "storage_domains", domainSearch, e.domains, func(x *xmlWriter, d *storageDomain) { c.writeDomain(x, d, false) })
		case post:
			return c.postDomain()
		}
		return noMethod()
	}
	d := e.domain(s[0])
	if d == nil {
		return c.notFound()
	}
	if len(s) == 1 {
		switch {
		case get:
			x := newDocument()
			c.writeDomain(x, d, false)
			return x.reply(http.StatusOK)
		case put:
			return c.putDomain(d)
		case del:
			return c.deleteDomain(d)
		}
		return noMethod()
	}
	switch n := len(s); s[1] {
	case "updateovfstore":
		if n == 2 && post {
			return c.postUpdateOVF(d)
		}
	case "refreshluns":
		if n == 2 && post {
			return c.postRefreshLUNs(d)
		}
	case "reduceluns":
		if n == 2 && post {
			return c.postReduceLUNs(d)
		}
	case "isattached":
		if n == 2 && post {
			return c.postIsAttached(d)
		}
	case "vms":
		switch {
		case n == 2 && get:
			return c.getDomainVMs(d)
		case n == 3 && del:
			return c.deleteDomainVM(d, s[2])
		case n == 4 && post && s[3] == "register":
			return c.postRegisterVM(d, s[2])
		}
	case "templates":
		switch {
		case n == 2 && get:
			return c.getDomainTemplates(d)
		case n == 3 && del:
			return c.deleteDomainTemplate(d, s[2])
		case n == 4 && post && s[3] == "register":
			return c.postRegisterTemplate(d, s[2])
		}
	case "disks":
		return c.routeDomainDisks(d, s[2:], false)
	case "storageconnections":
		return c.routeDomainConnections(d, s[2:], get, post, del)
	case "files":
		if get {
			return c.getFiles(d, s[2:])
		}
	default:
		if n == 2 && get {
			return c.emptyList(s[1])
		}
	}
	return c.notFound()
}

// writeDomain writes a storage domain: attached as its data center sees it, with the true status, else as the global collection
// shows it, where an attached domain has no status (ovirt-engine BackendStorageDomainsResource).
func (c *call) writeDomain(x *xmlWriter, d *storageDomain, attached bool) {
	href := apiRoot + "/storagedomains/" + d.id
	if attached {
		href = apiRoot + "/datacenters/" + d.dc.ID + "/storagedomains/" + d.id
	}
	x.open("storage_domain", "href", href, "id", d.id)
	if attached {
		x.actions(href, "activate", "deactivate")
	} else {
		x.actions(href, "isattached", "reduceluns", "updateovfstore", "refreshluns")
	}
	x.text("name", d.name)
	x.text("description", d.description)
	x.text("comment", d.comment)
	switch {
	case attached:
		x.links(href, "disks")
	case d.isoDomain():
		x.links(href, "diskprofiles", "files", "disksnapshots", "storageconnections", "permissions")
	default:
		x.links(href, "disks", "diskprofiles", "disksnapshots", "storageconnections", "permissions", "templates", "vms")
	}
	committed := int64(0)
	if cp := d.export.copy; cp != nil {
		for _, i := range cp.now().images {
			committed += i.size
		}
	}
	used := 5*gib + committed/4/gib*gib
	if d.status == "active" || d.status == "unknown" {
		x.int("available", max(d.export.Size-used, 0))
	}
	x.bool("backup", d.settings.backup)
	x.int("block_size", 512)
	x.int("committed", committed)
	x.int("critical_space_action_blocker", orDefault(d.settings.critical, 5))
	x.bool("discard_after_delete", d.settings.discard)
	x.text("external_status", cmp.Or(d.external, "ok"))
	x.bool("master", d.master)
	if attached || d.dc == nil {
		x.text("status", d.status)
	}
	c.writeStorage(x, d)
	x.text("storage_format", d.format)
	x.bool("supports_discard", false)
	x.bool("supports_discard_zeroes_data", false)
	x.text("type", cmp.Or(d.kind, "data"))
	if d.status == "active" || d.status == "unknown" {
		x.int("used", used)
	}
	x.int("warning_low_space_indicator", orDefault(d.settings.warning, 10))
	x.bool("wipe_after_delete", d.settings.wipe)
	if d.dc != nil {
		if attached {
			x.ref("data_center", "datacenters", d.dc.ID)
		}
		x.open("data_centers")
		x.ref("data_center", "datacenters", d.dc.ID)
		x.close("data_centers")
	}
	x.close("storage_domain")
}

// postDomain imports the domain that lies on an export, or, where none is found, creates a new and empty one: it is the same
// request (ovirt-engine BackendStorageDomainsResource). Without a name the second way ends in a refusal; with an id only the
// domain of that id is imported.
func (c *call) postDomain() *reply {
	e, l := c.engine, c.lab
	doc, r := c.parse("storage_domain")
	if r != nil {
		return c.refuse(r)
	}
	where, storage := doc.child("host"), doc.child("storage")
	switch {
	case where.attr("id") == "" && where.value("name") == "":
		return c.refuse(incomplete("StorageDomain", "host.id|name", "add"))
	case doc.value("type") == "":
		return c.refuse(incomplete("StorageDomain", "type", "add"))
	case storage == nil:
		return c.refuse(incomplete("StorageDomain", "storage", "add"))
	case !slices.Contains([]string{"data", "iso", "export"}, doc.value("type")):
		return c.refuse(invalidValue("type", doc.value("type")))
	}
	for _, flag := range []string{"wipe_after_delete", "backup", "discard_after_delete", "import"} {
		if _, _, r := doc.flag(flag); r != nil {
			return c.refuse(r)
		}
	}
	h := e.hostRef(where)
	switch {
	case h == nil && where.attr("id") == "":
		return c.refuse(notFoundNamed(where.value("name")))
	case h == nil:
		return c.refuse(bad("Cannot add Storage Connection. Invalid Host Id."))
	case h.status != "up":
		return c.refuse(conflict("Cannot add Storage Connection. Valid Host statuses are: Host status is Up."))
	}
	if kind := e.storageKind(storage); kind == kindISCSI || kind == kindFCP {
		return c.postBlockDomain(doc, h, kind)
	}
	var conn *connection
	reused := false
	if id := storage.attr("id"); id != "" {
		if conn = e.connection(id); conn == nil {
			return c.refuse(bad("Cannot add Storage. The provided storage connection does not exist."))
		}
		reused = true
	} else {
		kind := storage.value("type")
		switch {
		case kind == "":
			return c.refuse(incomplete("StorageDomain", "storage.type", "add"))
		case !slices.Contains(storageTypes, kind):
			return c.refuse(invalidValue("type", kind))
		case kind == "localfs":
			return c.refuse(conflict("Cannot add Storage Connection. Local Storage cannot be added to Non Local Host."))
		}
		if conn, r = parseConnection(storage, kind, "StorageDomain", "storage."); r != nil {
			return c.refuse(r)
		}
		if o := e.connectionLike(conn); o != nil {
			return c.refuse(e.connectionExists(o))
		}
	}
	lock := "CONNECTION:" + conn.spec()
	if e.locked[lock] {
		return c.refuse(objectLocked("add Storage Connection"))
	}
	e.locked[lock] = true
	d := e.reachTime(h, conn)
	var fail *refusal
	var made *storageDomain
	o := e.operation(l.now.Add(d), func() {
		delete(e.locked, lock)
		made, fail = c.addDomain(doc, h, conn, reused)
		if fail != nil && made == nil {
			e.event(eventDomainAddFailed, "error", "Failed to add Storage Domain "+doc.value("name")+". (User: "+e.userName()+")", refs{host: h, correlation: c.correlation})
		}
	}, nil)
	if !c.wait(o) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.createdDomain(made)
}

// createdDomain answers 201 with a new storage domain. The reply's own status is a null column read as 0.
func (c *call) createdDomain(made *storageDomain) *reply {
	return c.created("/storagedomains/"+made.id, func(x *xmlWriter) {
		was := made.status
		made.status = "unknown"
		c.writeDomain(x, made, false)
		made.status = was
	})
}

// addDomain is the execution of postDomain.
func (c *call) addDomain(doc *node, h *host, conn *connection, reused bool) (*storageDomain, *refusal) {
	e, l := c.engine, c.lab
	if r := e.try(h, conn); r != nil {
		return nil, r
	}
	x := l.mounted(conn)
	if !reused {
		if o := e.connectionLike(conn); o != nil {
			return nil, e.connectionExists(o)
		}
		conn.id = l.newID()
		e.connections = append(e.connections, conn)
	}
	undo := func() {
		if !reused {
			e.removeConnection(conn)
		}
	}
	if e.meets(FaultListing, x.String()) {
		// The listing itself failed: what was connected stays, and is in the way of the next try.
		return nil, vdsm("Error in getting storage domain list from the host.")
	}
	found, _ := l.content(x)
	name, wanted := doc.value("name"), doc.attr("id")
	const nameInUse = "Cannot add Storage. The Storage Domain name is already in use, please choose a unique name and try again."
	// A domain that this engine knows is left out of the listing.
	if found != nil && e.domain(found.id) == nil && doc.value("type") == "data" {
		if wanted != "" && wanted != found.id {
			undo()
			return nil, internal()
		}
		if name == "" {
			name = found.name
		}
		newest := "v1"
		for _, dc := range e.dcs {
			newest = max(newest, dc.StorageFormat)
		}
		switch {
		case e.domainNamed(name) != nil:
			undo()
			return nil, conflict(nameInUse)
		case found.format > newest:
			undo()
			return nil, bad("Cannot import Storage Domain. Storage domain format %s is not supported by any host.", found.format)
		}
		d := e.newDomain(found.id, name, found.format, x, []*connection{conn})
		c.effect("import storage domain %s", d.name)
		e.event(eventDomainAdded, "normal", "Storage Domain "+d.name+" was added by "+e.userName(), refs{domain: d, host: h, correlation: c.correlation, user: e.userName()})
		return d, nil
	}
	switch {
	case name == "":
		undo()
		return nil, incomplete("StorageDomain", "name", "add")
	case e.domainNamed(name) != nil:
		undo()
		return nil, conflict(nameInUse)
	case found != nil:
		undo()
		return nil, vdsm("Storage domain is not empty - requires cleaning: %s", x)
	}
	id := l.newID()
	format := "v5"
	x.copy = newCopy(l.now, &contents{id: id, name: name, format: format}, l.lagOf(x))
	d := e.newDomain(id, name, format, x, []*connection{conn})
	e.violation(ViolationEmptyDomain, id, "a new, empty storage domain %s was created on %s", name, x)
	c.effect("create storage domain %s", d.name)
	e.event(eventDomainAdded, "normal", "Storage Domain "+d.name+" was added by "+e.userName(), refs{domain: d, host: h, correlation: c.correlation, user: e.userName()})
	return d, nil
}

func (e *engine) newDomain(id, name, format string, x *export, conns []*connection) *storageDomain {
	d := &storageDomain{id: id, name: name, format: format, export: x, conns: conns, status: "unattached"}
	if c, _ := e.lab.content(x); c != nil {
		d.kind, d.files = c.kind, c.files
	}
	d.ovfDisks = [2]string{uuidOf(id + "/ovf1"), uuidOf(id + "/ovf2")}
	e.domains = append(e.domains, d)
	slices.SortFunc(e.domains, func(a, b *storageDomain) int { return strings.Compare(a.name, b.name) })
	return d
}

func (c *call) putDomain(d *storageDomain) *reply {
	e := c.engine
	doc, r := c.parse("storage_domain")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attr("id"); id != "" && id != d.id {
		return c.refuse(immutable("id"))
	}
	if r := c.extendDomain(d, doc); r != nil {
		return c.refuse(r)
	}
	next, name := d.settings, cmp.Or(doc.value("name"), d.name)
	if r := readSettings(doc, &next); r != nil {
		return c.refuse(r)
	}
	if r := e.canSet(d, &next, name); r != nil {
		return c.refuse(r)
	}
	if name != d.name {
		if o := find(e.domains, func(o *storageDomain) bool { return o != d && strings.EqualFold(o.name, name) }); o != nil {
			return c.refuse(conflict("Cannot edit Storage. The Storage Domain name is already in use, please choose a unique name and try again."))
		}
		d.name = name
		if cp := d.export.copy; cp != nil && d.dc != nil && d.export.writable {
			cp.change(c.lab.now, func(c *contents) { c.name = name })
		}
		slices.SortFunc(e.domains, func(a, b *storageDomain) int { return strings.Compare(a.name, b.name) })
	}
	d.settings = next
	d.describe(doc)
	c.effect("update storage domain %s", d.name)
	e.event(eventDomainUpdated, "normal", "Storage Domain "+d.name+" was updated by "+e.userName(), refs{domain: d, correlation: c.correlation, user: e.userName()})
	x := newDocument()
	c.writeDomain(x, d, false)
	return x.reply(http.StatusOK)
}

// describe takes over the texts of a request that are no names.
func (d *storageDomain) describe(doc *node) {
	if n := doc.child("description"); n != nil {
		d.description = strings.TrimSpace(n.text)
	}
	if n := doc.child("comment"); n != nil {
		d.comment = strings.TrimSpace(n.text)
	}
}

// immutable is the complaint about a changed identity.
func immutable(member string) *refusal {
	return &refusal{status: http.StatusBadRequest, reason: "Broken immutability constraint", detail: "Attempt to set immutable field: " + member, bare: true}
}

// deleteDomain removes a domain from the engine (ovirt-engine RemoveStorageDomainCommand), or with destroy=true only from its
// database (ForceRemoveStorageDomainCommand). format=true erases it.
func (c *call) deleteDomain(d *storageDomain) *reply {
	e, l := c.engine, c.lab
	if d.status == "locked" || d.status == "activating" || d.status == "preparing_for_maintenance" || e.locked["DOMAIN:"+d.id] {
		return c.refuse(objectLocked("remove Storage"))
	}
	if c.flagParam("destroy") {
		if d.status == "active" {
			return c.refuse(statusIllegal("destroy Storage", d.status))
		}
		if d.master && len(e.attached(d.dc)) > 1 {
			next := e.electable(d)
			if next == nil || len(e.upHosts(d.dc)) == 0 {
				return c.refuse(conflict("Cannot destroy the master Storage Domain from the Data Center without another active Storage Domain to take its place."))
			}
			e.makeMaster(d, next)
		}
		return c.remove(d, l.lat.Write, "destroy storage domain %s", func() {
			e.event(eventForceRemoved, "normal", "Storage Domain "+d.name+" was forcibly removed by "+e.userName(), refs{domain: d, correlation: c.correlation, user: e.userName()})
			if dc := d.dc; dc != nil {
				e.dropEntities(d)
				d.dc = nil
				e.leave(dc)
			}
		})
	}
	name := c.params.Get("host")
	if name == "" {
		return c.refuse(&refusal{status: http.StatusBadRequest, reason: "host parameter is missing", bare: true})
	}
	h := find(e.hosts, func(h *host) bool { return h.ID == name || h.Name == name })
	switch {
	case h == nil:
		return c.refuse(notFoundNamed(name))
	case h.status != "up":
		return c.refuse(conflict("Cannot remove Storage. Host status is not Up."))
	case d.status != "unattached":
		return c.refuse(statusIllegal("remove Storage", d.status))
	}
	format := c.flagParam("format")
	if found, _ := l.content(d.export); format && found != nil && found.pool != "" {
		return c.refuse(conflict("Cannot format Storage Domain. The Storage Domain metadata indicates it is already attached to a Data Center hence cannot be formatted."))
	}
	what := "remove storage domain %s"
	if format {
		what = "format storage domain %s"
	}
	return c.remove(d, l.lat.Remove, what, func() {
		if format && d.export.online && d.export.writable {
			l.overwritten(d.export)
			d.export.copy = nil
			e.violation(ViolationDataDestroyed, d.id, "storage domain %s on %s was formatted", d.name, d.export)
		}
		e.event(eventDomainRemoved, "normal", "Storage Domain "+d.name+" was removed by "+e.userName(), refs{domain: d, correlation: c.correlation, user: e.userName()})
	})
}

// remove ends a domain's life in the engine's database.
func (c *call) remove(d *storageDomain, latency time.Duration, effect string, before func()) *reply {
	e, l := c.engine, c.lab
	e.locked["DOMAIN:"+d.id] = true
	o := e.operation(l.now.Add(latency), func() {
		delete(e.locked, "DOMAIN:"+d.id)
		before()
		e.domains = slices.DeleteFunc(e.domains, func(o *storageDomain) bool { return o == d })
		e.dropConnections(d.conns)
		c.effect(effect, d.name)
	}, nil)
	if !c.wait(o) {
		return nil
	}
	return c.actionDone(c.doneJob("Removing Storage Domain "+d.name), nil)
}

// postUpdateOVF starts to write the OVF store. The answer comes before the work (ovirt-engine
// UpdateOvfStoreForStorageDomainCommand).
func (c *call) postUpdateOVF(d *storageDomain) *reply {
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	switch {
	case d.status == "locked":
		return c.refuse(objectLocked("update OVF Store"))
	case d.status != "active":
		return c.refuse(statusIllegal("update OVF Store", d.status))
	case d.ovfBusy:
		return c.refuse(ovfBusy("update OVF Store"))
	}
	c.effect("update OVF store of %s", d.name)
	j := c.newJob("Updating OVFs on Storage Domain " + d.name)
	c.engine.updateOVF(d, c.correlation, j)
	return c.actionDone(j, nil)
}

func ovfBusy(what string) *refusal {
	return conflict("Cannot %s. Storage Domain OVF data is currently being updated.", what)
}

// postIsAttached reads the metadata through a host. False means that no data center is named there or that it could not be read.
func (c *call) postIsAttached(d *storageDomain) *reply {
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	where := doc.child("host")
	if where.attr("id") == "" && where.value("name") == "" {
		return c.refuse(incomplete("Action", "host.id|name", "isAttached"))
	}
	h := c.engine.hostRef(where)
	if h == nil {
		return c.refuse(notFoundNamed(where.value("name") + where.attr("id")))
	}
	found, _ := c.lab.content(d.export)
	attached := h.status == "up" && d.export.online && h.sees(d.export) && found != nil && found.pool != ""
	x := newDocument()
	x.open("action")
	x.bool("is_attached", attached)
	x.text("status", "complete")
	x.close("action")
	return x.reply(http.StatusOK)
}

// hostRef finds a host by the id or name in a reference, or nil.
func (e *engine) hostRef(n *node) *host {
	id, name := n.attr("id"), n.value("name")
	return find(e.hosts, func(h *host) bool { return h.ID == id || id == "" && h.Name == name })
}

// domainRef finds a storage domain by the id or name in a reference, or nil.
func (e *engine) domainRef(n *node) *storageDomain {
	id, name := n.attr("id"), n.value("name")
	return find(e.domains, func(d *storageDomain) bool { return d.id == id || id == "" && d.name == name })
}
