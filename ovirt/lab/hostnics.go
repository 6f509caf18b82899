package lab

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
)

// hostNIC is a network interface of a host: each network of its cluster is on one of its own, the management network on the first.
type hostNIC struct {
	id, name, mac string
	attachment    string // id of the network attachment
	network       *Network
	management    bool
}

// managementNetwork is the name that an engine gives to the network over which it reaches its hosts.
const managementNetwork = "ovirtmgmt"

// hostNICs returns the NICs of a host in the order of their names.
func (e *engine) hostNICs(h *host) []hostNIC {
	var management, others []*Network
	for _, id := range h.cluster.NetworkIDs {
		if n := e.network(id); n != nil && n.Name == managementNetwork {
			management = append(management, n)
		} else if n != nil {
			others = append(others, n)
		}
	}
	var list []hostNIC
	for i, n := range append(management, others...) {
		name := fmt.Sprintf("eth%d", i)
		sum := sha256.Sum256([]byte("hostnic/" + h.ID + "/" + name))
		list = append(list, hostNIC{id: uuidOf("hostnic/" + h.ID + "/" + name), name: name, attachment: uuidOf("networkattachment/" + h.ID + "/" + n.ID),
			mac: fmt.Sprintf("52:54:00:%02x:%02x:%02x", sum[0], sum[1], sum[2]), network: n, management: n.Name == managementNetwork})
	}
	return list
}

func (c *call) writeHostNIC(x *xmlWriter, h *host, k hostNIC) {
	href := apiRoot + "/hosts/" + h.ID + "/nics/" + k.id
	x.open("host_nic", "href", href, "id", k.id)
	x.empty("actions")
	x.text("name", k.name)
	x.links(href, "linklayerdiscoveryprotocolelements", "networklabels", "networkattachments", "statistics")
	if k.management {
		x.text("boot_protocol", "dhcp")
	} else {
		x.text("boot_protocol", "none")
	}
	x.bool("bridged", k.network.VM)
	x.bool("custom_configuration", false)
	if k.management {
		ip := c.engine.hostIP(h)
		x.open("ip")
		x.text("address", ip)
		x.text("gateway", "198.18.255.254")
		x.text("netmask", "255.255.0.0")
		x.text("version", "v4")
		x.close("ip")
		x.open("ipv6")
		x.text("address", linkLocal(k.mac))
		x.text("gateway", "fe80::1")
		x.text("netmask", "64")
		x.text("version", "v6")
		x.close("ipv6")
		x.text("ipv6_boot_protocol", "autoconf")
	} else {
		x.text("ipv6_boot_protocol", "none")
	}
	x.open("mac")
	x.text("address", k.mac)
	x.close("mac")
	x.int("mtu", 1500)
	x.empty("properties")
	x.int("speed", 10_000_000_000)
	if h.alive {
		x.text("status", "up")
	} else {
		x.text("status", "down")
	}
	x.ref("host", "hosts", h.ID)
	x.ref("network", "networks", k.network.ID)
	x.close("host_nic")
}

// linkLocal is the IPv6 address that a machine makes from a MAC address (RFC 4291, appendix A).
func linkLocal(mac string) string {
	n := macNumber(mac) ^ 0x020000000000
	return fmt.Sprintf("fe80::%x:%xff:fe%02x:%x", n>>32&0xffff, n>>24&0xff, n>>16&0xff, n&0xffff)
}

// writeNetworkAttachment writes how a network is set up on a host: as the engine wants it, which the host reports to be so
// (ovirt-engine NetworkAttachmentMapper, ReportedConfigurationsMapper).
func (c *call) writeNetworkAttachment(x *xmlWriter, h *host, k hostNIC, base string) {
	x.open("network_attachment", "href", base+"/"+k.attachment, "id", k.attachment)
	x.bool("in_sync", true)
	v4, v6 := "none", "none"
	if k.management {
		v4, v6 = "dhcp", "autoconf"
	}
	x.open("ip_address_assignments")
	for _, a := range [][2]string{{v4, "v4"}, {v6, "v6"}} {
		x.open("ip_address_assignment")
		x.text("assignment_method", a[0])
		x.open("ip")
		x.text("version", a[1])
		x.close("ip")
		x.close("ip_address_assignment")
	}
	x.close("ip_address_assignments")
	x.open("reported_configurations")
	for _, r := range []struct{ name, actual, expected string }{
		{"mtu", "1500", "1500"}, {"bridged", fmt.Sprint(k.network.VM), fmt.Sprint(k.network.VM)}, {"vlan", "", ""}, {"switchType", "LEGACY", "LEGACY"},
		{"ipv4_boot_protocol", strings.ToUpper(v4), strings.ToUpper(v4)}, {"ipv6_boot_protocol", strings.ToUpper(v6), strings.ToUpper(v6)},
		{"dns_configuration", "198.18.255.253", ""}, {"default_route", fmt.Sprint(k.management), fmt.Sprint(k.management)},
	} {
		x.open("reported_configuration")
		if r.actual != "" {
			x.text("actual_value", r.actual)
		}
		if r.expected != "" {
			x.text("expected_value", r.expected)
		}
		x.bool("in_sync", true)
		x.text("name", r.name)
		x.close("reported_configuration")
	}
	x.close("reported_configurations")
	x.ref("host", "hosts", h.ID)
	x.ref("host_nic", "hosts/"+h.ID+"/nics", k.id)
	x.ref("network", "networks", k.network.ID)
	x.close("network_attachment")
}

func (c *call) routeHostNICs(h *host, s []string) *reply {
	nics := c.engine.hostNICs(h)
	if len(s) == 0 {
		x := newXML("host_nics")
		for _, k := range nics {
			c.writeHostNIC(x, h, k)
		}
		return x.reply(http.StatusOK)
	}
	k := find(nics, func(k hostNIC) bool { return k.id == s[0] })
	switch {
	case k.id == "":
	case len(s) == 1:
		x := newDocument()
		c.writeHostNIC(x, h, k)
		return x.reply(http.StatusOK)
	case s[1] == "statistics":
		return c.getStatistics(s[2:], "host_nic", "hosts/"+h.ID+"/nics", k.id, nicStatistics())
	case s[1] == "networkattachments":
		return c.attachments(h, []hostNIC{k}, apiRoot+"/hosts/"+h.ID+"/nics/"+k.id+"/networkattachments", s[2:])
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func (c *call) routeAttachments(h *host, s []string) *reply {
	return c.attachments(h, c.engine.hostNICs(h), apiRoot+"/hosts/"+h.ID+"/networkattachments", s)
}

// attachments serves the network attachments of some NICs of a host, below base.
func (c *call) attachments(h *host, nics []hostNIC, base string, s []string) *reply {
	if len(s) == 0 {
		x := newXML("network_attachments")
		for _, k := range nics {
			c.writeNetworkAttachment(x, h, k, base)
		}
		return x.reply(http.StatusOK)
	}
	if k := find(nics, func(k hostNIC) bool { return k.attachment == s[0] }); k.id != "" && len(s) == 1 {
		x := newDocument()
		c.writeNetworkAttachment(x, h, k, base)
		return x.reply(http.StatusOK)
	}
	return c.notFound()
}
