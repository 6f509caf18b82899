package lab

import (
	"cmp"
	"slices"
	"strings"
)

// rootTag is the top of the tree, which is in no database.
var rootTag = &Tag{ID: blankID, Name: "root", Description: "root"}

func (e *engine) tag(id string) *Tag {
	return find(append(slices.Clone(e.tags), rootTag), func(t *Tag) bool { return strings.EqualFold(t.ID, id) })
}

// tagNamed returns a tag by name, or nil.
func (e *engine) tagNamed(name string) *Tag {
	return find(append(slices.Clone(e.tags), rootTag), func(t *Tag) bool { return t.Name == name })
}

// writeTag writes a tag, as part of what it is on where kind says so.
func writeTag(x *xmlWriter, t *Tag, kind, collection, on string) {
	href := apiRoot + "/tags/" + t.ID
	if on != "" {
		href = apiRoot + "/" + collection + "/" + on + "/tags/" + t.ID
	}
	x.open("tag", "href", href, "id", t.ID)
	x.text("name", t.Name)
	x.text("description", t.Description)
	if on != "" && kind == "host" {
		x.ref(kind, collection, on)
	}
	if t.ParentID != "" {
		x.ref("parent", "tags", t.ParentID)
	}
	if on != "" && kind != "host" {
		x.ref(kind, collection, on)
	}
	x.close("tag")
}

func writePlainTag(x *xmlWriter, t *Tag) { writeTag(x, t, "", "", "") }

func (c *call) routeTags(s []string) *reply {
	return serve(c, s, rest[*Tag]{root: "tags", all: append(slices.Clone(c.engine.tags), rootTag), id: func(t *Tag) string { return t.ID },
		write: writePlainTag, add: c.postTag, update: c.putTag, remove: c.deleteTag})
}

// tagParent finds the parent that a request names, by name or id; "" when it names none.
func (c *call) tagParent(doc *node) (string, *refusal) {
	p := doc.child("parent")
	if name := p.value("name"); name != "" {
		t := c.engine.tagNamed(name)
		if t == nil {
			return "", notFoundNamed(name)
		}
		return t.ID, nil
	}
	return p.attr("id"), nil
}

func tagName(name string) *refusal {
	switch {
	case len(name) > 50:
		return bad("size must be between 1 and 50")
	case !nameI18N(name):
		return bad("Invalid tag name. Only letters, numbers, '-', and '_' are valid characters.")
	}
	return nil
}

// postTag is ovirt-engine AddTagCommand. The check of the name is all there is: the database does not demand that it is unique.
func (c *call) postTag() *reply {
	e := c.engine
	doc, r := c.parse("tag")
	if r != nil {
		return c.refuse(r)
	}
	t := &Tag{Name: doc.value("name"), Description: doc.value("description")}
	if t.Name == "" {
		return c.refuse(incomplete("Tag", "name", "add"))
	}
	if t.ParentID, r = c.tagParent(doc); r != nil {
		return c.refuse(r)
	}
	if r := tagName(t.Name); r != nil {
		return c.refuse(r)
	}
	t.ParentID = cmp.Or(t.ParentID, blankID)
	switch {
	case e.tagNamed(t.Name) != nil:
		return c.refuse(conflict("The specified Tag name already exists."))
	case e.tag(t.ParentID) == nil:
		return c.refuse(vdsm("Internal Engine Error"))
	}
	t.ID = c.lab.newID()
	e.tags = append(e.tags, t)
	c.effect("add tag %s", t.Name)
	c.audit(eventTagAdded, "New Tag %s was created by %s.", t.Name, e.userName())
	return c.created("/tags/"+t.ID, func(x *xmlWriter) { writePlainTag(x, t) })
}

// below reports whether a tag is another one or lies below it.
func (e *engine) below(t *Tag, top string) bool {
	for t != nil {
		if t.ID == top {
			return true
		}
		t = e.tag(t.ParentID)
	}
	return false
}

// putTag moves the tag first, then changes it: a refused change leaves it moved (ovirt-engine BackendTagResource.update,
// MoveTagCommand, UpdateTagCommand).
func (c *call) putTag(t *Tag) *reply {
	e := c.engine
	doc, r := c.parse("tag")
	if r != nil {
		return c.refuse(r)
	}
	parent, r := c.tagParent(doc)
	switch {
	case r != nil:
		return c.refuse(r)
	case doc.attr("id") != "" && doc.attr("id") != t.ID:
		return c.refuse(immutable("id"))
	case t == rootTag:
		return html(500, "Internal Server Error") // it is not in the database
	}
	if parent != "" && parent != t.ParentID {
		to := e.tag(parent)
		switch {
		case to == nil:
			return c.refuse(vdsm("Internal Engine Error"))
		case e.below(to, t.ID):
			return c.refuse(conflict("Operation canceled, recursive Tag hierarchy cannot be defined."))
		}
		from := e.tag(t.ParentID)
		t.ParentID = to.ID
		c.effect("move tag %s", t.Name)
		c.audit(eventTagMoved, "Tag %s was moved from %s to %s by %s.", t.Name, from.Name, to.Name, e.userName())
	}
	name := cmp.Or(doc.value("name"), t.Name)
	if r := tagName(name); r != nil {
		return c.refuse(r)
	}
	if o := e.tagNamed(name); o != nil && o != t {
		return c.refuse(conflict("The specified Tag name already exists."))
	}
	t.Name = name
	if doc.child("description") != nil {
		t.Description = doc.value("description")
	}
	c.effect("update tag %s", t.Name)
	c.audit(eventTagUpdated, "Tag %s configuration was updated by %s.", t.Name, e.userName())
	return single(t, writePlainTag)
}

// deleteTag removes a tag with all below it (ovirt-engine RemoveTagCommand).
func (c *call) deleteTag(t *Tag) *reply {
	e := c.engine
	if t == rootTag {
		return c.refuse(bad("Cannot remove tag. Tag does not exist."))
	}
	gone := map[*Tag]bool{}
	for _, o := range e.tags {
		gone[o] = e.below(o, t.ID)
	}
	e.tags = slices.DeleteFunc(e.tags, func(o *Tag) bool { return gone[o] })
	c.effect("delete tag %s", t.Name)
	c.audit(eventTagRemoved, "Tag %s was removed by %s.", t.Name, e.userName())
	return c.actionDone(nil, nil)
}

// taggable is what tags can be put on.
type taggable struct {
	kind, collection, id, name string
	on                         func(*Tag) *[]string
	attached, exists, detached int // events
	attachText, words          string
}

// routeTagsOf serves the tags of a VM, host or template. Attaching one twice is no error (ovirt-engine AttachVmsToTagCommand).
func (c *call) routeTagsOf(o taggable, s []string) *reply {
	e := c.engine
	var of []*Tag
	for _, t := range e.tags {
		if slices.Contains(*o.on(t), o.id) {
			of = append(of, t)
		}
	}
	write := func(x *xmlWriter, t *Tag) { writeTag(x, t, o.kind, o.collection, o.id) }
	return serve(c, s, rest[*Tag]{root: "tags", all: of, id: func(t *Tag) string { return t.ID }, write: write,
		add: func() *reply {
			doc, r := c.parse("tag")
			if r != nil {
				return c.refuse(r)
			}
			id, name := doc.attr("id"), doc.value("name")
			t := e.tag(id)
			switch {
			case id == "" && name == "":
				return c.refuse(incomplete("Tag", "id|name", "add"))
			case id == "":
				t = e.tagNamed(name)
			}
			if t == nil || t == rootTag {
				return c.refuse(notFoundNamed(cmp.Or(id, name)))
			}
			if slices.Contains(*o.on(t), o.id) {
				if o.exists != 0 {
					c.audit(o.exists, "Tag %s already attached to %s %s.", t.Name, o.words, o.name)
				}
			} else {
				*o.on(t) = append(*o.on(t), o.id)
				c.audit(o.attached, "Tag %s was attached to %s %s by %s.", t.Name, o.attachText, o.name, e.userName())
			}
			c.effect("attach tag %s to %s", t.Name, o.name)
			return c.created("/"+o.collection+"/"+o.id+"/tags/"+t.ID, func(x *xmlWriter) { write(x, t) })
		},
		remove: func(t *Tag) *reply {
			*o.on(t) = slices.DeleteFunc(slices.Clone(*o.on(t)), func(id string) bool { return id == o.id })
			c.effect("detach tag %s from %s", t.Name, o.name)
			c.audit(o.detached, "Tag %s was detached from %s %s by %s.", t.Name, o.words, o.name, e.userName())
			return c.actionDone(nil, nil)
		}})
}

func (c *call) tagsOfVM(v *vm, s []string) *reply {
	return c.routeTagsOf(taggable{kind: "vm", collection: "vms", id: v.id, name: v.name, on: func(t *Tag) *[]string { return &t.VMIDs },
		attached: eventTagToVM, exists: eventTagOnVM, detached: eventTagOffVM, attachText: "VM(s)", words: "VM(s)"}, s)
}

func (c *call) tagsOfHost(h *host, s []string) *reply {
	return c.routeTagsOf(taggable{kind: "host", collection: "hosts", id: h.ID, name: h.Name, on: func(t *Tag) *[]string { return &t.HostIDs },
		attached: eventTagToHost, exists: eventTagOnHost, detached: eventTagOffHost, attachText: "Host(s)", words: "Host(s)"}, s)
}

func (c *call) tagsOfTemplate(t *template, s []string) *reply {
	return c.routeTagsOf(taggable{kind: "template", collection: "templates", id: t.ID, name: t.Name, on: func(t *Tag) *[]string { return &t.TemplateIDs },
		attached: eventTagToTemplate, detached: eventTagOffTemplate, attachText: "Templates(s)", words: "Template(s)"}, s)
}
