package lab

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// related is the two-site world with what a VM belongs to on the primary, and other names for it on the secondary. vm1 has an admin
// ann, in the roles UserRole and a custom one, and vm1 to vm3 are in one group and have one label.
func related(change func(primary, secondary *Site)) World {
	w := TwoSites(TwoSitesOptions{})
	p, s := &w.Sites[0], &w.Sites[1]
	vms := []string{vmID(1), vmID(2), vmID(3)}
	rule := AffinityRule{Enabled: true, Positive: true}
	p.AffinityGroups = []AffinityGroup{{ID: uuidOf("p/group"), Name: "web", ClusterID: p.Clusters[0].ID, VMsRule: rule, VMIDs: vms}}
	s.AffinityGroups = []AffinityGroup{{ID: uuidOf("s/group"), Name: "web-dr", ClusterID: s.Clusters[0].ID, VMsRule: rule},
		{ID: uuidOf("s/own"), Name: "web", ClusterID: s.Clusters[0].ID, VMsRule: rule}}
	p.AffinityLabels = []AffinityLabel{{ID: uuidOf("p/label"), Name: "ssd", VMIDs: vms}}
	s.AffinityLabels = []AffinityLabel{{ID: uuidOf("s/label"), Name: "fast"}, {ID: uuidOf("s/label2"), Name: "ssd"}}
	ann := DirectoryUser{ID: uuidOf("ann"), Login: "ann", Added: true}
	p.AAADomains = []AAADomain{{Name: "corp-authz", Users: []DirectoryUser{ann}}}
	s.AAADomains = []AAADomain{{Name: "corp-authz", Users: []DirectoryUser{{ID: uuidOf("s/ann"), Login: "ann", Added: true}}},
		{Name: "dr-authz", Users: []DirectoryUser{{ID: uuidOf("dr/ann"), Login: "ann", Added: true}}}}
	p.Roles = []Role{{ID: uuidOf("p/role"), Name: "Operator1", Permits: []string{"run_vm"}}}
	s.Roles = []Role{{ID: uuidOf("s/role"), Name: "Operator2", Permits: []string{"run_vm"}}}
	p.Permissions = []Permission{{ID: uuidOf("p/perm1"), UserID: ann.ID, RoleID: uuidOf("p/role"), Object: "vm", ObjectID: vmID(1)}}
	if change != nil {
		change(p, s)
	}
	return w
}

// mappedBody is a register action with mappings by name: kind, from and to.
func mappedBody(maps ...[3]string) string {
	lists := map[string]string{"cluster": "cluster_mappings", "role": "role_mappings", "domain": "domain_mappings",
		"affinity_group": "affinity_group_mappings", "affinity_label": "affinity_label_mappings"}
	var b strings.Builder
	b.WriteString(`<action><cluster><name>Recovery</name></cluster><registration_configuration>`)
	for _, m := range maps {
		fmt.Fprintf(&b, `<%[1]s><registration_%[2]s_mapping><from><name>%[3]s</name></from><to><name>%[4]s</name></to></registration_%[2]s_mapping></%[1]s>`, lists[m[0]], m[0], m[1], m[2])
	}
	b.WriteString(`</registration_configuration></action>`)
	return b.String()
}

// partsLeftOut is the text of the only event 1188, "" without one.
func (r *rig) partsLeftOut() string {
	r.t.Helper()
	list := r.get("secondary", "/events?search=type%3D1188").all("event")
	if len(list) == 0 {
		return ""
	}
	return list[0].value("description")
}

// TestMappingsByName: what a VM of the OVF store joins at the other site (ovirt-engine DrMappingHelper,
// ImportVmFromConfigurationCommand.removeInvalidAffinityGroups and its like).
func TestMappingsByName(t *testing.T) {
	t.Parallel()
	type result struct{ groups, labels, users, left string }
	for _, tc := range []struct {
		name   string
		change func(p, s *Site)
		maps   [][3]string
		want   result
	}{
		{"no map: the names of the source", nil, nil, result{"web", "ssd", "", "Roles: Operator1 "}},
		{"mapped", nil, [][3]string{{"affinity_group", "web", "web-dr"}, {"affinity_label", "ssd", "fast"}, {"role", "Operator1", "Operator2"}},
			result{"web-dr", "fast", "ann@corp-authz Operator2", ""}},
		{"mapped to nothing: the original", nil, [][3]string{{"affinity_group", "web", "nowhere"}, {"affinity_label", "ssd", "nowhere"}, {"role", "Operator1", "nowhere"}},
			result{"web", "ssd", "", "Roles: Operator1 "}},
		{"the original is missing too", func(_, s *Site) { s.AffinityGroups, s.AffinityLabels, s.AAADomains = nil, nil, nil }, nil,
			result{"", "", "", "Affinity groups: web Affinity labels: ssd Users: ann@corp-authz Roles: Operator1 "}},
		{"a group of another cluster, without a word", func(_, s *Site) {
			other := s.Clusters[0]
			other.ID, other.Name = uuidOf("s/other"), "Other"
			s.Clusters = append(s.Clusters, other)
			s.AffinityGroups[1].ClusterID = other.ID
		}, nil, result{"", "ssd", "", "Roles: Operator1 "}},
		{"groups in conflict, without a word", func(p, s *Site) {
			hard := func(positive bool) AffinityRule {
				return AffinityRule{Enabled: true, Enforcing: true, Positive: positive}
			}
			host := s.Hosts[0].ID
			p.AffinityGroups = append(p.AffinityGroups, AffinityGroup{ID: uuidOf("p/never"), Name: "never", ClusterID: p.Clusters[0].ID, VMIDs: []string{vmID(1)}})
			s.AffinityGroups[1].HostsRule, s.AffinityGroups[1].HostIDs = hard(true), []string{host}
			s.AffinityGroups = append(s.AffinityGroups, AffinityGroup{ID: uuidOf("s/never"), Name: "never", ClusterID: s.Clusters[0].ID, HostsRule: hard(false), HostIDs: []string{host}})
		}, nil, result{"", "ssd", "", "Roles: Operator1 "}},
		{"a map of domains has no effect", nil, [][3]string{{"domain", "corp-authz", "dr-authz"}, {"role", "Operator1", "Operator2"}},
			result{"web", "ssd", "ann@corp-authz Operator2", ""}},
		{"a map of domains by login has", nil, [][3]string{{"domain", "ann", "dr-authz"}, {"role", "Operator1", "Operator2"}},
			result{"web", "ssd", "ann@dr-authz Operator2", ""}},
		{"a login mapped to a domain without that user", nil, [][3]string{{"domain", "ann", "nowhere"}, {"role", "Operator1", "Operator2"}},
			result{"web", "ssd", "ann@corp-authz Operator2", ""}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r := rigOf(t, related(tc.change))
			r.ok(r.lab.Disaster("primary"))
			r.ok(r.lab.Promote("nfs_ds"))
			r.takeOver()
			r.registerAll(0)
			r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", mappedBody(tc.maps...))
			var got result
			for _, k := range []string{uuidOf("secondary/cluster"), uuidOf("s/other")} {
				for _, g := range r.get("secondary", "/clusters/"+k+"/affinitygroups").all("affinity_group") {
					if g.child("vms", "vm").attr("id") == vmID(1) {
						got.groups += g.value("name")
					}
				}
				if len(r.lab.engine("secondary").clusters) == 1 {
					break
				}
			}
			for _, l := range r.get("secondary", "/vms/"+vmID(1)+"/affinitylabels").all("affinity_label") {
				got.labels += l.value("name")
			}
			for _, p := range r.get("secondary", "/vms/"+vmID(1)+"/permissions").all("permission") {
				user := r.get("secondary", "/users/"+p.child("user").attr("id"))
				if name := user.value("user_name"); strings.HasPrefix(name, "ann") {
					got.users += name + " " + r.get("secondary", "/roles/"+p.child("role").attr("id")).value("name")
				}
			}
			if text := r.partsLeftOut(); text != "" {
				_, rest, _ := strings.Cut(text, "imported VM vm1: '")
				got.left, _, _ = strings.Cut(rest, "'")
			}
			if got != tc.want {
				t.Errorf("got  %+v\nwant %+v", got, tc.want)
			}
		})
	}
}

// TestMappingsThatBreakTheRequest: what the REST layer says about the lists themselves (ovirt-engine BackendStorageDomainVmResource,
// ExternalRegistrationConfigurationMapper). A template's are not checked.
func TestMappingsThatBreakTheRequest(t *testing.T) {
	t.Parallel()
	const name = `<name>web</name>`
	entry := func(kind, inner string) string {
		return "<registration_" + kind + "_mapping>" + inner + "</registration_" + kind + "_mapping>"
	}
	from, to := "<from>"+name+"</from>", "<to>"+name+"</to>"
	texts := map[string][2]string{
		"cluster": {"Cluster name is missing from source.", "Cluster name is missing from destination."},
		"role":    {"Role name is missing from source.", "Role is missing from destination."}, "domain": {"Domain name is missing from source.", "Domain name is missing from destination."},
		"affinity_group": {"AffinityGroup name is missing from source.", "AffinityGroup name is missing from destination."},
		"affinity_label": {"AffinityLabel name is missing from source.", "AffinityLabel name is missing from destination."},
		"lun":            {"Lun id is missing from source.", "Lun is missing from destination."},
	}
	r := rigOf(t, related(nil))
	r.ok(r.lab.Disaster("primary"))
	r.ok(r.lab.Promote("nfs_ds"))
	r.takeOver()
	for kind, text := range texts {
		for _, tc := range []struct {
			name, entries string
			vm, template  int
			text          string
		}{
			{"no source", entry(kind, to), 400, 0, text[0]},
			{"no target", entry(kind, from), 400, 500, text[1]},
			{"a source twice", entry(kind, from+to) + entry(kind, from+to), 500, 500, "<html>"},
			{"two sources without a name", entry(kind, "<from/>"+to) + entry(kind, "<from/>"+to), 500, 500, "<html>"},
			{"a target without a name", entry(kind, from+"<to/>"), 500, 500, "<html>"},
		} {
			if kind == "lun" && tc.name == "a target without a name" {
				continue // a LUN has none
			}
			body := `<action><registration_configuration><` + kind + `_mappings>` + tc.entries + `</` + kind + `_mappings></registration_configuration></action>`
			r.want(tc.vm, tc.text, "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", body)
			if tc.template != 0 {
				r.want(tc.template, "<html>", "secondary", "POST", "/storagedomains/"+dsID+"/templates/"+rhelID+"/register", body)
			}
		}
	}
	// An empty name is a name, and one source without a name is no trouble.
	r.registerAll(0)
	r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(1)+"/register", mappedBody([3]string{"affinity_group", "web", ""}))
	r.want(200, "", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(2)+"/register",
		`<action><cluster><name>Recovery</name></cluster><registration_configuration><role_mappings>`+entry("role", "<from/>"+to)+`</role_mappings></registration_configuration></action>`)
}

// TestParallelRegistrationsLoseMembers: each writes the list of members that it has read (ovirt-engine AffinityGroupDao.update,
// LabelDao.update). One after the other they all get in.
func TestParallelRegistrationsLoseMembers(t *testing.T) {
	t.Parallel()
	members := func(r *rig) (group, label int) {
		g := r.get("secondary", "/clusters/"+uuidOf("secondary/cluster")+"/affinitygroups/"+uuidOf("s/own"))
		return len(g.child("vms").all("vm")), len(r.get("secondary", "/affinitylabels/"+uuidOf("s/label2")+"/vms").all("vm"))
	}
	begin := func() *rig {
		r := rigOf(t, related(nil))
		r.ok(r.lab.Disaster("primary"))
		r.ok(r.lab.Promote("nfs_ds"))
		r.takeOver()
		r.registerAll(0)
		return r
	}
	register := func(r *rig, n int) {
		r.want(200, "<status>complete</status>", "secondary", "POST", "/storagedomains/"+dsID+"/vms/"+vmID(n)+"/register", mappedBody())
	}
	r := begin()
	for n := 1; n <= 3; n++ {
		register(r, n)
	}
	if g, l := members(r); g != 3 || l != 3 {
		t.Errorf("one after the other: %d in the group, %d with the label", g, l)
	}
	r = begin()
	r.clock.onWait = func() { // while the first one waits for its job, a quarter of a second after it
		r.clock.pass(-time.Second)
		register(r, 2)
	}
	register(r, 1)
	r.clock.pass(time.Minute)
	if a, b := r.vmView("secondary", 1).Status, r.vmView("secondary", 2).Status; a != "down" || b != "down" {
		t.Fatalf("registered: %s %s", a, b)
	}
	if g, l := members(r); g != 1 || l != 1 {
		t.Errorf("two at a time: %d in the group, %d with the label", g, l)
	}
}
