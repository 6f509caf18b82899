package lab

import "net/http"

func (c *call) routeTemplates(s []string, get bool) *reply {
	e := c.engine
	if !get {
		return noMethod()
	}
	if len(s) == 0 {
		return list(c, "templates", templateSearch, e.templates, c.writeTemplate)
	}
	t := e.template(s[0])
	switch {
	case t == nil:
		return c.notFound()
	case len(s) == 1:
		return single(t, c.writeTemplate)
	case s[1] == "diskattachments" && len(s) == 2:
		x := newXML("disk_attachments")
		for _, d := range t.disks {
			c.writeAttachment(x, "template", "templates", t.ID, "", &attachment{disk: d, bootable: true, active: true}, false)
		}
		return x.reply(http.StatusOK)
	case s[1] == "diskattachments" && len(s) == 3:
		for _, d := range t.disks {
			if d.id == s[2] {
				x := newDocument()
				c.writeAttachment(x, "template", "templates", t.ID, "", &attachment{disk: d, bootable: true, active: true}, false)
				return x.reply(http.StatusOK)
			}
		}
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func (c *call) writeTemplate(x *xmlWriter, t *template) {
	href := apiRoot + "/templates/" + t.ID
	x.open("template", "href", href, "id", t.ID)
	x.actions(href, "export")
	x.text("name", t.Name)
	if t.ID == blankID {
		x.text("description", "Blank template")
	} else {
		x.text("description", "")
	}
	x.text("comment", "")
	x.links(href, "cdroms", "diskattachments", "watchdogs", "graphicsconsoles", "nics", "permissions", "tags", "mediateddevices")
	b := vmBase{architecture: "undefined", bios: "cluster_default", created: t.created, memory: gib, os: "other", kind: "desktop", cluster: t.cluster}
	b.all = c.allContent()
	if t.cluster != nil { // Blank has none, and nothing that comes from one
		b.architecture, b.bios, b.os, b.kind, b.timeZone = t.cluster.Architecture, t.cluster.BIOSType, guestOS, "server", "Etc/GMT"
	}
	c.writeVMBase(x, &b)
	x.text("status", t.status)
	writeTemplateVersion(x, t.ID, t.BaseID, t.Version)
	x.close("template")
}

func writeTemplateVersion(x *xmlWriter, id, base string, number int) {
	if base == "" {
		base = id
	}
	x.open("version")
	x.text("version_name", "")
	x.int("version_number", int64(number))
	x.ref("base_template", "templates", base)
	x.close("version")
}
