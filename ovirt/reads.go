package ovirt

import (
	"context"
	"net/url"
	"strconv"
	"time"

	sdk "github.com/ovirt/go-ovirt"
)

// Decoders of the collections that more than one call reads.
var (
	decodeVMs           = list("vms", "vm", sdk.XMLVmReadOne, toVM)
	decodeVM            = element("vm", sdk.XMLVmReadOne, toVM)
	decodeTemplates     = list("templates", "template", sdk.XMLTemplateReadOne, toTemplate)
	decodeDomains       = list("storage_domains", "storage_domain", sdk.XMLStorageDomainReadOne, toStorageDomain)
	decodeDomain        = element("storage_domain", sdk.XMLStorageDomainReadOne, toStorageDomain)
	decodeNIC           = element("nic", sdk.XMLNicReadOne, toNIC)
	decodeEvents        = list("events", "event", sdk.XMLEventReadOne, toEvent)
	decodeConnections   = list("storage_connections", "storage_connection", sdk.XMLStorageConnectionReadOne, toConnection)
	decodeProduct       = element("api", sdk.XMLApiReadOne, toProduct)
	decodeDataCenters   = list("data_centers", "data_center", sdk.XMLDataCenterReadOne, toDataCenter)
	decodeDataCenter    = element("data_center", sdk.XMLDataCenterReadOne, toDataCenter)
	decodeClusters      = list("clusters", "cluster", sdk.XMLClusterReadOne, toCluster)
	decodeHosts         = list("hosts", "host", sdk.XMLHostReadOne, toHost)
	decodeHost          = element("host", sdk.XMLHostReadOne, toHost)
	decodeNetworks      = list("networks", "network", sdk.XMLNetworkReadOne, toNetwork)
	decodeVNICProfiles  = list("vnic_profiles", "vnic_profile", sdk.XMLVnicProfileReadOne, toVNICProfile)
	decodeTemplate      = element("template", sdk.XMLTemplateReadOne, toTemplate)
	decodeNICs          = list("nics", "nic", sdk.XMLNicReadOne, toNIC)
	decodeAttachments   = list("disk_attachments", "disk_attachment", sdk.XMLDiskAttachmentReadOne, toDisk)
	decodeLabels        = list("affinity_labels", "affinity_label", sdk.XMLAffinityLabelReadOne, toLabel)
	decodeLabel         = element("affinity_label", sdk.XMLAffinityLabelReadOne, toLabel)
	decodeEvent         = element("event", sdk.XMLEventReadOne, toEvent)
	decodeBootStatistic = list("statistics", "statistic", sdk.XMLStatisticReadOne, toStatistic)
)

// Product reads the API root.
func (s *Site) Product(ctx context.Context) (Product, error) { return s.product(ctx, true) }

func (s *Site) product(ctx context.Context, repeat bool) (Product, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindSite, Name: s.o.Name}, once: !repeat}, decodeProduct)
}

// DataCenters reads all data centers.
func (s *Site) DataCenters(ctx context.Context) ([]DataCenter, error) {
	all, err := read(ctx, s, call{subject: Subject{Kind: "data_centers"}, path: "/datacenters"}, decodeDataCenters)
	if err == nil {
		s.seenDCs.Lock()
		defer s.seenDCs.Unlock()
		s.seenDCs.at, s.seenDCs.byID = s.o.Clock.Now(), map[string]DataCenter{}
		for _, dc := range all {
			s.seenDCs.byID[dc.ID] = dc
		}
	}
	return all, err
}

// DataCenter reads one data center.
func (s *Site) DataCenter(ctx context.Context, id string) (DataCenter, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindDataCenter, ID: id}, path: "/datacenters/" + segment(id)}, decodeDataCenter)
}

// Clusters reads all clusters.
func (s *Site) Clusters(ctx context.Context) ([]Cluster, error) {
	return read(ctx, s, call{subject: Subject{Kind: "clusters"}, path: "/clusters"}, decodeClusters)
}

// Hosts reads all hosts.
func (s *Site) Hosts(ctx context.Context) ([]Host, error) {
	return read(ctx, s, call{subject: Subject{Kind: "hosts"}, path: "/hosts"}, decodeHosts)
}

// Host reads one host.
func (s *Site) Host(ctx context.Context, id string) (Host, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindHost, ID: id}, path: "/hosts/" + segment(id)}, decodeHost)
}

// StorageDomains reads the global collection: Status is empty unless a domain is unattached.
func (s *Site) StorageDomains(ctx context.Context) ([]StorageDomain, error) {
	return read(ctx, s, call{subject: Subject{Kind: "storage_domains"}, path: "/storagedomains"}, decodeDomains)
}

// StorageDomain reads one storage domain from the global collection.
func (s *Site) StorageDomain(ctx context.Context, id string) (StorageDomain, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindStorageDomain, ID: id}, path: "/storagedomains/" + segment(id)}, decodeDomain)
}

// AttachedStorageDomains reads the storage domains of a data center, with their true status.
func (s *Site) AttachedStorageDomains(ctx context.Context, dcID string) ([]StorageDomain, error) {
	return read(ctx, s, call{subject: Subject{Kind: "storage_domains"}, path: "/datacenters/" + segment(dcID) + "/storagedomains"}, decodeDomains)
}

// AttachedStorageDomain reads one storage domain of a data center, with its true status; not-found means that it is not attached there.
func (s *Site) AttachedStorageDomain(ctx context.Context, dcID, sdID string) (StorageDomain, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindStorageDomain, ID: sdID}, path: attachedPath(dcID, sdID)}, decodeDomain)
}

func attachedPath(dcID, sdID string) string {
	return "/datacenters/" + segment(dcID) + "/storagedomains/" + segment(sdID)
}

// StorageConnections reads all storage server connections.
func (s *Site) StorageConnections(ctx context.Context) ([]StorageConnection, error) {
	return read(ctx, s, call{subject: Subject{Kind: "storage_connections"}, path: "/storageconnections"}, decodeConnections)
}

// Networks reads all logical networks.
func (s *Site) Networks(ctx context.Context) ([]Network, error) {
	return read(ctx, s, call{subject: Subject{Kind: "networks"}, path: "/networks"}, decodeNetworks)
}

// VNICProfiles reads all vNIC profiles.
func (s *Site) VNICProfiles(ctx context.Context) ([]VNICProfile, error) {
	return read(ctx, s, call{subject: Subject{Kind: "vnic_profiles"}, path: "/vnicprofiles"}, decodeVNICProfiles)
}

// Templates reads all templates.
func (s *Site) Templates(ctx context.Context) ([]Template, error) {
	return read(ctx, s, call{subject: Subject{Kind: "templates"}, path: "/templates"}, decodeTemplates)
}

// Template reads one template.
func (s *Site) Template(ctx context.Context, id string) (Template, error) {
	return read(ctx, s, call{subject: Subject{Kind: KindTemplate, ID: id}, path: "/templates/" + segment(id)}, decodeTemplate)
}

// follow embeds NICs and disks in VMs (ovirt-engine LinkFollower.java), followNICs NICs alone. A NIC brings along what the guest agent
// reports of the device with its MAC (ovirt-engine BackendNicHelper.java), so that bridges inside of the guest are not taken for it.
const (
	followNICs = "nics"
	follow     = followNICs + ",disk_attachments.disk"
)

// VMs reads VMs in one request, with NICs and disks when asked for.
func (s *Site) VMs(ctx context.Context, q VMQuery) ([]VM, error) {
	c := call{subject: Subject{Kind: "vms"}, path: "/vms", query: url.Values{}}
	if q.Search != "" {
		c.query.Set("search", q.Search)
	}
	if q.Details {
		c.query.Set("follow", follow)
		c.timeout = inventoryTimeout
	}
	return read(ctx, s, c, decodeVMs)
}

// VM reads one VM, without NICs and disks.
func (s *Site) VM(ctx context.Context, id string) (VM, error) {
	return read(ctx, s, vmCall(id, false), decodeVM)
}

func vmCall(id string, details bool) call {
	c := call{subject: Subject{Kind: KindVM, ID: id}, path: "/vms/" + segment(id)}
	if details {
		c.query = url.Values{"follow": {follow}}
	}
	return c
}

// VMNICs reads the NICs of one VM.
func (s *Site) VMNICs(ctx context.Context, vmID string) ([]NIC, error) {
	return read(ctx, s, call{subject: Subject{Kind: "nics of vm", ID: vmID}, path: "/vms/" + segment(vmID) + "/nics"}, decodeNICs)
}

// StorageDomainVMs reads the VMs of this engine that have a disk on a storage domain, without NICs and disks.
func (s *Site) StorageDomainVMs(ctx context.Context, sdID string) ([]VM, error) {
	return read(ctx, s, call{subject: Subject{Kind: "vms of storage domain", ID: sdID}, path: "/storagedomains/" + segment(sdID) + "/vms"}, decodeVMs)
}

// StorageDomainTemplates reads the templates of this engine that have a disk on a storage domain. When it leaves the engine they go with
// it, and so do all VMs that are based on them.
func (s *Site) StorageDomainTemplates(ctx context.Context, sdID string) ([]Template, error) {
	return read(ctx, s, call{subject: Subject{Kind: "templates of storage domain", ID: sdID}, path: "/storagedomains/" + segment(sdID) + "/templates"}, decodeTemplates)
}

// UnregisteredVMs reads the VMs whose configuration an attached storage domain carries and which this engine does not have, as far
// as the engine could read them: a configuration that it cannot parse is missing without a word (ovirt-engine
// AttachStorageDomainToPoolCommand.java). A VM that is
// registered may still be listed.
func (s *Site) UnregisteredVMs(ctx context.Context, sdID string) ([]VM, error) {
	return read(ctx, s, call{subject: Subject{Kind: "unregistered vms of storage domain", ID: sdID},
		path: "/storagedomains/" + segment(sdID) + "/vms", query: url.Values{"unregistered": {"true"}}}, decodeVMs)
}

// UnregisteredDisks reads the disks whose images an attached storage domain carries and which this engine does not have: a host looks at
// each. Disks of VMs that are not registered are among them.
func (s *Site) UnregisteredDisks(ctx context.Context, sdID string) ([]Disk, error) {
	return read(ctx, s, call{subject: Subject{Kind: "unregistered disks of storage domain", ID: sdID},
		path: "/storagedomains/" + segment(sdID) + "/disks", query: url.Values{"unregistered": {"true"}}, timeout: inventoryTimeout}, decodeDisks)
}

// UnregisteredTemplates reads the templates that an attached storage domain carries and this engine does not have.
func (s *Site) UnregisteredTemplates(ctx context.Context, sdID string) ([]Template, error) {
	return read(ctx, s, call{subject: Subject{Kind: "unregistered templates of storage domain", ID: sdID},
		path: "/storagedomains/" + segment(sdID) + "/templates", query: url.Values{"unregistered": {"true"}}}, decodeTemplates)
}

// Events reads events, newest first.
func (s *Site) Events(ctx context.Context, q EventQuery) ([]Event, error) {
	return read(ctx, s, call{subject: Subject{Kind: "events"}, path: "/events", query: eventQuery(q)}, decodeEvents)
}

func eventQuery(q EventQuery) url.Values {
	out := url.Values{}
	if q.Search != "" {
		out.Set("search", q.Search)
	}
	if q.From > 0 {
		out.Set("from", strconv.Itoa(q.From))
	}
	if q.Max > 0 {
		out.Set("max", strconv.Itoa(q.Max))
	}
	return out
}

type statistic struct {
	name  string
	value float64
}

func toStatistic(st *sdk.Statistic) statistic {
	out := statistic{name: first(st.Name())}
	if values := items[*sdk.Value](st.Values()); len(values) > 0 {
		out.value = first(values[0].Datum())
	}
	return out
}

// HostBootTime reads when a host booted last, as it reported last: while a host is silent the value is old, so only a newer one
// proves a reboot (ovirt-engine HostStatisticalQuery.java). The zero time means unknown.
func (s *Site) HostBootTime(ctx context.Context, hostID string) (time.Time, error) {
	statistics, err := read(ctx, s, call{subject: Subject{Kind: "statistics of host", ID: hostID},
		path: "/hosts/" + segment(hostID) + "/statistics"}, decodeBootStatistic)
	if err != nil {
		return time.Time{}, err
	}
	for _, st := range statistics {
		if st.name == "boot.time" && st.value > 0 {
			return time.Unix(int64(st.value), 0).UTC(), nil
		}
	}
	return time.Time{}, nil
}
