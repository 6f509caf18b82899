package runner_test

import (
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestAfterFailedHooks has hooks that fail: nobody is told to start a VM that runs, and the way to go on with a corrected plan is named.
func TestAfterFailedHooks(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hook string
		boot       bool // a VM goes down by itself as well
		says       string
		not        []string
	}{
		{
			name: "one VM", hook: `plan:on("after_start", function(ctx, vm) if vm.name == "vm2" then error("no dns") end end)`,
			says: "vm2 runs; its hook after_start failed: mend that, then: drrun resume RUN", not: []string{"start it", "what is wrong with"},
		},
		{
			name: "all VMs", hook: `plan:on("verify_vm", function(ctx, vm) error("no dns") end)`,
			says: "vm1, vm2, vm3 run; their hooks verify_vm failed: mend that, then: drrun resume RUN", not: []string{"start them"},
		},
		{
			name: "and a VM that is down", boot: true, hook: `plan:on("after_start", function(ctx, vm) error("no dns") end)`,
			says: "vm1, vm3 run; their hooks after_start failed: mend that; mend what stopped vm2 and start it in the engine of secondary",
		},
		{
			name: "before the start", hook: `plan:on("after_register", function(ctx, vm) error("no cmdb") end)`,
			says: "correct what is wrong with them, then: drrun resume RUN", not: []string{" run;"},
		},
		{
			name: "passed over", hook: `plan:on("after_start", function(ctx, vm) error("no dns") end, { on_error = "continue" })`,
			says: "correct what is wrong with them, then: drrun resume RUN", not: []string{" run;"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.hook(c.hook)
			if c.boot {
				p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2"})
			}
			p.lose()
			first := p.failover(nil)
			p.wait(time.Minute)
			if next := p.next(); next != "drrun resume RUN" {
				t.Errorf("status says %q is next", next)
			}
			for _, r := range []*runner.Result{first, p.resume(first.Run, nil)} {
				expect(t, r, runner.ExitPartial)
				hint := strings.ReplaceAll(r.Error.Hint, r.Run, "RUN")
				if !strings.HasPrefix(hint, c.says) || !strings.HasSuffix(hint, "correct the file and go on with that: drrun resume RUN --plan") {
					t.Errorf("hint %q", hint)
				}
				for _, not := range c.not {
					if strings.Contains(hint, not) {
						t.Errorf("it says %q: %q", not, hint)
					}
				}
			}
		})
	}
}
