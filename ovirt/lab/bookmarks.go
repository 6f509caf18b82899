package lab

import (
	"cmp"
	"slices"
)

func writeBookmark(x *xmlWriter, b *Bookmark) {
	x.open("bookmark", "href", apiRoot+"/bookmarks/"+b.ID, "id", b.ID)
	x.text("name", b.Name)
	x.text("value", b.Value)
	x.close("bookmark")
}

func (c *call) routeBookmarks(s []string) *reply {
	e := c.engine
	return serve(c, s, rest[*Bookmark]{root: "bookmarks", all: e.bookmarks, id: func(b *Bookmark) string { return b.ID }, write: writeBookmark,
		add:    func() *reply { return c.saveBookmark(&Bookmark{}) },
		update: c.saveBookmark,
		remove: func(b *Bookmark) *reply {
			e.bookmarks = slices.DeleteFunc(e.bookmarks, func(o *Bookmark) bool { return o == b })
			c.effect("delete bookmark %s", b.Name)
			c.audit(eventBookmarkRemoved, "Bookmark %s was removed by %s.", b.Name, e.userName())
			return c.actionDone(nil, nil)
		}})
}

// saveBookmark adds a bookmark without id and updates one with it (ovirt-engine AddBookmarkCommand, UpdateBookmarkCommand).
func (c *call) saveBookmark(b *Bookmark) *reply {
	e := c.engine
	doc, r := c.parse("bookmark")
	if r != nil {
		return c.refuse(r)
	}
	action := "edit"
	if b.ID == "" {
		action = "add"
		for _, need := range []string{"name", "value"} {
			if doc.value(need) == "" {
				return c.refuse(incomplete("Bookmark", need, "add"))
			}
		}
	} else if id := doc.attr("id"); id != "" && id != b.ID {
		return c.refuse(immutable("id"))
	}
	next := Bookmark{ID: b.ID, Name: cmp.Or(doc.value("name"), b.Name), Value: cmp.Or(doc.value("value"), b.Value)}
	if find(e.bookmarks, func(o *Bookmark) bool { return o.Name == next.Name && o.ID != b.ID }) != nil {
		return c.refuse(conflict("Cannot %s Bookmark. The Bookmark name is already in use, please choose a unique name and try again.", action))
	}
	if b.ID == "" {
		next.ID = c.lab.newID()
		*b = next
		e.bookmarks = append(e.bookmarks, b)
		c.effect("add bookmark %s", b.Name)
		c.audit(eventBookmarkAdded, "Bookmark %s was added by %s.", b.Name, e.userName())
		return c.created("/bookmarks/"+b.ID, func(x *xmlWriter) { writeBookmark(x, b) })
	}
	*b = next
	c.effect("update bookmark %s", b.Name)
	c.audit(eventBookmarkUpdated, "Bookmark %s was updated by %s.", b.Name, e.userName())
	return single(b, writeBookmark)
}
