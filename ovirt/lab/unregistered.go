package lab

import (
	"net/http"
	"slices"
)

// getDomainVMs lists the VMs on a domain, or with unregistered what its OVF store held at attach. Their status is the one that
// they had when the store was written, never live. There is no single unregistered VM: its path answers 404.
func (c *call) getDomainVMs(d *storageDomain) *reply {
	x := newXML("vms")
	if !c.flagParam("unregistered") {
		for _, v := range c.engine.vms {
			if slices.Contains(vmDomains(v), d) {
				c.writeVM(x, v, nil)
				c.items++
			}
		}
		return x.reply(http.StatusOK)
	}
	for _, o := range d.vms {
		writeOVF(x, d, o)
	}
	c.items = len(d.vms)
	return x.reply(http.StatusOK)
}

func writeOVF(x *xmlWriter, d *storageDomain, o *ovfVM) {
	href := apiRoot + "/storagedomains/" + d.id + "/vms/" + o.id
	x.open("vm", "href", href, "id", o.id)
	x.actions(href, "register")
	x.text("name", o.name)
	x.text("description", o.description)
	x.text("comment", o.comment)
	x.open("cpu")
	x.text("architecture", o.architecture)
	x.close("cpu")
	x.time("creation_time", o.created)
	x.bool("delete_protected", o.deleteProtected)
	writeHA(x, o.ha, o.haPriority)
	if o.ha && o.leaseDomainID != "" {
		writeLease(x, o.leaseDomainID)
	}
	x.int("memory", o.memory)
	x.text("origin", "ovirt")
	x.text("type", "server")
	x.text("status", o.status)
	x.ref("template", "templates", o.templateID)
	x.close("vm")
}

func (c *call) getDomainTemplates(d *storageDomain) *reply {
	x := newXML("templates")
	if !c.flagParam("unregistered") {
		for _, t := range c.engine.templates {
			for _, k := range t.disks {
				if slices.Contains(k.domains, d) {
					c.writeTemplate(x, t)
					c.items++
					break
				}
			}
		}
		return x.reply(http.StatusOK)
	}
	for _, o := range d.templates {
		href := apiRoot + "/storagedomains/" + d.id + "/templates/" + o.id
		x.open("template", "href", href, "id", o.id)
		x.actions(href, "register")
		x.text("name", o.name)
		x.text("description", "")
		x.text("comment", "")
		x.time("creation_time", o.created)
		x.text("status", "ok")
		writeTemplateVersion(x, o.id, o.baseID, o.version)
		x.close("template")
	}
	c.items = len(d.templates)
	return x.reply(http.StatusOK)
}

// rowsOf returns the domains on which a VM waits for registration.
func (e *engine) rowsOf(id string) []*storageDomain {
	var list []*storageDomain
	for _, d := range e.domains {
		if slices.ContainsFunc(d.vms, func(o *ovfVM) bool { return o.id == id }) {
			list = append(list, d)
		}
	}
	return list
}

// dropRows forgets an unregistered entity on all domains, as any successful registration does.
func (e *engine) dropRows(id string) {
	for _, d := range e.domains {
		d.vms = slices.DeleteFunc(slices.Clone(d.vms), func(o *ovfVM) bool { return o.id == id })
		d.templates = slices.DeleteFunc(slices.Clone(d.templates), func(o *ovfTemplate) bool { return o.id == id })
	}
}

// deleteDomainVM is DELETE of an unregistered VM, which deletes its disk images from the storage (ovirt-engine
// RemoveUnregisteredEntityCommand). deleteDomainTemplate likewise.
func (c *call) deleteDomainVM(d *storageDomain, id string) *reply {
	o := find(d.vms, func(o *ovfVM) bool { return o.id == id })
	if o == nil {
		return c.notFound()
	}
	return c.deleteEntity(d, id, o.name, o.disks)
}

func (c *call) deleteDomainTemplate(d *storageDomain, id string) *reply {
	o := find(d.templates, func(o *ovfTemplate) bool { return o.id == id })
	if o == nil {
		return c.notFound()
	}
	return c.deleteEntity(d, id, o.name, o.disks)
}

func (c *call) deleteEntity(d *storageDomain, id, name string, disks []ovfDisk) *reply {
	e := c.engine
	for _, k := range disks {
		if on := e.domain(k.domainID); on != nil && on.status == "active" {
			e.deleteImage(on, k.id)
		}
	}
	e.dropRows(id)
	c.effect("delete unregistered %s with its disk images", name)
	return c.actionDone(c.doneJob("Removing unregistered entity "+name+" of "+d.name), nil)
}
