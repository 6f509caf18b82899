package plans

import "drrun/ovirt"

// Seen is what Check read of one site, for who needs the same right after it.
type Seen struct {
	DataCenters []ovirt.DataCenter
	Clusters    []ovirt.Cluster
	Networks    []ovirt.Network
	Profiles    []ovirt.VNICProfile
	// StorageDomains is the global list. Its members may be more precise than that: where their data center was read they have its status.
	StorageDomains []ovirt.StorageDomain
}

// tell gives what was read to who asked for it.
func (c *checker) tell() {
	if c.o.Seen == nil {
		return
	}
	for _, view := range []*siteView{c.source, c.target} {
		if view != nil {
			c.o.Seen(view.name, Seen{DataCenters: view.dataCenters, Clusters: view.clusters, Networks: view.networks, Profiles: view.profiles, StorageDomains: view.domains})
		}
	}
}
