package runner_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// cameBack has the VMs at the secondary after a disaster, and the primary back with what it had, its HA VMs running.
func (p *pair) cameBack() {
	p.t.Helper()
	p.lose()
	if r := p.failover(nil); r.Exit != runner.ExitDone && r.Exit != runner.ExitPartial {
		expect(p.t, r, runner.ExitDone)
	}
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		p.t.Fatal(err)
	}
	p.wait(20 * time.Minute)
	p.story = len(p.lab.View().Violations)
}

// refusesToClean fails where a clean of the site is not refused for that reason, or changes something.
func (p *pair) refusesToClean(site, code, words string) {
	p.t.Helper()
	n, world := len(p.changes()), p.fingerprint()
	r := p.clean(site, nil)
	if r.Exit != runner.ExitRefused || r.Error.Code != code || !strings.Contains(r.Error.Message, words) {
		p.t.Errorf("clean of %s: exit %d %+v, want %s with %q", site, r.Exit, r.Error, code, words)
	}
	r = p.clean(site, func(o *runner.Options) { o.DryRun = true })
	if said := fmt.Sprintf("%+v %+v", r.Error, r.DryRun); !strings.Contains(said, words) {
		p.t.Errorf("dry clean of %s: exit %d %s, want %q", site, r.Exit, said, words)
	}
	if made := p.changes()[n:]; len(made) > 0 || p.fingerprint() != world {
		p.t.Errorf("it changed something: %v", made)
	}
}

// TestCleanAfterAnEngineOutage: only the engine of the primary was away, and somebody confirmed that the site was. Its hosts still run
// the VMs, so neither site can be said to be stale, and nothing takes one of them away.
func TestCleanAfterAnEngineOutage(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	if err := p.lab.Outage("primary"); err != nil {
		t.Fatal(err)
	}
	for _, name := range p.domains() {
		if err := p.lab.Promote(name); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, p.failover(nil), runner.ExitDone)
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.wait(20 * time.Minute)
	if len(p.lab.View().Violations) == 0 {
		t.Fatal("nothing runs twice")
	}
	p.refusesToClean("primary", "not-stale", "has been up since")
	p.refusesToClean("secondary", "not-stale", "it is not an older copy")
	r := p.planned(plans.ActionFailback, nil, nil)
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "not-stale" {
		t.Errorf("error %+v", r.Error)
	}
}

// TestCleanRefuses what would lose something.
func TestCleanRefuses(t *testing.T) {
	t.Parallel()
	t.Run("a VM that only the stale site has", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2, LoseVM: "vm4"})
		p.cameBack()
		p.refusesToClean("primary", "not-stale", "secondary has no VM vm4")
		r := p.clean("primary", func(o *runner.Options) { o.AcceptLoss = "Ann: vm4 is made anew" })
		expect(t, r, runner.ExitDone)
		if !strings.Contains(strings.Join(r.Verdicts, "\n"), "Ann has given it up: vm4 is made anew") {
			t.Errorf("verdicts %q", r.Verdicts)
		}
		p.nothingOfThePlan("primary")
	})
	t.Run("a VM outside the plan", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
		p.dropVM("vm4")
		p.cameBack()
		p.refusesToClean("primary", "vms-outside-plan", "vm4")
		r := p.planned(plans.ActionFailback, nil, nil)
		expect(t, r, runner.ExitRefused)
	})
	t.Run("the other site has nothing", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 3, lab.TwoSitesOptions{})
		p.refusesToClean("primary", "not-stale", `secondary has no storage domain "nfs_ds"`)
	})
	t.Run("the other site has let go of it", func(t *testing.T) {
		t.Parallel()
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
		p.cameBack()
		p.engine("secondary", func(ctx context.Context, s *ovirt.Site) error {
			centers, err := s.DataCenters(ctx)
			if err != nil {
				return err
			}
			for _, vm := range p.lab.View().Sites["secondary"].VMs {
				if _, err := s.ShutdownVM(ctx, vm.ID, ovirt.ShutdownOptions{Force: true}); err != nil {
					return err
				}
			}
			_, _, err = s.DeactivateDomain(ctx, centers[0].ID, p.domainID("nfs_ds"), 0)
			return err
		})
		p.refusesToClean("primary", "not-stale", `"nfs_ds" is maintenance on secondary`)
	})
}

// dropVM takes a VM out of the plan.
func (p *pair) dropVM(name string) {
	p.t.Helper()
	text := p.read("/site/plan.lua")
	less := regexp.MustCompile(`(?m)^ *\{ name = "`+name+`".*\n`).ReplaceAllString(text, "")
	if less == text {
		p.t.Fatalf("no %s in the plan", name)
	}
	p.write("/site/plan.lua", less)
}

// TestCleanLeavesTheRestAlone: only the plan's storage domains and VMs leave the engine.
func TestCleanLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.dropVM("vm2")
	p.dropVM("vm4")
	text := p.read("/site/plan.lua")
	p.write("/site/plan.lua", regexp.MustCompile(`(?s)\n    \{ name = "nfs_ds2".*?\} \},\n`).ReplaceAllString(text, "\n"))
	if strings.Contains(p.read("/site/plan.lua"), "nfs_ds2") {
		t.Fatal(p.read("/site/plan.lua"))
	}
	p.cameBack()
	expect(t, p.clean("primary", nil), runner.ExitDone)
	view := p.lab.View().Sites["primary"]
	var left []string
	for _, vm := range view.VMs {
		left = append(left, vm.Name+" "+vm.Status)
	}
	for _, domain := range view.StorageDomains {
		left = append(left, domain.Name+" "+domain.Status)
	}
	slices.Sort(left)
	if got := strings.Join(left, ", "); got != "nfs_ds2 active, vm2 up, vm4 down" {
		t.Errorf("left: %s", got)
	}
	for _, disk := range p.lab.View().Disks { // the content stays, also that of what left
		if disk.Site == "primary" && disk.Counter == 0 {
			t.Errorf("disk %s is empty", disk.ID)
		}
	}
}

// TestCleanOfStorageThatIsGone: what nobody can write leaves the books only; nothing is detached or formatted.
func TestCleanOfStorageThatIsGone(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.replicate()
	p.wait(20 * time.Minute)
	n := len(p.changes())
	expect(t, p.clean("primary", nil), runner.ExitDone)
	p.nothingOfThePlan("primary")
	for _, entry := range p.changes()[n:] {
		if !strings.HasPrefix(entry.Effect, "destroy storage domain") && !strings.HasPrefix(entry.Effect, "update vm") {
			t.Errorf("%s: %s", entry.Path, entry.Effect)
		}
	}
	if len(p.lab.View().Violations) > 0 {
		t.Errorf("violations: %+v", p.lab.View().Violations)
	}
}

// TestCleanIsPatient: the engine is busy, or falls back, and the clean comes to its end all the same.
func TestCleanIsPatient(t *testing.T) {
	t.Parallel()
	for _, fault := range []lab.Fault{
		{Kind: lab.FaultDeactivate, Site: "primary", Times: 3},
		{Site: "primary", Method: "POST", Path: "/deactivate$", Status: 409, Reason: "Operation Failed", Detail: "[Cannot deactivate Storage while there are running tasks on this Storage.\n-Please wait until tasks will finish and try again.]", Times: 4},
		{Site: "primary", Method: "DELETE", Path: "/datacenters/.*/storagedomains/", Status: 409, Reason: "Operation Failed", Detail: "[Cannot detach Storage while there are running tasks on this Storage.\n-Please wait until tasks will finish and try again.]", Times: 4},
		{Site: "primary", Method: "DELETE", Path: "/api/storagedomains/", Reset: "after", Times: 1},
		{Site: "primary", Method: "POST", Path: "/deactivate$", Restart: true, Times: 1},
	} {
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
		p.cameBack()
		p.fail(fault)
		r := p.clean("primary", nil)
		if r.Exit == runner.ExitStopped && fault.Restart { // what was cut is seen when the engine is back
			p.wait(10 * time.Minute)
			r = p.resume(r.Run, nil)
		}
		expect(t, r, runner.ExitDone)
		p.nothingOfThePlan("primary")
		for _, wrong := range p.wrongs() {
			t.Errorf("%+v: %s", fault, wrong)
		}
	}
}

// diskless takes the disks of the second VM away; it would boot from the network, if from anything.
func diskless(w *lab.World) { w.Sites[0].VMs[1].Disks, w.Sites[0].VMs[1].Running = nil, false }

// TestDisklessVM: a VM without disks leaves no engine with a storage domain. It goes when the other site has it.
func TestDisklessVM(t *testing.T) {
	t.Parallel()
	p := disklessPair(t, func(w *lab.World) { w.Sites[0].VMs[1].TemplateID = "00000000-0000-0000-0000-000000000000" })
	before := p.described("primary")
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitDone)
	p.nothingOfThePlan("primary")
	p.replicate()
	expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
	p.sameVMs("primary", before)
	p.nothingOfThePlan("secondary")
}

// TestDisklessVMOfATemplate: an engine refuses to register a VM that has no disk where its template has its disks (ovirt-engine
// ImportVmCommand.checkTemplateInStorageDomain). Its configuration stays where it was.
func TestDisklessVMOfATemplate(t *testing.T) {
	t.Parallel()
	p := disklessPair(t, func(*lab.World) {})
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitPartial)
	if !strings.Contains(r.Error.Message, "VM vm2 is failed") || !strings.Contains(r.Error.Message, "secondary does not have VM vm2, whose configuration would be lost") {
		t.Errorf("error %+v", r.Error)
	}
	if _, there := p.described("primary")["vm2"]; !there {
		t.Error("no engine has vm2 any more")
	}
}

// disklessPair is a pair whose second VM has no disks and is in the plan.
func disklessPair(t *testing.T, change func(*lab.World)) *pair {
	t.Helper()
	p := newPairOf(t, 3, lab.TwoSitesOptions{}, func(w *lab.World) {
		diskless(w)
		change(w)
	})
	p.edit(`  vms = {`, `  vms = {
    { name = "vm2", id = "`+p.vmID("vm2")+`", rank = 1 },`)
	expect(t, p.snapshot(), runner.ExitDone)
	return p
}

// TestVMsOfATemplate: a VM that is not in the plan and has no disk on its storage domains would vanish with the template that it is
// based on. The storage domain stays where it is.
func TestVMsOfATemplate(t *testing.T) {
	t.Parallel()
	p := newPairOf(t, 3, lab.TwoSitesOptions{}, diskless)
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitPartial)
	if !strings.Contains(r.Error.Message, "what is not in the plan would leave the engine with it: vm2") {
		t.Errorf("error %+v", r.Error)
	}
	p.vmID("vm2") // is somewhere
	p.refusesToClean("primary", "vms-outside-plan", "vm2")
}
