package lab

import (
	"cmp"
	"slices"
	"strconv"
)

// What every engine knows without anybody having told it: operating systems, levels of clusters, network filters, scheduling
// policies.

// operatingSystems are the known types (ovirt-engine osinfo-defaults.properties).
var operatingSystems = []struct {
	id                             int
	name, title, architecture, tpm string
}{
	{0, "other", "Other OS", "x86_64", "unsupported"},
	{5, "other_linux", "Linux", "x86_64", "unsupported"},
	{9, "rhel_3", "Red Hat Enterprise Linux 3.x", "x86_64", "unsupported"},
	{15, "rhel_3x64", "Red Hat Enterprise Linux 3.x x64", "x86_64", "unsupported"},
	{8, "rhel_4", "Red Hat Enterprise Linux 4.x", "x86_64", "unsupported"},
	{14, "rhel_4x64", "Red Hat Enterprise Linux 4.x x64", "x86_64", "unsupported"},
	{7, "rhel_5", "Red Hat Enterprise Linux 5.x", "x86_64", "unsupported"},
	{13, "rhel_5x64", "Red Hat Enterprise Linux 5.x x64", "x86_64", "unsupported"},
	{18, "rhel_6", "Red Hat Enterprise Linux 6.x", "x86_64", "unsupported"},
	{19, "rhel_6x64", "Red Hat Enterprise Linux 6.x x64", "x86_64", "unsupported"},
	{24, "rhel_7x64", "Red Hat Enterprise Linux 7.x x64", "x86_64", "supported"},
	{30, "rhel_8x64", "Red Hat Enterprise Linux 8.x x64", "x86_64", "supported"},
	{34, "rhel_9x64", "Red Hat Enterprise Linux 9.x x64", "x86_64", "supported"},
	{39, "rhel_10x64", "Red Hat Enterprise Linux 10.x x64", "x86_64", "supported"},
	{35, "rhcos_x64", "Red Hat Enterprise Linux CoreOS", "x86_64", "supported"},
	{28, "rhel_atomic7x64", "Red Hat Atomic 7.x x64", "x86_64", "supported"},
	{33, "other_linux_kernel_4", "Other Linux (kernel 4.x)", "x86_64", "supported"},
	{1, "windows_xp", "Windows XP", "x86_64", "unsupported"},
	{3, "windows_2003", "Windows 2003", "x86_64", "unsupported"},
	{4, "windows_2008", "Windows 2008", "x86_64", "unsupported"},
	{10, "windows_2003x64", "Windows 2003 x64", "x86_64", "unsupported"},
	{11, "windows_7", "Windows 7", "x86_64", "unsupported"},
	{12, "windows_7x64", "Windows 7 x64", "x86_64", "unsupported"},
	{16, "windows_2008x64", "Windows 2008 x64", "x86_64", "unsupported"},
	{17, "windows_2008R2x64", "Windows 2008 R2 x64", "x86_64", "unsupported"},
	{20, "windows_8", "Windows 8", "x86_64", "supported"},
	{21, "windows_8x64", "Windows 8 x64", "x86_64", "supported"},
	{23, "windows_2012x64", "Windows 2012 x64", "x86_64", "supported"},
	{25, "windows_2012R2x64", "Windows 2012R2 x64", "x86_64", "supported"},
	{26, "windows_10", "Windows 10", "x86_64", "supported"},
	{27, "windows_10x64", "Windows 10 x64", "x86_64", "supported"},
	{29, "windows_2016x64", "Windows 2016 x64", "x86_64", "supported"},
	{31, "windows_2019x64", "Windows 2019 x64", "x86_64", "supported"},
	{36, "windows_11", "Windows 11", "x86_64", "required"},
	{37, "windows_2022", "Windows 2022", "x86_64", "supported"},
	{38, "windows_2025", "Windows 2025", "x86_64", "supported"},
	{1193, "sles_11", "SUSE Linux Enterprise Server 11+", "x86_64", "unsupported"},
	{1252, "ubuntu_12_04", "Ubuntu Precise Pangolin LTS", "x86_64", "unsupported"},
	{1253, "ubuntu_12_10", "Ubuntu Quantal Quetzal", "x86_64", "unsupported"},
	{1254, "ubuntu_13_04", "Ubuntu Raring Ringtails", "x86_64", "unsupported"},
	{1255, "ubuntu_13_10", "Ubuntu Saucy Salamander", "x86_64", "unsupported"},
	{1256, "ubuntu_14_04", "Ubuntu Trusty Tahr LTS+", "x86_64", "unsupported"},
	{1257, "ubuntu_18_04", "Ubuntu Bionic Beaver LTS+", "x86_64", "unsupported"},
	{1300, "debian_7", "Debian 7+", "x86_64", "unsupported"},
	{1301, "debian_9", "Debian 9+", "x86_64", "unsupported"},
	{1500, "freebsd", "FreeBSD 9.2", "x86_64", "unsupported"},
	{1501, "freebsdx64", "FreeBSD 9.2 x64", "x86_64", "unsupported"},
	{1001, "other_ppc64", "Other OS", "ppc64", "unsupported"},
	{1002, "other_linux_ppc64", "Linux", "ppc64", "unsupported"},
	{1003, "rhel_6_ppc64", "Red Hat Enterprise Linux up to 6.8", "ppc64", "unsupported"},
	{1007, "rhel_6_9_plus_ppc64", "Red Hat Enterprise Linux 6.9+", "ppc64", "unsupported"},
	{1004, "sles_11_ppc64", "SUSE Linux Enterprise Server 11", "ppc64", "unsupported"},
	{1005, "ubuntu_14_04_ppc64", "Ubuntu Trusty Tahr LTS+", "ppc64", "unsupported"},
	{1006, "rhel_7_ppc64", "Red Hat Enterprise Linux 7.x", "ppc64", "supported"},
	{1008, "rhel_8_ppc64", "Red Hat Enterprise Linux 8.x", "ppc64", "supported"},
	{1009, "rhel_9_ppc64", "Red Hat Enterprise Linux 9.x", "ppc64", "supported"},
	{2001, "other_s390x", "Other OS", "s390x", "unsupported"},
	{2002, "other_linux_s390x", "Linux", "s390x", "unsupported"},
	{2003, "rhel_7_s390x", "Red Hat Enterprise Linux 7.x", "s390x", "supported"},
	{2004, "sles_12_s390x", "SUSE Linux Enterprise Server 12", "s390x", "unsupported"},
	{2005, "ubuntu_16_04_s390x", "Ubuntu Xenial Xerus LTS+", "s390x", "unsupported"},
}

// clusterCPUs are the processor types of a cluster of level 4.7, by level and architecture (ovirt-engine ServerCPUList).
var clusterCPUs = []struct {
	level              int
	name, architecture string
}{
	{1, "Intel Nehalem Family", "x86_64"},
	{2, "Secure Intel Nehalem Family", "x86_64"},
	{3, "Intel Westmere Family", "x86_64"},
	{4, "Secure Intel Westmere Family", "x86_64"},
	{5, "Intel SandyBridge Family", "x86_64"},
	{6, "Secure Intel SandyBridge Family", "x86_64"},
	{7, "Intel IvyBridge Family", "x86_64"},
	{8, "Secure Intel IvyBridge Family", "x86_64"},
	{9, "Intel Haswell Family", "x86_64"},
	{10, "Secure Intel Haswell Family", "x86_64"},
	{11, "Intel Broadwell Family", "x86_64"},
	{12, "Secure Intel Broadwell Family", "x86_64"},
	{13, "Intel Skylake Client Family", "x86_64"},
	{14, "Secure Intel Skylake Client Family", "x86_64"},
	{15, "Intel Skylake Server Family", "x86_64"},
	{16, "Secure Intel Skylake Server Family", "x86_64"},
	{17, "Intel Cascadelake Server Family", "x86_64"},
	{18, "Secure Intel Cascadelake Server Family", "x86_64"},
	{19, "Intel Icelake Server Family", "x86_64"},
	{20, "Secure Intel Icelake Server Family", "x86_64"},
	{1, "AMD Opteron G4", "x86_64"},
	{2, "AMD Opteron G5", "x86_64"},
	{3, "AMD EPYC", "x86_64"},
	{4, "Secure AMD EPYC", "x86_64"},
	{1, "IBM POWER8", "ppc64"},
	{2, "IBM POWER9", "ppc64"},
	{1, "IBM z114, z196", "s390x"},
	{2, "IBM zBC12, zEC12", "s390x"},
	{3, "IBM z13s, z13", "s390x"},
	{4, "IBM z14", "s390x"},
}

// clusterLevels are those of an engine of version 4.5 (ovirt-engine SupportedClusterLevels).
var clusterLevels = []string{"4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8"}

// networkFilters are those of libvirt that an engine knows, with the level since which it does (01850_insert_network_filter.sql).
var networkFilters = []struct{ name, since string }{
	{"vdsm-no-mac-spoofing", "3.2"}, {"allow-arp", "3.6"}, {"allow-dhcp", "3.6"}, {"allow-dhcp-server", "3.6"}, {"allow-incoming-ipv4", "3.6"},
	{"allow-ipv4", "3.6"}, {"clean-traffic", "3.6"}, {"no-arp-ip-spoofing", "3.6"}, {"no-arp-mac-spoofing", "3.6"}, {"no-arp-spoofing", "3.6"},
	{"no-ip-multicast", "3.6"}, {"no-ip-spoofing", "3.6"}, {"no-mac-broadcast", "3.6"}, {"no-mac-spoofing", "3.6"},
	{"no-other-l2-traffic", "3.6"}, {"no-other-rarp-traffic", "3.6"}, {"qemu-announce-self", "3.6"}, {"qemu-announce-self-rarp", "3.6"},
}

// schedulingPolicies are those that cannot be changed (ovirt-engine InternalClusterPolicies).
var schedulingPolicies = []struct{ id, name string }{
	{noPolicy, "none"}, {"7677771e-5eab-422e-83fa-dc04080d21b7", "cluster_maintenance"},
	{"20d25257-b4bd-4589-92a6-c4c5c5d3fd1a", "evenly_distributed"}, {"5a2b0939-7d46-4b73-a469-e9c2c7fc6a53", "power_saving"},
	{"8d5d7bec-68de-4a67-b53e-0ac54686d579", "vm_evenly_distributed"}, {"8d5d7bec-68de-4a67-b53e-0ac54686d586", "InClusterUpgrade"},
}

// instanceTypes are those of a fresh engine (ovirt-engine 01100_insert_vm_static.sql).
var instanceTypes = []struct {
	id, name, description string
	memory                int64 // MiB
	sockets               int64
}{
	{"00000003-0003-0003-0003-0000000000be", "Tiny", "Tiny instance type", 512, 1},
	{"00000005-0005-0005-0005-0000000002e6", "Small", "Small instance type", 2048, 1},
	{"00000007-0007-0007-0007-00000000010a", "Medium", "Medium instance type", 4096, 2},
	{"00000009-0009-0009-0009-0000000000f1", "Large", "Large instance type", 8192, 2},
	{"0000000b-000b-000b-000b-00000000021f", "XLarge", "Extra Large instance type", 16384, 4},
}

// dot is a PNG of one pixel, the icon of every VM.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// routeCatalogue serves collections that are the same in every engine; nil when a path is something else.
func (c *call) routeCatalogue(s []string) *reply {
	type entry struct {
		id    string
		write func(x *xmlWriter)
	}
	var list []entry
	root, name := "", s[0]
	add := func(element, id string, body func(x *xmlWriter)) {
		list = append(list, entry{id, func(x *xmlWriter) {
			x.open(element, "href", apiRoot+"/"+name+"/"+id, "id", id)
			body(x)
			x.close(element)
		}})
	}
	switch name {
	case "icons":
		root = "icons"
		for _, size := range []string{"large", "small"} {
			add("icon", c.engine.ownID("icon/"+size), func(x *xmlWriter) {
				x.text("data", dot)
				x.text("media_type", "image/png")
			})
		}
	case "operatingsystems":
		root = "operation_systems" // sic (ovirt-engine-api-metamodel SchemaNames)
		for _, o := range operatingSystems {
			add("operating_system", strconv.Itoa(o.id), func(x *xmlWriter) {
				x.text("name", o.name)
				x.text("description", o.title)
				x.text("architecture", o.architecture)
				x.text("tpm_support", o.tpm)
			})
		}
	case "clusterlevels":
		root = "cluster_levels"
		for _, v := range clusterLevels {
			add("cluster_level", v, writeClusterLevel)
		}
	case "networkfilters":
		root = "network_filters"
		for _, f := range networkFilters {
			add("network_filter", networkFilterID(f.name), func(x *xmlWriter) {
				x.text("name", f.name)
				x.version("version", f.since)
			})
		}
	case "schedulingpolicies":
		root = "scheduling_policies"
		for _, p := range schedulingPolicies {
			add("scheduling_policy", p.id, func(x *xmlWriter) {
				x.text("name", p.name)
				x.links(apiRoot+"/schedulingpolicies/"+p.id, "balances", "filters", "weights")
				x.bool("default_policy", p.name == "none")
				x.bool("locked", true)
			})
		}
	case "instancetypes":
		root = "instance_types"
		for _, t := range c.engine.spec.InstanceTypes {
			add("instance_type", t.ID, func(x *xmlWriter) { writeInstanceType(x, t.ID, t.Name, "", 1024, 1, t.HA) })
		}
		for _, t := range instanceTypes {
			if !slices.ContainsFunc(list, func(e entry) bool { return e.id == t.id }) {
				add("instance_type", t.id, func(x *xmlWriter) { writeInstanceType(x, t.id, t.name, t.description, t.memory, t.sockets, false) })
			}
		}
	default:
		return nil
	}
	return serve(c, s[1:], rest[entry]{root: root, all: list, id: func(e entry) string { return e.id }, write: func(x *xmlWriter, e entry) { e.write(x) },
		sub: func(e entry, s []string) *reply {
			empty := map[string]string{"schedulingpolicies/balances": "balances", "schedulingpolicies/filters": "filters", "schedulingpolicies/weights": "weights",
				"instancetypes/graphicsconsoles": "graphics_consoles", "instancetypes/nics": "nics", "instancetypes/watchdogs": "watchdogs"}
			if root := empty[name+"/"+s[0]]; root != "" && len(s) == 1 {
				return newXML(root).reply(200)
			}
			return nil
		}})
}

// networkFilterID is the id of a network filter: fixed for the one that profiles get, generated for the others.
func networkFilterID(name string) string {
	if name == "vdsm-no-mac-spoofing" {
		return "d2370ab4-fee3-11e9-a310-8c1645ce738e"
	}
	return uuidOf("networkfilter/" + name)
}

func writeClusterLevel(x *xmlWriter) {
	x.open("cpu_types")
	for _, t := range clusterCPUs {
		x.open("cpu_type")
		x.text("name", t.name)
		x.text("architecture", t.architecture)
		x.int("level", int64(t.level))
		x.close("cpu_type")
	}
	x.close("cpu_types")
	x.open("permits")
	for _, p := range permits {
		x.open("permit", "id", strconv.Itoa(p.id))
		x.text("name", p.name)
		x.bool("administrative", p.administrative)
		x.close("permit")
	}
	x.close("permits")
}

func writeInstanceType(x *xmlWriter, id, name, description string, memory, sockets int64, ha bool) {
	x.text("name", name)
	x.text("description", description)
	x.links(apiRoot+"/instancetypes/"+id, "graphicsconsoles", "nics", "watchdogs")
	x.open("cpu")
	x.open("topology")
	x.int("cores", 1)
	x.int("sockets", cmp.Or(sockets, 1))
	x.int("threads", 1)
	x.close("topology")
	x.close("cpu")
	writeHA(x, ha, 1)
	x.int("memory", memory<<20)
	x.open("memory_policy")
	x.bool("ballooning", true)
	x.int("guaranteed", memory<<20)
	x.int("max", memory<<22)
	x.close("memory_policy")
	x.text("migration_downtime", "-1")
}

// networkFiltersOf lists, below a cluster, the filters that its level knows.
func (c *call) networkFiltersOf() *reply {
	return c.plainList("network_filters", len(networkFilters), func(x *xmlWriter, i int) {
		f := networkFilters[i]
		id := networkFilterID(f.name)
		x.open("network_filter", "href", apiRoot+"/networkfilters/"+id, "id", id)
		x.text("name", f.name)
		x.version("version", f.since)
		x.close("network_filter")
	})
}
