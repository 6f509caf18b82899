package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestAbort closes a run that was killed, in each of three moments, and sees that another failover may begin.
func TestAbort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		record  int
		reached string
		left    []string
	}{
		{"before its facts", 2, "it had changed nothing", nil},
		{"before its first change", 12, "it had changed nothing", nil},
		{"in the middle", 46, "on secondary: 1 of 1 storage domains active", []string{
			"of 3 VMs are not registered on secondary: register them there", "or let a new run do it, which leaves what runs as it is: drrun failover /site/plan.lua --confirm-source-down", "reverse replication: NOT ready: until it runs from secondary to primary",
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 4, lab.TwoSitesOptions{})
			p.quiet()
			p.lose()
			p.disk.OnAppend = func(path string, n int) {
				if strings.HasSuffix(path, "journal.jsonl") && n == c.record {
					p.world.Group("drrun").Kill()
				}
			}
			p.failover(nil)
			p.disk.OnAppend = nil
			p.wait(time.Second) // a request that was under way arrives
			before := len(p.changes())
			var runs []engine.RunInfo
			p.do(func(env engine.Env) { runs, _ = engine.ListRuns(env, "/state") })
			if len(runs) != 1 || !runs[0].Unfinished() {
				t.Fatalf("the run was not cut: %+v", runs)
			}
			refused := p.failover(nil)
			expect(t, refused, 3)
			if !strings.Contains(refused.Error.Hint, "drrun abort "+runs[0].ID) {
				t.Errorf("the hint names no way out: %s", refused.Error.Hint)
			}
			abort := func() (r *runner.Result) {
				p.do(func(env engine.Env) {
					r = runner.Abort(context.Background(), context.Background(), p.options(env, nil), runs[0].ID[:18])
				})
				return r
			}
			r := abort()
			expect(t, r, 0)
			said := strings.Join(r.Verdicts, "\n")
			for _, want := range append(c.left, c.reached) {
				if !strings.Contains(said, want) {
					t.Errorf("it says %q, want %q", r.Verdicts, want)
				}
			}
			if c.left == nil && len(r.Verdicts) != 1 {
				t.Errorf("it says %q", r.Verdicts)
			}
			if len(p.changes()) != before {
				t.Errorf("abort changed something in an engine: %+v", p.changes()[before:])
			}
			expect(t, abort(), 3)
			expect(t, p.resume(runs[0].ID, nil), 3)
			expect(t, p.failover(nil), 0)
		})
	}
}
