package lab

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// What can be searched in each collection: the columns of the grammar (searchgrammar.go) that the lab's objects have values for.

func text[T any](get func(T) string) searchField[T] { return searchField[T]{str: get} }

const vmStatuses = "unassigned down up poweringup paused migratingfrom migratingto unknown notresponding waitforlaunch rebootinprogress savingstate restoringstate suspended imageillegal imagelocked poweringdown"
const hostStatuses = "unassigned down maintenance up nonresponsive error installing installfailed reboot preparingformaintenance nonoperational pendingapproval initializing connecting installingos kdumping"

func vmDomains(v *vm) []*storageDomain {
	var list []*storageDomain
	for _, a := range v.disks {
		list = append(list, a.disk.domains...)
	}
	return list
}

var vmSearch = &searchSpec[*vm]{
	fields: map[string]searchField[*vm]{
		"name":                   text(func(v *vm) string { return v.name }),
		"comment":                text(func(v *vm) string { return v.comment }),
		"description":            text(func(v *vm) string { return v.description }),
		"status":                 text(func(v *vm) string { return v.status }),
		"id":                     text(func(v *vm) string { return v.id }),
		"fqdn":                   {get: func(_ *engine, v *vm) []string { return reported(v, v.fqdn) }},
		"cluster":                text(func(v *vm) string { return v.cluster.Name }),
		"datacenter":             text(func(v *vm) string { return v.cluster.dc.Name }),
		"memory":                 text(func(v *vm) string { return strconv.FormatInt(v.memory>>20, 10) }),
		"ip":                     {get: func(_ *engine, v *vm) []string { return reported(v, v.ip) }},
		"on_host":                {get: vmHost},
		"uptime":                 {get: func(e *engine, v *vm) []string { return e.uptime(v) }},
		"os":                     text(func(*vm) string { return "rhel_9x64" }),
		"creationdate":           text(func(v *vm) string { return v.created.Format(time.RFC3339Nano) }),
		"cpu_usage":              text(func(*vm) string { return "0" }),
		"mem_usage":              text(func(*vm) string { return "0" }),
		"network_usage":          text(func(*vm) string { return "0" }),
		"guaranteed_memory":      text(func(v *vm) string { return megabytes(v.memory) }),
		"pool":                   {get: func(_ *engine, v *vm) []string { return nonEmpty(v.pool) }},
		"type":                   text(func(*vm) string { return "server" }),
		"architecture":           text(func(v *vm) string { return v.cluster.Architecture }),
		"compatibility_level":    text(func(v *vm) string { return v.cluster.Version }),
		"next_run_config_exists": text(func(*vm) string { return "false" }),
		"has_illegal_images":     text(func(v *vm) string { return strconv.FormatBool(v.disksIn("illegal") != "") }),
		"bios_type":              text(func(v *vm) string { return v.cluster.BIOSType }),
		"vcpus":                  text(func(*vm) string { return "1" }),
		"tag":                    {get: vmTags},
	},
}

// reported is a value that the guest agent tells; nothing before it did.
func reported(v *vm, value string) []string {
	if !v.agentUp {
		return nil
	}
	return nonEmpty(value)
}

func nonEmpty(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// uptime is how long a VM runs, in seconds.
func (e *engine) uptime(v *vm) []string {
	if !v.running || v.startTime.IsZero() {
		return nil
	}
	return []string{strconv.FormatInt(int64(e.lab.now.Sub(v.startTime)/time.Second), 10)}
}

func megabytes(bytes int64) string { return strconv.FormatInt(bytes>>20, 10) }
func gigabytes(bytes int64) string { return strconv.FormatInt(bytes>>30, 10) }

func vmHost(_ *engine, v *vm) []string {
	if v.host == nil {
		return nil
	}
	return []string{v.host.Name}
}

var hostSearch = &searchSpec[*host]{
	fields: map[string]searchField[*host]{
		"name":             text(func(h *host) string { return h.Name }),
		"address":          text(func(h *host) string { return h.Address }),
		"cluster":          text(func(h *host) string { return h.cluster.Name }),
		"datacenter":       text(func(h *host) string { return h.cluster.dc.Name }),
		"status":           text(func(h *host) string { return h.status }),
		"id":               text(func(h *host) string { return h.ID }),
		"external_status":  text(func(h *host) string { return cmp.Or(h.external, "ok") }),
		"cpu_usage":        text(func(*host) string { return "0" }),
		"mem_usage":        text(func(*host) string { return "0" }),
		"network_usage":    text(func(*host) string { return "0" }),
		"load":             text(func(*host) string { return "0" }),
		"version":          text(func(*host) string { return "vdsm-4.50.5.1-1.el9" }),
		"cpus":             text(func(*host) string { return "32" }),
		"memory":           text(func(h *host) string { return megabytes(h.Memory) }),
		"cpu_model":        text(func(*host) string { return "Intel Xeon Processor (Cascadelake)" }),
		"active_vms":       {get: func(e *engine, h *host) []string { return []string{strconv.Itoa(len(e.vmsOn(h)))} }},
		"migrating_vms":    text(func(*host) string { return "0" }),
		"committed_mem":    {get: func(e *engine, h *host) []string { return []string{megabytes(e.committedOn(h))} }},
		"type":             text(func(*host) string { return "rhel" }),
		"architecture":     text(func(h *host) string { return h.cluster.Architecture }),
		"update_available": text(func(*host) string { return "false" }),
		"ha_score":         text(func(*host) string { return "0" }),
		"spm_id":           {get: func(e *engine, h *host) []string { return []string{strconv.Itoa(slices.Index(e.hosts, h) + 1)} }},
		"tag":              {get: hostTags},
		"hw_id":            text(func(h *host) string { return uuidOf(h.ID + "/hardware") }),
	},
}

// committedOn is the memory of the VMs on a host, in bytes.
func (e *engine) committedOn(h *host) int64 {
	sum := int64(0)
	for _, v := range e.vmsOn(h) {
		sum += v.memory
	}
	return sum
}

var domainSearch = &searchSpec[*storageDomain]{
	fields: map[string]searchField[*storageDomain]{
		"name":        text(func(d *storageDomain) string { return d.name }),
		"description": text(func(d *storageDomain) string { return d.description }),
		"comment":     text(func(d *storageDomain) string { return d.comment }),
		"status":      {str: func(d *storageDomain) string { return d.status }},
		"type":        text(func(d *storageDomain) string { return d.export.kind() }),
		"datacenter": {get: func(_ *engine, d *storageDomain) []string {
			if d.dc == nil {
				return nil
			}
			return []string{d.dc.Name}
		}},
		"shared_status":        text(sharedStatus),
		"external_status":      text(func(d *storageDomain) string { return cmp.Or(d.external, "ok") }),
		"total_size":           text(func(d *storageDomain) string { return gigabytes(d.export.Size) }),
		"wipe_after_delete":    text(func(*storageDomain) string { return "false" }),
		"discard_after_delete": text(func(*storageDomain) string { return "false" }),
		"backup":               text(func(*storageDomain) string { return "false" }),
	},
}

// sharedStatus is what a domain's status amounts to over all data centers (ovirt-engine StorageDomainSharedStatus.java).
func sharedStatus(d *storageDomain) string {
	switch {
	case d.dc == nil:
		return "unattached"
	case d.status == "active" || d.status == "locked":
		return d.status
	}
	return "inactive"
}

var dcSearch = &searchSpec[*dataCenter]{
	fields: map[string]searchField[*dataCenter]{
		"name":                  text(func(d *dataCenter) string { return d.Name }),
		"status":                text(func(d *dataCenter) string { return d.status }),
		"local":                 text(func(*dataCenter) string { return "false" }),
		"compatibility_version": text(func(d *dataCenter) string { return d.Version }),
	},
}

var clusterSearch = &searchSpec[*cluster]{
	fields: map[string]searchField[*cluster]{
		"name":                text(func(c *cluster) string { return c.Name }),
		"architecture":        text(func(c *cluster) string { return c.Architecture }),
		"compatibility_level": text(func(c *cluster) string { return c.Version }),
		"cpu_type":            text(func(*cluster) string { return "Secure Intel Cascadelake Server Family" }),
	},
}

var templateSearch = &searchSpec[*template]{
	fields: map[string]searchField[*template]{
		"name":   text(func(t *template) string { return t.Name }),
		"status": text(func(t *template) string { return t.status }),
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
		"_vmt_id":      text(func(t *template) string { return t.ID }),
		"os":           text(func(*template) string { return "rhel_9x64" }),
		"creationdate": text(func(t *template) string { return t.created.Format(time.RFC3339Nano) }),
		"tag":          {get: templateTags},
		"childcount": {get: func(e *engine, t *template) []string {
			return []string{strconv.Itoa(len(selected(e.vms, func(v *vm) bool { return v.templateID == t.ID })))}
		}},
		"architecture": {get: func(_ *engine, t *template) []string {
			if t.cluster == nil {
				return nil
			}
			return []string{t.cluster.Architecture}
		}},
	},
}

var diskSearch = &searchSpec[*disk]{
	fields: map[string]searchField[*disk]{
		"alias":             text(func(d *disk) string { return d.alias }),
		"name":              text(func(d *disk) string { return d.alias }),
		"id":                text(func(d *disk) string { return d.id }),
		"status":            text(func(d *disk) string { return d.status }),
		"disk_type":         text((*disk).storageType),
		"disk_content_type": {get: func(e *engine, d *disk) []string { return []string{e.contentType(d)} }},
		"size":              text(func(d *disk) string { return strconv.FormatInt(d.size, 10) }),
		"provisioned_size":  text(func(d *disk) string { return strconv.FormatInt(d.size, 10) }),
		"actual_size":       text(func(d *disk) string { return strconv.FormatInt(d.size/4, 10) }),
		"shareable":         text(func(d *disk) string { return strconv.FormatBool(d.shareable) }),
		"allocation_policy": text(func(*disk) string { return "sparse" }),
		"number_of_vms":     {get: func(e *engine, d *disk) []string { return []string{strconv.Itoa(len(e.vmsOf(d)))} }},
		"vm_names": {get: func(e *engine, d *disk) []string {
			var names []string
			for _, v := range e.vmsOf(d) {
				names = append(names, v.name)
			}
			return names
		}},
		"wipe_after_delete": text(func(*disk) string { return "false" }),
	},
}

// contentType says what is on a disk: an OVF store, or data.
func (e *engine) contentType(d *disk) string {
	for _, s := range e.domains {
		if slices.Contains(s.ovfDisks[:], d.id) {
			return "ovf_store"
		}
	}
	return "data"
}

var networkSearch = &searchSpec[*Network]{
	fields: map[string]searchField[*Network]{
		"name": text(func(n *Network) string { return n.Name }),
		"datacenter": {get: func(e *engine, n *Network) []string {
			return []string{e.dc(n.DataCenterID).Name}
		}},
		"stp":       text(func(*Network) string { return "false" }),
		"mtu":       text(func(*Network) string { return "0" }),
		"vmnetwork": text(func(n *Network) string { return strconv.FormatBool(n.VM) }),
	},
}

var eventSearch = &searchSpec[*event]{
	fields: map[string]searchField[*event]{
		"correlation_id":       {get: func(_ *engine, v *event) []string { return nonEmpty(v.correlation) }},
		"message":              text(func(v *event) string { return v.text }),
		"origin":               text(func(v *event) string { return v.origin }),
		"usrname":              {get: func(_ *engine, v *event) []string { return nonEmpty(v.user) }},
		"type":                 text(func(v *event) string { return strconv.Itoa(v.code) }),
		"custom_event_id":      text(func(v *event) string { return strconv.Itoa(v.customID) }),
		"severity":             text(func(v *event) string { return v.severity }),
		"time":                 text(func(v *event) string { return v.time.Format(time.RFC3339Nano) }),
		"deleted":              text(func(*event) string { return "false" }), // the others are not searched
		"event_vm":             {get: func(_ *engine, v *event) []string { return nonEmpty(v.vmName) }},
		"event_host":           {get: func(_ *engine, v *event) []string { return nonEmpty(v.hostName) }},
		"event_storage":        {get: func(_ *engine, v *event) []string { return nonEmpty(v.domainName) }},
		"event_template":       {get: func(e *engine, v *event) []string { return nameOf(e.template(v.template), (*template).title) }},
		"event_datacenter":     {get: func(e *engine, v *event) []string { return nameOf(e.dc(v.dc), (*dataCenter).title) }},
		"_event_vm_id":         {get: func(_ *engine, v *event) []string { return nonEmpty(v.vm) }},
		"_event_host_id":       {get: func(_ *engine, v *event) []string { return nonEmpty(v.host) }},
		"_event_template_id":   {get: func(_ *engine, v *event) []string { return nonEmpty(v.template) }},
		"_event_datacenter_id": {get: func(_ *engine, v *event) []string { return nonEmpty(v.dc) }},
	},
}

func (t *template) title() string   { return t.Name }
func (d *dataCenter) title() string { return d.Name }

// nameOf is the name of what an event is about; nothing where that is gone.
func nameOf[T any](v *T, name func(*T) string) []string {
	if v == nil {
		return nil
	}
	return nonEmpty(name(v))
}

var poolSearch = &searchSpec[string]{
	fields: map[string]searchField[string]{
		"name":              text(func(name string) string { return name }),
		"type":              text(func(string) string { return "manual" }),
		"assigned_vm_count": {get: func(e *engine, name string) []string { return []string{strconv.Itoa(len(e.pooled(name)))} }},
		"running_vm_count": {get: func(e *engine, name string) []string {
			return []string{strconv.Itoa(len(selected(e.pooled(name), func(v *vm) bool { return v.running })))}
		}},
		"cluster": {get: func(e *engine, name string) []string {
			for _, v := range e.pooled(name) {
				return []string{v.cluster.Name}
			}
			return nil
		}},
	},
}

func (e *engine) pooled(name string) []*vm {
	return selected(e.vms, func(v *vm) bool { return v.pool == name })
}
