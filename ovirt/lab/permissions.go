package lab

import (
	"cmp"
	"slices"
	"strings"
)

// permissionPlace is where a request looks at permissions: the system, an object, or a user or group.
type permissionPlace struct{ kind, collection, id string }

// above returns the objects whose permissions an object inherits, nearest first, ending with the system (ovirt-engine
// fn_get_entity_parents).
func (e *engine) above(kind, id string) []permissionPlace {
	var list []permissionPlace
	dc := func(d *dataCenter) {
		if d != nil {
			list = append(list, permissionPlace{kind: "data_center", id: d.ID})
		}
	}
	switch kind {
	case "vm":
		if v := e.vm(id); v != nil {
			list = append(list, permissionPlace{kind: "cluster", id: v.cluster.ID})
			dc(v.cluster.dc)
		}
	case "host":
		if h := e.host(id); h != nil {
			list = append(list, permissionPlace{kind: "cluster", id: h.cluster.ID})
			dc(h.cluster.dc)
		}
	case "cluster":
		if k := e.cluster(id); k != nil {
			dc(k.dc)
		}
	case "template":
		if t := e.template(id); t != nil && t.cluster != nil {
			dc(t.cluster.dc)
		}
	case "storage_domain":
		if d := e.domain(id); d != nil {
			dc(d.dc)
		}
	case "disk":
		if d := e.diskByID[id]; d != nil {
			for _, sd := range d.domains {
				list = append(list, permissionPlace{kind: "storage_domain", id: sd.id})
				dc(sd.dc)
			}
		}
	case "network":
		if n := e.network(id); n != nil {
			dc(e.dc(n.DataCenterID))
		}
	case "vnic_profile":
		if p := e.profile(id); p != nil {
			list = append(list, permissionPlace{kind: "network", id: p.NetworkID})
			if n := e.network(p.NetworkID); n != nil {
				dc(e.dc(n.DataCenterID))
			}
		}
	case "system":
		return nil
	}
	return append(list, permissionPlace{kind: "system"})
}

// permissionsAt returns the permissions that a place shows, by id: those of an object with those that it inherits, which read as
// if they were its own (ovirt-engine BackendAssignedPermissionsResource).
func (e *engine) permissionsAt(at permissionPlace) []Permission {
	var list []Permission
	switch at.kind {
	case "user", "group":
		of := map[string]bool{at.id: true}
		if u := e.user(at.id); u != nil {
			of[everyoneID] = true
			for _, name := range u.Groups {
				if g := find(e.directory(u.domain).groups, func(g *userGroup) bool { return g.Name == name }); g != nil {
					of[g.ID] = true
				}
			}
		}
		for _, p := range e.permissions {
			if of[p.UserID] {
				list = append(list, *p)
			}
		}
	default:
		for _, place := range append([]permissionPlace{at}, e.above(at.kind, at.id)...) {
			for _, p := range e.permissions {
				if p.Object == place.kind && strings.EqualFold(p.ObjectID, place.id) {
					own := *p
					own.Object, own.ObjectID = at.kind, at.id
					list = append(list, own)
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Permission) int { return cmp.Compare(a.ID, b.ID) })
	return slices.CompactFunc(list, func(a, b Permission) bool { return a.ID == b.ID })
}

// writePermission writes a permission as it is seen at a place. That of a group is linked below the group wherever it is seen.
func (e *engine) writePermission(x *xmlWriter, p Permission, at permissionPlace) {
	group := e.user(p.UserID) == nil
	href := apiRoot + "/permissions/" + p.ID
	switch {
	case group:
		href = apiRoot + "/groups/" + p.UserID + "/permissions/" + p.ID
	case at.collection != "":
		href = apiRoot + "/" + at.collection + "/" + at.id + "/permissions/" + p.ID
	}
	x.open("permission", "href", href, "id", p.ID)
	refs := []struct{ name, collection, id string }{{"role", "roles", p.RoleID}}
	if group {
		refs = append(refs, struct{ name, collection, id string }{"group", "groups", p.UserID})
	} else {
		refs = append(refs, struct{ name, collection, id string }{"user", "users", p.UserID})
	}
	for _, o := range permissionObjects[:8] { // others are not mapped (ovirt-engine PermissionMapper)
		if o.kind == p.Object && p.ObjectID != "" {
			refs = append(refs, struct{ name, collection, id string }{o.kind, o.collection, p.ObjectID})
		}
	}
	slices.SortFunc(refs, func(a, b struct{ name, collection, id string }) int { return cmp.Compare(a.name, b.name) })
	for _, r := range refs {
		x.ref(r.name, r.collection, r.id)
	}
	x.close("permission")
}

func (c *call) routePermissions(at permissionPlace, s []string) *reply {
	e := c.engine
	all := e.permissionsAt(at)
	if len(s) == 1 { // one is found by its id, wherever it is
		all = nil
		for _, p := range e.permissions {
			all = append(all, *p)
		}
	}
	return serve(c, s, rest[Permission]{root: "permissions", all: all, id: func(p Permission) string { return p.ID },
		write: func(x *xmlWriter, p Permission) { e.writePermission(x, p, at) },
		add:   func() *reply { return c.postPermission(at) },
		remove: func(p Permission) *reply {
			return c.deletePermission(p, at)
		}})
}

// postPermission is ovirt-engine AddPermissionCommand. What exists already is answered as if it had been added.
func (c *call) postPermission(at permissionPlace) *reply {
	e := c.engine
	doc, r := c.parse("permission")
	if r != nil {
		return c.refuse(r)
	}
	p := &Permission{Object: at.kind, ObjectID: at.id}
	roleNode := doc.child("role")
	principal := at.kind == "user" || at.kind == "group"
	if roleNode.attr("id") == "" && roleNode.value("name") == "" {
		if principal {
			return c.refuse(incomplete("Permission", "role.id|name, dataCenter|cluster|host|storageDomain|vm|vmPool|template.id", "add"))
		}
		return c.refuse(incomplete("Permission", "role.id|name, user|group.id", "add"))
	}
	if principal {
		p.UserID, p.Object, p.ObjectID = at.id, "", ""
		for _, o := range permissionObjects[:7] {
			if id := doc.child(o.kind).attr("id"); id != "" && p.Object == "" {
				p.Object, p.ObjectID = o.kind, id
			}
		}
		if p.Object == "" {
			return c.refuse(incomplete("Permission", "role.id|name, dataCenter|cluster|host|storageDomain|vm|vmPool|template.id", "add"))
		}
	} else {
		p.UserID = cmp.Or(doc.child("user").attr("id"), doc.child("group").attr("id"))
		if p.UserID == "" {
			return c.refuse(incomplete("Permission", "role.id|name, user|group.id", "add"))
		}
	}
	given := e.role(roleNode.attr("id"))
	if roleNode.attr("id") == "" {
		given = e.roleNamed(roleNode.value("name"))
	}
	name, group := "", e.userGroup(p.UserID)
	if u := e.user(p.UserID); u != nil {
		name = u.Login
	} else if group != nil {
		name = group.Name
	}
	switch {
	case given == nil:
		return c.refuse(bad("Cannot add permission, invalid Role id"))
	case !e.permissionObjectExists(p):
		return c.refuse(bad("Cannot add permission, invalid object ID or type"))
	case p.Object == "vm" && e.vm(p.ObjectID).pool != "":
		return c.refuse(conflict("Cannot add permission, VM is part of VM-Pool, permission should be given on VM-Pool instead"))
	case name == "": // the directory is asked for what the database does not know, and does not know it either
		return c.refuse(bad("User must exist in Directory."))
	}
	p.RoleID = given.ID
	if known := find(e.permissions, func(o *Permission) bool {
		return o.UserID == p.UserID && o.RoleID == p.RoleID && o.Object == p.Object && o.ObjectID == p.ObjectID
	}); known != nil {
		p = known
	} else {
		p.ID = c.lab.newID()
		e.permissions = append(e.permissions, p)
	}
	c.touch(p)
	c.effect("give %s the role %s on %s %s", name, given.Name, p.Object, p.ObjectID)
	c.audit(eventPermissionAdded, "User/Group %s, Namespace *, Authorization provider: %s was granted permission for Role %s on %s %s, by %s.",
		name, ownDomain, given.Name, vdcObjectTypes[p.Object], e.objectName(p), e.userName())
	path := "/permissions/" + p.ID
	if at.collection != "" {
		path = "/" + at.collection + "/" + at.id + path
	}
	return c.created(path, func(x *xmlWriter) { e.writePermission(x, *p, at) })
}

// touch marks that a VM's OVF has to be written again.
func (c *call) touch(p *Permission) {
	if v := c.engine.vm(p.ObjectID); v != nil && p.Object == "vm" {
		c.engine.touch(v)
	}
}

// deletePermission is ovirt-engine RemovePermissionCommand.
func (c *call) deletePermission(p Permission, at permissionPlace) *reply {
	e := c.engine
	super := 0
	for _, o := range e.permissions {
		if o.RoleID == superUser && o.Object == "system" {
			super++
		}
	}
	switch {
	case p.RoleID == superUser && super <= 1:
		return c.refuse(conflict("Cannot remove Permission. The system must have at least one Super User Role defined."))
	case p.Object == "system" && p.UserID == everyoneID:
		return c.refuse(conflict("It's not allowed to remove system permissions assigned to built-in Everyone group"))
	case at.kind == "user" && at.id != p.UserID:
		return c.refuse(conflict("Cannot remove inherited permission"))
	}
	e.permissions = slices.DeleteFunc(e.permissions, func(o *Permission) bool { return o.ID == p.ID })
	c.touch(&p)
	c.effect("remove permission %s", p.ID)
	name := p.UserID
	if u := e.user(p.UserID); u != nil {
		name = u.Login
	} else if g := e.userGroup(p.UserID); g != nil {
		name = g.Name
	}
	c.audit(eventPermissionRemoved, "User/Group %s Role %s permission was removed from %s %s by %s", name, e.role(p.RoleID).Name, vdcObjectTypes[p.Object], e.objectName(&p), e.userName())
	return c.actionDone(nil, nil)
}

// vdcObjectTypes are the names that messages give the kinds of object (ovirt-engine VdcObjectType).
var vdcObjectTypes = map[string]string{"system": "System", "data_center": "Data Center", "cluster": "Cluster", "host": "Host", "storage_domain": "Storage",
	"vm": "VM", "vm_pool": "VM Pool", "template": "Template", "disk": "Disk", "network": "Network", "vnic_profile": "Vnic Profile"}

func (e *engine) permissionObjectExists(p *Permission) bool {
	return p.Object == "system" || e.objectName(p) != ""
}

// objectName is the name of the object that a permission is on, "" when it does not exist.
func (e *engine) objectName(p *Permission) string {
	id := p.ObjectID
	switch p.Object {
	case "system":
		return "System"
	case "data_center":
		if d := e.dc(id); d != nil {
			return d.Name
		}
	case "cluster":
		if k := e.cluster(id); k != nil {
			return k.Name
		}
	case "host":
		if h := e.host(id); h != nil {
			return h.Name
		}
	case "storage_domain":
		if d := e.domain(id); d != nil {
			return d.name
		}
	case "vm":
		if v := e.vm(id); v != nil {
			return v.name
		}
	case "template":
		if t := e.template(id); t != nil {
			return t.Name
		}
	case "disk":
		if d := e.diskByID[id]; d != nil {
			return d.alias
		}
	case "network":
		if n := e.network(id); n != nil {
			return n.Name
		}
	case "vnic_profile":
		if p := e.profile(id); p != nil {
			return p.Name
		}
	case "vm_pool":
		for _, v := range e.vms {
			if v.pool != "" && e.poolID(v.pool) == id {
				return v.pool
			}
		}
	}
	return ""
}

// routeAssignedRoles lists the roles that a user or group has on the system.
func (c *call) routeAssignedRoles(id string, s []string) *reply {
	var of []*role
	for _, p := range c.engine.permissions {
		if p.UserID == id && p.Object == "system" {
			of = append(of, c.engine.role(p.RoleID))
		}
	}
	return serve(c, s, rest[*role]{root: "roles", all: of, id: func(r *role) string { return r.ID }, write: writeRole})
}
