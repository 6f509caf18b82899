package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestDryRun lists the changing calls of a failover and makes none; the failover that follows on the same world makes just those.
func TestDryRun(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name    string
		options lab.TwoSitesOptions
		edit    func(p *pair)
	}{
		{"three VMs", lab.TwoSitesOptions{}, func(*pair) {}},
		{"twelve VMs on two storage domains", lab.TwoSitesOptions{VMs: 12, Domains: 2}, func(*pair) {}},
		{"an uninitialized data center", lab.TwoSitesOptions{VMs: 4, Domains: 2, EmptySecondary: true}, func(*pair) {}},
		{"a required VM, one that stays down, and hooks", lab.TwoSitesOptions{}, func(p *pair) {
			p.edit(`rank = 0, boot`, `rank = 0, required = true, boot`)
			p.edit(`rank = 1, boot = dr.boot.wait "60s"`, `start = false`)
			p.edit("return plan\n", `plan:on("before_start", function(ctx, vm) ctx:step("x", function() return 1 end) end)
plan:on("promote_storage", function() return { writable = true } end, { as = "array" })
return plan
`)
		}},
		{"a workflow of the plan's own", lab.TwoSitesOptions{}, func(p *pair) {
			p.edit("return plan\n", `function plan.failover(ctx)
  ctx:evidence()
  for _, domain in ipairs(ctx.facts.storage_domains) do
    local imported = ctx.target:import_domain(domain.name)
    imported:attach()
    for _, template in ipairs(imported:unregistered_templates()) do template:register() end
    for _, vm in ipairs(imported:unregistered_vms()) do vm:register() end
  end
  for i = #ctx.facts.vms, 1, -1 do ctx.target:vm(ctx.facts.vms[i].id):start() end
end
return plan
`)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 6, c.options)
			c.edit(p)
			p.lose()
			dry := p.failover(func(o *runner.Options) {
				o.DryRun, o.ConfirmSourceDown, o.Asker, o.CanAnswer = true, "", answers{}, answers{}.can
			})
			expect(t, dry, 0)
			if len(p.changes()) > 0 {
				t.Fatalf("the dry run changed something: %v", p.changes())
			}
			if dry.Evidence == nil || dry.Evidence.Holds {
				t.Errorf("the evidence is shown as %+v; nobody has confirmed anything", dry.Evidence)
			}
			var said, done []string
			for _, call := range dry.DryRun.Calls {
				said = append(said, call.Text)
			}
			expect(t, p.failover(nil), 0)
			for _, entry := range p.changes() {
				done = append(done, entry.Effect)
			}
			// What runs at the same time has no order: the stages and ranks have.
			if kinds(said) != kinds(done) {
				t.Errorf("said in order %s, done %s", kinds(said), kinds(done))
			}
			slices.Sort(said)
			slices.Sort(done)
			if !slices.Equal(said, done) {
				t.Errorf("said\n%s\ndone\n%s", strings.Join(said, "\n"), strings.Join(done, "\n"))
			}
		})
	}
}

// kinds is the order of the kinds of calls: import import attach … without repetitions.
func kinds(calls []string) string {
	var order []string
	for _, call := range calls {
		kind, _, _ := strings.Cut(call, " ")
		order = append(order, kind)
	}
	return strings.Join(slices.Compact(order), " ")
}

func TestDryRunWhileTheSourceIsUp(t *testing.T) {
	t.Parallel()
	p := newPair(t, 6, lab.TwoSitesOptions{})
	r := p.failover(func(o *runner.Options) { o.DryRun = true })
	expect(t, r, 0)
	if r.Evidence == nil || r.Evidence.Holds || !strings.Contains(r.Evidence.Why, `"nfs_ds" is active`) || len(r.DryRun.Calls) != 11 {
		t.Errorf("evidence %+v, %d calls", r.Evidence, len(r.DryRun.Calls))
	}
	if len(p.changes()) > 0 {
		t.Errorf("the dry run changed something: %v", p.changes())
	}
	// It is no run that anything waits for.
	p.lose()
	expect(t, p.failover(nil), 0)
}
