package stdlib

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"drrun/lua"
	"drrun/ovirt"
)

// Records returns the tables that ctx, the sites and their objects give to plans, and those that hook points pass on, for references and
// annotations.
func Records() []lua.Record {
	return slices.Concat(factRecords(), hookRecords(), runRecords(), siteRecords())
}

// factRecords are made of the structs, so that a fact cannot be forgotten here; what each is stands in the texts.
func factRecords() []lua.Record {
	names := map[reflect.Type]string{
		reflect.TypeFor[Facts](): "facts", reflect.TypeFor[FactDomain](): "fact_storage_domain", reflect.TypeFor[FactPlace](): "fact_place",
		reflect.TypeFor[FactEntity](): "fact_template", reflect.TypeFor[FactVM](): "fact_vm", reflect.TypeFor[FactNIC](): "fact_nic",
		reflect.TypeFor[FactTarget](): "fact_target", reflect.TypeFor[FactLUN](): "fact_lun", reflect.TypeFor[FactLUNDisk](): "fact_lun_disk",
		reflect.TypeFor[ovirt.DomainSettings](): "storage_settings",
		reflect.TypeFor[RunSetOrigin]():         "run_set_origin", reflect.TypeFor[Verdict](): "verdict", reflect.TypeFor[Confirmation](): "confirmation",
	}
	return []lua.Record{
		structRecord[Facts](names, "What a run decides by, fixed before its first change.", map[string]string{
			"schema": "Layout of the facts.", "action": "The action.", "own": "The action is one of the plan's own: nothing moves, and the target has the VMs.", "plan": "Name of the plan.", "source": "Name of the site that is left.",
			"target": "Name of the site that takes over.", "planned": "The source takes part: its VMs are shut down and its storage is released.",
			"quarantine": "What cannot be released stays at the source of a planned move.", "taken": "When the facts were taken, RFC 3339.",
			"moved_at": "Failback and clean: when the VMs had left the target, RFC 3339.", "run_set": "Where it is known from what ran.",
			"lease_expiry":    "How long after the last possible write at a source that was not released nothing is attached, in seconds.",
			"storage_domains": "The storage domains of the run.", "luns": "The mapped LUNs that are disks of VMs.", "templates": "The templates.", "vms": "The VMs, in the order of the plan within ascending rank.",
		}),
		structRecord[FactDomain](names, "A storage domain of the run.", map[string]string{
			"id": "Id, the same on both sites.", "name": "Name.", "type": "Storage type.", "group": "Consistency group.", "source": "Where it lies at the source.",
			"target": "Where it lies at the target.", "upgrade_format": "Its storage format may be upgraded for good.", "settings": "What its entry at the source says beside its place.", "came_by": "The run that took it to the target last.",
			"unrecorded": "No move of it is on record here.", "arrived": "A planned move does not have to move it: it is at the target.",
		}),
		structRecord[FactPlace](names, "Where a storage domain lies at one site.", map[string]string{
			"data_center": "Name of the data center.", "data_center_id": "Id of the data center.", "address": "Address of the storage.", "path": "Path there.",
			"vfs_type": "posixfs: the file system.", "nfs_version": "nfs: the version.", "mount_options": "Further mount options.",
			"targets": "iscsi: the targets.", "luns": "iscsi, fcp: ids of its LUNs.",
		}),
		structRecord[ovirt.DomainSettings](names, "What the entry of a storage domain says beside its place.", map[string]string{
			"backup": "No running VM may use its disks.", "wipe_after_delete": "Deleted disks are wiped.", "discard_after_delete": "Deleted disks are discarded.",
			"warning_low_space_indicator": "Percent of free space below which the engine warns.", "critical_space_action_blocker": "GiB of free space below which nothing is made.",
		}),
		structRecord[FactTarget](names, "An iSCSI target.", map[string]string{"address": "Address.", "port": "Port.", "iqn": "IQN.", "username": "What CHAP asks for."}),
		structRecord[FactLUN](names, "A LUN that is a disk of a VM, and the one that takes its place.", map[string]string{
			"source": "Id of the LUN at the source.", "source_targets": "The targets behind which it is there.", "target": "Id of the LUN at the target.",
			"targets": "The targets behind which it is there.", "optional": "Its VM can do without it.",
		}),
		structRecord[FactLUNDisk](names, "A disk of a VM that is a LUN.", map[string]string{"disk": "Id of the disk.", "alias": "Its alias.", "lun": "Id of the LUN at the source."}),
		structRecord[FactEntity](names, "A template of the run.", map[string]string{"id": "Id.", "name": "Name."}),
		structRecord[FactVM](names, "A VM of the run. What can be done with it has ctx.target:vm(fact.id).", map[string]string{
			"id": "Id, the same on both sites.", "name": "Name.", "rank": "Rank.", "required": "The run stops when it does not come up.", "on_error": "continue or stop.",
			"start": "as_before, yes or no.", "ran": "Whether it ran before: up, down or unknown.", "after": "Ids of the VMs that it comes after.",
			"ran_from": "Where that is known from, where it is not as the run set says.", "boot": "Its boot condition, for people.",
			"source_cluster": "Its cluster at the source.", "source_host": "Its host at the source.", "ha": "Highly available at the source.",
			"ha_priority": "Restart priority.", "lease": "Id of the storage domain of its lease.", "delete_protected": "Protected against deletion at the source.",
			"grace": "How long its shutdown may take, in seconds.", "force_stop": "Switch it off when that is over.", "comment": "Its comment at the source.",
			"target_cluster": "Its cluster at the target.", "target_cluster_id": "Id of that cluster.", "nics": "Its NICs.", "disks": "Ids of its disks.", "template": "Id of the template that it is based on.", "luns": "Its disks that are LUNs.",
			"storage_domains": "Ids of the storage domains that they lie on.", "arrived": "Its status at the target, where it was there before a planned move began.",
		}),
		structRecord[FactNIC](names, "A NIC of a VM of the run.", map[string]string{
			"id": "Id.", "name": "Name.", "mac": "MAC address.", "source_network": "Network at the source.", "source_profile": "vNIC profile at the source.",
			"target_profile": "DATA CENTER/NETWORK/PROFILE at the target.", "target_profile_id": "Id of that profile.",
		}),
		structRecord[RunSetOrigin](names, "Where it is known from what ran.", map[string]string{"from": "live, inventory or ovf.", "taken": "When that was read, RFC 3339."}),
		structRecord[Verdict](names, "What is known of the source's VMs.", map[string]string{
			"at": "When the look began, RFC 3339.", "holds": "A VM may be started on the target.", "ground": "What that rests on: released or confirmed.",
			"answers": "The source's engine answered.", "why": "In words.", "confirmation": "The person's word that it rests on.",
		}),
		structRecord[Confirmation](names, "A person's word that the source is down.", map[string]string{"name": "Who.", "reason": "How that is known.", "at": "When, RFC 3339."}),
	}
}

// structRecord declares the table that Decoded makes of a struct.
func structRecord[T any](names map[reflect.Type]string, doc string, texts map[string]string) lua.Record {
	typ := reflect.TypeFor[T]()
	r := lua.Record{Name: names[typ], Doc: doc}
	left := maps.Clone(texts)
	for field := range typ.Fields() {
		name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
		text, known := left[name]
		if !known {
			panic(fmt.Sprintf("no text for %s.%s", r.Name, name))
		}
		delete(left, name)
		declared := tableType(names, field.Type)
		if options != "" {
			declared += "?"
		}
		r.Fields = append(r.Fields, lua.Field{Name: name, Type: declared, Doc: text})
	}
	if len(left) > 0 {
		panic(fmt.Sprintf("%s has no %v", r.Name, slices.Sorted(maps.Keys(left))))
	}
	return r
}

// tableType is how Lua sees a field of a struct.
func tableType(names map[reflect.Type]string, typ reflect.Type) string {
	if name, known := names[typ]; known {
		return name
	}
	switch {
	case typ == reflect.TypeFor[time.Time](), typ.Kind() == reflect.String:
		return "string"
	case typ.Kind() == reflect.Bool:
		return "boolean"
	case typ.Kind() == reflect.Int, typ.Kind() == reflect.Int64:
		return "integer"
	case typ.Kind() == reflect.Float64:
		return "number"
	case typ.Kind() == reflect.Pointer:
		return tableType(names, typ.Elem())
	case typ.Kind() == reflect.Slice:
		return tableType(names, typ.Elem()) + "[]"
	}
	panic(fmt.Sprintf("Lua sees no %s", typ))
}

// hookRecords are the subjects of hook points and what handlers return.
func hookRecords() []lua.Record {
	return []lua.Record{
		lua.NewRecord("subject", "What something is about, where there is no object for it.",
			"kind? string | Kind, such as \"rank\"; not needed for a VM or a storage domain of the run.", "id? string | Id. Default: the name.", "name? string | Name."),
		lua.NewRecord("run_subject", "The run, as before_run gets it.", "kind string | \"run\".", "id string | Id of the run.", "action string | The action."),
		lua.NewRecord("consistency_group", "Storage domains whose copies belong together.",
			"kind string | \"group\".", "id string | Its name.", "name string | Name.", "storage_domains fact_storage_domain[] | Its storage domains."),
		lua.NewRecord("rank", "VMs that start together.", "kind string | \"rank\".", "id string | Number of the rank, as text.", "name string | \"rank 1\".", "vms fact_vm[] | Its VMs."),
		lua.NewRecord("promotion", "What promote_storage returns.", "writable boolean | The target's copy can be written.",
			"as_of? string | Time of the last write that the copy holds, RFC 3339, or \"unknown\".", "in_sync? boolean | The array says that the copy holds every write."),
		lua.NewRecord("replication", "What reverse_replication returns.", "ready boolean | Replication in the other direction runs."),
		lua.NewRecord("run_result", "How an action ended, as after_run gets it.", "status \"done\"|\"partial\" | done or partial.", "storage_domains run_object[] | The storage domains.", "vms run_object[] | The VMs."),
		lua.NewRecord("run_object", "What became of a storage domain or VM.", "id string | Id.", "name string | Name.", "rank? integer | Rank of a VM.", "status string | Its state.",
			"started_at? string | When it was started, RFC 3339.", "up_at? string | When it was seen up, RFC 3339.", "error? string | Why it is so."),
		lua.NewRecord("run_error", "Why an action stopped, as on_error gets it.", "code string | Code of the error.", "message string | What went wrong.", "status string | How the action ends.", "run? string | Id of the run."),
	}
}

// runRecords are what ctx returns.
func runRecords() []lua.Record {
	answer := lua.NewRecord("prompt_answer", "The parts of an answer: \"writable,as_of=unknown\" is { writable = true, as_of = \"unknown\" }.",
		"answer string | The whole answer.", "refused? boolean | It was the answer that refuses names.", "[string] any | A part: true, or its value.")
	return []lua.Record{
		lua.NewRecord("run", "The run.", "id string | Id.", "attempt integer | Number of the attempt, from 1.", "resumed boolean | An earlier attempt was stopped."),
		answer,
	}
}

// siteRecords are what sites and their objects return.
func siteRecords() []lua.Record {
	return []lua.Record{
		lua.NewRecord("product", "What an engine says that it is.", "name string | Name of the product.", "vendor string | Its vendor.", "version string | Its version."),
		lua.NewRecord("site_data_center", "A data center as its engine shows it.", "id string | Id.", "name string | Name.", "status string | Status, such as up.", "version string | Compatibility level.",
			"storage_format string | Storage format, such as v5.", "local boolean | With local storage."),
		lua.NewRecord("site_cluster", "A cluster as its engine shows it.", "id string | Id.", "name string | Name.", "data_center_id string | Id of its data center.", "version string | Compatibility level.",
			"architecture string | Architecture of its CPUs.", "bios_type string | Firmware of new VMs."),
		lua.NewRecord("site_host", "A host as its engine shows it.", "id string | Id.", "name string | Name.", "address string | Address.", "status string | Status, such as up.", "cluster_id string | Id of its cluster.",
			"spm string | Its part as storage pool manager: spm, contending or none.", "power_management boolean | Its power can be asked for and switched."),
		lua.NewRecord("site_storage_domain", "A storage domain as its engine shows it.", "id string | Id.", "name string | Name.", "type string | Storage type.", "status string | Status.", "master boolean | Master of its data center.",
			"data_center_id string | Id of its data center.", "address string | Address of the storage.", "path string | Path there.", "available number | Free bytes.", "used number | Used bytes.",
			"imported_by_run? boolean | This run imported it; only of plan_storage_domains."),
		lua.NewRecord("site_vm", "A VM as its engine shows it.", "id string | Id.", "name string | Name.", "status string | Status, such as up.", "cluster_id string | Id of its cluster.", "host_id string | Id of its host.",
			"template_id string | Id of its template.", "ha boolean | Highly available.", "ha_priority number | Restart priority.", "lease string | Id of the storage domain of its lease.",
			"delete_protected boolean | Protected against deletion.", "comment string | Comment.", "fqdn string | Name that the guest agent reports.",
			"started_at? string | When it was started, RFC 3339.", "stopped_at? string | When it stopped, RFC 3339."),
		lua.NewRecord("site_template", "A template as its engine shows it.", "id string | Id.", "name string | Name.", "status string | Status.", "cluster_id string | Id of its cluster.", "base_id string | Id of the template that it is a version of.",
			"version number | Number of the version."),
		lua.NewRecord("site_network", "A network as its engine shows it.", "id string | Id.", "name string | Name.", "data_center_id string | Id of its data center.", "vm boolean | VMs can use it."),
		lua.NewRecord("site_vnic_profile", "A vNIC profile as its engine shows it.", "id string | Id.", "name string | Name.", "network_id string | Id of its network."),
		lua.NewRecord("site_event", "An event of an engine.", "id number | Id; later ones are higher.", "code number | Code.", "severity string | Severity.", "description string | Text.", "time? string | When, RFC 3339.",
			"correlation_id string | What it belongs to.", "vm_id string | Id of its VM.", "host_id string | Id of its host.", "storage_domain_id string | Id of its storage domain."),
		lua.NewRecord("unregistered_disk", "A disk that a storage domain holds and its engine does not know.", "id string | Id.", "name string | Alias.", "size number | Size in bytes."),
		lua.NewRecord("site_nic", "A NIC as its engine shows it.", "id string | Id.", "name string | Name.", "mac string | MAC address.", "profile_id string | Id of its vNIC profile.", "linked boolean | Its link is up.", "plugged boolean | It is plugged."),
		lua.NewRecord("start_decision", "Whether the run starts a VM.", "start boolean | It does.", "why string | Why."),
		lua.NewRecord("start_result", "How a VM was started.", "requested boolean | It was not up already.", "started_at? string | When it was started, RFC 3339.", "up_at? string | When it was seen up, RFC 3339."),
		lua.NewRecord("boot_verdict", "Whether a VM met its boot condition.", "ok boolean | It did.", "why string | Why not."),
		lua.NewRecord("shutdown_result", "How a VM came down.", "requested boolean | It was asked to shut down.", "forced boolean | It was switched off.", "down_at? string | When it was seen down, RFC 3339."),
		lua.NewRecord("ovf_update", "How the writing of an OVF store ended.", "written boolean | It was written.", "nothing_to_do boolean | No VM had changed."),
		lua.NewRecord("power_status", "Whether a host has power.", "power \"on\"|\"off\"|\"unreadable\" | on, off or unreadable.", "why? string | Why it is unreadable."),
	}
}
