package lab

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// ovfText is the OVF of a VM as clients get it that ask for all content, and as backups keep it: one line, sizes in GiB, NICs and disks
// as items of hardware (ovirt-engine OvfWriter.java, OvfOvirtWriter.java, OvfVmWriter.java). What no world can say is left out.
func (e *engine) ovfText(v *vm) string {
	o := ovfWriter{}
	const head = ` xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1/" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"` +
		` xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`
	o.raw(`<?xml version="1.0" encoding="UTF-8"?><ovf:Envelope` + head + ` ovf:version="` + e.spec.Version + `.0"><References>`)
	for _, a := range v.disks {
		o.tag("File", "ovf:href", a.disk.id+"/"+a.disk.imageID, "ovf:id", a.disk.imageID, "ovf:size", fmt.Sprint(a.disk.size), "ovf:description", "Active VM",
			"ovf:disk_storage_type", strings.ToUpper(a.disk.storageType()), "ovf:cinder_volume_type", "")
		o.raw("</File>")
	}
	o.raw(`</References><NetworkSection><Info>List of networks</Info>`)
	for _, n := range v.nics {
		if network, _ := e.networkName(n.profileID); network != "" {
			o.tag("Network", "ovf:name", network)
			o.raw("</Network>")
		}
	}
	o.raw(`</NetworkSection><Section xsi:type="ovf:DiskSection_Type"><Info>List of Virtual Disks</Info>`)
	active := uuidOf(v.id + "/snapshot/active")
	for _, a := range v.disks {
		o.tag("Disk", "ovf:diskId", a.disk.imageID, "ovf:size", fmt.Sprint(a.disk.size/gib), "ovf:actual_size", fmt.Sprint(a.disk.size/gib),
			"ovf:vm_snapshot_id", active, "ovf:parentRef", "", "ovf:fileRef", a.disk.id+"/"+a.disk.imageID,
			"ovf:format", "http://www.vmware.com/specifications/vmdk.html#sparse", "ovf:volume-format", "RAW", "ovf:volume-type", "Sparse", "ovf:disk-interface", "VirtIO_SCSI",
			"ovf:read-only", "false", "ovf:shareable", fmt.Sprint(a.disk.shareable), "ovf:boot", fmt.Sprint(a.bootable), "ovf:pass-discard", "false",
			"ovf:incremental-backup", "false", "ovf:disk-alias", a.disk.alias, "ovf:disk-description", a.disk.description, "ovf:wipe-after-delete", "false")
		o.raw("</Disk>")
	}
	o.raw(`</Section><Content ovf:id="out" xsi:type="ovf:VirtualSystem_Type">`)
	template := ""
	if t := e.template(v.templateID); t != nil {
		template = t.Name
	}
	for _, p := range [][2]string{{"Name", v.name}, {"Description", v.description}, {"Comment", v.comment}, {"CreationDate", ovfDate(v.created)},
		{"ExportDate", ovfDate(e.lab.now)}, {"DeleteProtected", fmt.Sprint(v.deleteProtected)}, {"SsoMethod", "guest_agent"}, {"IsSmartcardEnabled", "false"},
		{"NumOfIoThreads", "1"}, {"TimeZone", "Etc/GMT"}, {"default_boot_sequence", "0"}, {"Generation", "1"}, {"ClusterCompatibilityVersion", v.cluster.Version},
		{"VmType", "1"}, {"ResumeBehavior", "AUTO_RESUME"}, {"MinAllocatedMem", fmt.Sprint(v.memory >> 20)}, {"IsStateless", "false"}, {"IsRunAndPause", "false"},
		{"AutoStartup", fmt.Sprint(v.ha)}, {"Priority", fmt.Sprint(v.haPriority)}, {"MaxMemorySizeMb", fmt.Sprint(4 * v.memory >> 20)}, {"LeaseDomainId", v.leaseDomainID},
		{"UserDefinedProperties", propertyText(v.properties)}, {"MultiQueuesEnabled", "true"}, {"UseHostCpu", "false"}, {"BalloonEnabled", "true"}, {"ClusterName", v.cluster.Name}, {"TemplateId", v.templateID},
		{"TemplateName", template}, {"IsInitilized", "true"}, {"Origin", "3"}, {"DefaultDisplayType", "2"}, {"TrustedService", "false"},
		{"OriginalTemplateId", v.templateID}, {"OriginalTemplateName", template}, {"UseLatestVersion", "false"}} {
		if p[1] != "" || p[0] == "Name" {
			o.element(p[0], p[1])
		}
	}
	o.raw(`<Section xsi:type="ovf:AffinityGroupsSection_Type">`)
	for _, g := range e.affinityGroups {
		if slices.Contains(g.VMIDs, v.id) {
			o.tag("AffinityGroup", "ovf:name", g.Name)
			o.raw("</AffinityGroup>")
		}
	}
	o.raw(`</Section><Section xsi:type="ovf:AffinityLabelsSection_Type">`)
	for _, l := range e.labels {
		if slices.Contains(l.vms, v.id) {
			o.tag("AffinityLabel", "ovf:name", l.name)
			o.raw("</AffinityLabel>")
		}
	}
	o.raw("</Section>")
	o.tag("Section", "ovf:id", v.id, "ovf:required", "false", "xsi:type", "ovf:OperatingSystemSection_Type")
	o.raw(`<Info>Guest Operating System</Info><Description>` + guestOS + `</Description></Section><Section xsi:type="ovf:VirtualHardwareSection_Type">`)
	o.element("Info", fmt.Sprintf("1 CPU, %d Memory", v.memory>>20))
	o.item("1 virtual cpu", "Number of virtual CPU", "1", "3", "rasd:num_of_sockets", "1", "rasd:cpu_per_socket", "1", "rasd:threads_per_cpu", "1", "rasd:max_num_of_vcpus", "16", "rasd:VirtualQuantity", "1")
	o.item(fmt.Sprintf("%d MB of memory", v.memory>>20), "Memory Size", "2", "4", "rasd:AllocationUnits", "MegaBytes", "rasd:VirtualQuantity", fmt.Sprint(v.memory>>20))
	for _, a := range v.disks {
		o.item(a.disk.alias, "", a.disk.imageID, "17", "rasd:HostResource", a.disk.id+"/"+a.disk.imageID, "rasd:Parent", blankID, "rasd:Template", blankID,
			"rasd:StorageId", storageOf(a.disk), "rasd:StoragePoolId", v.cluster.dc.ID, "rasd:CreationDate", ovfDate(v.created), "Type", "disk", "Device", "disk",
			"BootOrder", map[bool]string{true: "1", false: "0"}[a.bootable], "IsPlugged", fmt.Sprint(a.active), "IsReadOnly", "false")
	}
	for _, n := range v.nics {
		network, profile := e.networkName(n.profileID)
		o.item("Ethernet adapter on "+network, "", n.id, "10", "rasd:OtherResourceType", profile, "rasd:ResourceSubType", "3", "rasd:Connection", network,
			"rasd:Linked", fmt.Sprint(n.linked), "rasd:Name", n.name, "rasd:ElementName", n.name, "rasd:MACAddress", n.mac, "rasd:speed", "10000",
			"Type", "interface", "Device", "bridge", "BootOrder", "0", "IsPlugged", fmt.Sprint(n.plugged), "IsReadOnly", "false")
	}
	o.raw(`</Section></Content></ovf:Envelope>`)
	return o.b.String()
}

// ovfDate is how an OVF writes a time (ovirt-engine OvfParser.localDateToUtcDateString).
func ovfDate(t time.Time) string { return t.UTC().Format("2006/01/02 15:04:05") }

// propertyText is how an OVF holds custom properties (ovirt-engine CustomPropertiesUtils).
func propertyText(list []CustomProperty) string {
	var parts []string
	for _, p := range list {
		parts = append(parts, p.Name+"="+p.Value)
	}
	return strings.Join(parts, ";")
}

func storageOf(d *disk) string {
	if len(d.domains) == 0 {
		return blankID
	}
	return d.domains[0].id
}

// ovfWriter writes XML without any space between elements.
type ovfWriter struct{ b strings.Builder }

func (o *ovfWriter) raw(s string) { o.b.WriteString(s) }

func (o *ovfWriter) escaped(s string) string {
	x := xmlWriter{}
	x.escape(s)
	return string(x.b)
}

func (o *ovfWriter) tag(name string, attrs ...string) {
	o.raw("<" + name)
	for i := 0; i+1 < len(attrs); i += 2 {
		o.raw(" " + attrs[i] + `="` + o.escaped(attrs[i+1]) + `"`)
	}
	o.raw(">")
}

func (o *ovfWriter) element(name, value string) {
	o.raw("<" + name + ">" + o.escaped(value) + "</" + name + ">")
}

// item is a piece of hardware, of a type of resource by number.
func (o *ovfWriter) item(caption, description, id, resource string, members ...string) {
	o.raw("<Item>")
	o.element("rasd:Caption", caption)
	if description != "" {
		o.element("rasd:Description", description)
	}
	o.element("rasd:InstanceId", id)
	o.element("rasd:ResourceType", resource)
	for i := 0; i+1 < len(members); i += 2 {
		o.element(members[i], members[i+1])
	}
	o.raw("</Item>")
}
