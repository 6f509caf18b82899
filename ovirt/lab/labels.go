package lab

import (
	"net/http"
	"slices"
)

// label is an affinity label. Its name is unique and its id may be chosen by the caller, which makes it a lock
// (ovirt-engine AddLabelCommand, AffinityLabelMapper).
type label struct{ id, name string }

func writeLabel(x *xmlWriter, v *label) {
	href := apiRoot + "/affinitylabels/" + v.id
	x.open("affinity_label", "href", href, "id", v.id)
	x.text("name", v.name)
	x.bool("has_implicit_affinity_group", false)
	x.bool("read_only", false)
	x.close("affinity_label")
}

func (c *call) getLabels() *reply {
	x := newXML("affinity_labels")
	for _, v := range c.engine.labels {
		writeLabel(x, v)
	}
	return x.reply(http.StatusOK)
}

func (c *call) getLabel(id string) *reply {
	v := find(c.engine.labels, func(v *label) bool { return v.id == id })
	if v == nil {
		return c.notFound()
	}
	return single(v, writeLabel)
}

func (c *call) postLabel() *reply {
	doc, r := c.parse("affinity_label")
	if r != nil {
		return c.refuse(r)
	}
	v := &label{id: doc.attr("id"), name: doc.value("name")}
	switch {
	case v.name == "":
		return c.refuse(incomplete("AffinityLabel", "name", "add"))
	case v.id != "" && !isUUID(v.id):
		return c.refuse(invalidValue("id", v.id))
	case len(v.name) > 50 || !plainName(v.name):
		return c.refuse(bad("Can not add Affinity Label. The given name contains special characters or is too long. Only lower-case and upper-case letters, numbers, '_', '-', '.' are allowed."))
	}
	for _, o := range c.engine.labels {
		if o.name == v.name {
			return c.refuse(conflict("Cannot add affinity label with a conflicting NAME."))
		}
		if o.id == v.id {
			return c.refuse(conflict("Cannot add affinity label with a conflicting ID."))
		}
	}
	if v.id == "" {
		v.id = c.lab.newID()
	}
	c.engine.labels = append(c.engine.labels, v)
	c.effect("add affinity label %s", v.name)
	return c.created("/affinitylabels/"+v.id, func(x *xmlWriter) { writeLabel(x, v) })
}

func plainName(s string) bool {
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

func (c *call) deleteLabel(id string) *reply {
	v := find(c.engine.labels, func(v *label) bool { return v.id == id })
	if v == nil {
		return c.notFound()
	}
	c.engine.labels = slices.DeleteFunc(c.engine.labels, func(o *label) bool { return o == v })
	c.effect("delete affinity label %s", v.name)
	return c.actionDone(nil, nil)
}
