//go:build interop

package interop

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// script is the path of one of our own Python files.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("python", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSDK runs our own cases on the official SDK, each file on a lab of its own.
func TestSDK(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("python/sdk_*.py")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	passed, failed := 0, 0
	t.Run("cases", func(t *testing.T) {
		for _, file := range files {
			name := filepath.Base(file)
			t.Run(strings.TrimSuffix(name, ".py"), func(t *testing.T) {
				r := serve(t, sdkWorld(), 60)
				out, err := r.command(t, nil, "python", script(t, name))
				p, f := strings.Count("\n"+out, "\nPASS "), strings.Count("\n"+out, "\nFAIL ")
				if err != nil || f > 0 || p == 0 {
					t.Errorf("%v\n%s\nthe lab's log:\n%s", err, out, r.trace())
				}
				passed, failed = passed+p, failed+f
				counted("the Python SDK, our cases", r)
			})
		}
	})
	count("SDK cases: %d passed, %d failed", passed, failed)
}

// sdkWorld is the world of the cases: two replicated domains, one of them on iSCSI, with four VMs, one of them down, a template, and
// one at least of whatever else an administrator makes. What the secondary site calls otherwise has the primary's name with "2".
func sdkWorld() lab.World {
	world := mixedWorld(lab.TwoSitesOptions{VMs: 4, Domains: 2, PowerManagement: true})
	world.Sites[0].VMs[3].Running = false
	for i := range world.Sites {
		furnish(&world.Sites[i], []string{"", "2"}[i])
	}
	primary := &world.Sites[0]
	for _, site := range []string{"primary", "secondary"} {
		world.LUNSets = append(world.LUNSets, lab.LUNSet{Site: site, Name: "raw_" + site, Type: "fcp", LUNs: []lab.LUN{{ID: rawLUN(site), Size: 64 << 30}}})
	}
	world.Replications = append(world.Replications, lab.Replication{Domain: "raw", Source: "raw_primary", Target: "raw_secondary", Lag: time.Second})
	world.Exports = append(world.Exports, lab.Export{Site: "primary", Address: "nas.localdomain", Path: "/spare", Size: 1 << 40})
	primary.VMs[1].Disks = append(primary.VMs[1].Disks, lab.Disk{ID: lab.ID("raw disk"), Alias: "vm2_raw", LUN: rawLUN("primary")})
	primary.VMs[1].Snapshots = []lab.Snapshot{{Description: "before the update", Age: 48 * time.Hour, Memory: true}}
	primary.VMs[0].LeaseDomainID = primary.StorageDomains[0].ID
	primary.InstanceTypes = []lab.InstanceType{{ID: lab.ID("instance type"), Name: "Small"}}
	primary.AffinityGroups[0].VMIDs = []string{primary.VMs[0].ID, primary.VMs[1].ID}
	primary.AffinityLabels[0].VMIDs = []string{primary.VMs[1].ID}
	primary.Tags[0].VMIDs = []string{primary.VMs[0].ID}
	primary.Permissions = []lab.Permission{{ID: lab.ID("permission"), UserID: primary.AAADomains[0].Users[0].ID, RoleID: primary.Roles[0].ID, Object: "vm", ObjectID: primary.VMs[1].ID}}
	return world
}

// rawLUN is the WWID of the LUN that is a disk of vm2, and of its replica.
func rawLUN(site string) string {
	return "36001405" + strings.ReplaceAll(lab.ID("raw/"+site), "-", "")[:25]
}

// mixedWorld is a two-site world whose second storage domain lies on iSCSI.
func mixedWorld(o lab.TwoSitesOptions) lab.World {
	world := lab.TwoSites(o)
	o.Kind = "iscsi"
	block := lab.TwoSites(o)
	world.Replications[1], world.Sites[0].StorageDomains[1] = block.Replications[1], block.Sites[0].StorageDomains[1]
	for _, set := range block.LUNSets {
		if set.Name == block.Replications[1].Source || set.Name == block.Replications[1].Target {
			world.LUNSets = append(world.LUNSets, set)
			world.Targets = append(world.Targets, block.Targets[slices.IndexFunc(block.Targets, func(t lab.Target) bool { return t.Name == set.Target })])
		}
	}
	return world
}

// furnish gives a site an affinity group, a label, a tag, a directory with a user and a group, a role, a quota, profiles and a bookmark.
func furnish(site *lab.Site, suffix string) {
	id := func(what string) string { return lab.ID(site.Name + "/interop/" + what) }
	site.AffinityGroups = []lab.AffinityGroup{{ID: id("group"), Name: "together" + suffix, ClusterID: site.Clusters[0].ID, Priority: 5,
		VMsRule: lab.AffinityRule{Enabled: true, Positive: true}, HostsRule: lab.AffinityRule{Enabled: true, Positive: true}, HostIDs: []string{site.Hosts[0].ID}}}
	site.AffinityLabels = []lab.AffinityLabel{{ID: id("label"), Name: "licensed" + suffix, HostIDs: []string{site.Hosts[0].ID, site.Hosts[1].ID}}}
	site.Tags = []lab.Tag{{ID: id("tag"), Name: "gold" + suffix, Description: "first to come back"}}
	site.AAADomains = []lab.AAADomain{{Name: "example" + suffix + "-authz",
		Users:  []lab.DirectoryUser{{ID: id("user"), Login: "ann", FirstName: "Ann", LastName: "Example", Email: "ann@example.com", Added: true}},
		Groups: []lab.DirectoryGroup{{ID: id("directory group"), Name: "operators", Added: true}}}}
	site.Roles = []lab.Role{{ID: id("role"), Name: "Starter" + suffix, Permits: []string{"run_vm", "stop_vm"}}}
	site.Quotas = []lab.Quota{{ID: id("quota"), Name: "small", DataCenterID: site.DataCenters[0].ID,
		ClusterLimits: []lab.QuotaLimit{{VCPUs: 64, Memory: 1 << 20}}, StorageLimits: []lab.QuotaLimit{{Storage: 4096}}}}
	site.QoSs = []lab.QoS{{ID: id("qos"), Name: "slow", DataCenterID: site.DataCenters[0].ID, Type: "storage", Values: map[string]int64{"max_iops": 500}}}
	site.Bookmarks = []lab.Bookmark{{ID: id("bookmark"), Name: "what runs", Value: "Vms: status = up"}}
}
