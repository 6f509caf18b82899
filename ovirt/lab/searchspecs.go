package lab

import (
	"strconv"
	"strings"
)

// What can be searched in each collection: the part of ovirt-engine's *ConditionFieldAutoCompleter classes that the lab's objects
// have values for.

func text[T any](get func(T) string) searchField[T] { return searchField[T]{str: get} }

// sortable marks a collection that max limits by the order of names (events are limited by getEvents).
func sortable[T any](T, T, string) int { return 0 }

const vmStatuses = "unassigned down up poweringup paused migrating unknown notresponding waitforlaunch rebootinprogress savingstate restoringstate suspended imageillegal imagelocked poweringdown"
const hostStatuses = "unassigned down maintenance up nonresponsive error installing installfailed reboot preparingformaintenance nonoperational pendingapproval initializing connecting installingos kdumping"
const domainStatuses = "unattached active inactive mixed locked maintenance preparingformaintenance detaching activating unknown uninitialized"

func vmDomains(v *vm) []*storageDomain {
	var list []*storageDomain
	for _, a := range v.disks {
		list = append(list, a.disk.domains...)
	}
	return list
}

func domainTexts(list []*storageDomain) []string {
	var texts []string
	for _, d := range list {
		texts = append(texts, d.name, d.description, d.comment)
	}
	return texts
}

func hostTexts(h *host) []string {
	if h == nil {
		return nil
	}
	return []string{h.Name, h.Address}
}

var vmSearch = &searchSpec[*vm]{
	less: sortable[*vm],
	fields: map[string]searchField[*vm]{
		"name":        text(func(v *vm) string { return v.name }),
		"comment":     text(func(v *vm) string { return v.comment }),
		"description": text(func(v *vm) string { return v.description }),
		"status":      {kind: enumField, values: vmStatuses, str: func(v *vm) string { return v.status }},
		"id":          {kind: uuidField, str: func(v *vm) string { return v.id }},
		"fqdn": text(func(v *vm) string {
			if v.agentUp {
				return v.fqdn
			}
			return ""
		}),
		"cluster":    text(func(v *vm) string { return v.cluster.Name }),
		"datacenter": text(func(v *vm) string { return v.cluster.dc.Name }),
		"memory":     {kind: numberField, str: func(v *vm) string { return strconv.FormatInt(v.memory>>20, 10) }},
		"storage.name": {get: func(_ *engine, v *vm) []string {
			var names []string
			for _, d := range vmDomains(v) {
				names = append(names, d.name)
			}
			return names
		}},
		"host.name":     {get: vmHost},
		"hosts.name":    {get: vmHost},
		"clusters.name": text(func(v *vm) string { return v.cluster.Name }),
		"template.name": {get: func(e *engine, v *vm) []string {
			if t := e.template(v.templateID); t != nil {
				return []string{t.Name}
			}
			return nil
		}},
	},
	refs: map[string]func(*engine, *vm) []string{
		"storage":  func(_ *engine, v *vm) []string { return domainTexts(vmDomains(v)) },
		"host":     func(_ *engine, v *vm) []string { return hostTexts(v.host) },
		"hosts":    func(_ *engine, v *vm) []string { return hostTexts(v.host) },
		"template": func(e *engine, v *vm) []string { return []string{v.templateID} },
	},
	free: func(_ *engine, v *vm) []string {
		return []string{v.name, v.comment, v.description, v.cluster.Name, v.cluster.dc.Name}
	},
}

func vmHost(_ *engine, v *vm) []string {
	if v.host == nil {
		return nil
	}
	return []string{v.host.Name}
}

var hostSearch = &searchSpec[*host]{
	less: sortable[*host],
	fields: map[string]searchField[*host]{
		"name":       text(func(h *host) string { return h.Name }),
		"address":    text(func(h *host) string { return h.Address }),
		"cluster":    text(func(h *host) string { return h.cluster.Name }),
		"datacenter": text(func(h *host) string { return h.cluster.dc.Name }),
		"status":     {kind: enumField, values: hostStatuses, str: func(h *host) string { return h.status }},
		"id":         {kind: uuidField, str: func(h *host) string { return h.ID }},
		"storage.name": {get: func(e *engine, h *host) []string {
			var names []string
			for _, d := range e.attached(h.cluster.dc) {
				names = append(names, d.name)
			}
			return names
		}},
	},
	refs: map[string]func(*engine, *host) []string{
		"storage": func(e *engine, h *host) []string { return domainTexts(e.attached(h.cluster.dc)) },
	},
	free: func(_ *engine, h *host) []string {
		return []string{h.Name, h.Address, h.cluster.Name, h.cluster.dc.Name}
	},
}

var domainSearch = &searchSpec[*storageDomain]{
	less: sortable[*storageDomain],
	fields: map[string]searchField[*storageDomain]{
		"name":        text(func(d *storageDomain) string { return d.name }),
		"description": text(func(d *storageDomain) string { return d.description }),
		"comment":     text(func(d *storageDomain) string { return d.comment }),
		"status":      {kind: enumField, values: domainStatuses, str: func(d *storageDomain) string { return d.status }},
		"type":        {kind: enumField, values: "nfs fcp iscsi localfs posixfs glusterfs glance cinder", str: func(d *storageDomain) string { return d.export.kind() }},
		"datacenter": {get: func(_ *engine, d *storageDomain) []string {
			if d.dc == nil {
				return nil
			}
			return []string{d.dc.Name}
		}},
	},
	free: func(_ *engine, d *storageDomain) []string { return []string{d.name, d.description, d.comment} },
}

var dcSearch = &searchSpec[*dataCenter]{
	less: sortable[*dataCenter],
	fields: map[string]searchField[*dataCenter]{
		"name":   text(func(d *dataCenter) string { return d.Name }),
		"status": {kind: enumField, values: "uninitialized up maintenance notoperational nonresponsive contend", str: func(d *dataCenter) string { return d.status }},
		"storage.name": {get: func(e *engine, d *dataCenter) []string {
			var names []string
			for _, s := range e.attached(d) {
				names = append(names, s.name)
			}
			return names
		}},
	},
	refs: map[string]func(*engine, *dataCenter) []string{
		"storage": func(e *engine, d *dataCenter) []string { return domainTexts(e.attached(d)) },
	},
	free: func(_ *engine, d *dataCenter) []string { return []string{d.Name} },
}

var clusterSearch = &searchSpec[*cluster]{
	less: sortable[*cluster],
	fields: map[string]searchField[*cluster]{
		"name":            text(func(c *cluster) string { return c.Name }),
		"architecture":    text(func(c *cluster) string { return c.Architecture }),
		"datacenter.name": text(func(c *cluster) string { return c.dc.Name }),
	},
	refs: map[string]func(*engine, *cluster) []string{
		"datacenter": func(_ *engine, c *cluster) []string { return []string{c.dc.Name} },
	},
	free: func(_ *engine, c *cluster) []string { return []string{c.Name} },
}

var templateSearch = &searchSpec[*template]{
	less: sortable[*template],
	fields: map[string]searchField[*template]{
		"name":   text(func(t *template) string { return t.Name }),
		"status": {kind: enumField, values: "ok locked illegal", str: func(t *template) string { return t.status }},
		"cluster": {get: func(_ *engine, t *template) []string {
			if t.cluster == nil {
				return nil
			}
			return []string{t.cluster.Name}
		}},
		"datacenter": {get: func(_ *engine, t *template) []string {
			if t.cluster == nil {
				return nil
			}
			return []string{t.cluster.dc.Name}
		}},
	},
	free: func(_ *engine, t *template) []string { return []string{t.Name} },
}

var diskSearch = &searchSpec[*disk]{
	less: sortable[*disk],
	fields: map[string]searchField[*disk]{
		"alias":             text(func(d *disk) string { return d.alias }),
		"name":              text(func(d *disk) string { return d.alias }),
		"id":                {kind: uuidField, str: func(d *disk) string { return d.id }},
		"status":            {kind: enumField, values: "ok locked illegal", str: func(d *disk) string { return d.status }},
		"disk_type":         {kind: enumField, values: "image lun cinder managedblockstorage", str: (*disk).storageType},
		"disk_content_type": {kind: enumField, values: "data ovfstore iso memorydumpvolume memorymetadatavolume", str: func(*disk) string { return "data" }},
		"storage.name": {get: func(_ *engine, d *disk) []string {
			var names []string
			for _, s := range d.domains {
				names = append(names, s.name)
			}
			return names
		}},
	},
	refs: map[string]func(*engine, *disk) []string{
		"storage": func(_ *engine, d *disk) []string { return domainTexts(d.domains) },
	},
	free: func(_ *engine, d *disk) []string { return []string{d.alias} },
}

var networkSearch = &searchSpec[*Network]{
	less: sortable[*Network],
	fields: map[string]searchField[*Network]{
		"name": text(func(n *Network) string { return n.Name }),
		"datacenter": {get: func(e *engine, n *Network) []string {
			return []string{e.dc(n.DataCenterID).Name}
		}},
	},
	free: func(_ *engine, n *Network) []string { return []string{n.Name} },
}

var eventSearch = &searchSpec[*event]{
	fields: map[string]searchField[*event]{
		"correlation_id":    text(func(v *event) string { return v.correlation }),
		"message":           text(func(v *event) string { return v.text }),
		"origin":            text(func(v *event) string { return v.origin }),
		"usrname":           text(func(v *event) string { return v.user }),
		"type":              {kind: numberField, str: func(v *event) string { return strconv.Itoa(v.code) }},
		"custom_event_id":   {kind: numberField, str: func(v *event) string { return strconv.Itoa(v.customID) }},
		"severity":          {kind: enumField, values: strings.Join(severities, " "), str: func(v *event) string { return v.severity }},
		"time":              {kind: timeField, str: func(v *event) string { return v.time.Format("2006-01-02T15:04:05.999999999Z07:00") }},
		"event_vm":          text(func(v *event) string { return v.vmName }),
		"event_host":        text(func(v *event) string { return v.hostName }),
		"event_storage":     text(func(v *event) string { return v.domainName }),
		"_event_vm_id":      {kind: uuidField, str: func(v *event) string { return v.vm }},
		"_event_host_id":    {kind: uuidField, str: func(v *event) string { return v.host }},
		"_event_storage_id": {kind: uuidField, str: func(v *event) string { return v.domain }},
		"vm.id":             {kind: uuidField, str: func(v *event) string { return v.vm }},
		"vm.name":           text(func(v *event) string { return v.vmName }),
		"vms.name":          text(func(v *event) string { return v.vmName }),
		"host.name":         text(func(v *event) string { return v.hostName }),
		"hosts.name":        text(func(v *event) string { return v.hostName }),
	},
	free: func(_ *engine, v *event) []string { return []string{v.text, v.vmName, v.hostName, v.domainName} },
}
