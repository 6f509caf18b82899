package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

func (p *pair) leaveAsIs(id string) *runner.Result {
	p.t.Helper()
	var result *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, answers{})
		o.LeaveAsIs = true
		result = runner.Abort(context.Background(), context.Background(), o, id)
	})
	return result
}

// TestAbortSaysWhatItLeaves: a run that can be undone is not closed by the way, what it leaves at the source is named, and what it took
// from the VMs comes back with the next planned move.
func TestAbortSaysWhatItLeaves(t *testing.T) {
	t.Parallel()
	ready := func(t *testing.T) (p *pair, before map[string]string) {
		p = newPair(t, 1, lab.TwoSitesOptions{VMs: 4, Domains: 2})
		p.marked()
		p.quiet()
		p.wait(forLongEnough)
		return p, p.described("primary")
	}
	refused := func(t *testing.T, p *pair, words ...string) string {
		t.Helper()
		run, n, status := p.runs()[0].ID, len(p.allChanges()), p.runs()[0].Status
		r := p.abort(run)
		expect(t, r, runner.ExitRefused)
		if r.Error.Code != "can-be-undone" || !strings.Contains(r.Error.Hint, "drrun rollback "+run) || !strings.Contains(r.Error.Hint, "--leave-as-is") {
			t.Errorf("error %+v", r.Error)
		}
		for _, word := range words {
			if !strings.Contains(r.Error.Message, word) {
				t.Errorf("%q is not said: %s", word, r.Error.Message)
			}
		}
		if now := p.runs()[0].Status; len(p.allChanges()) != n || now != status {
			t.Errorf("it changed something; the run is %q and was %q", now, status)
		}
		return run
	}
	t.Run("high availability is off", func(t *testing.T) {
		t.Parallel()
		p, before := ready(t)
		p.arm(crashPoint{effect: 6})
		p.planned(plans.ActionFailover, nil, nil)
		run := refused(t, p, "on primary it leaves", "high availability switched off: ", "delete protection lifted: ")
		r := p.leaveAsIs(run)
		expect(t, r, runner.ExitDone)
		if said := strings.Join(r.Verdicts, "\n"); !strings.Contains(said, "high availability switched off: ") {
			t.Errorf("said: %s", said)
		}
		p.wait(time.Hour)
		expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
		p.replicate()
		p.wait(10 * time.Minute)
		expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
		p.sameVMs("primary", before)
	})
	t.Run("the storage is released", func(t *testing.T) {
		t.Parallel()
		p, before := ready(t)
		p.heldOff()
		run := refused(t, p, "VMs shut down: vm1", "storage domains in maintenance: nfs_ds", "comment changed: ")
		expect(t, p.rollback(run, nil), runner.ExitDone)
		p.sameVMs("primary", before)
	})
	t.Run("behind the promotion", func(t *testing.T) {
		t.Parallel()
		p, _ := ready(t)
		p.fail(lab.Fault{Site: "secondary", Path: "/hosts/.*/refresh$", Status: 409, Reason: "Operation Failed", Times: -1})
		r := p.abort(p.planned(plans.ActionFailover, nil, nil).Run)
		expect(t, r, runner.ExitDone)
		if said := strings.Join(r.Verdicts, "\n"); !strings.Contains(said, "on primary it leaves VMs shut down: vm1") {
			t.Errorf("said: %s", said)
		}
	})
	t.Run("HA that somebody switched off since stays off", func(t *testing.T) {
		t.Parallel()
		p, before := ready(t)
		expect(t, p.rollback(p.heldOff().Run, nil), runner.ExitDone)
		p.sameVMs("primary", before)
		p.noHA("primary", "vm1")
		want := p.described("primary")["vm1"]
		expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
		p.replicate()
		p.wait(10 * time.Minute)
		expect(t, p.planned(plans.ActionFailback, nil, nil), runner.ExitDone)
		if now := p.described("primary")["vm1"]; now != want {
			t.Errorf("%s, want %s", now, want)
		}
	})
}

// noHA switches the high availability of a VM off by hand.
func (p *pair) noHA(site, vm string) {
	p.t.Helper()
	p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
		_, _, err := s.SetHA(ctx, p.vmID(vm), ovirt.HA{})
		return err
	})
}
