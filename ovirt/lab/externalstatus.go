package lab

import "slices"

// externalStatuses are what somebody's own tool may say of a host or a storage domain (ovirt-engine ExternalStatus).
var externalStatuses = []string{"ok", "info", "warning", "error", "failure"}

// readExternalStatus takes over the status that an external event brings for its host or its storage domain (ovirt-engine
// BackendEventsResource, AddExternalEventCommand).
func (e *engine) readExternalStatus(doc *node) (set func(), r *refusal) {
	for _, kind := range []string{"host", "storage_domain"} {
		n := doc.child(kind)
		status := n.value("external_status")
		if status == "" {
			continue
		}
		if !slices.Contains(externalStatuses, status) {
			return nil, invalidValue("external_status", status)
		}
		return func() {
			if h := e.host(n.attr("id")); h != nil && kind == "host" {
				h.external = status
			}
			if d := e.domain(n.attr("id")); d != nil && kind == "storage_domain" {
				d.external = status
			}
		}, nil
	}
	return func() {}, nil
}

// postUndelete brings back the events that people dismissed (ovirt-engine DisplayAllAuditLogAlertsCommand).
func (c *call) postUndelete() *reply {
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	for _, v := range c.engine.events {
		v.deleted = false
	}
	c.effect("undelete all events")
	return c.actionDone(nil, nil)
}
