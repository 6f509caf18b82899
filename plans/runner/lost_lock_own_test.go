package runner_test

import (
	"context"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestOwnActionLosesItsLock takes the lock away in the middle of an action that calls no stage: it stops before the next VM (I4).
func TestOwnActionLosesItsLock(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`function plan.actions.go(ctx)
		for _, name in ipairs { "vm2", "vm3" } do
			ctx.target:vm(name):shutdown {}
			ctx:confirm("steal_" .. name, "?")
			ctx.target:vm(name):start {}
		end
	end`)
	taken := false
	r := p.own("go", func(o *runner.Options) {
		o.Asker = personWho(func(q engine.Question) (string, error) {
			if q.Name == "steal_vm2" {
				taken = true
				thief := p.open(o.Env, "primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword)
				labels, err := thief.AffinityLabels(context.Background())
				if err != nil || len(labels) == 0 {
					t.Errorf("%v %v", labels, err)
				}
				for _, label := range labels {
					if err := thief.DeleteLabel(context.Background(), label.ID); err != nil {
						t.Error(err)
					}
				}
				pause(o.Env)
			}
			return "yes", nil
		})
	})
	expect(t, r, 5)
	if !taken || r.Error == nil || r.Error.Code != "lock-lost" || len(p.started()) > 0 {
		t.Errorf("taken %v, %+v, started %v", taken, r.Error, p.started())
	}
}

// personWho is a person whose answers a test gives.
type personWho func(engine.Question) (string, error)

func (a personWho) Ask(_ context.Context, q engine.Question) (string, error) { return a(q) }
