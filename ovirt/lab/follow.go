package lab

import (
	"net/http"
	"net/url"
	"strings"
)

// The parameter follow: links of the answer are fetched by requests of the engine to itself and put in their place, each link of
// a list by a request of its own, deeper ones after those above them. A link that an object does not have is an internal error
// for the whole answer, and so is a reference that is empty, such as the host of a VM that is down
// (ovirt-engine LinkFollower.java). The links stay in the list of links.

// linksTree is a part of the links to follow: a name and what to follow from there on.
type linksTree struct {
	name string
	then []*linksTree
}

// parseFollow arranges a value such as nics,disk_attachments.disk as a tree (ovirt-engine LinkFollower.createLinksTree).
func parseFollow(value string) *linksTree {
	root := &linksTree{}
	for _, link := range strings.Split(value, ",") {
		at := root
		for _, name := range strings.Split(link, ".") {
			next := find(at.then, func(t *linksTree) bool { return t.name == name })
			if next == nil {
				next = &linksTree{name: name}
				at.then = append(at.then, next)
			}
			at = next
		}
	}
	return root
}

// followed inlines the links of an answer that the handler has not inlined itself.
func (c *call) followed(answer *reply) *reply {
	value := c.params.Get("follow")
	if value == "" || c.inlined || answer == nil || answer.status != http.StatusOK || c.action != nil || !c.reading() || len(answer.body) == 0 {
		return answer
	}
	doc, err := readLines(answer.body, true)
	if err != nil {
		return answer
	}
	entities := []*node{doc}
	if isCollection(doc) {
		entities = doc.children
	}
	fetched := map[string]*node{}
	for _, t := range parseFollow(value).then {
		if !c.followLink(entities, t, fetched) {
			return html(http.StatusInternalServerError, "Internal Server Error")
		}
	}
	x := newDocument()
	x.b = room(x.b, 2*len(answer.body))
	doc.document(x)
	recycle(answer.body)
	answer.body = x.b.Bytes()
	return answer
}

// followLink fetches a link of each entity, then what is to be followed from there. It is false where an entity has no such link.
func (c *call) followLink(entities []*node, t *linksTree, fetched map[string]*node) bool {
	var next []*node
	seen := map[*node]bool{}
	for _, entity := range entities {
		href, list := linkOf(entity, t.name)
		if href == "" {
			return false
		}
		target := fetched[href]
		if target == nil {
			if target = c.fetch(href); target == nil {
				return false
			}
			fetched[href] = target
		}
		if list && (target.name != t.name || !listMembers[t.name]) {
			return false // the model has no member of that name
		}
		put := entity.inline(t.name, target)
		switch {
		case !isCollection(target):
			next = append(next, put)
		case !seen[target]: // its objects are shared by all that refer to it
			next = append(next, target.children...)
			seen[target] = true
		}
	}
	for _, deeper := range t.then {
		if !c.followLink(next, deeper, fetched) {
			return false
		}
	}
	return true
}

// linkOf finds where a link of an entity leads: a link to a collection by its rel, written without underscores, or a reference
// in the member of that name.
func linkOf(entity *node, name string) (href string, list bool) {
	rel := strings.ReplaceAll(strings.ToLower(name), "_", "")
	for _, k := range entity.children {
		if k.name == "link" && k.attrs["rel"] == rel {
			return k.attrs["href"], true
		}
	}
	if k := entity.child(name); k != nil {
		return k.attrs["href"], false
	}
	return "", false
}

// fetch asks the engine for one of its own paths, with the rights of the request. It is nil where the answer is no document.
func (c *call) fetch(href string) *node {
	path, ok := strings.CutPrefix(href, apiRoot+"/")
	if !ok {
		return nil
	}
	inner := &call{lab: c.lab, engine: c.engine, ctx: c.ctx, req: c.req, entry: c.entry,
		segments: strings.Split(path, "/"), params: url.Values{}, correlation: c.correlation, token: c.token}
	answer := inner.route()
	if answer == nil || answer.status != http.StatusOK {
		return nil
	}
	c.items += max(inner.items, 1)
	doc, err := readLines(answer.body, true)
	if err != nil {
		return nil
	}
	return doc
}

// inline puts a fetched object in the place of a reference, or a fetched collection among the members.
func (n *node) inline(name string, target *node) *node {
	put := &node{name: name, attrs: target.attrs, children: target.children, text: target.text} // a target is a root: its members were read
	for i, k := range n.children {
		if k.name == name {
			n.children[i] = put
			return put
		}
	}
	at := len(n.children) // the links of the model stand at the end, by name
	for at > 0 && n.children[at-1].name > name && (n.children[at-1].attrs["href"] != "" || collections[n.children[at-1].name]) {
		at--
	}
	n.children = append(n.children[:at:at], append([]*node{put}, n.children[at:]...)...)
	return put
}

// document writes the element with all that is in it.
func (n *node) document(x *xmlWriter) {
	if n.lines != nil {
		n.writeLines(x)
		return
	}
	var attrs []string
	for _, a := range attributeOrder(n) {
		attrs = append(attrs, a, n.attrs[a])
	}
	switch {
	case len(n.children) > 0:
		x.open(n.name, attrs...)
		for _, k := range n.children {
			k.document(x)
		}
		x.close(n.name)
	case strings.TrimSpace(n.text) == "" && (len(attrs) > 0 || collections[n.name]):
		x.empty(n.name, attrs...)
	default:
		x.text(n.name, n.text)
	}
}
