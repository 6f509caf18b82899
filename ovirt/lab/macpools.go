package lab

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// ranges are all of a pool.
func (p *MACPool) ranges() []MACRange {
	return append([]MACRange{{From: p.From, To: p.To}}, p.Ranges...)
}

// holds reports whether a pool may hand out an address.
func (p *macPool) holds(mac uint64) bool {
	return slices.ContainsFunc(p.ranges(), func(r MACRange) bool { return mac >= macNumber(r.From) && mac <= macNumber(r.To) })
}

// setRanges replaces the ranges of a pool, of which there is at least one.
func (p *macPool) setRanges(list []MACRange) {
	p.From, p.To, p.Ranges = list[0].From, list[0].To, slices.Clone(list[1:])
}

// defaultPool reports whether a pool is the engine's first one, which new clusters get.
func (e *engine) defaultPool(p *macPool) bool { return len(e.pools) > 0 && e.pools[0] == p }

func (e *engine) writePool(x *xmlWriter, p *macPool) {
	href := apiRoot + "/macpools/" + p.ID
	x.open("mac_pool", "href", href, "id", p.ID)
	x.text("name", p.Name)
	x.text("description", p.Description)
	x.links(href, "permissions")
	x.bool("allow_duplicates", p.AllowDuplicates)
	x.bool("default_pool", e.defaultPool(p))
	x.open("ranges")
	for _, r := range p.ranges() {
		x.open("range")
		x.text("from", r.From)
		x.text("to", r.To)
		x.close("range")
	}
	x.close("ranges")
	x.close("mac_pool")
}

func (c *call) routePoolsOfMACs(s []string) *reply {
	e := c.engine
	return serve(c, s, rest[*macPool]{root: "mac_pools", all: e.pools, id: func(p *macPool) string { return p.ID }, write: e.writePool,
		add:    func() *reply { return c.savePool(&macPool{}) },
		update: c.savePool,
		remove: func(p *macPool) *reply { // ovirt-engine RemoveMacPoolCommand
			var users []string
			for _, k := range e.clusters {
				if k.pool == p {
					users = append(users, k.Name)
				}
			}
			switch {
			case e.defaultPool(p):
				return c.refuse(conflict("Cannot remove MAC Pool. Default MAC Pool cannot be removed."))
			case len(users) > 0:
				return c.refuse(conflict("Cannot remove MAC Pool. Several Clusters (%d) are using this MAC Pool:\\n\t%s\\n - Please remove it from all Clusters that are using it and try again.",
					len(users), strings.Join(users, "\n\t")))
			}
			e.pools = slices.DeleteFunc(e.pools, func(o *macPool) bool { return o == p })
			c.effect("delete mac pool %s", p.Name)
			c.audit(eventMACPoolRemoved, "MAC Pool '%s' (id=%s) was removed. (User: %s)", p.Name, p.ID, e.userName())
			return c.actionDone(nil, nil)
		},
		sub: func(p *macPool, s []string) *reply {
			if s[0] == "permissions" {
				return c.routePermissions(permissionPlace{kind: "mac_pool", collection: "macpools", id: p.ID}, s[1:])
			}
			return nil
		}})
}

var macAddress = regexp.MustCompile(`^([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}$`)

// savePool adds a pool without id and updates one with it (ovirt-engine MacPoolValidator).
func (c *call) savePool(p *macPool) *reply {
	e := c.engine
	doc, r := c.parse("mac_pool")
	if r != nil {
		return c.refuse(r)
	}
	action, asked := "add", "Setting"
	if p.ID == "" && doc.value("name") == "" {
		return c.refuse(incomplete("MacPool", "name", "add"))
	}
	if p.ID != "" {
		action, asked = "edit", "Changing"
		if id := doc.attr("id"); id != "" && id != p.ID {
			return c.refuse(immutable("id"))
		}
	}
	next := *p
	next.Name = cmp.Or(doc.value("name"), p.Name)
	if doc.child("description") != nil {
		next.Description = doc.value("description")
	}
	allow, set, r := doc.flag("allow_duplicates")
	if r != nil {
		return c.refuse(r)
	}
	if set {
		next.AllowDuplicates = allow
	}
	first, set, r := doc.flag("default_pool")
	if r != nil {
		return c.refuse(r)
	}
	no := func(text string) *refusal { return conflict("Cannot %s MAC Pool. %s", action, text) }
	if set && first != (p.ID != "" && e.defaultPool(p)) {
		return c.refuse(bad("Cannot %s MAC Pool. %s default MAC Pool is not supported.", action, asked))
	}
	ranges := p.ranges()
	if n := doc.child("ranges"); n != nil || p.ID == "" {
		ranges = nil
		for _, one := range n.all("range") {
			ranges = append(ranges, MACRange{From: one.value("from"), To: one.value("to")})
		}
	}
	if len(ranges) == 0 {
		return c.refuse(bad("Cannot %s MAC Pool. MAC Pool must contain at least one MAC address range.", action))
	}
	for _, one := range ranges {
		if !macAddress.MatchString(one.From) || !macAddress.MatchString(one.To) || macNumber(one.From) > macNumber(one.To) {
			return c.refuse(bad("Cannot %s MAC Pool. %s", action, fmt.Sprintf("Invalid MAC address range: %s-%s", one.From, one.To)))
		}
	}
	overlap := func(a, b MACRange) bool {
		return macNumber(a.From) <= macNumber(b.To) && macNumber(b.From) <= macNumber(a.To)
	}
	var others []string
	for i, one := range ranges {
		if slices.ContainsFunc(ranges[:i], func(o MACRange) bool { return overlap(one, o) }) {
			return c.refuse(no("MAC pool cannot contain overlapping ranges."))
		}
	}
	for _, o := range e.pools {
		if o.ID == p.ID {
			continue
		}
		if o.Name == next.Name {
			return c.refuse(no("The MAC Pool name is already in use, please choose a unique name and try again."))
		}
		if slices.ContainsFunc(o.ranges(), func(b MACRange) bool {
			return slices.ContainsFunc(ranges, func(a MACRange) bool { return overlap(a, b) })
		}) {
			others = append(others, "'"+o.Name+"'")
		}
	}
	switch {
	case len(others) > 0:
		return c.refuse(no("MAC pool cannot contain ranges which overlap with ranges in MAC pools: " + strings.Join(others, ", ")))
	case p.AllowDuplicates && !next.AllowDuplicates && e.doubleMAC(p):
		return c.refuse(no("Cannot unset 'Allow Duplicates' when mac pool contains duplicate macs."))
	}
	next.setRanges(ranges)
	if p.ID == "" {
		next.ID = c.lab.newID()
		*p = next
		e.pools = append(e.pools, p)
		c.effect("add mac pool %s", p.Name)
		c.audit(eventMACPoolAdded, "MAC Pool '%s' (id=%s) was created. (User: %s)", p.Name, p.ID, e.userName())
		return c.created("/macpools/"+p.ID, func(x *xmlWriter) { e.writePool(x, p) })
	}
	*p = next
	c.effect("update mac pool %s", p.Name)
	c.audit(eventMACPoolEdited, "MAC Pool '%s' (id=%s) was changed. (User: %s)", p.Name, p.ID, e.userName())
	return single(p, e.writePool)
}

// doubleMAC reports whether two NICs of a pool's clusters have one address.
func (e *engine) doubleMAC(p *macPool) bool {
	seen := map[string]bool{}
	for _, v := range e.vms {
		for _, n := range v.nics {
			mac := strings.ToLower(n.mac)
			if v.cluster.pool == p && seen[mac] {
				return true
			}
			seen[mac] = seen[mac] || v.cluster.pool == p
		}
	}
	return false
}
