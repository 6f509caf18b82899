package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// groups puts each storage domain of the plan into a consistency group of its own.
func (p *pair) groups() {
	p.t.Helper()
	for _, name := range p.domains() {
		p.edit(`name = "`+name+`"`, `name = "`+name+`", group = "`+name+`"`)
	}
}

// TestQuarantineKeepsGroupsWhole: what cannot be released keeps its whole consistency group at the source, so that nothing of it is
// demoted or promoted apart from the rest.
func TestQuarantineKeepsGroupsWhole(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{VMs: 4, Domains: 4, Hosts: 4, PowerManagement: true})
	host, unseen := p.hostOf("vm2")
	p.dark(lab.FaultHostIsolated, host)
	r := p.planned(plans.ActionFailover, nil, quarantined)
	if r.Error == nil || !strings.Contains(r.Error.Message, "nothing can be moved") {
		t.Errorf("exit %d %+v", r.Exit, r.Error)
	}
	for _, domain := range r.StorageDomains {
		if domain.Status != "quarantined" || domain.Name != "nfs_ds2" && !strings.Contains(domain.Error, "group all") {
			t.Errorf("%s is %s: %s", domain.Name, domain.Status, domain.Error)
		}
	}
	for _, vm := range p.lab.View().Sites["primary"].VMs {
		if !slices.Contains(unseen, vm.Name) && vm.Status != "up" {
			t.Errorf("%s is %s", vm.Name, vm.Status)
		}
	}
}

// TestRestAfterQuarantine moves what was left behind, once its host is healed: by a resume, by a new planned failover, or home again by
// a failback of what had gone.
func TestRestAfterQuarantine(t *testing.T) {
	t.Parallel()
	for name, goOn := range map[string]func(p *pair, run string) (r *runner.Result, site string){
		"resume": func(p *pair, run string) (*runner.Result, string) {
			return p.resume(run, func(o *runner.Options) { p.byAdmin(nil, o) }), "secondary"
		},
		"new planned failover": func(p *pair, _ string) (*runner.Result, string) {
			return p.planned(plans.ActionFailover, nil, nil), "secondary"
		},
		"failback": func(p *pair, _ string) (*runner.Result, string) {
			for _, name := range p.domains() {
				if name != lab.DomainName(1) {
					if err := p.lab.Replicate(name); err != nil {
						p.t.Fatal(err)
					}
				}
			}
			p.wait(10 * time.Minute)
			return p.planned(plans.ActionFailback, nil, nil), "primary"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 4, lab.TwoSitesOptions{VMs: 4, Domains: 4, Hosts: 4, PowerManagement: true})
			p.groups()
			before := p.described("primary")
			host, _ := p.hostOf("vm2")
			p.dark(lab.FaultHostIsolated, host)
			first := p.planned(plans.ActionFailover, nil, quarantined)
			expect(t, first, runner.ExitPartial)
			p.heal()
			p.wait(30 * time.Minute)
			p.story = len(p.lab.View().Violations)
			written := p.counters("secondary")
			for disk, counter := range p.counters("primary") {
				written[disk] = max(counter, written[disk])
			}
			r, site := goOn(p, first.Run)
			expect(t, r, runner.ExitDone)
			for _, f := range r.Findings {
				if f.Code == "domain-stale" || f.Code == "vm-stale" {
					t.Errorf("%s %s", f.Code, f.Message)
				}
			}
			p.sound(site, written)
			if site == "primary" {
				p.sameVMs(site, before)
			}
			p.nothingOfThePlan(map[string]string{"primary": "secondary", "secondary": "primary"}[site])
		})
	}
}
