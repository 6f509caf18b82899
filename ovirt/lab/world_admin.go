package lab

import (
	"fmt"
	"slices"
)

// AffinityGroup is an affinity group of a cluster. Its name is unique in the engine, not in the cluster (ovirt-engine
// AddAffinityGroupCommand).
type AffinityGroup struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	Description  string       `json:"description,omitempty"`
	ClusterID    string       `json:"cluster_id"`
	Priority     float64      `json:"priority,omitempty"`
	VMsRule      AffinityRule `json:"vms_rule"`
	HostsRule    AffinityRule `json:"hosts_rule"`
	VMIDs        []string     `json:"vm_ids,omitempty"`
	HostIDs      []string     `json:"host_ids,omitempty"`
	VMLabelIDs   []string     `json:"vm_label_ids,omitempty"`
	HostLabelIDs []string     `json:"host_label_ids,omitempty"`
}

// AffinityRule says whether the members of a group belong together (Positive) or apart, and whether the scheduler must obey.
type AffinityRule struct {
	Enabled   bool `json:"enabled,omitempty"`
	Positive  bool `json:"positive,omitempty"`
	Enforcing bool `json:"enforcing,omitempty"`
}

// AffinityLabel is an affinity label with the VMs and hosts that carry it, by id.
type AffinityLabel struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	ReadOnly bool     `json:"read_only,omitempty"`
	Implicit bool     `json:"has_implicit_affinity_group,omitempty"`
	VMIDs    []string `json:"vm_ids,omitempty"`
	HostIDs  []string `json:"host_ids,omitempty"`
}

// Tag is a tag with what carries it, by id. Every engine has the tag root besides, which has the all-zero id and is the parent of
// a tag without one.
type Tag struct {
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Description string   `json:"description,omitempty"`
	ParentID    string   `json:"parent_id,omitempty"`
	VMIDs       []string `json:"vm_ids,omitempty"`
	HostIDs     []string `json:"host_ids,omitempty"`
	TemplateIDs []string `json:"template_ids,omitempty"`
}

// AAADomain is a directory of users and groups, by the name of its authorization provider. Every engine has internal-authz with the
// user of Site.Username; naming it here adds users and groups to it.
type AAADomain struct {
	Name   string           `json:"name"`
	Users  []DirectoryUser  `json:"users,omitempty"`
	Groups []DirectoryGroup `json:"groups,omitempty"`
}

// DirectoryUser is a user of a directory. The engine has him in its database, as /users lists him, where Added says so or a
// permission names him.
type DirectoryUser struct {
	ID         string   `json:"id"`
	Login      string   `json:"login"` // without domain; the user name of the API is login@DOMAIN
	Namespace  string   `json:"namespace,omitempty"`
	FirstName  string   `json:"first_name,omitempty"`
	LastName   string   `json:"last_name,omitempty"`
	Email      string   `json:"email,omitempty"`
	Department string   `json:"department,omitempty"`
	Groups     []string `json:"groups,omitempty"` // names
	Added      bool     `json:"added,omitempty"`
}

// DirectoryGroup is a group of a directory; for Added see DirectoryUser.
type DirectoryGroup struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Namespace string `json:"namespace,omitempty"`
	Added     bool   `json:"added,omitempty"`
}

// Role is a role of the administrator's own making; every engine has the predefined ones besides.
type Role struct {
	ID             string   `json:"id"`
	Name           string   `json:"name"`
	Description    string   `json:"description,omitempty"`
	Administrative bool     `json:"administrative,omitempty"`
	Permits        []string `json:"permits,omitempty"` // names such as run_vm
}

// Permission gives a role on an object to a user or group. Every engine gives SuperUser on the system to its own user besides.
type Permission struct {
	ID string `json:"id"`
	// UserID is a user or a group of a directory, or Everyone's id.
	UserID string `json:"user_id"`
	// RoleID is one of Site.Roles or of a predefined role.
	RoleID string `json:"role_id"`
	// Object is the kind of the object: system, data_center, cluster, host, storage_domain, vm, vm_pool, template, disk, network or
	// vnic_profile. ObjectID is its id, "" for the system.
	Object   string `json:"object"`
	ObjectID string `json:"object_id,omitempty"`
}

// MACRange is a further range of a MAC pool.
type MACRange struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Quota is a quota of a data center; every data center has the unlimited quota Default besides.
type Quota struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	Description  string `json:"description,omitempty"`
	DataCenterID string `json:"data_center_id"`
	// Soft limits are thresholds of a warning, hard ones the grace above the limit, in percent; 0 means the engine's 80 and 20.
	ClusterSoftLimit int          `json:"cluster_soft_limit_pct,omitempty"`
	ClusterHardLimit int          `json:"cluster_hard_limit_pct,omitempty"`
	StorageSoftLimit int          `json:"storage_soft_limit_pct,omitempty"`
	StorageHardLimit int          `json:"storage_hard_limit_pct,omitempty"`
	ClusterLimits    []QuotaLimit `json:"cluster_limits,omitempty"`
	StorageLimits    []QuotaLimit `json:"storage_limits,omitempty"`
}

// QuotaLimit limits what of one cluster or storage domain, or of all together, can be used. -1 means unlimited. A quota limits either
// all together or single ones.
type QuotaLimit struct {
	ObjectID string `json:"object_id,omitempty"` // cluster or storage domain; "" means all
	VCPUs    int    `json:"vcpus,omitempty"`
	Memory   int64  `json:"memory,omitempty"`  // MiB
	Storage  int64  `json:"storage,omitempty"` // GiB
}

// Profile is a CPU profile of a cluster or a disk profile of a storage domain. Each has one of the engine's making besides, unless
// one is given here.
type Profile struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	ParentID string `json:"parent_id"`        // cluster or storage domain
	QoSID    string `json:"qos_id,omitempty"` // "" means unlimited
}

// QoS is a quality-of-service entry of a data center.
type QoS struct {
	ID           string           `json:"id"`
	Name         string           `json:"name"`
	Description  string           `json:"description,omitempty"`
	DataCenterID string           `json:"data_center_id"`
	Type         string           `json:"type"`   // storage, cpu, network or hostnetwork
	Values       map[string]int64 `json:"values"` // by the API's names, such as max_throughput
}

// Bookmark is a saved search.
type Bookmark struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// FenceAgent is a power management card of a host.
type FenceAgent struct {
	ID             string            `json:"id"`
	Type           string            `json:"type"` // such as ipmilan
	Address        string            `json:"address"`
	Username       string            `json:"username"`
	Password       string            `json:"password,omitempty"`
	Port           int               `json:"port,omitempty"`
	Order          int               `json:"order"`
	Concurrent     bool              `json:"concurrent,omitempty"`
	EncryptOptions bool              `json:"encrypt_options,omitempty"`
	Options        map[string]string `json:"options,omitempty"`
}

// everyoneID is the group that every user belongs to (ovirt-engine 00200_insert_ad_groups.sql).
const everyoneID = "eee00000-0000-0000-0000-123456789eee"

// permissionObjects are the kinds of object that a permission can be given on, with the collection and the number that
// VdcObjectType gives them.
var permissionObjects = []struct{ kind, collection string }{
	{"data_center", "datacenters"}, {"cluster", "clusters"}, {"host", "hosts"}, {"storage_domain", "storagedomains"}, {"vm", "vms"},
	{"vm_pool", "vmpools"}, {"template", "templates"}, {"disk", "disks"}, {"network", "networks"}, {"vnic_profile", "vnicprofiles"},
}

// checkAdmin reports the first wrong reference of what is declared in this file.
func (s *Site) checkAdmin(add func(id string) error, need func(what, id string) error) error {
	var err error
	try := func(e error) {
		if err == nil {
			err = e
		}
	}
	all := func(what string, ids ...[]string) {
		for _, list := range ids {
			for i, id := range list {
				try(need(what, id))
				if slices.Contains(list[:i], id) {
					try(fmt.Errorf("%s: %s is named twice", what, id))
				}
			}
		}
	}
	unique := func(what string) func(name string) {
		seen := map[string]bool{}
		return func(name string) {
			if name == "" || seen[name] {
				try(fmt.Errorf("%s: name %q is empty or used twice", what, name))
			}
			seen[name] = true
		}
	}
	name := unique("affinity label")
	for _, l := range s.AffinityLabels {
		try(add(l.ID))
		name(l.Name)
		all("affinity label "+l.Name, l.VMIDs, l.HostIDs)
	}
	name = unique("affinity group")
	for _, g := range s.AffinityGroups {
		try(add(g.ID))
		name(g.Name)
		try(need("affinity group "+g.Name, g.ClusterID))
		all("affinity group "+g.Name, g.VMIDs, g.HostIDs, g.VMLabelIDs, g.HostLabelIDs)
	}
	name = unique("tag")
	for _, t := range s.Tags {
		try(add(t.ID))
		name(t.Name)
		if t.ParentID != "" {
			try(need("tag "+t.Name, t.ParentID))
		}
		all("tag "+t.Name, t.VMIDs, t.HostIDs, t.TemplateIDs)
	}
	name = unique("aaa domain")
	for _, d := range s.AAADomains {
		name(d.Name)
		login := unique("user of " + d.Name)
		for _, u := range d.Users {
			try(add(u.ID))
			login(u.Login)
		}
		group := unique("group of " + d.Name)
		for _, g := range d.Groups {
			try(add(g.ID))
			group(g.Name)
		}
	}
	name = unique("role")
	for _, r := range s.Roles {
		try(add(r.ID))
		name(r.Name)
		for _, p := range r.Permits {
			if permitNamed(p) == nil {
				try(fmt.Errorf("role %s: there is no permit %q", r.Name, p))
			}
		}
	}
	for _, p := range s.Permissions {
		try(add(p.ID))
		if p.UserID != everyoneID {
			try(need("permission "+p.ID, p.UserID))
		}
		if predefinedRole(p.RoleID) == nil {
			try(need("permission "+p.ID, p.RoleID))
		}
		known := p.Object == "system"
		for _, o := range permissionObjects {
			known = known || o.kind == p.Object
		}
		if !known {
			try(fmt.Errorf("permission %s: %q is no kind of object", p.ID, p.Object))
		}
		if p.Object != "system" && p.Object != "vm_pool" {
			try(need("permission "+p.ID, p.ObjectID))
		}
	}
	for _, q := range s.QoSs {
		try(add(q.ID))
		try(need("qos "+q.Name, q.DataCenterID))
		if qosTypes[q.Type] == nil {
			try(fmt.Errorf("qos %s: %q is no type", q.Name, q.Type))
		}
	}
	for _, list := range [][]Profile{s.CPUProfiles, s.DiskProfiles} {
		for _, p := range list {
			try(add(p.ID))
			try(need("profile "+p.Name, p.ParentID))
			if p.QoSID != "" {
				try(need("profile "+p.Name, p.QoSID))
			}
		}
	}
	for _, q := range s.Quotas {
		try(add(q.ID))
		try(need("quota "+q.Name, q.DataCenterID))
		for _, l := range slices.Concat(q.ClusterLimits, q.StorageLimits) {
			if l.ObjectID != "" {
				try(need("quota "+q.Name, l.ObjectID))
			}
		}
	}
	name = unique("bookmark")
	for _, b := range s.Bookmarks {
		try(add(b.ID))
		name(b.Name)
	}
	for _, h := range s.Hosts {
		for _, a := range h.FenceAgents {
			try(add(a.ID))
			if a.Type == "" || a.Address == "" {
				try(fmt.Errorf("fence agent of host %s: type and address are needed", h.Name))
			}
		}
	}
	for _, p := range s.MACPools {
		for _, r := range p.ranges() {
			if macNumber(r.From) == 0 || macNumber(r.From) > macNumber(r.To) {
				try(fmt.Errorf("mac pool %s: %s to %s is no range", p.Name, r.From, r.To))
			}
		}
	}
	return err
}
