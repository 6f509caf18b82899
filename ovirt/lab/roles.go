package lab

import (
	"slices"
	"strconv"
	"strings"
)

// superUser is the role that may do everything.
const superUser = "00000000-0000-0000-0000-000000000001"

// permit is something that a role may allow (ovirt-engine ActionGroup).
type permit struct {
	id             int
	name           string
	administrative bool // only an administrative role can have it
}

var permits = []permit{
	{1, "create_vm", false},
	{2, "delete_vm", false},
	{3, "edit_vm_properties", false},
	{17, "reboot_vm", false},
	{23, "reset_vm", false},
	{18, "stop_vm", false},
	{19, "shut_down_vm", false},
	{21, "hibernate_vm", false},
	{22, "run_vm", false},
	{5, "change_vm_cd", false},
	{6, "migrate_vm", false},
	{1664, "connect_to_serial_console", false},
	{7, "connect_to_vm", false},
	{8, "import_export_vm", true},
	{9, "configure_vm_network", false},
	{10, "configure_vm_storage", false},
	{11, "move_vm", false},
	{12, "manipulate_vm_snapshots", false},
	{13, "reconnect_to_vm", false},
	{14, "change_vm_custom_properties", true},
	{15, "edit_admin_vm_properties", true},
	{16, "create_instance", false},
	{100, "create_host", true},
	{101, "edit_host_configuration", true},
	{102, "delete_host", true},
	{103, "manipulate_host", true},
	{104, "configure_host_network", true},
	{200, "create_template", false},
	{201, "edit_template_properties", false},
	{202, "delete_template", false},
	{203, "copy_template", false},
	{204, "configure_template_network", false},
	{205, "edit_admin_template_properties", true},
	{300, "create_vm_pool", false},
	{301, "edit_vm_pool_configuration", false},
	{302, "delete_vm_pool", false},
	{303, "vm_pool_basic_operations", false},
	{400, "create_cluster", true},
	{401, "edit_cluster_configuration", true},
	{402, "delete_cluster", true},
	{403, "configure_cluster_network", true},
	{404, "assign_cluster_network", true},
	{500, "manipulate_users", true},
	{501, "manipulate_roles", true},
	{502, "manipulate_permissions", false},
	{503, "add_users_and_groups_from_directory", false},
	{504, "edit_profile", false},
	{600, "create_storage_domain", true},
	{601, "edit_storage_domain_configuration", true},
	{602, "delete_storage_domain", true},
	{603, "manipulate_storage_domain", true},
	{700, "create_storage_pool", true},
	{701, "delete_storage_pool", true},
	{702, "edit_storage_pool_configuration", true},
	{703, "configure_storage_pool_network", true},
	{704, "create_storage_pool_network", true},
	{705, "delete_storage_pool_network", true},
	{800, "configure_engine", true},
	{900, "configure_quota", true},
	{901, "consume_quota", false},
	{1000, "create_gluster_volume", true},
	{1001, "manipulate_gluster_volume", true},
	{1002, "delete_gluster_volume", true},
	{1003, "manipulate_gluster_hook", true},
	{1004, "manipulate_gluster_service", true},
	{1100, "create_disk", false},
	{1101, "attach_disk", false},
	{1102, "edit_disk_properties", false},
	{1103, "configure_disk_storage", false},
	{1104, "delete_disk", false},
	{1105, "configure_scsi_generic_io", true},
	{1106, "access_image_storage", false},
	{1107, "disk_live_storage_migration", false},
	{1108, "sparsify_disk", false},
	{1109, "reduce_disk", true},
	{1110, "backup_disk", true},
	{1203, "configure_network_vnic_profile", true},
	{1204, "create_network_vnic_profile", true},
	{1205, "delete_network_vnic_profile", true},
	{1300, "login", false},
	{1400, "inject_external_events", true},
	{1500, "inject_external_tasks", true},
	{1301, "tag_management", true},
	{1302, "bookmark_management", true},
	{1303, "event_notification_management", true},
	{1304, "audit_log_management", true},
	{1550, "manipulate_affinity_groups", true},
	{1560, "configure_storage_disk_profile", true},
	{1561, "create_storage_disk_profile", true},
	{1562, "delete_storage_disk_profile", true},
	{1563, "attach_disk_profile", false},
	{1660, "create_mac_pool", true},
	{1661, "edit_mac_pool", true},
	{1662, "delete_mac_pool", true},
	{1663, "configure_mac_pool", true},
	{1665, "delete_cpu_profile", true},
	{1666, "update_cpu_profile", true},
	{1667, "create_cpu_profile", true},
	{1668, "assign_cpu_profile", true},
}

// role is a role; a predefined one is not mutable.
type role struct {
	Role
	mutable bool
}

// predefinedRoles are those of every engine, with the permits' ids (ovirt-engine 00500_insert_roles.sql,
// 00700_insert_roles_groups.sql).
var predefinedRoles = []struct{ id, name, description, kind, permits string }{
	{"00000000-0000-0000-0000-000000000001", "SuperUser", "Roles management administrator", "admin", "1-3 5-15 17-19 21 22 100-104 200-205 300-303 400-404 500-503 600-603 700-705 800 900 901 1000-1004 1100-1107 1203-1205 1300-1304 1400 1500 1550 1560-1563 1660-1668"},
	{"00000000-0000-0000-0001-000000000001", "UserRole", "Standard User Role", "user", "5 7 17-19 21 22 303 1106 1300"},
	{"00000000-0000-0000-0001-000000000002", "PowerUserRole", "User Role, allowed to create VMs, Templates and Disks", "user", "1 200 1100 1106 1300 1563 1665-1668"},
	{"def00001-0000-0000-0000-def000000001", "ClusterAdmin", "Administrator Role, permission for all the objects underneath a specific Cluster", "admin", "1-3 5-12 14 15 17-19 21 22 100-104 300-303 400-403 502 503 1100-1104 1107 1300-1304 1550 1563 1665-1668"},
	{"def00002-0000-0000-0000-def000000002", "DataCenterAdmin", "Administrator Role, permission for all the objects underneath a specific Data Center, except Storage", "admin", "1-3 5-12 14 15 17-19 21 22 100-104 200-205 300-303 400-404 502 503 700-705 900 901 1100-1105 1107 1203-1205 1300-1304 1550 1563 1663 1665-1668"},
	{"def00003-0000-0000-0000-def000000003", "StorageAdmin", "Administrator Role, permission for all operations on a specific Storage Domain", "admin", "600-603 1100-1104 1106 1107 1300-1304 1560-1563"},
	{"def00004-0000-0000-0000-def000000004", "HostAdmin", "Administrator Role, permission for all operations on a specific Host", "admin", "100-104 600-603 1300-1304 1560-1563"},
	{"def00005-0000-0000-0000-def000000005", "NetworkAdmin", "Administrator Role, permission for all operations on a specific Logical Network", "admin", "9 104 204 403 404 703-705 1203-1205 1300-1304"},
	{"def00006-0000-0000-0000-def000000006", "UserVmManager", "User Role, with permission for any operation on Vms", "user", "1-3 5 7 9 10 12 17-19 21 22 502 503 1100-1102 1104 1300 1664 1668"},
	{"def00007-0000-0000-0000-def000000007", "VmPoolAdmin", "Administrator Role, permission for all operations on a specific VM Pool", "admin", "1 300-303 1300-1304 1668"},
	{"def00008-0000-0000-0000-def000000008", "TemplateAdmin", "Administrator Role, permission for all operations on a specific Template", "admin", "200-205 502 503 1106 1300-1304"},
	{"def0000a-0000-0000-0000-def00000000a", "QuotaConsumer", "User Role, permissions to consume the Quota resources", "user", "901"},
	{"def0000a-0000-0000-0000-def00000000b", "DiskOperator", "User Role, permissions for all operations on a specific disk", "user", "502 503 1100-1102 1104 1300"},
	{"def0000a-0000-0000-0000-def00000000c", "DiskCreator", "User Role, permission to create Disks", "user", "1100 1300"},
	{"def0000b-0000-0000-0000-def00000000b", "GlusterAdmin", "Administrator Role, permissions for operations on Gluster objects", "admin", "100-104 400-404 1000-1004 1300-1304"},
	{"def0000a-0000-0000-0000-def00000000d", "VmCreator", "User Role, permission to create VMs", "user", "1 1100 1300 1668"},
	{"def0000a-0000-0000-0000-def00000000e", "TemplateCreator", "User Role, permission to create Templates", "user", "200 1300"},
	{"def0000a-0000-0000-0000-def00000000f", "TemplateOwner", "User Role, permissions for all operations on Templates", "user", "201-204 502 503 1300"},
	{"def0000c-0000-0000-0000-def000000000", "ExternalEventsCreator", "External Events Creator", "user", "1400"},
	{"def0000d-0000-0000-0000-def000000000", "ExternalTasksCreator", "External Tasks Creator", "user", "1500"},
	{"def0000a-0000-0000-0000-def000000010", "VnicProfileUser", "VM Network Interface Profile User", "user", "9 204 1300"},
	{"def00009-0000-0000-0000-def000000009", "UserTemplateBasedVm", "Template User", "user", "1 1668"},
	{"def00011-0000-0000-0000-def000000011", "InstanceCreator", "User Role, permission to create Instances", "user", "16 1100 1300"},
	{"def00012-0000-0000-0000-def000000012", "UserInstanceManager", "User Role, with permission for any operation on Instances", "user", "2 3 5 7 10 12 17-19 21 22 502 503 1100-1102 1104 1300 1664"},
	{"def0000c-0000-0000-0000-def00000000c", "ReadOnlyAdmin", "Read Only Administrator Role", "admin", "1300"},
	{"def00011-0000-0000-0000-def000000013", "TagManager", "Tag Manager", "admin", "1300 1301 1304"},
	{"def00011-0000-0000-0000-def000000014", "BookmarkManager", "Bookmark Manager", "admin", "1300 1302 1304"},
	{"def00011-0000-0000-0000-def000000015", "EventNotificationManager", "Event Notification Manager", "admin", "1300 1303 1304"},
	{"def00011-0000-0000-0000-def000000016", "AuditLogManager", "Audit Log Manager", "admin", "1300 1304"},
	{"def00013-0000-0000-0000-def000000013", "MacPoolAdmin", "MAC Pool Administrator Role, permission for manipulation with MAC pools", "admin", "1300 1660-1663"},
	{"def00014-0000-0000-0000-def000000014", "MacPoolUser", "MAC Pool User Role, permission allowing using MAC pools", "user", "1300 1663"},
	{"def00020-0000-0000-0000-abc000000010", "DiskProfileUser", "Disk Profile User", "user", "1563"},
	{"def00006-0000-0000-0000-def000000011", "UserVmRunTimeManager", "User Role, with permissions for any operations on VMs except snapshot manipulation", "user", "1-3 5 7 9 10 17-19 21 22 502 503 1100-1102 1104 1300 1668"},
	{"def00021-0000-0000-0000-def000000015", "UserProfileEditor", "Role that allow users to edit the UserProfile", "user", "504"},
	{"def00030-0000-0000-0000-def000000011", "VmImporterExporter", "Administrator Role, with permission to import or export Vms", "admin", "8 1300 1563 1668"},
	{"def00017-0000-0000-0000-def000000017", "CpuProfileOperator", "Cpu Profile Operation", "user", "1668"},
	{"def00016-0000-0000-0000-def000000016", "CpuProfileCreator", "Cpu Profile Creation/Deletion/Updating and Operation", "admin", "1665-1668"},
}

func permitNamed(name string) *permit {
	for i := range permits {
		if permits[i].name == strings.ToLower(name) {
			return &permits[i]
		}
	}
	return nil
}

// predefinedRole returns a role of every engine by id, or nil.
func predefinedRole(id string) *role {
	for _, p := range predefinedRoles {
		if p.id == strings.ToLower(id) {
			r := &role{Role: Role{ID: p.id, Name: p.name, Description: p.description, Administrative: p.kind == "admin"}}
			for _, part := range strings.Fields(p.permits) {
				from, to, span := strings.Cut(part, "-")
				first, _ := strconv.Atoi(from)
				last := first
				if span {
					last, _ = strconv.Atoi(to)
				}
				for _, known := range permits {
					if known.id >= first && known.id <= last {
						r.Permits = append(r.Permits, known.name)
					}
				}
			}
			return r
		}
	}
	return nil
}

func (e *engine) buildRoles(own []Role) {
	for _, p := range predefinedRoles {
		e.roles = append(e.roles, predefinedRole(p.id))
	}
	for _, r := range own {
		r.Permits = slices.Clone(r.Permits)
		e.roles = append(e.roles, &role{Role: r, mutable: true})
	}
}

func (e *engine) role(id string) *role {
	return find(e.roles, func(r *role) bool { return strings.EqualFold(r.ID, id) })
}

// roleNamed returns a role by name, or nil.
func (e *engine) roleNamed(name string) *role {
	return find(e.roles, func(r *role) bool { return r.Name == name })
}

func writeRole(x *xmlWriter, r *role) {
	href := apiRoot + "/roles/" + r.ID
	x.open("role", "href", href, "id", r.ID)
	x.text("name", r.Name)
	x.text("description", r.Description)
	x.links(href, "permits")
	x.bool("administrative", r.Administrative)
	x.bool("mutable", r.mutable)
	x.close("role")
}

func (c *call) routeRoles(s []string) *reply {
	return serve(c, s, rest[*role]{root: "roles", all: c.engine.roles, id: func(r *role) string { return r.ID }, write: writeRole,
		add: c.postRole, update: c.putRole, remove: c.deleteRole,
		sub: func(r *role, s []string) *reply {
			if s[0] != "permits" {
				return nil
			}
			return c.routePermits(r, s[1:])
		}})
}

// roleTaken is ACTION_TYPE_FAILED_NAME_ALREADY_USED.
func roleTaken(action string) *refusal {
	return conflict("Cannot %s Role. The Role name is already in use, please choose a unique name and try again.", action)
}

func readOnlyRole(action string) *refusal {
	return conflict("Cannot %s Role. The Role is Read-Only.", action)
}

var adminPermit = "Cannot add administrator's action group to a User Role."

// readPermit finds what a permit element names by id or name.
func readPermit(n *node) (*permit, *refusal) {
	if id := n.attr("id"); id != "" {
		for i := range permits {
			if strconv.Itoa(permits[i].id) == id {
				return &permits[i], nil
			}
		}
		return nil, &refusal{status: 400, reason: "Operation Failed", detail: id + " is not a valid permit ID.", bare: true}
	}
	if p := permitNamed(n.value("name")); p != nil {
		return p, nil
	}
	return nil, invalidValue("permit", n.value("name"))
}

// postRole is ovirt-engine AddRoleWithActionGroupsCommand.
func (c *call) postRole() *reply {
	doc, r := c.parse("role")
	if r != nil {
		return c.refuse(r)
	}
	list := doc.child("permits").all("permit")
	if doc.value("name") == "" || doc.child("permits") == nil {
		return c.refuse(incomplete("Role", "name, permits.id", "add"))
	}
	administrative, set, r := doc.flag("administrative")
	if r != nil {
		return c.refuse(r)
	}
	v := &role{mutable: true, Role: Role{Name: doc.value("name"), Description: doc.value("description"), Administrative: administrative}}
	adminOnly := false
	for _, n := range list {
		if n.attr("id") == "" {
			return c.refuse(incomplete("Role", "name, permits.id", "add"))
		}
		p, r := readPermit(n)
		if r != nil {
			return c.refuse(r)
		}
		adminOnly = adminOnly || p.administrative
		v.Permits = append(v.Permits, p.name)
	}
	switch {
	case len(list) == 0:
		return c.refuse(bad("Actions list cannot be empty."))
	case c.engine.roleNamed(v.Name) != nil:
		return c.refuse(roleTaken("add"))
	case !set:
		return c.refuse(bad("Invalid Role Type."))
	case adminOnly && !administrative:
		return c.refuse(conflict("%s", adminPermit))
	}
	v.ID = c.lab.newID()
	c.engine.roles = append(c.engine.roles, v)
	c.effect("add role %s", v.Name)
	c.audit(eventRoleAdded, "Role %s was added by %s", v.Name, c.engine.userName())
	return c.created("/roles/"+v.ID, func(x *xmlWriter) { writeRole(x, v) })
}

// putRole is ovirt-engine UpdateRoleCommand.
func (c *call) putRole(v *role) *reply {
	doc, r := c.parse("role")
	if r != nil {
		return c.refuse(r)
	}
	if id := doc.attr("id"); id != "" && id != v.ID {
		return c.refuse(immutable("id"))
	}
	administrative, set, r := doc.flag("administrative")
	if r != nil {
		return c.refuse(r)
	}
	name := v.Name
	if n := doc.value("name"); n != "" {
		name = n
	}
	other := c.engine.roleNamed(name)
	switch {
	case !v.mutable:
		return c.refuse(readOnlyRole("edit"))
	case other != nil && other != v:
		return c.refuse(roleTaken("edit"))
	case set && administrative != v.Administrative:
		return c.refuse(bad("Cannot edit Role. Changing Role type is not allowed."))
	}
	v.Name = name
	if doc.child("description") != nil {
		v.Description = doc.value("description")
	}
	c.effect("update role %s", v.Name)
	c.audit(eventRoleUpdated, "%s Role was updated to the %s Role", c.engine.userName(), v.Name)
	return single(v, writeRole)
}

// deleteRole is ovirt-engine RemoveRoleCommand.
func (c *call) deleteRole(v *role) *reply {
	e := c.engine
	switch {
	case !v.mutable:
		return c.refuse(readOnlyRole("remove"))
	case find(e.permissions, func(p *Permission) bool { return p.RoleID == v.ID }) != nil:
		return c.refuse(conflict("One or more Permissions is still associated with Role.\n- Please remove all Permissions first."))
	}
	e.roles = slices.DeleteFunc(e.roles, func(o *role) bool { return o == v })
	c.effect("delete role %s", v.Name)
	c.audit(eventRoleRemoved, "Role %s removed from %s", v.Name, e.userName())
	return c.actionDone(nil, nil)
}

func writePermit(x *xmlWriter, r *role, p *permit) {
	id := strconv.Itoa(p.id)
	x.open("permit", "href", apiRoot+"/roles/"+r.ID+"/permits/"+id, "id", id)
	x.text("name", p.name)
	x.bool("administrative", p.administrative)
	x.ref("role", "roles", r.ID)
	x.close("permit")
}

func (c *call) routePermits(v *role, s []string) *reply {
	var of []*permit
	for _, name := range v.Permits {
		of = append(of, permitNamed(name))
	}
	write := func(x *xmlWriter, p *permit) { writePermit(x, v, p) }
	return serve(c, s, rest[*permit]{root: "permits", all: of, id: func(p *permit) string { return strconv.Itoa(p.id) }, write: write,
		add: func() *reply { // ovirt-engine AttachActionGroupsToRoleCommand
			doc, r := c.parse("permit")
			if r != nil {
				return c.refuse(r)
			}
			if doc.attr("id") == "" && doc.value("name") == "" {
				return c.refuse(incomplete("Permit", "name|id", "add"))
			}
			p, r := readPermit(doc)
			switch {
			case r != nil:
				return c.refuse(r)
			case !v.mutable:
				return c.refuse(readOnlyRole("${action}"))
			case slices.Contains(v.Permits, p.name):
				return c.refuse(conflict("Cannot attach action group to Role. This action group is already attached to Role."))
			case p.administrative && !v.Administrative:
				return c.refuse(conflict("%s", adminPermit))
			}
			v.Permits = append(v.Permits, p.name)
			c.effect("add permit %s to role %s", p.name, v.Name)
			c.audit(eventPermitAttached, "Action group %s was attached to Role %s by %s", strings.ToUpper(p.name), v.Name, c.engine.userName())
			return c.created("/roles/"+v.ID+"/permits/"+strconv.Itoa(p.id), func(x *xmlWriter) { write(x, p) })
		},
		remove: func(p *permit) *reply { // ovirt-engine DetachActionGroupsFromRoleCommand
			if !v.mutable {
				return c.refuse(readOnlyRole("${action}"))
			}
			v.Permits = slices.DeleteFunc(v.Permits, func(name string) bool { return name == p.name })
			c.effect("remove permit %s from role %s", p.name, v.Name)
			c.audit(eventPermitDetached, "Action group %s was detached from Role %s by %s", strings.ToUpper(p.name), v.Name, c.engine.userName())
			return c.actionDone(nil, nil)
		}})
}
