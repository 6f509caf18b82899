package lab

import (
	"cmp"
	"net/http"
)

// list answers a collection.
func list[T any](c *call, root string, spec *searchSpec[T], all []T, write func(*xmlWriter, T)) *reply {
	found, r := search(c, spec, all)
	if r != nil {
		return c.refuse(r)
	}
	c.items = len(found)
	x := newXML(root)
	const sample = 16
	for i, v := range found {
		write(x, v)
		if i == min(sample, len(found))-1 { // the others will be about as long
			each := len(x.b) / (i + 1)
			x.b = room(x.b, (len(found)-i)*(each+each/16))
		}
	}
	return x.reply(http.StatusOK)
}

// single answers one object.
func single[T any](v T, write func(*xmlWriter, T)) *reply {
	x := newDocument()
	write(x, v)
	return x.reply(http.StatusOK)
}

func (c *call) routeDataCenters(s []string, get, post, del bool) *reply {
	e := c.engine
	if len(s) == 0 {
		if !get {
			return noMethod()
		}
		return list(c, "data_centers", dcSearch, e.dcs, c.writeDataCenter)
	}
	dc := e.dc(s[0])
	if dc == nil {
		return c.notFound()
	}
	if len(s) == 1 && get {
		return single(dc, c.writeDataCenter)
	}
	if len(s) == 1 {
		return noMethod()
	}
	switch s[1] {
	case "setmaster":
		if post && len(s) == 2 {
			return c.postSetMaster(dc)
		}
	case "cleanfinishedtasks":
		if post && len(s) == 2 {
			return c.postCleanTasks(dc)
		}
	case "storagedomains":
		return c.routeAttached(dc, s[2:], get, post, del)
	case "clusters":
		return c.routeClusters(s[2:], get, dc)
	case "networks":
		if get && len(s) == 2 {
			var of []*Network
			for _, n := range e.networks {
				if n.DataCenterID == dc.ID {
					of = append(of, n)
				}
			}
			return list(c, "networks", networkSearch, of, writeNetwork)
		}
	default:
		if get && len(s) == 2 {
			return c.emptyList(s[1])
		}
	}
	return c.notFound()
}

func (c *call) writeDataCenter(x *xmlWriter, d *dataCenter) {
	href := apiRoot + "/datacenters/" + d.ID
	x.open("data_center", "href", href, "id", d.ID)
	x.actions(href, "setmaster", "cleanfinishedtasks")
	x.text("name", d.Name)
	x.text("description", "")
	x.text("comment", "")
	x.links(href, "clusters", "networks", "quotas", "qoss", "iscsibonds", "storagedomains", "permissions")
	x.bool("local", false)
	x.text("quota_mode", cmp.Or(d.QuotaMode, "disabled"))
	x.text("status", d.status)
	x.text("storage_format", d.StorageFormat)
	x.open("supported_versions")
	x.version("version", d.Version)
	x.close("supported_versions")
	x.version("version", d.Version)
	// The default pool, whatever the clusters have (ovirt-engine BackendDataCenterHelper).
	x.ref("mac_pool", "macpools", c.engine.pools[0].ID)
	x.close("data_center")
}

func (c *call) routeClusters(s []string, get bool, dc *dataCenter) *reply {
	e := c.engine
	if !get {
		return noMethod()
	}
	var of []*cluster
	for _, k := range e.clusters {
		if dc == nil || k.dc == dc {
			of = append(of, k)
		}
	}
	if len(s) == 0 {
		return list(c, "clusters", clusterSearch, of, c.writeCluster)
	}
	k := find(of, func(k *cluster) bool { return k.ID == s[0] })
	switch {
	case k == nil:
		return c.notFound()
	case len(s) == 1:
		return single(k, c.writeCluster)
	case len(s) == 2 && s[1] == "networks":
		x := newXML("networks")
		for _, id := range k.NetworkIDs {
			writeClusterNetwork(x, e.network(id), true)
		}
		return x.reply(http.StatusOK)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func (c *call) writeCluster(x *xmlWriter, k *cluster) {
	href := apiRoot + "/clusters/" + k.ID
	x.open("cluster", "href", href, "id", k.ID)
	x.actions(href, "resetemulatedmachine", "upgrade", "syncallnetworks")
	x.text("name", k.Name)
	x.text("description", "")
	x.text("comment", "")
	x.links(href, "affinitygroups", "glusterhooks", "glustervolumes", "enabledfeatures", "externalnetworkproviders", "cpuprofiles",
		"networkfilters", "networks", "permissions")
	x.bool("ballooning_enabled", true)
	if k.BIOSType != "" {
		x.text("bios_type", k.BIOSType)
	}
	x.open("cpu")
	x.text("architecture", k.Architecture)
	x.text("type", cpuType)
	x.close("cpu")
	x.open("custom_scheduling_policy_properties")
	for _, p := range [][2]string{{"HighUtilization", "80"}, {"CpuOverCommitDurationMinutes", "2"}} {
		x.open("property")
		x.text("name", p[0])
		x.text("value", p[1])
		x.close("property")
	}
	x.close("custom_scheduling_policy_properties")
	x.open("error_handling")
	x.text("on_error", "migrate")
	x.close("error_handling")
	writeFencingPolicy(x)
	x.text("fips_mode", "disabled")
	x.text("firewall_type", "firewalld")
	x.bool("gluster_service", false)
	x.bool("ha_reservation", false)
	x.open("ksm")
	x.bool("enabled", true)
	x.bool("merge_across_nodes", true)
	x.close("ksm")
	x.int("log_max_memory_used_threshold", 95)
	x.text("log_max_memory_used_threshold_type", "percentage")
	x.open("memory_policy")
	x.open("over_commit")
	x.int("percent", 100)
	x.close("over_commit")
	writeEnabled(x, "transparent_hugepages", true)
	x.close("memory_policy")
	x.open("migration")
	x.text("auto_converge", "inherit")
	x.open("bandwidth")
	x.text("assignment_method", "auto")
	x.close("bandwidth")
	x.text("compressed", "inherit")
	x.text("encrypted", "inherit")
	x.empty("policy", "id", migrationPolicy)
	x.close("migration")
	x.open("required_rng_sources")
	x.text("required_rng_source", "urandom")
	x.close("required_rng_sources")
	x.text("switch_type", "legacy")
	x.bool("threads_as_cores", false)
	x.bool("trusted_service", false)
	x.bool("tunnel_migration", false)
	x.bool("upgrade_in_progress", false)
	x.int("upgrade_percent_complete", 0)
	x.version("version", k.Version)
	x.bool("virt_service", true)
	x.bool("vnc_encryption", false)
	x.ref("data_center", "datacenters", k.dc.ID)
	x.ref("mac_pool", "macpools", k.MACPoolID)
	x.ref("scheduling_policy", "schedulingpolicies", noPolicy)
	x.close("cluster")
}

const (
	cpuType         = "Secure Intel Cascadelake Server Family"
	migrationPolicy = "80554327-0569-496b-bdeb-fcbbf52b827b" // minimal downtime (ovirt-engine MigrationPoliciesConfig)
)

func writeEnabled(x *xmlWriter, name string, on bool) {
	x.open(name)
	x.bool("enabled", on)
	x.close(name)
}

// writeFencingPolicy writes what a new cluster has: fencing is on and nothing holds it up.
func writeFencingPolicy(x *xmlWriter) {
	x.open("fencing_policy")
	x.bool("enabled", true)
	x.open("skip_if_connectivity_broken")
	x.bool("enabled", false)
	x.int("threshold", 50)
	x.close("skip_if_connectivity_broken")
	x.bool("skip_if_gluster_bricks_up", false)
	x.bool("skip_if_gluster_quorum_not_met", false)
	writeEnabled(x, "skip_if_sd_active", false)
	x.close("fencing_policy")
}

func (c *call) routeNetworks(s []string, get bool) *reply {
	e := c.engine
	if !get {
		return noMethod()
	}
	if len(s) == 0 {
		return list(c, "networks", networkSearch, e.networks, writeNetwork)
	}
	n := e.network(s[0])
	switch {
	case n == nil:
		return c.notFound()
	case len(s) == 1:
		return single(n, writeNetwork)
	case len(s) == 2 && s[1] == "vnicprofiles":
		x := newXML("vnic_profiles")
		for _, p := range e.profiles {
			if p.NetworkID == n.ID {
				c.writeProfile(x, p)
			}
		}
		return x.reply(http.StatusOK)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func writeNetwork(x *xmlWriter, n *Network) { writeClusterNetwork(x, n, false) }

// writeClusterNetwork writes a network, as a cluster sees it with what it is to the cluster (ovirt-engine NetworkMapper). Every
// network of the lab is required and operational.
func writeClusterNetwork(x *xmlWriter, n *Network, inCluster bool) {
	management := inCluster && n.Name == managementNetwork
	href := apiRoot + "/networks/" + n.ID
	x.open("network", "href", href, "id", n.ID)
	x.text("name", n.Name)
	x.text("description", "")
	x.text("comment", "")
	x.links(href, "networklabels", "permissions", "vnicprofiles")
	if inCluster {
		x.bool("display", management)
	}
	x.int("mtu", 0)
	x.bool("port_isolation", false)
	if inCluster {
		x.bool("required", true)
		x.text("status", "operational")
	}
	x.bool("stp", false)
	var usages []string
	if n.VM {
		usages = append(usages, "vm")
	}
	if management {
		usages = append(usages, "display", "migration", "management", "default_route")
	}
	if len(usages) == 0 {
		x.empty("usages")
	} else {
		x.open("usages")
		for _, u := range usages {
			x.text("usage", u)
		}
		x.close("usages")
	}
	x.text("vdsm_name", n.Name)
	x.ref("data_center", "datacenters", n.DataCenterID)
	x.close("network")
}

func (c *call) routeProfiles(s []string, get bool) *reply {
	if !get {
		return noMethod()
	}
	if len(s) == 0 {
		c.items = len(c.engine.profiles)
		x := newXML("vnic_profiles")
		for _, p := range c.engine.profiles {
			c.writeProfile(x, p)
		}
		return x.reply(http.StatusOK)
	}
	p := c.engine.profile(s[0])
	switch {
	case p == nil:
		return c.notFound()
	case len(s) == 1:
		return single(p, c.writeProfile)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func (c *call) writeProfile(x *xmlWriter, p *VNICProfile) {
	href := apiRoot + "/vnicprofiles/" + p.ID
	x.open("vnic_profile", "href", href, "id", p.ID)
	x.text("name", p.Name)
	x.links(href, "permissions")
	x.open("pass_through")
	x.text("mode", "disabled")
	x.close("pass_through")
	x.bool("port_mirroring", false)
	x.ref("network", "networks", p.NetworkID)
	x.ref("network_filter", "networkfilters", networkFilterID("vdsm-no-mac-spoofing"))
	x.close("vnic_profile")
}

func (c *call) routeHosts(s []string, get, post bool) *reply {
	e := c.engine
	if len(s) == 0 {
		if !get {
			return noMethod()
		}
		return list(c, "hosts", hostSearch, e.hosts, c.writeHost)
	}
	h := e.host(s[0])
	switch {
	case h == nil:
		return c.notFound()
	case len(s) == 1 && get:
		return single(h, c.writeHost)
	case len(s) == 1 && c.req.Method == http.MethodPut:
		return c.putHost(h)
	case len(s) == 2 && post && hostCalls[s[1]] != nil:
		return hostCalls[s[1]](c, h)
	case get && s[1] == "statistics":
		return c.getStatistics(s[2:], "host", "hosts", h.ID, hostStatistics(h))
	case get && s[1] == "nics":
		return c.routeHostNICs(h, s[2:])
	case get && s[1] == "networkattachments":
		return c.routeAttachments(h, s[2:])
	case s[1] == "storage" && get:
		return c.getHostStorage(h, s[2:])
	case len(s) == 4 && get:
		return c.notFound()
	case len(s) == 2 && get && s[1] == "numanodes":
		return newXML("host_numa_nodes").reply(http.StatusOK)
	case len(s) == 2 && get:
		return c.emptyList(s[1])
	case len(s) == 2 && post && s[1] == "refresh":
		return c.postRefresh(h)
	case len(s) == 2 && post && (s[1] == "iscsidiscover" || s[1] == "discoveriscsi"):
		return c.postISCSIDiscover(h)
	case len(s) == 2 && post && s[1] == "iscsilogin":
		return c.postISCSILogin(h)
	case len(s) == 2 && post && s[1] == "unregisteredstoragedomainsdiscover":
		return c.postUnregisteredDiscover(h)
	case len(s) == 2 && post && s[1] == "fence":
		return c.postFence(h)
	}
	return c.notFound()
}

func (c *call) writeHost(x *xmlWriter, h *host) {
	e, href := c.engine, apiRoot+"/hosts/"+h.ID
	x.open("host", "href", href, "id", h.ID)
	x.actions(href, hostActions...)
	x.text("name", h.Name)
	x.text("comment", h.comment)
	x.links(href, hostLinks...)
	x.text("address", h.Address)
	x.text("auto_numa_status", "enable")
	x.open("certificate")
	x.text("organization", organization)
	x.text("subject", "O="+organization+",CN="+h.Address)
	x.close("certificate")
	x.open("cpu")
	x.text("name", "Intel Xeon Processor (Cascadelake)")
	x.int("speed", 2294)
	x.open("topology")
	x.int("cores", 16)
	x.int("sockets", 2)
	x.int("threads", 2)
	x.close("topology")
	x.text("type", cpuType)
	x.close("cpu")
	writeEnabled(x, "device_passthrough", false)
	x.text("external_status", cmp.Or(h.external, "ok"))
	writeHardware(x, h)
	x.open("iscsi")
	x.text("initiator", "iqn.1994-05.com.redhat:"+h.Name)
	x.close("iscsi")
	x.text("kdump_status", "enabled")
	writeEnabled(x, "ksm", false)
	writePackage(x, "libvirt_version", "libvirt-10.0.0-6.el9", 10, 0)
	active, used := 0, int64(0)
	for _, v := range e.vms {
		if v.host == h {
			active++
			used += v.memory
		}
	}
	x.int("max_scheduling_memory", h.Memory-used)
	x.int("memory", h.Memory)
	x.bool("numa_supported", true)
	writeHostOS(x)
	x.bool("ovn_configured", false)
	x.int("port", 54321)
	writePowerManagement(x, h)
	x.text("protocol", "stomp")
	x.bool("reinstallation_required", false)
	x.open("se_linux")
	x.text("mode", "enforcing")
	x.close("se_linux")
	x.open("spm")
	x.int("priority", int64(h.priority()))
	// A silent host keeps the role that it had: an SPM that is seen here proves nothing.
	switch h {
	case h.cluster.dc.contender:
		x.text("status", "contending")
	case h.cluster.dc.spm:
		x.text("status", "spm")
	default:
		x.text("status", "none")
	}
	x.close("spm")
	x.open("ssh")
	x.text("fingerprint", "SHA256:"+fingerprint(h.ID))
	x.int("port", 22)
	x.close("ssh")
	x.text("status", h.status)
	x.open("summary")
	x.int("active", int64(active))
	x.int("migrating", 0)
	x.int("total", int64(active))
	x.close("summary")
	writeEnabled(x, "transparent_hugepages", true)
	x.text("type", "rhel")
	x.bool("update_available", false)
	writePackage(x, "version", "vdsm-4.50.5.1-1.el9", 4, 50)
	x.text("vgpu_placement", "consolidated")
	x.ref("cluster", "clusters", h.ClusterID)
	x.close("host")
}

// postRefresh reads the host's capabilities and devices anew.
func (c *call) postRefresh(h *host) *reply {
	if _, r := c.startAction(); r != nil {
		return c.refuse(r)
	}
	if h.status != "up" && h.status != "non_operational" && h.status != "maintenance" {
		return c.refuse(conflict("Cannot refresh Host capabilities. Host status is not Up."))
	}
	c.effect("refresh host %s", h.Name)
	j := c.newJob("Refreshing Host Capabilities " + h.Name)
	// The engine brings it to its end whether or not somebody still waits for the answer.
	if !c.wait(c.engine.operation(c.lab.now.Add(c.lab.lat.Refresh), func() {
		j.end("finished", c.lab.now)
		c.engine.event(eventHostRefreshed, "normal", "Successfully refreshed the capabilities of host "+h.Name+".", c.aboutHost(h))
	}, nil)) {
		return nil
	}
	return c.doneHost(h, j)
}
