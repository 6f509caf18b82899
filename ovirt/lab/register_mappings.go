package lab

import "net/http"

// mappings are those of a registration's configuration, by the name, or for a LUN the id, that the OVF has. A list that the request
// does not have is nil.
type mappings struct {
	clusters, groups, labels, roles, users map[string]string

	luns map[string]*ovfLUN // a nil LUN is a target that is no LUN
}

// mappingLists are the lists by name, in the order in which the REST layer makes maps of them.
var mappingLists = []struct{ list, item string }{
	{"affinity_group_mappings", "registration_affinity_group_mapping"}, {"affinity_label_mappings", "registration_affinity_label_mapping"},
	{"cluster_mappings", "registration_cluster_mapping"}, {"role_mappings", "registration_role_mapping"},
	{"domain_mappings", "registration_domain_mapping"},
}

// checkMappings wants a source and a target in each mapping (ovirt-engine BackendStorageDomainVmResource). Nobody asks whether they have
// names.
func checkMappings(config *node) *refusal {
	for _, m := range []struct{ list, item, from, to string }{
		{"cluster_mappings", "registration_cluster_mapping", "Cluster name", "Cluster name"},
		{"role_mappings", "registration_role_mapping", "Role name", "Role"},
		{"domain_mappings", "registration_domain_mapping", "Domain name", "Domain name"},
		{"affinity_group_mappings", "registration_affinity_group_mapping", "AffinityGroup name", "AffinityGroup name"},
		{"affinity_label_mappings", "registration_affinity_label_mapping", "AffinityLabel name", "AffinityLabel name"},
		{"lun_mappings", "registration_lun_mapping", "Lun id", "Lun"},
	} {
		for _, item := range config.child(m.list).all(m.item) {
			missing := ""
			if item.child("from") == nil {
				missing = m.from + " is missing from source."
			} else if item.child("to") == nil {
				missing = m.to + " is missing from destination."
			}
			if missing != "" {
				return &refusal{status: http.StatusBadRequest, reason: "Operation Failed", detail: missing, bare: true}
			}
		}
	}
	return nil
}

// noName is the key of a mapping without the name of its source, which the map takes once.
const noName = "\x00"

// readMappings makes maps of the lists. It fails where Java's does: a source that comes twice, or a target without a name
// (ovirt-engine ExternalRegistrationConfigurationMapper, Collectors.toMap). An empty name is a name.
func readMappings(config *node) (m mappings, ok bool) {
	for i, to := range []*map[string]string{&m.groups, &m.labels, &m.clusters, &m.roles, &m.users} {
		list := config.child(mappingLists[i].list)
		if list == nil {
			continue
		}
		*to = map[string]string{}
		for _, item := range list.all(mappingLists[i].item) {
			key := noName
			if name := item.child("from", "name"); name != nil {
				key = item.value("from", "name")
			}
			if _, twice := (*to)[key]; twice || item.child("to", "name") == nil {
				return m, false
			}
			(*to)[key] = item.value("to", "name")
		}
	}
	list := config.child("lun_mappings")
	if list == nil {
		return m, true
	}
	m.luns = map[string]*ovfLUN{}
	for _, item := range list.all("registration_lun_mapping") {
		key := blankID
		if unit := item.child("from", "lun_storage", "logical_units", "logical_unit"); unit != nil {
			key = unit.attr("id")
		}
		if _, twice := m.luns[key]; twice || item.child("to") == nil {
			return m, false
		}
		m.luns[key] = readLUN(item.child("to", "lun_storage"))
	}
	return m, true
}

// readLUN is the LUN of a request's disk, nil for a disk without one. Its connections are of the LUN's own type.
func readLUN(storage *node) *ovfLUN {
	if storage == nil {
		return nil
	}
	o := &ovfLUN{kind: storage.value("type")}
	for _, unit := range storage.child("logical_units").all("logical_unit") {
		if o.id == "" {
			o.id = unit.attr("id")
		}
		if address := unit.value("address"); address != "" {
			port, no := portOf(unit)
			if no != nil {
				port = 0
			}
			o.conns = append(o.conns, connection{kind: o.kind, address: address, port: port, target: unit.value("target"),
				username: unit.value("username"), password: unit.value("password")})
		}
	}
	if len(o.conns) == 0 { // nothing to log in to (ovirt-engine ImportVmCommand.validateLunDisk)
		o.kind = kindFCP
	}
	return o
}

// incoming is a VM that is being registered: its row, and what it will be called.
type incoming struct {
	ovfVM
	row       *ovfVM
	as, named string
}

// mapLUNs puts the mapped LUNs in the place of those in the OVF (ovirt-engine DrMappingHelper.mapExternalLunDisks), which cannot be a
// disk of another kind.
func (m *mappings) mapLUNs(row *ovfVM) (*incoming, bool) {
	o := &incoming{ovfVM: *row, row: row}
	o.disks = nil
	for _, k := range row.disks {
		if k.lun != nil {
			if to, mapped := m.luns[k.lun.id]; mapped {
				if to == nil {
					return nil, false
				}
				k.lun = to
			}
		}
		o.disks = append(o.disks, k)
	}
	return o, true
}

// registrationID decides which id and which name a VM will have.
func (e *engine) registrationID(o *incoming, g *registration) {
	o.as, o.named = o.id, o.name
	if g.clone {
		o.as = e.lab.newID()
	}
	if g.name != "" {
		o.named = g.name
	}
}
