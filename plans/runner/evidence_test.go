package runner_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// rewriting changes the text of answers whose path matches, as an engine or something between would.
type rewriting struct {
	http.RoundTripper
	path    *regexp.Regexp
	rewrite func(text string) string
}

func (r rewriting) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := r.RoundTripper.RoundTrip(request)
	if err != nil || !r.path.MatchString(request.URL.Path) {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	text = []byte(r.rewrite(string(text)))
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return answer, nil
}

const (
	attachedList = `^/ovirt-engine/api/datacenters/[^/]+/storagedomains$`
	globalList   = `^/ovirt-engine/api/storagedomains$`
)

// TestLookAt shows the gate's eyes a source in every condition. Only a connection that is silent at the first look is silence,
// and only a storage domain that is seen unattached or in maintenance is released.
func TestLookAt(t *testing.T) {
	t.Parallel()
	replace := func(old, new string) func(string) string {
		return func(text string) string { return strings.ReplaceAll(text, old, new) }
	}
	oneDomain := regexp.MustCompile(`(?s)<storage_domain .*?</storage_domain>`)
	cases := []struct {
		name     string
		fault    *lab.Fault
		disaster bool
		path     string // of the answers that rewrite changes
		rewrite  func(string) string
		password string
		answers  bool
		held     string
		words    string
	}{
		{name: "alive", answers: true, held: "nfs_ds nfs_ds2", words: `"nfs_ds" is active`},
		{name: "gone", disaster: true, words: "refused"},
		{name: "a web server without an engine", fault: &lab.Fault{Status: 503, HTML: true, Times: -1}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "no answer in time", fault: &lab.Fault{Path: "/services/health", Delay: time.Hour}, words: "in time"},
		{name: "the health page is an error", fault: &lab.Fault{Path: "/services/health", Status: 500}, answers: true, held: "nfs_ds nfs_ds2"},
		{name: "a wrong password", password: "wrong", answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "401 to every token", fault: &lab.Fault{Path: "/api/storagedomains", Status: 401, HTML: true}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "an HTML page for the list", fault: &lab.Fault{Path: "/api/storagedomains", HTML: true}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "an empty list", fault: &lab.Fault{Path: "/api/storagedomains", Empty: true}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "a list that breaks off", fault: &lab.Fault{Path: "/api/storagedomains", Truncate: true}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "503 behind a healthy page", fault: &lab.Fault{Path: "/api/storagedomains", Status: 503}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "a reset behind a healthy page", fault: &lab.Fault{Path: "/api/", Reset: "before"}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "a list that does not come", fault: &lab.Fault{Path: "/api/storagedomains", Delay: time.Hour}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "a data center that cannot be read", fault: &lab.Fault{Path: "/datacenters/", Status: 500}, answers: true, held: "nfs_ds nfs_ds2", words: "cannot be read"},
		{name: "everything in maintenance", path: attachedList, rewrite: replace("<status>active<", "<status>maintenance<"), answers: true},
		{name: "on the way into maintenance", path: attachedList, rewrite: replace("<status>active<", "<status>preparing_for_maintenance<"), answers: true, held: "nfs_ds nfs_ds2"},
		{name: "inactive", path: attachedList, rewrite: replace("<status>active<", "<status>inactive<"), answers: true, held: "nfs_ds nfs_ds2"},
		{name: "no status", path: attachedList, rewrite: replace("<status>active</status>", ""), answers: true, held: "nfs_ds nfs_ds2"},
		{name: "one of two in maintenance", path: attachedList, rewrite: func(text string) string {
			return strings.Replace(text, "<status>active<", "<status>maintenance<", 1)
		}, answers: true, held: "nfs_ds2", words: `"nfs_ds2" is active`},
		{name: "a data center's list that lacks one", path: attachedList, rewrite: func(text string) string {
			text = strings.ReplaceAll(text, "<status>active<", "<status>maintenance<")
			return strings.Replace(text, oneDomain.FindString(text), "", 1)
		}, answers: true, held: "nfs_ds"},
		{name: "an engine that knows no domain", path: globalList, rewrite: func(text string) string { return oneDomain.ReplaceAllString(text, "") },
			answers: true, held: "nfs_ds nfs_ds2", words: "not shown"},
		{name: "unattached", path: globalList, rewrite: func(text string) string {
			text = regexp.MustCompile(`(?s)<data_centers>.*?</data_centers>`).ReplaceAllString(text, "<status>unattached</status>")
			return text
		}, answers: true},
		{name: "in no data center and without a status", path: globalList, rewrite: func(text string) string {
			return regexp.MustCompile(`(?s)<data_centers>.*?</data_centers>`).ReplaceAllString(text, "")
		}, answers: true, held: "nfs_ds nfs_ds2", words: "without a status"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{Domains: 2})
			var domains []stdlib.FactDomain
			for i := range 2 {
				for _, there := range p.lab.View().Sites["primary"].StorageDomains {
					if there.Name == lab.DomainName(i) {
						domains = append(domains, stdlib.FactDomain{ID: there.ID, Name: there.Name})
					}
				}
			}
			if c.disaster {
				p.lose()
			}
			if c.fault != nil {
				c.fault.Site, c.fault.Times = "primary", -1
				if err := p.lab.Fail(*c.fault); err != nil {
					t.Fatal(err)
				}
			}
			p.do(func(env engine.Env) {
				var transport http.RoundTripper = wire{p}
				rewritten := false
				if c.rewrite != nil {
					transport = rewriting{transport, regexp.MustCompile(c.path), func(text string) string {
						changed := c.rewrite(text)
						rewritten = rewritten || changed != text
						return changed
					}}
				}
				password := c.password
				if password == "" {
					password = lab.PrimaryPassword
				}
				site, err := ovirt.New(ovirt.Options{Name: "primary", URL: lab.PrimaryURL, Username: lab.PrimaryUsername, Password: password, Transport: transport, Clock: env.Clock, Go: env.Go})
				if err != nil {
					t.Error(err)
					return
				}
				began := env.Clock.Now()
				answers, held, words := stdlib.LookAt(context.Background(), site, domains, nil)
				if answers != c.answers || strings.Join(held, " ") != c.held || !strings.Contains(words, c.words) {
					t.Errorf("answers %v, held %v, %q; want %v, %q, %q", answers, held, words, c.answers, c.held, c.words)
				}
				if c.rewrite != nil && !rewritten {
					t.Error("nothing was rewritten")
				}
				if took := env.Clock.Now().Sub(began); took > 5*time.Minute {
					t.Errorf("it took %s", took)
				}
				counters := site.Counters()
				answers, held, words = stdlib.LookWithoutLogin(context.Background(), site, domains, nil)
				if answers != c.answers || answers && (len(held) != 2 || !strings.Contains(words, "without its password")) || site.Counters().Reads-counters.Reads > 1 {
					t.Errorf("without a login: answers %v, held %v, %q", answers, held, words)
				}
			})
		})
	}
}

// cannotStart checks that a run was refused with the source unproved, and changed nothing.
func cannotStart(t *testing.T, p *pair, r *runner.Result, words string) {
	t.Helper()
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, words) || r.Error.Hint == "" {
		t.Errorf("error %+v, want %q in it", r.Error, words)
	}
	if changes := p.changes(); len(changes) > 0 {
		t.Errorf("%d changing requests: %v", len(changes), changes[0])
	}
	if runs := p.runs(); len(runs) > 0 {
		t.Errorf("a run was made: %v", runs[0].ID)
	}
}

func (p *pair) runs() (runs []engine.RunInfo) {
	p.do(func(env engine.Env) {
		var err error
		if runs, err = engine.ListRuns(env, p.state()); err != nil {
			p.t.Error(err)
		}
	})
	return runs
}

// whenever calls fn on each event; it does not keep the run from going on.
func (p *pair) whenever(fn func(e engine.Event)) func(*runner.Options) {
	return func(o *runner.Options) {
		o.Observe = func(e engine.Event) {
			p.out = append(p.out, e)
			fn(e)
		}
	}
}

func TestSourceIsUp(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	r := p.failover(nil) // confirmed, all the same
	expect(t, r, 3)
	cannotStart(t, p, r, `"nfs_ds" is active`)
	if r.Status != "refused" || r.Run != "" {
		t.Errorf("status %s, run %q", r.Status, r.Run)
	}
}

func TestSourceIsSilentAndNobodyConfirms(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	r := p.failover(func(o *runner.Options) { o.ConfirmSourceDown = "" })
	expect(t, r, 3)
	cannotStart(t, p, r, "nobody has confirmed")
	r = p.failover(func(o *runner.Options) { o.ConfirmSourceDown = "yes" })
	expect(t, r, 2)
	if changes := p.changes(); len(changes) > 0 {
		t.Errorf("%d changing requests", len(changes))
	}
	// A person at the terminal can confirm it; that is in the journal and in the verdicts.
	asked := answers{"promote_storage": "writable,as_of=unknown", "confirm_source_down": "Bob: I pulled the plug"}
	r = p.failover(func(o *runner.Options) { o.ConfirmSourceDown, o.Asker, o.CanAnswer = "", asked, asked.can })
	expect(t, r, 0)
	if !slices.ContainsFunc(r.Verdicts, func(v string) bool { return strings.Contains(v, "NOT ISOLATED") && strings.Contains(v, "Bob") }) {
		t.Errorf("verdicts %q", r.Verdicts)
	}
	if !strings.Contains(p.read(p.journal()), "I pulled the plug") {
		t.Error("the confirmation is not in the journal")
	}
}

// TestSourceComesBack heals the source while rank 0 waits for its boot condition: nothing more is started, by any confirmation.
func TestSourceComesBack(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.wait "25m"`)
	p.lose()
	asked := answers{"promote_storage": "writable,as_of=unknown", "confirm_source_down": "Bob: I am sure"}
	r := p.failover(func(o *runner.Options) {
		p.whenever(func(e engine.Event) {
			if e.Subject.Name == "vm1" && e.Text == "up" {
				if err := p.lab.Heal("primary"); err != nil {
					t.Error(err)
				}
			}
		})(o)
		o.Asker, o.CanAnswer = asked, asked.can
	})
	expect(t, r, 5)
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, "the confirmation of Ann is void") || !strings.Contains(r.Error.Hint, "drrun resume "+r.Run) {
		t.Errorf("error %+v", r.Error)
	}
	if started := p.started(); !slices.Equal(started, []string{"vm1"}) {
		t.Errorf("started %v", started)
	}
	if !slices.ContainsFunc(r.Verdicts, func(v string) bool { return strings.Contains(v, "NOT ISOLATED") }) {
		t.Errorf("vm1 was started on a person's word; verdicts %q", r.Verdicts)
	}
	if r.Evidence == nil || r.Evidence.Holds || !r.Evidence.Answers {
		t.Errorf("evidence %+v", r.Evidence)
	}
	// No word helps against a source that answers. What the earlier attempt did stays in the result.
	again := p.resume(r.Run, nil)
	expect(t, again, 5)
	if len(again.VMs) != 3 || vm(t, again, "vm1").Status != "up" || !strings.Contains(again.Error.State, "1 VM up") {
		t.Errorf("%+v, VMs %+v", again.Error, again.VMs)
	}
	if !slices.ContainsFunc(again.Verdicts, func(v string) bool { return strings.Contains(v, "NOT ISOLATED") }) {
		t.Errorf("verdicts of the resumed run: %q", again.Verdicts)
	}
	if started := p.started(); len(started) != 1 {
		t.Errorf("started %v", started)
	}
}

func TestConfirmationExpires(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.wait "40m"`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 5)
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, "older than 30m") {
		t.Errorf("error %+v", r.Error)
	}
	if started := p.started(); !slices.Equal(started, []string{"vm1"}) {
		t.Errorf("started %v", started)
	}
	// A confirmation of an earlier attempt does not count, a new one does.
	expect(t, p.resume(r.Run, func(o *runner.Options) { o.ConfirmSourceDown = "" }), 5)
	expect(t, p.resume(r.Run, nil), 0)
	if started := p.started(); len(started) != 3 {
		t.Errorf("started %v", started)
	}
}

// TestSourceWithoutSecret has no password of the source. Silent it can be confirmed to be down; alive it proves nothing, and
// no login is tried.
func TestSourceWithoutSecret(t *testing.T) {
	t.Parallel()
	without := func(o *runner.Options) {
		o.Secrets.Env = func(name string) (string, bool) {
			return lab.SecondaryPassword, name == "DRRUN_SECRET_SECONDARY_PASSWORD"
		}
	}
	p := newPair(t, 1, lab.TwoSitesOptions{})
	asked := len(p.lab.Log())
	expect(t, p.failover(without), 3)
	for _, entry := range p.lab.Log()[asked:] {
		if entry.Site == "primary" && !strings.Contains(entry.Path, "/services/health") {
			t.Errorf("the source was asked %s %s", entry.Method, entry.Path)
		}
	}
	p.lose()
	r := p.failover(without)
	expect(t, r, 0)
	if !slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, "primary") }) {
		t.Errorf("warnings %q", r.Warnings)
	}
}

// TestNothingStartsAtTheSource calls the primitives that change an engine on the site that is left.
func TestNothingStartsAtTheSource(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`ctx.source:vm("vm1"):start {}`, `ctx:site("primary"):vm("vm1"):register {}`,
		`ctx.source:import_domain("nfs_ds")`, `ctx.source:storage_domain("nfs_ds"):attach {}`, `ctx.source:storage_domain("nfs_ds"):activate {}`,
	} {
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.edit("return plan\n", "function plan.failover(ctx)\n  "+call+"\nend\nreturn plan\n")
		p.lose()
		r := p.failover(nil)
		if r.Exit != 3 || r.Error.Code != "wrong-site" || len(p.changes()) > 0 {
			t.Errorf("%s: exit %d, %+v, %d changes", call, r.Exit, r.Error, len(p.changes()))
		}
	}
}

// TestStartWithoutTheStage starts VMs from a workflow that never asks for evidence, and catches every error: each start asks itself.
func TestStartWithoutTheStage(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit("return plan\n", `function plan.failover(ctx)
  local steps = require "dr.steps"
  steps.import(ctx)
  steps.register(ctx)
  ctx.target:vm("vm1"):start {}
  ctx:log("vm1 is up")
  pcall(function() ctx.target:vm("vm2"):wait { status = "up", timeout = "10m" } end) -- a delay
  for _, name in ipairs { "vm2", "vm3" } do
    local ok, err = pcall(function() ctx.target:vm(name):start {} end)
    ctx:log(name .. ": " .. tostring(ok) .. " " .. tostring(err.code))
  end
end
return plan
`)
	p.lose()
	r := p.failover(p.whenever(func(e engine.Event) {
		if e.Text == "vm1 is up" {
			if err := p.lab.Heal("primary"); err != nil {
				t.Error(err)
			}
		}
	}))
	expect(t, r, 4)
	if started := p.started(); !slices.Equal(started, []string{"vm1"}) {
		t.Errorf("started %v", started)
	}
	for _, line := range []string{"vm2: false no-evidence", "vm3: false no-evidence"} {
		if !strings.Contains(p.read(p.journal()), line) {
			t.Errorf("the journal has no %q", line)
		}
	}
	for _, name := range []string{"vm2", "vm3"} {
		if state := vm(t, r, name).Status; state != "registered" {
			t.Errorf("%s was not started and is %s in the result", name, state)
		}
	}
}
