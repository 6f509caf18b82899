package plans

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/engine/sim"
	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// plannedWorld has, beside the plan's three VMs, a fourth one on its storage domain.
func plannedWorld(vms int) (lab.World, *lab.Site) {
	w := lab.TwoSites(lab.TwoSitesOptions{VMs: vms})
	site, _ := w.Site(Primary)
	return w, site
}

// inLab runs fn in virtual time with a lab of that world.
func inLab(t *testing.T, world lab.World, fn func(l *lab.Lab, env engine.Env, sites map[string]*ovirt.Site, reasons map[string]error)) {
	t.Helper()
	w := sim.New(1)
	defer w.Close()
	w.Run(func() {
		l := lab.New(world, w.Clock(), 1)
		sites, reasons := labSites(t, l, w.Env())
		fn(l, w.Env(), sites, reasons)
	})
}

// plannedPlan generates the plan of the three VMs, which all cases share, and its inventory.
func plannedPlan(t *testing.T) (*Plan, *Inventory) {
	t.Helper()
	world, _ := plannedWorld(3)
	var g *Generated
	inLab(t, world, func(_ *lab.Lab, env engine.Env, sites map[string]*ovirt.Site, _ map[string]error) {
		var err error
		g, err = Generate(context.Background(), GenerateOptions{Name: "Plan_Recovery", File: "planned.lua", Now: env.Clock.Now(), Primary: sites[Primary], Secondary: sites[Secondary],
			PrimarySpec: SiteSpec{URL: lab.PrimaryURL, Username: lab.PrimaryUsername}, SecondarySpec: SiteSpec{URL: lab.SecondaryURL, Username: lab.SecondaryUsername},
			PrimaryStorage: "nfs://192.168.122.210:/nfs_ds", SecondaryStorage: "nfs://192.168.122.210:/nfs_ds_replica"})
		if err != nil {
			t.Error(err)
		}
	})
	golden(t, filepath.Join("check", "planned.lua"), string(g.Plan))
	p, found, text := load(t, filepath.Join("testdata", "check", "planned.lua"), Options{})
	if len(found) > 0 {
		t.Fatal(text)
	}
	return p, g.Inventory
}

// Each thing that stands in the way of a planned move has the whole text of what Check finds in one golden file, with the reads that it
// took; without Planned none of it is looked for.
func TestCheckPlanned(t *testing.T) {
	t.Parallel()
	p, inv := plannedPlan(t)
	outside := func(change func(vm *lab.VM)) func(*lab.Site) {
		return func(s *lab.Site) { change(&s.VMs[3]) }
	}
	cases := []struct {
		name   string
		change func(s *lab.Site)
		faults []lab.Fault
	}{
		{"nothing", func(*lab.Site) {}, nil},
		{"delete protection", func(s *lab.Site) { s.VMs[0].DeleteProtected = true }, nil},
		{"down", func(s *lab.Site) { s.VMs[0].Running = false }, nil},
		{"preview", func(s *lab.Site) { s.VMs[0].Preview = true }, nil},
		{"pool", func(s *lab.Site) { s.VMs[1].Pool = "desks" }, nil},
		{"backup", func(s *lab.Site) { s.VMs[1].Backup = "ready" }, nil},
		{"backup of a VM that is down", func(s *lab.Site) { s.VMs[1].Backup, s.VMs[1].Running = "starting", false }, nil},
		{"more backups than are asked for", func(s *lab.Site) { s.VMs[0].Backup, s.VMs[1].Backup, s.VMs[2].Backup = "ready", "finalizing", "ready" }, nil},
		{"locked disk", func(s *lab.Site) { s.VMs[2].Disks[0].Status = "locked" }, nil},
		{"illegal disk", func(s *lab.Site) { s.VMs[2].Disks[0].Status = "illegal" }, nil},
		{"suspended", func(s *lab.Site) { s.VMs[2].Running, s.VMs[2].Status = false, "suspended" }, nil},
		{"paused", func(s *lab.Site) { s.VMs[2].Status = "paused" }, nil},
		{"image_locked", func(s *lab.Site) { s.VMs[2].Running, s.VMs[2].Status = false, "image_locked" }, nil},
		{"pinned", func(s *lab.Site) { s.VMs[2].PinnedTo = []string{s.Hosts[0].ID} }, nil},
		{"silent host", func(*lab.Site) {}, []lab.Fault{{Kind: lab.FaultHostDown, Subject: "host1b"}}},
		{"locked disk of a template", func(s *lab.Site) { s.Templates[1].Disks[0].Status = "locked" }, nil},
		{"running outside the plan", outside(func(vm *lab.VM) { vm.Running = true }), nil},
		{"lease outside the plan", outside(func(vm *lab.VM) { vm.LeaseDomainID, vm.Disks, vm.Running = vm.Disks[0].StorageDomainID, nil, true }), nil},
		{"preview outside the plan", outside(func(vm *lab.VM) { vm.Preview = true }), nil},
		{"pool outside the plan", outside(func(vm *lab.VM) { vm.Pool = "desks" }), nil},
		{"delete protection outside the plan", outside(func(vm *lab.VM) { vm.DeleteProtected = true }), nil},
		{"running and in a preview outside the plan", outside(func(vm *lab.VM) { vm.Running, vm.Preview = true, true }), nil},
		{"locked disk outside the plan", outside(func(vm *lab.VM) { vm.Disks[0].Status = "locked" }), nil},
		{"suspended outside the plan", outside(func(vm *lab.VM) { vm.Status = "suspended" }), nil},
	}
	var b strings.Builder
	for _, c := range cases {
		world, site := plannedWorld(4)
		site.VMs[3].Running = false
		c.change(site)
		inLab(t, world, func(l *lab.Lab, env engine.Env, sites map[string]*ovirt.Site, _ map[string]error) {
			for _, f := range c.faults {
				if err := l.Fail(f); err != nil {
					t.Error(err)
				}
				// A silent host is connecting for a minute, in which its VMs keep their status.
				if _, err := env.Clock.Wait(context.Background(), 2*time.Minute, nil); err != nil {
					t.Error(err)
				}
			}
			before := sites[Primary].Counters()
			_, found := Check(context.Background(), p, inv, sites[Primary], sites[Secondary], CheckOptions{Planned: true, Now: env.Clock.Now()})
			now := sites[Primary].Counters()
			if now.Reads-before.Reads > 13 || now.Writes > 0 {
				t.Errorf("%s: %d reads, %d writes", c.name, now.Reads-before.Reads, now.Writes)
			}
			b.WriteString("--- " + c.name + "\n" + renderFindings(withoutCode(found, "vm-new-at-source")))
			_, unplanned := Check(context.Background(), p, inv, sites[Primary], sites[Secondary], CheckOptions{Now: env.Clock.Now()})
			for _, f := range unplanned {
				if f.Code != "vm-new-at-source" && f.Code != "vm-stopped-since" {
					t.Errorf("%s: not planned, and %s", c.name, f.Code)
				}
			}
		})
	}
	golden(t, filepath.Join("check", "planned.golden"), b.String())
}

func withoutCode(findings []Finding, code string) (out []Finding) {
	for _, f := range findings {
		if f.Code != code {
			out = append(out, f)
		}
	}
	return out
}

// A planned move needs its source.
func TestCheckPlannedWithoutSource(t *testing.T) {
	t.Parallel()
	p, inv := plannedPlan(t)
	world, _ := plannedWorld(3)
	inLab(t, world, func(l *lab.Lab, env engine.Env, _ map[string]*ovirt.Site, _ map[string]error) {
		if err := l.Disaster(Primary); err != nil {
			t.Error(err)
		}
		sites, reasons := labSites(t, l, env)
		_, found := Check(context.Background(), p, inv, sites[Primary], sites[Secondary], CheckOptions{Planned: true, Now: env.Clock.Now(), PrimaryErr: reasons[Primary]})
		if len(found) != 1 || found[0].Code != "site-unreachable" || found[0].Severity != SeverityError {
			t.Error(renderFindings(found))
		}
	})
}

// The reads of a planned check stay within their budget, whatever the number of VMs and of what stands in their way.
func TestCheckPlannedReads(t *testing.T) {
	t.Parallel()
	p, inv := plannedPlan(t)
	for _, vms := range []int{3, 600} {
		world, site := plannedWorld(vms)
		for i := range site.VMs {
			site.VMs[i].Backup = "ready"
		}
		big := *p
		for i := 3; i < vms; i++ {
			big.VMs = append(big.VMs, VM{ID: site.VMs[i].ID, Name: site.VMs[i].Name, Rank: 1})
		}
		inLab(t, world, func(_ *lab.Lab, env engine.Env, sites map[string]*ovirt.Site, _ map[string]error) {
			before := [2]int{sites[Primary].Counters().Reads, sites[Secondary].Counters().Reads}
			_, found := Check(context.Background(), &big, inv, sites[Primary], sites[Secondary], CheckOptions{Planned: true, Now: env.Clock.Now()})
			if reads := [2]int{sites[Primary].Counters().Reads - before[0], sites[Secondary].Counters().Reads - before[1]}; reads[0] > 13 || reads[1] > 13 {
				t.Errorf("%d VMs: %v reads", vms, reads)
			}
			errors := 0
			for _, f := range found {
				if f.Severity == SeverityError {
					errors++
				}
			}
			if errors != vms {
				t.Errorf("%d errors for %d VMs", errors, vms)
			}
		})
	}
}
