package lab

import (
	"slices"
	"strings"
)

// postReduceLUNs takes LUNs out of a block domain that is in maintenance, one after the other (ovirt-engine
// ReduceSANStorageDomainDevicesCommand). The first LUN carries the domain's metadata and stays. The answer comes before the work, with
// a fresh action.
func (c *call) postReduceLUNs(d *storageDomain) *reply {
	const what = "edit Storage"
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	if doc.child("logical_units") == nil { // a null pointer
		return html(500, "Internal Server Error")
	}
	var ids []string
	for _, n := range doc.child("logical_units").all("logical_unit") {
		ids = append(ids, n.attr("id"))
	}
	have := d.luns()
	part := func(id string) bool { return slices.ContainsFunc(have, func(u *lun) bool { return u.ID == id }) }
	once := slices.Compact(slices.Sorted(slices.Values(ids)))
	up := []*host(nil)
	if d.dc != nil {
		up = e.upHosts(d.dc)
	}
	switch {
	case e.locked["DOMAIN:"+d.id]:
		return c.refuse(conflict("Cannot %s. The Storage Domain is being reduced.", what))
	case len(ids) == 0:
		return c.refuse(bad("Cannot %s. No devices were provided.", what))
	case !d.export.block():
		return c.refuse(bad("Cannot %s. Storage Domain type is illegal.", what))
	case len(once) != len(ids):
		return c.refuse(bad("Cannot %s. Some devices were provided multiple times for the operation.", what))
	case len(ids) == len(have):
		return c.refuse(bad("Cannot %s. A Block Storage Domain cannot remain without any LUNs.", what))
	case slices.ContainsFunc(ids, func(id string) bool { return !part(id) }):
		return c.refuse(bad("ACTION_TYPE_FAILED_LUNS_NOT_PART_OF_STORAGE_DOMAIN")) // the bundle has no text for it
	case slices.Contains(ids, have[0].ID):
		return c.refuse(bad("Cannot %s. The following LUNs %s are part of the Storage Domain %s metadata devices.", what, have[0].ID, d.name))
	case d.status != "maintenance":
		return c.refuse(statusIllegal(what, d.status))
	case len(up) == 0:
		return c.refuse(conflict("Cannot %s. There is no active Host in the Data Center.", what))
	}
	about := refs{domain: d, correlation: c.correlation, user: e.spec.Username}
	j := c.newJob("Reducing Storage Domain " + d.name)
	e.event(eventReduceStarted, "normal", "Started to reduce Storage "+d.name+" devices. (User: "+e.userName()+").", about)
	c.effect("reduce storage domain %s by %s", d.name, strings.Join(ids, ", "))
	e.locked["DOMAIN:"+d.id] = true
	end := func() { delete(e.locked, "DOMAIN:"+d.id) }
	e.operation(d.dc.work.take(l.now, l.lat.Rescan), func() {
		end()
		if !d.export.online || !d.export.writable || !d.holds() {
			j.end("failed", l.now)
			e.event(eventReduceFailed, "error", "Failed to reduce Storage "+d.name+". (User: "+e.userName()+").", about)
			return
		}
		d.export.copy.change(l.now, func(next *contents) {
			next.volumes = nil
			for _, u := range have {
				if !slices.Contains(ids, u.ID) {
					next.volumes = append(next.volumes, u.at)
				}
			}
		})
		for _, id := range ids {
			e.event(eventDeviceRemoved, "normal", id+" was removed from Storage Domain "+d.name+". (User: "+e.userName()+")", about)
		}
		j.end("finished", l.now)
		e.event(eventReduced, "normal", "Storage "+d.name+" has been reduced. (User: "+e.userName()+").", about)
	}, end)
	return c.actionDone(j, nil)
}
