package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// stops returns what was asked to stop at a site, in order: "shutdown vm1", "stop vm2".
func (p *pair) stops(site string) (stops []string) {
	for _, entry := range p.changes() {
		if entry.Site == site && (strings.HasPrefix(entry.Effect, "shutdown ") || strings.HasPrefix(entry.Effect, "stop ")) {
			stops = append(stops, entry.Effect)
		}
	}
	return stops
}

// TestOrderOfShutdown: the highest rank goes first, inside a rank who comes after others goes before them, and each is seen down before
// the next is asked.
func TestOrderOfShutdown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 5, Domains: 2})
	for name, rest := range map[string]string{
		"vm1": `rank = 0`, "vm2": `rank = 1, after = { "vm4" }`, "vm3": `rank = 2`, "vm4": `rank = 1, after = { "vm5" }`, "vm5": `rank = 1`,
	} {
		id := p.vmID(name)
		p.dropVM(name)
		p.edit("  vms = {\n", "  vms = {\n    { name = \""+name+"\", id = \""+id+"\", "+rest+" },\n")
	}
	p.quiet()
	var down []string // when a VM was asked, what was not up any more
	p.afterEffect = func(int) {
		changes := p.changes()
		if len(changes) == 0 || !strings.HasPrefix(changes[len(changes)-1].Effect, "shutdown ") {
			return
		}
		var names []string
		for _, vm := range p.lab.View().Sites["primary"].VMs {
			if vm.Status == "down" {
				names = append(names, vm.Name)
			}
		}
		down = append(down, strings.Join(names, " "))
	}
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	if got := strings.Join(p.stops("primary"), ", "); got != "shutdown vm3, shutdown vm2, shutdown vm4, shutdown vm5, shutdown vm1" {
		t.Errorf("stopped: %s", got)
	}
	for i, names := range down {
		if n := len(strings.Fields(names)); n != i {
			t.Errorf("%d of the VMs asked before are down when the next is asked, want %d: %s", n, i, names)
		}
	}
}

// TestGuestIgnoresItsShutdown: it is not switched off unless the plan says so; the run stops, names it, and can be undone.
func TestGuestIgnoresItsShutdown(t *testing.T) {
	t.Parallel()
	for _, force := range []bool{false, true} {
		p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
		p.marked()
		if force {
			p.edit(`{ name = "vm3",`, `{ name = "vm3", force_stop = true, grace = "2m",`)
		}
		world, before := p.fingerprint(), p.described("primary")
		p.fail(lab.Fault{Kind: lab.FaultShutdown, Site: "primary", Subject: "vm3", Times: -1})
		began := p.lab.View().Time
		r := p.planned(plans.ActionFailover, nil, nil)
		if force {
			expect(t, r, runner.ExitDone)
			if !strings.Contains(strings.Join(r.Warnings, "\n"), "VM vm3 did not shut down on primary within 2m0s and was switched off") {
				t.Errorf("warnings %q", r.Warnings)
			}
			if got := strings.Join(p.stops("primary"), ", "); strings.Count(got, "stop vm3") != 1 || strings.Count(got, "shutdown vm3") != 1 {
				t.Errorf("stopped: %s", got)
			}
			continue
		}
		expect(t, r, runner.ExitStopped)
		if !strings.Contains(r.Error.Message, "vm3") || r.Error.Code != string(ovirt.CodeTimeout) && !strings.Contains(r.Error.Message, "ignore") {
			t.Errorf("error %+v", r.Error)
		}
		if !strings.Contains(r.Error.Hint, "force_stop") || !strings.Contains(r.Error.Hint, "drrun rollback "+r.Run) {
			t.Errorf("hint %q", r.Error.Hint)
		}
		if took := p.lab.View().Time.Sub(began); took > 15*time.Minute {
			t.Errorf("it took %s", took)
		}
		if got := strings.Join(p.stops("primary"), ", "); strings.Contains(got, "stop ") || strings.Count(got, "shutdown vm3") != 1 {
			t.Errorf("stopped: %s", got)
		}
		expect(t, p.rollback(r.Run, nil), runner.ExitDone)
		p.undone(world, before)
	}
}

// TestHAThatComesBack: an instance type switches HA on again with each change. It is read back, and nothing is shut down.
func TestHAThatComesBack(t *testing.T) {
	t.Parallel()
	const instanceType = "9a3c1f0e-2f6c-4f57-8f7e-2b1c55aa01d4"
	p := newPairOf(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(w *lab.World) {
		w.Sites[0].InstanceTypes = append(w.Sites[0].InstanceTypes, lab.InstanceType{ID: instanceType, Name: "always", HA: true})
		w.Sites[0].VMs[0].InstanceTypeID = instanceType
	})
	before := p.described("primary")
	r := p.planned(plans.ActionFailover, nil, nil)
	if r.Exit != runner.ExitStopped || !strings.Contains(r.Error.Message, "vm1") || !strings.Contains(r.Error.Message, "HA") {
		t.Errorf("exit %d %+v", r.Exit, r.Error)
	}
	if stops := p.stops("primary"); len(stops) > 0 {
		t.Errorf("stopped: %v", stops)
	}
	expect(t, p.rollback(r.Run, nil), runner.ExitDone)
	p.sameVMs("primary", before)
}

// TestStartedBehindItsShutdown: somebody starts a VM again after the run has seen it down. Its storage is not released under it.
func TestStartedBehindItsShutdown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 3, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.edit("return plan\n", `plan:on("after_stop", function(ctx, vm) ctx:log("down: " .. vm.name) end)
return plan
`)
	started := false
	p.afterEffect = func(int) {
		changes := p.changes()
		if n := len(changes); !started && n > 0 && changes[n-1].Effect == "shutdown vm1" {
			started = true
			id := p.vmID("vm4")
			p.world.Daemon("somebody").Go(func() {
				_, _ = p.world.Clock().Wait(context.Background(), 5*time.Second, nil)
				p.call("primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword, "POST", "/vms/"+id+"/start", "<action/>")
			})
		}
	}
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitStopped)
	if !strings.Contains(r.Error.Message, "vm4") {
		t.Errorf("error %+v", r.Error)
	}
	for _, domain := range p.lab.View().Sites["primary"].StorageDomains {
		if domain.Status != "active" {
			t.Errorf("%s is %s", domain.Name, domain.Status)
		}
	}
}
