package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestSourceComesBackAtTheEnd heals the primary behind the last start: nothing more is to be started, and the result still says it.
func TestSourceComesBackAtTheEnd(t *testing.T) {
	t.Parallel()
	p := newPair(t, 12, lab.TwoSitesOptions{})
	p.edit(`rank = 1, boot = dr.boot.wait "60s"`, `rank = 2, boot = dr.boot.wait "30m"`)
	p.lose()
	r := p.failover(func(o *runner.Options) {
		p.whenever(func(e engine.Event) {
			if e.Subject.Name == "vm3" && e.Text == "up" {
				if err := p.lab.Heal("primary"); err != nil {
					t.Error(err)
				}
			}
		})(o)
	})
	expect(t, r, 4)
	if !slices.ContainsFunc(r.Verdicts, func(v string) bool { return strings.Contains(v, "the primary ANSWERS AGAIN after Ann") }) {
		t.Errorf("verdicts %q", r.Verdicts)
	}
	if !strings.Contains(r.Error.Message, "the primary answers again") {
		t.Errorf("error %+v", r.Error)
	}
	if started := p.started(); len(started) != 3 {
		t.Errorf("started %v", started)
	}
}

// TestInterruptedBeforeAnyChange leaves no run behind that the next one would have to wait for.
func TestInterruptedBeforeAnyChange(t *testing.T) {
	t.Parallel()
	p := newPair(t, 13, lab.TwoSitesOptions{})
	p.lose()
	var r *runner.Result
	p.do(func(env engine.Env) {
		soft, cancel := context.WithCancel(context.Background())
		o := p.options(env, writable)
		o.Observe = func(e engine.Event) {
			if e.Kind == "stage" && e.Text == "promote" {
				cancel()
			}
		}
		r = runner.Start(soft, context.Background(), o)
	})
	expect(t, r, 130)
	if r.Status != "interrupted" || strings.Contains(r.Error.Hint, "resume") {
		t.Errorf("%s: %+v", r.Status, r.Error)
	}
	expect(t, p.failover(nil), 0)
}
