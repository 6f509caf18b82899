package lab

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// ovfText is a VM's configuration as an engine exports it, with what a client looks for in it: name, cluster, template, disks with
// their domains, NICs with network and profile (ovirt-engine OvfOvirtWriter, OvfVmWriter).
func (e *engine) ovfText(v *vm) string {
	o := e.ovfOf(v)
	var b strings.Builder
	element := func(name, text string) {
		b.WriteString("<" + name + ">")
		_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder takes everything
		b.WriteString("</" + name + ">")
	}
	item := func(kind int, instance string, rest ...[2]string) {
		b.WriteString("<Item>")
		element("rasd:ResourceType", fmt.Sprint(kind))
		element("rasd:InstanceId", instance)
		for _, r := range rest {
			element(r[0], r[1])
		}
		b.WriteString("</Item>")
	}
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?><ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1/" ` +
		`xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" ` +
		`xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" ` +
		`xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ovf:version="4.4.0.0"><References>`)
	for _, d := range o.disks {
		fmt.Fprintf(&b, `<File ovf:href="%s/%s" ovf:id="%s" ovf:size="%d"></File>`, d.id, d.imageID, d.imageID, d.size)
	}
	for _, n := range o.nics {
		fmt.Fprintf(&b, `<Nic ovf:id="%s"></Nic>`, n.id)
	}
	b.WriteString(`</References><NetworkSection>`)
	element("Info", "List of networks")
	b.WriteString(`</NetworkSection><Section xsi:type="ovf:DiskSection_Type">`)
	element("Info", "List of Virtual Disks")
	for _, d := range o.disks {
		fmt.Fprintf(&b, `<Disk ovf:diskId="%s" ovf:size="%d" ovf:fileRef="%s/%s" ovf:volume-format="COW" ovf:volume-type="Sparse" ovf:boot="%t"></Disk>`,
			d.imageID, d.size>>30, d.id, d.imageID, d.bootable)
	}
	b.WriteString(`</Section><Content ovf:id="out" xsi:type="ovf:VirtualSystem_Type">`)
	element("Name", o.name)
	element("Description", o.description)
	element("Comment", o.comment)
	element("CreationDate", o.created.Format("2006/01/02 15:04:05"))
	element("DeleteProtected", fmt.Sprint(o.deleteProtected))
	element("ClusterName", o.cluster)
	element("TemplateId", o.templateID)
	element("AutoStartup", fmt.Sprint(o.ha))
	element("Priority", fmt.Sprint(o.haPriority))
	element("Origin", "3")
	fmt.Fprintf(&b, `<Section ovf:id="%s" ovf:required="false" xsi:type="ovf:OperatingSystemSection_Type">`, o.id)
	element("Info", "Guest Operating System")
	element("Description", "rhel_9x64")
	b.WriteString(`</Section><Section xsi:type="ovf:VirtualHardwareSection_Type">`)
	element("Info", "1 CPU, "+fmt.Sprint(o.memory>>20)+" Memory")
	item(3, "1", [2]string{"rasd:num_of_sockets", "1"}, [2]string{"rasd:cpu_per_socket", "1"})
	item(4, "2", [2]string{"rasd:AllocationUnits", "MegaBytes"}, [2]string{"rasd:VirtualQuantity", fmt.Sprint(o.memory >> 20)})
	for _, d := range o.disks {
		item(17, d.imageID, [2]string{"rasd:HostResource", d.id + "/" + d.imageID}, [2]string{"rasd:StorageId", d.domainID},
			[2]string{"rasd:ElementName", d.alias})
	}
	for _, n := range o.nics {
		item(10, n.id, [2]string{"rasd:OtherResourceType", n.profile}, [2]string{"rasd:Connection", n.network}, [2]string{"rasd:Linked", fmt.Sprint(n.linked)},
			[2]string{"rasd:Name", n.name}, [2]string{"rasd:MACAddress", n.mac}, [2]string{"IsPlugged", fmt.Sprint(n.plugged)})
	}
	b.WriteString(`</Section></Content></ovf:Envelope>`)
	return b.String()
}

// writeOVF writes the configuration of a VM that is asked for with all its content, by parameter or header (ovirt-engine
// BackendVmResource.setVmOvfConfiguration).
func (c *call) writeOVF(x *xmlWriter, v *vm) {
	x.open("initialization")
	x.open("configuration")
	x.text("data", c.engine.ovfText(v))
	x.text("type", "ovf")
	x.close("configuration")
	x.close("initialization")
}
