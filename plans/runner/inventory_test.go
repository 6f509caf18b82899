package runner_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

const inventoryFile = "/site/plan.inventory.json"

func (p *pair) snapshot() *runner.Result {
	p.t.Helper()
	var r *runner.Result
	p.do(func(env engine.Env) {
		r = runner.Snapshot(context.Background(), context.Background(), p.options(env, nil))
	})
	return r
}

// records renders the inventory file: of each VM where and how old its record is, and where its home is.
func (p *pair) records() string {
	p.t.Helper()
	inv, err := plans.DecodeInventory([]byte(p.read(inventoryFile)))
	if err != nil {
		p.t.Fatal(err)
	}
	var b strings.Builder
	for i := range inv.VMs {
		vm := &inv.VMs[i]
		age := "now"
		if inv.SeenAt(vm).Before(inv.Taken) {
			age = "before"
		}
		fmt.Fprintf(&b, "%s %s at %s in %s %s", vm.Name, vm.Status, vm.ReadAt(), vm.Cluster, age)
		if vm.Home != nil {
			fmt.Fprintf(&b, ", home %s %s", vm.Home.Cluster, vm.Home.NICs[0].Profile)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func codesOf(findings []plans.Finding) string {
	codes := map[string]bool{}
	for _, f := range findings {
		codes[f.Code] = true
	}
	return strings.Join(slices.Sorted(maps.Keys(codes)), " ")
}

// TestSnapshot refreshes the inventory in each state of the pair.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name   string
		before func(p *pair)
		exit   int
		codes  string
		want   string // "": the file is as it was
	}{
		{"at home", func(p *pair) { p.stop("primary", "vm2") }, 0, "vm-stopped-since",
			"vm1 up at primary in Prod now\nvm2 down at primary in Prod now\nvm3 up at primary in Prod now\n"},
		{"at home, nothing recorded yet", func(p *pair) { p.remove(inventoryFile) }, 0, "",
			"vm1 up at primary in Prod now\nvm2 up at primary in Prod now\nvm3 up at primary in Prod now\n"},
		{"at home, the secondary silent", func(p *pair) { p.lab.Disaster("secondary") }, 0, "site-unreachable",
			"vm1 up at primary in Prod now\nvm2 up at primary in Prod now\nvm3 up at primary in Prod now\n"},
		{"the primary lost", func(p *pair) { p.lose() }, 0, "site-unreachable",
			"vm1 up at primary in Prod before\nvm2 up at primary in Prod before\nvm3 up at primary in Prod before\n"},
		{"away, the primary silent", func(p *pair) { p.lose(); expect(p.t, p.failover(nil), 0) }, 0, "site-unreachable",
			"vm1 up at secondary in Recovery now, home Prod Default/lan/lan\nvm2 up at secondary in Recovery now, home Prod Default/lan/lan\nvm3 up at secondary in Recovery now, home Prod Default/lan/lan\n"},
		{"away, the healed primary has what it had", func(p *pair) { p.away() }, 0, "vm-at-both",
			"vm1 up at primary in Prod before\nvm2 up at primary in Prod before\nvm3 up at primary in Prod before\n"},
		{"away, replicated back", func(p *pair) {
			p.away()
			p.replicate()
			p.wait(15 * time.Minute) // until the primary's engine has noticed
		}, 0, "",
			"vm1 up at secondary in Recovery now, home Prod Default/lan/lan\nvm2 up at secondary in Recovery now, home Prod Default/lan/lan\nvm3 up at secondary in Recovery now, home Prod Default/lan/lan\n"},
		{"recorded away, then only the healed primary answers", func(p *pair) {
			p.lose()
			expect(p.t, p.failover(nil), 0)
			expect(p.t, p.snapshot(), 0)
			p.heal()
			p.lab.Disaster("secondary")
		}, 0, "site-unreachable vm-site-unsure",
			"vm1 up at secondary in Recovery before, home Prod Default/lan/lan\nvm2 up at secondary in Recovery before, home Prod Default/lan/lan\nvm3 up at secondary in Recovery before, home Prod Default/lan/lan\n"},
		{"released by hand", func(p *pair) { p.release() }, 0, "vm-storage-inactive",
			"vm1 up at primary in Prod before\nvm2 up at primary in Prod before\nvm3 up at primary in Prod before\n"},
		{"a VM vanished, one is new, one was left out of the plan", func(p *pair) {
			text := p.read("/site/plan.lua")
			for _, name := range []string{"vm2", "vm3"} {
				from := strings.Index(text, `    { name = "`+name)
				text = text[:from] + text[from+strings.Index(text[from:], "\n")+1:]
			}
			p.write("/site/plan.lua", strings.Replace(text, p.vmID("vm1"), "00000007-0000-4000-8000-0000000000aa", 1))
			p.inventory(func(inv *plans.Inventory) {
				inv.VMs = inv.VMs[:2] // vm3 is not known
				inv.VMs[0].ID = "00000007-0000-4000-8000-0000000000aa"
			})
		}, 0, "vm-new vm-vanished", "vm1 up at primary in Prod before\nvm2 up at primary in Prod now\n"},
		{"the disk is full", func(p *pair) {
			p.disk.Fault = func(op, path string) error {
				if path == inventoryFile {
					return errors.New("no space left on device")
				}
				return nil
			}
		}, 3, "", ""},
		{"neither site answers", func(p *pair) { p.lose(); p.lab.Disaster("secondary") }, 3, "", ""},
		{"a file that is no inventory", func(p *pair) { p.write(inventoryFile, "{ \"schema\": ") }, 3, "", ""},
		{"a run is unfinished", func(p *pair) {
			p.edit("return plan", "plan:on(\"after_import\", function() error(\"no\") end)\nreturn plan")
			p.lose()
			expect(p.t, p.failover(nil), 5)
		}, 3, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{})
			c.before(p)
			p.wait(time.Second)
			before, changes := "", len(p.changes())
			if c.want == "" {
				before = p.read(inventoryFile)
			}
			r := p.snapshot()
			expect(t, r, c.exit)
			if got := codesOf(r.Findings); got != c.codes {
				t.Errorf("findings %q, want %q", got, c.codes)
			}
			switch {
			case c.want == "" && p.read(inventoryFile) != before:
				t.Error("the file was changed")
			case c.want != "" && p.records() != c.want:
				t.Errorf("got:\n%s\nwant:\n%s", p.records(), c.want)
			}
			if n := len(p.changes()); n != changes {
				t.Errorf("%d changing requests", n-changes)
			}
			if reads := r.Requests["primary"].Reads + r.Requests["secondary"].Reads; reads > 22 {
				t.Errorf("%d reads", reads)
			}
		})
	}
}

// TestSnapshotServesTheWayBack: recorded away, the VMs go home to where they lived, also when the secondary is lost then.
func TestSnapshotServesTheWayBack(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.inventory(func(inv *plans.Inventory) {
		inv.VMs[1].NICs[0].Profile.Network, inv.VMs[1].NICs[0].Profile.Profile = "ovirtmgmt", "ovirtmgmt"
	})
	p.edit(`vnic_profiles = {`, `vnic_profiles = { { primary = { data_center = "Default", network = "ovirtmgmt", profile = "ovirtmgmt" }, secondary = { data_center = "Default", network = "lan", profile = "lan" } },`)
	p.lose()
	expect(t, p.failover(nil), 0)
	p.stop("secondary", "vm3")
	expect(t, p.snapshot(), 0)
	p.heal()
	p.lab.Disaster("secondary")
	facts, r := p.facts("failback", "", nil)
	expect(t, r, 0)
	const want = `secondary to primary, inventory
nfs_ds: attached false, to true
vm1 ran up, cluster "Recovery" to "Prod", host true, ha true 50, disks 1 on 1, nic1 lan/lan to Default/lan/lan
vm2 ran up, cluster "Recovery" to "Prod", host true, ha false 0, disks 1 on 1, nic1 lan/lan to Default/ovirtmgmt/ovirtmgmt
vm3 ran down, cluster "Recovery" to "Prod", host false, ha false 0, disks 1 on 1, nic1 lan/lan to Default/lan/lan
`
	if got := factLines(facts); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
