package lab

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const importTemplate = "import Template"

// postRegisterTemplate is ovirt-engine BackendStorageDomainTemplateResource.register: it does not check the mappings, and it does not wait
// for a job but for the tasks of the hosts.
func (c *call) postRegisterTemplate(d *storageDomain, id string) *reply {
	e, l := c.engine, c.lab
	doc, r := c.startAction()
	if r != nil {
		return c.refuse(r)
	}
	g, no := c.parseRegistration(doc, nil)
	if no != nil {
		return no
	}
	if doc.child("clone") != nil && doc.child("vm") != nil && doc.child("template", "name") != nil { // as with a VM
		return html(http.StatusInternalServerError, "Internal Server Error")
	}
	row := find(d.templates, func(o *ovfTemplate) bool { return o.id == id })
	switch {
	case row == nil && e.template(id) != nil:
		return c.refuse(templateExists(e.template(id).Name))
	case row == nil:
		return c.refuse(internal())
	case e.locked["TEMPLATE:"+id]:
		return c.refuse(objectLocked(importTemplate))
	}
	o := *row
	if g.clone {
		o.id, o.baseID, o.version = l.newID(), "", 1
	}
	k := e.targetCluster(g, o.cluster)
	disks, dropped, r := e.canRegisterTemplate(d, &o, g, k)
	if r != nil {
		return c.refuse(r)
	}
	e.locked["TEMPLATE:"+id] = true
	j := c.newJob("Importing Template " + o.name + " from configuration")
	op1 := e.operation(e.registering.take(l.now, l.lat.RegisterTmpl), func() {
		delete(e.locked, "TEMPLATE:"+id)
		t := &template{Template: Template{ID: o.id, Name: o.name, ClusterID: k.ID, BaseID: o.baseID, Version: o.version}, cluster: k, status: "locked", created: o.created}
		for _, s := range disks {
			if g.clone {
				s.id, s.imageID = l.newID(), l.newID()
			}
			t.disks = append(t.disks, e.diskOf(s))
		}
		e.templates = append(e.templates, t)
		slices.SortStableFunc(e.templates, func(a, b *template) int { return strings.Compare(a.Name, b.Name) })
		d.changed = true
		e.dropRows(id)
		joins := e.joiningUsers(o.users, g)
		e.give(joins, "template", t.ID)
		c.effect("register template %s", t.Name)
		if text := joins.missing(dropped); text != "" {
			e.event(eventTemplatePartsOut, "warning", fmt.Sprintf("The following entities could not be verified and will not be part of the imported Template %s: '%s' (User: %s).",
				t.Name, text, e.userName()), refs{template: t.ID, correlation: c.correlation, cluster: k, user: e.userName()})
		}
		e.event(eventTemplateRegister, "normal", "Template "+t.Name+" has been successfully imported from the given configuration.", refs{template: t.ID, domain: d, cluster: k, correlation: c.correlation, user: e.userName()})
		// The tasks of the hosts end a moment after the answer: wait for its status.
		ready := func() {
			t.status = "ok"
			j.end("finished", l.now)
		}
		e.operation(l.now.Add(time.Second), ready, ready)
	}, nil)
	if !c.wait(op1) {
		return nil
	}
	return c.actionDone(j, func(x *xmlWriter) { x.ref("template", "templates", o.id) })
}

// templateExists is VMT_CANNOT_IMPORT_TEMPLATE_EXISTS.
func templateExists(name string) *refusal {
	return conflict("Cannot import Template. Template or VM with the same ID already exists in the system. Please remove the Template or VM (%s) from the system first", name)
}

// canRegisterTemplate validates in the engine's order (ovirt-engine ImportVmTemplateCommandBase.validate, then
// ImportVmTemplateFromConfigurationCommand.validateUnregisteredEntity). It returns the disks that the template will have, and the
// aliases of those that a partial import leaves out.
func (e *engine) canRegisterTemplate(d *storageDomain, o *ovfTemplate, g *registration, k *cluster) (disks []ovfDisk, dropped []string, r *refusal) {
	switch {
	case k == nil:
		return nil, nil, clusterEmpty()
	case k.dc.status != "up":
		return nil, nil, poolNotUp(importTemplate)
	case d.dc != k.dc:
		return nil, nil, bad("Cannot import Template. The Storage Domain doesn't exist.")
	case d.status != "active":
		return nil, nil, statusIllegal(importTemplate, d.status)
	case e.template(o.id) != nil:
		return nil, nil, templateExists(e.template(o.id).Name)
	case e.vm(o.id) != nil:
		return nil, nil, templateExists(e.vm(o.id).name)
	}
	isBase := o.baseID == "" || o.baseID == o.id
	for _, t := range e.templates {
		if isBase && t.Name == o.name && t.cluster != nil && t.cluster.dc == k.dc {
			return nil, nil, conflict("Import Template failed - Template Name already exists in the system. Please rename the Template in the system first")
		}
	}
	for _, s := range o.disks {
		if known := e.diskByID[s.id]; known != nil && (!known.shareable || !s.shareable) {
			return nil, nil, conflict("Cannot import Template. The following disks already exist: %s. Please import as a clone.", known.alias)
		}
	}
	if !isBase && e.template(o.baseID) == nil {
		return nil, nil, bad("Cannot import Template Version, Base Template for this Version is missing, please first Import Base Template, or Import Version as Base Template using Clone.")
	}
	for _, s := range o.disks {
		on := e.domain(s.domainID)
		var no *refusal
		if on == nil || on.dc != k.dc || on.status != "active" {
			no = conflict("Cannot import Template. The image %s/%s does not exist on any active storage domain.", s.id, s.imageID)
		} else if e.imageOfDisk(s) != nil {
			no = bad("Cannot import Template. Template's image doesn't exist.")
		}
		switch {
		case no == nil:
			disks = append(disks, s)
		case g.partial:
			dropped = append(dropped, s.alias)
		default:
			return nil, nil, no
		}
	}
	return disks, dropped, nil
}
