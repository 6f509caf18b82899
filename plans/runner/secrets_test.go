package runner_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestSecretsStayInside runs plans that try to let a password out (invariant I5), and looks for it in everything that is left:
// the state folder, the result, the events, and what the lab has logged.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hook string
		exit       int
	}{
		{"a plain failover", ``, 0},
		{"tostring shows the name only", `ctx:log(tostring(pw))`, 0},
		{"joined to a text", `ctx:log("the password is " .. pw)`, 4},
		{"as the result of a hook", `return pw`, 4},
		{"as the result of a step", `ctx:step("leak", function() return { pw } end)`, 4},
		{"in an error", `error({ code = "leak", message = pw })`, 4},
		{"through string.format", `ctx:log(("%s"):format(pw))`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 15, lab.TwoSitesOptions{})
			p.edit("return plan\n", "local pw = dr.secret \"secondary_password\"\nplan:on(\"before_start\", function(ctx, vm) "+c.hook+" end)\nreturn plan\n")
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			left := map[string]string{}
			for _, path := range p.disk.Files() {
				left[path] = p.read(path)
			}
			for name, value := range map[string]any{"the result": r, "the events": p.out, "the lab's log": p.lab.Log()} {
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				left[name] = string(text)
			}
			for place, text := range left {
				for _, secret := range []string{lab.PrimaryPassword, lab.SecondaryPassword} {
					if strings.Contains(text, secret) {
						t.Errorf("%s holds the password %s", place, secret)
					}
				}
			}
		})
	}
}

// eavesdropper notes the tokens that pass, and stands for a proxy that answers some requests with an error page that shows what it was sent.
type eavesdropper struct {
	http.RoundTripper
	tokens *[]string
	echo   func(request *http.Request) bool
}

func (e eavesdropper) RoundTrip(request *http.Request) (*http.Response, error) {
	var sent []byte
	if request.Body != nil {
		var err error
		if sent, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
	}
	if e.echo != nil && e.echo(request) {
		form, _ := url.QueryUnescape(string(sent))
		page := fmt.Sprintf("<fault><reason>Bad gateway</reason><detail>[%v %s %s]</detail></fault>", request.Header, sent, form)
		return &http.Response{
			StatusCode: http.StatusInternalServerError, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: request,
			Header: http.Header{"Content-Type": {"application/xml"}, "X-Sent": {fmt.Sprint(request.Header)}}, Body: io.NopCloser(strings.NewReader(page)),
		}, nil
	}
	answer, err := e.RoundTripper.RoundTrip(request)
	if err != nil || !strings.HasSuffix(request.URL.Path, "/sso/oauth/token") {
		return answer, err
	}
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(bytes.NewReader(text))
	var given struct {
		Token string `json:"access_token"`
	}
	if json.Unmarshal(text, &given) == nil && given.Token != "" {
		*e.tokens = append(*e.tokens, given.Token)
	}
	return answer, nil
}

// TestSecretsInEveryAction runs every action, with a mirror and a seal, through a proxy whose error pages show passwords and tokens, and
// looks for both in all that is left: files, results, events of the run, and the engines' own events and jobs.
func TestSecretsInEveryAction(t *testing.T) {
	t.Parallel()
	p := newPair(t, 15, lab.TwoSitesOptions{})
	p.marked()
	p.edit("return plan\n", `
local pw, other = dr.secret "secondary_password", dr.secret "primary_password"
plan:on("before_run", function(ctx) ctx:log("begins with " .. tostring(pw)) end)
plan:on("before_start", function(ctx, vm) ctx:step("note", function() return vm.name .. tostring(other) end) end)
plan:on("on_error", function(ctx, report) ctx:log(report.message .. tostring(pw)) end)
return plan
`)
	var tokens []string
	var echo func(*http.Request) bool
	left := map[string]string{}
	seen := 0
	keep := func(name string, value any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		left[name] += string(text)
	}
	over := func(o *runner.Options) {
		transport := o.Transport
		o.Transport = func(site string) http.RoundTripper { return eavesdropper{transport(site), &tokens, echo} }
		o.Mirror, o.Signer = share, ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	}
	by := func(change func(*runner.Options)) func(*runner.Options) {
		return func(o *runner.Options) {
			p.byAdmin(nil, o)
			over(o)
			if change != nil {
				change(o)
			}
		}
	}
	ended := func(name string, r *runner.Result, exit int) {
		t.Helper()
		expect(t, r, exit)
		keep("result of "+name, r)
		seen++
	}
	reading := func(do func(soft, hard context.Context, o runner.Options) *runner.Result) (r *runner.Result) {
		p.do(func(env engine.Env) {
			o := p.options(env, answers{})
			over(&o)
			o.Mirror = ""
			r = do(context.Background(), context.Background(), o)
		})
		return r
	}
	// Every n-th read of the engine is answered by the proxy.
	every := func(n int) func(*http.Request) bool {
		count := 0
		return func(request *http.Request) bool {
			count++
			return request.Method == http.MethodGet && count%n == 0
		}
	}
	always := func(*http.Request) bool { return true }

	ended("check", reading(func(soft, hard context.Context, o runner.Options) *runner.Result {
		return runner.Check(soft, hard, o, false)
	}), 0)
	ended("snapshot", reading(runner.Snapshot), 0)
	ended("status", reading(runner.Status), 0)
	ended("dry run", p.planned(plans.ActionFailover, nil, by(func(o *runner.Options) { o.DryRun = true })), 0)
	echo = always
	ended("check through the proxy", reading(func(soft, hard context.Context, o runner.Options) *runner.Result {
		return runner.Check(soft, hard, o, false)
	}), 3)
	ended("status through the proxy", reading(runner.Status), 3)
	ended("failover through the proxy", p.planned(plans.ActionFailover, nil, by(nil)), 3)
	echo = nil

	held := func() string {
		r := p.planned(plans.ActionFailover, nil, by(func(o *runner.Options) { o.Asker = answers{"replication": "yes"} }))
		ended("stopped", r, runner.ExitStopped)
		return r.Run
	}
	ended("rollback", p.rollback(held(), over), 0)
	p.wait(time.Hour)
	run := held()
	echo = every(9)
	r := p.resume(run, by(nil))
	keep("result of resume through the proxy", r)
	echo = nil
	for r.Exit == runner.ExitStopped {
		r = p.resume(run, by(nil))
	}
	ended("resume", r, 0)
	p.replicate()
	p.wait(time.Hour)
	ended("failback", p.planned(plans.ActionFailback, nil, by(nil)), 0)
	p.replicate()
	p.wait(time.Hour)
	p.lose()
	echo = func(request *http.Request) bool { return strings.HasSuffix(request.URL.Path, "/start") }
	unplanned := p.failover(over)
	echo = nil
	ended("unplanned", unplanned, unplanned.Exit)
	if unplanned.Exit != runner.ExitDone && unplanned.Exit != runner.ExitPartial {
		var closed *runner.Result
		p.do(func(env engine.Env) {
			o := p.options(env, answers{})
			over(&o)
			o.LeaveAsIs = true
			closed = runner.Abort(context.Background(), context.Background(), o, unplanned.Run)
		})
		ended("abort", closed, 0)
	}
	if seen < 12 {
		t.Errorf("%d actions", seen)
	}

	keep("events of the runs", p.out)
	keep("the lab's log", p.lab.Log())
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.wait(time.Hour)
	for _, site := range []string{"primary", "secondary"} {
		p.engine(site, func(ctx context.Context, s *ovirt.Site) error {
			events, err := s.Events(ctx, ovirt.EventQuery{Max: 100_000})
			keep("events of the engine of "+site, events)
			return err
		})
	}
	for _, path := range p.disk.Files() {
		if path != "/site/plan.lua" {
			left[path] = p.read(path)
		}
	}
	if len(tokens) < 5 {
		t.Fatalf("%d tokens passed", len(tokens))
	}
	for place, text := range left {
		for _, secret := range append(tokens, lab.PrimaryPassword, lab.SecondaryPassword) {
			if i := strings.Index(text, secret); i >= 0 {
				t.Errorf("%s holds the secret %s: …%s…", place, secret, text[max(0, i-300):min(len(text), i+100)])
			}
		}
	}
	t.Logf("%d actions, %d places, %d tokens", seen, len(left), len(tokens))
}
