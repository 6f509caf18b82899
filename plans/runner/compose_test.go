package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// composed makes a pair whose plan has a workflow of its own: two consistency groups with two VMs each, in three ranks.
func composed(t *testing.T, workflow string) *pair {
	t.Helper()
	p := newPair(t, 5, lab.TwoSitesOptions{VMs: 4, Domains: 2})
	p.groups()
	text := p.read("/site/plan.lua")
	for name, rank := range map[string]string{"vm1": "0", "vm2": "1", "vm3": "1", "vm4": "2"} {
		text = withRank(t, text, name, rank)
	}
	p.write("/site/plan.lua", text)
	p.edit("return plan\n", "local steps = dr.steps\n"+workflow+"\nreturn plan\n")
	return p
}

// withRank gives a VM of a generated plan another rank.
func withRank(t *testing.T, text, name, rank string) string {
	t.Helper()
	before, after, found := strings.Cut(text, `{ name = "`+name+`"`)
	at := strings.Index(after, "rank = ")
	if !found || at < 0 {
		t.Fatalf("the plan has no VM %s with a rank:\n%s", name, text)
	}
	return before + `{ name = "` + name + `"` + after[:at] + "rank = " + rank + after[at+len("rank = ")+1:]
}

const untilRegistered = `  steps.preflight(ctx)
  steps.evidence(ctx)
  steps.promote(ctx)
  steps.import(ctx)
  steps.register(ctx)
`

// TestComposedWorkflows runs failovers that are made of dr.steps with options, and the built-in one with changes.
func TestComposedWorkflows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, workflow string
		exit           int
		started        string // groups that start together divided by "|"
		says           []string
	}{
		{"some ranks, a person, the rest", "function plan.failover(ctx)\n" + untilRegistered + `  steps.boot(ctx, { ranks = { 0, 1 } })
  if not ctx:confirm("go_on", "Are the databases well?") then ctx:fail "not yet" end
  steps.boot(ctx)
  steps.verify(ctx)
end`, 0, "vm1 | vm2 vm3 | vm4", nil},
		{"a list, in its order", "function plan.failover(ctx)\n" + untilRegistered + `  for _, name in ipairs { "vm4", "vm2", "vm3", "vm1" } do steps.boot(ctx, { vms = { name } }) end
  steps.verify(ctx)
end`, 0, "vm4 | vm2 | vm3 | vm1", nil},
		{"a choice", "function plan.failover(ctx)\n" + untilRegistered + `  steps.boot(ctx, { only = function(vm) return vm.ha end })
  steps.boot(ctx)
end`, 0, "vm1 | vm2 | vm3 | vm4", nil},
		{"a part only", "function plan.failover(ctx)\n" + untilRegistered + `  steps.boot(ctx, { ranks = { 0 } })
end`, 4, "vm1", []string{"vm2 is registered", "the workflow ended without starting it"}},
		{"nothing", "function plan.failover(ctx)\n  steps.evidence(ctx)\nend", 4, "", []string{"storage domain nfs_ds is pending", "the workflow ended without registering it"}},
		{"one group after the other", `function plan.failover(ctx)
  steps.evidence(ctx)
  for _, group in ipairs { "nfs_ds2", "nfs_ds" } do
    local only = { groups = { group } }
    steps.promote(ctx, only)
    steps.import(ctx, only)
    steps.register(ctx, only)
    steps.boot(ctx, only)
  end
  steps.verify(ctx)
end`, 0, "vm2 | vm4 | vm1 | vm3", nil},
		{"a stage between", `function plan.failover(ctx)
  dr.workflows.failover(ctx, { before = { boot = function(ctx) ctx:warn "now the boot" end }, skip = { "reprotect" } })
end`, 0, "vm1 | vm2 vm3 | vm4", []string{"now the boot", "the stage reprotect is left out", "reverse replication: NOT known to run for group nfs_ds2"}},
		{"a stage behind, and one instead", `function plan.failover(ctx)
  dr.workflows.failover(ctx, {
    instead = { boot = function(ctx) steps.boot(ctx, { ranks = { 2 } }) end },
    after = { boot = function(ctx) steps.boot(ctx) end },
  })
end`, 0, "vm4 | vm1 | vm2 vm3", nil},
		{"boot twice starts nothing twice", "function plan.failover(ctx)\n  dr.workflows.failover(ctx)\n  steps.boot(ctx)\nend", 0, "vm1 | vm2 vm3 | vm4", nil},
		{"a group is misspelt", "function plan.failover(ctx)\n  steps.promote(ctx, { groups = { \"nfs_ds3\" } })\nend", 3, "", []string{"consistency group nfs_ds3", `did you mean "nfs_ds"`}},
		{"a rank that is none", "function plan.failover(ctx)\n" + untilRegistered + "  steps.boot(ctx, { ranks = { 7 } })\nend", 5, "", []string{"rank 7", "it has: 0, 1, 2"}},
		{"a VM is misspelt", "function plan.failover(ctx)\n" + untilRegistered + "  steps.boot(ctx, { vms = { \"vm11\" } })\nend", 5, "", []string{"VM vm11", `did you mean "vm1"`, "steps.boot(ctx, { vms = { \"vm11\" } })"}},
		{"an option is misspelt", "function plan.failover(ctx)\n  local given = { grups = { \"nfs_ds\" } }\n  steps.promote(ctx, given)\nend", 3, "", []string{"grups", `did you mean "groups"`, "steps.promote(ctx, given)"}},
		{"an option of another stage", "function plan.failover(ctx)\n  local given = { ranks = { 0 } }\n  steps.import(ctx, given)\nend", 3, "", []string{"import takes no ranks"}},
		{"a change is misspelt", "function plan.failover(ctx)\n  local given = { befor = {} }\n  dr.workflows.failover(ctx, given)\nend", 3, "", []string{"befor", "did you mean before?"}},
		{"a stage is misspelt", "function plan.failover(ctx)\n  local given = { skip = { \"repairs\" } }\n  dr.workflows.failover(ctx, given)\nend", 3, "", []string{"repairs", "did you mean repair?"}},
		{"a change that is no function", "function plan.failover(ctx)\n  dr.workflows.failover(ctx, { before = { boot = true } })\nend", 3, "", []string{"before.boot must be a function"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := composed(t, c.workflow)
			p.lose()
			r := p.failover(func(o *runner.Options) {
				asked := answers{"promote_storage": "writable,as_of=unknown", "go_on": "yes"}
				o.Asker, o.CanAnswer = asked, asked.can
			})
			expect(t, r, c.exit)
			startedInGroups(t, p.started(), c.started)
			for _, words := range c.says {
				if text := everythingSaid(r); !strings.Contains(text, words) {
					t.Errorf("the result does not say %q:\n%s", words, text)
				}
			}
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}

// startedInGroups compares the order of starts with groups of names divided by "|"; inside a group any order will do.
func startedInGroups(t testing.TB, started []string, want string) {
	t.Helper()
	all := started
	for group := range strings.SplitSeq(want, "|") {
		names := strings.Fields(group)
		if len(started) < len(names) || !slices.Equal(slices.Sorted(slices.Values(started[:len(names)])), slices.Sorted(slices.Values(names))) {
			t.Errorf("started %v, want %q", all, want)
			return
		}
		started = started[len(names):]
	}
	if len(started) > 0 {
		t.Errorf("started %v, want %q", all, want)
	}
}

// everythingSaid is all that a result tells people.
func everythingSaid(r *runner.Result) string {
	lines := append(slices.Clone(r.Warnings), r.Verdicts...)
	if r.Error != nil {
		lines = append(lines, r.Error.Message, r.Error.Hint, r.Error.Source)
	}
	for _, vm := range r.VMs {
		lines = append(lines, vm.Name+" is "+vm.Status+": "+vm.Error)
	}
	return strings.Join(lines, "\n")
}

// TestPartialBootKeepsTheOrder: a boot of some VMs that would break an after list starts nothing, and says so.
func TestPartialBootKeepsTheOrder(t *testing.T) {
	t.Parallel()
	p := composed(t, "function plan.failover(ctx)\n"+untilRegistered+"  steps.boot(ctx, { ranks = { 2 } })\nend")
	text := p.read("/site/plan.lua")
	p.write("/site/plan.lua", strings.Replace(text, `{ name = "vm4"`, `{ after = { "vm1" }, name = "vm4"`, 1))
	p.lose()
	r := p.failover(nil)
	expect(t, r, 5)
	if started := p.started(); len(started) > 0 || !strings.Contains(r.Error.Message, "vm4 comes after vm1") {
		t.Errorf("started %v: %+v", started, r.Error)
	}
}

// TestPartialBootIsResumed cuts a workflow that boots in parts: the resumed run goes on with the rest, and starts nothing twice.
func TestPartialBootIsResumed(t *testing.T) {
	t.Parallel()
	p := composed(t, "function plan.failover(ctx)\n"+untilRegistered+`  steps.boot(ctx, { vms = { "vm1", "vm2" } })
  if ctx.run.attempt == 1 then ctx:fail "the lights went out" end
  steps.boot(ctx)
end
plan:on("before_rank", function(ctx, rank) ctx:warn("rank " .. rank.id) end)`)
	p.lose()
	first := p.failover(nil)
	expect(t, first, 5)
	second := p.resume(first.Run, nil)
	expect(t, second, 0)
	startedInGroups(t, p.started(), "vm1 | vm2 | vm3 | vm4")
	if got := strings.Join(append(first.Warnings, second.Warnings...), ", "); strings.Count(got, "rank 1.1") != 1 || strings.Count(got, "rank 1.2") != 1 || strings.Count(got, "rank 2") != 1 {
		t.Errorf("ranks: %s", got)
	}
}

// TestPlannedGroupsAreImportedFirst: in a planned move no VM of one group is registered before the copies of all are there.
func TestPlannedGroupsAreImportedFirst(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, before, behind string
		exit                 int
	}{
		{"one after the other", "", "", 5},
		{"imported first", "  end\n  for _, group in ipairs { \"nfs_ds2\", \"nfs_ds\" } do\n    local only = { groups = { group } }\n", "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := composed(t, `function plan.failover(ctx)
  steps.confirm_replication(ctx)
  steps.stop_source(ctx)
  steps.release_storage(ctx)
  steps.evidence(ctx)
  for _, group in ipairs { "nfs_ds2", "nfs_ds" } do
    local only = { groups = { group } }
    steps.promote(ctx, only)
    steps.import(ctx, only)
`+c.before+`    steps.register(ctx, only)
    steps.boot(ctx, only)
  end
  steps.repair(ctx)
  steps.leave_source(ctx)
end`)
			r := p.planned(plans.ActionFailover, &storageAdmin{p: p}, nil)
			expect(t, r, c.exit)
			if c.exit == 0 {
				startedInGroups(t, p.started(), "vm2 | vm4 | vm1 | vm3")
			} else if !strings.Contains(r.Error.Message, "invariant I6") {
				t.Errorf("%+v", r.Error)
			}
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}

// TestLeftOutRepairIsReported: a planned move whose workflow leaves out the stage that gives VMs back what they had is not done.
func TestLeftOutRepairIsReported(t *testing.T) {
	t.Parallel()
	for exit, changes := range map[int]string{0: "nil", 4: `{ skip = { "repair" } }`} {
		p := composed(t, "function plan.failover(ctx) dr.workflows.failover(ctx, "+changes+") end")
		before := p.counters("primary")
		r := p.planned(plans.ActionFailover, nil, nil)
		expect(t, r, exit)
		p.sound("secondary", before)
		if exit == 4 && (!strings.Contains(r.Error.Message, "VM vm1 does not have back its high availability") || !strings.Contains(everythingSaid(r), "the stage repair is left out")) {
			t.Errorf("%+v\n%s", r.Error, everythingSaid(r))
		}
	}
}
