package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestSourceComesBackInTheLeaseWait heals the source while the run waits for leases to expire: nothing is attached.
func TestSourceComesBackInTheLeaseWait(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	var r *runner.Result
	p.do(func(env engine.Env) {
		env.Go(func() {
			_, _ = env.Clock.Wait(context.Background(), 40*time.Second, nil)
			if err := p.lab.Heal("primary"); err != nil {
				t.Error(err)
			}
		})
		r = runner.Start(context.Background(), context.Background(), p.options(env, writable))
	})
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, "the confirmation of Ann is void") {
		t.Errorf("error %+v", r.Error)
	}
	for _, change := range p.changes() {
		if strings.Contains(change.Path, "/datacenters/") {
			t.Errorf("%s %s: %s", change.Method, change.Path, change.Effect)
		}
	}
	var stages []string
	for _, event := range p.out {
		if event.Kind == "stage" {
			stages = append(stages, event.Text)
		}
		if strings.Contains(event.Text, "lease_expiry") && !strings.Contains(event.Text, "after this attempt first saw primary silent") {
			t.Errorf("it says %q", event.Text)
		}
	}
	if last := stages[len(stages)-2:]; !slices.Equal(last, []string{"import", "lease wait"}) {
		t.Errorf("the last stages are %q", last)
	}
	for _, violation := range p.lab.View().Violations {
		t.Errorf("%s: %s", violation.Kind, violation.Text)
	}
}
