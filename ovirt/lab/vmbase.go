package lab

import (
	"cmp"
	"time"
)

// vmBase is what a VM, a template and the configuration of a snapshot have in common (ovirt-engine VmBaseMapper).
type vmBase struct {
	architecture, bios string
	created            time.Time
	deleteProtected    bool
	ha                 bool
	haPriority         int
	leaseDomainID      string
	memory             int64
	console            *host // where the console is; nil while there is none
	os                 string
	pinnedTo           []string
	timeZone           string
	level              string // custom compatibility version; "" for none
	properties         []CustomProperty
	kind               string // desktop, server
	origin             string // "" means ovirt
	cluster            *cluster
	all                bool                            // with what all_content asks for: devices, and for a VM its OVF
	ovf                string                          // the text
	certified          bool                            // with the certificate of the console
	fromOVF            bool                            // a stored configuration, whose initialization is never absent
	inline             func(x *xmlWriter, name string) // writes a followed collection of that name, where there is one
}

// base is the common part of a VM.
func (v *vm) base() vmBase {
	b := vmBase{architecture: v.cluster.Architecture, bios: v.cluster.BIOSType, created: v.created, deleteProtected: v.deleteProtected, ha: v.ha,
		haPriority: v.haPriority, leaseDomainID: v.leaseDomainID, memory: v.memory, os: guestOS, pinnedTo: v.pinnedTo, timeZone: "Etc/GMT",
		kind: "server", cluster: v.cluster, level: v.customLevel, properties: v.properties}
	if v.host != nil && v.runs() {
		b.console = v.host
	}
	if v.external {
		b.origin = "external"
	}
	return b
}

// runs reports whether the engine takes the VM for running or paused, so that what a run brings with it is in its document
// (ovirt-engine VMStatus.isNotRunning).
func (v *vm) runs() bool {
	return v.status != "down" && v.status != "suspended" && v.status != "image_locked"
}

// guestOS is the operating system of all VMs of the lab.
const guestOS = "rhel_9x64"

func (c *call) writeVMBase(x *xmlWriter, b *vmBase) {
	inline := func(name string) {
		if b.inline != nil {
			b.inline(x, name)
		}
	}
	x.text("auto_pinning_policy", "disabled")
	x.open("bios")
	writeEnabled(x, "boot_menu", false)
	if b.bios != "" {
		x.text("type", b.bios)
	}
	x.close("bios")
	if b.all {
		writeEnabled(x, "console", true)
	}
	x.open("cpu")
	x.text("architecture", b.architecture)
	x.open("topology")
	x.int("cores", 1)
	x.int("sockets", 1)
	x.int("threads", 1)
	x.close("topology")
	x.close("cpu")
	x.text("cpu_pinning_policy", "none")
	x.int("cpu_shares", 0)
	x.time("creation_time", b.created)
	if b.level != "" {
		x.version("custom_compatibility_version", b.level)
	}
	if len(b.properties) > 0 {
		x.open("custom_properties")
		for _, p := range b.properties {
			x.open("custom_property")
			x.text("name", p.Name)
			x.text("value", p.Value)
			x.close("custom_property")
		}
		x.close("custom_properties")
	}
	x.bool("delete_protected", b.deleteProtected)
	inline("disk_attachments")
	x.open("display")
	if b.console != nil {
		x.text("address", c.engine.hostIP(b.console))
	}
	x.bool("allow_override", false)
	if b.certified && b.console != nil {
		c.writeCertificate(x, b.console)
	}
	x.bool("copy_paste_enabled", true)
	x.text("disconnect_action", "LOCK_SCREEN")
	x.int("disconnect_action_delay", 0)
	x.bool("file_transfer_enabled", true)
	x.int("monitors", 1)
	if b.console != nil {
		x.int("port", 5900)
	}
	x.bool("smartcard_enabled", false)
	x.text("type", "vnc")
	x.text("video_type", "vga")
	x.close("display")
	writeHA(x, b.ha, b.haPriority)
	switch {
	case b.ovf != "":
		x.open("initialization")
		x.open("configuration")
		x.text("data", b.ovf)
		x.text("type", "ovf")
		x.close("configuration")
		x.close("initialization")
	case b.fromOVF:
		x.empty("initialization")
	}
	x.open("io")
	x.int("threads", 1)
	x.close("io")
	x.ref("large_icon", "icons", c.engine.ownID("icon/large"))
	if b.leaseDomainID != "" {
		writeLease(x, b.leaseDomainID)
	}
	x.int("memory", b.memory)
	x.open("memory_policy")
	x.bool("ballooning", true)
	x.int("guaranteed", b.memory)
	x.int("max", 4*b.memory)
	x.close("memory_policy")
	x.open("migration")
	x.text("auto_converge", "inherit")
	x.text("compressed", "inherit")
	x.text("encrypted", "inherit")
	x.close("migration")
	x.int("migration_downtime", -1)
	x.bool("multi_queues_enabled", true)
	inline("nics")
	x.text("origin", cmp.Or(b.origin, "ovirt"))
	x.open("os")
	x.open("boot")
	x.open("devices")
	x.text("device", "hd")
	x.close("devices")
	x.close("boot")
	x.text("type", b.os)
	x.close("os")
	x.open("placement_policy")
	if len(b.pinnedTo) == 0 {
		x.text("affinity", "migratable")
	} else {
		x.text("affinity", "pinned")
		x.open("hosts")
		for _, id := range b.pinnedTo {
			x.ref("host", "hosts", id)
		}
		x.close("hosts")
	}
	x.close("placement_policy")
	if b.all {
		x.open("rng_device")
		x.text("source", "urandom")
		x.close("rng_device")
	}
	x.ref("small_icon", "icons", c.engine.ownID("icon/small"))
	inline("snapshots")
	if b.all {
		x.bool("soundcard_enabled", false)
	}
	x.open("sso")
	x.open("methods")
	x.empty("method", "id", "guest_agent")
	x.close("methods")
	x.close("sso")
	x.bool("start_paused", false)
	x.bool("stateless", false)
	if b.ha && b.leaseDomainID != "" { // what else there is would let it run twice (ovirt-engine VmHandler.autoSelectResumeBehavior)
		x.text("storage_error_resume_behaviour", "kill")
	} else {
		x.text("storage_error_resume_behaviour", "auto_resume")
	}
	if b.timeZone != "" {
		x.open("time_zone")
		x.text("name", b.timeZone)
		x.close("time_zone")
	}
	if b.all {
		x.bool("tpm_enabled", false)
	}
	x.text("type", b.kind)
	writeEnabled(x, "usb", false)
	if b.all {
		writeEnabled(x, "virtio_scsi", true)
	}
	x.bool("virtio_scsi_multi_queues_enabled", false)
	if b.cluster != nil {
		x.ref("cluster", "clusters", b.cluster.ID)
		x.ref("cpu_profile", "cpuprofiles", c.engine.cpuProfileID(b.cluster))
		x.empty("quota", "id", c.engine.defaultQuotaID(b.cluster.dc))
	}
}

// writeVMRest writes what only a VM has, after the common part.
func (c *call) writeVMRest(x *xmlWriter, v *vm) {
	running := v.runs()
	if v.agentUp && running {
		writeGuest(x, v)
	}
	if v.disksIn("illegal") != "" {
		x.bool("has_illegal_images", true)
	}
	x.bool("next_run_configuration_exists", false)
	if running {
		x.bool("run_once", v.runOnce)
		if !v.startTime.IsZero() {
			x.time("start_time", v.startTime)
		}
	}
	x.text("status", v.status)
	if v.status == "paused" {
		x.text("status_detail", "eio")
	}
	if v.stopReason != "" {
		x.text("stop_reason", v.stopReason)
	}
	if !v.stopTime.IsZero() {
		x.time("stop_time", v.stopTime)
	}
	if v.host != nil && running {
		x.ref("host", "hosts", v.host.ID)
	}
	if v.instanceTypeID != "" {
		x.ref("instance_type", "instancetypes", v.instanceTypeID)
	}
	x.ref("original_template", "templates", v.templateID)
	x.ref("template", "templates", v.templateID)
	if v.pool != "" {
		x.ref("vm_pool", "vmpools", c.engine.poolID(v.pool))
	}
}

// writeCertificate writes who answers at a VM's console: the host's subject and, as content, the engine's CA (ovirt-engine
// DisplayHelper.addDisplayCertificate). One VM has it whenever it runs, a list only with all_content (BackendVmResource,
// BackendVmsResource).
func (c *call) writeCertificate(x *xmlWriter, h *host) {
	a, err := c.engine.authority()
	if err != nil {
		return
	}
	x.open("certificate")
	x.text("content", c.engine.digest("certificate/ca", func() string { return string(lines76(a.caPEM)) }))
	x.text("organization", organization)
	x.text("subject", "O=drrun lab,CN="+h.Address)
	x.close("certificate")
}
