package lab

import (
	"cmp"
	"slices"
	"strings"
)

// admin is the part of an engine's database that is neither compute, network nor storage: who may do what, and the names that
// people give to groups of things.
type admin struct {
	affinityGroups []*AffinityGroup
	labels         []*label
	tags           []*Tag
	directories    []*directory
	roles          []*role
	permissions    []*Permission
	quotas         []*Quota
	cpuProfiles    []*Profile
	diskProfiles   []*Profile
	qoss           []*QoS
	bookmarks      []*Bookmark
}

func clones[T any](list []T) []*T {
	var out []*T
	for _, v := range list {
		out = append(out, &v)
	}
	return out
}

// buildAdmin takes over what the world declares and adds what an engine has from its setup on.
func (e *engine) buildAdmin(spec Site) {
	for _, g := range spec.AffinityGroups {
		g.VMIDs, g.HostIDs = slices.Clone(g.VMIDs), slices.Clone(g.HostIDs)
		g.VMLabelIDs, g.HostLabelIDs = slices.Clone(g.VMLabelIDs), slices.Clone(g.HostLabelIDs)
		e.affinityGroups = append(e.affinityGroups, &g)
	}
	for _, l := range spec.AffinityLabels {
		e.labels = append(e.labels, &label{id: l.ID, name: l.Name, readOnly: l.ReadOnly, implicit: l.Implicit,
			vms: slices.Clone(l.VMIDs), hosts: slices.Clone(l.HostIDs)})
	}
	for _, t := range spec.Tags {
		t.ParentID = cmp.Or(t.ParentID, blankID)
		t.VMIDs, t.HostIDs, t.TemplateIDs = slices.Clone(t.VMIDs), slices.Clone(t.HostIDs), slices.Clone(t.TemplateIDs)
		e.tags = append(e.tags, &t)
	}
	e.buildRoles(spec.Roles)
	e.permissions = clones(spec.Permissions)
	e.buildDirectories(spec)
	e.permissions = append(e.permissions, &Permission{ID: uuidOf(spec.Name + "/permission/superuser"), UserID: e.ownUser().ID, RoleID: superUser, Object: "system"})
	e.qoss = clones(spec.QoSs)
	e.bookmarks = clones(spec.Bookmarks)
	e.cpuProfiles, e.diskProfiles = clones(spec.CPUProfiles), clones(spec.DiskProfiles)
	for _, q := range spec.Quotas {
		q.ClusterLimits, q.StorageLimits = slices.Clone(q.ClusterLimits), slices.Clone(q.StorageLimits)
		e.quotas = append(e.quotas, &q)
	}
	for _, dc := range e.dcs {
		e.addDefaultQuota(dc)
	}
	for _, k := range e.clusters {
		if find(e.cpuProfiles, func(p *Profile) bool { return p.ParentID == k.ID }) == nil {
			e.cpuProfiles = append(e.cpuProfiles, &Profile{ID: uuidOf(k.ID + "/cpuprofile"), Name: k.Name, ParentID: k.ID})
		}
	}
}

// rest is one collection of the API: what it has, and which methods it takes. Methods that are nil answer 405, as the engine does
// for paths that exist.
type rest[T any] struct {
	root   string // element of the list
	all    []T
	id     func(T) string
	write  func(*xmlWriter, T)
	search *searchSpec[T] // nil: search is ignored
	add    func() *reply
	update func(T) *reply
	remove func(T) *reply
	sub    func(T, []string) *reply // below one object; nil: nothing
}

// serve answers a request for a collection, whose path's rest is s.
func serve[T any](c *call, s []string, r rest[T]) *reply {
	method := strings.Replace(c.req.Method, "HEAD", "GET", 1)
	if len(s) == 0 {
		switch {
		case method == "GET" && r.search != nil:
			return list(c, r.root, r.search, r.all, r.write)
		case method == "GET":
			return c.plainList(r.root, len(r.all), func(x *xmlWriter, i int) { r.write(x, r.all[i]) })
		case method == "POST" && r.add != nil:
			return r.add()
		}
		return noMethod()
	}
	at := slices.IndexFunc(r.all, func(v T) bool { return strings.EqualFold(r.id(v), s[0]) })
	if at < 0 {
		return c.notFound()
	}
	v := r.all[at]
	if len(s) > 1 {
		if r.sub != nil {
			if answer := r.sub(v, s[1:]); answer != nil {
				return answer
			}
		}
		return c.notFound()
	}
	switch {
	case method == "GET":
		return single(v, r.write)
	case method == "PUT" && r.update != nil:
		return r.update(v)
	case method == "DELETE" && r.remove != nil:
		return r.remove(v)
	}
	return noMethod()
}

// plainList answers a collection that is no search: only max is obeyed (ovirt-engine BackendResource.getBackendCollection).
func (c *call) plainList(root string, n int, write func(x *xmlWriter, i int)) *reply {
	if limit := c.number("max"); limit >= 0 {
		n = min(n, limit)
	}
	c.items = n
	x := newXML(root)
	for i := range n {
		write(x, i)
	}
	return x.reply(200)
}
