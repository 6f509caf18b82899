package lab

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event codes (ovirt-engine AuditLogType).
const (
	eventEngineStarted    = 1
	eventHostDown         = 12
	eventHostUp           = 13
	eventLogin            = 30
	eventLogout           = 31  // USER_VDC_LOGOUT
	eventLoginFailed      = 114 // USER_VDC_LOGIN_FAILED
	eventVMResumed        = 40  // USER_RESUME_VM
	eventVMStarted        = 32
	eventVMStopped        = 33
	eventVMUpdated        = 35
	eventPreviewStart     = 46 // USER_TRY_BACK_TO_SNAPSHOT
	eventVMDown           = 61
	eventMigration        = 62
	eventMigrated         = 63
	eventMigrationFailed  = 65
	eventPreviewed        = 71
	eventVMShutdown       = 73
	eventVMStoppedInstead = 76 // USER_STOPPED_VM_INSTEAD_OF_SHUTDOWN
	eventCommitStart      = 94
	eventCommitted        = 95
	eventSuspendedStop    = 111 // USER_STOP_SUSPENDED_VM
	eventVMDownError      = 119
	eventPausedEIO        = 145 // VM_PAUSED_EIO
	eventShutdownFailed   = 147 // VM_POWER_DOWN_FAILED
	eventRunFailed        = 151 // USER_INITIATED_RUN_VM_FAILED
	eventVMStart          = 153
	eventReboot           = 157
	eventMigrationCancel  = 161
	eventVMRegistered     = 174
	eventTemplateRegister = 180
	eventOVFFailed        = 190
	eventResumed          = 196 // VM_RECOVERED_FROM_PAUSE_ERROR
	eventOVFUpdated       = 199
	eventReset            = 221
	eventAlreadyThere     = 254 // VM_ALREADY_IN_REQUESTED_STATUS
	eventManualFence      = 494 // VDS_MANUAL_FENCE_STATUS
	eventSuspend          = 501
	eventSuspended        = 503
	eventUndoStart        = 650
	eventUndone           = 651
	eventHostNonOp        = 522 // VDS_SET_NONOPERATIONAL_DOMAIN
	eventMACRange         = 925
	eventDomainAdded      = 956
	eventDomainAddFailed  = 957
	eventDomainRemoved    = 960
	eventAttached         = 962
	eventAttachFailed     = 963
	eventDetached         = 964
	eventActivated        = 966
	eventActivateFailed   = 967
	eventDeactivated      = 968
	eventDeactivateFailed = 969
	eventDeactivatedBySys = 970
	eventDomainExtended   = 972
	eventForceRemoved     = 981
	eventStorageError     = 996
	eventDCInitialised    = 1002
	eventDeactivateCut    = 1009
	eventOVFUnreadable    = 1017
	eventLUNsRefreshed    = 1022
	eventOVFNothing       = 1052
	eventImportFailed     = 1153
	eventPartsLeftOut     = 1188
	eventTemplatePartsOut = 1197 // IMPORTEXPORT_PARTIAL_TEMPLATE_MISSING_ENTITIES
	eventLevelChanged     = 1198 // IMPORTEXPORT_IMPORT_VM_CUSTOM_VERSION_CHANGE
	eventLeaseLost        = 1218 // CANNOT_IMPORT_VM_WITH_LEASE_STORAGE_DOMAIN
	eventHostRefreshed    = 606
	eventFenceOpFailed    = 9019 // FENCE_OPERATION_FAILED
	eventFenceStarted     = 9020 // FENCE_OPERATION_USING_AGENT_AND_PROXY_STARTED
	eventFenceFailed      = 9021 // FENCE_OPERATION_USING_AGENT_AND_PROXY_FAILED
	eventExternal         = 9801 // EXTERNAL_EVENT_NORMAL; warning, error and alert follow
)

type event struct {
	id                    int
	code                  int
	severity, text        string
	time                  time.Time
	origin, correlation   string
	customID, floodRate   int
	customData            string
	user, userID          string
	vm, vmName            string
	host, hostName        string
	domain, domainName    string
	template, dc, cluster string
	deleted               bool
}

// refs is what an event is about.
type refs struct {
	vm          *vm
	host        *host
	domain      *storageDomain
	template    string
	dc          *dataCenter
	cluster     *cluster
	correlation string
	user        string
}

func (e *engine) event(code int, severity, text string, r refs) *event {
	e.lastEvent++
	v := &event{id: e.lastEvent, code: code, severity: severity, text: text, time: e.lab.now, origin: "oVirt", customID: -1,
		correlation: r.correlation, user: r.user, template: r.template}
	if r.user != "" {
		v.userID = uuidOf("user/" + e.spec.Username)
	}
	if r.vm != nil {
		v.vm, v.vmName = r.vm.id, r.vm.name
		r.cluster = r.vm.cluster
	}
	if r.host != nil {
		v.host, v.hostName = r.host.ID, r.host.Name
		r.cluster = r.host.cluster
	}
	if r.domain != nil {
		v.domain, v.domainName = r.domain.id, r.domain.name
		if r.dc == nil {
			r.dc = r.domain.dc
		}
	}
	if r.cluster != nil {
		v.cluster = r.cluster.ID
		r.dc = r.cluster.dc
	}
	if r.dc != nil {
		v.dc = r.dc.ID
	}
	if e.events = append(e.events, v); len(e.events)%1024 == 0 {
		e.ageEvents()
	}
	return v
}

// ageEvents forgets events that are more than 30 days old (ovirt-engine AuditLogCleanupManager, AuditLogAgingThreshold).
func (e *engine) ageEvents() {
	oldest := e.lab.now.Add(-30 * 24 * time.Hour)
	e.events = slices.DeleteFunc(e.events, func(v *event) bool { return v.time.Before(oldest) })
}

func writeEvent(x *xmlWriter, v *event) {
	id := strconv.Itoa(v.id)
	x.open("event", "href", apiRoot+"/events/"+id, "id", id)
	x.text("description", v.text)
	x.int("code", int64(v.code))
	x.text("correlation_id", v.correlation)
	optional(x, "custom_data", v.customData)
	x.int("custom_id", int64(v.customID))
	x.int("flood_rate", int64(cmp.Or(v.floodRate, 30)))
	x.int("index", int64(v.id))
	x.text("origin", v.origin)
	x.text("severity", v.severity)
	x.time("time", v.time)
	for _, r := range []struct{ name, path, id string }{
		{"cluster", "clusters", v.cluster}, {"data_center", "datacenters", v.dc}, {"host", "hosts", v.host},
		{"storage_domain", "storagedomains", v.domain}, {"template", "templates", v.template}, {"vm", "vms", v.vm},
	} {
		if r.id != "" {
			x.ref(r.name, r.path, r.id)
		}
	}
	if v.user != "" {
		x.open("user", "href", apiRoot+"/users/"+v.userID, "id", v.userID)
		x.text("name", v.user)
		x.close("user")
	}
	x.close("event")
}

func (c *call) getEvents() *reply {
	from := c.number("from")
	var all []*event
	for _, v := range slices.Backward(c.engine.events) { // newest first
		if !v.deleted && v.id > from {
			all = append(all, v)
		}
	}
	return list(c, "events", eventSearch, all, writeEvent)
}

func (c *call) getEvent(id string) *reply {
	n, err := strconv.Atoi(id)
	v := find(c.engine.events, func(v *event) bool { return v.id == n })
	if err != nil || v == nil || v.deleted {
		return c.notFound()
	}
	x := newDocument()
	writeEvent(x, v)
	return x.reply(http.StatusOK)
}

// maxMessage is how much of an external event's description is kept, in characters (ovirt-engine MaxAuditLogMessageLength).
const maxMessage = 10000

// abbreviate cuts a text that is too long, with dots at its end.
func abbreviate(text string, limit int) string {
	if letters := []rune(text); len(letters) > limit {
		return string(letters[:limit-3]) + "..."
	}
	return text
}

// postEvent adds an external event: origin and custom_id together are unique for ever. It carries the correlation id of its
// body, not that of the request, and no user (ovirt-engine BackendEventsResource, AddExternalEventCommand, EventMapper, AuditLogableBase).
func (c *call) postEvent() *reply {
	doc, r := c.parse("event")
	if r != nil {
		return c.refuse(r)
	}
	for _, need := range []string{"origin", "severity", "custom_id", "description"} {
		if doc.value(need) == "" {
			return c.refuse(incomplete("Event", "origin, severity, customId, description", "add"))
		}
	}
	external, r := c.engine.readExternalStatus(doc)
	if r != nil {
		return c.refuse(r)
	}
	flood := 30
	if text := doc.value("flood_rate"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return c.refuse(invalidValue("flood_rate", text))
		}
		flood = n
	}
	custom, err := strconv.Atoi(doc.value("custom_id"))
	if err != nil {
		return c.refuse(invalidValue("custom_id", doc.value("custom_id")))
	}
	severity := doc.value("severity")
	at := find([]int{0, 1, 2, 3}, func(i int) bool { return severities[i] == severity })
	if severities[at] != severity {
		return c.refuse(invalidValue("severity", severity))
	}
	if strings.EqualFold(doc.value("origin"), "ovirt") {
		return c.refuse(bad("Cannot add External Event. Illegal Origin for External Event : oVirt"))
	}
	for _, v := range c.engine.events {
		if v.origin == doc.value("origin") && v.customID == custom {
			return c.refuse(bad("Cannot add External Event. External Event ID already exists for this Origin."))
		}
	}
	v := c.engine.event(eventExternal+at, severity, abbreviate(doc.value("description"), maxMessage), refs{correlation: doc.value("correlation_id")})
	v.origin, v.customID, v.floodRate, v.customData = doc.value("origin"), custom, flood, doc.value("custom_data")
	external()
	for _, t := range []struct {
		name string
		id   *string
	}{{"vm", &v.vm}, {"host", &v.host}, {"storage_domain", &v.domain}, {"cluster", &v.cluster}, {"data_center", &v.dc}, {"template", &v.template}} {
		if n := doc.child(t.name); n != nil {
			*t.id = n.attr("id")
		}
	}
	c.effect("add event %s", v.text)
	return c.created("/events/"+strconv.Itoa(v.id), func(x *xmlWriter) { writeEvent(x, v) })
}

var severities = []string{"normal", "warning", "error", "alert"}

func (c *call) deleteEvent(id string) *reply {
	n, err := strconv.Atoi(id)
	v := find(c.engine.events, func(v *event) bool { return v.id == n })
	if err != nil || v == nil || v.deleted {
		return c.notFound()
	}
	v.deleted = true
	c.effect("delete event %d", n)
	return c.actionDone(nil, nil)
}
