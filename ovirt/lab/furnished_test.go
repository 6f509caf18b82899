package lab_test

import (
	"time"

	"drrun/ovirt/lab"
)

const gib = 1 << 30

// furnished is a world with at least one of everything that the lab's documents can show.
func furnished() lab.World {
	w := lab.TwoSites(lab.TwoSitesOptions{VMs: 6, Domains: 2, Kind: "iscsi", PowerManagement: true})
	p, _ := w.Site("primary")
	p.VMs[0].Snapshots = []lab.Snapshot{{Description: "before the update", Age: 48 * time.Hour, Memory: true}}
	p.VMs[0].LeaseDomainID = p.StorageDomains[0].ID
	p.VMs[1].Preview = true
	p.VMs[2].Running = false
	p.VMs[3].Pool = "desktops"
	p.VMs[4].Status = "paused"
	p.VMs[5].PinnedTo = []string{p.Hosts[0].ID}
	p.VMs[4].CustomProperties = []lab.CustomProperty{{Name: "sap_agent", Value: "true"}}
	p.Templates[len(p.Templates)-1].PinnedTo = []string{p.Hosts[0].ID}
	p.InstanceTypes = []lab.InstanceType{{ID: "00000003-0003-0003-0003-0000000000be", Name: "Small"}}
	p.VMs[3].InstanceTypeID = p.InstanceTypes[0].ID
	w.Exports = append(w.Exports, lab.Export{Site: "primary", Address: "nas1.localdomain", Path: "/iso", Size: 100 * gib},
		lab.Export{Site: "primary", Address: "nas1.localdomain", Path: "/spare", Size: 100 * gib})
	p.StorageDomains = append(p.StorageDomains,
		lab.StorageDomain{ID: "d0d0d0d0-0000-4000-8000-000000000001", Name: "iso", DataCenterID: p.DataCenters[0].ID, Address: "nas1.localdomain",
			Path: "/iso", Format: "v1", Type: "iso", Files: []string{"rhel-9.4-x86_64-boot.iso"}},
		lab.StorageDomain{ID: "d0d0d0d0-0000-4000-8000-000000000002", Name: "spare", Address: "nas1.localdomain", Path: "/spare", Format: "v5"})
	return w
}
