package lab

import "net/http"

// unitUse is what the engine, or the storage itself, says that a LUN is used for.
type unitUse struct {
	domain, disk string // ids
	status       string // free, used or unusable; "" is left out
}

// writeUnit writes a logical unit (ovirt-engine StorageLogicalUnitMapper). v is the connection behind which it is, nil for Fibre
// Channel; paths is how many a host has to it now, 0 where the engine tells from its database.
func writeUnit(x *xmlWriter, u *lun, use unitUse, v *connection, paths int) {
	x.open("logical_unit", "id", u.ID)
	if paths > 0 {
		x.int("active_paths", int64(paths))
	}
	if v != nil {
		x.text("address", v.address)
	}
	x.int("discard_max_size", 0)
	x.bool("discard_zeroes_data", false)
	optional(x, "disk_id", use.disk)
	x.int("lun_mapping", int64(u.Number))
	x.int("paths", int64(paths))
	if v != nil {
		x.int("port", int64(v.port))
		if t := u.set.target; t != nil {
			for _, p := range t.portals {
				if p.address == v.address && p.port == v.port {
					x.text("portal", p.String())
				}
			}
		}
	}
	optional(x, "product_id", u.Product)
	optional(x, "serial", u.Serial)
	x.int("size", u.Size/gib*gib) // the engine counts in GiB
	optional(x, "status", use.status)
	optional(x, "storage_domain_id", use.domain)
	if v != nil {
		x.text("target", v.target)
		optional(x, "username", v.username)
	}
	optional(x, "vendor_id", u.Vendor)
	if use.domain != "" {
		x.text("volume_group_id", volumeGroupID(use.domain))
	}
	x.close("logical_unit")
}

// useOf is what a host finds on a LUN and what the engine knows of it (ovirt-engine GetDeviceListQuery). The status is what a dry run
// of pvcreate says: used where something lies on it, unusable where it cannot be written.
func (e *engine) useOf(u *lun, status bool) unitUse {
	var use unitUse
	found, _ := e.lab.content(u.set)
	for _, o := range u.set.volumes(found) {
		if found != nil && o == u {
			use.domain = found.id
		}
	}
	use.disk = e.lunUser(u)
	if !status {
		return use
	}
	switch {
	case use.domain != "" || use.disk != "" || e.lab.written(u) > 0:
		use.status = "used"
	case !u.set.writable:
		use.status = "unusable"
	default:
		use.status = "free"
	}
	return use
}

// lunUser is the id of the direct LUN disk that the engine has on a LUN, "" for none.
func (e *engine) lunUser(u *lun) string {
	for _, k := range e.disks {
		if k.lun != nil && k.lun.id == u.ID {
			return k.id
		}
	}
	return ""
}

func (c *call) writeHostStorage(x *xmlWriter, h *host, v device, status bool) {
	u := v.lun
	x.open("host_storage", "href", apiRoot+"/hosts/"+h.ID+"/storage/"+u.ID, "id", u.ID)
	x.open("logical_units")
	var first *connection
	paths := u.Paths
	if len(v.sessions) > 0 {
		s := v.sessions[0]
		first = &connection{kind: kindISCSI, address: s.at.address, port: s.at.port, target: s.target.Name, username: s.username}
		paths = len(v.sessions)
	} else if paths == 0 {
		paths = 2
	}
	writeUnit(x, u, c.engine.useOf(u, status), first, paths)
	x.close("logical_units")
	x.text("type", u.set.Type)
	x.ref("host", "hosts", h.ID)
	x.close("host_storage")
}

// getHostStorage lists the LUNs that a host sees at this moment: it looks at all its devices for that. With report_status=false it does
// not try whether they are free, which is quicker (ovirt-engine BackendHostStorageResource).
func (c *call) getHostStorage(h *host, s []string) *reply {
	e, l := c.engine, c.lab
	status := !c.params.Has("report_status") || c.flagParam("report_status")
	d := l.lat.Rescan
	if !status {
		d /= 2
	}
	if h.status != "up" {
		return c.refuse(queryFailed("Cannot fetch storage devices, host %s is not UP.", h.Name))
	}
	var list []device
	if !c.wait(e.operation(l.now.Add(d), func() { list = e.devices(h) }, nil)) {
		return nil
	}
	c.items = len(list)
	return c.hostStorage(h, s, list, status)
}

func (c *call) hostStorage(h *host, s []string, list []device, status bool) *reply {
	if len(s) == 0 {
		x := newXML("host_storages")
		for _, v := range list {
			c.writeHostStorage(x, h, v, status)
		}
		return x.reply(http.StatusOK)
	}
	if len(s) == 1 {
		for _, v := range list {
			if v.lun.ID == s[0] {
				x := newDocument()
				c.writeHostStorage(x, h, v, status)
				return x.reply(http.StatusOK)
			}
		}
	}
	return c.notFound()
}
