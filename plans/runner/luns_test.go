package runner_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// lunSet returns the ids of the LUNs of a set of a world.
func lunSet(w *lab.World, name string) (ids []string) {
	for _, set := range w.LUNSets {
		if set.Name == name {
			for _, lun := range set.LUNs {
				ids = append(ids, lun.ID)
			}
		}
	}
	return ids
}

// nothingImported fails where the target's engine has a storage domain of the plan.
func (p *pair) nothingImported() {
	p.t.Helper()
	if domains, vms, _ := p.left(); domains+vms != 0 {
		p.t.Errorf("left: %d storage domains, %d VMs", domains, vms)
	}
}

// TestLUNsOfThePlan: the LUNs that generate found of the replica stand in the plan, and an import of others is no import.
func TestLUNsOfThePlan(t *testing.T) {
	t.Parallel()
	var replica, original []string
	world := func(w *lab.World) { replica, original = lunSet(w, "nfs_ds_replica"), lunSet(w, "nfs_ds") }
	p := newPairOf(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageFCP}, world)
	text := p.read("/site/plan.lua")
	for _, id := range slices.Concat(replica, original) {
		if !strings.Contains(text, id) {
			t.Errorf("the plan has no LUN %s:\n%s", id, text)
		}
	}
	slices.Sort(replica)
	p.lose()
	p.edit(replica[1], "3600000000000000000000000000nobody")
	r := p.failover(nil)
	if r.Exit != runner.ExitRefused || r.Error.Code != "luns-missing" || !strings.Contains(r.Error.Message, "3600000000000000000000000000nobody") {
		t.Fatalf("exit %d, %+v", r.Exit, r.Error)
	}
	p.nothingImported()

	// Of two LUNs the plan names one: the engine imports both, and the entry is taken out again.
	p.edit(`, "3600000000000000000000000000nobody"`, "")
	r = p.failover(nil)
	if r.Exit == runner.ExitDone || r.Error.Code != "wrong-object" || !strings.Contains(r.Error.Message, "and the plan says LUN "+replica[0]) {
		t.Fatalf("exit %d, %+v", r.Exit, r.Error)
	}
	p.nothingImported()
}

// TestSourceLUNAtTheTarget: the array shows the originals to a host of the target too. Nothing is imported, by the check or, where that
// could not look, by the run.
func TestSourceLUNAtTheTarget(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{plans.StorageFCP, plans.StorageISCSI} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var original []string
			var target lab.Target
			p := newPairOf(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: kind}, func(w *lab.World) {
				for i, set := range w.LUNSets {
					if set.Name == "nfs_ds" {
						w.LUNSets[i].Hosts = []string{"host1a", "host1b", "host2b"}
					}
				}
				original = lunSet(w, "nfs_ds")
				for _, one := range w.Targets {
					if one.Site == "primary" {
						target = one
					}
				}
			})
			if kind == plans.StorageISCSI { // somebody has logged the host in at the array of the primary
				p.logIn("secondary", "host2b", target)
			}
			r := p.planned(plans.ActionFailover, nil, nil)
			if r.Exit != runner.ExitRefused || r.Error.Code != "check" {
				t.Fatalf("exit %d, %+v", r.Exit, r.Error)
			}
			if i := slices.IndexFunc(r.Findings, func(f plans.Finding) bool { return f.Code == "source-lun-visible" }); i < 0 || !strings.Contains(r.Findings[i].Message, "host2b") || !strings.Contains(r.Findings[i].Message, original[0]) {
				t.Errorf("findings %+v", r.Findings)
			}
			p.nothingImported()

			p.fail(lab.Fault{Site: "secondary", Method: "GET", Path: "/hosts/[^/]+/storage$", Times: 2, Status: 400, Reason: "Operation Failed", Detail: "Cannot fetch storage devices"})
			r = p.planned(plans.ActionFailover, nil, nil)
			if r.Exit != runner.ExitStopped || r.Error.Code != "source-lun-visible" || !strings.Contains(r.Error.Message, "host2b") {
				t.Fatalf("exit %d, %+v", r.Exit, r.Error)
			}
			p.nothingImported()
		})
	}
}

// logIn lets a host log in at the first portal of a target.
func (p *pair) logIn(site, host string, target lab.Target) {
	p.t.Helper()
	address, port, _ := strings.Cut(target.Portals[0], ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		p.t.Fatal(err)
	}
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
		hosts, err := s.Hosts(ctx)
		for _, h := range hosts {
			if h.Name == host {
				err = s.LogInISCSI(ctx, h, ovirt.ISCSITarget{Address: address, Port: number, IQN: target.Name, Username: target.Username, Password: target.Password})
			}
		}
		return err
	})
}

// TestLUNsThatOneHostDoesNotSee: the domain is imported through a host that does, and the attach is kept away until all do, as for an export.
func TestLUNsThatOneHostDoesNotSee(t *testing.T) {
	t.Parallel()
	var replica []string
	p := newPairOf(t, 3, lab.TwoSitesOptions{VMs: 3, Kind: plans.StorageFCP}, func(w *lab.World) {
		replica = lunSet(w, "nfs_ds_replica")
		for i, set := range w.LUNSets {
			if set.Name == "nfs_ds_replica" {
				w.LUNSets[i].Hosts = []string{"host2b"}
			}
		}
	})
	// The host that generate has asked does not see the replica, so somebody has written down where it lies.
	p.edit(`secondary = { data_center = "Default" } },`, `secondary = { data_center = "Default", luns = { "`+replica[0]+`", "`+replica[1]+`" } } },`)
	p.lose()
	r := p.failover(nil)
	if r.Exit != runner.ExitRefused || r.Error.Code != "hosts-blind" || !strings.Contains(r.Error.Message, "host2a (nfs_ds)") {
		t.Fatalf("exit %d, %+v", r.Exit, r.Error)
	}
	if !warned(r, "host2a", "does not see LUN") {
		t.Errorf("warnings %q", r.Warnings)
	}
	p.nothingImported()
}
