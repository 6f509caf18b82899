package runner_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// The tests of this file each see one safety behaviour from end to end: they are among those that `make sabotage` turns red.

// before fails unless each request whose path ends with first, at a site, comes before the first one that ends with then.
func (p *pair) before(site, first, then string) {
	p.t.Helper()
	var last, next int
	for i, entry := range p.lab.Log() {
		switch {
		case entry.Site != site || entry.Effect == "":
		case strings.HasSuffix(entry.Path, first):
			last = i + 1
		case strings.HasSuffix(entry.Path, then) && next == 0:
			next = i + 1
		}
	}
	if last == 0 || next == 0 || last > next {
		p.t.Errorf("at %s the last %s is request %d, the first %s is request %d", site, first, last, then, next)
	}
}

// effects counts the requests to a site whose path ends with a text and that had an effect.
func (p *pair) effectsOf(site, method, end string) (count int) {
	for _, entry := range p.lab.Log() {
		if entry.Site == site && entry.Method == method && entry.Effect != "" && strings.HasSuffix(entry.Path, end) {
			count++
		}
	}
	return count
}

// sawShutdown tells, when a request to shut a VM down leaves, whether its HA is still on.
type sawShutdown struct {
	wire
	on *[]string
}

func (s sawShutdown) RoundTrip(request *http.Request) (*http.Response, error) {
	if id, ok := strings.CutSuffix(request.URL.Path, "/shutdown"); ok {
		for _, vm := range s.pair.lab.View().Sites["primary"].VMs {
			if strings.HasSuffix(id, vm.ID) && vm.HA {
				*s.on = append(*s.on, vm.Name)
			}
		}
	}
	return s.wire.RoundTrip(request)
}

func TestHAIsOffBeforeAShutdown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	var on []string
	r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) {
		o.Transport = func(string) http.RoundTripper { return sawShutdown{wire{p}, &on} }
	})
	if expect(t, r, runner.ExitDone); len(on) > 0 {
		t.Errorf("shut down with high availability on: %v", on)
	}
	if p.effectsOf("primary", http.MethodPost, "/shutdown") != 3 {
		t.Error("not every VM was shut down")
	}
}

// TestShutdownIsAskedForOnce has a guest that comes back up from its shutdown: it is not asked again, because a second request is a
// power-off.
func TestShutdownIsAskedForOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.fail(lab.Fault{Kind: lab.FaultShutdown, Site: "primary", Subject: "vm1"})
	r := p.planned(plans.ActionFailover, nil, nil)
	if r.Exit == runner.ExitDone {
		t.Error("it went on")
	}
	if n := p.effectsOf("primary", http.MethodPost, "/shutdown"); n != 1 {
		t.Errorf("asked %d times to shut down", n)
	}
	if vms := p.lab.View().Sites["primary"].VMs; len(vms) != 1 || !vms[0].Running {
		t.Errorf("at the primary: %+v", vms)
	}
}

func TestStoresAreWrittenAfterTheLastStop(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	expect(t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
	p.before("primary", "/shutdown", "/updateovfstore")
	p.before("primary", "/updateovfstore", "/deactivate")
	if n := p.effectsOf("primary", http.MethodPost, "/updateovfstore"); n != 2 {
		t.Errorf("%d OVF stores were written", n)
	}
}

// TestIgnoredIsNotWritten has a storage domain without VMs: the engine says that it wrote nothing (1052), and so does the result.
func TestIgnoredIsNotWritten(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1, Domains: 2})
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitDone)
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "nfs_ds2") && strings.Contains(w, "199") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

func TestOldCopyIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lag   time.Duration
		admin *storageAdmin
	}{
		{"by its time", 5 * time.Second, &storageAdmin{asOf: "2026-11-20T14:00:00Z"}},
		{"by its OVF store, whatever is answered", 10 * time.Minute, &storageAdmin{}},
	} {
		p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1, Lag: c.lag})
		r := p.planned(plans.ActionFailover, c.admin, nil)
		if r.Exit != runner.ExitStopped || r.Error.Code != "stale-copy" && r.Error.Code != "bad-answer" {
			t.Errorf("%s: exit %d, %+v", c.name, r.Exit, r.Error)
		}
		if n := p.effectsOf("secondary", http.MethodPost, "/start"); n > 0 {
			t.Errorf("%s: %d VMs were started", c.name, n)
		}
	}
}

// TestSourceKeepsWhatTheTargetLacks lets the storage leave the source before the target has it.
func TestSourceKeepsWhatTheTargetLacks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1, Domains: 2}) // nfs_ds2 holds no VM, so that nothing else keeps it
	p.edit("return plan\n", `function plan.failover(ctx)
  local steps = require "dr.steps"
  steps.stop_source(ctx)
  steps.release_storage(ctx)
  ctx.source:storage_domain("nfs_ds2"):leave()
end
return plan
`)
	r := p.planned(plans.ActionFailover, nil, nil)
	if r.Exit == runner.ExitDone || len(p.lab.View().Sites["primary"].StorageDomains) != 2 {
		t.Errorf("exit %d, at the primary: %+v", r.Exit, p.lab.View().Sites["primary"].StorageDomains)
	}
}

// cleaned runs the action clean at the primary and says what left there.
func (p *pair) cleaned() (*runner.Result, []lab.DomainView) {
	p.t.Helper()
	r := p.failover(func(o *runner.Options) { o.Action, o.Site, o.ConfirmSourceDown = plans.ActionClean, "primary", "" })
	return r, p.lab.View().Sites["primary"].StorageDomains
}

// TestCleanNeedsABoot cleans a site whose engine was away while its hosts ran on.
func TestCleanNeedsABoot(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	if err := p.lab.Outage("primary"); err != nil {
		t.Fatal(err)
	}
	if err := p.lab.Promote("nfs_ds"); err != nil {
		t.Fatal(err)
	}
	expect(t, p.failover(nil), runner.ExitDone) // confirmed by somebody who did not look
	p.heal()
	r, left := p.cleaned()
	if r.Exit == runner.ExitDone || len(left) != 1 || r.Error.Code != "not-stale" {
		t.Errorf("exit %d, %+v, at the primary: %+v", r.Exit, r.Error, left)
	}
	if p.effectsOf("primary", http.MethodPost, "/shutdown") > 0 {
		t.Error("a VM was shut down at the primary")
	}
}

// TestCleanNeedsTheOtherSite cleans a site while the other one has its storage in maintenance.
func TestCleanNeedsTheOtherSite(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.away()
	p.stop("secondary", "vm1")
	for _, domain := range p.lab.View().Sites["secondary"].StorageDomains {
		if domain.Name == "nfs_ds" {
			p.do(func(env engine.Env) {
				p.call("secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword, "POST",
					"/datacenters/"+lab.TwoSites(p.size).Sites[1].DataCenters[0].ID+"/storagedomains/"+domain.ID+"/deactivate", "<action/>")
			})
		}
	}
	p.wait(time.Minute)
	r, left := p.cleaned()
	if r.Exit == runner.ExitDone || len(left) != 1 {
		t.Errorf("exit %d, %+v, at the primary: %+v", r.Exit, r.Error, left)
	}
}

// TestCleanLeavesStrangers cleans a site on whose storage domain a VM lies that the plan does not have.
func TestCleanLeavesStrangers(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	text := p.read("/site/plan.lua")
	at := strings.Index(text, `    { name = "vm3"`)
	p.write("/site/plan.lua", text[:at]+text[at+strings.Index(text[at:], "\n")+1:])
	p.away()
	r, left := p.cleaned()
	if r.Exit == runner.ExitDone || len(left) != 1 {
		t.Errorf("exit %d, %+v, at the primary: %+v", r.Exit, r.Error, left)
	}
}

// TestBlindHostKeepsTheAttachAway has a host of the target that does not see the copy.
func TestBlindHostKeepsTheAttachAway(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.lose()
	p.fail(lab.Fault{Kind: lab.FaultHostBlind, Site: "secondary", Subject: "host2b", Export: "192.168.122.210:/nfs_ds_replica"})
	r := p.failover(nil)
	if r.Exit == runner.ExitDone || r.Error == nil || r.Error.Code != "hosts-blind" || !strings.Contains(r.Error.Message, "host2b") {
		t.Errorf("exit %d, %+v", r.Exit, r.Error)
	}
	if n := p.effectsOf("secondary", http.MethodPost, "/storagedomains"); n != 1 { // the import alone
		t.Errorf("%d storage domains were imported or attached", n)
	}
}

// TestAttachWaitsForLeases measures the time between the end of the source and the first attach.
func TestAttachWaitsForLeases(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	lost := p.world.Clock().Now()
	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	for _, entry := range p.lab.Log() {
		if entry.Method == http.MethodPost && strings.Contains(entry.Path, "/datacenters/") && entry.Effect != "" && entry.Time.Sub(lost) < 3*time.Minute {
			t.Errorf("%s: %s after the source was lost", entry.Effect, entry.Time.Sub(lost))
		}
	}
}

// TestWordOfAnEarlierAttempt kills a run that goes by a person's word, and resumes it at once without one.
func TestWordOfAnEarlierAttempt(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.lose()
	p.do(func(env engine.Env) {
		p.world.Daemon("fate").Go(func() {
			_, _ = env.Clock.Wait(context.Background(), 2*time.Minute, nil)
			p.world.Group("drrun").Kill()
		})
		runner.Start(context.Background(), context.Background(), p.options(env, writable))
	})
	var id string
	p.do(func(env engine.Env) {
		runs, err := engine.ListRuns(env, "/state")
		if err != nil || len(runs) != 1 {
			t.Fatal(runs, err)
		}
		id = runs[0].ID
	})
	r := p.resume(id, func(o *runner.Options) { o.ConfirmSourceDown, o.CanAnswer = "", func(string) bool { return true } })
	if r.Exit == runner.ExitDone || r.Error.Code != "no-evidence" || p.effectsOf("secondary", http.MethodPost, "/start") > 0 {
		t.Errorf("exit %d, %+v", r.Exit, r.Error)
	}
}

// TestPlainPasswordIsFiltered writes a password as a plain text, as an engine's message might: the text filter is the second net.
func TestPlainPasswordIsFiltered(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.edit("return plan\n", `plan:on("before_run", function(ctx) ctx:log("the engine said: lab-secondary" .. "-password") end)
return plan
`)
	p.lose()
	expect(t, p.failover(nil), runner.ExitDone)
	if text := p.read(p.journal()); strings.Contains(text, lab.SecondaryPassword) || !strings.Contains(text, "the engine said") {
		t.Error("the journal holds the password, or lacks the line")
	}
}

// TestEmptyExportStaysEmpty gives the plan an export on which nothing lies: the import is refused and creates nothing.
func TestEmptyExportStaysEmpty(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	world := lab.TwoSites(p.size)
	world.Exports = append(world.Exports, lab.Export{Site: "secondary", Address: "192.168.122.210", Path: "/empty", Size: 1 << 40})
	p.lab = lab.New(world, p.world.Clock(), 1)
	p.edit("/nfs_ds_replica", "/empty")
	p.lose()
	if r := p.failover(nil); r.Exit == runner.ExitDone || r.Error == nil {
		t.Errorf("exit %d", r.Exit)
	}
	if n := p.effectsOf("secondary", http.MethodPost, "/storagedomains"); n > 0 {
		t.Errorf("%d storage domains were made", n)
	}
	for _, violation := range p.lab.View().Violations {
		t.Errorf("%s: %s", violation.Kind, violation.Text)
	}
}
