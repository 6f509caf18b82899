package lab

import (
	"fmt"
	"slices"
	"strings"
)

// What is told of a storage domain by its type: where it lies, and how hosts get there.

// ExportName is what replications, domains and hosts call the export of a path at an address, or of a path alone.
func ExportName(address, path string) string {
	if address == "" {
		return path
	}
	return address + ":" + path
}

func (e *Export) name() string { return ExportName(e.Address, e.Path) }

// kind is the storage type in the API's spelling.
func (e *Export) kind() string {
	if e.Type == "" {
		return kindNFS
	}
	return e.Type
}

func (e *Export) check() error {
	switch {
	case !slices.Contains([]string{kindNFS, kindGluster, kindPOSIX}, e.kind()):
		return fmt.Errorf("export %s: type is nfs, glusterfs or posixfs, not %q", e.name(), e.Type)
	case e.Path == "" || e.Address == "" && e.Type != kindPOSIX:
		return fmt.Errorf("export %s has no address or no path", e.name())
	case e.VFSType != "" && e.Type != kindPOSIX:
		return fmt.Errorf("export %s: a vfs_type is of posixfs only", e.name())
	}
	return nil
}

// place is the name of the export or LUN set that a domain lies on.
func (d *StorageDomain) place() string {
	if d.LUNSet != "" {
		return d.LUNSet
	}
	return ExportName(d.Address, d.Path)
}

// buildConnections gives a domain of the starting world the connections that it was added with.
func (e *engine) buildConnections(d *storageDomain) {
	x := d.export
	add := func(v connection) {
		v.kind, v.id = x.kind(), uuidOf(e.name+"/connection/"+v.spec())
		o := find(e.connections, func(o *connection) bool { return o.id == v.id })
		if o == nil {
			o = &v
			e.connections = append(e.connections, o)
		}
		d.conns = append(d.conns, o)
	}
	switch x.kind() {
	case kindISCSI:
		for _, p := range x.target.portals {
			v := connection{kind: kindISCSI, address: p.address, port: p.port, target: x.target.Name, username: x.target.Username, password: x.target.Password}
			add(v)
		}
	case kindFCP:
	case kindNFS:
		add(connection{address: x.Address, path: x.Path, nfsVersion: "auto"})
	case kindGluster:
		add(connection{address: x.Address, path: x.Path, vfs: "glusterfs"})
	default:
		add(connection{address: x.Address, path: x.Path, vfs: x.VFSType})
	}
}

// storageKind is the storage type that a request asks for, by its type or by the connection that it names.
func (e *engine) storageKind(storage *node) string {
	if v := e.connection(storage.attr("id")); v != nil {
		return v.kind
	}
	return storage.value("type")
}

// writeStorage writes where a domain lies: the mount, or the volume group with its LUNs (ovirt-engine BackendStorageDomainsResource,
// mapVolumeGroupIscsi, mapVolumeGroupFcp).
func (c *call) writeStorage(x *xmlWriter, d *storageDomain) {
	x.open("storage")
	if !d.export.block() {
		v := d.conns[0]
		writeMount(x, v)
		x.text("type", v.kind)
		optional(x, "vfs_type", v.vfs)
		x.close("storage")
		return
	}
	x.text("type", d.export.Type)
	x.open("volume_group", "id", volumeGroupID(d.id))
	x.open("logical_units")
	for _, u := range d.luns() {
		if d.export.Type == kindFCP {
			writeUnit(x, u, unitUse{domain: d.id}, nil, 0)
		}
		for _, v := range d.conns { // one element for each LUN and connection
			writeUnit(x, u, unitUse{domain: d.id}, v, 0)
		}
	}
	x.close("logical_units")
	x.close("volume_group")
	x.close("storage")
}

// luns are the LUNs that the engine knows of a domain.
func (d *storageDomain) luns() []*lun {
	if d.export.copy != nil {
		return d.export.volumes(d.export.copy.now())
	}
	return d.export.luns
}

// StorageLists names the replicated storage domains at both sites, as drrun generate takes them.
func (l *Lab) StorageLists() (primary, secondary string) {
	l.lock()
	defer l.mu.Unlock()
	var from, to []string
	for _, p := range l.pairs {
		from, to = append(from, l.storageURLs(p.source)...), append(to, l.storageURLs(p.target)...)
	}
	return strings.Join(from, ";"), strings.Join(to, ";")
}

// storageURLs names, as drrun's command line does, the place of a replicated domain; none where a LUN set holds none.
func (l *Lab) storageURLs(x *export) []string {
	if !x.block() {
		return []string{x.kind() + "://" + x.String()}
	}
	found, _ := l.content(x)
	switch {
	case found == nil:
		return nil
	case x.Type == kindFCP:
		return []string{kindFCP + "://" + found.id}
	}
	var urls []string
	for _, p := range x.target.portals {
		urls = append(urls, fmt.Sprintf("%s://%s:/%s:%d:/%s", kindISCSI, found.id, p.address, p.port, x.target.Name))
	}
	return urls
}

// ReplicatedStorage names the replicated storage of both sites by URL, as drrun generate takes it.
func (l *Lab) ReplicatedStorage() (primary, secondary string) {
	l.lock()
	defer l.mu.Unlock()
	return l.replicatedStorage()
}

// replicatedStorage is ReplicatedStorage with the lock held.
func (l *Lab) replicatedStorage() (primary, secondary string) {
	var from, to []string
	for _, p := range l.pairs {
		from = append(from, l.storageURLs(p.source)...)
		to = append(to, l.storageURLs(p.target)...)
	}
	return strings.Join(from, ";"), strings.Join(to, ";")
}
