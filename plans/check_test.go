package plans

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
)

// world is a plan with its inventory and what both engines say now. Tests change one thing and look at what Check finds.
type world struct {
	plan               *Plan
	inv                *Inventory
	primary, secondary *siteView
	o                  CheckOptions
	primaryErr         error
	secondaryErr       error
}

// checkWorld is the world of testdata/check/plan.lua: as generate left it, an hour later.
func checkWorld(t *testing.T) *world {
	t.Helper()
	primary, secondary := twoSites()
	primary.vms = primary.vms[:4]
	primary.vms[0].Disks = primary.vms[0].Disks[:1] // vm10 lies on the plan's domain alone
	o := testOptions()
	o.File = "plan.lua"
	o.PrimarySpec.CAFile, o.SecondarySpec.CAFile = "", ""
	g := mustCompose(t, primary, secondary, o)
	file := filepath.Join("testdata", "check", "plan.lua")
	golden(t, filepath.Join("check", "plan.lua"), string(g.Plan))
	plan, found, text := load(t, file, Options{})
	if len(found) > 0 {
		t.Fatal(text)
	}
	return &world{plan: plan, inv: g.Inventory, primary: primary, secondary: secondary, o: CheckOptions{Now: testNow.Add(time.Hour)}}
}

func (w *world) check() []Finding {
	c := &checker{plan: w.plan, inv: w.inv, o: w.o, targetName: w.o.target(), sourceName: Other(w.o.target())}
	c.inventory()
	views := map[string]*siteView{Primary: w.primary, Secondary: w.secondary}
	for name, err := range map[string]error{Primary: w.primaryErr, Secondary: w.secondaryErr} {
		if err != nil {
			views[name] = nil
			c.add(c.siteFinding(name, err))
		}
	}
	c.source, c.target = views[c.sourceName], views[c.targetName]
	c.compare()
	return c.finish()
}

// onLUNs makes Fibre Channel LUNs of the plan's storage domain: 3600a at the primary, 3600b at the secondary.
func (w *world) onLUNs() {
	d := &w.plan.StorageDomains[0]
	d.Type, d.Primary.Place, d.Secondary.Place, d.Primary.LUNs, d.Secondary.LUNs = StorageFCP, StorageURL{}, StorageURL{}, []string{"3600a"}, []string{"3600b"}
	there := &w.primary.domains[0]
	there.StorageType, there.Address, there.Path, there.LUNs = StorageFCP, "", "", []ovirt.LUN{{ID: "3600a"}}
	w.secondary.luns = map[string][]ovirt.HostLUN{w.secondary.hosts[0].ID: {{LUN: ovirt.LUN{ID: "3600b"}, Type: StorageFCP}}}
}

// withLUNDisk gives the second VM a LUN as a disk.
func (w *world) withLUNDisk(id string) {
	w.primary.vms[1].Disks = append(w.primary.vms[1].Disks, ovirt.Disk{ID: "lun", Alias: "vm2_lun", StorageType: "lun", LUN: ovirt.LUN{ID: id}})
}

func renderFindings(findings []Finding) string {
	var b strings.Builder
	RenderFindings(&b, findings)
	return b.String()
}

func TestCheckFindsNothing(t *testing.T) {
	t.Parallel()
	w := checkWorld(t)
	if found := w.check(); len(found) > 0 {
		t.Error(renderFindings(found))
	}
	// The source is gone: that is what a failover is for.
	w.primaryErr = &ovirt.Error{Site: Primary, Op: "open", Code: ovirt.CodeUnreachable, Err: errors.New("connection refused")}
	if found := w.check(); len(found) != 1 || found[0].Severity != SeverityInfo || HasErrors(found) {
		t.Error(renderFindings(found))
	}
}

// Each change of the world has the whole text of what Check finds in one golden file.
func TestCheck(t *testing.T) {
	t.Parallel()
	nfs := testID(idDomain, 1)
	at := func(address, path string) ovirt.StorageDomain {
		return ovirt.StorageDomain{ID: nfs, Name: "nfs_ds", Type: "data", StorageType: "nfs", Address: address, Path: path, DataCenterID: testID(idDC, 1), Status: "active"}
	}
	cases := []struct {
		name   string
		change func(w *world)
	}{
		{"target down", func(w *world) {
			w.secondaryErr = &ovirt.Error{Site: Secondary, Op: "open", Code: ovirt.CodeUnreachable, Err: errors.New("dial tcp: connection refused")}
		}},
		{"target credentials", func(w *world) {
			w.secondaryErr = &ovirt.Error{Site: Secondary, Op: "login", Code: ovirt.CodeCredentials, Reason: "access_denied", Hint: "check user name and password"}
		}},
		{"source credentials", func(w *world) {
			w.primaryErr = &ovirt.Error{Site: Primary, Op: "login", Code: ovirt.CodeCredentials, Reason: "access_denied"}
		}},
		{"source down", func(w *world) {
			w.primaryErr = &ovirt.Error{Site: Primary, Op: "open", Code: ovirt.CodeTimeout}
		}},
		{"inventory missing", func(w *world) { w.inv = nil }},
		{"inventory unreadable", func(w *world) {
			w.inv, w.o.InventoryErr = nil, errors.New("plan.inventory.json: decode inventory: unexpected end of JSON input")
		}},
		{"inventory stale", func(w *world) { w.o.Now = testNow.Add(30 * time.Hour) }},
		{"inventory of years", func(w *world) { w.o.Now = testNow.Add(400 * 24 * time.Hour) }},
		{"inventory of another plan", func(w *world) { w.inv.Plan = "Other" }},
		{"plan and inventory differ", func(w *world) {
			w.plan.VMs[2].ID = testID(idVM, 77)
			w.primary.vms[0].ID = testID(idVM, 77)
		}},
		{"one engine twice", func(w *world) {
			w.secondary.product.InstanceID, w.inv.Sites.Secondary.InstanceID = w.primary.product.InstanceID, w.primary.product.InstanceID
		}},
		{"engine replaced", func(w *world) { w.secondary.product.InstanceID = "another" }},
		{"speed outside of the lab", func(w *world) { w.o.Speed = 50; w.primary.product.Lab = true }},
		{"data center missing", func(w *world) { w.secondary.dataCenters[0].Name = "Defaults" }},
		{"data center down", func(w *world) { w.secondary.dataCenters[0].Status = "not_operational" }},
		{"data center local", func(w *world) { w.secondary.dataCenters[0].Local = true }},
		{"no host up", func(w *world) { w.secondary.hosts[0].Status = "maintenance" }},
		{"older storage format", func(w *world) { w.primary.domains[0].Format = "v4" }},
		{"older storage format by the inventory", func(w *world) {
			w.primaryErr = &ovirt.Error{Site: Primary, Op: "open", Code: ovirt.CodeTimeout}
			w.inv.Domains[0].Format = "v4"
		}},
		{"older storage format, consent", func(w *world) {
			w.primary.domains[0].Format, w.plan.StorageDomains[0].UpgradeFormat = "v4", true
		}},
		{"older storage format, data center without storage", func(w *world) {
			w.primary.domains[0].Format = "v4"
			w.secondary.dataCenters[0].Status, w.secondary.dataCenters[0].StorageFormat, w.secondary.dataCenters[0].Version = "uninitialized", "", "4.7"
		}},
		{"LUNs as they should be", func(w *world) { w.onLUNs() }}, // and so nothing is found
		{"LUN that some hosts do not see", func(w *world) {
			w.onLUNs()
			w.secondary.hosts = append(w.secondary.hosts, ovirt.Host{ID: "blind", Name: "blind", Status: "up", ClusterID: w.secondary.hosts[0].ClusterID})
		}},
		{"LUN that no host sees", func(w *world) { w.onLUNs(); w.secondary.luns = nil }},
		{"LUNs that cannot be read", func(w *world) {
			w.onLUNs()
			w.secondary.lunsErr = map[string]error{w.secondary.hosts[0].ID: errors.New("no")} // and so nothing is found
		}},
		{"LUN behind a target where nobody is logged in", func(w *world) {
			w.onLUNs()
			w.plan.StorageDomains[0].Type, w.primary.domains[0].StorageType, w.secondary.luns = StorageISCSI, StorageISCSI, nil // and so nothing is found
		}},
		{"LUN of the source at the target", func(w *world) {
			w.onLUNs()
			w.secondary.luns[w.secondary.hosts[0].ID] = append(w.secondary.luns[w.secondary.hosts[0].ID], ovirt.HostLUN{LUN: ovirt.LUN{ID: "3600a"}, Type: StorageFCP})
		}},
		{"domain known on the LUN of the source", func(w *world) {
			w.onLUNs()
			d := w.primary.domains[0]
			d.DataCenterID, d.Status = "", "unattached"
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"domain known on another LUN", func(w *world) {
			w.onLUNs()
			d := w.primary.domains[0]
			d.DataCenterID, d.Status, d.LUNs = "", "unattached", []ovirt.LUN{{ID: "3600c"}}
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"LUN of another domain", func(w *world) {
			w.onLUNs()
			w.secondary.domains = append(w.secondary.domains, ovirt.StorageDomain{ID: testID(idDomain, 9), Name: "other", Type: "data", StorageType: StorageFCP, LUNs: []ovirt.LUN{{ID: "3600b"}}})
		}},
		{"another type than the plan's", func(w *world) { w.primary.domains[0].StorageType = StorageFCP }},
		{"direct LUN without a replica", func(w *world) { w.withLUNDisk("3600e") }},
		{"direct LUN that nobody sees", func(w *world) {
			w.withLUNDisk("3600e")
			w.plan.Mappings.LUNs = []LUNMapping{{Primary: LUNRef{ID: "3600e"}, Secondary: LUNRef{ID: "3600f"}}}
		}},
		{"direct LUN that is optional", func(w *world) {
			w.withLUNDisk("3600e")
			w.plan.Mappings.LUNs = []LUNMapping{{Primary: LUNRef{ID: "3600e"}, Optional: true}} // and so nothing is found
		}},
		{"the engine's own VM", func(w *world) { w.primary.vms[1].Origin = "managed_hosted_engine" }},
		{"newer storage format", func(w *world) { w.secondary.dataCenters[0].StorageFormat = "v4" }},
		{"domain name in use", func(w *world) {
			d := at("srv", "/other")
			d.ID = testID(idDomain, 9)
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"replica taken by another domain", func(w *world) {
			d := at("192.168.122.210", "/nfs_ds_replica")
			d.ID, d.Name = testID(idDomain, 9), "other"
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"domain active there", func(w *world) {
			w.secondary.domains = append(w.secondary.domains, at("192.168.122.210", "/nfs_ds_replica"))
		}},
		{"domain in maintenance there", func(w *world) {
			d := at("192.168.122.210", "/nfs_ds_replica")
			d.Status = "maintenance"
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"domain unattached there", func(w *world) {
			d := at("192.168.122.210", "/nfs_ds_replica")
			d.Status, d.DataCenterID = "unattached", ""
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"domain elsewhere", func(w *world) { w.secondary.domains = append(w.secondary.domains, at("192.168.122.210", "/nfs_ds")) }},
		{"domain in another data center", func(w *world) {
			d := at("192.168.122.210", "/nfs_ds_replica")
			d.DataCenterID = testID(idDC, 2)
			w.secondary.dataCenters = append(w.secondary.dataCenters, ovirt.DataCenter{ID: testID(idDC, 2), Name: "Second", Status: "up"})
			w.secondary.domains = append(w.secondary.domains, d)
		}},
		{"cluster missing", func(w *world) { w.secondary.clusters[0].Name = "Product" }},
		{"cluster missing at the source", func(w *world) {
			w.primary.clusters[0].Name = "Renamed"
		}},
		{"cluster of another data center", func(w *world) {
			w.secondary.dataCenters = append(w.secondary.dataCenters, ovirt.DataCenter{ID: testID(idDC, 2), Name: "Second", Status: "up"})
			w.secondary.clusters = append(w.secondary.clusters, ovirt.Cluster{ID: testID(idCluster, 2), Name: "Keep", DataCenterID: testID(idDC, 1)})
			w.secondary.hosts[0].ClusterID = testID(idCluster, 2)
			w.secondary.clusters[0].DataCenterID = testID(idDC, 2)
		}},
		{"cluster of another architecture", func(w *world) { w.secondary.clusters[0].Architecture = "ppc64" }},
		{"cluster and profile unmapped", func(w *world) { w.plan.Mappings = Mappings{} }},
		{"profile missing", func(w *world) { w.secondary.profiles[0].Name = "lan2" }},
		{"profile missing at the source", func(w *world) { w.primary.networks[0].Name = "lan_old" }},
		{"network carries no VMs", func(w *world) { w.secondary.networks[0].VM = false }},
		{"VM name in use", func(w *world) { w.secondary.vms = []ovirt.VM{{ID: testID(idVM, 50), Name: "vm2"}} }},
		{"VM name in use in another data center", func(w *world) {
			w.secondary.dataCenters = append(w.secondary.dataCenters, ovirt.DataCenter{ID: testID(idDC, 2), Name: "Second", Status: "up"})
			w.secondary.clusters = append(w.secondary.clusters, ovirt.Cluster{ID: testID(idCluster, 2), Name: "Keep", DataCenterID: testID(idDC, 2)})
			w.secondary.vms = []ovirt.VM{{ID: testID(idVM, 50), Name: "vm2", ClusterID: testID(idCluster, 2)}} // and so nothing is found
		}},
		{"VM registered", func(w *world) {
			w.secondary.vms = []ovirt.VM{{ID: testID(idVM, 2), Name: "vm2", Status: "down", NICs: []ovirt.NIC{{MAC: "56:6f:01:00:00:02"}}}}
		}},
		{"address in use", func(w *world) {
			w.secondary.vms = []ovirt.VM{
				{ID: testID(idVM, 50), Name: "appliance", ClusterID: testID(idCluster, 1), NICs: []ovirt.NIC{{MAC: "56:6F:01:00:00:0A"}}},
				{ID: testID(idVM, 51), Name: "lodger", ClusterID: testID(idCluster, 2), NICs: []ovirt.NIC{{MAC: "56:6F:01:00:00:02"}}},
			}
		}},
		{"template missing", func(w *world) { w.plan.Templates = nil }},
		{"template there", func(w *world) {
			w.plan.Templates = nil
			w.secondary.templates = append(w.secondary.templates, ovirt.Template{ID: testID(idTemplate, 1), Name: "rhel9"})
			// and so nothing is found
		}},
		{"template name in use, unknown template", func(w *world) {
			w.plan.Templates[0].ID = testID(idTemplate, 7)
			w.secondary.templates = append(w.secondary.templates, ovirt.Template{ID: testID(idTemplate, 2), Name: "rhel9"}, ovirt.Template{ID: testID(idTemplate, 1), Name: "x"})
		}},
		{"new and removed VMs at the source", func(w *world) {
			w.primary.vms = append(w.primary.vms[1:], testVM(60, "fresh", nfs), testVM(61, "other", testID(idDomain, 2)))
		}},
		{"moved and stopped since the inventory", func(w *world) {
			w.inv.VMs[0].Cluster, w.inv.VMs[1].NICs[0].Profile = "Prod2", nil
			w.primary.vms[1].Status = "down"
		}},
		{"a record that no snapshot could read", func(w *world) {
			w.inv.Taken = w.o.Now
			for i := range w.inv.VMs {
				w.inv.VMs[i].Seen = w.o.Now
			}
			w.inv.VMs[1].Seen = w.o.Now.Add(-25 * time.Hour)
		}},
		{"a planned move, the source silent", func(w *world) {
			w.o.Planned, w.primaryErr = true, &ovirt.Error{Site: Primary, Op: "open", Code: ovirt.CodeTimeout}
		}},
		{"a planned move, the source unreadable", func(w *world) {
			w.o.Planned, w.primaryErr = true, &ovirt.Error{Site: Primary, Op: "login", Code: ovirt.CodeCredentials, Reason: "access_denied"}
		}},
		{"a clean, the site with the VMs silent", func(w *world) {
			w.o.Action, w.o.Target = ActionClean, Secondary
			w.plan.Mappings, w.inv = Mappings{}, nil // of no concern
			w.primaryErr = &ovirt.Error{Site: Primary, Op: "open", Code: ovirt.CodeTimeout}
		}},
		{"domain gone at the source", func(w *world) { w.primary.domains = w.primary.domains[1:] }},
	}
	var b strings.Builder
	for _, c := range cases {
		w := checkWorld(t)
		c.change(w)
		b.WriteString("--- " + c.name + "\n" + renderFindings(w.check()))
	}
	golden(t, filepath.Join("check", "findings.golden"), b.String())
}

// What is left open in a plan is no reason not to look at the rest.
func TestCheckOpenPlan(t *testing.T) {
	t.Parallel()
	p, _, _ := load(t, filepath.Join("testdata", "load", "todos.lua"), Options{})
	w := checkWorld(t)
	w.plan, w.inv = p, nil
	w.secondary.domains = w.primary.domains
	var codes []string
	for _, f := range w.check() {
		codes = append(codes, f.Code)
	}
	if got := strings.Join(codes, " "); got != "inventory-missing vm-new-at-source domain-active" {
		t.Errorf("got %s", got)
	}
}

// Failback looks the other way.
func TestCheckFailback(t *testing.T) {
	t.Parallel()
	w := checkWorld(t)
	w.o.Action = ActionFailback
	w.primary.dataCenters[0].Status = "maintenance"
	w.secondary.name = Secondary
	var codes []string
	for _, f := range w.check() {
		codes = append(codes, f.Site+":"+f.Code)
	}
	got := strings.Join(codes, " ")
	if !strings.Contains(got, "primary:data-center-down") || strings.Contains(got, "secondary:data-center") {
		t.Errorf("got %s", got)
	}
}

func TestFindingJSON(t *testing.T) {
	t.Parallel()
	w := checkWorld(t)
	w.secondary.vms = []ovirt.VM{{ID: testID(idVM, 50), Name: "vm2"}}
	data, err := json.MarshalIndent(w.check(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("check", "findings.json"), string(data)+"\n")
	if strings.Contains(string(data), os.TempDir()) {
		t.Error("a path of this machine")
	}
}
