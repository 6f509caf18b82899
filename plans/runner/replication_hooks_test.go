package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestDemoteWhereTheSourceIsLost: in an unplanned failover an array that does not answer is a warning, and the failover goes on.
func TestDemoteWhereTheSourceIsLost(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`plan:on("demote_storage", function(ctx, group) error("array 1 is silent") end)`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, runner.ExitDone)
	warned := slices.ContainsFunc(p.out, func(e engine.Event) bool {
		return strings.Contains(e.Text, "the storage of group all was not made read-only at primary") && strings.Contains(e.Text, "array 1 is silent")
	})
	if !warned || len(p.started()) != 3 {
		t.Errorf("warned %t, started %v", warned, p.started())
	}
}

// TestEnsureReplication: before the first shutdown the hook sees to the replication. Its error leaves everything as it is, and nobody is
// asked what it knows.
func TestEnsureReplication(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`plan:on("ensure_replication", function(ctx, group)
  if ctx.run.attempt == 1 then error("group " .. group.name .. " does not replicate to " .. ctx.target.name) end
  ctx:log(": ensured " .. group.name)
end, { on_cut = "retry" })`)
	admin := &storageAdmin{}
	r := p.planned(plans.ActionFailover, admin, nil)
	if r.Exit == runner.ExitDone || !strings.Contains(r.Error.Message, "group all does not replicate to secondary") {
		t.Fatalf("exit %d: %+v", r.Exit, r.Error)
	}
	if changes := p.changes(); len(changes) > 0 {
		t.Errorf("%d changing requests", len(changes))
	}
	expect(t, p.resume(r.Run, func(o *runner.Options) { p.byAdmin(admin, o) }), runner.ExitDone)
	if slices.ContainsFunc(admin.asked, func(name string) bool { return strings.HasPrefix(name, "replication") }) {
		t.Errorf("asked %q", admin.asked)
	}
	if logged := p.logged(); !slices.Equal(logged, []string{"ensured all"}) {
		t.Errorf("logged %q", logged)
	}
}
