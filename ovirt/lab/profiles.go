package lab

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// qosTypes are the kinds of quality of service with the values that each has, as the API orders them (ovirt-engine QosMapper).
var qosTypes = map[string][]string{
	"storage":     {"max_iops", "max_read_iops", "max_read_throughput", "max_throughput", "max_write_iops", "max_write_throughput"},
	"cpu":         {"cpu_limit"},
	"network":     {"inbound_average", "inbound_burst", "inbound_peak", "outbound_average", "outbound_burst", "outbound_peak"},
	"hostnetwork": {"outbound_average_linkshare", "outbound_average_realtime", "outbound_average_upperlimit"},
}

func qosPath(q *QoS) string { return "/datacenters/" + q.DataCenterID + "/qoss/" + q.ID }

func writeQoS(x *xmlWriter, q *QoS) {
	x.open("qos", "href", apiRoot+qosPath(q), "id", q.ID)
	x.text("name", q.Name)
	x.text("description", q.Description)
	type member struct{ name, value string }
	members := []member{{"type", q.Type}}
	for _, name := range qosTypes[q.Type] {
		if v, ok := q.Values[name]; ok {
			members = append(members, member{name, strconv.FormatInt(v, 10)})
		}
	}
	slices.SortFunc(members, func(a, b member) int { return cmp.Compare(a.name, b.name) })
	for _, m := range members {
		x.text(m.name, m.value)
	}
	x.ref("data_center", "datacenters", q.DataCenterID)
	x.close("qos")
}

func (c *call) routeQoSs(dc *dataCenter, s []string) *reply {
	e := c.engine
	of := slices.DeleteFunc(slices.Clone(e.qoss), func(q *QoS) bool { return q.DataCenterID != dc.ID })
	return serve(c, s, rest[*QoS]{root: "qoss", all: of, id: func(q *QoS) string { return q.ID }, write: writeQoS,
		add:    func() *reply { return c.saveQoS(&QoS{DataCenterID: dc.ID}) },
		update: c.saveQoS,
		remove: func(q *QoS) *reply {
			e.qoss = slices.DeleteFunc(e.qoss, func(o *QoS) bool { return o == q })
			for _, p := range slices.Concat(e.cpuProfiles, e.diskProfiles) {
				if p.QoSID == q.ID {
					p.QoSID = ""
				}
			}
			c.effect("delete qos %s", q.Name)
			c.qosEvent(q, eventQoSRemoved, "removed")
			return c.actionDone(nil, nil)
		}})
}

// qosEvent reports a change: network QoS has codes of its own.
func (c *call) qosEvent(q *QoS, code int, what string) {
	kind := "QoS"
	if q.Type == "network" {
		kind, code = "Network QoS", code-10
	}
	c.audit(code, "%s %s was %s. (User: %s)", kind, q.Name, what, c.engine.userName())
}

// saveQoS adds an entry without id and updates one with it (ovirt-engine BackendQossResource, QosValidator).
func (c *call) saveQoS(q *QoS) *reply {
	e := c.engine
	doc, r := c.parse("qos")
	if r != nil {
		return c.refuse(r)
	}
	next, kind := *q, doc.value("type")
	if q.ID == "" && (doc.value("name") == "" || kind == "") {
		return c.refuse(incomplete("Qos", "name, type", "add"))
	}
	next.Type = cmp.Or(kind, next.Type)
	switch {
	case qosTypes[next.Type] == nil:
		return c.refuse(invalidValue("type", kind))
	case q.ID != "" && doc.attr("id") != "" && doc.attr("id") != q.ID:
		return c.refuse(immutable("id"))
	case q.ID != "" && next.Type != q.Type:
		return c.refuse(immutable("type"))
	}
	next.Name = cmp.Or(doc.value("name"), next.Name)
	if doc.child("description") != nil {
		next.Description = doc.value("description")
	}
	next.Values = map[string]int64{}
	for _, name := range qosTypes[next.Type] {
		if v, ok := q.Values[name]; ok {
			next.Values[name] = v
		}
		if text := doc.value(name); text != "" {
			v, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return c.refuse(invalidValue(name, text))
			}
			next.Values[name] = v
		}
	}
	action := "add"
	if q.ID != "" {
		action = "edit"
	}
	if find(e.qoss, func(o *QoS) bool {
		return o.DataCenterID == q.DataCenterID && o.Type == next.Type && o.Name == next.Name && o.ID != q.ID
	}) != nil {
		return c.refuse(bad("Cannot %s QoS. QoS element name already exists.", action))
	}
	if q.ID == "" {
		next.ID = c.lab.newID()
		*q = next
		e.qoss = append(e.qoss, q)
		c.effect("add qos %s", q.Name)
		c.qosEvent(q, eventQoSAdded, "added")
		return c.created(qosPath(q), func(x *xmlWriter) { writeQoS(x, q) })
	}
	*q = next
	c.effect("update qos %s", q.Name)
	c.qosEvent(q, eventQoSUpdated, "updated")
	return single(q, writeQoS)
}

// profileKind is what distinguishes CPU profiles from disk profiles.
type profileKind struct {
	element, root, parent, collection, title, last string
	added, updated, removed                        int
}

var (
	cpuProfile = profileKind{"cpu_profile", "cpu_profiles", "cluster", "clusters", "CPU Profile", "Cannot remove last CPU profile in Cluster.",
		eventCPUProfAdded, eventCPUProfUpdated, eventCPUProfRemoved}
	diskProfile = profileKind{"disk_profile", "disk_profiles", "storage_domain", "storagedomains", "Disk Profile", "Cannot remove last Disk profile in Storage Domain.",
		eventDiskProfAdded, eventDiskProfUpdated, eventDiskProfRemoved}
)

// allDiskProfiles returns the disk profiles, after giving every domain that has none the one of its name that an engine gives it
// (ovirt-engine AddStorageDomainCommon).
func (e *engine) allDiskProfiles() []*Profile {
	known := map[string]bool{}
	for _, p := range e.diskProfiles {
		known[p.ParentID] = true
	}
	for _, d := range e.domains {
		if !known[d.id] {
			e.diskProfiles = append(e.diskProfiles, &Profile{ID: uuidOf(e.name + "/" + d.id + "/diskprofile"), Name: d.name, ParentID: d.id})
		}
	}
	e.diskProfiles = slices.DeleteFunc(e.diskProfiles, func(p *Profile) bool { return e.domain(p.ParentID) == nil })
	return e.diskProfiles
}

// diskProfileOf returns the first disk profile of a storage domain.
func (e *engine) diskProfileOf(d *storageDomain) *Profile {
	return find(e.allDiskProfiles(), func(p *Profile) bool { return p.ParentID == d.id })
}

func (e *engine) writeProfileOf(x *xmlWriter, k profileKind, p *Profile) {
	href := apiRoot + "/" + strings.ReplaceAll(k.root, "_", "") + "/" + p.ID
	x.open(k.element, "href", href, "id", p.ID)
	x.text("name", p.Name)
	x.links(href, "permissions")
	if k.parent == "cluster" {
		x.ref(k.parent, k.collection, p.ParentID)
	}
	if q := find(e.qoss, func(q *QoS) bool { return q.ID == p.QoSID }); q != nil {
		x.empty("qos", "href", apiRoot+qosPath(q), "id", q.ID)
	}
	if k.parent != "cluster" {
		x.ref(k.parent, k.collection, p.ParentID)
	}
	x.close(k.element)
}

// routeProfilesOf serves CPU or disk profiles: those of one cluster or storage domain, or all of them where parent is "".
func (c *call) routeProfilesOf(k profileKind, list *[]*Profile, parent string, s []string) *reply {
	e := c.engine
	of := *list
	if parent != "" {
		of = slices.DeleteFunc(slices.Clone(of), func(p *Profile) bool { return p.ParentID != parent })
	}
	write := func(x *xmlWriter, p *Profile) { e.writeProfileOf(x, k, p) }
	save := func(p *Profile) *reply { return c.saveProfile(k, list, p, write) }
	r := rest[*Profile]{root: k.root, all: of, id: func(p *Profile) string { return p.ID }, write: write,
		add: func() *reply { return save(&Profile{ParentID: parent}) },
		remove: func(p *Profile) *reply { // ovirt-engine RemoveProfileCommandBase
			n := 0
			for _, o := range *list {
				if o.ParentID == p.ParentID {
					n++
				}
			}
			if n == 1 {
				return c.refuse(bad("Cannot remove %s. %s", k.title, k.last))
			}
			*list = slices.DeleteFunc(*list, func(o *Profile) bool { return o == p })
			c.effect("delete %s %s", k.element, p.Name)
			c.audit(k.removed, "%s %s was successfully removed (User: %s).", k.title, p.Name, e.userName())
			return c.actionDone(nil, nil)
		},
		sub: func(p *Profile, s []string) *reply {
			if s[0] == "permissions" {
				return c.routePermissions(permissionPlace{kind: k.element, collection: strings.ReplaceAll(k.root, "_", ""), id: p.ID}, s[1:])
			}
			return nil
		}}
	if parent == "" {
		r.update = save
	}
	return serve(c, s, r)
}

func (c *call) saveProfile(k profileKind, list *[]*Profile, p *Profile, write func(*xmlWriter, *Profile)) *reply {
	e := c.engine
	doc, r := c.parse(k.element)
	if r != nil {
		return c.refuse(r)
	}
	next, action := *p, "add"
	asked := doc.child(k.parent).attr("id")
	if p.ID != "" {
		action = "edit"
		if id := doc.attr("id"); id != "" && id != p.ID {
			return c.refuse(immutable("id"))
		}
	} else {
		needs := "name"
		if p.ParentID == "" {
			needs += ", " + map[string]string{"cluster": "cluster.id", "storage_domain": "storageDomain.id"}[k.parent]
			next.ParentID = asked
		}
		if doc.value("name") == "" || next.ParentID == "" {
			return c.refuse(incomplete(strings.ReplaceAll(k.title, " ", ""), needs, "add"))
		}
	}
	next.Name = cmp.Or(doc.value("name"), next.Name)
	if q := doc.child("qos"); q != nil {
		next.QoSID = q.attr("id")
	}
	no := func(text string) *reply { return c.refuse(bad("Cannot %s %s. %s", action, k.title, text)) }
	switch {
	case k.parent == "cluster" && e.cluster(next.ParentID) == nil:
		return no("The relevant Cluster doesn't exist.")
	case k.parent != "cluster" && e.domain(next.ParentID) == nil:
		return no("The relevant Storage Domain doesn't exist.")
	case next.QoSID != "" && find(e.qoss, func(q *QoS) bool { return q.ID == next.QoSID }) == nil:
		return no("QoS element not found.")
	case find(*list, func(o *Profile) bool { return o.ParentID == next.ParentID && o.Name == next.Name && o.ID != p.ID }) != nil:
		return no("Profile name is in use.")
	case p.ID != "" && asked != "" && asked != p.ParentID:
		return no("Cannot change profile.")
	}
	if p.ID == "" {
		next.ID = c.lab.newID()
		*p = next
		*list = append(*list, p)
		c.effect("add %s %s", k.element, p.Name)
		c.audit(k.added, "%s %s was successfully added (User: %s).", k.title, p.Name, e.userName())
		return c.created("/"+strings.ReplaceAll(k.root, "_", "")+"/"+p.ID, func(x *xmlWriter) { write(x, p) })
	}
	*p = next
	c.effect("update %s %s", k.element, p.Name)
	c.audit(k.updated, "%s %s was successfully updated (User: %s).", k.title, p.Name, e.userName())
	return single(p, write)
}
