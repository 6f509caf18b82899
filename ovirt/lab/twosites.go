package lab

import (
	"fmt"
	"time"
)

// The addresses and passwords of the two-site world.
const (
	PrimaryURL        = "https://engine1.localdomain/ovirt-engine/api"
	SecondaryURL      = "https://engine2.localdomain/ovirt-engine/api"
	PrimaryUsername   = "admin@internal"
	SecondaryUsername = "admin@ovirt@internal"
	PrimaryPassword   = "lab-primary-password"
	SecondaryPassword = "lab-secondary-password"
	arrayAddress      = "192.168.122.210"
	recoveryAddress   = "192.168.122.220"
)

const gib = int64(1) << 30

// DefaultLag is how far a replication is behind where nothing else is said.
const DefaultLag = 5 * time.Second

// TwoSitesOptions varies the two-site world.
type TwoSitesOptions struct {
	VMs     int // 0 means 3
	Domains int // replicated storage domains; 0 means 1
	// LoseVM names a VM whose OVF does not parse: it is missing from the unregistered list after attach.
	LoseVM string
	// EmptySecondary leaves the secondary data center uninitialized, without the domain recovery_local.
	EmptySecondary bool
	// Lag of the replication; 0 means 5 seconds.
	Lag time.Duration
	// Hosts of each site; 0 means 2.
	Hosts int
	// PowerManagement gives every host a BMC that its engine can ask.
	PowerManagement bool
	// Kind is the storage type of the replicated domains: nfs, which "" means too, iscsi, fcp, glusterfs or posixfs. Their names do
	// not tell it.
	Kind string
}

// DomainName is the name of the i-th replicated domain, from 0: nfs_ds, nfs_ds2, nfs_ds3.
func DomainName(i int) string {
	if i == 0 {
		return "nfs_ds"
	}
	return fmt.Sprintf("nfs_ds%d", i+1)
}

// TwoSites is the example that the documentation uses: engine1 with the VMs on replicated NFS domains, engine2 with a domain of
// its own and nothing else. VM i lies on domain i modulo Domains; the first VM of each domain is highly available; those of
// the first domain are based on the template rhel9. vm3 has no guest agent. Ids are the same in every lab.
func TwoSites(o TwoSitesOptions) World {
	if o.VMs == 0 {
		o.VMs = 3
	}
	if o.Domains == 0 {
		o.Domains = 1
	}
	if o.Lag == 0 {
		o.Lag = DefaultLag
	}
	if o.Hosts == 0 {
		o.Hosts = 2
	}
	primary := siteOf("primary", "Prod", PrimaryURL, PrimaryUsername, PrimaryPassword, "56:6f:01:00", o)
	secondary := siteOf("secondary", "Recovery", SecondaryURL, SecondaryUsername, SecondaryPassword, "56:6f:02:00", o)
	w := World{Latency: DefaultLatency()}
	for i := range o.Domains {
		d := w.addReplicated(o.Kind, DomainName(i), o.Lag)
		d.DataCenterID, d.Master = primary.DataCenters[0].ID, i == 0
		primary.StorageDomains = append(primary.StorageDomains, d)
	}
	w.Exports = append(w.Exports, Export{Site: "secondary", Address: recoveryAddress, Path: "/recovery_local", Size: 512 * gib})
	if !o.EmptySecondary {
		secondary.StorageDomains = []StorageDomain{{ID: uuidOf("domain/recovery_local"), Name: "recovery_local",
			DataCenterID: secondary.DataCenters[0].ID, Address: recoveryAddress, Path: "/recovery_local", Format: "v5", Master: true}}
	}
	rhel9 := Template{ID: uuidOf("template/rhel9"), Name: "rhel9", ClusterID: primary.Clusters[0].ID, Version: 1,
		Disks: []Disk{{ID: uuidOf("template/rhel9/disk"), Alias: "rhel9_Disk1", StorageDomainID: uuidOf("domain/nfs_ds"), Size: 20 * gib, Bootable: true}}}
	primary.Templates = append(primary.Templates, rhel9)
	for i := range o.VMs {
		primary.VMs = append(primary.VMs, vmOf(i, o, primary, rhel9.ID))
	}
	w.Sites = []Site{primary, secondary}
	return w
}

// siteOf is a site without storage and VMs. macs is the start of its MAC pool's range.
func siteOf(name, cluster, url, user, password, macs string, o TwoSitesOptions) Site {
	id := func(what string) string { return uuidOf(name + "/" + what) }
	s := Site{Name: name, URL: url, Username: user, Password: password, InstanceID: id("engine"), Version: "4.5.5"}
	s.DataCenters = []DataCenter{{ID: id("dc"), Name: "Default", StorageFormat: "v5", Version: "4.7"}}
	s.MACPools = []MACPool{{ID: id("macpool"), Name: "Default", From: macs + ":00:00", To: macs + ":ff:ff"}}
	s.Networks = []Network{
		{ID: id("network/lan"), Name: "lan", DataCenterID: id("dc"), VM: true},
		{ID: id("network/ovirtmgmt"), Name: "ovirtmgmt", DataCenterID: id("dc"), VM: true},
	}
	s.VNICProfiles = []VNICProfile{
		{ID: id("profile/lan"), Name: "lan", NetworkID: id("network/lan")},
		{ID: id("profile/ovirtmgmt"), Name: "ovirtmgmt", NetworkID: id("network/ovirtmgmt")},
	}
	s.Clusters = []Cluster{{ID: id("cluster"), Name: cluster, DataCenterID: id("dc"), Version: "4.7", Architecture: "x86_64",
		BIOSType: "q35_sea_bios", MACPoolID: id("macpool"), NetworkIDs: []string{id("network/lan"), id("network/ovirtmgmt")}}}
	// Each host alone could carry all VMs: scheduling is not what this world is about.
	memory := max(256*gib, int64(o.VMs)*2*gib)
	number := map[string]int{"primary": 1, "secondary": 2}[name]
	for i := range o.Hosts {
		host := fmt.Sprintf("host%d%c", number, 'a'+i)
		h := Host{ID: id(host), Name: host, Address: host + ".localdomain", ClusterID: id("cluster"), Memory: memory}
		if o.PowerManagement {
			h.PowerManagement, h.FenceAgent = true, "ipmilan"
		}
		s.Hosts = append(s.Hosts, h)
	}
	s.Templates = []Template{{ID: blankID, Name: "Blank"}}
	return s
}

func vmOf(i int, o TwoSitesOptions, site Site, templateID string) VM {
	name := fmt.Sprintf("vm%d", i+1)
	domain := DomainName(i % o.Domains)
	v := VM{ID: uuidOf("vm/" + name), Name: name, ClusterID: site.Clusters[0].ID, TemplateID: blankID, Memory: gib,
		HA: i < o.Domains, HAPriority: 1, Agent: i != 2, Running: true, OVFBroken: name == o.LoseVM,
		NICs: []NIC{{ID: uuidOf("vm/" + name + "/nic1"), Name: "nic1", MAC: fmt.Sprintf("56:6f:01:00:%02x:%02x", i>>8&255, i&255),
			ProfileID: site.VNICProfiles[0].ID}},
		Disks: []Disk{{ID: uuidOf("vm/" + name + "/disk1"), Alias: name + "_Disk1", StorageDomainID: uuidOf("domain/" + domain),
			Size: 20 * gib, Bootable: true, Counter: 1000}}}
	if v.HA {
		v.HAPriority = 50
	}
	if i%o.Domains == 0 {
		v.TemplateID = templateID
	}
	if v.Agent {
		v.FQDN, v.IP = name+".localdomain", fmt.Sprintf("10.%d.%d.%d", 10+i/62500, i/250%250, i%250+1)
	}
	return v
}
