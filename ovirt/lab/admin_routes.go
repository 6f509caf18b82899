package lab

// routeAdmin serves what belongs to administration, wherever in the tree it is; nil when a path is something else.
func (c *call) routeAdmin() *reply {
	s, e := c.segments, c.engine
	if len(s) == 0 {
		return nil
	}
	switch s[0] {
	case "affinitylabels":
		return c.routeLabels(s[1:])
	case "tags":
		return c.routeTags(s[1:])
	case "domains":
		return c.routeDirectories(s[1:])
	case "users":
		return c.routeUsers(s[1:])
	case "groups":
		return c.routeUserGroups(s[1:])
	case "roles":
		return c.routeRoles(s[1:])
	case "permissions":
		return c.routePermissions(permissionPlace{kind: "system"}, s[1:])
	case "jobs":
		return c.routeJobs(s[1:])
	case "macpools":
		return c.routePoolsOfMACs(s[1:])
	case "bookmarks":
		return c.routeBookmarks(s[1:])
	case "icons", "operatingsystems", "clusterlevels", "networkfilters", "schedulingpolicies", "instancetypes":
		return c.routeCatalogue(s)
	case "cpuprofiles":
		return c.routeProfilesOf(cpuProfile, &e.cpuProfiles, "", s[1:])
	case "diskprofiles":
		e.allDiskProfiles()
		return c.routeProfilesOf(diskProfile, &e.diskProfiles, "", s[1:])
	}
	if len(s) < 3 {
		return nil
	}
	if s[0] == "datacenters" && s[2] == "clusters" && len(s) > 4 && e.dc(s[1]) != nil {
		s = s[2:] // a cluster below its data center is the same cluster
	}
	id, below := s[1], s[3:]
	if s[2] == "permissions" {
		for _, o := range permissionObjects {
			if o.collection == s[0] && e.objectName(&Permission{Object: o.kind, ObjectID: id}) != "" {
				return c.routePermissions(permissionPlace{kind: o.kind, collection: o.collection, id: id}, below)
			}
		}
		return nil
	}
	switch s[0] + "/" + s[2] {
	case "datacenters/quotas":
		if dc := e.dc(id); dc != nil {
			return c.routeQuotas(dc, below)
		}
	case "datacenters/qoss":
		if dc := e.dc(id); dc != nil {
			return c.routeQoSs(dc, below)
		}
	case "clusters/networkfilters":
		if e.cluster(id) != nil && len(below) == 0 {
			return c.networkFiltersOf()
		}
	case "hosts/fenceagents":
		if h := e.host(id); h != nil {
			return c.routeAgents(h, below)
		}
	case "clusters/cpuprofiles":
		if k := e.cluster(id); k != nil {
			return c.routeProfilesOf(cpuProfile, &e.cpuProfiles, k.ID, below)
		}
	case "storagedomains/diskprofiles":
		if d := e.domain(id); d != nil {
			e.allDiskProfiles()
			return c.routeProfilesOf(diskProfile, &e.diskProfiles, d.id, below)
		}
	case "clusters/affinitygroups":
		return c.routeAffinityGroups(id, below)
	case "vms/affinitylabels", "vms/tags":
		if v := e.vm(id); v != nil && s[2] == "tags" {
			return c.tagsOfVM(v, below)
		} else if v != nil {
			return c.routeLabelsOf("vm", v.id, below)
		}
	case "hosts/affinitylabels", "hosts/tags":
		if h := e.host(id); h != nil && s[2] == "tags" {
			return c.tagsOfHost(h, below)
		} else if h != nil {
			return c.routeLabelsOf("host", h.ID, below)
		}
	case "templates/tags":
		if t := e.template(id); t != nil {
			return c.tagsOfTemplate(t, below)
		}
	}
	return nil
}

// forget takes a removed object out of everything that names it by id.
func (e *engine) forget(id string) {
	without := func(lists ...*[]string) {
		for _, list := range lists {
			var left []string
			for _, o := range *list {
				if o != id {
					left = append(left, o)
				}
			}
			*list = left
		}
	}
	for _, g := range e.affinityGroups {
		without(&g.VMIDs, &g.HostIDs)
	}
	for _, l := range e.labels {
		without(&l.vms, &l.hosts)
	}
	for _, t := range e.tags {
		without(&t.VMIDs, &t.HostIDs, &t.TemplateIDs)
	}
	var left []*Permission
	for _, p := range e.permissions {
		if p.ObjectID != id {
			left = append(left, p)
		}
	}
	e.permissions = left
}
