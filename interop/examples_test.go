//go:build interop

package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// TestExamples runs examples that the SDK publishes, as they are, each on a lab of its own whose objects have the names that the
// examples expect. A row names the examples that go before it, on the same lab, and what must be true afterwards.
func TestExamples(t *testing.T) {
	t.Parallel()
	ran, changing := 0, 0
	t.Run("run", func(t *testing.T) {
		for _, row := range examples {
			t.Run(row.name, func(t *testing.T) {
				r := serve(t, exampleWorld(t, row), 100)
				r.configure(t)
				if row.prepare != nil {
					row.prepare(t, r)
				}
				for _, name := range append(strings.Fields(row.after), row.name) {
					before, changesBefore := r.calls()
					out, err := r.command(t, nil, "python", append([]string{exampleFile(name)}, r.arguments(t, name)...)...)
					all, changes := r.calls()
					switch {
					case err != nil:
						t.Fatalf("%s: %v\n%s\nthe lab's log:\n%s", name, err, out, r.trace())
					case all-before < 3: // login, logout, and something between
						t.Fatalf("%s: made %d requests\n%s", name, all-before, out)
					case name == row.name && row.changes != (changes > changesBefore):
						t.Fatalf("%s: made %d changes\nthe lab's log:\n%s", name, changes-changesBefore, r.trace())
					}
					if name == row.name && row.check != nil {
						row.check(t, r, out)
					}
				}
				ran++
				if row.changes {
					changing++
				}
				counted("the Python SDK, its examples", r)
			})
		}
	})
	count("SDK examples, unchanged: %d of %d ran, %d of them change something", ran, len(examples), changing)
	if ran < 25 || changing < 12 {
		t.Errorf("%d examples ran, %d of them changing: 25 and 12 at least are wanted", ran, changing)
	}
}

type example struct {
	name    string
	after   string
	changes bool
	world   func(*lab.World)
	prepare func(*testing.T, *running)
	check   func(t *testing.T, r *running, out string)
}

var (
	exampleURL      = regexp.MustCompile(`url='(https://[^']+/ovirt-engine/api)'`)
	exampleUsername = regexp.MustCompile(`username='([^']+@[^']+)'`)
	examplePassword = regexp.MustCompile(`password='([^']+)',\n\s*ca_file`)
)

// exampleWorld has the names that the examples use: engine and password as the example itself says, the VMs myvm (down) and myvm0
// (up), and so on.
func exampleWorld(t *testing.T, row example) lab.World {
	t.Helper()
	source, err := os.ReadFile(exampleFile(row.name))
	if err != nil {
		t.Fatal(err)
	}
	world := lab.TwoSites(lab.TwoSitesOptions{VMs: 3, Domains: 2, PowerManagement: true})
	site := &world.Sites[0]
	site.URL, site.Username, site.Password = "https://engine40.example.com/ovirt-engine/api", "admin@internal", "redhat123"
	for _, from := range []struct {
		pattern *regexp.Regexp
		to      *string
	}{{exampleURL, &site.URL}, {exampleUsername, &site.Username}, {examplePassword, &site.Password}} {
		if found := from.pattern.FindSubmatch(source); found != nil {
			*from.to = string(found[1])
		}
	}
	site.DataCenters[0].Name, site.Clusters[0].Name, site.Hosts[0].Name = "mydc", "mycluster", "myhost"
	for i, name := range []string{"myvm", "myvm0", "other"} {
		site.VMs[i].Name = name
	}
	site.VMs[0].Running = false
	for i := range site.Networks {
		if site.Networks[i].Name == "lan" {
			site.Networks[i].Name, site.VNICProfiles[i].Name = "mynetwork", "mynetwork"
		}
	}
	site.StorageDomains[0].Name = "mydata"
	world.Exports = append(world.Exports, lab.Export{Site: "primary", Address: "server0.example.com", Path: "/nfs/ovirt/40/mydata", Size: 1 << 40})
	if row.world != nil {
		row.world(&world)
	}
	return world
}

func exampleFile(name string) string { return filepath.Join(*foreign, "sdk", "examples", name+".py") }

// configure writes the file in which the newer examples look for their engine.
func (r *running) configure(t *testing.T) {
	t.Helper()
	site := r.world.Sites[0]
	text := fmt.Sprintf("[lab]\nengine_url = %s\nusername = %s\npassword = %s\ncafile = %s\n",
		strings.TrimSuffix(site.URL, "/ovirt-engine/api"), site.Username, site.Password, filepath.Join(r.dir, "ca.pem"))
	if err := os.MkdirAll(filepath.Join(r.dir, ".config"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, ".config", "ovirt.conf"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r *running) vm(t *testing.T, name string) lab.VMView {
	t.Helper()
	for _, vm := range r.View().Sites["primary"].VMs {
		if vm.Name == name {
			return vm
		}
	}
	t.Fatalf("the primary site has no VM %s", name)
	return lab.VMView{}
}

func vmIs(name, status string) func(*testing.T, *running, string) {
	return func(t *testing.T, r *running, _ string) {
		t.Helper()
		if vm := r.vm(t, name); vm.Status != status {
			t.Errorf("VM %s is %s, not %s", name, vm.Status, status)
		}
	}
}

func domainIs(name, status string) func(*testing.T, *running, string) {
	return func(t *testing.T, r *running, _ string) {
		t.Helper()
		for _, domain := range r.View().Sites["primary"].StorageDomains {
			if domain.Name == name {
				if domain.Status != status {
					t.Errorf("storage domain %s is %s, not %s", name, domain.Status, status)
				}
				return
			}
		}
		t.Errorf("the primary site has no storage domain %s", name)
	}
}

// prints checks what an example prints.
func prints(want ...string) func(*testing.T, *running, string) {
	return func(t *testing.T, _ *running, out string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("it does not print %q:\n%s", w, out)
			}
		}
	}
}

// request makes sure that the lab carried out a request: the oracle of changes that the lab's view does not show.
func request(method, path string) func(*testing.T, *running, string) {
	return func(t *testing.T, r *running, _ string) {
		t.Helper()
		pattern := regexp.MustCompile("^/ovirt-engine/api" + path + "$")
		for _, e := range r.Log() {
			if e.Method == method && pattern.MatchString(e.Path) && e.Status >= 200 && e.Status < 300 {
				return
			}
		}
		t.Errorf("the lab carried out no %s %s:\n%s", method, path, r.trace())
	}
}

// withoutMyData leaves the name mydata to the example that adds the storage domain.
func withoutMyData(w *lab.World) { w.Sites[0].StorageDomains[0].Name = "nfs_ds" }

// taggedVM has what the examples that add and assign a tag make: they log in with another password.
func taggedVM(w *lab.World) {
	w.Sites[0].Tags = []lab.Tag{{ID: lab.ID("mytag"), Name: "mytag", VMIDs: []string{w.Sites[0].VMs[1].ID}}}
}

var examples = []example{
	{name: "test_connection", check: prints("Connection works.")},
	{name: "show_summary", check: prints("version: 4.5", "hosts: 2", "sds: 2", "vms: 3")},
	{name: "disable_compression", check: prints("4.5")},
	{name: "connection_builder", check: prints("myvm0", "myhost")},
	{name: "list_vms", check: prints("myvm: ", "myvm0: ", "other: ")},
	{name: "search_vms", check: prints("myvm: ")},
	{name: "page_vms", check: prints("myvm\nmyvm0\nother\n")},
	{name: "asynchronous_inventory", check: prints("Loaded 3 VMs.", "Loaded NICs of VM 'myvm0'.", "Loaded VM reported devices.")},
	{name: "follow_vm_links", check: prints("cluster: mycluster", "template: rhel9")},
	{name: "get_vm_ip", world: func(w *lab.World) { w.Sites[0].VMs[0].Running = true }, check: prints("   - 10.10.0.1")},
	{name: "list_vm_disks", check: prints("name: vm1_Disk1", "status: ok", "provisioned_size: 21474836480")},
	{name: "list_vm_snapshots", world: func(w *lab.World) { w.Sites[0].VMs[0].Snapshots = []lab.Snapshot{{Description: "before the update"}} },
		check: prints("myvm:before the update:vm1_Disk1:mydata")},
	{name: "download_vm_ovf", check: func(t *testing.T, r *running, _ string) {
		ovf, err := os.ReadFile(filepath.Join(r.dir, r.vm(t, "myvm").ID+".ovf"))
		if err != nil || !strings.Contains(string(ovf), "<Name>myvm</Name>") {
			t.Errorf("the OVF does not name the VM: %v\n%s", err, ovf)
		}
	}},
	{name: "print_vm_mac_duplicates"},
	{name: "list_cluster_networks", check: prints("name: mynetwork", "required: True", "mtu: 0", "usages: vm")},
	{name: "list_storage_domains", check: prints(`"name": "mydata"`, `"type": "data"`)},
	{name: "list_host_statistics", check: prints("memory.total: ")},
	{name: "list_affinity_labels", after: "add_affinity_label assign_affinity_label_to_vm", check: prints("my_affinity_label:\n - myvm0")},
	{name: "list_tags", after: "add_tag", check: prints("mytag: My custom tag")},
	{name: "list_tags_of_vm", after: "add_tag assign_tag_to_vm", check: prints("mytag: My custom tag")},
	{name: "list_roles", check: prints("SuperUser: ", "UserRole: ")},

	{name: "start_vm", changes: true, check: vmIs("myvm", "up")},
	{name: "start_vm_with_boot_devices", changes: true, check: vmIs("myvm", "up")},
	{name: "stop_vm", after: "start_vm", changes: true, check: vmIs("myvm", "down")},
	{name: "remove_vm", changes: true, check: request("DELETE", "/vms/[^/]+")},
	{name: "set_vm_lease_storage_domain", changes: true, check: func(t *testing.T, r *running, _ string) {
		if !r.vm(t, "myvm").HA {
			t.Error("the VM is not highly available")
		}
	}},
	{name: "set_vm_serial_number", changes: true, check: request("PUT", "/vms/[^/]+")},
	{name: "pin_vm", changes: true, check: request("PUT", "/vms/[^/]+")},
	{name: "add_tag", changes: true, check: request("POST", "/tags")},
	{name: "assign_tag_to_vm", after: "add_tag", changes: true, check: request("POST", "/vms/[^/]+/tags")},
	{name: "unassign_tag_to_vm", world: taggedVM, changes: true, check: request("DELETE", "/vms/[^/]+/tags/[^/]+")},
	{name: "remove_tag", after: "add_tag", changes: true, check: request("DELETE", "/tags/[^/]+")},
	{name: "add_affinity_label", changes: true, check: request("POST", "/affinitylabels")},
	{name: "assign_affinity_label_to_vm", after: "add_affinity_label", changes: true, check: request("POST", "/affinitylabels/[^/]+/vms")},
	{name: "add_nfs_data_storage_domain", changes: true, world: withoutMyData, check: domainIs("mydata", "unattached")},
	{name: "attach_nfs_data_storage_domain", after: "add_nfs_data_storage_domain", changes: true, world: withoutMyData, check: domainIs("mydata", "active")},
	{name: "change_master", changes: true, check: func(t *testing.T, r *running, _ string) {
		for _, domain := range r.View().Sites["primary"].StorageDomains {
			if domain.Master != (domain.Name == "nfs_ds2") {
				t.Errorf("%s: master is %t", domain.Name, domain.Master)
			}
		}
	}},
	{name: "update_fencing_options", changes: true, check: request("PUT", "/hosts/[^/]+/fenceagents/[^/]+")},
	{name: "add_role", changes: true, check: request("POST", "/roles")},
	{name: "register_vm", changes: true, world: registerWorld, prepare: attachReplica, check: request("POST", "/storagedomains/[^/]+/vms/[^/]+/register")},
}

// arguments are the words behind the name of an example that takes some.
func (r *running) arguments(t *testing.T, name string) []string {
	switch name {
	case "list_storage_domains":
		return []string{"-c", "lab", "-s", "name=mydata"}
	case "change_master":
		return []string{"-c", "lab", "mydc", "nfs_ds2"}
	}
	return nil
}

// registerWorld makes the engine of the example the secondary one, which gets the primary's replica: the primary is lost.
func registerWorld(w *lab.World) {
	first, second := &w.Sites[0], &w.Sites[1]
	first.StorageDomains[0].Name = "mysd"
	second.URL, second.Username, second.Password = first.URL, first.Username, first.Password
	first.URL = "https://lost.example.com/ovirt-engine/api"
	second.Clusters[0].Name = "mycluster"
	first.VMs[0].TemplateID = lab.BlankID
	for i := range second.Networks {
		if second.Networks[i].Name == "lan" {
			second.Networks[i].Name, second.VNICProfiles[i].Name = "mynetwork", "mynetwork"
		}
	}
}

func attachReplica(t *testing.T, r *running) {
	t.Helper()
	if err := r.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	if err := r.Promote(r.world.Replications[0].Domain); err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(r.dir, "secondary-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "ca.pem"), ca, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := r.command(t, nil, "python", script(t, "attach_replica.py"), r.world.Exports[1].Address, r.world.Exports[1].Path, r.world.Sites[0].StorageDomains[0].ID); err != nil {
		t.Fatalf("attach the replica: %v\n%s", err, out)
	}
}
