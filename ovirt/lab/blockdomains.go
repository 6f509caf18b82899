package lab

import (
	"slices"
	"strings"
)

// postBlockDomain is postDomain for iSCSI and Fibre Channel. With import=true it imports the domain of that id which the host sees
// among those that the engine does not know, whatever LUNs the request lists. Without it, and that is all the difference, it makes a
// new and empty domain on the LUNs that the request lists (ovirt-engine BackendStorageDomainsResource, addExistingSAN, addSAN).
func (c *call) postBlockDomain(doc *node, h *host, kind string) *reply {
	e, l := c.engine, c.lab
	imports, _, r := doc.flag("import")
	if r != nil {
		return c.refuse(r)
	}
	id := doc.attr("id")
	if imports && id == "" {
		return c.refuse(incomplete("StorageDomain", "id", "add"))
	}
	var units []*node
	override := false
	if !imports {
		if units, override, r = blockUnits(doc.child("storage"), kind); r != nil {
			return c.refuse(r)
		}
	}
	lock := "DOMAIN:" + id
	if imports && e.locked[lock] {
		return c.refuse(objectLocked("add Storage"))
	}
	if imports {
		e.locked[lock] = true
	}
	var made *storageDomain
	var fail *refusal
	if !c.wait(e.operation(l.now.Add(l.lat.Import+l.lat.Rescan), func() {
		if imports {
			delete(e.locked, lock)
			made, fail = c.importBlock(doc, h, kind)
		} else {
			made, fail = c.createBlock(doc, h, kind, units, override)
		}
		if fail != nil {
			e.event(eventDomainAddFailed, "error", "Failed to add Storage Domain "+doc.value("name")+". (User: "+e.userName()+")", refs{host: h, correlation: c.correlation})
			return
		}
		e.event(eventDomainAdded, "normal", "Storage Domain "+made.name+" was added by "+e.userName(), refs{domain: made, host: h, correlation: c.correlation, user: e.userName()})
	}, nil)) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.createdDomain(made)
}

// blockUnits reads the LUNs of a request, each of which needs an id, and an address with a target or none of both.
func blockUnits(storage *node, kind string) (units []*node, override bool, r *refusal) {
	if override, _, r = storage.flag("override_luns"); r != nil {
		return nil, false, r
	}
	units = storage.child("logical_units").all("logical_unit")
	if len(units) == 0 {
		units = storage.child("volume_group", "logical_units").all("logical_unit")
	}
	for _, n := range units {
		if n.attr("id") == "" {
			return nil, false, incomplete("LogicalUnit", "id", "add")
		}
		if a, t := n.value("address"), n.value("target"); kind == kindISCSI && (a == "") != (t == "") {
			return nil, false, incomplete("LogicalUnit", "address, target", "add")
		}
	}
	return units, override, nil
}

// importBlock is ovirt-engine AddExistingBlockStorageDomainCommand with the queries before it. It reads only: a replica that is not
// promoted can be imported, and attached only then.
func (c *call) importBlock(doc *node, h *host, kind string) (*storageDomain, *refusal) {
	e := c.engine
	if h.status != "up" {
		return nil, networkError()
	}
	devices := slices.DeleteFunc(e.devices(h), func(v device) bool { return v.lun.set.Type != kind })
	if kind == kindISCSI && len(devices) == 0 {
		return nil, queryFailed("%s", "Couldn't connect to the specified targets")
	}
	id, name := doc.attr("id"), doc.value("name")
	var found candidate
	for _, k := range e.candidates(h, kind, nil) {
		if k.c.id == id {
			found = k
			break
		}
	}
	if name == "" && found.c != nil {
		name = found.c.name
	}
	newest := "v1"
	for _, dc := range e.dcs {
		newest = max(newest, dc.StorageFormat)
	}
	// What the host does not see goes on as an empty record, and fails here.
	switch {
	case name != "" && e.domainNamed(name) != nil:
		return nil, conflict("Cannot add Storage. The Storage Domain name is already in use, please choose a unique name and try again.")
	case found.c != nil && found.c.format > newest:
		return nil, bad("Cannot import Storage Domain. Storage domain format %s is not supported by any host.", found.c.format)
	case e.domain(id) != nil:
		return nil, conflict("Cannot add Storage. The Storage Domain already exists.")
	case found.c == nil:
		return nil, conflict("Cannot add Storage. Failed to get data for Import operation.\n- Check connectivity to the Storage Domain.")
	}
	for _, u := range found.set.volumes(found.c) {
		if e.lunUser(u) != "" {
			return nil, conflict("Cannot add Storage. Part of the Storage Domain LUNs are being used as an External LUN disk. Please remove them first and try again.")
		}
	}
	d := e.newDomain(found.c.id, name, found.c.format, found.set, e.connectionsTo(h, found.set))
	c.effect("import storage domain %s", d.name)
	return d, nil
}

func (e *engine) domainNamed(name string) *storageDomain {
	return find(e.domains, func(d *storageDomain) bool { return strings.EqualFold(d.name, name) })
}

// connectionsTo keeps, as connections of the engine, the sessions through which a host sees a LUN set (ovirt-engine LunHelper,
// proceedLUNInDb): with them the other hosts will connect.
func (e *engine) connectionsTo(h *host, x *export) []*connection {
	var list []*connection
	for _, s := range e.sessionsOf(h) {
		if s.target == x.target {
			list = append(list, e.keep(&connection{kind: kindISCSI, address: s.at.address, port: s.at.port, target: s.target.Name, username: s.username, password: s.password}))
		}
	}
	return list
}

// lunsInUse is the refusal of LUNs that the engine has in its database (ovirt-engine StorageDomainCommandBase, isLunsAlreadyInUse).
func (e *engine) lunsInUse(what string, ids []string) *refusal {
	var domains, disks, all []string
	for _, id := range ids {
		for _, d := range e.domains {
			if d.export.block() && slices.ContainsFunc(d.luns(), func(u *lun) bool { return u.ID == id }) {
				domains = append(domains, id+" ("+d.name+")")
			}
		}
		for _, k := range e.disks {
			if k.lun != nil && k.lun.id == id {
				disks = append(disks, id+" ("+k.alias+")")
			}
		}
	}
	if len(domains) > 0 {
		all = append(all, "Cannot "+what+" Storage. The following LUNs are already part of existing storage domains: "+strings.Join(domains, ", ")+".")
	}
	if len(disks) > 0 {
		all = append(all, "Cannot "+what+" Storage. The following LUNs are already used by DirectLUN disks: "+strings.Join(disks, ", ")+".")
	}
	if len(all) == 0 {
		return nil
	}
	return conflict("%s", strings.Join(all, ", "))
}

// createBlock makes a volume group on LUNs, and an empty domain in it (ovirt-engine AddSANStorageDomainCommand). LVM refuses a LUN that
// carries one already, which a promoted replica does, unless the request overrides that.
func (c *call) createBlock(doc *node, h *host, kind string, units []*node, override bool) (*storageDomain, *refusal) {
	e, l := c.engine, c.lab
	if h.status != "up" {
		return nil, networkError()
	}
	name := doc.value("name")
	switch {
	case name == "":
		return nil, bad("Storage Domain name is required.")
	case e.domainNamed(name) != nil:
		return nil, conflict("Cannot add Storage. The Storage Domain name is already in use, please choose a unique name and try again.")
	case len(units) == 0:
		return nil, bad("Volume Group (VGs) and Logical Volumes (LVs) are not specified.")
	}
	luns, r := c.openUnits("add", h, kind, units)
	if r != nil {
		return nil, r
	}
	x := luns[0].set
	if r := l.clearUnits(e, x, luns, override); r != nil {
		return nil, r
	}
	id := l.newID()
	made := &contents{id: id, name: name, format: "v5"}
	for _, u := range luns {
		made.volumes = append(made.volumes, u.at)
	}
	if x.copy == nil {
		x.copy = newCopy(l.now, made, l.lagOf(x))
	} else {
		x.copy.change(l.now, func(next *contents) { *next = *made })
	}
	d := e.newDomain(id, name, made.format, x, e.connectionsTo(h, x))
	e.violation(ViolationEmptyDomain, id, "a new, empty storage domain %s was created on the LUNs of %s", name, x)
	c.effect("create storage domain %s", d.name)
	return d, nil
}

// openUnits logs a host in where a request says so, and finds the LUNs that it lists.
func (c *call) openUnits(what string, h *host, kind string, units []*node) ([]*lun, *refusal) {
	e := c.engine
	var ids []string
	for _, n := range units {
		if kind == kindISCSI && n.value("target") != "" {
			port, r := portOf(n)
			if r != nil {
				return nil, r
			}
			if _, r := e.connect(h, n.value("target"), n.value("address"), port, n.value("username"), n.value("password")); r != nil {
				return nil, r
			}
		}
		if !slices.Contains(ids, n.attr("id")) {
			ids = append(ids, n.attr("id"))
		}
	}
	if r := e.lunsInUse(what, ids); r != nil {
		return nil, r
	}
	devices := e.devices(h)
	var luns []*lun
	for _, id := range ids {
		i := slices.IndexFunc(devices, func(v device) bool { return v.lun.ID == id && v.lun.set.Type == kind })
		if i < 0 {
			return nil, vdsm("Physical device initialization failed. Please check that the device is empty and accessible by the host.")
		}
		luns = append(luns, devices[i].lun)
	}
	return luns, nil
}

// clearUnits is pvcreate, which takes only LUNs that can be written and that carry nothing; with override it takes what carries
// something too. A volume group lies within one LUN set: the lab has no replica of a part of a domain.
func (l *Lab) clearUnits(e *engine, x *export, luns []*lun, override bool) *refusal {
	busy := vdsm("Physical device initialization failed. Please check that the device is empty and accessible by the host.")
	for _, u := range luns {
		use := e.useOf(u, true)
		if !u.set.writable || use.status == "used" && !override || u.set != x {
			return busy
		}
	}
	if found, _ := l.content(x); found != nil { // one volume group on a set at a time
		if !override {
			return busy
		}
		l.overwritten(x)
		e.violation(ViolationDataDestroyed, found.id, "storage domain %s on %s was overwritten with override_luns", found.name, x)
		x.copy = nil
	}
	for _, u := range luns {
		if l.written(u) > 0 {
			e.violation(ViolationDataDestroyed, u.ID, "what guests had written to LUN %s of %s was overwritten with override_luns", u.ID, x)
			delete(x.copy.counters, u.counterKey())
		}
	}
	return nil
}

// extendDomain adds to a block domain the LUNs that a PUT lists and that are not part of it (ovirt-engine BackendStorageDomainResource,
// ExtendSANStorageDomainCommand). A nil refusal may mean that there was nothing to add.
func (c *call) extendDomain(d *storageDomain, doc *node) *refusal {
	e, l := c.engine, c.lab
	storage := doc.child("storage")
	if storage == nil || !d.export.block() {
		return nil
	}
	units, override, r := blockUnits(storage, d.export.Type)
	if r != nil {
		return r
	}
	have := d.luns()
	units = slices.DeleteFunc(units, func(n *node) bool {
		return slices.ContainsFunc(have, func(u *lun) bool { return u.ID == n.attr("id") })
	})
	if len(units) == 0 {
		return nil
	}
	switch {
	case d.status != "active":
		return statusIllegal("extend Storage", d.status)
	case e.locked["DOMAIN:"+d.id]:
		return objectLocked("extend Storage")
	case d.dc.spm == nil:
		return conflict("Cannot extend Storage. There is no active Host in the Data Center.")
	}
	luns, r := c.openUnits("extend", d.dc.spm, d.export.Type, units)
	if r != nil {
		return r
	}
	for _, u := range luns {
		if use := e.useOf(u, true); u.set != d.export || !u.set.writable || use.status == "used" && !override {
			return vdsm("Physical device initialization failed. Please check that the device is empty and accessible by the host.")
		}
	}
	d.export.copy.change(l.now, func(next *contents) {
		next.volumes = nil
		for _, u := range append(slices.Clone(have), luns...) {
			next.volumes = append(next.volumes, u.at)
		}
	})
	e.event(eventDomainExtended, "normal", "Storage "+d.name+" has been extended by "+e.userName()+". Please wait for refresh.", refs{domain: d, correlation: c.correlation, user: e.userName()})
	return nil
}

// postRefreshLUNs lets the hosts see the new size of LUNs that the array has grown (ovirt-engine RefreshLunsSizeCommand). It answers
// with a fresh action.
func (c *call) postRefreshLUNs(d *storageDomain) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	switch {
	case d.status == "locked" || e.locked["DOMAIN:"+d.id]:
		return c.refuse(objectLocked("edit Storage"))
	case d.dc == nil || d.dc.status != "up":
		return c.refuse(conflict("Cannot edit Storage. The relevant Data Center's status is not up."))
	case d.status != "active":
		return c.refuse(statusIllegal("edit Storage", d.status))
	case !d.export.block():
		return c.refuse(bad("Cannot edit Storage. Storage Domain type is illegal."))
	}
	for _, n := range doc.child("logical_units").all("logical_unit") {
		if !slices.ContainsFunc(d.luns(), func(u *lun) bool { return u.ID == n.attr("id") }) {
			return c.refuse(bad("ACTION_TYPE_FAILED_LUNS_NOT_PART_OF_STORAGE_DOMAIN")) // the bundle has no text for it
		}
	}
	d.status = "locked"
	back := func() { d.status = "active" }
	if !c.wait(e.operation(d.dc.work.take(l.now, l.lat.Rescan), func() {
		back()
		c.effect("refresh the LUNs of storage domain %s", d.name)
		e.event(eventLUNsRefreshed, "normal", "Resize LUNs operation succeeded.", refs{domain: d, correlation: c.correlation, user: e.userName()})
	}, back)) {
		return nil
	}
	return c.actionDone(c.doneJob("Refreshing LUNs of Storage Domain "+d.name), nil)
}
