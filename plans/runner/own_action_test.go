package runner_test

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// patchNight is an action that shuts the VMs down rank by rank, waits for a person, and starts them again where they live.
const patchNight = `
-- Shuts everything down, waits until the hosts are patched, and starts what ran.
function plan.actions.patch_night(ctx)
  local steps = dr.steps
  steps.shut_down(ctx)
  ctx:confirm("patched", "Patch the hosts. Are they done?")
  steps.boot(ctx)
  steps.repair(ctx)
end
`

// own runs an action of the plan's own.
func (p *pair) own(action string, change func(*runner.Options)) *runner.Result {
	p.t.Helper()
	return p.failover(func(o *runner.Options) {
		o.Action, o.ConfirmSourceDown, o.Asker = action, "", answers{"patched": "yes"}
		if change != nil {
			change(o)
		}
	})
}

func (p *pair) goOnWith(id string) *runner.Result {
	p.t.Helper()
	return p.resume(id, func(o *runner.Options) { o.ConfirmSourceDown, o.Asker = "", answers{"patched": "yes", "cut": "redo"} })
}

// effects are the changes of a site, locks excepted.
func (p *pair) effectsAt(site string) []string {
	var effects []string
	for _, entry := range p.changes() {
		if entry.Site == site {
			effects = append(effects, entry.Effect)
		}
	}
	return effects
}

// TestPatchNight shuts the VMs down and starts them again on the site where they live: the evidence is that the other engine does not have
// their storage, HA is off in between and back at the end, and the other site is not touched.
func TestPatchNight(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(patchNight)
	before, counters := p.described("primary"), p.counters("primary")
	r := p.own("patch_night", nil)
	expect(t, r, 0)
	if started := p.started(); len(started) != 3 || started[0] != "vm1" {
		t.Errorf("started %v", started)
	}
	for _, name := range []string{"vm1", "vm2", "vm3"} {
		if got := vm(t, r, name); got.Status != stdlib.StateUp || got.UpAt == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := r.StorageDomains[0].Status; got != stdlib.StateUntouched {
		t.Errorf("the storage domain is %s", got)
	}
	if r.Action != "patch_night" || r.Evidence == nil || r.Evidence.Ground != stdlib.GroundReleased {
		t.Errorf("%s, evidence %+v", r.Action, r.Evidence)
	}
	if after := p.described("primary"); !reflect.DeepEqual(after, before) {
		t.Errorf("the VMs are\n%v\nwere\n%v", after, before)
	}
	if effects := p.effectsAt("secondary"); len(effects) > 0 {
		t.Errorf("changed at secondary: %v", effects)
	}
	p.sound("primary", counters)
	if joined := strings.Join(p.effectsAt("primary"), "\n"); strings.Index(joined, "shutdown vm3") > strings.Index(joined, "shutdown vm1") {
		t.Errorf("the last rank does not go down first:\n%s", joined)
	}
}

// TestPatchNightIsKilled kills drrun after each effect of a patch night and goes on: nothing is shut down or started twice.
func TestPatchNightIsKilled(t *testing.T) {
	t.Parallel()
	reference := newPair(t, 1, lab.TwoSitesOptions{})
	reference.hook(patchNight)
	reference.quiet()
	reference.count()
	expect(t, reference.own("patch_night", nil), 0)
	effects, want := reference.effects, len(reference.changes())
	if effects < 8 {
		t.Fatalf("%d effects", effects)
	}
	for at := 1; at <= effects; at++ {
		p := newPair(t, 1, lab.TwoSitesOptions{})
		p.hook(patchNight)
		p.quiet()
		p.count()
		killed := false
		p.afterEffect = func(effect int) {
			if effect == at && !killed {
				killed = true
				p.world.Group("drrun").Kill()
			}
		}
		p.own("patch_night", nil)
		if !killed {
			t.Fatalf("effect %d was not reached", at)
		}
		p.disarm()
		runs := p.runIDs()
		if len(runs) == 0 {
			continue // before there was a run
		}
		if r := p.goOnWith(runs[0]); r.Exit != 0 && r.Exit != 3 {
			t.Errorf("killed after effect %d: exit %d: %+v", at, r.Exit, r.Error)
		}
		if got := p.changes(); len(got) > want+2 { // HA can be switched off and on once more
			t.Errorf("killed after effect %d: %d changes, %d without a kill", at, len(got), want)
		}
		if started := p.started(); len(started) != 3 {
			t.Errorf("killed after effect %d: started %v", at, started)
		}
		p.sound("primary", nil)
	}
}

// TestOwnActions runs actions that people write.
func TestOwnActions(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, lua string
		exit      int
		code      string
		words     string // in the error
		states    string // of the VMs
		started   int
	}{
		{name: "it only looks", lua: `plan.actions.go = function(ctx) ctx:log(ctx.action .. " at " .. ctx.target.name .. ": " .. ctx.target:vm("vm1"):status()) end`,
			states: "untouched untouched untouched"},
		{name: "rolling restart", lua: `plan.actions.go = function(ctx)
			for _, fact in ipairs(ctx.facts.vms) do
				local vm = ctx.target:vm(fact.id)
				vm:set_ha { enabled = false }
				vm:shutdown {}
				vm:start {}
				assert(vm:wait_boot().ok)
			end
			dr.steps.repair(ctx)
		end`, states: "up up up", started: 3},
		{name: "stop a rank", lua: `plan.actions.go = function(ctx)
			for _, fact in ipairs(ctx.facts.vms) do
				if fact.rank == 1 then ctx.target:vm(fact.id):shutdown {} end
			end
		end`, states: "untouched stopped stopped"},
		{name: "stop, start, stop", lua: `plan.actions.go = function(ctx)
			local vm = ctx.target:vm("vm2")
			vm:shutdown {}
			vm:start {}
			vm:shutdown {}
		end`, exit: 5, code: "restarted", words: "into another action", states: "untouched up untouched", started: 1},
		{name: "the other site", lua: `plan.actions.go = function(ctx) ctx.source:vm("vm1"):start {} end`, exit: 3, code: "wrong-site", states: "untouched untouched untouched"},
		{name: "a shutdown with HA on", lua: `plan.actions.go = function(ctx) ctx.target:vm("vm1"):shutdown {} end`, exit: 3, words: "high availability is on", states: "untouched untouched untouched"},
		{name: "it moves storage", lua: `plan.actions.go = function(ctx) ctx.target:storage_domain("nfs_ds"):deactivate() end`, exit: 3, code: "not-stale", states: "untouched untouched untouched"},
		{name: "its error", lua: `plan.actions.go = function(ctx) ctx:fail("not tonight") end`, exit: 3, code: "failed-by-plan", words: "not tonight", states: "untouched untouched untouched"},
		{name: "a misspelt name", lua: `plan.actions.goo = function(ctx) end`, exit: 2, code: "unknown-action", words: `no action "go"`},
		{name: "no action", exit: 2, code: "unknown-action"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook(c.lua)
			r := p.own("go", nil)
			expect(t, r, c.exit)
			if c.exit != 0 && (c.code != "" && r.Error.Code != c.code || !strings.Contains(r.Error.Message, c.words)) {
				t.Errorf("error %+v", r.Error)
			}
			var states []string
			for _, vm := range r.VMs {
				states = append(states, vm.Status)
			}
			if got := strings.Join(states, " "); got != c.states {
				t.Errorf("the VMs are %s, want %s", got, c.states)
			}
			if started := p.started(); len(started) != c.started {
				t.Errorf("started %v", started)
			}
			for _, v := range p.lab.View().Violations {
				t.Errorf("violation: %s", v.Text)
			}
		})
	}
}

// TestOwnActionAwayFromHome runs actions while the VMs are at the secondary site.
func TestOwnActionAwayFromHome(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(patchNight)
	p.lose()
	expect(t, p.failover(nil), 0)
	started := len(p.started())

	r := p.own("patch_night", nil) // the primary is silent: who can say that the VMs are at the secondary alone?
	expect(t, r, 3)
	if r.Error.Code != "where" || !strings.Contains(r.Error.Message, "primary does not answer") || !strings.Contains(r.Error.Hint, "--site") {
		t.Errorf("%+v", r.Error)
	}
	r = p.own("patch_night", func(o *runner.Options) { o.Site = "secondary" })
	expect(t, r, 3) // nothing says that the primary is down: what is shut down now could not be started again
	if r.Error.Code != "no-evidence" || len(p.started()) != started || len(p.stops("secondary")) > 0 {
		t.Errorf("%+v, started %v, stopped %v", r.Error, p.started(), p.stops("secondary"))
	}
	r = p.own("patch_night", func(o *runner.Options) {
		o.Site, o.ConfirmSourceDown = "secondary", "Ann: no power"
	})
	expect(t, r, 0)
	if len(r.Verdicts) == 0 || !strings.Contains(r.Verdicts[0], "NOT ISOLATED: do not power on the primary") || len(p.started()) != started+3 {
		t.Errorf("%v, started %v", r.Verdicts, p.started())
	}
	if len(p.lab.View().Violations) > 0 {
		t.Errorf("%v", p.lab.View().Violations)
	}
}

// TestOwnActionAtBothSites tries to start what a site that came back still has, while the VMs run at the other one.
func TestOwnActionAtBothSites(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`function plan.actions.start_all(ctx) dr.steps.boot(ctx) end`)
	p.lose()
	expect(t, p.failover(nil), 0)
	started := len(p.started())
	p.lab.Heal("primary")
	p.do(func(env engine.Env) { _, _ = env.Clock.Wait(t.Context(), forLongEnough, nil) })
	story := len(p.lab.View().Violations) // the old site restarts its HA VMs by itself

	r := p.own("start_all", nil)
	expect(t, r, 3)
	if r.Error.Code != "where" || !strings.Contains(r.Error.Message, "not at one site: both") {
		t.Errorf("%+v", r.Error)
	}
	r = p.own("start_all", func(o *runner.Options) { o.Site, o.ConfirmSourceDown = "primary", confirmed })
	expect(t, r, 3)
	if r.Error.Code != "no-evidence" || len(p.started()) != started {
		t.Errorf("%+v, started %v", r.Error, p.started())
	}
	if v := p.lab.View().Violations; len(v) > story {
		t.Errorf("%v", v[story:])
	}
}

// TestOwnActionInADryRun lists what it would do.
func TestOwnActionInADryRun(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(patchNight)
	r := p.own("patch_night", func(o *runner.Options) { o.DryRun = true })
	expect(t, r, 0)
	var calls []string
	for _, call := range r.DryRun.Calls {
		calls = append(calls, call.Text)
	}
	want := "shut down vm2, shut down vm3, switch HA off for vm1, shut down vm1, start vm1, start vm2, start vm3, switch HA on for vm1"
	if got := strings.Join(calls, ", "); got != want {
		t.Errorf("it would %s\nwant %s", got, want)
	}
	if len(p.changes()) > 0 {
		t.Error("it changed something")
	}
}

// TestOwnActionExample runs each action of the example.
func TestOwnActionExample(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../examples/own-actions/plan.lua")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		action, states string
		started        int
	}{
		{"patch_night", "up up up", 3},
		{"rolling_restart", "up up up", 3},
		{"start_rank_0", "untouched untouched untouched", 0},
		{"what_runs", "untouched untouched untouched", 0},
	} {
		t.Run(c.action, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 16, lab.TwoSitesOptions{})
			p.write("/site/plan.lua", regexp.MustCompile(`ca_file = "[a-z-]+.pem"`).ReplaceAllString(string(text), "insecure = true"))
			before := p.described("primary")
			r := p.own(c.action, nil)
			expect(t, r, 0)
			var states []string
			for _, vm := range r.VMs {
				states = append(states, vm.Status)
			}
			if got := strings.Join(states, " "); got != c.states || len(p.started()) != c.started {
				t.Errorf("the VMs are %s, want %s; started %v", got, c.states, p.started())
			}
			if after := p.described("primary"); !reflect.DeepEqual(after, before) {
				t.Errorf("the VMs are\n%v\nwere\n%v", after, before)
			}
			p.sound("primary", nil)
		})
	}
}
