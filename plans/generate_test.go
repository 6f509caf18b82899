package plans

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// testID makes an id that is easy to recognise.
func testID(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

const (
	idDC = iota + 1
	idCluster
	idNetwork
	idProfile
	idDomain
	idTemplate
	idVM
	idNIC
	idDisk
	idHost
)

var testNow = time.Date(2026, 11, 20, 14, 32, 0, 0, time.UTC)

// testSite is a site with one data center, one cluster and two VM networks.
func testSite(name, cluster string) *siteView {
	return &siteView{
		name:        name,
		product:     ovirt.Product{Name: "oVirt Engine", Version: "4.5.5", InstanceID: "instance-" + name},
		dataCenters: []ovirt.DataCenter{{ID: testID(idDC, 1), Name: "Default", Status: "up", StorageFormat: "v5"}},
		clusters:    []ovirt.Cluster{{ID: testID(idCluster, 1), Name: cluster, DataCenterID: testID(idDC, 1), Architecture: "x86_64", Version: "4.7"}},
		hosts:       []ovirt.Host{{ID: testID(idHost, 1), Name: "host-" + name, Status: "up", ClusterID: testID(idCluster, 1)}},
		networks: []ovirt.Network{
			{ID: testID(idNetwork, 1), Name: "lan", DataCenterID: testID(idDC, 1), VM: true},
			{ID: testID(idNetwork, 2), Name: "storage", DataCenterID: testID(idDC, 1)},
		},
		profiles: []ovirt.VNICProfile{
			{ID: testID(idProfile, 1), Name: "lan", NetworkID: testID(idNetwork, 1)},
			{ID: testID(idProfile, 2), Name: "storage", NetworkID: testID(idNetwork, 2)},
		},
		templates: []ovirt.Template{{ID: blankTemplate, Name: "Blank"}},
	}
}

func testVM(n int, name string, domains ...string) ovirt.VM {
	vm := ovirt.VM{ID: testID(idVM, n), Name: name, Status: "up", ClusterID: testID(idCluster, 1), TemplateID: blankTemplate, Memory: 1 << 30, FQDN: name + ".example",
		HostID: testID(idHost, 1), NICs: []ovirt.NIC{{ID: testID(idNIC, n), Name: "nic1", MAC: fmt.Sprintf("56:6F:01:00:00:%02X", n), ProfileID: testID(idProfile, 1), Interface: "virtio", Linked: true, Plugged: true}}}
	for i, id := range domains {
		vm.Disks = append(vm.Disks, ovirt.Disk{ID: testID(idDisk, 10*n+i), Alias: fmt.Sprintf("%s_Disk%d", name, i+1), StorageType: "image", StorageDomainIDs: []string{id}, Size: 20 << 30, Bootable: i == 0, Active: true})
	}
	return vm
}

// twoSites is the world of most tests: vm1 (HA), vm2, vm10 on nfs_ds, and oddities beside them.
func twoSites() (primary, secondary *siteView) {
	primary, secondary = testSite(Primary, "Prod"), testSite(Secondary, "Prod")
	nfs, other := testID(idDomain, 1), testID(idDomain, 2)
	primary.domains = []ovirt.StorageDomain{
		{ID: nfs, Name: "nfs_ds", Type: "data", StorageType: "nfs", Address: "192.168.122.210", Path: "/nfs_ds", Status: "active", DataCenterID: testID(idDC, 1), Master: true, Format: "v5", NFSVersion: "auto"},
		{ID: other, Name: "scratch", Type: "data", StorageType: "nfs", Address: "192.168.122.210", Path: "/scratch", Status: "active", DataCenterID: testID(idDC, 1), Format: "v5"},
	}
	primary.templates = append(primary.templates, ovirt.Template{ID: testID(idTemplate, 1), Name: "rhel9"})
	vm1, vm2, vm10 := testVM(1, "vm1", nfs), testVM(2, "vm2", nfs), testVM(10, "vm10", nfs, other)
	vm1.HAEnabled, vm1.HAPriority, vm1.TemplateID = true, 50, testID(idTemplate, 1)
	vm2.FQDN, vm2.DeleteProtected = "", true
	vm10.Status = "down"
	hosted := testVM(20, "HostedEngine", nfs)
	hosted.Origin = "managed_hosted_engine"
	primary.vms = []ovirt.VM{vm10, vm2, hosted, vm1, testVM(30, "elsewhere", other), testVM(31, "diskless")}
	return primary, secondary
}

func testOptions() GenerateOptions {
	return GenerateOptions{Name: "Plan_Recovery", File: "dir/plan.lua", Now: testNow,
		PrimarySpec:    SiteSpec{URL: "https://engine1.localdomain/ovirt-engine/api", Username: "admin@internal", CAFile: "dir/primary-ca.pem"},
		SecondarySpec:  SiteSpec{URL: "https://engine2.localdomain/ovirt-engine/api", Username: "admin@ovirt@internal", CAFile: "/etc/pki/secondary-ca.pem"},
		PrimaryStorage: "nfs://192.168.122.210:/nfs_ds", SecondaryStorage: "nfs://192.168.122.210:/nfs_ds_replica"}
}

func mustCompose(t *testing.T, primary, secondary *siteView, o GenerateOptions) *Generated {
	t.Helper()
	pairs, err := pairLists(o.PrimaryStorage, o.SecondaryStorage)
	if err != nil {
		t.Fatal(err)
	}
	params, err := decodeParams(o.Params)
	if err != nil {
		t.Fatal(err)
	}
	g, err := compose(primary, secondary, pairs, params, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestGeneratedPlan(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	g := mustCompose(t, primary, secondary, testOptions())
	golden(t, "generated.lua", string(g.Plan))
	inventory, err := g.Inventory.Encode()
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "generated.inventory.json", string(inventory))
	golden(t, "generated.summary", renderSummary(t, g.Summary))
}

func renderSummary(t *testing.T, s Summary) string {
	t.Helper()
	var b strings.Builder
	RenderFindings(&b, s.Findings)
	s.Findings = nil
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data) + "\n" + b.String()
}

// Nothing at the secondary fits: every open question is a dr.todo with a sentence of its own.
func TestGeneratedPlanWithTodos(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	primary.domains[1].NFSVersion, primary.domains[1].MountOptions = "v4", "nosharecache"
	secondary.dataCenters[0].Name = "DR"
	secondary.clusters = append(secondary.clusters, ovirt.Cluster{ID: testID(idCluster, 2), Name: "Recovery", DataCenterID: testID(idDC, 1)})
	secondary.clusters[0].Name = "Other"
	secondary.networks[0].Name = "LAN"
	secondary.domains = []ovirt.StorageDomain{
		{ID: testID(idDomain, 1), Name: "left over", Type: "data"},
		{ID: testID(idDomain, 9), Name: "scratch", Type: "data"},
	}
	primary.name, primary.vms[3].Name = Primary, "vm1 \"quoted\" \\ \u202e\n"
	o := testOptions()
	o.PrimaryStorage, o.SecondaryStorage = "nfs://192.168.122.210:/scratch;nfs://192.168.122.210:/nfs_ds", "nfs://192.168.122.211:/s;nfs://192.168.122.211:/n"
	o.Params = json.RawMessage(`{"webhook": "https://chat.example/hook", "retries": 3, "ratio": 0.5, "on": true, "end": "keyword", "a b": ["x", {"y": []}], "dns": {"zone": "example", "ttl": 60}}`)
	g := mustCompose(t, primary, secondary, o)
	golden(t, "todos.lua", string(g.Plan))
	golden(t, "todos.summary", renderSummary(t, g.Summary))
}

func TestGenerateTwice(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	first := mustCompose(t, primary, secondary, testOptions())
	// An engine lists its objects in any order; the time of the second run is another one.
	for _, v := range []*siteView{primary, secondary} {
		slices.Reverse(v.vms)
		slices.Reverse(v.domains)
		slices.Reverse(v.profiles)
		slices.Reverse(v.networks)
		slices.Reverse(v.templates)
	}
	o := testOptions()
	o.Now = testNow.Add(30 * 24 * time.Hour)
	second := mustCompose(t, primary, secondary, o)
	if !bytes.Equal(first.Plan, second.Plan) {
		t.Errorf("two plans of one inventory differ:\n%s\n%s", first.Plan, second.Plan)
	}
	second.Inventory.Taken = first.Inventory.Taken
	a, _ := first.Inventory.Encode()
	b, _ := second.Inventory.Encode()
	if !bytes.Equal(a, b) {
		t.Errorf("two inventories of one world differ:\n%s\n%s", a, b)
	}
}

func TestGenerateRefusals(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	add := func(n int, name, kind, storage, path string, change func(*ovirt.StorageDomain)) {
		d := ovirt.StorageDomain{ID: testID(idDomain, n), Name: name, Type: kind, StorageType: storage, Address: "srv", Path: path, Status: "active", DataCenterID: testID(idDC, 1)}
		if change != nil {
			change(&d)
		}
		primary.domains = append(primary.domains, d)
	}
	add(10, "hosted_storage", "data", "nfs", "/he", nil)
	add(11, "isos", "iso", "nfs", "/iso", nil)
	add(12, "exports", "export", "nfs", "/export", nil)
	add(13, "loose", "data", "nfs", "/loose", func(d *ovirt.StorageDomain) { d.DataCenterID = "" })
	add(14, "gluster", "data", "glusterfs", "/gluster", nil)
	primary.dataCenters = append(primary.dataCenters, ovirt.DataCenter{ID: testID(idDC, 2), Name: "Local", Local: true})
	add(15, "local", "data", "nfs", "/local", func(d *ovirt.StorageDomain) { d.DataCenterID = testID(idDC, 2) })
	paths := []string{"/he", "/iso", "/export", "/loose", "/gluster", "/local", "/missing"}
	var there, here []string
	for _, path := range paths {
		here, there = append(here, "nfs://srv:"+path), append(there, "nfs://dr:"+path)
	}
	here, there = append(here, "fcp://"+idA), append(there, "fcp://"+idA)
	pairs, err := pairLists(strings.Join(here, ";"), strings.Join(there, ";"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = compose(primary, secondary, pairs, nil, testOptions())
	var findings FindingsError
	if !errors.As(err, &findings) {
		t.Fatalf("got %v", err)
	}
	text := findings.Error() + "\n"
	secondary.product.InstanceID = primary.product.InstanceID
	pairs, _ = pairLists("nfs://192.168.122.210:/nfs_ds", "nfs://dr:/nfs_ds")
	_, err = compose(primary, secondary, pairs, nil, testOptions())
	golden(t, "refusals.golden", text+fmt.Sprint(err)+"\n")
}

// A place is found however the engine spells it.
func TestMatchDomainsNormalises(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ address, path, url string }{
		{"SRV.Example", "/a//b/", "nfs://srv.example.:/a/b"},
		{"fd00:0::1", "/x", "nfs://[fd00::1]:/x/"},
		{"[fd00::1]", "/x", "nfs://[FD00::1]:/x"},
	} {
		v := testSite(Primary, "Prod")
		v.domains = []ovirt.StorageDomain{{ID: testID(idDomain, 1), Name: "d", Type: "data", StorageType: "nfs", Address: c.address, Path: c.path, DataCenterID: testID(idDC, 1)}}
		pairs, err := pairLists(c.url, "nfs://other:/x")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := matchDomains(v, &siteView{}, pairs); err != nil {
			t.Errorf("%s %s by %s: %v", c.address, c.path, c.url, err)
		}
	}
}

func TestNaturalOrder(t *testing.T) {
	t.Parallel()
	want := []string{"", "VM1", "a", "a1", "a01", "a1b", "a2", "a10", "a10b2", "a10b10", "b", "vm2", "vm10", "vm010x"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, naturalCompare)
	for i := range want {
		for j := range want {
			if (naturalCompare(want[i], want[j]) == 0) != (i == j) || naturalCompare(want[i], want[j]) != -naturalCompare(want[j], want[i]) {
				t.Errorf("no total order: %q %q", want[i], want[j])
			}
		}
	}
	if slices.Index(got, "vm2") > slices.Index(got, "vm10") || slices.Index(got, "a2") > slices.Index(got, "a10") {
		t.Errorf("got %q", got)
	}
}

func TestLuaString(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain": `"plain"`, `a"b\c`: `"a\"b\\c"`, "tab\tnl\n": `"tab\009nl\n"`, "é → ok": `"é → ok"`, "\x00\xff7": `"\000\2557"`, "\u202e": `"\226\128\174"`,
	} {
		if got := lua.Quote(in); got != want {
			t.Errorf("%q: got %s, want %s", in, got, want)
		}
	}
}

func TestParams(t *testing.T) {
	t.Parallel()
	plan := map[string]any{"webhook": "a", "retries": 3.0, "on": true, "dns": map[string]any{"zone": "x", "ttl": 60.0}}
	got, err := MergeParams(plan, []byte(`{"dns": {"ttl": 30}, "new": [1, 2]}`), []string{"retries=5", "on=false", "dns.zone=y", "text=a=b", "dot.ted=z"})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(got)
	const want = `{"dns":{"ttl":30,"zone":"y"},"dot.ted":"z","new":[1,2],"on":false,"retries":5,"text":"a=b","webhook":"a"}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	if plan["retries"] != 3.0 || plan["dns"].(map[string]any)["zone"] != "x" {
		t.Error("the plan's own parameters changed")
	}
	for override, message := range map[string]string{
		"retries":      `read parameter "retries": write it as NAME=VALUE`,
		"=x":           `read parameter "=x": write it as NAME=VALUE`,
		"retries=many": `read parameter retries: "many" is no number (the plan has 3)`,
		"on=perhaps":   `read parameter on: "perhaps" is neither true nor false`,
		"dns=x":        "read parameter dns: it is a table of the plan: name one of its keys (dns.ttl, dns.zone)",
	} {
		if _, err := MergeParams(plan, nil, []string{override}); err == nil || err.Error() != message {
			t.Errorf("%s: got %v, want %s", override, err, message)
		}
	}
	for _, bad := range []string{"[1]", "{", `{} x`} {
		if _, err := MergeParams(nil, []byte(bad), nil); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
	for _, bad := range []string{`{"a": null}`, `{"a": 9007199254740993}`} {
		params, err := decodeParams([]byte(bad))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Write(&Plan{Params: params}, WriteOptions{}); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

// fakeFiles keeps files in memory.
type fakeFiles map[string][]byte

func (f fakeFiles) Stat(path string) (engine.Entry, error) {
	if _, ok := f[path]; !ok {
		return engine.Entry{}, &fs.PathError{Op: "stat", Path: path, Err: fs.ErrNotExist}
	}
	return engine.Entry{}, nil
}

func (f fakeFiles) WriteFile(path string, data []byte, _ fs.FileMode) error {
	f[path] = data
	return nil
}

func (f fakeFiles) read(path string) ([]byte, error) {
	data, ok := f[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return data, nil
}

func TestSave(t *testing.T) {
	t.Parallel()
	primary, secondary := twoSites()
	g := mustCompose(t, primary, secondary, testOptions())
	files := fakeFiles{}
	if err := g.Save(files, "dir/plan.lua", false); err != nil {
		t.Fatal(err)
	}
	inv, err := ReadInventory(files.read, "dir/plan.lua")
	if err != nil {
		t.Fatal(err)
	}
	if vm, ok := inv.VM(testID(idVM, 1)); !ok || vm.Name != "vm1" || !inv.Taken.Equal(testNow) {
		t.Errorf("the inventory lost something: %+v", inv)
	}
	if err := g.Save(files, "dir/plan.lua", false); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), "dir/plan.lua") {
		t.Errorf("an existing plan: got %v", err)
	}
	delete(files, "dir/plan.lua")
	if err := g.Save(files, "dir/plan.lua", false); !errors.Is(err, ErrExists) || len(files) != 1 {
		t.Errorf("an existing inventory: got %v, files %d", err, len(files))
	}
	if err := g.Save(files, "dir/plan.lua", true); err != nil || len(files) != 2 {
		t.Errorf("with force: got %v", err)
	}
	if _, err := ReadInventory(files.read, "dir/other.lua"); !isNotExist(err) {
		t.Errorf("a missing inventory: got %v", err)
	}
	if _, err := DecodeInventory([]byte(`{"schema": "drrun.inventory/9"}`)); err == nil {
		t.Error("a newer schema: no error")
	}
}
