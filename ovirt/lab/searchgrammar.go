package lab

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What can be searched for: the columns of each kind of object with their types and relations, and what it can refer to
// (ovirt-engine *ConditionFieldAutoCompleter.java, *CrossRefAutoCompleter.java, SearchObjectAutoCompleter.java).

// relations that a column can have to a value.
type relations []string

var (
	relationEqual   = relations{"=", "!="}
	relationNumber  = relations{"<", ">", "<=", ">=", "=", "!="}
	relationTime    = relations{"<", ">", "="}
	relationOrdered = relations{"<", ">"}
)

func (r relations) has(word string) bool { return slices.Contains(r, word) }

func (r relations) begins(word string) bool {
	return slices.ContainsFunc(r, func(s string) bool { return strings.HasPrefix(s, word) })
}

type columnType int

const (
	columnText     columnType = iota
	columnApps                // text that is compared by a part of it
	columnExact               // compared as it stands
	columnNullable            // compared as it stands; null means that there is none
	columnList                // several texts, which are patterns for the value
	columnInt
	columnDecimal
	columnLong // any text parses; what is no number fails in SQL
	columnDate
	columnSpan
	columnUUID // any text parses; what is no UUID fails in SQL
	columnEnum
	columnBool
)

// columnOf is a column of a kind of object.
type columnOf struct {
	kind     columnType
	relation relations
	values   []string // of an enumeration, in the order of their numbers
	hidden   bool     // known to the parser, but no continuation of a word
	unread   bool     // free text does not look at it
}

// searchObject is a kind of object.
type searchObject struct {
	name    string
	columns map[string]columnOf
	order   []string          // names of the columns
	refs    map[string]string // what it can refer to: the words and the objects
	noSQL   string            // the reference that the parser knows and SQL does not
}

func (o *searchObject) has(word string) bool { _, ok := o.columns[word]; return ok }

func (o *searchObject) begins(word string) bool {
	return slices.ContainsFunc(o.order, func(name string) bool { return !o.columns[name].hidden && strings.HasPrefix(name, word) })
}

// referred is the object that a reference stands for, "" where it is none. The parser adds an s to any reference, and only some
// objects have a name in the plural.
func (o *searchObject) referred(ref string) string {
	if object := o.refs[ref]; object != "" {
		return object
	}
	singular := strings.TrimSuffix(ref, "s")
	switch singular {
	case "nic", "vnic", "datacenter", "cluster_network", "host_network":
		return ""
	}
	return o.refs[singular]
}

// accepts reports whether the parser takes a value for a column.
func (k columnOf) accepts(value string) bool {
	switch k.kind {
	case columnInt:
		_, err := strconv.ParseInt(value, 10, 32)
		return err == nil
	case columnDecimal:
		_, err := strconv.ParseFloat(value, 64)
		return err == nil
	case columnDate:
		return parseSearchDate(value, time.Time{}).known
	case columnSpan:
		_, ok := parseSearchSpan(value)
		return ok
	case columnEnum:
		return slices.Contains(k.values, strings.ToLower(value))
	case columnBool:
		return strings.EqualFold(value, "true") || strings.EqualFold(value, "false")
	}
	return true
}

var searchEnums = map[string]string{
	"vmstatus":     vmStatuses,
	"hoststatus":   hostStatuses,
	"domainstatus": "unknown uninitialized unattached active inactive locked maintenance preparingformaintenance detaching activating",
	"sharedstatus": "unattached active inactive mixed locked",
	"dcstatus":     "uninitialized up maintenance notoperational nonresponsive contend",
	"template":     "ok locked illegal",
	"vmtype":       "desktop server highperformance",
	"hosttype":     "rhel rhevh",
	"arch":         "undefined x86_64 ppc64 ppc x86 ppc64le ppcle s390x",
	"bios":         "i440fx_sea_bios q35_sea_bios q35_ovmf q35_secure_boot",
	"external":     "ok info warning error failure",
	"storage":      "unknown nfs fcp iscsi localfs posixfs glusterfs glance cinder managed_block_storage unmanaged",
	"image":        "unassigned ok locked illegal",
	"disk":         "image lun cinder managed_block_storage kubernetes",
	"content":      "data ovf_store memory_dump_volume memory_metadata_volume iso hosted_engine hosted_engine_sanlock hosted_engine_metadata hosted_engine_configuration backup_scratch",
	"volume":       "unassigned preallocated sparse",
	"pool":         "automatic manual",
	"severity":     "normal warning error alert",
	"member":       "user group",
	"provider":     "openstack_network foreman openstack_image openstack_volume vmware external_network xen kvm kubevirt",
	"os": `other_os other_linux other_linux_ppc64 rhel_6 rhel_6x64 rhel_7x64 rhel_8x64 rhel_9x64 rhcos_x64 debian_7 debian_9 ubuntu_18_04 sles_11 freebsd
		freebsdx64 windows_7 windows_7x64 windows_8x64 windows_10 windows_10x64 windows_11 windows_2008r2x64 windows_2012x64 windows_2012r2x64
		windows_2016x64 windows_2019x64 windows_2022`,
}

// searchable makes a kind of object. A column is written name:TYPE, with # for numeric relations, < for smaller and bigger, @ for
// those of times, - before a hidden name and ~ before one that free text passes over.
func searchable(name, columns, refs string) *searchObject {
	o := &searchObject{name: name, columns: map[string]columnOf{}, refs: map[string]string{}}
	kinds := map[string]columnType{"s": columnText, "a": columnApps, "f": columnExact, "n": columnNullable, "c": columnList, "i": columnInt,
		"d": columnDecimal, "l": columnLong, "t": columnDate, "p": columnSpan, "u": columnUUID, "b": columnBool}
	for _, word := range strings.Fields(columns) {
		k := columnOf{relation: relationEqual}
		word, kind, _ := strings.Cut(word, ":")
		if rest, ok := strings.CutPrefix(word, "-"); ok {
			word, k.hidden = rest, true
		}
		if rest, ok := strings.CutPrefix(word, "~"); ok {
			word, k.unread = rest, true
		}
		for mark, r := range map[string]relations{"#": relationNumber, "<": relationOrdered, "@": relationTime} {
			if rest, ok := strings.CutSuffix(kind, mark); ok {
				kind, k.relation = rest, r
			}
		}
		if values, ok := searchEnums[kind]; ok {
			k.kind, k.values = columnEnum, strings.Fields(values)
		} else {
			k.kind = kinds[kind]
		}
		o.columns[word] = k
		o.order = append(o.order, word)
	}
	for _, word := range strings.Fields(refs) {
		word, object, ok := strings.Cut(word, ":")
		if !ok {
			object = strings.TrimSuffix(word, "s")
		}
		o.refs[word] = object
	}
	return o
}

// searchObjects are the kinds of objects by the names that the grammar has for them.
var searchObjects = map[string]*searchObject{
	"vm": searchable("vm", `name:s comment:s status:vmstatus ip:s on_host:s fqdn:s uptime:p< ~os:os creationdate:t< address:s cpu_usage:i#
		mem_usage:i# network_usage:i# memory:i# guaranteed_memory:i# migration_progress_percent:i# ~apps:a cluster:s pool:s loggedinuser:s tag:s
		datacenter:s type:vmtype quota:n id:u description:s architecture:arch custom_emulated_machine:s custom_cpu_type:s
		compatibility_level:s custom_compatibility_level:f created_by_user_id:u next_run_config_exists:b has_illegal_images:b bios_type:bios
		k8s_namespace:s vcpus:i#`, "host hosts template templates event events user users storage:storage vnic"),
	"host": searchable("host", `name:s comment:s status:hoststatus external_status:external cluster:s address:s cpu_usage:i# mem_usage:i#
		network_usage:i# load:d# version:s cpus:i# memory:i# cpu_speed:d# cpu_model:s active_vms:i# migrating_vms:i committed_mem:i# tag:s
		type:hosttype datacenter:s architecture:arch update_available:b ha_score:i spm_id:i hw_id:u -id:u`,
		"vm vms template templates event events user users storage:storage nic"),
	"storage": searchable("storage", `name:s status:domainstatus shared_status:sharedstatus external_status:external datacenter:c type:storage
		free_size:i# used_size:i# total_size:i# committed:i# comment:s description:s wipe_after_delete:b discard_after_delete:b backup:b`,
		"host hosts cluster clusters"),
	"disk": searchable("disk", `alias:s name:s description:s provisioned_size:l< size:l< actual_size:l< creation_date:t< shareable:b status:image
		disk_type:disk disk_content_type:content allocation_policy:volume number_of_vms:i# vm_names:c quota:s id:u wipe_after_delete:b
		last_modified:t<`, "datacenter storage:storage"),
	"datacenter": searchable("datacenter", `name:s description:s local:b status:dcstatus comment:s compatibility_version:s`,
		"cluster clusters storage:storage network"),
	"cluster": searchable("cluster", `name:s description:s comment:s architecture:arch compatibility_level:f cpu_type:s`,
		"datacenter storage:storage cluster_network"),
	"template":     searchable("template", templateColumns, "vm vms host hosts event events user users storage:storage vnic"),
	"instancetype": searchable("instancetype", templateColumns, "vm vms host hosts event events user users storage:storage vnic"),
	"event": func() *searchObject {
		o := searchable("event", `type:i severity:severity# message:s time:t@ usrname:s event_host:s event_vm:s event_template:s event_storage:s
			event_datacenter:s event_volume:s correlation_id:s origin:s custom_event_id:i deleted:b -_event_vm_id:s -_event_template_id:s
			-_event_storage_id:s -_event_host_id:s -_event_datacenter_id:s -_event_quota_id:s -usrid:s`,
			"vm vms host template templates user users cluster clusters volume volumes quota")
		// A pointer to hosts in the plural names a table that the query does not have (SearchObjectAutoCompleter.getInnerJoin).
		o.noSQL = "hosts"
		for _, name := range []string{"usrid", "_event_storage_id"} { // no relation is known for them
			k := o.columns[name]
			k.relation = nil
			o.columns[name] = k
		}
		return o
	}(),
	"network": searchable("network", `name:s description:s comment:s vlanid:i# stp:b mtu:i# vmnetwork:b datacenter:s label:s provider_name:s
		qos_name:s`, "cluster_network host_network provider"),
	"user": searchable("user", `name:s lastname:s usrname:s user_and_domain:s login:s directory:s department:s tag:s pool:s type:f`,
		"vm vms host hosts template templates event events"),
	"group": searchable("group", `grpname:s name:s`, ""),
	"pool": searchable("pool", `name:s description:s comment:s type:pool cluster:s datacenter:s architecture:arch assigned_vm_count:i
		running_vm_count:i`, ""),
	"job": searchable("job", `correlation_id:f`, ""),
	// Those that can only be referred to.
	"nic":             searchable("nic", `network_name:s mac:s`, ""),
	"vnic":            searchable("vnic", `network_name:s mac:s`, ""),
	"cluster_network": searchable("cluster_network", `network_name:s cluster_name:s`, ""),
	"host_network":    searchable("host_network", `host_name:s`, ""),
	"provider":        searchable("provider", `name:s type:provider description:s url:s`, ""),
	"quota":           searchable("quota", `name:s description:s storagename:s clustername:s thresholdstorage:i thresholdcluster:i gracestorage:i gracecluster:i enforcementtype:f`, ""),
	"volume":          searchable("volume", `name:s type:f transport_type:f replica_count:i stripe_count:i status:f`, ""),
}

const templateColumns = `name:s comment:s ~os:os creationdate:t@ childcount:i# mem:i# description:s status:template sealed:f cluster:s datacenter:s
	quota:n architecture:arch version_name:s tag:s -_vmt_id:u`

// searchCollections are the collections that can be searched (ovirt-engine QueryHelper.java).
var searchCollections = map[string]string{"vms": "vm", "hosts": "host", "clusters": "cluster", "datacenters": "datacenter", "storagedomains": "storage",
	"templates": "template", "instancetypes": "instancetype", "users": "user", "groups": "group", "vmpools": "pool", "events": "event",
	"disks": "disk", "networks": "network", "jobs": "job"}

// beginsObject reports whether a word is the beginning of an object's name, which the parser waits for although no expression can
// have one there.
func beginsObject(word string) bool {
	return slices.ContainsFunc(objectNames, func(name string) bool { return strings.HasPrefix(name, word) })
}

var objectNames = strings.Fields(`vms pools hosts templates events users groups clusters disks datacenter storage volumes quota networks
	providers instancetypes imagetypes sessions jobs vnicprofiles`)

// searchDate is a day that a search names.
type searchDate struct {
	day   time.Time
	known bool
}

var (
	dateWords  = regexp.MustCompile(`^(?:[A-Z][a-z]+day, )?([A-Z][a-z]+ [0-9]{1,2}, [0-9]{4})`)
	dateDigits = regexp.MustCompile(`^([0-9]{1,2}/[0-9]{1,2}/)([0-9]{2,4})`)
	spanForm   = regexp.MustCompile(`^-?(?:([0-9]+)|(?:([0-9]+).)?([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:.[0-9]{2})?)?)$`)
)

// parseSearchDate reads a day as the engine's Java does in an English locale: what stands behind the day, such as a time, is
// passed over, and ISO dates are unknown (ovirt-engine DateUtils.java). Names of days are counted back from now.
func parseSearchDate(s string, now time.Time) searchDate {
	s = strings.TrimSpace(s)
	midnight := now.UTC().Truncate(24 * time.Hour)
	switch lower := strings.ToLower(s); lower {
	case "today":
		return searchDate{midnight, true}
	case "yesterday":
		return searchDate{midnight.AddDate(0, 0, -1), true}
	default:
		for back := range 7 {
			if day := midnight.AddDate(0, 0, -back); strings.ToLower(day.Weekday().String()) == lower {
				if back < 2 { // only the days before yesterday are looked for
					day = midnight
				}
				return searchDate{day, true}
			}
		}
	}
	if m := dateWords.FindStringSubmatch(s); m != nil {
		for _, form := range []string{"Jan 2, 2006", "January 2, 2006"} {
			if t, err := time.Parse(form, m[1]); err == nil {
				return searchDate{t, true}
			}
		}
	}
	if m := dateDigits.FindStringSubmatch(s); m != nil {
		form := "1/2/06"
		if len(m[2]) == 4 {
			form = "1/2/2006"
		}
		if t, err := time.Parse(form, m[0]); err == nil {
			return searchDate{t, true}
		}
	}
	return searchDate{}
}

// parseSearchSpan reads days, or [days.]hours:minutes[:seconds] (ovirt-engine TimeSpan.java).
func parseSearchSpan(s string) (time.Duration, bool) {
	m := spanForm.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return 0, false
	}
	n := func(i int) time.Duration { v, _ := strconv.Atoi("0" + m[i]); return time.Duration(v) }
	d := (n(1)+n(2))*24*time.Hour + n(3)*time.Hour + n(4)*time.Minute + n(5)*time.Second
	if strings.Contains(s, "-") {
		d = -d
	}
	return d, true
}
