package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestHooksOfAStopThatWasCut: a VM that went down after drrun was killed has its after_stop in the resume, once, and a VM that was down
// before has none.
func TestHooksOfAStopThatWasCut(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.edit("return plan\n", `plan:on("before_stop", function(ctx, vm) ctx:log("stops: " .. vm.name) end)
plan:on("after_stop", function(ctx, vm) ctx:log("down: " .. vm.name) end)
return plan
`)
	p.engine("primary", func(ctx context.Context, site *ovirt.Site) error {
		_, err := site.ShutdownVM(ctx, p.vmID("vm3"), ovirt.ShutdownOptions{})
		return err
	})
	p.audited = len(p.allChanges())
	last := ""
	p.afterEffect = func(int) {
		if log := p.lab.Log(); strings.HasSuffix(log[len(log)-1].Path, "/shutdown") {
			last = log[len(log)-1].Path
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
	p.planned(plans.ActionFailover, nil, nil)
	if last == "" {
		t.Fatal("nothing was shut down")
	}
	p.wait(5 * time.Minute)
	expect(t, p.resume(p.runs()[0].ID, func(o *runner.Options) { p.byAdmin(nil, o) }), runner.ExitDone)
	var said []string
	for _, event := range p.out {
		if strings.HasPrefix(event.Text, "stops: ") || strings.HasPrefix(event.Text, "down: ") {
			said = append(said, event.Text)
		}
	}
	slices.Sort(said)
	if want := []string{"down: vm1", "down: vm2", "stops: vm1", "stops: vm2"}; !slices.Equal(said, want) {
		t.Errorf("the hooks said %q, want %q", said, want)
	}
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
}
