package lab

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// connection is how the engine's hosts reach a piece of storage: a mount, or a portal of an iSCSI target. Fibre Channel has none.
type connection struct {
	id, kind string

	address, path                  string // of a file system; a POSIX one may have no address
	vfs, options                   string
	nfsVersion, nfsTimeo, nfsRetry string
	target                         string // the IQN, with address and port
	port                           int
	username, password             string
}

// spec is the engine's own spelling: one string for a file system, the portal and the target for iSCSI.
func (v *connection) spec() string {
	switch {
	case v.kind == kindISCSI:
		return v.address + ":" + strconv.Itoa(v.port) + " " + v.target
	case v.address == "":
		return v.path
	}
	return v.address + ":" + v.path
}

// same reports whether two connections lead to the same place by the same means.
func (v *connection) same(o *connection) bool {
	return (v.kind == kindISCSI) == (o.kind == kindISCSI) && v.spec() == o.spec() && v.username == o.username
}

// isOf reports whether a session goes through this connection.
func (v *connection) isOf(s session) bool {
	return v.kind == kindISCSI && v.target == s.target.Name && v.address == s.at.address && v.port == s.at.port
}

func writeConnection(x *xmlWriter, v *connection) {
	x.open("storage_connection", "href", apiRoot+"/storageconnections/"+v.id, "id", v.id)
	if v.kind == kindISCSI {
		x.text("address", v.address)
		x.int("port", int64(v.port))
		x.text("target", v.target)
		x.text("type", v.kind)
		optional(x, "username", v.username)
		x.close("storage_connection")
		return
	}
	writeMount(x, v)
	x.text("type", v.kind)
	optional(x, "vfs_type", v.vfs)
	x.close("storage_connection")
}

// optional writes a member that is absent when it is empty.
func optional(x *xmlWriter, name, value string) {
	if value != "" {
		x.text(name, value)
	}
}

// writeMount writes where a file system is mounted from. The engine keeps one string and takes it apart at the first and the second
// colon, so that a specification with ports in it comes out mutilated; an IPv6 address in brackets does not (ovirt-engine
// BackendStorageDomainsResource, mapFileDomain).
func writeMount(x *xmlWriter, v *connection) {
	spec := v.spec()
	address, path := "", spec
	if strings.HasPrefix(spec, "[") {
		if a, p, ok := strings.Cut(spec, "]:"); ok {
			address, path = a+"]", p
		}
	} else if parts := strings.Split(spec, ":"); len(parts) > 1 {
		address, path = parts[0], parts[1]
	}
	optional(x, "address", address)
	optional(x, "mount_options", v.options)
	if v.kind == kindNFS {
		optional(x, "nfs_retrans", v.nfsRetry)
		optional(x, "nfs_timeo", v.nfsTimeo)
		optional(x, "nfs_version", v.nfsVersion)
	}
	x.text("path", path)
}

func (c *call) getConnections(list []*connection) *reply {
	x := newXML("storage_connections")
	for _, v := range list {
		writeConnection(x, v)
	}
	c.items = len(list)
	return x.reply(http.StatusOK)
}

func (e *engine) connection(id string) *connection {
	return find(e.connections, func(v *connection) bool { return v.id == id })
}

// connectionLike finds a connection to the same place, or nil.
func (e *engine) connectionLike(v *connection) *connection { return find(e.connections, v.same) }

// keep returns the engine's connection to that place, which it adds where there is none.
func (e *engine) keep(v *connection) *connection {
	if o := e.connectionLike(v); o != nil {
		return o
	}
	v.id = e.lab.newID()
	e.connections = append(e.connections, v)
	return v
}

func (c *call) getConnection(id string) *reply {
	v := c.engine.connection(id)
	if v == nil {
		return c.notFound()
	}
	return single(v, writeConnection)
}

// connectionExists is ACTION_TYPE_FAILED_STORAGE_CONNECTION_ALREADY_EXISTS.
func (e *engine) connectionExists(v *connection) *refusal {
	owner := v.id
	if d := find(e.domains, func(d *storageDomain) bool { return d.uses(v) }); d != nil {
		owner = d.name
	}
	return conflict("Cannot add Storage Connection. Storage connection %s already exists for %s.", v.spec(), owner)
}

// uses reports whether a domain is reached through a connection.
func (d *storageDomain) uses(v *connection) bool { return v != nil && slices.Contains(d.conns, v) }

// parseConnection reads the members of a connection from a storage_connection or from the storage of a storage_domain. kind is the
// storage type; element and prefix name the members in complaints (ovirt-engine BackendStorageServerConnectionsResource).
func parseConnection(n *node, kind, element, prefix string) (*connection, *refusal) {
	v := &connection{kind: kind, address: n.value("address"), path: n.value("path"), options: n.value("mount_options"), vfs: n.value("vfs_type"),
		nfsVersion: n.value("nfs_version"), nfsTimeo: n.value("nfs_timeo"), nfsRetry: n.value("nfs_retrans"),
		target: n.value("target"), username: n.value("username"), password: n.value("password")}
	need := func(names ...string) *refusal {
		have := map[string]string{"address": v.address, "path": v.path, "vfs_type": v.vfs, "target": v.target, "port": n.value("port")}
		for _, name := range names {
			if have[name] == "" {
				words := prefix + strings.Join(names, ", "+prefix)
				return incomplete(element, strings.ReplaceAll(words, "vfs_type", "vfsType"), "add")
			}
		}
		return nil
	}
	var r *refusal
	switch kind {
	case kindNFS:
		r = need("address", "path")
	case kindPOSIX, kindGluster:
		r = need("path", "vfs_type")
	case kindISCSI:
		if r = need("address", "target", "port"); r == nil {
			v.port, r = portOf(n)
		}
	default:
		r = invalidValue("type", kind)
	}
	if r != nil {
		return nil, r
	}
	if v.nfsVersion != "" && !slices.Contains([]string{"auto", "v3", "v4", "v4_0", "v4_1", "v4_2"}, v.nfsVersion) {
		return nil, invalidValue("nfs_version", v.nfsVersion)
	}
	if kind == kindNFS && !strings.HasPrefix(v.path, "/") {
		return nil, bad("Mount path is illegal, please use [IP:/path or FQDN:/path] convention.")
	}
	return v, nil
}

// storageTypes are the words that the API has for a storage type.
var storageTypes = []string{kindNFS, kindISCSI, kindFCP, "localfs", kindPOSIX, kindGluster, "cinder", "glance", "managed_block_storage"}

// postConnection adds a connection, and with a host lets that host try it (ovirt-engine AddStorageServerConnectionCommand).
func (c *call) postConnection() *reply {
	e, l := c.engine, c.lab
	doc, r := c.parse("storage_connection")
	if r != nil {
		return c.refuse(r)
	}
	kind := doc.value("type")
	switch {
	case kind == "":
		return c.refuse(incomplete("StorageConnection", "type", "add"))
	case !slices.Contains(storageTypes, kind):
		return c.refuse(invalidValue("type", kind))
	}
	v, r := parseConnection(doc, kind, "StorageConnection", "")
	if r != nil {
		return c.refuse(r)
	}
	lock := "CONNECTION:" + v.spec()
	if e.locked[lock] {
		return c.refuse(objectLocked("add Storage Connection"))
	}
	if o := e.connectionLike(v); o != nil {
		return c.refuse(e.connectionExists(o))
	}
	where := doc.child("host")
	if where == nil {
		e.keep(v)
		c.effect("add storage connection %s", v.spec())
		return c.created("/storageconnections/"+v.id, func(x *xmlWriter) { writeConnection(x, v) })
	}
	h := e.hostRef(where)
	switch {
	case h == nil && where.attr("id") == "":
		return c.refuse(notFoundNamed(where.value("name")))
	case h == nil:
		return c.refuse(bad("Cannot add Storage Connection. Invalid Host Id."))
	case h.status != "up":
		return c.refuse(conflict("Cannot add storage server connection when Host status is not up"))
	}
	e.locked[lock] = true
	var fail *refusal
	if !c.wait(e.operation(l.now.Add(e.reachTime(h, v)), func() {
		delete(e.locked, lock)
		if fail = e.try(h, v); fail == nil {
			e.keep(v)
			c.effect("add storage connection %s", v.spec())
		}
	}, nil)) {
		return nil
	}
	if fail != nil {
		return c.refuse(fail)
	}
	return c.created("/storageconnections/"+v.id, func(x *xmlWriter) { writeConnection(x, v) })
}

// mounted finds what a connection of a file type leads to: an export of the same type, and where it matters of the same file system.
func (l *Lab) mounted(v *connection) *export {
	x := l.export(v.spec())
	if x == nil || x.block() || x.kind() != v.kind || v.kind != kindNFS && x.VFSType != "" && x.VFSType != v.vfs {
		return nil
	}
	return x
}

// reachTime is how long a host takes to reach what a connection leads to. A server that does not answer takes all its time.
func (e *engine) reachTime(h *host, v *connection) time.Duration {
	l := e.lab
	if v.kind == kindISCSI {
		if t := l.target(v.target); t == nil || !l.reachable(t) {
			return l.lat.DeadPortal
		}
		return l.lat.ISCSI
	}
	if x := l.export(v.spec()); x != nil && (!x.online || !h.sees(x)) {
		return l.lat.DeadMount
	}
	return l.lat.Import
}

// try lets a host connect (ovirt-engine ConnectStorageToVdsCommand).
func (e *engine) try(h *host, v *connection) *refusal {
	if v.kind == kindISCSI {
		_, r := e.connect(h, v.target, v.address, v.port, v.username, v.password)
		return r
	}
	x := e.lab.mounted(v)
	switch {
	case h.status != "up":
		return networkError()
	case x == nil || !x.online || !h.sees(x):
		return vdsm("Problem while trying to mount target")
	case !x.writable:
		return vdsm("Permission settings on the specified path do not allow access to the storage. Verify permission settings on the specified storage path.")
	}
	return nil
}

// deleteConnection removes a connection that nothing uses, such as what a failed listing leaves behind (ovirt-engine
// RemoveStorageServerConnectionCommand). With a host, that host is disconnected too.
func (c *call) deleteConnection(id string) *reply {
	e := c.engine
	v := e.connection(id)
	if v == nil {
		return c.notFound()
	}
	var domains, disks []string
	for _, d := range e.domains {
		if d.uses(v) {
			domains = append(domains, d.name)
		}
	}
	for _, k := range e.disks {
		if k.lun != nil && slices.Contains(k.lun.conns, v) {
			disks = append(disks, k.alias)
		}
	}
	const cannot = "Cannot remove Storage Connection. Storage connection parameters are used by the following "
	switch {
	case len(domains) > 0 && len(disks) > 0:
		return c.refuse(conflict(cannot+"storage domains : %s and disks: %s.", strings.Join(domains, ","), strings.Join(disks, ",")))
	case len(domains) > 0:
		return c.refuse(conflict(cannot+"storage domains : %s.", strings.Join(domains, ",")))
	case len(disks) > 0:
		return c.refuse(conflict(cannot+"disks : %s.", strings.Join(disks, ",")))
	}
	if name := c.params.Get("host"); name != "" {
		h := find(e.hosts, func(h *host) bool { return h.ID == name || h.Name == name })
		if h == nil {
			return c.refuse(notFoundNamed(name))
		}
		h.logout(v)
	}
	e.removeConnection(v)
	c.effect("delete storage connection %s", v.spec())
	return c.actionDone(nil, nil)
}

func (e *engine) removeConnection(v *connection) {
	e.connections = slices.DeleteFunc(e.connections, func(o *connection) bool { return o == v })
}

// dropConnections removes the connections of a list that nothing uses any more.
func (e *engine) dropConnections(list []*connection) {
	for _, v := range list {
		used := slices.ContainsFunc(e.domains, func(d *storageDomain) bool { return d.uses(v) }) ||
			slices.ContainsFunc(e.disks, func(k *disk) bool { return k.lun != nil && slices.Contains(k.lun.conns, v) })
		if !used {
			e.removeConnection(v)
		}
	}
}
