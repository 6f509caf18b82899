package lab

import (
	"net/http"
	"strings"
)

// routed sends a request of the API to what serves it. Paths that this lab does not have answer 404, as unknown paths do.
func (c *call) routed() *reply {
	s, get := c.segments, c.reading()
	post, put, del := c.req.Method == http.MethodPost, c.req.Method == http.MethodPut, c.req.Method == http.MethodDelete
	if len(s) == 0 {
		if get {
			return c.getRoot()
		}
		return noMethod()
	}
	if answer := c.getCreation(); answer != nil {
		return answer
	}
	if answer := c.routeAdmin(); answer != nil {
		return answer
	}
	switch n := len(s); s[0] {
	case "datacenters":
		return c.routeDataCenters(s[1:], get, post, del)
	case "clusters":
		return c.routeClusters(s[1:], get, nil)
	case "storagedomains":
		return c.routeDomains(s[1:], get, post, put, del)
	case "vms":
		return c.routeVMs(s[1:], get, post, put, del)
	case "templates":
		return c.routeTemplates(s[1:], get)
	case "hosts":
		return c.routeHosts(s[1:], get, post)
	case "vmpools":
		return c.routePools(s[1:], get)
	case "networks":
		return c.routeNetworks(s[1:], get)
	case "vnicprofiles":
		return c.routeProfiles(s[1:], get)
	case "disks":
		switch {
		case n == 1 && get:
			return c.getDisks(nil)
		case n == 1 && post:
			return c.postDisk(nil)
		case n == 2 && get:
			return c.getDisk(s[1])
		case n == 2 && put:
			return c.putDisk(s[1])
		case n == 2 && del:
			return c.deleteDisk(s[1])
		case n >= 3 && get && s[2] == "statistics" && c.getDisk(s[1]).status == http.StatusOK:
			return c.getStatistics(s[3:], "disk", "disks", s[1], diskStatistics())
		case n == 3 && get && c.getDisk(s[1]).status == http.StatusOK:
			return c.emptyList(s[2])
		}
	case "storageconnections":
		switch {
		case n == 1 && get:
			return c.getConnections(c.engine.connections)
		case n == 1 && post:
			return c.postConnection()
		case n == 2 && get:
			return c.getConnection(s[1])
		case n == 2 && put:
			return c.putConnection(s[1])
		case n == 2 && del:
			return c.deleteConnection(s[1])
		}
	case "options":
		return c.getOption(s[1:])
	case "events":
		switch {
		case n == 1 && get:
			return c.getEvents()
		case n == 1 && post:
			return c.postEvent()
		case n == 2 && get:
			return c.getEvent(s[1])
		case n == 2 && post && s[1] == "undelete":
			return c.postUndelete()
		case n == 2 && del:
			return c.deleteEvent(s[1])
		}
	default:
		if answer := c.routeFixtures(s); answer != nil {
			return answer
		}
		return c.notFound()
	}
	if n := len(s); n <= 2 {
		return noMethod()
	}
	return c.notFound()
}

// emptyCollections are sub-collections that objects link to and of which the lab has none, with their root elements.
var emptyCollections = map[string]string{
	"permissions": "permissions", "tags": "tags", "cdroms": "cdroms", "watchdogs": "watchdogs",
	"applications": "applications", "graphicsconsoles": "graphics_consoles", "affinitylabels": "affinity_labels",
	"affinitygroups": "affinity_groups", "sessions": "sessions", "checkpoints": "checkpoints",
	"diskprofiles": "disk_profiles", "disksnapshots": "disk_snapshots", "networklabels": "network_labels", "statistics": "statistics",
	"storage": "host_storages", "nics": "nics", "networkattachments": "network_attachments",
	"quotas": "quotas", "qoss": "qoss", "iscsibonds": "iscsi_bonds", "cpuprofiles": "cpu_profiles",
	"hostdevices": "host_devices", "numanodes": "vm_numa_nodes", "katelloerrata": "katello_errata", "mediateddevices": "vm_mediated_devices",
	"devices": "host_devices", "hooks": "hooks", "storageconnectionextensions": "storage_connection_extensions",
	"unmanagednetworks": "unmanaged_networks", "externalnetworkproviderconfigurations": "external_network_provider_configurations",
	"cpuunits": "host_cpu_units", "glusterhooks": "gluster_hooks", "glustervolumes": "gluster_volumes", "enabledfeatures": "cluster_features",
	"externalnetworkproviders": "external_providers", "networkfilterparameters": "network_filter_parameters",
	"linklayerdiscoveryprotocolelements": "link_layer_discovery_protocol_elements", "filters": "filters", "weights": "weights",
	"balances": "balances", "quotastoragelimits": "quota_storage_limits", "quotaclusterlimits": "quota_cluster_limits",
}

func (c *call) emptyList(name string) *reply {
	root, ok := emptyCollections[name]
	if !ok {
		return c.notFound()
	}
	return newXML(root).reply(http.StatusOK)
}

// created answers 201 with the new object.
func (c *call) created(path string, write func(*xmlWriter)) *reply {
	x := newDocument()
	write(x)
	answer := x.reply(http.StatusCreated)
	answer.header = map[string]string{"Location": apiRoot + path}
	return answer
}

// startAction reads the body of an action.
func (c *call) startAction() (*node, *refusal) {
	doc, r := c.parse("action")
	if r != nil {
		return nil, r
	}
	if !c.freshAction() {
		c.action = doc
	}
	return doc, nil
}

// actionDone answers 200 with the action as it was received, its job, the status complete and what it acted on. That the status
// is complete does not mean that the work is done (ovirt-engine AbstractBackendActionableResource).
func (c *call) actionDone(j *job, stub func(*xmlWriter)) *reply {
	return c.echo(func(x *xmlWriter) {
		if j != nil {
			x.ref("job", "jobs", j.id)
		}
		x.text("status", "complete")
		if stub != nil && !c.freshAction() {
			stub(x)
		}
	}).reply(http.StatusOK)
}

// getRoot is the API root (ovirt-engine BackendApiResource). The vendor tells that this is no real engine.
func (c *call) getRoot() *reply {
	e := c.engine
	x := newXML("api")
	var heads []string
	link := func(href, rel string) {
		x.link(href, rel)
		heads = append(heads, "<"+href+">; rel="+rel)
	}
	for _, l := range rootLinks {
		link(apiRoot+"/"+l.rel, l.rel)
		if l.searchable {
			link(apiRoot+"/"+l.rel+"?search={query}", l.rel+"/search")
		}
	}
	x.open("product_info")
	x.text("instance_id", e.spec.InstanceID)
	x.text("name", "oVirt Engine")
	x.text("vendor", "drrun lab")
	parts := append(strings.Split(e.spec.Version, "."), "0", "0", "0")
	x.open("version")
	x.text("build", parts[2])
	x.text("full_version", e.spec.Version+"-1.el9")
	x.text("major", parts[0])
	x.text("minor", parts[1])
	x.text("revision", "0")
	x.close("version")
	x.close("product_info")
	x.open("special_objects")
	x.ref("blank_template", "templates", blankID)
	x.ref("root_tag", "tags", blankID)
	x.close("special_objects")
	x.open("summary")
	total := func(name string, active, total int) {
		x.open(name)
		x.int("active", int64(active))
		x.int("total", int64(total))
		x.close(name)
	}
	active := 0
	for _, h := range e.hosts {
		if h.status == "up" {
			active++
		}
	}
	total("hosts", active, len(e.hosts))
	active = 0
	for _, d := range e.domains {
		if d.status == "active" {
			active++
		}
	}
	total("storage_domains", active, len(e.domains))
	total("users", 1, len(e.users()))
	active = 0
	for _, v := range e.vms {
		if v.running {
			active++
		}
	}
	total("vms", active, len(e.vms))
	x.close("summary")
	x.time("time", c.lab.now)
	answer := x.reply(http.StatusOK)
	answer.header = map[string]string{"Link": strings.Join(heads, ",")}
	return answer
}
