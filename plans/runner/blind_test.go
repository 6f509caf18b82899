package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestBlindHostAfterAnAttach: what an earlier attempt has attached stays where a host turns out blind to the rest, which is taken out again.
func TestBlindHostAfterAnAttach(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 4, Domains: 3})
	p.fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/datacenters/[^/]*/storagedomains$", Status: 400, Reason: "Operation Failed", Times: 2})
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitStopped)
	host := p.lab.View().Sites["secondary"].Hosts[0].Name
	for _, name := range p.domains() {
		p.fail(lab.Fault{Kind: lab.FaultHostBlind, Subject: host, Export: "192.168.122.210:/" + name + "_replica"})
	}
	attached := 0
	for _, domain := range p.lab.View().Sites["secondary"].StorageDomains {
		if strings.HasPrefix(domain.Name, "nfs_ds") && domain.Status != "unattached" {
			attached++
		}
	}
	if attached != 1 {
		t.Fatalf("%d storage domains are attached", attached)
	}
	r := p.resume(p.runs()[0].ID, func(o *runner.Options) { p.byAdmin(nil, o) })
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "hosts-blind" || strings.Contains(r.Error.Message, "take storage domain") {
		t.Errorf("error %+v", r.Error)
	}
	left := 0
	for _, domain := range p.lab.View().Sites["secondary"].StorageDomains {
		if strings.HasPrefix(domain.Name, "nfs_ds") {
			left++
		}
	}
	if left != attached {
		t.Errorf("%d of the plan's storage domains are at the secondary, %d were attached", left, attached)
	}
}
