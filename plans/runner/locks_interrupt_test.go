package runner_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// deaf is a wire to engines that answer nothing to whoever takes a lock away.
type deaf struct {
	wire
	clock engine.Clock
	heard func()
}

func (d deaf) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodDelete || !strings.Contains(request.URL.Path, "/affinitylabels/") {
		return d.wire.RoundTrip(request)
	}
	d.heard()
	_, err := d.clock.Wait(request.Context(), -1, nil)
	return nil, err
}

// TestSecondInterruptLeavesTheLocks: drrun does not wait for engines that will not take the locks back when it is interrupted again, and
// says which locks are left.
func TestSecondInterruptLeavesTheLocks(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.lose()
	var result *runner.Result
	var waited time.Duration
	p.do(func(env engine.Env) {
		soft, cutSoft := context.WithCancel(context.Background())
		hard, cutHard := context.WithCancel(context.Background())
		defer cutSoft()
		defer cutHard()
		var asked time.Time
		o := p.options(env, writable)
		o.Transport = func(string) http.RoundTripper {
			return deaf{wire{p}, env.Clock, func() {
				if !asked.IsZero() {
					return
				}
				asked = env.Clock.Now()
				env.Go(func() {
					_, _ = env.Clock.Wait(context.Background(), 2*time.Second, nil)
					cutSoft()
					_, _ = env.Clock.Wait(context.Background(), 2*time.Second, nil)
					cutHard()
				})
			}}
		}
		result = runner.Start(soft, hard, o)
		waited = env.Clock.Now().Sub(asked)
	})
	expect(t, result, runner.ExitDone)
	if waited > 30*time.Second {
		t.Errorf("it was over %s after it had begun to give the locks back", waited)
	}
	if said := strings.Join(result.Warnings, "\n"); !strings.Contains(said, "may be left there") || !strings.Contains(said, "secondary") {
		t.Errorf("warnings: %s", said)
	}
}
