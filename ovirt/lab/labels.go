package lab

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// label is an affinity label. Its name is unique and its id may be chosen by the caller, which makes it a lock
// (ovirt-engine AddLabelCommand, AffinityLabelMapper).
type label struct {
	id, name   string
	readOnly   bool
	implicit   bool // of clusters before 4.4: VMs with it run on hosts with it
	vms, hosts []string
}

func (e *engine) label(id string) *label {
	return find(e.labels, func(v *label) bool { return strings.EqualFold(v.id, id) })
}

func writeLabel(x *xmlWriter, v *label) {
	href := apiRoot + "/affinitylabels/" + v.id
	x.open("affinity_label", "href", href, "id", v.id)
	x.text("name", v.name)
	x.links(href, "hosts", "vms")
	x.bool("has_implicit_affinity_group", v.implicit)
	x.bool("read_only", v.readOnly)
	x.close("affinity_label")
}

func (c *call) routeLabels(s []string) *reply {
	return serve(c, s, rest[*label]{root: "affinity_labels", all: c.engine.labels, id: func(v *label) string { return v.id }, write: writeLabel,
		add: c.postLabel, update: c.putLabel, remove: c.deleteLabel,
		sub: func(v *label, s []string) *reply {
			switch s[0] {
			case "vms":
				return c.routeLabelled(v, "vm", "vms", &v.vms, s[1:])
			case "hosts":
				return c.routeLabelled(v, "host", "hosts", &v.hosts, s[1:])
			}
			return nil
		}})
}

func readOnlyLabel() *refusal { return conflict("Cannot change read-only affinity label.") }

// nameOfLabel validates the name of a label (ovirt-engine Label).
func (e *engine) nameOfLabel(v *label) *refusal {
	switch {
	case v.name == "":
		return bad("The name for affinity label is invalid. Only letters, numbers, '-', and '_' are valid characters.")
	case utf8.RuneCountInString(v.name) > 50:
		return bad("An affinity label name must be 1-50 characters long.")
	case !nameI18N(v.name):
		return bad("The name for affinity label is invalid. Only letters, numbers, '-', and '_' are valid characters.")
	}
	for _, o := range e.labels {
		if o != v && o.name == v.name {
			return conflict("Cannot add affinity label with a conflicting NAME.")
		}
	}
	return nil
}

func (c *call) postLabel() *reply {
	e := c.engine
	doc, r := c.parse("affinity_label")
	if r != nil {
		return c.refuse(r)
	}
	v := &label{id: doc.attr("id"), name: doc.value("name")}
	if v.readOnly, _, r = doc.flag("read_only"); r != nil {
		return c.refuse(r)
	}
	if v.implicit, _, r = doc.flag("has_implicit_affinity_group"); r != nil {
		return c.refuse(r)
	}
	for _, n := range doc.child("vms").all("vm") {
		v.vms = append(v.vms, n.attr("id"))
	}
	for _, n := range doc.child("hosts").all("host") {
		v.hosts = append(v.hosts, n.attr("id"))
	}
	switch {
	case v.name == "":
		return c.refuse(incomplete("AffinityLabel", "name", "add"))
	case v.id != "" && !isUUID(v.id):
		return c.refuse(invalidValue("id", v.id))
	case v.id != "" && e.label(v.id) != nil:
		return c.refuse(conflict("Cannot add affinity label with a conflicting ID."))
	}
	if r := e.nameOfLabel(v); r != nil {
		return c.refuse(r)
	}
	if v.readOnly {
		return c.refuse(readOnlyLabel())
	}
	if slices.ContainsFunc(v.vms, func(id string) bool { return e.vm(id) == nil }) || slices.ContainsFunc(v.hosts, func(id string) bool { return e.host(id) == nil }) {
		return c.refuse(vdsm("Internal Engine Error")) // the database's foreign key
	}
	if v.id == "" {
		v.id = c.lab.newID()
	}
	e.labels = append(e.labels, v)
	for _, id := range v.vms {
		e.touch(e.vm(id))
	}
	c.effect("add affinity label %s", v.name)
	c.audit(eventLabelAdded, "Affinity Label %s was added. (User: %s)", v.name, e.userName())
	return c.created("/affinitylabels/"+v.id, func(x *xmlWriter) { writeLabel(x, v) })
}

// putLabel changes name and read_only, and nothing else (ovirt-engine BackendAffinityLabelResource.update, UpdateLabelCommand).
func (c *call) putLabel(v *label) *reply {
	doc, r := c.parse("affinity_label")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attr("id"); id != "" && id != v.id {
		return c.refuse(immutable("id"))
	}
	readOnly, set, r := doc.flag("read_only")
	switch {
	case r != nil:
		return c.refuse(r)
	case v.readOnly:
		return c.refuse(readOnlyLabel())
	}
	old := v.name
	if doc.child("name") != nil {
		v.name = doc.value("name")
	}
	if r := c.engine.nameOfLabel(v); r != nil {
		v.name = old
		return c.refuse(r)
	}
	if set {
		v.readOnly = readOnly
	}
	c.labelChanged(v)
	return single(v, writeLabel)
}

func (c *call) labelChanged(v *label) {
	c.effect("update affinity label %s", v.name)
	c.audit(eventLabelUpdated, "Affinity Label %s was updated. (User: %s)", v.name, c.engine.userName())
}

func (c *call) deleteLabel(v *label) *reply {
	e := c.engine
	switch {
	case v.readOnly:
		return c.refuse(readOnlyLabel())
	case len(v.vms)+len(v.hosts) > 0:
		return c.refuse(conflict("Cannot delete affinity label, remove it from all entities first."))
	}
	e.labels = slices.DeleteFunc(e.labels, func(o *label) bool { return o == v })
	for _, g := range e.affinityGroups {
		g.VMLabelIDs = slices.DeleteFunc(g.VMLabelIDs, func(id string) bool { return id == v.id })
		g.HostLabelIDs = slices.DeleteFunc(g.HostLabelIDs, func(id string) bool { return id == v.id })
	}
	c.effect("delete affinity label %s", v.name)
	c.audit(eventLabelRemoved, "Affinity Label %s was removed. (User: %s)", v.name, e.userName())
	return c.actionDone(nil, nil)
}

// exists reports whether the engine has a VM or host of that id.
func (e *engine) exists(kind, id string) bool {
	if kind == "vm" {
		return e.vm(id) != nil
	}
	return e.host(id) != nil
}

// putOn adds a label to a VM or host; once is as good as twice. The engine does not ask whether the object exists: its database does.
func (c *call) putOn(v *label, kind, id string, ids *[]string) *refusal {
	switch {
	case v.readOnly:
		return readOnlyLabel()
	case !c.engine.exists(kind, id):
		return vdsm("Internal Engine Error")
	case slices.Contains(*ids, id):
		return nil
	}
	*ids = append(*ids, id)
	if vm := c.engine.vm(id); vm != nil {
		c.engine.touch(vm)
	}
	c.labelChanged(v)
	return nil
}

func (c *call) takeOff(v *label, id string, ids *[]string) *refusal {
	if v.readOnly {
		return readOnlyLabel()
	}
	*ids = slices.DeleteFunc(slices.Clone(*ids), func(o string) bool { return o == id })
	if vm := c.engine.vm(id); vm != nil {
		c.engine.touch(vm)
	}
	c.labelChanged(v)
	return nil
}

// routeLabelled serves the VMs or hosts of a label: references only. Adding one answers 200, not 201 (ovirt-engine
// BackendAffinityLabelVmsResource).
func (c *call) routeLabelled(v *label, kind, collection string, ids *[]string, s []string) *reply {
	write := func(x *xmlWriter, id string) { x.ref(kind, collection, id) }
	return serve(c, s, rest[string]{root: collection, all: *ids, id: func(id string) string { return id }, write: write,
		add: func() *reply {
			doc, r := c.parse(kind)
			if r != nil {
				return c.refuse(r)
			}
			id := doc.attr("id")
			if id == "" {
				return c.refuse(incomplete(map[string]string{"vm": "Vm", "host": "Host"}[kind], "id", "add"))
			}
			if r := c.putOn(v, kind, id, ids); r != nil {
				return c.refuse(r)
			}
			return single(id, write)
		},
		remove: func(id string) *reply {
			if r := c.takeOff(v, id, ids); r != nil {
				return c.refuse(r)
			}
			return c.actionDone(nil, nil)
		}})
}

// routeLabelsOf serves the labels of a VM or host; one of them is found whether or not it is on the object (ovirt-engine
// BackendAssignedAffinityLabelResource).
func (c *call) routeLabelsOf(kind, id string, s []string) *reply {
	e := c.engine
	on := func(v *label) *[]string {
		if kind == "vm" {
			return &v.vms
		}
		return &v.hosts
	}
	of := e.labels
	if len(s) == 0 {
		of = slices.DeleteFunc(slices.Clone(of), func(v *label) bool { return !slices.Contains(*on(v), id) })
	}
	return serve(c, s, rest[*label]{root: "affinity_labels", all: of, id: func(v *label) string { return v.id }, write: writeLabel,
		add: func() *reply {
			doc, r := c.parse("affinity_label")
			if r != nil {
				return c.refuse(r)
			}
			if doc.attr("id") == "" {
				return c.refuse(incomplete("AffinityLabel", "id", "add"))
			}
			v := e.label(doc.attr("id"))
			if v == nil {
				return c.refuse(notFoundNamed(doc.attr("id")))
			}
			if r := c.putOn(v, kind, id, on(v)); r != nil {
				return c.refuse(r)
			}
			return c.created("/affinitylabels/"+v.id, func(x *xmlWriter) { writeLabel(x, v) })
		},
		remove: func(v *label) *reply {
			if r := c.takeOff(v, id, on(v)); r != nil {
				return c.refuse(r)
			}
			return c.actionDone(nil, nil)
		}})
}
