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

// pausing is a person who takes five minutes for a question, in which the source comes back.
type pausing struct {
	answers
	p     *pair
	clock engine.Clock
}

func (a pausing) Ask(ctx context.Context, q engine.Question) (string, error) {
	if !strings.HasPrefix(q.Name, "pause") {
		return a.answers.Ask(ctx, q)
	}
	if err := a.p.lab.Heal("primary"); err != nil {
		return "", err
	}
	_, err := a.clock.Wait(ctx, 5*time.Minute, nil)
	return "continue", err
}

// TestAttachAsksTheGate has a workflow that attaches long after it looked at the source, which is back and has the storage active.
func TestAttachAsksTheGate(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{VMs: 1})
	p.edit("return plan\n", `function plan.failover(ctx)
  require("dr.steps").evidence(ctx)
  ctx.target:import_domain("nfs_ds")
  ctx:prompt { name = "pause", text = "go on?", choices = { "continue" } }
  ctx.target:storage_domain("nfs_ds"):attach()
end
return plan
`)
	p.lose()
	r := p.failover(func(o *runner.Options) { o.Asker = pausing{writable, p, o.Env.Clock} })
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "no-evidence" {
		t.Errorf("error %+v", r.Error)
	}
	for _, violation := range p.lab.View().Violations {
		if violation.Kind == lab.ViolationAttachedTwice {
			t.Error(violation.Text)
		}
	}
}
