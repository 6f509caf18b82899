package runner_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// try runs texts on the plan, one after the other, and gives each outcome to tell.
func (p *pair) try(change func(*runner.Options), texts []string, tell func(text string, values []lua.Value, err error)) {
	p.t.Helper()
	p.do(func(env engine.Env) {
		o := p.options(env, writable)
		if change != nil {
			change(&o)
		}
		trial, wrong := runner.NewTrial(context.Background(), context.Background(), o, runner.TrialOptions{})
		if trial == nil {
			p.t.Errorf("the trial does not begin: %+v", wrong.Error)
			return
		}
		for i, text := range texts {
			values, err := trial.Run(context.Background(), context.Background(), fmt.Sprintf("input %d", i), text)
			tell(text, values, err)
		}
		if result := trial.End(context.Background(), nil); result.Exit != 0 {
			p.t.Errorf("the trial ends with %+v", result)
		}
	})
}

// reaching are Lua expressions that give an object of each class of a session.
var reaching = map[string]string{
	"ctx": "ctx", "site": "secondary", "storage_domain": "secondary:storage_domain('nfs_ds')", "vm": "secondary:vm('vm1')",
	"host": "secondary:host('host2a')", "template": "", // those come from storage that is attached, which a trial cannot do
	"boot_condition": "dr.boot.wait '1s'", "json_constant": "require 'json'.null",
}

// TestTrialChangesNothing calls everything that is declared to change something, at both sites: each call is refused before it does anything
// (invariants I1 and I7: nothing is changed outside of a run).
func TestTrialChangesNothing(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	p.lose() // the time when every one of these calls would be tempting
	var calls []string
	for _, class := range stdlib.Classes() {
		object, known := reaching[class.Name]
		for _, method := range class.Methods {
			if method.Effect != lua.Changes && method.Effect != lua.Durable {
				continue
			}
			if !known {
				t.Errorf("no expression gives a %s", class.Name)
			}
			if object != "" {
				calls = append(calls, fmt.Sprintf("local o = %s return o.%s(o)", object, method.Name))
			}
		}
	}
	modules := 0
	for _, module := range stdlib.Modules(stdlib.Surroundings{}) {
		for _, fn := range module.Funcs {
			if fn.Effect == lua.Changes || fn.Effect == lua.Durable {
				modules++
				calls = append(calls, fmt.Sprintf("require(%q)[%q]()", module.Name, fn.Name))
			}
		}
	}
	if len(calls) < 25 || modules < 5 {
		t.Fatalf("%d calls, %d of them of modules", len(calls), modules)
	}
	for i := range calls { // a pcall is no way around
		calls = append(calls, "assert(pcall(function() "+calls[i]+" end))")
	}
	p.try(nil, calls, func(text string, _ []lua.Value, err error) {
		var d *lua.Diagnostic
		if !errors.As(err, &d) || d.Code != "read-only" || d.Pos.Line != 1 || d.Hint == "" {
			t.Errorf("%s: %v", text, err)
		}
	})
	if changed := p.allChanges(); len(changed) > 0 {
		t.Errorf("something was changed: %v", changed)
	}
	for _, file := range p.disk.Files() {
		if strings.HasPrefix(file, "/state/") {
			t.Errorf("the trial left %s behind", file)
		}
	}
}

// TestTrialRunsNoWorkflow calls the stages of the workflows, and whole ones.
func TestTrialRunsNoWorkflow(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	p.lose()
	p.try(nil, []string{"dr.steps.import(ctx)", "dr.steps.register(ctx)", "dr.steps.boot(ctx)", "require('dr.failover')(ctx)", "require('dr.failback')(ctx)"}, func(text string, _ []lua.Value, err error) {
		if err == nil {
			t.Errorf("%s went through", text)
		}
	})
	if changed := p.allChanges(); len(changed) > 0 {
		t.Errorf("something was changed: %v", changed)
	}
}

// TestTrialIsLazy counts the requests: what the plan tells asks nobody, and a site is asked only for itself.
func TestTrialIsLazy(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	asked := map[string]int{}
	p.beforeRequest = func(site string, _ *http.Request) { asked[site]++ }
	var secrets []string
	spied := func(o *runner.Options) {
		find := o.Secrets.Env
		o.Secrets.Env = func(name string) (string, bool) { secrets = append(secrets, name); return find(name) }
	}
	p.try(spied, []string{"#plan.vms", "ctx.facts.vms", "primary:vm('vm1').rank", "require('json').encode { 1 }", "ctx:log('x')"}, func(text string, _ []lua.Value, err error) {
		if err != nil || len(asked) > 0 || len(secrets) > 0 {
			t.Errorf("%s: %v; asked %v, secrets %v", text, err, asked, secrets)
		}
	})
	p.try(spied, []string{"secondary:vm('vm1'):status()", "secondary:version()"}, func(text string, _ []lua.Value, err error) {
		if err != nil || asked["secondary"] == 0 || asked["primary"] > 0 || len(secrets) != 1 {
			t.Errorf("%s: %v; asked %v, secrets %v", text, err, asked, secrets)
		}
	})
}

// TestTrialFacts holds the facts that are told without asking anybody against those of a run.
func TestTrialFacts(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	p.lose()
	p.try(nil, []string{
		"local out = {} for i, vm in ipairs(ctx.facts.vms) do out[i] = vm.name .. ' ' .. vm.ran .. ' ' .. vm.target_cluster .. ' ' .. vm.nics[1].target_profile end return table.concat(out, ', ')",
	}, func(text string, values []lua.Value, err error) {
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		const want = "vm1 up Recovery Default/lan/lan, vm2 up Recovery Default/lan/lan, vm3 up Recovery Default/lan/lan"
		if got, _ := values[0].Plain(); got != want {
			t.Errorf("the facts are %s", got)
		}
	})
}

// TestTrialValuesHoldNoSecret has an engine whose password stands in a comment: no form of a value shows it (I5).
func TestTrialValuesHoldNoSecret(t *testing.T) {
	t.Parallel()
	p := newPair(t, 4, lab.TwoSitesOptions{})
	p.do(func(env engine.Env) {
		trial, wrong := runner.NewTrial(t.Context(), t.Context(), p.options(env, writable), runner.TrialOptions{})
		if trial == nil {
			t.Fatal(wrong.Error)
		}
		values, err := trial.Run(t.Context(), t.Context(), "input 1", "primary:vm('vm1'):status() return { comment = 'pw "+lab.PrimaryPassword+"', { 'x "+lab.PrimaryPassword+"' } }")
		if err != nil || len(values) != 1 {
			t.Fatal(values, err)
		}
		shown := trial.Redact(values[0].Text(0)) + fmt.Sprint(trial.JSON(values[0]))
		if strings.Contains(shown, lab.PrimaryPassword) || strings.Count(shown, "<secret>") != 4 {
			t.Errorf("%s", shown)
		}
		trial.End(t.Context(), nil)
	})
}
