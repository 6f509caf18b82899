package runner_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// facts gathers what a run would begin with; cleaned is the site that a clean is for.
func (p *pair) facts(action, cleaned string, change func(*runner.Options)) (*stdlib.Facts, *runner.Result) {
	p.t.Helper()
	var facts *stdlib.Facts
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		o.Action = action
		if change != nil {
			change(&o)
		}
		facts, result = runner.GatherFacts(context.Background(), o, cleaned)
	})
	return facts, result
}

func planned(o *runner.Options) { o.Planned = true }

// at does something at a site's engine.
func (p *pair) at(name string, do func(ctx context.Context, env engine.Env, site *ovirt.Site) error) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		url, user, password := lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword
		if name == "secondary" {
			url, user, password = lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword
		}
		if err := do(context.Background(), env, p.open(env, name, url, user, password)); err != nil {
			p.t.Fatal(err)
		}
	})
}

func (p *pair) wait(d time.Duration) {
	p.do(func(env engine.Env) { _, _ = env.Clock.Wait(context.Background(), d, nil) })
}

// heal gives the primary its power back and waits until it answers and has found its VMs.
func (p *pair) heal() {
	p.t.Helper()
	if err := p.lab.Heal("primary"); err != nil {
		p.t.Fatal(err)
	}
	p.wait(15 * time.Minute)
}

func (p *pair) vmID(name string) string {
	p.t.Helper()
	for _, site := range p.lab.View().Sites {
		for _, vm := range site.VMs {
			if vm.Name == name {
				return vm.ID
			}
		}
	}
	p.t.Fatalf("no VM %s", name)
	return ""
}

// stop shuts a VM down.
func (p *pair) stop(site, name string) {
	p.t.Helper()
	id := p.vmID(name)
	p.at(site, func(ctx context.Context, _ engine.Env, s *ovirt.Site) error {
		if _, _, err := s.SetHA(ctx, id, ovirt.HA{}); err != nil {
			return err
		}
		_, err := s.ShutdownVM(ctx, id, ovirt.ShutdownOptions{})
		return err
	})
}

// release does by hand what a planned failover does at the source.
func (p *pair) release() {
	p.t.Helper()
	for _, vm := range p.lab.View().Sites["primary"].VMs {
		p.stop("primary", vm.Name)
	}
	p.at("primary", func(ctx context.Context, _ engine.Env, s *ovirt.Site) error {
		centers, err := s.DataCenters(ctx)
		if err != nil {
			return err
		}
		domain := p.lab.View().Sites["primary"].StorageDomains[0]
		_, _, err = s.DeactivateDomain(ctx, centers[0].ID, domain.ID, 0)
		return err
	})
}

// away has failed over for want of the primary, which is back now with what it had.
func (p *pair) away() {
	p.t.Helper()
	p.lose()
	expect(p.t, p.failover(nil), 0)
	p.heal()
}

func (p *pair) remove(path string) {
	p.t.Helper()
	if err := p.disk.Remove(path); err != nil {
		p.t.Fatal(err)
	}
}

// inventory changes the inventory file.
func (p *pair) inventory(change func(inv *plans.Inventory)) {
	p.t.Helper()
	inv, err := plans.DecodeInventory([]byte(p.read(inventoryFile)))
	if err != nil {
		p.t.Fatal(err)
	}
	change(inv)
	text, err := inv.Encode()
	if err != nil {
		p.t.Fatal(err)
	}
	p.write(inventoryFile, string(text))
}

// factLines renders what a test of facts looks at.
func factLines(facts *stdlib.Facts) string {
	var b strings.Builder
	from := func(o stdlib.RunSetOrigin) string {
		if o.Taken.Equal(facts.Taken) {
			return o.From + " now"
		}
		return o.From
	}
	fmt.Fprintf(&b, "%s to %s, %s\n", facts.Source, facts.Target, from(facts.RunSet))
	for _, d := range facts.Domains {
		fmt.Fprintf(&b, "%s: attached %v, to %v\n", d.Name, d.Source.DataCenterID != "", d.Target.DataCenterID != "")
	}
	for _, vm := range facts.VMs {
		fmt.Fprintf(&b, "%s ran %s", vm.Name, vm.Ran)
		if vm.RanFrom != nil {
			fmt.Fprintf(&b, " (%s)", from(*vm.RanFrom))
		}
		fmt.Fprintf(&b, ", cluster %q to %q, host %v, ha %v %d, disks %d on %d", vm.SourceCluster, vm.TargetCluster, vm.SourceHost != "", vm.HA, vm.HAPriority, len(vm.Disks), len(vm.Domains))
		if vm.TargetCluster != "" && vm.TargetClusterID == "" {
			b.WriteString(" NO CLUSTER ID")
		}
		for _, nic := range vm.NICs {
			fmt.Fprintf(&b, ", %s %s/%s to %s", nic.Name, nic.SourceNetwork, nic.SourceProfile, nic.TargetProfile)
			if (nic.TargetProfile == "") != (nic.TargetProfileID == "") {
				b.WriteString(" NO PROFILE ID")
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// TestFacts tells what a run knows before its first change, by action and by what answers.
func TestFacts(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		before  func(p *pair)
		action  string
		cleaned string
		options func(*runner.Options)
		want    string
	}{
		{"failover from a live source", func(p *pair) { p.stop("primary", "vm2") }, "failover", "", planned, `primary to secondary, live now
nfs_ds: attached true, to true
vm1 ran up, cluster "Prod" to "Recovery", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran down, cluster "Prod" to "Recovery", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up, cluster "Prod" to "Recovery", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"the inventory of a VM that the live source does not have", func(p *pair) {
			p.edit(`"`+p.vmID("vm3")+`"`, `"00000007-0000-4000-8000-0000000000aa"`)
			p.inventory(func(inv *plans.Inventory) {
				inv.VMs[2].ID, inv.VMs[2].Status = "00000007-0000-4000-8000-0000000000aa", "not_responding"
			})
		}, "failover", "", nil, `primary to secondary, live now
nfs_ds: attached true, to true
vm1 ran up, cluster "Prod" to "Recovery", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran up, cluster "Prod" to "Recovery", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up (inventory), cluster "Prod" to "Recovery", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"failover by the inventory", func(p *pair) {
			p.inventory(func(inv *plans.Inventory) { inv.VMs[1].Status, inv.VMs[2].Status = "suspended", "paused" })
			p.lose()
		}, "failover", "", nil, `primary to secondary, inventory
nfs_ds: attached false, to true
vm1 ran up, cluster "Prod" to "Recovery", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran down, cluster "Prod" to "Recovery", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up, cluster "Prod" to "Recovery", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"failover by the OVF stores", func(p *pair) {
			p.lose()
			p.remove(inventoryFile)
		}, "failover", "", nil, `primary to secondary, ovf
nfs_ds: attached false, to true
vm1 ran unknown, cluster "" to "Recovery", host false, ha false 0, disks 0 on 0,  lan/lan to Default/lan/lan
vm2 ran unknown, cluster "" to "Recovery", host false, ha false 0, disks 0 on 0,  lan/lan to Default/lan/lan
vm3 ran unknown, cluster "" to "Recovery", host false, ha false 0, disks 0 on 0,  lan/lan to Default/lan/lan
`},
		// A source that was released by hand has its VMs down: what ran is what the inventory says.
		{"failover from a source that was released by hand", func(p *pair) { p.release() }, "failover", "", nil, `primary to secondary, inventory
nfs_ds: attached true, to true
vm1 ran up, cluster "Prod" to "Recovery", host false, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran up, cluster "Prod" to "Recovery", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up, cluster "Prod" to "Recovery", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"failback from the live secondary, home by the inventory", func(p *pair) {
			p.away()
			p.stop("secondary", "vm2")
			p.inventory(func(inv *plans.Inventory) {
				inv.VMs[1].NICs[0].Profile.Network, inv.VMs[1].NICs[0].Profile.Profile = "ovirtmgmt", "ovirtmgmt"
			})
		}, "failback", "", planned, `secondary to primary, live now
nfs_ds: attached true, to true
vm1 ran up, cluster "Recovery" to "Prod", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran down, cluster "Recovery" to "Prod", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/ovirtmgmt/ovirtmgmt
vm3 ran up, cluster "Recovery" to "Prod", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"failback with the secondary silent", func(p *pair) {
			p.away()
			p.lab.Disaster("secondary")
		}, "failback", "", nil, `secondary to primary, inventory
nfs_ds: attached false, to true
vm1 ran up, cluster "" to "Prod", host false, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran up, cluster "" to "Prod", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up, cluster "" to "Prod", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"failback of a VM born away", func(p *pair) {
			p.away()
			p.inventory(func(inv *plans.Inventory) { inv.VMs = inv.VMs[:2] })
		}, "failback", "", planned, `secondary to primary, live now
nfs_ds: attached true, to true
vm1 ran up, cluster "Recovery" to "Prod", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran up, cluster "Recovery" to "Prod", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm3 ran up, cluster "Recovery" to "Prod", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`},
		{"clean of a site that the mappings do not fit", func(p *pair) {
			p.away()
			p.edit(`{ primary = "Prod",`, `{ primary = "Gone",`)
		}, "clean", "primary", nil, `secondary to primary, live now
nfs_ds: attached true, to true
vm1 ran up, cluster "Recovery" to "", host true, ha true 50, disks 1 on 1
vm2 ran up, cluster "Recovery" to "", host true, ha false 0, disks 1 on 1
vm3 ran up, cluster "Recovery" to "", host true, ha false 0, disks 1 on 1
`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 7, lab.TwoSitesOptions{})
			c.before(p)
			before := len(p.changes())
			facts, r := p.facts(c.action, c.cleaned, c.options)
			expect(t, r, 0)
			if got := factLines(facts); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			if facts.Planned != (c.options != nil) || facts.LeaseExpiry != 180 || facts.VMs[0].Grace != 300 || facts.VMs[0].ForceStop {
				t.Errorf("from the plan: %+v", facts)
			}
			if after := len(p.changes()); after != before {
				t.Errorf("%d changing requests", after-before)
			}
			// Each collection of each site once: what is left of the budget belongs to the run.
			for site, used := range r.Requests {
				if used.Reads > 14 {
					t.Errorf("%d reads at %s", used.Reads, site)
				}
			}
			if text, err := json.Marshal(facts); err != nil || strings.Contains(string(text), "0001-01-01") {
				t.Errorf("as JSON: %s %v", text, err)
			}
		})
	}
}

// TestFactsRefused tells what keeps a run from knowing enough, and that the refusal says where in the plan it is.
func TestFactsRefused(t *testing.T) {
	t.Parallel()
	const lan = `{ data_center = "Default", network = "lan", profile = "lan" }`
	ambiguous := func(p *pair) {
		p.away()
		p.edit(`clusters = {`, `clusters = { { primary = "Old", secondary = "Recovery" },`)
		p.edit(`vnic_profiles = {`, `vnic_profiles = { { primary = { data_center = "Default", network = "ovirtmgmt", profile = "ovirtmgmt" }, secondary = `+lan+` },`)
	}
	cases := []struct {
		name    string
		before  func(p *pair)
		action  string
		options func(*runner.Options)
		codes   []string
		words   []string
	}{
		{"planned failover, the source silent", func(p *pair) { p.lose() }, "failover", planned, []string{"site-unreachable"},
			[]string{`a planned failover begins at site "primary"`, "without --planned"}},
		{"planned failback, the source silent", func(p *pair) { p.away(); p.lab.Disaster("secondary") }, "failback", planned, []string{"site-unreachable"},
			[]string{`a planned failback begins at site "secondary"`, "--unplanned"}},
		{"born away, the way back not unique", func(p *pair) {
			ambiguous(p)
			p.inventory(func(inv *plans.Inventory) { inv.VMs = inv.VMs[:2] })
		}, "failback", planned, []string{"cluster-ambiguous", "cluster-missing", "profile-ambiguous"},
			[]string{`/site/plan.lua:53:`, "leads back to Old or Prod", "leads back to Default/ovirtmgmt/ovirtmgmt or Default/lan/lan"}},
		{"the home is gone", func(p *pair) {
			p.away()
			p.inventory(func(inv *plans.Inventory) { inv.VMs[0].Cluster, inv.VMs[1].NICs[0].Profile.Network = "Razed", "torn" })
		}, "failback", planned, []string{"cluster-missing", "profile-missing"}, []string{`goes home to cluster "Razed"`, "Default/torn/lan"}},
		{"nothing known, more than one cluster", func(p *pair) {
			p.lose()
			p.edit(`clusters = {`, `clusters = { { primary = "Old", secondary = "Recovery" },`)
			p.inventory(func(inv *plans.Inventory) { inv.VMs = inv.VMs[1:] })
		}, "failover", nil, []string{"cluster-missing", "cluster-unknown"}, []string{"any of the 2 clusters", "drrun snapshot"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 7, lab.TwoSitesOptions{})
			c.before(p)
			_, r := p.facts(c.action, "", c.options)
			expect(t, r, 3)
			var codes []string
			var text bytes.Buffer
			plans.RenderFindings(&text, r.Findings)
			for _, f := range r.Findings {
				if f.Code != "" && f.Severity != plans.SeverityInfo && !strings.HasPrefix(f.Code, "vm-not-in-inventory") && !slices.Contains(codes, f.Code) {
					codes = append(codes, f.Code)
				}
			}
			slices.Sort(codes)
			if !slices.Equal(codes, c.codes) {
				t.Errorf("codes %v, want %v\n%s", codes, c.codes, text.String())
			}
			for _, words := range c.words {
				if !strings.Contains(text.String(), words) {
					t.Errorf("no %q in\n%s", words, text.String())
				}
			}
		})
	}
}

// TestFactsAtHomeNeedNoInverse: VMs with a home go there, whatever the mappings would say.
func TestFactsAtHomeNeedNoInverse(t *testing.T) {
	t.Parallel()
	p := newPair(t, 7, lab.TwoSitesOptions{})
	p.edit(`vnic_profiles = {`, `vnic_profiles = { { primary = { data_center = "Default", network = "ovirtmgmt", profile = "ovirtmgmt" }, secondary = { data_center = "Default", network = "lan", profile = "lan" } },`)
	p.away()
	facts, r := p.facts("failback", "", planned)
	expect(t, r, 0)
	if got := factLines(facts); strings.Count(got, "nic1 lan/lan to Default/lan/lan") != 3 {
		t.Error(got)
	}
}
