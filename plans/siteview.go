package plans

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"drrun/ovirt"
)

// siteView is what one engine said: each collection read once.
type siteView struct {
	name        string
	product     ovirt.Product
	dataCenters []ovirt.DataCenter
	clusters    []ovirt.Cluster
	hosts       []ovirt.Host
	domains     []ovirt.StorageDomain // the global list, with status and master role for those that were asked for by data center
	templates   []ovirt.Template
	networks    []ovirt.Network
	profiles    []ovirt.VNICProfile
	vms         []ovirt.VM
	obstacles   []ovirt.VMObstacles        // the same VMs, when obstacles were asked for
	disks       []ovirt.Disk               // likewise
	luns        map[string][]ovirt.HostLUN // what hosts see, by their id, where that was asked for
	lunsErr     map[string]error           // why it could not be read
}

// viewParts says which of the dear collections to read.
type viewParts struct {
	hosts, vms bool
	obstacles  bool // the VMs with what stands in the way of a planned move
	// attachedIn tells, given the global list, in which data centers to look for the true status of storage domains.
	attachedIn func(v *siteView) []string
	// lunsOf tells, given the hosts, which of them to ask for the LUNs that they see: each scans its devices for that.
	lunsOf func(v *siteView) []ovirt.Host
}

// look reads one site: one request for each collection, and one for each data center whose domains matter.
func look(ctx context.Context, site *ovirt.Site, parts viewParts) (*siteView, error) {
	v := &siteView{name: site.Name()}
	var err error
	if v.product, err = site.Product(ctx); err != nil {
		return nil, err
	}
	if v.dataCenters, err = site.DataCenters(ctx); err != nil {
		return nil, err
	}
	if v.clusters, err = site.Clusters(ctx); err != nil {
		return nil, err
	}
	if v.domains, err = site.StorageDomains(ctx); err != nil {
		return nil, err
	}
	if v.templates, err = site.Templates(ctx); err != nil {
		return nil, err
	}
	if v.networks, err = site.Networks(ctx); err != nil {
		return nil, err
	}
	if v.profiles, err = site.VNICProfiles(ctx); err != nil {
		return nil, err
	}
	if parts.hosts {
		if v.hosts, err = site.Hosts(ctx); err != nil {
			return nil, err
		}
	}
	switch {
	case parts.obstacles:
		if err = v.readObstacles(ctx, site); err != nil {
			return nil, err
		}
	case parts.vms:
		if v.vms, err = site.VMs(ctx, ovirt.VMQuery{Details: true}); err != nil {
			return nil, err
		}
	}
	if parts.attachedIn != nil {
		if err := v.readStatuses(ctx, site, parts.attachedIn(v)); err != nil {
			return nil, err
		}
	}
	if parts.lunsOf != nil {
		v.readLUNs(ctx, site, parts.lunsOf(v))
	}
	return v, nil
}

// readLUNs asks hosts for the LUNs that they see. One that cannot tell is no reason to know nothing of the site.
func (v *siteView) readLUNs(ctx context.Context, site *ovirt.Site, hosts []ovirt.Host) {
	var ids []string
	for _, host := range hosts {
		if !slices.Contains(ids, host.ID) {
			ids = append(ids, host.ID)
		}
	}
	v.luns, v.lunsErr = site.LUNsOfHosts(ctx, ids)
}

// upHosts returns the hosts that are up in a data center, by name.
func (v *siteView) upHosts(dataCenterID string) []ovirt.Host {
	var up []ovirt.Host
	for _, host := range v.hosts {
		if cluster := v.cluster(host.ClusterID); host.Status == "up" && cluster != nil && cluster.DataCenterID == dataCenterID {
			up = append(up, host)
		}
	}
	slices.SortFunc(up, func(a, b ovirt.Host) int { return naturalCompare(a.Name, b.Name) })
	return up
}

// oneHostEach returns one host that is up of each data center.
func (v *siteView) oneHostEach() []ovirt.Host {
	var hosts []ovirt.Host
	for _, dc := range v.dataCenters {
		if up := v.upHosts(dc.ID); len(up) > 0 {
			hosts = append(hosts, up[0])
		}
	}
	return hosts
}

// readStatuses completes the storage domains with what the lists of their data centers say: the only place with the true status.
func (v *siteView) readStatuses(ctx context.Context, site *ovirt.Site, dataCenterIDs []string) error {
	for _, dataCenterID := range dataCenterIDs {
		attached, err := site.AttachedStorageDomains(ctx, dataCenterID)
		if err != nil {
			return err
		}
		for _, d := range attached {
			if known := v.domain(d.ID); known != nil {
				known.Status, known.Master, known.DataCenterID = d.Status, d.Master, dataCenterID
			}
		}
	}
	return nil
}

func (v *siteView) domain(id string) *ovirt.StorageDomain {
	at := slices.IndexFunc(v.domains, func(d ovirt.StorageDomain) bool { return d.ID == id })
	if at < 0 {
		return nil
	}
	return &v.domains[at]
}

func (v *siteView) dataCenter(id string) *ovirt.DataCenter {
	at := slices.IndexFunc(v.dataCenters, func(dc ovirt.DataCenter) bool { return dc.ID == id })
	if at < 0 {
		return nil
	}
	return &v.dataCenters[at]
}

func (v *siteView) dataCenterName(id string) string {
	if dc := v.dataCenter(id); dc != nil {
		return dc.Name
	}
	return ""
}

func (v *siteView) dataCenterNamed(name string) *ovirt.DataCenter {
	at := slices.IndexFunc(v.dataCenters, func(dc ovirt.DataCenter) bool { return dc.Name == name })
	if at < 0 {
		return nil
	}
	return &v.dataCenters[at]
}

func (v *siteView) cluster(id string) *ovirt.Cluster {
	at := slices.IndexFunc(v.clusters, func(c ovirt.Cluster) bool { return c.ID == id })
	if at < 0 {
		return nil
	}
	return &v.clusters[at]
}

func (v *siteView) clusterName(id string) string {
	if c := v.cluster(id); c != nil {
		return c.Name
	}
	return ""
}

func (v *siteView) clusterNamed(name string) *ovirt.Cluster {
	at := slices.IndexFunc(v.clusters, func(c ovirt.Cluster) bool { return c.Name == name })
	if at < 0 {
		return nil
	}
	return &v.clusters[at]
}

// profileRef names a vNIC profile by its id. vm tells whether its network carries VM traffic.
func (v *siteView) profileRef(id string) (ref ProfileRef, vm, ok bool) {
	at := slices.IndexFunc(v.profiles, func(p ovirt.VNICProfile) bool { return p.ID == id })
	if at < 0 {
		return ProfileRef{}, false, false
	}
	return v.describeProfile(v.profiles[at])
}

func (v *siteView) describeProfile(p ovirt.VNICProfile) (ref ProfileRef, vm, ok bool) {
	at := slices.IndexFunc(v.networks, func(n ovirt.Network) bool { return n.ID == p.NetworkID })
	if at < 0 {
		return ProfileRef{}, false, false
	}
	n := v.networks[at]
	return ProfileRef{DataCenter: v.dataCenterName(n.DataCenterID), Network: n.Name, Profile: p.Name}, n.VM, true
}

// profileRefs names every vNIC profile, and says for each whether its network carries VM traffic.
func (v *siteView) profileRefs() map[ProfileRef]bool {
	refs := make(map[ProfileRef]bool, len(v.profiles))
	for _, p := range v.profiles {
		if ref, vm, ok := v.describeProfile(p); ok {
			refs[ref] = vm
		}
	}
	return refs
}

// at finds the storage domains of a place, whatever their protocol: one export is one place. A block domain is found by its id.
func (v *siteView) at(place StorageURL) []*ovirt.StorageDomain {
	var found []*ovirt.StorageDomain
	for i := range v.domains {
		d := &v.domains[i]
		if place.DomainID != "" && strings.EqualFold(d.ID, place.DomainID) || lies(*d, place) != elsewhere {
			found = append(found, d)
		}
	}
	return found
}

// lying tells whether a domain lies at a place.
type lying int

const (
	elsewhere lying = iota
	perhaps         // the engine shows places mutilated, and this one looks the same
	here
)

// lies tells whether a file domain lies at a place, by what its engine shows.
func lies(d ovirt.StorageDomain, place StorageURL) lying {
	shown := placeOf(d)
	if shown.SamePlace(place) {
		return here
	}
	address, path := ovirt.ShownPlace(place.Mount(), place.Path)
	if place.Path != "" && path != place.Path && strings.EqualFold(d.Address, address) && d.Path == path {
		return perhaps
	}
	return elsewhere
}

// placeOf returns the place of a file storage domain in the form of a storage URL, and one that is the same as no other for the rest.
func placeOf(d ovirt.StorageDomain) StorageURL {
	u := StorageURL{Type: d.StorageType}
	if d.Path == "" || !strings.HasPrefix(d.Path, "/") {
		return u
	}
	// Engines show an IPv6 address with or without its brackets.
	host := d.Address
	if strings.Contains(host, ":") && !strings.HasPrefix(host, "[") {
		host = "[" + host + "]"
	}
	address, problem := parseHost(host)
	if problem != "" {
		return u
	}
	u.Address, u.Path = address, cleanPath(d.Path)
	return u
}

// inventorySite renders a view as the inventory keeps it: names, sorted.
func (v *siteView) inventorySite(url string) InventorySite {
	s := InventorySite{URL: url, InstanceID: v.product.InstanceID, Product: v.product.Name, Version: v.product.Version}
	for _, dc := range v.dataCenters {
		if !dc.Local {
			s.DataCenters = append(s.DataCenters, dc.Name)
		}
	}
	slices.SortFunc(s.DataCenters, naturalCompare)
	for _, c := range v.clusters {
		s.Clusters = append(s.Clusters, InventoryCluster{ID: c.ID, Name: c.Name, DataCenter: v.dataCenterName(c.DataCenterID), Version: c.Version, Architecture: c.Architecture})
	}
	slices.SortFunc(s.Clusters, func(a, b InventoryCluster) int { return naturalCompare(a.Name, b.Name) })
	for _, d := range v.domains {
		s.Domains = append(s.Domains, InventoryEntity{ID: d.ID, Name: d.Name})
	}
	for _, t := range v.templates {
		s.Templates = append(s.Templates, InventoryEntity{ID: t.ID, Name: t.Name})
	}
	for _, list := range [][]InventoryEntity{s.Domains, s.Templates} {
		slices.SortFunc(list, compareEntities)
	}
	for ref, vm := range v.profileRefs() {
		if vm {
			s.Profiles = append(s.Profiles, ref)
		}
	}
	slices.SortFunc(s.Profiles, compareProfiles)
	return s
}

// nameList renders names for a sentence: sorted, at most limit of them.
func nameList(names []string, limit int) string {
	names = slices.Clone(names)
	slices.SortFunc(names, naturalCompare)
	names = slices.Compact(names)
	if len(names) > limit {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
