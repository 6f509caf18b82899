package lab

import "net/http"

// What an engine's setup leaves in its database, and what comes with each cluster, data center and storage domain. Objects of the
// world refer to it; nothing here changes.

// ownID is the id of something that each engine has of its own.
func (e *engine) ownID(what string) string {
	return e.digest(what, func() string { return uuidOf(e.name + "/" + what) })
}

// digest returns what make returns for key, which it remembers: lists of VMs repeat such values by the thousand.
func (e *engine) digest(key string, make func() string) string {
	v, ok := e.digests[key]
	if !ok {
		v = make()
		e.digests[key] = v
	}
	return v
}

// cpuProfileID is the id of the CPU profile that a cluster was created with (ovirt-engine AddClusterCommand).
func (e *engine) cpuProfileID(k *cluster) string {
	return e.digest(k.ID, func() string { return uuidOf(k.ID + "/cpuprofile") })
}

// diskProfileID is the id of the disk profile that a storage domain got when it was attached (ovirt-engine
// AttachStorageDomainToPoolCommand, createDefaultDiskProfileIfNeeded).
func (e *engine) diskProfileID(d *storageDomain) string { return e.ownID("diskprofile/" + d.id) }

// defaultQuotaID is the id of the quota that a data center was created with (ovirt-engine AddEmptyStoragePoolCommand,
// QuotaHelper.createDefaultQuota).
func (e *engine) defaultQuotaID(dc *dataCenter) string {
	return e.digest(dc.ID, func() string { return uuidOf(dc.ID + "/quota") })
}

// networkFilters are the filters of libvirt that an engine offers (ovirt-engine dbscripts, network_filter).
var networkFilters = []string{"allow-arp", "allow-dhcp", "allow-dhcp-server", "allow-incoming-ipv4", "allow-ipv4", "clean-traffic",
	"no-arp-ip-spoofing", "no-arp-mac-spoofing", "no-arp-spoofing", "no-ip-multicast", "no-ip-spoofing", "no-mac-broadcast",
	"no-mac-spoofing", "no-other-l2-traffic", "no-other-rarp-traffic", "qemu-announce-self", "qemu-announce-self-rarp", defaultFilter}

// defaultFilter is what a new vNIC profile has (ovirt-engine NetworkFilter.VDSM_NO_MAC_SPOOFING).
const defaultFilter = "vdsm-no-mac-spoofing"

// schedulingPolicies have the same ids in every engine (ovirt-engine dbscripts, cluster_policies).
var schedulingPolicies = []struct{ id, name, description string }{
	{"20d25257-b4bd-4589-92a6-c4c5c5d3fd1a", "evenly_distributed", "Load balancing of the hosts' CPU"},
	{"5a2b0939-7d46-4b73-a469-e9c2c7fc6a53", "power_saving", "Running VMs on as few hosts as possible"},
	{"7677771e-5eab-422e-83fa-dc04080d21b7", "cluster_maintenance", "No VM is started but highly available ones"},
	{"8d5d7bec-68de-4a67-b53e-0ac54686d579", "vm_evenly_distributed", "Load balancing of the number of VMs"},
	{noPolicy, "none", ""},
}

const noPolicy = "b4ed2332-a7ac-4d5f-9596-99a439cb2812"

// operatingSystems are some of those that an engine knows, with their numbers (ovirt-engine osinfo-defaults.properties).
var operatingSystems = []struct{ id, name, description string }{
	{"0", "other", "Other OS"},
	{"5", "other_linux", "Linux"},
	{"24", "rhel_7x64", "Red Hat Enterprise Linux 7.x x64"},
	{"30", "rhel_8x64", "Red Hat Enterprise Linux 8.x x64"},
	{"34", "rhel_9x64", "Red Hat Enterprise Linux 9.x x64"},
	{"29", "windows_2019x64", "Windows 2019 x64"},
}

// clusterLevels are the compatibility levels of an engine of version 4.5.
var clusterLevels = []string{"4.2", "4.3", "4.4", "4.5", "4.6", "4.7"}

// dot is a PNG of one pixel.
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// fixture is an object that never changes.
type fixture struct {
	id    string
	write func(x *xmlWriter)
}

// fixtures returns the root elements' names and the objects of a collection; ok is false for a collection that is none of these.
func (e *engine) fixtures(collection string) (root, element string, list []fixture, ok bool) {
	named := func(id, name, description string) fixture {
		return fixture{id, func(x *xmlWriter) {
			x.text("name", name)
			x.text("description", description)
		}}
	}
	switch collection {
	case "icons":
		for _, size := range []string{"large", "small"} {
			list = append(list, fixture{e.ownID("icon/" + size), func(x *xmlWriter) {
				x.text("data", dot)
				x.text("media_type", "image/png")
			}})
		}
		return "icons", "icon", list, true
	case "networkfilters":
		for _, name := range networkFilters {
			list = append(list, fixture{e.ownID("networkfilter/" + name), func(x *xmlWriter) {
				x.text("name", name)
				x.version("version", "3.6")
			}})
		}
		return "network_filters", "network_filter", list, true
	case "schedulingpolicies":
		for _, p := range schedulingPolicies {
			list = append(list, fixture{p.id, func(x *xmlWriter) {
				x.text("name", p.name)
				x.text("description", p.description)
				x.links(apiRoot+"/schedulingpolicies/"+p.id, "filters", "weights", "balances")
				x.bool("default_policy", p.id == noPolicy)
				x.bool("locked", true)
			}})
		}
		return "scheduling_policies", "scheduling_policy", list, true
	case "operatingsystems":
		for _, s := range operatingSystems {
			list = append(list, named(s.id, s.name, s.description))
		}
		return "operating_systems", "operating_system", list, true
	case "clusterlevels":
		for _, v := range clusterLevels {
			list = append(list, fixture{v, func(x *xmlWriter) {
				x.empty("cpu_types")
				x.empty("permits")
			}})
		}
		return "cluster_levels", "cluster_level", list, true
	case "cpuprofiles":
		for _, k := range e.clusters {
			list = append(list, e.cpuProfile(k))
		}
		return "cpu_profiles", "cpu_profile", list, true
	case "diskprofiles":
		for _, d := range e.domains {
			list = append(list, e.diskProfile(d))
		}
		return "disk_profiles", "disk_profile", list, true
	case "instancetypes":
		for i := range e.spec.InstanceTypes {
			t := &e.spec.InstanceTypes[i]
			list = append(list, fixture{t.ID, func(x *xmlWriter) {
				x.text("name", t.Name)
				x.text("description", "")
				x.links(apiRoot+"/instancetypes/"+t.ID, "watchdogs", "graphicsconsoles", "nics")
				writeHA(x, t.HA, 1)
			}})
		}
		return "instance_types", "instance_type", list, true
	}
	return "", "", nil, false
}

func (e *engine) cpuProfile(k *cluster) fixture {
	id := e.cpuProfileID(k)
	return fixture{id, func(x *xmlWriter) {
		x.text("name", k.Name)
		x.text("description", "")
		x.links(apiRoot+"/cpuprofiles/"+id, "permissions")
		x.ref("cluster", "clusters", k.ID)
	}}
}

func (e *engine) diskProfile(d *storageDomain) fixture {
	id := e.diskProfileID(d)
	return fixture{id, func(x *xmlWriter) {
		x.text("name", d.name)
		x.text("description", "")
		x.links(apiRoot+"/diskprofiles/"+id, "permissions")
		x.ref("storage_domain", "storagedomains", d.id)
	}}
}

// routeFixtures serves the collections of fixtures, and as empty the other collections of the root that the lab has nothing for. It
// is nil for any other path.
func (c *call) routeFixtures(s []string) *reply {
	root, element, list, ok := c.engine.fixtures(s[0])
	if !ok {
		if root, ok := emptyRoots[s[0]]; ok && len(s) == 1 && c.reading() {
			return newXML(root).reply(http.StatusOK)
		}
		return nil
	}
	if !c.reading() {
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if len(s) == 1 {
		return writeFixtures(s[0], root, element, list)
	}
	f := find(list, func(f fixture) bool { return f.id == s[1] })
	switch {
	case f.write == nil:
	case len(s) == 2:
		x := newDocument()
		f.document(x, s[0], element)
		return x.reply(http.StatusOK)
	case len(s) == 3:
		return c.emptyList(s[2])
	}
	return c.notFound()
}

// reading reports whether the request changes nothing.
func (c *call) reading() bool {
	return c.req.Method == http.MethodGet || c.req.Method == http.MethodHead
}

func (f fixture) document(x *xmlWriter, collection, element string) {
	x.open(element, "href", apiRoot+"/"+collection+"/"+f.id, "id", f.id)
	f.write(x)
	x.close(element)
}

func writeFixtures(collection, root, element string, list []fixture) *reply {
	x := newXML(root)
	for _, f := range list {
		f.document(x, collection, element)
	}
	return x.reply(http.StatusOK)
}

// getQuotas serves the quotas of a data center, of which each has the unlimited one that it was created with.
func (c *call) getQuotas(dc *dataCenter, s []string) *reply {
	id := c.engine.defaultQuotaID(dc)
	write := func(x *xmlWriter, d *dataCenter) {
		href := apiRoot + "/datacenters/" + d.ID + "/quotas/" + id
		x.open("quota", "href", href, "id", id)
		x.text("name", "Default")
		x.text("description", "Default unlimited quota")
		x.links(href, "quotastoragelimits", "quotaclusterlimits", "permissions")
		x.int("cluster_hard_limit_pct", 20)
		x.int("cluster_soft_limit_pct", 80)
		x.int("storage_hard_limit_pct", 20)
		x.int("storage_soft_limit_pct", 80)
		x.ref("data_center", "datacenters", d.ID)
		x.close("quota")
	}
	switch {
	case len(s) == 0:
		x := newXML("quotas")
		write(x, dc)
		return x.reply(http.StatusOK)
	case len(s) == 1 && s[0] == id:
		return single(dc, write)
	case len(s) == 2 && s[0] == id:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

// getProfiles lists the CPU profiles of a cluster or the disk profiles of a storage domain, whose hrefs are those of the root's
// collections (ovirt-engine BackendAssignedCpuProfilesResource).
func (c *call) getProfiles(collection, root, element string, f fixture) *reply {
	return writeFixtures(collection, root, element, []fixture{f})
}

// rootLinks are the collections of the API's root in the engine's order; some can be searched (ovirt-engine ApiRootLinksCreator).
var rootLinks = []struct {
	rel        string
	searchable bool
}{
	{"clusters", true}, {"datacenters", true}, {"events", true}, {"hosts", true}, {"networks", true}, {"roles", false},
	{"storagedomains", true}, {"tags", false}, {"bookmarks", false}, {"icons", false}, {"templates", true}, {"instancetypes", true},
	{"users", true}, {"groups", true}, {"domains", false}, {"vmpools", true}, {"vms", true}, {"disks", true}, {"jobs", false},
	{"storageconnections", false}, {"vnicprofiles", false}, {"diskprofiles", false}, {"cpuprofiles", false},
	{"schedulingpolicyunits", false}, {"schedulingpolicies", false}, {"permissions", false}, {"macpools", false},
	{"networkfilters", false}, {"operatingsystems", false}, {"externalhostproviders", false}, {"openstackimageproviders", false},
	{"openstackvolumeproviders", false}, {"openstacknetworkproviders", false}, {"katelloerrata", false}, {"affinitylabels", false},
	{"clusterlevels", false}, {"imagetransfers", false},
}

// emptyRoots are collections of the root of which the lab has no objects, with their root elements.
var emptyRoots = map[string]string{
	"roles": "roles", "tags": "tags", "bookmarks": "bookmarks", "users": "users", "groups": "groups", "permissions": "permissions",
	"schedulingpolicyunits": "scheduling_policy_units", "externalhostproviders": "external_host_providers",
	"openstackimageproviders": "openstack_image_providers", "openstackvolumeproviders": "openstack_volume_providers",
	"openstacknetworkproviders": "openstack_network_providers", "katelloerrata": "katello_errata", "imagetransfers": "image_transfers",
}
