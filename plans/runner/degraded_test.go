package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// hostOf returns the name of the host that a VM runs on at the primary, and the VMs there.
func (p *pair) hostOf(vm string) (host string, vms []string) {
	p.t.Helper()
	view := p.lab.View().Sites["primary"]
	for _, v := range view.VMs {
		if v.Name == vm {
			host = v.Host
		}
	}
	for _, v := range view.VMs {
		if v.Host == host {
			vms = append(vms, v.Name)
		}
	}
	return host, vms
}

// dark takes a host away in the way of a fault, and waits until the engine has given it up.
func (p *pair) dark(kind, host string) {
	p.t.Helper()
	if err := p.lab.Fail(lab.Fault{Kind: kind, Subject: host}); err != nil {
		p.t.Fatal(err)
	}
	p.wait(3 * time.Minute)
}

func quarantined(o *runner.Options) { o.Quarantine = true }

// TestHostWithoutPower moves everything although a host is gone: its power management says so, and its VMs are taken for down, with
// high availability off, so that the engine does not start them elsewhere.
func TestHostWithoutPower(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{VMs: 6, Domains: 3, PowerManagement: true})
	host, vms := p.hostOf("vm1")
	if len(vms) == 6 {
		t.Fatal("all VMs are on one host")
	}
	p.dark(lab.FaultHostDown, host)
	before := p.counters("primary")
	refused := p.planned(plans.ActionFailover, nil, nil)
	expect(t, refused, runner.ExitRefused)
	if !slices.ContainsFunc(refused.Findings, func(f plans.Finding) bool { return f.Code == "vm-state" && strings.Contains(f.Hint, "--quarantine") }) || len(p.changes()) > 0 {
		t.Errorf("findings %+v, %d changes", refused.Findings, len(p.changes()))
	}
	expect(t, p.planned(plans.ActionFailover, nil, quarantined), runner.ExitDone)
	p.sound("secondary", before)
}

// TestIsolatedHost leaves what cannot be stopped where it is, with all that shares its storage domains, and moves the rest.
func TestIsolatedHost(t *testing.T) {
	t.Parallel()
	for _, vm := range []string{"vm1", "vm2"} { // vm1 runs on the SPM, with which its data center is lost
		testIsolatedHost(t, vm, lab.TwoSitesOptions{VMs: 4, Domains: 4, Hosts: 4, PowerManagement: true})
	}
}

func testIsolatedHost(t *testing.T, vm string, size lab.TwoSitesOptions) {
	p := newPair(t, 4, size)
	p.groups()
	host, unseen := p.hostOf(vm)
	p.dark(lab.FaultHostIsolated, host)
	stay := map[string]bool{}
	for _, vm := range p.lab.View().Sites["primary"].VMs {
		if slices.Contains(unseen, vm.Name) {
			stay[p.domainOf(vm.Name)] = true
		}
	}
	r := p.planned(plans.ActionFailover, nil, quarantined)
	if vm == "vm1" {
		if r.Error == nil || !strings.Contains(r.Error.Message, "nothing can be moved") {
			t.Errorf("%+v", r.Error)
		}
		for _, v := range p.lab.View().Sites["primary"].VMs {
			if !slices.Contains(unseen, v.Name) && v.Status != "up" {
				t.Errorf("%s is %s", v.Name, v.Status)
			}
		}
		return
	}
	expect(t, r, runner.ExitPartial)
	if len(stay) == 0 || len(stay) == size.Domains {
		t.Fatalf("%d storage domains stay", len(stay))
	}
	for _, result := range r.VMs {
		want := "up"
		if stay[p.domainOf(result.Name)] {
			want = "quarantined"
		}
		if result.Status != want {
			t.Errorf("%s is %s, want %s: %s", result.Name, result.Status, want, result.Error)
		}
	}
	if v := p.lab.View().Violations; len(v) > 0 {
		t.Errorf("violations %+v", v)
	}
}

// domainOf names the storage domain of a VM of the two-site world.
func (p *pair) domainOf(vm string) string {
	n := int(vm[2]-'1') % max(p.size.Domains, 1)
	return lab.DomainName(n)
}

// TestHalfDeadSourceIsNotOverruled: an engine that answers and shows VMs as unknown is no dead site, whatever anybody confirms.
func TestHalfDeadSourceIsNotOverruled(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{PowerManagement: true})
	for _, host := range []string{"host1a", "host1b"} {
		p.dark(lab.FaultHostIsolated, host)
	}
	r := p.failover(nil)
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "no-evidence" || len(p.changes()) > 0 {
		t.Errorf("%+v, %d changes", r.Error, len(p.changes()))
	}
}

// TestConfirmedKilledHealed: a confirmation dies with its attempt. A source that came back meanwhile is not overruled by the old one.
func TestConfirmedKilledHealed(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	died := false
	p.failover(func(o *runner.Options) {
		p.whenever(func(e engine.Event) {
			if e.Text == "stage: boot" || e.Kind == "stage" && e.Text == "boot" {
				died = true
				p.world.Group("drrun").Kill()
			}
		})(o)
	})
	if !died {
		t.Fatal("the run was not killed")
	}
	p.heal()
	before := p.started()
	var id string
	p.do(func(env engine.Env) {
		runs, err := engine.ListRuns(env, "/state")
		if err != nil || len(runs) != 1 {
			t.Error(runs, err)
			return
		}
		id = runs[0].ID
	})
	for _, change := range []func(*runner.Options){nil, func(o *runner.Options) { o.ConfirmSourceDown = "" }} {
		r := p.resume(id, change)
		if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != "no-evidence" {
			t.Errorf("exit %d, %+v", r.Exit, r.Error)
		}
	}
	if started := p.started(); len(started) != len(before) {
		t.Errorf("started %v, before %v", started, before)
	}
}
