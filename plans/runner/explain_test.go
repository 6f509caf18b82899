package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/explain"
	"drrun/plans/runner"
)

// told is what can be told of a plan before a run: the order, and the explanation of each VM by name.
type told struct {
	order *plans.BootOrder
	vms   map[string]explain.Explanation
}

// tell reads the plan of the pair as drrun explain and drrun graph do, without an engine.
func (p *pair) tell(action string) told {
	p.t.Helper()
	requests := len(p.lab.Log())
	var out told
	p.do(func(env engine.Env) {
		reading, result := runner.Read(context.Background(), context.Background(), p.options(env, answers{}))
		if reading == nil {
			p.t.Errorf("%+v", result.Error)
			return
		}
		survey, found := reading.Survey(action)
		out = told{order: survey.BootOrder(), vms: map[string]explain.Explanation{}}
		for _, vm := range out.order.VMs {
			out.vms[vm.Name] = explain.VM(explain.Input{Survey: survey, Order: out.order, Findings: found}, vm)
		}
	})
	if out.order == nil || len(p.lab.Log()) != requests {
		p.t.Fatalf("an engine was asked, or nothing is told")
	}
	return out
}

// agrees compares what was told of a run with what the lab saw of it. Quarantined VMs are those that stayed where they were.
func (p *pair) agrees(was told, target string, r *runner.Result, bootAt time.Time) {
	p.t.Helper()
	there := map[string]lab.VMView{}
	for _, vm := range p.lab.View().Sites[target].VMs {
		there[vm.Name] = vm
	}
	compared := 0
	for _, vm := range was.order.VMs {
		at := slices.IndexFunc(r.VMs, func(o runner.ObjectResult) bool { return o.Name == vm.Name })
		if at < 0 {
			p.t.Errorf("the result has no VM %s", vm.Name)
			continue
		}
		if r.VMs[at].Status == "quarantined" {
			continue
		}
		fate, view, said := r.VMs[at], there[vm.Name], was.vms[vm.Name]
		compared++
		if said.Cluster != view.Cluster {
			p.t.Errorf("%s: told cluster %q, it is in %q", vm.Name, said.Cluster, view.Cluster)
		}
		for _, nic := range said.NICs {
			i := slices.IndexFunc(view.NICs, func(n lab.NICView) bool { return n.Name == nic.Name })
			if i < 0 || nic.To != "Default/"+view.NICs[i].Network+"/"+view.NICs[i].Profile || nic.MAC != view.NICs[i].MAC {
				p.t.Errorf("%s: told NIC %+v, it has %+v", vm.Name, nic, view.NICs)
			}
		}
		if len(said.NICs) != len(view.NICs) {
			p.t.Errorf("%s: told %d NICs, it has %d", vm.Name, len(said.NICs), len(view.NICs))
		}
		if started := fate.StartedAt != nil; started != (vm.Starts == plans.StartsYes) {
			p.t.Errorf("%s: told %s (%s), started %v", vm.Name, vm.Starts, vm.Why, started)
			continue
		}
		if vm.Starts != plans.StartsYes {
			continue
		}
		if after := fate.StartedAt.Sub(bootAt); after < vm.Begins {
			p.t.Errorf("%s: told to start %s after the boot began at the earliest, and started after %s", vm.Name, vm.Begins, after)
		}
		for _, other := range was.order.VMs {
			i := slices.IndexFunc(r.VMs, func(o runner.ObjectResult) bool { return o.Name == other.Name })
			before := r.VMs[i]
			if before.UpAt == nil || other.Rank > vm.Rank || other.Rank == vm.Rank && !slices.Contains(vm.Preceding, other) {
				continue
			}
			if fate.StartedAt.Before(before.UpAt.Add(other.Boot.Earliest())) {
				p.t.Errorf("%s started at %s, before %s of rank %d, up at %s, was done", vm.Name, fate.StartedAt, other.Name, other.Rank, before.UpAt)
			}
		}
	}
	if compared == 0 {
		p.t.Error("nothing was compared")
	}
}

// bootBegan is when the last run told of its stage boot.
func (p *pair) bootBegan() (at time.Time) {
	for _, event := range p.out {
		if event.Kind == "stage" && event.Text == "boot" {
			at = event.Time
		}
	}
	if at.IsZero() {
		p.t.Fatal("no boot began")
	}
	return at
}

// inOrder gives VMs of a plan ranks, what they come after, and other settings.
func (p *pair) inOrder() {
	p.t.Helper()
	text := p.read("/site/plan.lua")
	for name, rank := range map[string]string{"vm1": "0", "vm2": "0", "vm3": "1", "vm4": "1", "vm5": "1", "vm6": "3", "vm7": "3", "vm8": "0"} {
		text = withRank(p.t.(*testing.T), text, name, rank)
	}
	for name, more := range map[string]string{"vm2": `after = { "vm1" }`, "vm4": `after = { "vm3", "vm2" }`, "vm5": `after = { "vm4" }`, "vm7": `after = { "vm8" }`, "vm8": "start = false", "vm6": "required = true"} {
		text = strings.Replace(text, `{ name = "`+name+`"`, `{ `+more+`, name = "`+name+`"`, 1)
	}
	p.write("/site/plan.lua", text)
}

// TestExplanationsAgreeWithRuns tells what a run will do, and runs it: order, clusters, vNIC profiles and what stays down are as told.
func TestExplanationsAgreeWithRuns(t *testing.T) {
	t.Parallel()
	size := lab.TwoSitesOptions{VMs: 8, Domains: 2}
	for name, story := range map[string]func(t *testing.T){
		"as generated": func(t *testing.T) {
			p := newPair(t, 3, lab.TwoSitesOptions{})
			was := p.tell(plans.ActionFailover)
			p.lose()
			r := p.failover(nil)
			expect(t, r, runner.ExitDone)
			p.agrees(was, "secondary", r, p.bootBegan())
		},
		"ranks and after": func(t *testing.T) {
			p := newPair(t, 3, size)
			p.inOrder()
			was := p.tell(plans.ActionFailover)
			p.lose()
			r := p.failover(nil)
			expect(t, r, runner.ExitDone)
			p.agrees(was, "secondary", r, p.bootBegan())
			if last := was.vms["vm6"]; last.Earliest == 0 || last.Starts != plans.StartsYes {
				t.Errorf("%+v", last)
			}
		},
		"over and home": func(t *testing.T) {
			p := newPair(t, 3, size)
			p.inOrder()
			over := p.tell(plans.ActionFailover)
			r := p.planned(plans.ActionFailover, nil, nil)
			expect(t, r, runner.ExitDone)
			p.agrees(over, "secondary", r, p.bootBegan())
			p.stoppedAsTold(over, "primary")
			p.replicate()
			p.edit("start = false, ", "start = true, ")
			home := p.tell(plans.ActionFailback)
			r = p.planned(plans.ActionFailback, nil, nil)
			expect(t, r, runner.ExitDone)
			p.agrees(home, "primary", r, p.bootBegan())
		},
		"with quarantine": func(t *testing.T) {
			p := newPair(t, 4, lab.TwoSitesOptions{VMs: 8, Domains: 4, Hosts: 4, PowerManagement: true})
			p.groups()
			p.inOrder()
			host, unseen := p.hostOf("vm2")
			p.dark(lab.FaultHostIsolated, host)
			was := p.tell(plans.ActionFailover)
			r := p.planned(plans.ActionFailover, nil, quarantined)
			expect(t, r, runner.ExitPartial)
			if len(unseen) == 0 || len(unseen) == 8 {
				t.Fatalf("unseen are %v", unseen)
			}
			p.agrees(was, "secondary", r, p.bootBegan())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			story(t)
		})
	}
}

// stoppedAsTold compares the order of the shutdowns at a site with what was told.
func (p *pair) stoppedAsTold(was told, site string) {
	p.t.Helper()
	place := map[string]int{}
	for i, entry := range p.changes() {
		if name, stopped := strings.CutPrefix(entry.Effect, "shutdown "); stopped && entry.Site == site {
			place[name] = i + 1
		}
	}
	if len(place) < 3 {
		p.t.Fatalf("shut down: %v", place)
	}
	for _, vm := range was.order.VMs {
		for _, other := range was.order.VMs {
			first := vm.Rank > other.Rank || vm.Rank == other.Rank && vm.StopWave < other.StopWave
			if first && place[vm.Name] > 0 && place[other.Name] > 0 && place[vm.Name] > place[other.Name] {
				p.t.Errorf("%s (rank %d, wave %d) was shut down after %s (rank %d, wave %d)", vm.Name, vm.Rank, vm.StopWave, other.Name, other.Rank, other.StopWave)
			}
		}
	}
}
