package lab

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
)

// Storage connections after they were added: how an administrator points a domain at the server that took over from another one.

// mustRest is ACTION_TYPE_FAILED_UNSUPPORTED_ACTION_DOMAIN_MUST_BE_IN_MAINTENANCE_OR_UNATTACHED.
func mustRest(what string, names []string) *refusal {
	return bad("Cannot %s Storage Connection. The data domains %s should be in maintenance or unattached.", what, strings.Join(names, ","))
}

// merged is a connection with the members of a request over those that it has (ovirt-engine StorageServerConnectionMapper).
func (v *connection) merged(doc *node) (*connection, *refusal) {
	next := *v
	for _, m := range []struct {
		name string
		to   *string
	}{{"address", &next.address}, {"path", &next.path}, {"vfs_type", &next.vfs}, {"mount_options", &next.options}, {"nfs_version", &next.nfsVersion},
		{"nfs_timeo", &next.nfsTimeo}, {"nfs_retrans", &next.nfsRetry}, {"target", &next.target}, {"username", &next.username}, {"password", &next.password}} {
		if n := doc.child(m.name); n != nil {
			*m.to = strings.TrimSpace(n.text)
		}
	}
	if doc.child("port") != nil {
		port, r := portOf(doc)
		if r != nil {
			return nil, r
		}
		next.port = port
	}
	return &next, nil
}

// canChange validates a change of a connection by what uses it (ovirt-engine UpdateStorageServerConnectionCommand).
func (e *engine) canChange(v *connection, force bool) *refusal {
	var names, awake, vms []string
	for _, d := range e.domains {
		if !d.uses(v) {
			continue
		}
		names = append(names, d.name)
		if d.dc != nil && d.status != "maintenance" && !force {
			awake = append(awake, d.name)
		}
	}
	for _, w := range e.vms {
		if w.status != "down" && slices.ContainsFunc(w.disks, func(a *attachment) bool { return a.active && a.disk.lun != nil && slices.Contains(a.disk.lun.conns, v) }) {
			vms = append(vms, w.name)
		}
	}
	switch {
	case v.kind != kindISCSI && len(names) > 1:
		return conflict("Cannot edit Storage Connection. Storage connection parameters are used by the following storage domains : %s.", strings.Join(names, ","))
	case len(awake) > 0 && len(vms) > 0:
		return bad("Cannot edit Storage Connection. The data domains %s should be in maintenance or unattached, and VMs %s should be down.", strings.Join(awake, ","), strings.Join(vms, ","))
	case len(awake) > 0:
		return mustRest("edit", awake)
	case len(vms) > 0:
		return bad("Cannot edit Storage Connection. VMs %s should be down.", strings.Join(vms, ","))
	}
	return nil
}

// putConnection changes a connection (ovirt-engine UpdateStorageServerConnectionCommand). Nothing is tried: what lies at the new place
// shows when the domain is activated.
func (c *call) putConnection(id string) *reply {
	e := c.engine
	v := e.connection(id)
	if v == nil {
		return c.notFound()
	}
	doc, r := c.parse("storage_connection")
	if r != nil {
		return c.refuse(r)
	}
	if given := doc.attr("id"); given != "" && given != v.id {
		return c.refuse(immutable("id"))
	}
	if kind := cmp.Or(doc.value("type"), v.kind); kind != v.kind {
		return c.refuse(bad("Cannot edit Storage Connection. Storage type cannot be edited."))
	}
	next, r := v.merged(doc)
	if r != nil {
		return c.refuse(r)
	}
	where := doc.child("host")
	h := e.hostRef(where)
	other := find(e.connections, func(o *connection) bool { return o != v && o.same(next) })
	switch {
	case where != nil && h == nil:
		return c.refuse(notFoundNamed(where.value("name") + where.attr("id")))
	case v.kind == kindNFS && (next.address == "" || !strings.HasPrefix(next.path, "/")):
		return c.refuse(bad("Mount path is illegal, please use [IP:/path or FQDN:/path] convention."))
	case other != nil:
		r := e.connectionExists(other)
		r.detail = strings.Replace(r.detail, "Cannot add", "Cannot edit", 1)
		return c.refuse(r)
	}
	for _, d := range e.domains {
		if d.uses(v) && e.locked["DOMAIN:"+d.id] {
			return c.refuse(objectLocked("edit Storage Connection"))
		}
	}
	if r := e.canChange(v, c.flagParam("force")); r != nil {
		return c.refuse(r)
	}
	*v = *next
	for _, d := range e.domains {
		if d.uses(v) && v.kind != kindISCSI {
			d.export = e.lab.led(v)
		}
	}
	c.effect("update storage connection %s", v.spec())
	return single(v, writeConnection)
}

// led is what a file connection leads to: an export, or a place where nothing is.
func (l *Lab) led(v *connection) *export {
	if x := l.mounted(v); x != nil {
		return x
	}
	return &export{Export: Export{Address: v.address, Path: v.path, Type: v.kind}}
}

// holds reports whether the domain that the engine means lies where its connections lead.
func (d *storageDomain) holds() bool {
	return d.export.copy != nil && d.export.copy.now().id == d.id
}

// routeDomainConnections serves the storage connections of one domain. Those of an iSCSI domain can be added to and taken from it while it
// rests, which is how it is led to another array (ovirt-engine BackendStorageDomainServerConnectionsResource).
func (c *call) routeDomainConnections(d *storageDomain, s []string, get, post, del bool) *reply {
	switch {
	case len(s) == 0 && get:
		return c.getConnections(d.conns)
	case len(s) == 0 && post:
		return c.attachConnection(d)
	case len(s) > 1:
		return c.notFound()
	case len(s) == 1 && del:
		return c.detachConnection(d, s[0])
	case len(s) == 0 || !get:
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if v := find(d.conns, func(v *connection) bool { return v.id == s[0] }); v != nil {
		return single(v, writeConnection)
	}
	return c.notFound()
}

// canLead is what attaching and detaching a connection have in common (ovirt-engine StorageConnectionValidator).
func (d *storageDomain) canLead(v *connection, what string) *refusal {
	switch {
	case v == nil:
		return bad("Cannot %s Storage Connection. Storage connection doesn't exist.", what)
	case d.dc != nil && d.status != "maintenance":
		return mustRest(what, []string{d.name})
	case v.kind != d.export.kind():
		return bad("Cannot %s Storage Connection. Storage connection and domain type don't match.", what)
	case v.kind != kindISCSI:
		return bad("Cannot %s Storage Connection. Action is supported only for iSCSI storage domains.", what)
	}
	return nil
}

// attachConnection is ovirt-engine AttachStorageConnectionToStorageDomainCommand.
func (c *call) attachConnection(d *storageDomain) *reply {
	doc, r := c.parse("storage_connection")
	if r != nil {
		return c.refuse(r)
	}
	id := doc.attr("id")
	if id == "" {
		return c.refuse(incomplete("StorageConnection", "id", "add"))
	}
	v := c.engine.connection(id)
	switch no := d.canLead(v, "attach"); {
	case no != nil:
		return c.refuse(no)
	case d.uses(v):
		return c.refuse(conflict("Cannot attach Storage Connection. Storage connection is already attached to the specified domain."))
	}
	d.conns = append(slices.Clone(d.conns), v)
	c.effect("attach storage connection %s to %s", v.spec(), d.name)
	return c.actionDone(nil, nil)
}

// detachConnection is ovirt-engine DetachStorageConnectionFromStorageDomainCommand.
func (c *call) detachConnection(d *storageDomain, id string) *reply {
	v := c.engine.connection(id)
	switch no := d.canLead(v, "detach"); {
	case no != nil:
		return c.refuse(no)
	case !d.uses(v):
		return c.refuse(bad("Cannot detach Storage Connection. Storage connection is not attached to the specified domain."))
	}
	d.conns = slices.DeleteFunc(slices.Clone(d.conns), func(o *connection) bool { return o == v })
	c.effect("detach storage connection %s from %s", v.spec(), d.name)
	return c.actionDone(nil, nil)
}
