package lab

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// World is the state that a lab starts from. It is a plain value: it can be written as JSON, edited and read back.
type World struct {
	Sites        []Site        `json:"sites"`
	Exports      []Export      `json:"exports"`
	Targets      []Target      `json:"targets,omitempty"`
	LUNSets      []LUNSet      `json:"lun_sets,omitempty"`
	Replications []Replication `json:"replications"`
	Latency      Latency       `json:"latency"`
	// TokenIdle is how long a session lives without a request; 0 means 30 minutes (engine-config UserSessionTimeOutInterval).
	TokenIdle time.Duration `json:"token_idle,omitempty"`
	// OVFInterval is how often the engine writes OVF stores by itself; 0 means 60 minutes (OvfUpdateIntervalInMinutes).
	OVFInterval time.Duration `json:"ovf_interval,omitempty"`
	// Faults are the rules by which the lab fails from the start (Lab.Fail).
	Faults []Fault `json:"faults,omitempty"`
}

// Site is one engine with all that it manages.
type Site struct {
	Name     string `json:"name"` // "primary" or "secondary"
	URL      string `json:"url"`  // https://HOST/ovirt-engine/api; HOST addresses the site in Lab.Transport
	Username string `json:"username"`
	Password string `json:"password"`
	// InstanceID identifies the engine's installation in the API root.
	InstanceID     string          `json:"instance_id"`
	Version        string          `json:"version"` // product version, such as 4.5.5
	DataCenters    []DataCenter    `json:"data_centers"`
	Clusters       []Cluster       `json:"clusters"`
	MACPools       []MACPool       `json:"mac_pools"`
	Hosts          []Host          `json:"hosts"`
	Networks       []Network       `json:"networks"`
	VNICProfiles   []VNICProfile   `json:"vnic_profiles"`
	StorageDomains []StorageDomain `json:"storage_domains"`
	Templates      []Template      `json:"templates"`
	InstanceTypes  []InstanceType  `json:"instance_types,omitempty"`
	VMs            []VM            `json:"vms"`
	FloatingDisks  []Disk          `json:"floating_disks,omitempty"` // disks that no VM has

	AffinityGroups []AffinityGroup `json:"affinity_groups,omitempty"`
	AffinityLabels []AffinityLabel `json:"affinity_labels,omitempty"`
	Tags           []Tag           `json:"tags,omitempty"`
	AAADomains     []AAADomain     `json:"aaa_domains,omitempty"`
	Roles          []Role          `json:"roles,omitempty"`
	Permissions    []Permission    `json:"permissions,omitempty"`
	Quotas         []Quota         `json:"quotas,omitempty"`
	CPUProfiles    []Profile       `json:"cpu_profiles,omitempty"`
	DiskProfiles   []Profile       `json:"disk_profiles,omitempty"`
	QoSs           []QoS           `json:"qoss,omitempty"`
	Bookmarks      []Bookmark      `json:"bookmarks,omitempty"`
}

// DataCenter is a data center; it is uninitialized when no storage domain of the site names it.
type DataCenter struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	StorageFormat string `json:"storage_format"` // v1 to v5
	Version       string `json:"version"`        // compatibility level, such as 4.7
	// QuotaMode is disabled (or ""), audit or enabled.
	QuotaMode string `json:"quota_mode,omitempty"`
}

// Cluster is a cluster with the networks that it carries.
type Cluster struct {
	ID           string   `json:"id"`
	Name         string   `json:"name"`
	DataCenterID string   `json:"data_center_id"`
	Version      string   `json:"version"`
	Architecture string   `json:"architecture"` // x86_64
	BIOSType     string   `json:"bios_type"`    // "" means not set, which blocks registration
	MACPoolID    string   `json:"mac_pool_id"`
	NetworkIDs   []string `json:"network_ids"`
}

// MACPool is a pool of MAC addresses: one range, and further ones. The site's first pool is the engine's default pool.
type MACPool struct {
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	Description     string     `json:"description,omitempty"`
	From            string     `json:"from"`
	To              string     `json:"to"`
	Ranges          []MACRange `json:"ranges,omitempty"`
	AllowDuplicates bool       `json:"allow_duplicates,omitempty"`
}

// Host is a hypervisor. It is up in the starting world.
type Host struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Address   string `json:"address"`
	ClusterID string `json:"cluster_id"`
	Memory    int64  `json:"memory"` // bytes
	// PowerManagement says that it is enabled, FenceAgent is the type of the agent, such as ipmilan; "" means none.
	PowerManagement bool   `json:"power_management,omitempty"`
	FenceAgent      string `json:"fence_agent,omitempty"`
	// PowerSwitch lets the account on the BMC switch the power; without it fencing fails, and only the state can be asked for.
	PowerSwitch bool `json:"power_switch,omitempty"`
	// FenceAgents are further agents, with all that an agent has.
	FenceAgents []FenceAgent `json:"fence_agents,omitempty"`
	// Blind lists exports, as ADDRESS:PATH, and LUN sets, by name, that this host does not reach.
	Blind []string `json:"blind,omitempty"`
	// Levels are the compatibility versions that it supports, such as 4.6; none means all.
	Levels []string `json:"levels,omitempty"`
}

// Network is a logical network.
type Network struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	DataCenterID string `json:"data_center_id"`
	VM           bool   `json:"vm"` // carries VMs
}

// VNICProfile is a vNIC profile.
type VNICProfile struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	NetworkID string `json:"network_id"`
}

// StorageDomain is a data domain that a site knows at the start. With a data center it is attached and active there, without one it
// is unattached. Its type is that of the export, or of the LUN set, that it lies on.
type StorageDomain struct {
	ID           string `json:"id"`
	Name         string `json:"name"`
	DataCenterID string `json:"data_center_id,omitempty"`
	Address      string `json:"address,omitempty"`
	Path         string `json:"path,omitempty"`
	LUNSet       string `json:"lun_set,omitempty"` // instead of Address and Path
	Format       string `json:"format"`
	Master       bool   `json:"master,omitempty"`
	// Type is data (or ""), or iso: a domain with only Files, names of images of CDs.
	Type  string   `json:"type,omitempty"`
	Files []string `json:"files,omitempty"`
}

// Template is a template; Blank has the all-zero id and belongs to no cluster.
type Template struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	ClusterID string `json:"cluster_id,omitempty"`
	BaseID    string `json:"base_id,omitempty"` // "" means that it is its own base
	Version   int    `json:"version,omitempty"`
	Disks     []Disk `json:"disks,omitempty"`
	// PinnedTo lists, by id, the hosts to which VMs made from it are bound.
	PinnedTo []string `json:"pinned_to,omitempty"`
}

// CustomProperty is a name with its value.
type CustomProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// InstanceType is a set of values that the VMs tied to it get with every update; of them the lab has high availability.
type InstanceType struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	HA   bool   `json:"ha,omitempty"`
}

// VM is a virtual machine.
type VM struct {
	ID              string `json:"id"`
	Name            string `json:"name"`
	Description     string `json:"description,omitempty"`
	ClusterID       string `json:"cluster_id"`
	TemplateID      string `json:"template_id"`
	InstanceTypeID  string `json:"instance_type_id,omitempty"`
	Memory          int64  `json:"memory"` // bytes
	HA              bool   `json:"ha,omitempty"`
	HAPriority      int    `json:"ha_priority,omitempty"`
	DeleteProtected bool   `json:"delete_protected,omitempty"`
	LeaseDomainID   string `json:"lease_domain_id,omitempty"`
	Agent           bool   `json:"agent,omitempty"` // a guest agent reports fqdn, guest OS and IP
	FQDN            string `json:"fqdn,omitempty"`
	IP              string `json:"ip,omitempty"`
	Running         bool   `json:"running,omitempty"` // up at the start
	// Status at the start; "" means up or down, as Running says. Else suspended, image_locked, or paused, which needs Running.
	Status  string `json:"status,omitempty"`
	Pool    string `json:"pool,omitempty"`    // name of the VM pool that it belongs to
	Preview bool   `json:"preview,omitempty"` // one of its snapshots is in preview
	// Snapshots that people took of it, the oldest first.
	Snapshots []Snapshot `json:"snapshots,omitempty"`
	// PinnedTo lists, by id, the hosts that alone may run it. Another engine that registers it has none of them.
	PinnedTo []string `json:"pinned_to,omitempty"`
	// Backup is the phase of a backup that is under way: initializing, starting, ready or finalizing. It locks the disks.
	Backup string `json:"backup,omitempty"`
	NICs   []NIC  `json:"nics,omitempty"`
	Disks  []Disk `json:"disks,omitempty"`
	// OVFBroken makes the VM's OVF unreadable: an engine that attaches its domain leaves the VM out of the list without a word.
	OVFBroken bool `json:"ovf_broken,omitempty"`
	// CD names the file of an ISO domain that is in its drive. Another engine that registers it has to have a file of that name.
	CD string `json:"cd,omitempty"`
	// CustomVersion is the VM's own compatibility version, such as 4.6; "" means that of its cluster.
	CustomVersion string `json:"custom_version,omitempty"`
	// CustomProperties are those of VDSM hooks; every engine of the lab knows their names.
	CustomProperties []CustomProperty `json:"custom_properties,omitempty"`
	// AgentDelay is how much longer than others its guest agent takes to report.
	AgentDelay time.Duration `json:"agent_delay,omitempty"`
}

// Snapshot is a regular snapshot of a VM.
type Snapshot struct {
	Description string        `json:"description"`
	Age         time.Duration `json:"age,omitempty"`    // how long before the start of the lab it was taken
	Memory      bool          `json:"memory,omitempty"` // it holds the memory too
}

// NIC is a network interface of a VM.
type NIC struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	MAC       string `json:"mac"`
	ProfileID string `json:"profile_id,omitempty"`
}

// Disk is an image on a storage domain, or a LUN that is the disk itself (a direct LUN).
type Disk struct {
	ID              string `json:"id"`
	Alias           string `json:"alias"`
	StorageDomainID string `json:"storage_domain_id,omitempty"`
	// LUN is the WWID of a direct LUN, which has no storage domain, size or counter of its own.
	LUN      string `json:"lun,omitempty"`
	Size     int64  `json:"size"` // bytes
	Bootable bool   `json:"bootable,omitempty"`
	Counter  int64  `json:"counter,omitempty"` // what the guest had written at the start
	// Shareable says that several VMs may have it.
	Shareable bool `json:"shareable,omitempty"`
	// Status is ok (or ""), locked, which means that a task of the engine works on it, or illegal.
	Status string `json:"status,omitempty"`
}

// Export is a directory, or a volume, that an array exports to be mounted. What is on it is what the sites' storage domains say;
// without one it is empty.
type Export struct {
	Site    string `json:"site"`              // a disaster of this site takes it away
	Address string `json:"address,omitempty"` // "" only of posixfs, whose Path then says all
	Path    string `json:"path"`
	Size    int64  `json:"size"`           // bytes
	Type    string `json:"type,omitempty"` // "" or nfs, glusterfs, posixfs
	// VFSType is what a mount of posixfs must ask for, such as ceph; "" takes any.
	VFSType string `json:"vfs_type,omitempty"`
}

// Replication copies the content of one export, or of one LUN set, to another one, behind by Lag. Until promotion the target is
// read-only.
type Replication struct {
	Domain string        `json:"domain"` // the name by which people call it
	Source string        `json:"source"` // ADDRESS:PATH, or the name of a LUN set
	Target string        `json:"target"`
	Lag    time.Duration `json:"lag"`
}

// Site returns the site of that name, to change it in place.
func (w *World) Site(name string) (*Site, bool) {
	for i := range w.Sites {
		if w.Sites[i].Name == name {
			return &w.Sites[i], true
		}
	}
	return nil, false
}

// Check reports the first thing in the world that cannot be, such as a reference that leads nowhere. New panics where it finds one.
func (w *World) Check() error {
	if problems := w.Problems(); len(problems) > 0 {
		return fmt.Errorf("check world: %w", problems[0])
	}
	return nil
}

// Problems reports everything in the world that cannot be.
func (w *World) Problems() []error {
	var problems []error
	add := func(err error, format string, args ...any) {
		if err != nil {
			problems = append(problems, fmt.Errorf(format+"%w", append(args, err)...))
		}
	}
	exports := map[string]bool{}
	for _, e := range w.Exports {
		if _, ok := w.Site(e.Site); !ok {
			add(fmt.Errorf("names no site: %q", e.Site), "export %s ", e.name())
		}
		add(e.check(), "")
		if exports[e.name()] {
			add(errors.New("is there twice"), "export %s ", e.name())
		}
		exports[e.name()] = true
	}
	add(w.checkLUNs(exports), "")
	add(w.checkLUNDisks(), "")
	for _, r := range w.Replications {
		for _, end := range []string{r.Source, r.Target} {
			if !exports[end] {
				add(fmt.Errorf("no export or LUN set %q", end), "replication of %q: ", r.Domain)
			}
		}
	}
	add(w.checkPairs(), "")
	for i := range w.Sites {
		for _, err := range w.Sites[i].check(exports) {
			add(err, "site %q: ", w.Sites[i].Name)
		}
	}
	for i := range w.Faults {
		add(w.Faults[i].check(w.faultTargets()), "fault %d: ", i+1)
	}
	return problems
}

func (s *Site) check(exports map[string]bool) []error {
	known := map[string]bool{"": true, blankID: true}
	add := func(id string) error {
		if id == "" || known[id] && id != blankID {
			return fmt.Errorf("id %q is empty or used twice", id)
		}
		known[id] = true
		return nil
	}
	need := func(what, id string) error {
		if !known[id] || id == "" {
			return fmt.Errorf("%s: unknown id %q", what, id)
		}
		return nil
	}
	var errs []error
	try := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	disk := func(d Disk) {
		try(add(d.ID))
		if d.LUN == "" {
			try(need("disk "+d.Alias, d.StorageDomainID))
		}
	}
	if u, err := url.Parse(s.URL); err != nil || u.Hostname() == "" {
		try(fmt.Errorf("url %q has no host", s.URL))
	}
	for _, d := range s.DataCenters {
		try(add(d.ID))
	}
	for _, p := range s.MACPools {
		try(add(p.ID))
	}
	for _, n := range s.Networks {
		try(add(n.ID))
		try(need("network "+n.Name, n.DataCenterID))
	}
	for _, c := range s.Clusters {
		try(add(c.ID))
		try(need("cluster "+c.Name, c.DataCenterID))
		try(need("cluster "+c.Name, c.MACPoolID))
		for _, id := range c.NetworkIDs {
			try(need("cluster "+c.Name, id))
		}
	}
	for _, h := range s.Hosts {
		try(add(h.ID))
		try(need("host "+h.Name, h.ClusterID))
		for _, x := range h.Blind {
			if !exports[x] {
				try(fmt.Errorf("host %s: no export %s to be blind to", h.Name, x))
			}
		}
	}
	for _, p := range s.VNICProfiles {
		try(add(p.ID))
		try(need("vnic profile "+p.Name, p.NetworkID))
	}
	for _, d := range s.StorageDomains {
		try(add(d.ID))
		if !slices.Contains([]string{"", "data", domainISO}, d.Type) || d.Type != domainISO && len(d.Files) > 0 || d.Type == domainISO && d.Master {
			try(fmt.Errorf("storage domain %s: type is data, or iso with files and never the master, not %q", d.Name, d.Type))
		}
		if !exports[d.place()] {
			try(fmt.Errorf("storage domain %s: no export or LUN set %s", d.Name, d.place()))
		}
	}
	for _, t := range s.Templates {
		if t.ID != blankID {
			try(add(t.ID))
			try(need("template "+t.Name, t.ClusterID))
		}
		for _, id := range t.PinnedTo {
			try(need("host of template "+t.Name, id))
		}
		for _, d := range t.Disks {
			disk(d)
		}
	}
	for _, t := range s.InstanceTypes {
		try(add(t.ID))
	}
	for _, v := range s.VMs {
		try(add(v.ID))
		if v.InstanceTypeID != "" {
			try(need("vm "+v.Name, v.InstanceTypeID))
		}
		try(v.check())
		try(need("vm "+v.Name, v.ClusterID))
		try(need("vm "+v.Name, v.TemplateID))
		for _, id := range v.PinnedTo {
			try(need("host of vm "+v.Name, id))
		}
		for _, n := range v.NICs {
			try(add(n.ID))
			if n.ProfileID != "" {
				try(need("nic of "+v.Name, n.ProfileID))
			}
		}
		for _, d := range v.Disks {
			disk(d)
		}
	}
	for _, d := range s.FloatingDisks {
		disk(d)
	}
	try(s.checkMasters())
	try(s.checkAdmin(add, need))
	return errs
}

// checkMasters reports a data center with two master storage domains: an engine knows one.
func (s *Site) checkMasters() error {
	masters := map[string]string{}
	for _, d := range s.StorageDomains {
		if !d.Master {
			continue
		}
		if first := masters[d.DataCenterID]; first != "" {
			return fmt.Errorf("storage domain %s: its data center has the master %s already", d.Name, first)
		}
		masters[d.DataCenterID] = d.Name
	}
	return nil
}

// check reports a value that a VM cannot start with.
func (v *VM) check() error {
	switch {
	case !slices.Contains([]string{"", "suspended", "image_locked", "paused"}, v.Status):
		return fmt.Errorf("vm %s: status is suspended, image_locked, paused or empty, not %q", v.Name, v.Status)
	case v.Running != (v.Status == "paused") && v.Status != "":
		return fmt.Errorf("vm %s: running is %t, which does not go with status %s", v.Name, v.Running, v.Status)
	case v.Backup != "" && !slices.Contains(backupPhases, v.Backup):
		return fmt.Errorf("vm %s: %q is no phase of a backup that is under way", v.Name, v.Backup)
	}
	for _, d := range v.Disks {
		if !slices.Contains([]string{"", "ok", "locked", "illegal"}, d.Status) {
			return fmt.Errorf("disk %s: status is ok, locked or illegal, not %q", d.Alias, d.Status)
		}
	}
	return nil
}
