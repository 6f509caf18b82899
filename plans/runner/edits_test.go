package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// started returns the names of the VMs in the order in which their start requests had their effect.
func (p *pair) started() []string {
	var names []string
	for _, entry := range p.changes() {
		if name, ok := strings.CutPrefix(entry.Effect, "start "); ok {
			names = append(names, name)
		}
	}
	return names
}

// vm returns the fate of a VM in a result.
func vm(t *testing.T, r *runner.Result, name string) runner.ObjectResult {
	t.Helper()
	i := slices.IndexFunc(r.VMs, func(o runner.ObjectResult) bool { return o.Name == name })
	if i < 0 {
		t.Fatalf("the result has no VM %s", name)
	}
	return r.VMs[i]
}

// TestEdits changes the generated plan by hand; each change shows in what the lab saw.
func TestEdits(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name string
		edit func(p *pair)
		exit int
		want func(t *testing.T, p *pair, r *runner.Result)
	}{
		{
			name: "the plan as generated starts the HA VM first",
			edit: func(*pair) {},
			want: func(t *testing.T, p *pair, r *runner.Result) {
				if order := p.started(); order[0] != "vm1" {
					t.Errorf("started %v", order)
				}
				if up, next := vm(t, r, "vm1").UpAt, vm(t, r, "vm2").StartedAt; !up.Before(*next) {
					t.Errorf("vm2 was started at %v, vm1 was up at %v", next, up)
				}
			},
		},
		{
			name: "ranks turned round",
			edit: func(p *pair) {
				p.edit(`rank = 0, boot = dr.boot.guest_agent`, `rank = 3, boot = dr.boot.guest_agent`)
				p.edit(`rank = 1, boot = dr.boot.wait`, `rank = 0, boot = dr.boot.wait`)
			},
			want: func(t *testing.T, p *pair, _ *runner.Result) {
				if order := p.started(); !slices.Equal(order, []string{"vm3", "vm2", "vm1"}) {
					t.Errorf("started %v", order)
				}
			},
		},
		{
			name: "a longer delay holds the next rank up",
			edit: func(p *pair) {
				p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = dr.boot.wait "7m"`)
			},
			want: func(t *testing.T, _ *pair, r *runner.Result) {
				if gap := vm(t, r, "vm2").StartedAt.Sub(*vm(t, r, "vm1").UpAt); gap < 7*time.Minute || gap > 7*time.Minute+10*time.Second {
					t.Errorf("vm2 was started %s after vm1 was up", gap)
				}
			},
		},
		{
			name: "start = false registers and leaves down",
			edit: func(p *pair) { p.edit(`rank = 1, boot = dr.boot.wait "60s"`, `start = false`) },
			want: func(t *testing.T, p *pair, r *runner.Result) {
				if slices.Contains(p.started(), "vm3") || vm(t, r, "vm3").Status != "not_started" {
					t.Errorf("started %v; vm3 is %s", p.started(), vm(t, r, "vm3").Status)
				}
				for _, there := range p.lab.View().Sites["secondary"].VMs {
					if there.Name == "vm3" && there.Status != "down" {
						t.Errorf("vm3 is %s", there.Status)
					}
				}
			},
		},
		{
			name: "a hook",
			edit: func(p *pair) {
				p.edit("return plan\n", `plan:on("before_start", function(ctx, vm) if vm.name == "vm2" then error("vm2 is not wanted today") end end, { as = "veto" })
return plan
`)
			},
			exit: 4,
			want: func(t *testing.T, p *pair, r *runner.Result) {
				if slices.Contains(p.started(), "vm2") || !strings.Contains(vm(t, r, "vm2").Error, "vm2 is not wanted today") {
					t.Errorf("started %v; vm2: %+v", p.started(), vm(t, r, "vm2"))
				}
			},
		},
		{
			name: "a library from lib/ with options",
			edit: func(p *pair) {
				p.write("/site/lib/site/array.lua", `local dr = require "dr"
return dr.library {
  name = "array", version = "1.0",
  options = { vserver = { type = "string", required = true } },
  hooks = {
    promote_storage = function(ctx, group, options)
      ctx:log("promoted " .. group.name .. " on " .. options.vserver)
      return { writable = true, as_of = "unknown" }
    end,
  },
}
`)
				p.edit("return plan\n", "plan:use(require \"site.array\" { vserver = \"svm_dr\" })\nreturn plan\n")
			},
			want: func(t *testing.T, p *pair, _ *runner.Result) {
				if !strings.Contains(p.read(p.journal()), "promoted all on svm_dr") {
					t.Error("the library's hook did not run")
				}
			},
		},
		{
			name: "a Lua boot condition",
			edit: func(p *pair) {
				p.edit(`rank = 0, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 0, boot = function(ctx, vm)
      for _, event in ipairs(ctx.target:events { max = 500 }) do
        if event.code == 32 and event.vm_id == vm.id then return vm:fqdn() ~= nil end
      end
      return false
    end`)
			},
			want: func(t *testing.T, _ *pair, r *runner.Result) {
				if gap := vm(t, r, "vm2").StartedAt.Sub(*vm(t, r, "vm1").UpAt); gap < 5*time.Second {
					t.Errorf("vm2 was started %s after vm1 was up: nobody waited for the agent", gap)
				}
			},
		},
		{
			name: "a workflow of primitives only, in reverse rank order",
			edit: func(p *pair) {
				p.edit("return plan\n", `function plan.failover(ctx)
  ctx:evidence()
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local imported = ctx.target:import_domain(domain.name)
    imported:attach { timeout = "15m" }
    for _, template in ipairs(imported:unregistered_templates()) do template:register() end
    for _, vm in ipairs(imported:unregistered_vms()) do vm:register() end
  end
  local vms = ctx.facts.vms
  for i = #vms, 1, -1 do
    ctx.target:vm(vms[i].id):start { timeout = "10m" }
  end
end

return plan
`)
			},
			want: func(t *testing.T, p *pair, _ *runner.Result) {
				var effects []string
				for _, entry := range p.changes() {
					effects = append(effects, entry.Effect)
				}
				want := []string{"import storage domain nfs_ds", "attach storage domain nfs_ds", "register template rhel9", "register vm1", "register vm2", "register vm3", "start vm3", "start vm2", "start vm1"}
				if !slices.Equal(effects, want) {
					t.Errorf("the lab saw\n%s\nwant\n%s", strings.Join(effects, "\n"), strings.Join(want, "\n"))
				}
			},
		},
		{
			name: "a VM line deleted",
			edit: func(p *pair) {
				lines := strings.Split(p.read("/site/plan.lua"), "\n")
				lines = slices.DeleteFunc(lines, func(line string) bool { return strings.Contains(line, `name = "vm2"`) })
				p.write("/site/plan.lua", strings.Join(lines, "\n"))
			},
			want: func(t *testing.T, p *pair, r *runner.Result) {
				for _, entry := range p.changes() {
					if strings.Contains(entry.Effect, "vm2") {
						t.Errorf("vm2 is not in the plan, and the lab saw: %s", entry.Effect)
					}
				}
				if len(r.VMs) != 2 {
					t.Errorf("%d VMs in the result", len(r.VMs))
				}
			},
		},
		{
			name: "after inside a rank",
			edit: func(p *pair) {
				p.edit(`rank = 1, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 1, after = { "vm3" }`)
			},
			want: func(t *testing.T, _ *pair, r *runner.Result) {
				if gap := vm(t, r, "vm2").StartedAt.Sub(*vm(t, r, "vm3").UpAt); gap < 60*time.Second {
					t.Errorf("vm2 was started %s after vm3 was up; its condition is a delay of 60s", gap)
				}
			},
		},
		{
			name: "params reach hooks",
			edit: func(p *pair) {
				p.edit("  storage_domains = {", "  params = { who = \"nobody\" },\n  storage_domains = {")
				p.edit("return plan\n", `plan:on("before_run", function(ctx) ctx:log("asked by " .. ctx.params.who) end)
return plan
`)
			},
			want: func(t *testing.T, p *pair, _ *runner.Result) {
				if !strings.Contains(p.read(p.journal()), "asked by Ann") {
					t.Error("the parameter did not reach the hook")
				}
			},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 3, lab.TwoSitesOptions{})
			c.edit(p)
			p.lose()
			r := p.failover(func(o *runner.Options) { o.Params = map[string]any{"who": "Ann"} })
			if r.Exit != c.exit {
				expect(t, r, c.exit)
			}
			c.want(t, p, r)
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}
