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

// cpuProfileID is the id of the first CPU profile of a cluster.
func (e *engine) cpuProfileID(k *cluster) string {
	return find(e.cpuProfiles, func(p *Profile) bool { return p.ParentID == k.ID }).ID
}

// defaultQuotaID is the id of the quota that a data center was created with (ovirt-engine AddEmptyStoragePoolCommand,
// QuotaHelper.createDefaultQuota).
func (e *engine) defaultQuotaID(dc *dataCenter) string {
	return e.digest(dc.ID, func() string { return uuidOf(dc.ID + "/quota") })
}

// noPolicy is the scheduling policy of new clusters.
const noPolicy = "b4ed2332-a7ac-4d5f-9596-99a439cb2812"

// routeFixtures serves as empty the collections of the root that the lab has nothing for; nil for any other path.
func (c *call) routeFixtures(s []string) *reply {
	root, ok := emptyRoots[s[0]]
	switch {
	case !ok || len(s) > 1:
		return nil
	case !c.reading():
		return noMethod()
	}
	return newXML(root).reply(http.StatusOK)
}

// reading reports whether the request changes nothing.
func (c *call) reading() bool {
	return c.req.Method == http.MethodGet || c.req.Method == http.MethodHead
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
	"schedulingpolicyunits": "scheduling_policy_units", "externalhostproviders": "external_host_providers",
	"openstackimageproviders": "openstack_image_providers", "openstackvolumeproviders": "openstack_volume_providers",
	"openstacknetworkproviders": "openstack_network_providers", "katelloerrata": "katello_errata", "imagetransfers": "image_transfers",
}
