package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/stdlib"
)

// TestAfterRunSeesTheResult has a hook that fails and is passed over: what after_run is told of the run is what the result says.
func TestAfterRunSeesTheResult(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`plan:on("after_start", function(ctx, vm) error("the load balancer is away") end, { on_error = "continue" })
plan:on("after_run", function(ctx, result) ctx:log(": " .. result.status) end)`)
	p.lose()
	r := p.failover(nil)
	expect(t, r, 4)
	if told := p.logged(); !slices.Equal(told, []string{r.Status}) {
		t.Errorf("after_run was told %v, the result says %s", told, r.Status)
	}
}

// TestOwnActionForgetsHA has actions that switch HA off for a shutdown and never on again: no later run knows that a VM had it.
func TestOwnActionForgetsHA(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, lua string
		exit      int
		words     string // in the error or a warning
	}{
		{"it is up again", `dr.steps.shut_down(ctx) dr.steps.boot(ctx)`, 4, "VM vm1 does not have back its high availability"},
		{"it stays down", `dr.steps.shut_down(ctx)`, 0, "VM vm1 is down and without its high availability"},
		{"it is given back", `dr.steps.shut_down(ctx) dr.steps.boot(ctx) dr.steps.repair(ctx)`, 0, ""},
		{"that is all it does", `ctx.target:vm("vm1"):set_ha { enabled = false }`, 0, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook(`function plan.actions.go(ctx) ` + c.lua + ` end`)
			r := p.own("go", nil)
			expect(t, r, c.exit)
			said := strings.Join(r.Warnings, "\n")
			if r.Error != nil {
				said += r.Error.Message
			}
			if !strings.Contains(said, c.words) || c.words == "" && strings.Contains(said, "high availability") {
				t.Errorf("it says %q, want %q", said, c.words)
			}
		})
	}
}

// TestPatchNightOfAVMThatIsNotMoved shuts down a VM that the plan starts nowhere after a move: where it lives it ran, and runs again.
func TestPatchNightOfAVMThatIsNotMoved(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit(`name = "vm3",`, `name = "vm3", start = false,`)
	p.hook(patchNight)
	r := p.own("patch_night", nil)
	expect(t, r, 0)
	if got := vm(t, r, "vm3"); got.Status != stdlib.StateUp {
		t.Errorf("vm3 ran before the patch night and is %s: %s", got.Status, got.Error)
	}
}
