package lab

import (
	"net/http"
	"slices"
)

func writeConnection(x *xmlWriter, v *connection) {
	x.open("storage_connection", "href", apiRoot+"/storageconnections/"+v.id, "id", v.id)
	x.text("address", v.address)
	x.text("path", v.path)
	x.text("type", "nfs")
	x.close("storage_connection")
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

func (e *engine) connectionTo(address, path string) *connection {
	return find(e.connections, func(v *connection) bool { return v.address == address && v.path == path })
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
	if d := find(e.domains, func(d *storageDomain) bool { return d.conn == v }); d != nil {
		owner = d.name
	}
	return conflict("Cannot add Storage Connection. Storage connection %s:%s already exists for %s.", v.address, v.path, owner)
}

func (c *call) postConnection() *reply {
	doc, r := c.parse("storage_connection")
	if r != nil {
		return c.refuse(r)
	}
	v := &connection{address: doc.value("address"), path: doc.value("path")}
	switch {
	case doc.value("type") == "":
		return c.refuse(incomplete("StorageConnection", "type", "add"))
	case doc.value("type") != "nfs":
		return c.refuse(invalidValue("type", doc.value("type")))
	case v.address == "" || v.path == "":
		return c.refuse(incomplete("StorageConnection", "address, path", "add"))
	}
	if o := c.engine.connectionTo(v.address, v.path); o != nil {
		return c.refuse(c.engine.connectionExists(o))
	}
	v.id = c.lab.newID()
	c.engine.connections = append(c.engine.connections, v)
	c.effect("add storage connection %s:%s", v.address, v.path)
	return c.created("/storageconnections/"+v.id, func(x *xmlWriter) { writeConnection(x, v) })
}

// deleteConnection removes a connection that no domain uses, such as what a failed listing leaves behind.
func (c *call) deleteConnection(id string) *reply {
	v := c.engine.connection(id)
	if v == nil {
		return c.notFound()
	}
	if d := find(c.engine.domains, func(d *storageDomain) bool { return d.conn == v }); d != nil {
		return c.refuse(conflict("Cannot remove Storage Connection. Storage connection is used by the following storage domains: %s.", d.name))
	}
	c.engine.removeConnection(v)
	c.effect("delete storage connection %s:%s", v.address, v.path)
	return c.actionDone(nil, nil)
}

func (e *engine) removeConnection(v *connection) {
	e.connections = slices.DeleteFunc(e.connections, func(o *connection) bool { return o == v })
}
