package lab

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func (e *engine) affinityGroup(id string) *AffinityGroup {
	return find(e.affinityGroups, func(g *AffinityGroup) bool { return strings.EqualFold(g.ID, id) })
}

func writeRule(x *xmlWriter, name string, r AffinityRule) {
	x.open(name)
	x.bool("enabled", r.Enabled)
	x.bool("enforcing", r.Enforcing)
	x.bool("positive", r.Enabled && r.Positive)
	x.close(name)
}

// refList writes a list of references.
func refList(x *xmlWriter, list, name, collection string, ids []string) {
	if len(ids) == 0 {
		x.empty(list)
		return
	}
	x.open(list)
	for _, id := range ids {
		x.ref(name, collection, id)
	}
	x.close(list)
}

// writeAffinityGroup writes a group; positive and enforcing repeat the rule of the VMs for older clients, and positive is absent
// where that rule is off (ovirt-engine AffinityGroupMapper).
func (e *engine) writeAffinityGroup(x *xmlWriter, g *AffinityGroup) {
	href := apiRoot + "/clusters/" + g.ClusterID + "/affinitygroups/" + g.ID
	x.open("affinity_group", "href", href, "id", g.ID)
	x.text("name", g.Name)
	x.text("description", g.Description)
	x.links(href, "hostlabels", "hosts", "vmlabels", "vms")
	x.bool("broken", e.brokenGroup(g))
	x.bool("enforcing", g.VMsRule.Enforcing)
	writeRule(x, "hosts_rule", g.HostsRule)
	if g.VMsRule.Enabled {
		x.bool("positive", g.VMsRule.Positive)
	}
	x.text("priority", strconv.FormatFloat(g.Priority, 'f', -1, 64))
	writeRule(x, "vms_rule", g.VMsRule)
	x.ref("cluster", "clusters", g.ClusterID)
	refList(x, "host_labels", "affinity_label", "affinitylabels", g.HostLabelIDs)
	refList(x, "hosts", "host", "hosts", g.HostIDs)
	refList(x, "vm_labels", "affinity_label", "affinitylabels", g.VMLabelIDs)
	refList(x, "vms", "vm", "vms", g.VMIDs)
	x.close("affinity_group")
}

// groupMembers are the VMs and hosts of a group, with those that its labels bring in.
func (e *engine) groupMembers(g *AffinityGroup) (vms, hosts []string) {
	vms, hosts = slices.Clone(g.VMIDs), slices.Clone(g.HostIDs)
	for _, id := range g.VMLabelIDs {
		if l := e.label(id); l != nil {
			vms = append(vms, l.vms...)
		}
	}
	for _, id := range g.HostLabelIDs {
		if l := e.label(id); l != nil {
			hosts = append(hosts, l.hosts...)
		}
	}
	return vms, hosts
}

// brokenGroup reports whether running VMs are where a rule of their group does not want them.
func (e *engine) brokenGroup(g *AffinityGroup) bool {
	vms, hosts := e.groupMembers(g)
	on := map[string]int{}
	for _, id := range vms {
		v := e.vm(id)
		if v == nil || v.host == nil {
			continue
		}
		on[v.host.ID]++
		if g.HostsRule.Enabled && slices.Contains(hosts, v.host.ID) != g.HostsRule.Positive {
			return true
		}
		if g.VMsRule.Enabled && (!g.VMsRule.Positive && on[v.host.ID] > 1 || g.VMsRule.Positive && len(on) > 1) {
			return true
		}
	}
	return false
}

// routeAffinityGroups serves the groups of a cluster, of which the engine does not ask whether it exists; one group is found by its
// id below any cluster (ovirt-engine BackendAffinityGroupsResource).
func (c *call) routeAffinityGroups(clusterID string, s []string) *reply {
	e := c.engine
	of := e.affinityGroups
	if len(s) == 0 {
		of = slices.DeleteFunc(slices.Clone(of), func(g *AffinityGroup) bool { return !strings.EqualFold(g.ClusterID, clusterID) })
	}
	return serve(c, s, rest[*AffinityGroup]{root: "affinity_groups", all: of, id: func(g *AffinityGroup) string { return g.ID },
		write: e.writeAffinityGroup,
		add:   func() *reply { return c.postAffinityGroup(clusterID) },
		update: func(g *AffinityGroup) *reply {
			return c.putAffinityGroup(g)
		},
		remove: func(g *AffinityGroup) *reply {
			for _, id := range g.VMIDs {
				e.touch(e.vm(id))
			}
			e.affinityGroups = slices.DeleteFunc(e.affinityGroups, func(o *AffinityGroup) bool { return o == g })
			c.effect("delete affinity group %s", g.Name)
			c.audit(eventGroupDeleted, "Affinity Group %s was removed. (User: %s)", g.Name, e.userName())
			return c.actionDone(nil, nil)
		},
		sub: func(g *AffinityGroup, s []string) *reply { return c.routeMembers(g, s) }})
}

// readGroup takes over what a request says about a group.
func readGroup(doc *node, g *AffinityGroup) *refusal {
	if doc.child("name") != nil {
		g.Name = doc.value("name")
	}
	if doc.child("description") != nil {
		g.Description = doc.value("description")
	}
	if id := doc.child("cluster").attr("id"); id != "" {
		g.ClusterID = id
	}
	if p := doc.value("priority"); p != "" {
		n, err := strconv.ParseFloat(p, 64)
		if err != nil {
			return invalidValue("priority", p)
		}
		g.Priority = n
	}
	rule := func(n *node, r *AffinityRule) *refusal {
		enabled, given, no := n.flag("enabled")
		if no != nil {
			return no
		}
		positive, signed, no := n.flag("positive")
		if no != nil {
			return no
		}
		enforcing, forced, no := n.flag("enforcing")
		if no != nil {
			return no
		}
		if given && !enabled {
			r.Enabled = false
		} else if signed {
			r.Enabled, r.Positive = true, positive
		}
		if forced {
			r.Enforcing = enforcing
		}
		return nil
	}
	if n := doc.child("hosts_rule"); n != nil {
		if r := rule(n, &g.HostsRule); r != nil {
			return r
		}
	}
	n := doc.child("vms_rule")
	if n == nil { // the members of older clients
		n = &node{children: append(doc.all("positive"), doc.all("enforcing")...)}
	}
	if r := rule(n, &g.VMsRule); r != nil {
		return r
	}
	for _, l := range []struct {
		list, name string
		ids        *[]string
	}{{"hosts", "host", &g.HostIDs}, {"vms", "vm", &g.VMIDs}, {"host_labels", "affinity_label", &g.HostLabelIDs}, {"vm_labels", "affinity_label", &g.VMLabelIDs}} {
		if n := doc.child(l.list); n != nil {
			*l.ids = nil
			for _, m := range n.all(l.name) {
				if id := m.attr("id"); id != "" {
					*l.ids = append(*l.ids, id)
				}
			}
		}
	}
	return nil
}

// canSaveGroup validates a group (ovirt-engine AffinityGroupCRUDCommand).
func (e *engine) canSaveGroup(action string, g *AffinityGroup) *refusal {
	k := e.cluster(g.ClusterID)
	no := func(text string) *refusal { return bad("Cannot %s Affinity Group. %s", action, text) }
	other := find(e.affinityGroups, func(o *AffinityGroup) bool { return o.Name == g.Name && o.ID != g.ID })
	switch {
	case g.Name == "" || len(g.Name) > 255:
		return no("Name field input is too long.")
	case !nameI18N(g.Name):
		return no("Name field is invalid.")
	case len(g.Description) > 4000:
		return no("Description field is invalid.")
	case other != nil:
		return no("Affinity Group name already exists.")
	case k == nil:
		return no("Provided Cluster is invalid.")
	}
	for _, m := range []struct {
		kind string
		ids  []string
		in   func(id string) (exists, here bool)
	}{
		{"VM", g.VMIDs, func(id string) (bool, bool) { v := e.vm(id); return v != nil, v != nil && v.cluster == k }},
		{"VDS", g.HostIDs, func(id string) (bool, bool) { h := e.host(id); return h != nil, h != nil && h.cluster == k }},
	} {
		for i, id := range m.ids {
			exists, here := m.in(id)
			switch {
			case !exists:
				return no("Provided " + m.kind + " is invalid (does not exist).")
			case !here:
				return no("Provided " + m.kind + " resides in another Cluster.")
			case slices.Contains(m.ids[:i], id):
				return no("Duplicate " + m.kind + ".")
			}
		}
	}
	for _, ids := range [][]string{g.VMLabelIDs, g.HostLabelIDs} {
		for i, id := range ids {
			switch {
			case e.label(id) == nil:
				return no("Provided label is invalid (does not exist).")
			case slices.Contains(ids[:i], id):
				return no("Duplicate label.")
			}
		}
	}
	return e.groupConflict(g)
}

// groupConflict refuses a group whose enforced rules nobody could obey together with those of the cluster's other groups: VMs that
// must be together and apart, or VMs that must run on a host and must not (ovirt-engine AffinityRulesUtils). Other contradictions
// can be saved.
func (e *engine) groupConflict(changed *AffinityGroup) *refusal {
	groups := []*AffinityGroup{changed}
	for _, g := range e.affinityGroups {
		if g.ID != changed.ID && g.ClusterID == changed.ClusterID {
			groups = append(groups, g)
		}
	}
	no, _ := e.groupsConflict(groups)
	return no
}

// groupsConflict finds the first conflict among groups of one cluster, and returns the groups that are in it.
func (e *engine) groupsConflict(groups []*AffinityGroup) (*refusal, []*AffinityGroup) {
	var together [][]string // unified: groups that share a VM are one
	for _, g := range groups {
		if !g.VMsRule.Enabled || !g.VMsRule.Enforcing || !g.VMsRule.Positive {
			continue
		}
		set, _ := e.groupMembers(g)
		rest := together[:0:0]
		for _, other := range together {
			if slices.ContainsFunc(other, func(id string) bool { return slices.Contains(set, id) }) {
				set = append(set, other...)
			} else {
				rest = append(rest, other)
			}
		}
		slices.Sort(set)
		together = append(rest, slices.Compact(set))
	}
	names := func(ids []string) string {
		var list []string
		for _, id := range ids {
			if v := e.vm(id); v != nil {
				list = append(list, v.name)
			} else if h := e.host(id); h != nil {
				list = append(list, h.Name)
			}
		}
		return strings.Join(list, ",")
	}
	for _, g := range groups {
		vms, hosts := e.groupMembers(g)
		if g.VMsRule.Enabled && g.VMsRule.Enforcing && !g.VMsRule.Positive {
			for _, set := range together {
				if both := intersect(set, vms); len(both) > 1 {
					in := slices.DeleteFunc(slices.Clone(groups), func(o *AffinityGroup) bool { return o != g && len(intersect(o.VMIDs, both)) == 0 })
					return conflict("Affinity Group collision detected in unified affinity group of VMs:\\n%s\\n and negative affinity group:\\n%s \\n with VMs:\\n %s",
						names(set), g.Name, names(vms)), in
				}
			}
		}
		if !g.HostsRule.Enabled || !g.HostsRule.Enforcing || !g.HostsRule.Positive {
			continue
		}
		for _, o := range groups {
			if !o.HostsRule.Enabled || !o.HostsRule.Enforcing || o.HostsRule.Positive {
				continue
			}
			otherVMs, otherHosts := e.groupMembers(o)
			bothVMs, bothHosts := intersect(vms, otherVMs), intersect(hosts, otherHosts)
			if len(bothVMs) > 0 && len(bothHosts) > 0 {
				return conflict("The following affinity groups, containing the indicated hosts and VMs, have VM to host conflicts between positive and negative enforcing affinity groups., "+
					"Affinity Groups: %s, Hosts: %s, VMs: %s", g.Name+","+o.Name, names(bothHosts), names(bothVMs)), []*AffinityGroup{g, o}
			}
		}
	}
	return nil, nil
}

func intersect(a, b []string) []string {
	var both []string
	for _, id := range a {
		if slices.Contains(b, id) && !slices.Contains(both, id) {
			both = append(both, id)
		}
	}
	return both
}

// nameI18N reports whether a name has only letters of any script, digits, '_', '-' and '.' (ovirt-engine ValidationUtils).
func nameI18N(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !unicode.IsLetter(r) && (r < '0' || r > '9') && r != '_' && r != '-' && r != '.'
	})
}

func (c *call) postAffinityGroup(clusterID string) *reply {
	e := c.engine
	doc, r := c.parse("affinity_group")
	if r != nil {
		return c.refuse(r)
	}
	g := &AffinityGroup{}
	if r := readGroup(doc, g); r != nil {
		return c.refuse(r)
	}
	g.ClusterID = clusterID
	if r := e.canSaveGroup("add", g); r != nil {
		return c.refuse(r)
	}
	g.ID = c.lab.newID()
	e.affinityGroups = append(e.affinityGroups, g)
	for _, id := range g.VMIDs {
		e.touch(e.vm(id))
	}
	c.effect("add affinity group %s", g.Name)
	c.audit(eventGroupAdded, "Affinity Group %s was added. (User: %s)", g.Name, e.userName())
	return c.created("/clusters/"+clusterID+"/affinitygroups/"+g.ID, func(x *xmlWriter) { e.writeAffinityGroup(x, g) })
}

// putAffinityGroup is ovirt-engine EditAffinityGroupCommand: a list in the request replaces the members.
func (c *call) putAffinityGroup(g *AffinityGroup) *reply {
	e := c.engine
	doc, r := c.parse("affinity_group")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attr("id"); id != "" && id != g.ID {
		return c.refuse(immutable("id"))
	}
	next := *g
	next.HostIDs, next.VMIDs = slices.Clone(g.HostIDs), slices.Clone(g.VMIDs)
	if r := readGroup(doc, &next); r != nil {
		return c.refuse(r)
	}
	if next.ClusterID != g.ClusterID {
		return c.refuse(bad("Cannot edit Affinity Group. Cannot change Cluster for Affinity Group."))
	}
	if r := e.canSaveGroup("edit", &next); r != nil {
		return c.refuse(r)
	}
	for _, id := range append(slices.Clone(g.VMIDs), next.VMIDs...) {
		if slices.Contains(g.VMIDs, id) != slices.Contains(next.VMIDs, id) {
			e.touch(e.vm(id))
		}
	}
	*g = next
	c.groupChanged(g)
	return single(g, e.writeAffinityGroup)
}

func (c *call) groupChanged(g *AffinityGroup) {
	c.effect("update affinity group %s", g.Name)
	c.audit(eventGroupUpdated, "Affinity Group %s was updated. (User: %s)", g.Name, c.engine.userName())
}

// routeMembers serves the members of a group. They are no objects of their own: they can be listed, added and removed.
func (c *call) routeMembers(g *AffinityGroup, s []string) *reply {
	e := c.engine
	m, ok := map[string]struct {
		root, name, collection, what, missing string
		ids                                   *[]string
		title                                 func(id string) string
	}{
		"vms":        {"vms", "vm", "vms", "VM", "[The selected VM does not exist.]", &g.VMIDs, e.vmName},
		"hosts":      {"hosts", "host", "hosts", "VDS", "[Cannot edit Affinity Group. Host does not exist.]", &g.HostIDs, e.hostName},
		"vmlabels":   {"affinity_labels", "affinity_label", "affinitylabels", "LABEL", "[Affinity label does not exist.]", &g.VMLabelIDs, e.labelName},
		"hostlabels": {"affinity_labels", "affinity_label", "affinitylabels", "LABEL", "[Affinity label does not exist.]", &g.HostLabelIDs, e.labelName},
	}[s[0]]
	if !ok {
		return nil
	}
	gone := &refusal{status: 400, reason: "Operation Failed", detail: m.missing}
	changed := func(id string) {
		if m.what == "VM" {
			e.touch(e.vm(id))
		}
		c.groupChanged(g)
	}
	switch method := c.req.Method; {
	case len(s) == 1 && method == "GET":
		return c.plainList(m.root, len(*m.ids), func(x *xmlWriter, i int) {
			id := (*m.ids)[i]
			x.open(m.name, "href", apiRoot+"/"+m.collection+"/"+id, "id", id)
			x.text("name", m.title(id))
			x.close(m.name)
		})
	case len(s) == 1 && method == "POST":
		doc, r := c.parse(m.name)
		if r != nil {
			return c.refuse(r)
		}
		id := doc.attr("id")
		switch {
		case id == "" && m.name == "host" && doc.value("name") != "":
			h := find(e.hosts, func(h *host) bool { return h.Name == doc.value("name") })
			if h == nil {
				return c.refuse(notFoundNamed(doc.value("name")))
			}
			id = h.ID
		case id == "":
			return html(500, "Internal Server Error")
		}
		switch {
		case m.title(id) == "":
			return c.refuse(gone)
		case slices.Contains(*m.ids, id):
			return c.refuse(bad("Cannot edit Affinity Group. Duplicate %s.", m.what))
		}
		*m.ids = append(*m.ids, id)
		changed(id)
		if m.name != "vm" {
			return c.actionDone(nil, nil)
		}
		x := newDocument() // what came in goes out, with the status of an action
		x.open("vm", "id", id)
		doc.write(x)
		x.close("vm")
		return x.reply(200)
	case len(s) == 2 && method == "DELETE":
		switch {
		case m.title(s[1]) == "":
			return c.refuse(gone)
		case !slices.Contains(*m.ids, s[1]):
			return c.refuse(bad("Cannot edit Affinity Group. Provided %s is invalid (does not exist).", m.what))
		}
		*m.ids = slices.DeleteFunc(slices.Clone(*m.ids), func(id string) bool { return id == s[1] })
		changed(s[1])
		return c.actionDone(nil, nil)
	}
	return noMethod()
}

// vmName, hostName and labelName are the names of objects, "" where there is none.
func (e *engine) vmName(id string) string {
	if v := e.vm(id); v != nil {
		return v.name
	}
	return ""
}

func (e *engine) hostName(id string) string {
	if h := e.host(id); h != nil {
		return h.Name
	}
	return ""
}

func (e *engine) labelName(id string) string {
	if l := e.label(id); l != nil {
		return l.name
	}
	return ""
}
