package lab

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// What a guest agent tells of the inside of a VM. Nothing of it is there before the agent has reported or after the VM is down.

const (
	guestRelease = "9.4"
	guestKernel  = "5.14.0-427.13.1.el9_4.x86_64"
)

// guestApplications are the packages that a guest agent of Linux lists: kernel, agent and drivers, not all that is installed.
var guestApplications = []string{"kernel-" + guestKernel, "qemu-guest-agent-8.2.0-11.el9_4"}

func writeGuest(x *xmlWriter, v *vm) {
	if v.fqdn != "" {
		x.text("fqdn", v.fqdn)
	}
	x.open("guest_operating_system")
	x.text("architecture", v.cluster.Architecture)
	x.text("codename", "Plow")
	x.text("distribution", "Red Hat Enterprise Linux")
	x.text("family", "Linux")
	x.open("kernel")
	x.open("version")
	x.int("build", 0)
	x.text("full_version", guestKernel)
	x.int("major", 5)
	x.int("minor", 14)
	x.int("revision", 427)
	x.close("version")
	x.close("kernel")
	x.open("version")
	x.text("full_version", guestRelease)
	x.int("major", 9)
	x.int("minor", 4)
	x.close("version")
	x.close("guest_operating_system")
	x.open("guest_time_zone")
	x.text("name", "UTC")
	x.text("utc_offset", "+00:00")
	x.close("guest_time_zone")
}

// guestDevice is a network device in a guest.
type guestDevice struct {
	id, name string
	nic      *nic
}

// devices returns what the guest reports of its network, one device for each NIC that is plugged in; nil without a guest agent.
func (v *vm) devices() []guestDevice {
	if !v.agentUp || !v.runs() {
		return nil
	}
	list := make([]guestDevice, 0, len(v.nics))
	for _, k := range v.nics {
		if k.plugged {
			name := fmt.Sprintf("eth%d", len(list))
			list = append(list, guestDevice{bytesID(name + k.mac), name, k})
		}
	}
	return list
}

// bytesID is a UUID out of the first 16 bytes of a text (ovirt-engine GuidUtils.asGuid): of a device's name and MAC address, or of
// an application's name.
func bytesID(text string) string {
	b := make([]byte, 16)
	copy(b, text)
	h := hex.EncodeToString(b)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-")
}

// writeDevice writes a reported device; inside of a NIC it has no reference to the VM. The guest's own address is that of its first
// device.
func writeDevice(x *xmlWriter, v *vm, d guestDevice, inNIC bool) {
	x.open("reported_device", "href", apiRoot+"/vms/"+v.id+"/reporteddevices/"+d.id, "id", d.id)
	x.text("name", d.name)
	x.text("description", "guest reported data")
	x.open("ips")
	ip := func(address, version string) {
		x.open("ip")
		x.text("address", address)
		x.text("version", version)
		x.close("ip")
	}
	if d.nic.linked {
		if v.ip != "" && d.name == "eth0" {
			ip(v.ip, "v4")
		}
		ip(linkLocal(d.nic.mac), "v6")
	}
	x.close("ips")
	x.open("mac")
	x.text("address", d.nic.mac)
	x.close("mac")
	x.text("type", "network")
	if !inNIC {
		x.ref("vm", "vms", v.id)
	}
	x.close("reported_device")
}

// getDevices serves the reported devices of a VM, or of one NIC.
func (c *call) getDevices(v *vm, of *nic, s []string) *reply {
	list := v.devices()
	if of != nil {
		list = slices.DeleteFunc(list, func(d guestDevice) bool { return d.nic != of })
	}
	if len(s) == 0 {
		x := newXML("reported_devices")
		for _, d := range list {
			writeDevice(x, v, d, false)
		}
		return x.reply(http.StatusOK)
	}
	if d := find(list, func(d guestDevice) bool { return d.id == s[0] }); d.nic != nil && len(s) == 1 {
		x := newDocument()
		writeDevice(x, v, d, false)
		return x.reply(http.StatusOK)
	}
	return c.notFound()
}

// getApplications serves what the guest agent lists as installed (ovirt-engine BackendVmApplicationsResource).
func (c *call) getApplications(v *vm, s []string) *reply {
	var list []string
	if v.agentUp && v.runs() {
		list = guestApplications
	}
	write := func(x *xmlWriter, name string) {
		id := bytesID(name)
		x.open("application", "href", apiRoot+"/vms/"+v.id+"/applications/"+id, "id", id)
		x.text("name", name)
		x.ref("vm", "vms", v.id)
		x.close("application")
	}
	if len(s) == 0 {
		x := newXML("applications")
		for _, name := range list {
			write(x, name)
		}
		return x.reply(http.StatusOK)
	}
	if name := find(list, func(name string) bool { return bytesID(name) == s[0] }); name != "" && len(s) == 1 {
		return single(name, write)
	}
	return c.notFound()
}
