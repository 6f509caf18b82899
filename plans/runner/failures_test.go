package runner_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

func (p *pair) fail(rules ...lab.Fault) {
	p.t.Helper()
	for _, rule := range rules {
		if err := p.lab.Fail(rule); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestVMDoesNotBoot(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 4)
	if two := vm(t, r, "vm2"); two.Status != "failed" || !strings.Contains(two.Error, "vm2") || !strings.Contains(r.Error.Message, "VM vm2 is failed") {
		t.Errorf("vm2 %+v; error %+v", two, r.Error)
	}
	if vm(t, r, "vm3").Status != "up" {
		t.Errorf("vm3 is %s", vm(t, r, "vm3").Status)
	}
	if want := "mend what stopped vm2 and start it in the engine of secondary, since a run starts no VM twice; what is up is then found by: drrun resume " + r.Run; !strings.HasPrefix(r.Error.Hint, want) {
		t.Errorf("hint %q", r.Error.Hint)
	}
	// It was started by this run and is down: a finding, and no second start, in no attempt. Why it went down stays its reason.
	const reason = "Lost connection with qemu process"
	for range 2 {
		up := 0 // of what the resume is told to begin with
		again := p.resume(r.Run, func(o *runner.Options) {
			o.Began = func(_ string, total runner.Totals) {
				for _, status := range total.Board {
					if status.Subject.Kind == ovirt.KindVM && status.State == stdlib.StateUp {
						up++
					}
				}
			}
		})
		expect(t, again, 4)
		if up != 2 {
			t.Errorf("it begins with %d VMs up", up)
		}
		if two := vm(t, again, "vm2"); two.Status != "failed" || !strings.Contains(two.Error, reason) || strings.Count(two.Error, "a run starts no VM twice") != 1 || strings.Contains(two.Error, "not sent") {
			t.Errorf("vm2 %+v", two)
		}
	}
	if started := p.started(); slices.Index(started, "vm2") != -1 && len(started) != 3 {
		t.Errorf("started %v", started)
	}
}

func TestRequiredVM(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, from, to string
		fault          *lab.Fault
		lose           string
		started        []string
		words          string
	}{
		{name: "does not boot", from: "rank = 0,", to: "rank = 0, required = true,", fault: &lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm1"},
			started: []string{"vm1"}, words: "VM vm1 of rank 0 is required and failed"},
		{name: "is missing", from: "rank = 0,", to: "rank = 0, required = true,", lose: "vm1", words: "VM vm1 of rank 0 is required and missing"},
		{name: "does not meet its condition", from: `rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, to: `rank = 0, required = true, boot = function() return false end`,
			started: []string{"vm1"}, words: "VM vm1 of rank 0 is required and unverified"},
		{name: "those after it in its rank", from: `rank = 1, boot = dr.boot.guest_agent { timeout = "5m" } },`, to: `rank = 0, after = { "vm1" } },`,
			fault: &lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm1"}, started: []string{"vm1"}, words: "VM vm1 of rank 0 is required and failed"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{LoseVM: c.lose})
			p.edit(c.from, c.to)
			if !strings.Contains(p.read("/site/plan.lua"), "required = true,") {
				p.edit("rank = 0,", "rank = 0, required = true,")
			}
			if c.fault != nil {
				p.fail(*c.fault)
			}
			p.lose()
			r := p.failover(nil)
			expect(t, r, 5)
			if !strings.Contains(r.Error.Message, c.words) || !strings.Contains(r.Error.Hint, "drrun resume "+r.Run) {
				t.Errorf("error %+v", r.Error)
			}
			if started := p.started(); !slices.Equal(started, c.started) {
				t.Errorf("started %v, want %v", started, c.started)
			}
			if three := vm(t, r, "vm3").Status; three != "registered" {
				t.Errorf("vm3 was not reached and is %s", three)
			}
		})
	}
}

func TestMissingVM(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{LoseVM: "vm2"})
	p.lose()
	r := p.failover(nil)
	expect(t, r, 4)
	if two := vm(t, r, "vm2"); two.Status != "missing" || !strings.Contains(two.Error, "no OVF store") || !strings.Contains(r.Error.Message, "VM vm2 is missing") {
		t.Errorf("vm2 %+v; error %+v", two, r.Error)
	}
	if started := p.started(); !slices.Equal(started, []string{"vm1", "vm3"}) {
		t.Errorf("started %v", started)
	}
}

// left counts what an attempt left on the target: domains of the plan, VMs, storage connections.
func (p *pair) left() (domains, vms, connections int) {
	view := p.lab.View().Sites["secondary"]
	for _, domain := range view.StorageDomains {
		if strings.HasPrefix(domain.Name, "nfs_ds") {
			domains++
		}
	}
	p.do(func(env engine.Env) {
		found, err := p.open(env, "secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword).StorageConnections(context.Background())
		if err != nil {
			p.t.Error(err)
		}
		connections = len(found)
	})
	return domains, len(view.VMs), connections
}

// TestReplicaNotPromoted answers that the replica is writable, and it is not: the probe leaves nothing behind.
func TestReplicaNotPromoted(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	_, _, before := p.left()
	p.lab.Disaster("primary")
	r := p.failover(nil)
	expect(t, r, 3)
	domains, vms, connections := p.left()
	if domains > 0 || vms > 0 || connections != before {
		t.Errorf("%d domains, %d VMs, %d connections (%d before)", domains, vms, connections, before)
	}
	for _, entry := range p.changes() {
		if strings.HasSuffix(entry.Path, "/register") || strings.Contains(entry.Path, "/datacenters/") {
			t.Errorf("the lab saw %s %s", entry.Method, entry.Path)
		}
	}
	if r.Error.Hint == "" || r.Error.Site != "secondary" || r.Error.Object != "nfs_ds" {
		t.Errorf("error %+v", r.Error)
	}
	// Nothing was changed, so a new run may begin once the array is done.
	p.lose()
	expect(t, p.failover(nil), 0)
}

func TestDomainDoesNotImport(t *testing.T) {
	t.Parallel()
	refusal := lab.Fault{Site: "secondary", Method: "POST", Path: "/api/storagedomains$", Status: 409, Reason: "Operation Failed", Detail: "[Cannot import. The host says no.]", Times: -1}
	for _, c := range []struct {
		name, hook string
		exit       int
		state      string
	}{
		{"nothing was changed", "", 3, "no object of the plan was changed"},
		{"a hook ran", `plan:on("promote_storage", function() return { writable = true } end)`, 5, "0 of 2 storage domains active, 3 VMs pending"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{Domains: 2})
			p.hook(c.hook)
			p.fail(refusal)
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			if !strings.Contains(r.Error.Message, "The host says no") || !strings.Contains(r.Error.State, c.state) {
				t.Errorf("error %+v", r.Error)
			}
			if domains, vms, _ := p.left(); domains > 0 || vms > 0 || len(p.started()) > 0 {
				t.Errorf("%d domains, %d VMs, started %v", domains, vms, p.started())
			}
		})
	}
}

// TestSpeed shortens every wait by DRRUN_SPEED where one of the engines is none of the lab's.
func TestSpeed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, real string
		alive      bool
		code       string
	}{
		{"the target is a real engine", "secondary", false, "not-the-lab"},
		{"the source is a real engine", "primary", true, "not-the-lab"},
		{"both are the lab", "", true, "no-evidence"},
		{"the source is silent", "primary", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			if !c.alive {
				p.lose()
			}
			r := p.failover(func(o *runner.Options) {
				o.Speed = 50
				o.Transport = func(site string) http.RoundTripper {
					if site != c.real {
						return wire{p}
					}
					return rewriting{wire{p}, regexp.MustCompile(`/api/?$`), func(text string) string { return strings.ReplaceAll(text, "drrun lab", "oVirt") }}
				}
			})
			if c.code == "" {
				expect(t, r, 0)
				return
			}
			expect(t, r, 3)
			if r.Error.Code != c.code || len(p.changes()) > 0 {
				t.Errorf("error %+v, %d changes", r.Error, len(p.changes()))
			}
		})
	}
}

// TestSecondStarter starts a failover while another one runs: it is told the name of the storage domain, and which run to look at.
func TestSecondStarter(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	var first string
	var second *runner.Result
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		o.Began = func(run string, _ runner.Totals) {
			first = run
			env.Go(func() { second = runner.Start(context.Background(), context.Background(), p.options(env, writable)) })
		}
		expect(t, runner.Start(context.Background(), context.Background(), o), runner.ExitDone)
	})
	expect(t, second, runner.ExitRefused)
	if want := "storage domain " + p.domains()[0] + " (run " + first + ") is in use by "; second.Error.Code != "locked" || !strings.HasPrefix(second.Error.Message, want) || !strings.Contains(second.Error.Hint, "drrun status "+first) {
		t.Errorf("error %+v, want %q", second.Error, want)
	}
}

// TestTwoStarters starts the same failover twice at once, in many orders: one does it, the other names who does.
func TestTwoStarters(t *testing.T) {
	t.Parallel()
	for seed := range uint64(10) {
		p := newPair(t, seed, lab.TwoSitesOptions{})
		p.lose()
		results := map[string]*runner.Result{}
		p.do(func(env engine.Env) {
			for _, user := range []string{"ann", "bob"} {
				env.Go(func() {
					o := p.options(env, writable)
					o.User = user
					results[user] = runner.Start(context.Background(), context.Background(), o)
				})
			}
		})
		won, lost, winner := results["ann"], results["bob"], "ann@host"
		if lost.Exit == 0 {
			won, lost, winner = lost, won, "bob@host"
		}
		if won.Exit != 0 || lost.Exit != 3 || lost.Error.Code != "locked" || !strings.Contains(lost.Error.Message, winner) || lost.Run != "" {
			t.Fatalf("seed %d: %d and %d: %+v", seed, won.Exit, lost.Exit, lost.Error)
		}
		if started := p.started(); len(started) != 3 {
			t.Errorf("seed %d: started %v", seed, started)
		}
	}
}

// TestUnfinishedRun refuses a new run beside one that was stopped, and names the way on.
func TestUnfinishedRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`plan:on("before_rank", function(ctx) if ctx.run.attempt == 1 then error("no") end end)`)
	p.lose()
	stopped := p.failover(nil)
	expect(t, stopped, 5)
	changes := len(p.changes())
	r := p.failover(nil)
	expect(t, r, 3)
	if r.Error.Code != "unfinished-run" || !strings.Contains(r.Error.Hint, "drrun resume "+stopped.Run) || !strings.Contains(r.Error.Message, stopped.Run) {
		t.Errorf("error %+v", r.Error)
	}
	if len(p.changes()) != changes {
		t.Error("the refused run changed something")
	}
	expect(t, p.resume(stopped.Run, nil), 0)
	done := p.resume(stopped.Run, nil)
	expect(t, done, 3)
	if done.Error.Code != "finished-run" {
		t.Errorf("error %+v", done.Error)
	}
	expect(t, p.resume("nonsense", nil), 2)
}

// call makes a request to an engine of the lab, as somebody at its web page would.
func (p *pair) call(site, engineURL, user, password, method, path, body string) {
	p.t.Helper()
	base := strings.TrimSuffix(engineURL, "/api")
	send := func(method, url, content, token, body string) string {
		request, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
		if err != nil {
			p.t.Fatal(err)
		}
		request.Header.Set("Content-Type", content)
		request.Header.Set("Accept", map[bool]string{true: "application/json", false: "application/xml"}[token == ""])
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		answer, err := p.lab.Transport().RoundTrip(request)
		if err != nil {
			p.t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != http.StatusOK {
			p.t.Fatalf("%s %s on %s: %d %s", method, url, site, answer.StatusCode, text)
		}
		return string(text)
	}
	form := url.Values{"grant_type": {"password"}, "scope": {"ovirt-app-api"}, "username": {user}, "password": {password}}
	login := send("POST", base+"/sso/oauth/token", "application/x-www-form-urlencoded", "", form.Encode())
	token := regexp.MustCompile(`"access_token"\s*:\s*"([^"]+)"`).FindStringSubmatch(login)
	if token == nil {
		p.t.Fatalf("no token in %s", login)
	}
	send(method, engineURL+path, "application/xml", token[1], body)
}

// TestStartedVMIsDown stops a VM by hand between two attempts: it is not started again, in the boot stage or otherwise.
func TestStartedVMIsDown(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit("rank = 1, boot = dr.boot.guest_agent", "rank = 0, boot = dr.boot.guest_agent") // vm2 is not HA
	p.hook(`plan:on("before_rank", function(ctx, rank) if rank.id == "1" and ctx.run.attempt == 1 then error("not yet") end end)`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 5)
	p.do(func(env engine.Env) {
		p.call("secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword, "POST", "/vms/"+vm(t, r, "vm2").ID+"/stop", "<action/>")
		_, _ = env.Clock.Wait(context.Background(), 5*60e9, nil)
	})
	again := p.resume(r.Run, nil)
	expect(t, again, 4)
	if two := vm(t, again, "vm2"); two.Status != "failed" || !strings.Contains(two.Error, "is not started again") {
		t.Errorf("vm2 %+v", two)
	}
	if started := fmt.Sprint(p.started()); started != "[vm1 vm2 vm3]" && started != "[vm2 vm1 vm3]" {
		t.Errorf("started %v", started)
	}
}

// losing shows the NICs of one VM without their vNIC profile until somebody puts it back.
type losing struct {
	rewriting
	puts *int
}

func (l losing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPut {
		*l.puts++
	}
	if *l.puts > 0 {
		return l.rewriting.RoundTripper.RoundTrip(request)
	}
	return l.rewriting.RoundTrip(request)
}

// TestNICsAreRepaired loses the vNIC profile of a registered VM, as the engine does: it is put back, through the journal.
func TestNICsAreRepaired(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.lose()
	puts, profile := 0, regexp.MustCompile(`<vnic_profile [^>]*>`)
	r := p.failover(func(o *runner.Options) {
		o.Transport = func(string) http.RoundTripper {
			return losing{rewriting{wire{p}, regexp.MustCompile(`/api/vms/[^/]+(/nics(/[^/]+)?)?$`), func(text string) string {
				return profile.ReplaceAllString(text, `<vnic_profile id="00000000-0000-0000-0000-000000000001"/>`)
			}}, &puts}
		}
	})
	expect(t, r, 0)
	if puts != 1 {
		t.Errorf("%d times was a profile put back", puts)
	}
	p.do(func(env engine.Env) {
		for _, wrong := range p.audit(env) {
			t.Error(wrong)
		}
	})
}
