package lab

import (
	"slices"
	"strings"
)

// belongings are what an OVF tells of a VM or template apart from itself: the names of its affinity groups and labels, and who has
// which roles on it (ovirt-engine FullEntityOvfData, OvfHelper.populateUserToRoles).
type belongings struct {
	groups, labels []string
	users          []ovfUser
}

// ovfUser is a user with the names of the roles that he has on the VM itself. Groups of users are not in an OVF.
type ovfUser struct {
	login, domain string
	roles         []string
}

func (e *engine) belongingsOf(kind, id string) belongings {
	var b belongings
	for _, g := range e.affinityGroups {
		if kind == "vm" && slices.Contains(g.VMIDs, id) {
			b.groups = append(b.groups, g.Name)
		}
	}
	for _, l := range e.labels {
		if kind == "vm" && slices.Contains(l.vms, id) {
			b.labels = append(b.labels, l.name)
		}
	}
	for _, p := range e.permissions {
		u := e.user(p.UserID)
		if p.Object != kind || p.ObjectID != id || u == nil {
			continue
		}
		at := slices.IndexFunc(b.users, func(o ovfUser) bool { return o.login == u.Login && o.domain == u.domain })
		if at < 0 {
			at = len(b.users)
			b.users = append(b.users, ovfUser{login: u.Login, domain: u.domain})
		}
		b.users[at].roles = append(b.users[at].roles, e.role(p.RoleID).Name)
	}
	return b
}

// joining is what a registered VM will belong to: the groups and labels with all members that they will have, and its permissions. What
// is not there is left out: with an event, or, where a group is of another cluster or in conflict with another one, without a word.
type joining struct {
	groups, labels []membership
	permissions    []Permission

	noGroups, noLabels, noUsers, noRoles []string
}

// membership is a group or label, by id, with the VMs that it will have.
type membership struct {
	id  string
	vms []string
}

// mapped is the name that a map gives; known decides whether the target exists. Else it is the original name
// (ovirt-engine DrMappingHelper).
func mapped(names map[string]string, original string, known func(string) bool) string {
	if to, ok := names[original]; ok && known(to) {
		return to
	}
	return original
}

func (e *engine) groupNamed(name string) *AffinityGroup {
	return find(e.affinityGroups, func(g *AffinityGroup) bool { return g.Name == name })
}

func (e *engine) labelNamed(name string) *label {
	return find(e.labels, func(l *label) bool { return l.name == name })
}

// joining reads what a VM of an OVF will belong to (ovirt-engine ImportVmFromConfigurationCommand.mapEntities and what removes the invalid
// ones).
func (e *engine) joining(o *incoming, g *registration, k *cluster) *joining {
	j := e.joiningUsers(o.users, g)
	var groups []*AffinityGroup
	for _, original := range o.groups {
		name := mapped(g.mappings.groups, original, func(name string) bool { return e.groupNamed(name) != nil })
		found := e.groupNamed(name)
		if found == nil {
			j.noGroups = append(j.noGroups, name)
			continue
		}
		next := *found
		next.VMIDs = slices.Clone(next.VMIDs)
		if !slices.Contains(next.VMIDs, o.as) {
			next.VMIDs = append(next.VMIDs, o.as)
		}
		groups = append(groups, &next)
	}
	_, conflicting := e.groupsConflict(groups)
	for _, next := range groups {
		if !slices.Contains(conflicting, next) && k != nil && next.ClusterID == k.ID {
			j.groups = append(j.groups, membership{id: next.ID, vms: next.VMIDs})
		}
	}
	for _, original := range o.labels {
		name := mapped(g.mappings.labels, original, func(name string) bool { return e.labelNamed(name) != nil })
		l := e.labelNamed(name)
		if l == nil {
			j.noLabels = append(j.noLabels, name)
			continue
		}
		vms := slices.Clone(l.vms)
		if !slices.Contains(vms, o.as) {
			vms = append(vms, o.as)
		}
		j.labels = append(j.labels, membership{id: l.id, vms: vms})
	}
	return j
}

// joiningUsers maps users and roles. The map of the domains is asked for the user's login, where its keys are domains: it never matches,
// unless somebody knows (ovirt-engine DrMappingHelper.mapDbUsers).
func (e *engine) joiningUsers(users []ovfUser, g *registration) *joining {
	j := &joining{}
	inDatabase := func(login, domain string) *user {
		return find(e.users(), func(u *user) bool { return u.Login == login && u.domain == domain })
	}
	for _, u := range users {
		if domain, ok := g.mappings.users[u.login]; ok && inDatabase(u.login, domain) != nil {
			u.domain = domain
		}
		var roles []*role
		for _, original := range u.roles {
			name := mapped(g.mappings.roles, original, func(name string) bool { return e.roleNamed(name) != nil })
			switch r := e.roleNamed(name); {
			case r != nil:
				roles = append(roles, r)
			case !slices.Contains(j.noRoles, name):
				j.noRoles = append(j.noRoles, name)
			}
		}
		known := inDatabase(u.login, u.domain)
		if known == nil {
			j.noUsers = append(j.noUsers, u.login+"@"+u.domain)
			continue
		}
		for _, r := range roles {
			j.permissions = append(j.permissions, Permission{UserID: known.ID, RoleID: r.ID})
		}
	}
	return j
}

// missing is the list in the event about what a registration left out; "" for nothing (ovirt-engine addAuditLogForPartialVMs).
func (j *joining) missing(disks []string) string {
	var b strings.Builder
	for _, m := range []struct {
		what  string
		names []string
	}{{"Disks", disks}, {"Affinity groups", j.noGroups}, {"Affinity labels", j.noLabels}, {"Users", j.noUsers}, {"Roles", j.noRoles}} {
		if len(m.names) > 0 {
			b.WriteString(m.what + ": " + strings.Join(m.names, ", ") + " ")
		}
	}
	return b.String()
}

// join writes what was read: the whole list of members, whatever came in between (ovirt-engine AffinityGroupDao.update, LabelDao.update:
// affinity_groups_sp.sql, labels_sp.sql).
func (e *engine) join(v *vm, j *joining) {
	there := func(ids []string) []string {
		return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return e.vm(id) == nil })
	}
	for _, m := range j.groups {
		if g := e.affinityGroup(m.id); g != nil {
			g.VMIDs = there(m.vms)
		}
	}
	for _, m := range j.labels {
		if l := e.label(m.id); l != nil {
			l.vms = there(m.vms)
		}
	}
	e.give(j, "vm", v.id)
}

// give adds the permissions on an object.
func (e *engine) give(j *joining, kind, id string) {
	for _, p := range j.permissions {
		p.ID, p.Object, p.ObjectID = e.lab.newID(), kind, id
		e.permissions = append(e.permissions, &p)
	}
}
