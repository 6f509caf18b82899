//go:build interop

package interop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// role is the role disaster_recovery of the official collection on a lab with two data centers.
type role struct {
	*running
	vars             string
	env              []string // for its plays
	steps, breakages int
}

// play runs the role with a tag and returns what ansible printed.
func (r *role) play(t *testing.T, tag string, vars map[string]any) (string, error) {
	t.Helper()
	all := map[string]any{
		"dr_sites_primary_password": r.world.Sites[0].Password, "dr_sites_secondary_password": r.world.Sites[1].Password,
		"dr_running_vms": filepath.Join(r.dir, "running_vms"), "dr_report_file": r.report(),
	}
	for name, value := range vars {
		all[name] = value
	}
	extra, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	// Modules run in the folder of the play, and generate_mapping.py writes a log where it runs.
	file := filepath.Join(r.dir, "role.yml")
	if err := os.WriteFile(file, []byte(r.read(t, "role.yml")), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{file, "-t", tag, "-e", string(extra)}
	if tag != "generate_mapping" {
		args = append(args, "-e", "@"+r.vars)
	}
	env := []string{"ANSIBLE_COLLECTIONS_PATH=" + filepath.Join(*foreign, "collection"), "ANSIBLE_LOCALHOST_WARNING=false",
		"ANSIBLE_INVENTORY_UNPARSED_WARNING=false", "ANSIBLE_NOCOLOR=true", "ANSIBLE_PIPELINING=true", "ANSIBLE_DEPRECATION_WARNINGS=false"}
	env = append(env, r.env...)
	if tag == "fail_back" { // it pauses
		return r.command(t, env, "python", append([]string{script(t, "at_the_pause.py"), r.planned(), "ansible-playbook"}, args...)...)
	}
	return r.command(t, env, "ansible-playbook", args...)
}

// roleWorld has two data centers at each site, each with a cluster, a network and a host of its own. The second one of the
// secondary site has no storage domain yet.
func roleWorld() (world lab.World, names map[string]any) {
	world = mixedWorld(lab.TwoSitesOptions{VMs: 4, Domains: 2})
	world.OVFInterval = 24 * time.Hour // nothing is exported by itself
	names = map[string]any{"Prod": "Recovery"}
	for i := range world.Sites {
		addDataCenter(&world.Sites[i])
	}
	primary, secondary := &world.Sites[0], &world.Sites[1]
	names[primary.DataCenters[0].Name] = secondary.DataCenters[0].Name
	names[primary.DataCenters[1].Name] = secondary.DataCenters[1].Name
	names["uninitialized"] = []string{primary.DataCenters[1].Name}
	for i := range primary.Clusters {
		names[primary.Clusters[i].Name] = secondary.Clusters[i].Name
	}
	// The second domain moves to the second data center, with its VMs: it is the master there.
	domain := &primary.StorageDomains[1]
	domain.DataCenterID, domain.Master = primary.DataCenters[1].ID, true
	for i := range primary.VMs {
		vm := &primary.VMs[i]
		if vm.Disks[0].StorageDomainID == domain.ID {
			vm.ClusterID, vm.NICs[0].ProfileID = primary.Clusters[1].ID, primary.VNICProfiles[len(primary.VNICProfiles)-1].ID
		}
	}
	primary.VMs[3].Running = false
	world.LUNSets = append(world.LUNSets, lab.LUNSet{Site: "primary", Name: "loose", Type: "fcp", LUNs: []lab.LUN{{ID: rawLUN("loose"), Size: 64 << 30}}})
	primary.FloatingDisks = []lab.Disk{{ID: lab.ID("loose disk"), Alias: "loose", LUN: rawLUN("loose")}}
	for _, pair := range world.Replications {
		_, source, _ := strings.Cut(pair.Source, ":")
		_, target, _ := strings.Cut(pair.Target, ":")
		names[source] = target
	}
	// What the primary site's array calls its portals and targets, the secondary's calls otherwise.
	for _, target := range world.Targets {
		for _, other := range world.Targets {
			if target.Site == "primary" && other.Site == "secondary" {
				names[target.Name] = other.Name
				for i := range target.Portals {
					from, _, _ := strings.Cut(target.Portals[i], ":")
					to, _, _ := strings.Cut(other.Portals[i], ":")
					names[from] = to
				}
			}
		}
	}
	return world, names
}

func addDataCenter(site *lab.Site) {
	id := func(what string) string { return fmt.Sprintf("%s-%s", site.DataCenters[0].ID[:23], what) }
	dc := site.DataCenters[0]
	dc.ID, dc.Name = id("000000000001"), dc.Name+"2"
	site.DataCenters = append(site.DataCenters, dc)
	network := lab.Network{ID: id("000000000002"), Name: "ovirtmgmt", DataCenterID: dc.ID, VM: true}
	site.Networks = append(site.Networks, network)
	site.VNICProfiles = append(site.VNICProfiles, lab.VNICProfile{ID: id("000000000003"), Name: "ovirtmgmt", NetworkID: network.ID})
	cluster := site.Clusters[0]
	cluster.ID, cluster.Name, cluster.DataCenterID, cluster.NetworkIDs = id("000000000004"), cluster.Name+"2", dc.ID, []string{network.ID}
	site.Clusters = append(site.Clusters, cluster)
	for i, host := range site.Hosts[:2] {
		host.ID, host.Name, host.Address, host.ClusterID = id(fmt.Sprintf("00000000000%d", 5+i)), host.Name+"2", "2"+host.Address, cluster.ID
		site.Hosts = append(site.Hosts, host)
	}
}

// TestRole takes the role through the life that its documentation describes. Where the role itself is broken the lab must show what
// a real engine would provoke: a subtest for each, with the file of the role that is to blame.
func TestRole(t *testing.T) {
	t.Parallel()
	world, names := roleWorld()
	r := newRole(t, world)
	running, late := world.Sites[0].VMs[:3], world.Sites[0].VMs[3]

	r.step(t, "generate_mapping", func(t *testing.T) {
		site := world.Sites[0]
		out, err := r.play(t, "generate_mapping", map[string]any{"site": site.URL, "username": site.Username, "password": site.Password,
			"ca": filepath.Join(r.dir, "primary-ca.pem"), "var_file": r.vars})
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		mapping := r.read(t, r.vars)
		for _, want := range []string{"dr_domain_type: nfs\n", "dr_domain_type: iscsi\n", "dr_primary_name: nfs_ds\n", "dr_primary_target: [\"iqn.", "dr_primary_dc_name: " + site.DataCenters[1].Name,
			"- primary_name: " + site.Clusters[1].Name, "- primary_name: internal-authz", rawLUN("loose")} {
			if !strings.Contains(mapping, want) {
				t.Errorf("the mapping has no %q:\n%s", want, mapping)
			}
		}
		r.broken(t, "generate_mapping.py leaves an empty row of roles", func(t *testing.T) {
			if !regexp.MustCompile(`dr_role_mappings: \n- primary_name: *\n  secondary_name: *\n`).MatchString(mapping) {
				t.Errorf("%s", mapping)
			}
		})
		r.broken(t, "generate_mapping.py writes the password into a log", func(t *testing.T) {
			if !strings.Contains(r.read(t, filepath.Join(r.dir, "generator.log")), "password="+site.Password) {
				t.Error("the log does not have it")
			}
		})
	})
	r.step(t, "fill in the mapping", func(t *testing.T) {
		table, err := json.Marshal(names)
		if err != nil {
			t.Fatal(err)
		}
		if out, err := r.command(t, nil, "python", script(t, "fill_mapping.py"), r.vars, string(table)); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
	r.step(t, "validator", func(t *testing.T) {
		out, err := r.validate(t, r.vars)
		if err != nil || !strings.Contains(out, "Finished validation of variable mapping file") {
			t.Errorf("%v\n%s", err, out)
		}
		r.broken(t, "validator.py does not look at the storage", func(t *testing.T) {
			out, err := r.validate(t, r.edited(t, "dr_secondary_path: ", "dr_secondary_path: /nowhere"))
			if err != nil || !strings.Contains(out, "Finished validation of variable mapping file") {
				t.Errorf("it found that there is no such export: %v\n%s", err, out)
			}
		})
	})
	r.step(t, "fail_over", func(t *testing.T) {
		r.script(t, "start.py", "PRIMARY", late.Name) // after the last export
		r.lose(t)
		before := len(r.Log())
		out, err := r.play(t, "fail_over", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		if err != nil || strings.Contains(out, "fatal:") {
			t.Errorf("%v\n%s", err, out)
		}
		r.recovered(t, "secondary", running)
		r.broken(t, "register_vm.yml makes a text of lists, and the report has no names", func(t *testing.T) {
			if report := r.read(t, filepath.Join("/tmp", r.report())); strings.Contains(report, "vm1") {
				t.Errorf("the report names a VM:\n%s", report)
			}
		})
		r.broken(t, "recover_engine.yml starts what ran at the last export, not what ran", func(t *testing.T) {
			if vm := r.vmAt("secondary", late.Name); vm.Status != "down" {
				t.Errorf("VM %s, started after the last export, is %q", late.Name, vm.Status)
			}
		})
		r.broken(t, "register_vm.yml lists all unregistered VMs again for each", func(t *testing.T) {
			if n := r.requests(before, "GET", "/vms$", "unregistered=true"); n < len(world.Sites[0].VMs)+len(world.Replications) {
				t.Errorf("%d lists for %d VMs", n, len(world.Sites[0].VMs))
			}
		})
		r.broken(t, "register_vms.yml looks at domains outside of the plan", func(t *testing.T) {
			if r.requests(before, "GET", "/storagedomains/"+world.Sites[1].StorageDomains[0].ID+"/vms$", "unregistered=true") == 0 {
				t.Error("it did not look at recovery_local")
			}
		})
		r.broken(t, "add_iscsi_domain.yml logs in one host, twice", func(t *testing.T) {
			hosts := 0
			for _, h := range world.Sites[1].Hosts {
				if n := r.requests(before, "POST", "/hosts/"+h.ID+"/iscsilogin$", ""); n > 0 {
					hosts++
					if n < 2 {
						t.Errorf("host %s: %d logins", h.Name, n)
					}
				}
			}
			if hosts != 1 {
				t.Errorf("%d hosts were logged in", hosts)
			}
		})
	})
	r.step(t, "clean_engine on a healthy old site", func(t *testing.T) {
		if err := r.Heal("primary"); err != nil {
			t.Fatal(err)
		}
		r.waitForEngine(t, "PRIMARY")
		out, err := r.play(t, "clean_engine", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		for _, vm := range r.View().Sites["primary"].VMs {
			if vm.Running {
				t.Errorf("VM %s still runs at the old site: clean/shutdown_vms.yml stops what runs", vm.Name)
			}
		}
		r.broken(t, "remove_valid_filtered_master_domains.yml searches with parentheses and finds nothing", func(t *testing.T) {
			if !r.searched("primary", "(") {
				t.Error("it made no such search")
			}
			r.domainsAre(t, "primary", "active")
		})
		r.broken(t, "clean_engine.yml alone does not note what ran", func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(r.dir, "running_vms")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("there is a list: %v", err)
			}
		})
	})
	r.step(t, "clean_engine after an operator's maintenance", func(t *testing.T) {
		r.script(t, "maintenance.py", "PRIMARY", r.planned())
		out, err := r.play(t, "clean_engine", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		r.domainsAre(t, "primary", "")
		r.broken(t, "remove_disks.yml deletes every loose LUN disk of the engine", func(t *testing.T) {
			if r.requests(0, "DELETE", "/disks/"+lab.ID("loose disk")+"$", "") != 1 {
				t.Error("the disk, which belongs to nothing that was protected, is still there")
			}
		})
	})
	r.step(t, "fail_back", func(t *testing.T) {
		out, err := r.play(t, "fail_back", map[string]any{"dr_target_host": "primary", "dr_source_map": "secondary"})
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		r.domainsAre(t, "primary", "active")
		if got, want := len(r.View().Sites["primary"].VMs), len(r.world.Sites[0].VMs); got != want {
			t.Errorf("%d VMs are back at the primary site, not %d", got, want)
		}
		r.broken(t, "unregister_entities.yml adds a list to a text, and the list of running VMs is empty", func(t *testing.T) {
			if !strings.Contains(out, "can only concatenate str") {
				t.Errorf("%s", out)
			}
		})
		r.broken(t, "run_unregistered_entities.yml uses the list up before anything runs", func(t *testing.T) {
			if _, err := os.Stat(filepath.Join(r.dir, "running_vms")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the list is still there: %v", err)
			}
		})
		r.broken(t, "update_ovf_store.yml searches by a name that storage domains cannot be searched by, and writes nothing", func(t *testing.T) {
			if !r.searched("secondary", "storage.name=") || r.requests(0, "POST", "/updateovfstore$", "") > 0 {
				t.Error("it found a storage domain to write")
			}
			// So nobody notices the variable behind it, which nobody defines.
			if strings.Contains(out, "iscsi_storage' is undefined") {
				t.Errorf("%s", out)
			}
		})
		r.broken(t, "the source keeps the domains that the target has taken", func(t *testing.T) {
			for _, pair := range r.world.Replications {
				if r.domain("secondary", pair.Domain) == "" {
					t.Errorf("storage domain %s is gone from the secondary site", pair.Domain)
				}
			}
		})
	})
}

// namesExcept are the names at the secondary site of a world with NFS storage domains, of which one is said to lie elsewhere.
func namesExcept(world lab.World, one int, elsewhere string) map[string]any {
	names := map[string]any{"Prod": "Recovery", "Default": "Default", "uninitialized": []string{}}
	for i, pair := range world.Replications {
		_, source, _ := strings.Cut(pair.Source, ":")
		_, names[source], _ = strings.Cut(pair.Target, ":")
		if i == one {
			names[source] = elsewhere
		}
	}
	return names
}

// TestRoleOnABadNight gives the role what goes wrong on a bad night, and sees it end with success all the same.
func TestRoleOnABadNight(t *testing.T) {
	t.Parallel()
	world := lab.TwoSites(lab.TwoSitesOptions{VMs: 3, Domains: 3})
	world.OVFInterval = 24 * time.Hour
	// Of the three replicas one is not mounted where the mapping says: an empty export is there.
	world.Exports = append(world.Exports, lab.Export{Site: "secondary", Address: world.Exports[3].Address, Path: "/empty", Size: 1 << 40})
	// Another domain of the secondary site has the name of the first.
	world.Sites[1].StorageDomains[0].Name = world.Sites[0].StorageDomains[0].Name
	r := newRole(t, world)
	names := namesExcept(world, 1, "/empty")
	r.step(t, "mapping of a bad night", func(t *testing.T) {
		r.mapped(t, names)
		// As in the role's own example, booleans are texts; and a second row of roles is as empty as the first.
		text := strings.ReplaceAll(r.read(t, r.vars), "dr_secondary_master_domain: false", "dr_secondary_master_domain: 'False'")
		text = strings.Replace(text, "dr_role_mappings:\n", "dr_role_mappings:\n- primary_name: null\n  secondary_name: null\n", 1)
		if err := os.WriteFile(r.vars, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	r.step(t, "fail_over of a bad night", func(t *testing.T) {
		r.lose(t)
		before := len(r.Log())
		out, err := r.play(t, "fail_over", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		r.broken(t, "errors are ignored, and the end is success", func(t *testing.T) {
			if err != nil || len(r.View().Sites["secondary"].VMs) != 0 {
				t.Errorf("%v; %d VMs\n%s", err, len(r.View().Sites["secondary"].VMs), out)
			}
		})
		r.broken(t, "add_nfs_domain.yml takes another domain of that name for the imported one", func(t *testing.T) {
			if r.domainID("secondary", "nfs_ds") != world.Sites[1].StorageDomains[0].ID {
				t.Error("the domain of that name is another one now")
			}
		})
		r.broken(t, "add_nfs_domain.yml creates an empty domain where nothing is to import", func(t *testing.T) {
			if id := r.domainID("secondary", "nfs_ds2"); id == "" || id == world.Sites[0].StorageDomains[1].ID {
				t.Errorf("nfs_ds2 is %q", id)
			}
		})
		r.broken(t, "two empty rows of a mapping fail every registration with 500", func(t *testing.T) {
			if id := r.domainID("secondary", "nfs_ds3"); id != world.Sites[0].StorageDomains[2].ID {
				t.Errorf("nfs_ds3 was not imported: %q", id)
			}
			n := 0
			for _, e := range r.Log()[before:] {
				if strings.HasSuffix(e.Path, "/register") {
					n++
					if e.Status != 500 {
						t.Errorf("%s = %d", e.Path, e.Status)
					}
				}
			}
			if n == 0 {
				t.Error("nothing was registered")
			}
		})
		r.broken(t, "the text False makes a domain the master", func(t *testing.T) {
			if n := strings.Count(out, "recover/add_domain.yml for localhost"); n != 3 {
				t.Fatalf("%d storage domains were added:\n%s", n, out)
			}
			_, rest, _ := strings.Cut(out, "Add master storage domain to the setup")
			master, _, _ := strings.Cut(rest, "Add non master storage domains to the setup")
			if n := strings.Count(master, "recover/add_domain.yml for localhost"); n != 3 {
				t.Errorf("%d of 3 storage domains count as masters", n)
			}
		})
	})
	r.step(t, "clean_engine of dead storage", func(t *testing.T) {
		if err := r.Heal("primary"); err != nil {
			t.Fatal(err)
		}
		r.waitForEngine(t, "PRIMARY")
		for _, x := range world.Exports[:1] {
			if err := r.Fail(lab.Fault{Kind: lab.FaultStorageDown, Export: x.Address + ":" + x.Path}); err != nil {
				t.Fatal(err)
			}
		}
		r.eventually(t, "nfs_ds inactive", func() bool { return r.domain("primary", "nfs_ds") == "inactive" })
		out, err := r.play(t, "clean_engine", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		r.broken(t, "remove_domain.yml cannot destroy what is inactive", func(t *testing.T) {
			if err == nil || !strings.Contains(out, "Not possible to manage storage domain 'nfs_ds'") || r.domain("primary", "nfs_ds") != "inactive" {
				t.Errorf("%v; nfs_ds is %s\n%s", err, r.domain("primary", "nfs_ds"), out)
			}
		})
	})
}

// TestRoleRegisters gives the role a master that is not there, a template that cannot be registered, and an engine that restarts when it
// has registered a VM. Again the end is success.
func TestRoleRegisters(t *testing.T) {
	t.Parallel()
	world := lab.TwoSites(lab.TwoSitesOptions{VMs: 4, Domains: 3, EmptySecondary: true})
	primary, secondary := world.Sites[0], &world.Sites[1]
	// The secondary site has a template of that name already.
	secondary.Templates = append(secondary.Templates, lab.Template{ID: lab.ID("another rhel9"), Name: primary.Templates[1].Name, ClusterID: secondary.Clusters[0].ID, Version: 1})
	r := newRole(t, world)
	names := namesExcept(world, 2, "/nowhere")
	r.step(t, "mapping with one master", func(t *testing.T) {
		r.mapped(t, names)
		domains := strings.SplitAfter(r.read(t, r.vars), "dr_secondary_master_domain: ")
		if len(domains) != 4 || !strings.Contains(domains[2], "dr_primary_name: nfs_ds3\n") {
			t.Fatalf("the last one of three storage domains is not nfs_ds3: %s", domains)
		}
		domains[3] = "true" + strings.TrimPrefix(domains[3], "false")
		if err := os.WriteFile(r.vars, []byte(strings.Join(domains, "")), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	r.step(t, "fail_over without the master", func(t *testing.T) {
		r.lose(t)
		thin, late, before := []lab.VM{primary.VMs[0], primary.VMs[3]}, primary.VMs[1], len(r.Log())
		// The module looks for the VM before it registers it, and again afterwards. All it has is a token, which a restart of the engine
		// ends: to whatever it asks then the answer is 401.
		if err := r.Fail(lab.Fault{Kind: lab.FaultEngine, Site: "secondary", Method: "GET", Path: "/api/vms/" + late.ID + "$", Nth: 2}); err != nil {
			t.Fatal(err)
		}
		r.env = []string{"INTEROP_TIMEOUTS=1"}
		out, err := r.play(t, "fail_over", map[string]any{"dr_target_host": "secondary", "dr_source_map": "primary"})
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		r.broken(t, "recover_engine.yml makes another domain the master when the master fails", func(t *testing.T) {
			domains := r.View().Sites["secondary"].StorageDomains
			if !slices.ContainsFunc(domains, func(d lab.DomainView) bool { return d.Name == "nfs_ds" && d.Master }) || r.domain("secondary", "nfs_ds3") != "" {
				t.Errorf("%+v", domains)
			}
		})
		r.broken(t, "register_vms.yml tries the VMs of a template that failed, one by one", func(t *testing.T) {
			if got := r.registered(before, "templates", primary.Templates[1].ID); got != 409 {
				t.Errorf("the template: %d", got)
			}
			for _, vm := range thin {
				if got := r.registered(before, "vms", vm.ID); got != 400 {
					t.Errorf("VM %s: %d", vm.Name, got)
				}
			}
		})
		r.broken(t, "ovirt_vm.py counts a registered VM as failed that it could not see for 180 s", func(t *testing.T) {
			if got := r.registered(before, "vms", late.ID); got != 200 || r.vmAt("secondary", late.Name).Name == "" {
				t.Errorf("VM %s was not registered: %d", late.Name, got)
			}
			refused := 0
			for _, e := range r.Log()[before:] {
				if strings.HasSuffix(e.Path, "/api/vms/"+late.ID) && e.Status == 401 {
					refused++
				}
			}
			if refused < 5 {
				t.Errorf("it was told only %d times that its token is not valid", refused)
			}
			_, rest, _ := strings.Cut(out, "'NoneType' object has no attribute 'id'")
			_, rest, _ = strings.Cut(rest, "Log append failed VM to failed_vm_names]")
			if !strings.HasPrefix(strings.TrimLeft(rest, " *\n"), "ok:") {
				t.Errorf("it is not among the failed ones:\n%s", out)
			}
		})
	})
}

// newRole serves a world for the role, and counts at the end what it did.
func newRole(t *testing.T, world lab.World) *role {
	t.Helper()
	r := &role{running: serve(t, world, 20)}
	r.vars = filepath.Join(r.dir, "disaster_recovery_vars.yml")
	t.Cleanup(func() {
		_ = os.Remove(filepath.Join("/tmp", r.report()))
		if t.Failed() {
			t.Logf("the lab's log:\n%s", r.trace())
		}
		counted("the ansible role", r.running)
		tally.Lock()
		defer tally.Unlock()
		tally.steps, tally.broken = tally.steps+r.steps, tally.broken+r.breakages
	})
	return r
}

// mapped has the role write its mapping, and fills it in by a table.
func (r *role) mapped(t *testing.T, names map[string]any) {
	t.Helper()
	site := r.world.Sites[0]
	if out, err := r.play(t, "generate_mapping", map[string]any{"site": site.URL, "username": site.Username, "password": site.Password,
		"ca": filepath.Join(r.dir, "primary-ca.pem"), "var_file": r.vars}); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	table, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	r.script(t, "fill_mapping.py", r.vars, string(table))
}

// registered is the answer to the only request behind the first so many to register an entity; 0 when there were none or more.
func (r *role) registered(after int, kind, id string) int {
	n, status := 0, 0
	for _, e := range r.Log()[after:] {
		if e.Site == "secondary" && strings.HasSuffix(e.Path, "/"+kind+"/"+id+"/register") {
			n, status = n+1, e.Status
		}
	}
	if n != 1 {
		return 0
	}
	return status
}

// step is a part of the role's life; the others make no sense after one that failed.
func (r *role) step(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	if t.Failed() {
		t.Errorf("%s: not tried after a failure", name)
		return
	}
	if t.Run(name, f) {
		r.steps++
	}
}

// broken is a defect of the role as published, which the lab must bring to light.
func (r *role) broken(t *testing.T, defect string, f func(t *testing.T)) {
	t.Helper()
	if t.Run(defect, f) {
		r.breakages++
	}
}

// requests counts those behind the first so many whose method is this one, and whose path and query match.
func (r *role) requests(after int, method, path, query string) int {
	n, pattern := 0, regexp.MustCompile(path)
	for _, e := range r.Log()[after:] {
		if e.Method == method && pattern.MatchString(e.Path) && strings.Contains(e.Query, query) && e.Status < 300 {
			n++
		}
	}
	return n
}

// edited is a copy of the mapping in which every line that begins so reads otherwise.
func (r *role) edited(t *testing.T, from, to string) string {
	t.Helper()
	text := r.read(t, r.vars)
	changed := regexp.MustCompile(`(?m)`+regexp.QuoteMeta(strings.TrimSuffix(from, "\n"))+`.*$`).ReplaceAllString(text, strings.TrimSuffix(to, "\n"))
	if changed == text {
		t.Fatalf("the mapping has no %q:\n%s", from, text)
	}
	file := filepath.Join(t.TempDir(), "edited.yml")
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func (r *role) vmAt(site, name string) lab.VMView {
	for _, vm := range r.View().Sites[site].VMs {
		if vm.Name == name {
			return vm
		}
	}
	return lab.VMView{}
}

// domainID is the id of a storage domain at a site; "" when the site does not have it.
func (r *role) domainID(site, name string) string {
	for _, domain := range r.View().Sites[site].StorageDomains {
		if domain.Name == name {
			return domain.ID
		}
	}
	return ""
}

// planned are the names of the replicated storage domains.
func (r *role) planned() string {
	var names []string
	for _, pair := range r.world.Replications {
		names = append(names, pair.Domain)
	}
	return strings.Join(names, ",")
}

func (r *role) script(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := r.command(t, nil, "python", append([]string{script(t, name)}, args...)...); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// waitForEngine waits until a site's engine answers and its hosts and storage domains are up again.
func (r *role) waitForEngine(t *testing.T, site string) {
	t.Helper()
	r.script(t, "wait_for_site.py", site)
}

// report is the name of the role's report, which it writes into /tmp.
func (r *role) report() string {
	return "interop-" + strings.ReplaceAll(r.server.Control, ":", "-") + "-report.log"
}

// searched says whether a site was asked to search with a text.
func (r *role) searched(site, text string) bool {
	for _, e := range r.Log() {
		q, err := url.ParseQuery(e.Query)
		if err == nil && e.Site == site && strings.Contains(q.Get("search"), text) {
			return true
		}
	}
	return false
}

// domain is the status of a storage domain at a site; "" when the site does not have it.
func (r *role) domain(site, name string) string {
	for _, domain := range r.View().Sites[site].StorageDomains {
		if domain.Name == name {
			return domain.Status
		}
	}
	return ""
}

// domainsAre wants all replicated storage domains in a status at a site; "" means that the site does not have them.
func (r *role) domainsAre(t *testing.T, site, status string) {
	t.Helper()
	for _, pair := range r.world.Replications {
		if got := r.domain(site, pair.Domain); got != status {
			t.Errorf("storage domain %s at the %s site: status %q, not %q", pair.Domain, site, got, status)
		}
	}
}

func (r *role) read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// lose takes the primary site away and promotes its replicas, which is the storage administrator's work.
func (r *role) lose(t *testing.T) {
	t.Helper()
	if err := r.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	for _, pair := range r.world.Replications {
		if err := r.Promote(pair.Domain); err != nil {
			t.Fatal(err)
		}
	}
}

// validate runs the role's validator on a mapping. It asks for the passwords on the terminal.
func (r *role) validate(t *testing.T, vars string) (string, error) {
	t.Helper()
	conf := filepath.Join(r.dir, "dr.conf")
	if err := os.WriteFile(conf, []byte("[log]\nlog_file=\nlog_level=DEBUG\n[validate_vars]\nvar_file="+vars+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := filepath.Join(*foreign, "collection", "ansible_collections", "ovirt", "ovirt", "roles", "disaster_recovery", "files")
	input := fmt.Sprintf("printf '%%s\\n' '%s' '%s' no | python ovirt-dr validate --conf-file='%s'", r.world.Sites[0].Password, r.world.Sites[1].Password, conf)
	return r.command(t, nil, "python", "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1], shell=True, cwd=sys.argv[2]))", input, files)
}

// recovered wants every storage domain of the plan active and these VMs up at a site.
func (r *role) recovered(t *testing.T, site string, vms []lab.VM) {
	t.Helper()
	view := r.View().Sites[site]
	for _, pair := range r.world.Replications {
		ok := false
		for _, domain := range view.StorageDomains {
			ok = ok || domain.Name == pair.Domain && domain.Status == "active"
		}
		if !ok {
			t.Errorf("storage domain %s is not active at the %s site: %+v", pair.Domain, site, view.StorageDomains)
		}
	}
	for _, want := range vms {
		ok := false
		for _, vm := range view.VMs {
			ok = ok || vm.Name == want.Name && vm.Running
		}
		if !ok {
			t.Errorf("VM %s does not run at the %s site: %+v", want.Name, site, view.VMs)
		}
	}
}
