package lab

import (
	"cmp"
	"net/http"
	"strconv"
)

// list answers a collection.
func list[T any](c *call, root string, spec *searchSpec[T], all []T, write func(*xmlWriter, T)) *reply {
	found, r := search(c, spec, all)
	if r != nil {
		return c.refuse(r)
	}
	c.items = len(found)
	x := newXML(root)
	for _, v := range found {
		write(x, v)
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
			return html(http.StatusMethodNotAllowed, "Method Not Allowed")
		}
		return list(c, "data_centers", dcSearch, e.dcs, writeDataCenter)
	}
	dc := e.dc(s[0])
	if dc == nil {
		return c.notFound()
	}
	if len(s) == 1 && get {
		return single(dc, writeDataCenter)
	}
	if len(s) == 1 {
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	switch s[1] {
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

func writeDataCenter(x *xmlWriter, d *dataCenter) {
	href := apiRoot + "/datacenters/" + d.ID
	x.open("data_center", "href", href, "id", d.ID)
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
	x.close("data_center")
}

func (c *call) routeClusters(s []string, get bool, dc *dataCenter) *reply {
	e := c.engine
	if !get {
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	var of []*cluster
	for _, k := range e.clusters {
		if dc == nil || k.dc == dc {
			of = append(of, k)
		}
	}
	if len(s) == 0 {
		return list(c, "clusters", clusterSearch, of, writeCluster)
	}
	k := find(of, func(k *cluster) bool { return k.ID == s[0] })
	switch {
	case k == nil:
		return c.notFound()
	case len(s) == 1:
		return single(k, writeCluster)
	case len(s) == 2 && s[1] == "networks":
		x := newXML("networks")
		for _, id := range k.NetworkIDs {
			writeNetwork(x, e.network(id))
		}
		return x.reply(http.StatusOK)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func writeCluster(x *xmlWriter, k *cluster) {
	href := apiRoot + "/clusters/" + k.ID
	x.open("cluster", "href", href, "id", k.ID)
	x.text("name", k.Name)
	x.text("description", "")
	x.text("comment", "")
	x.links(href, "affinitygroups", "cpuprofiles", "networks", "permissions")
	x.bool("ballooning_enabled", true)
	if k.BIOSType != "" {
		x.text("bios_type", k.BIOSType)
	}
	x.open("cpu")
	x.text("architecture", k.Architecture)
	x.text("type", "Secure Intel Cascadelake Server Family")
	x.close("cpu")
	x.bool("gluster_service", false)
	x.bool("ha_reservation", false)
	x.text("switch_type", "legacy")
	x.version("version", k.Version)
	x.bool("virt_service", true)
	x.ref("data_center", "datacenters", k.dc.ID)
	x.ref("mac_pool", "macpools", k.MACPoolID)
	x.close("cluster")
}

func (c *call) routeNetworks(s []string, get bool) *reply {
	e := c.engine
	if !get {
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
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
				writeProfile(x, p)
			}
		}
		return x.reply(http.StatusOK)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func writeNetwork(x *xmlWriter, n *Network) {
	href := apiRoot + "/networks/" + n.ID
	x.open("network", "href", href, "id", n.ID)
	x.text("name", n.Name)
	x.text("description", "")
	x.text("comment", "")
	x.links(href, "networklabels", "permissions", "vnicprofiles")
	x.int("mtu", 0)
	x.bool("stp", false)
	if n.VM {
		x.open("usages")
		x.text("usage", "vm")
		x.close("usages")
	} else {
		x.empty("usages")
	}
	x.text("vdsm_name", n.Name)
	x.ref("data_center", "datacenters", n.DataCenterID)
	x.close("network")
}

func (c *call) routeProfiles(s []string, get bool) *reply {
	if !get {
		return html(http.StatusMethodNotAllowed, "Method Not Allowed")
	}
	if len(s) == 0 {
		c.items = len(c.engine.profiles)
		x := newXML("vnic_profiles")
		for _, p := range c.engine.profiles {
			writeProfile(x, p)
		}
		return x.reply(http.StatusOK)
	}
	p := c.engine.profile(s[0])
	switch {
	case p == nil:
		return c.notFound()
	case len(s) == 1:
		return single(p, writeProfile)
	case len(s) == 2:
		return c.emptyList(s[1])
	}
	return c.notFound()
}

func writeProfile(x *xmlWriter, p *VNICProfile) {
	href := apiRoot + "/vnicprofiles/" + p.ID
	x.open("vnic_profile", "href", href, "id", p.ID)
	x.text("name", p.Name)
	x.links(href, "permissions")
	x.open("pass_through")
	x.text("mode", "disabled")
	x.close("pass_through")
	x.bool("port_mirroring", false)
	x.ref("network", "networks", p.NetworkID)
	x.close("vnic_profile")
}

func (c *call) getPools() *reply {
	x := newXML("mac_pools")
	for _, p := range c.engine.pools {
		writePool(x, p)
	}
	return x.reply(http.StatusOK)
}

func (c *call) getPool(id string) *reply {
	p := find(c.engine.pools, func(p *macPool) bool { return p.ID == id })
	if p == nil {
		return c.notFound()
	}
	return single(p, writePool)
}

func writePool(x *xmlWriter, p *macPool) {
	x.open("mac_pool", "href", apiRoot+"/macpools/"+p.ID, "id", p.ID)
	x.text("name", p.Name)
	x.bool("allow_duplicates", false)
	x.bool("default_pool", true)
	x.open("ranges")
	x.open("range")
	x.text("from", p.From)
	x.text("to", p.To)
	x.close("range")
	x.close("ranges")
	x.close("mac_pool")
}

func (c *call) routeHosts(s []string, get, post bool) *reply {
	e := c.engine
	if len(s) == 0 {
		if !get {
			return html(http.StatusMethodNotAllowed, "Method Not Allowed")
		}
		return list(c, "hosts", hostSearch, e.hosts, c.writeHost)
	}
	h := e.host(s[0])
	switch {
	case h == nil:
		return c.notFound()
	case len(s) == 1 && get:
		return single(h, c.writeHost)
	case len(s) == 2 && get && s[1] == "statistics":
		return c.getHostStatistics(h)
	case s[1] == "storage" && get:
		return c.getHostStorage(h, s[2:])
	case len(s) == 4 && get:
		return c.notFound()
	case s[1] == "fenceagents" && get:
		return c.getAgents(h, s[2:])
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
	x.actions(href, "fence", "refresh", "iscsidiscover", "discoveriscsi", "iscsilogin", "unregisteredstoragedomainsdiscover")
	x.text("name", h.Name)
	x.text("comment", "")
	x.links(href, "fenceagents", "nics", "storage", "networkattachments", "affinitylabels", "permissions", "tags", "statistics")
	x.text("address", h.Address)
	x.open("cpu")
	x.text("name", "Intel Xeon Processor (Cascadelake)")
	x.open("topology")
	x.int("cores", 16)
	x.int("sockets", 2)
	x.int("threads", 2)
	x.close("topology")
	x.close("cpu")
	x.text("external_status", "ok")
	x.open("iscsi")
	x.text("initiator", "iqn.1994-05.com.redhat:"+h.Name)
	x.close("iscsi")
	active, used := 0, int64(0)
	for _, v := range e.vms {
		if v.host == h {
			active++
			used += v.memory
		}
	}
	x.int("max_scheduling_memory", h.Memory-used)
	x.int("memory", h.Memory)
	x.int("port", 54321)
	writePowerManagement(x, h)
	x.text("protocol", "stomp")
	x.bool("reinstallation_required", false)
	x.open("se_linux")
	x.text("mode", "enforcing")
	x.close("se_linux")
	x.open("spm")
	x.int("priority", 5)
	// A silent host keeps the role that it had: an SPM that is seen here proves nothing.
	if h.cluster.dc.spm == h {
		x.text("status", "spm")
	} else {
		x.text("status", "none")
	}
	x.close("spm")
	x.text("status", h.status)
	x.open("summary")
	x.int("active", int64(active))
	x.int("migrating", 0)
	x.int("total", int64(active))
	x.close("summary")
	x.text("type", "rhel")
	x.bool("update_available", false)
	x.open("version")
	x.int("build", 100)
	x.text("full_version", "vdsm-4.50.5.1-1.el9")
	x.int("major", 4)
	x.int("minor", 50)
	x.int("revision", 0)
	x.close("version")
	x.ref("cluster", "clusters", h.ClusterID)
	x.close("host")
}

// getHostStatistics gives, among others, boot.time in Unix seconds, as the host last reported it.
func (c *call) getHostStatistics(h *host) *reply {
	x := newXML("statistics")
	for _, s := range []struct {
		name, text, unit string
		value            int64
	}{
		{"memory.total", "Total memory", "bytes", h.Memory},
		{"boot.time", "Boot time of the machine", "none", h.booted.Unix()},
	} {
		id := uuidOf(h.ID + "/" + s.name)
		x.open("statistic", "id", id)
		x.text("name", s.name)
		x.text("description", s.text)
		x.text("kind", "gauge")
		x.text("type", "integer")
		x.text("unit", s.unit)
		x.open("values")
		x.open("value")
		x.text("datum", strconv.FormatInt(s.value, 10))
		x.close("value")
		x.close("values")
		x.ref("host", "hosts", h.ID)
		x.close("statistic")
	}
	return x.reply(http.StatusOK)
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
		c.engine.event(eventHostRefreshed, "normal", "Successfully refreshed the capabilities of host "+h.Name+".", refs{host: h, correlation: c.correlation, user: c.engine.spec.Username})
	}, nil)) {
		return nil
	}
	answer := c.actionDone(j, func(x *xmlWriter) { x.ref("host", "hosts", h.ID) })
	answer.waited = true
	return answer
}
