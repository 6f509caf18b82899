package runner_test

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestDryRunOfTheWayBack: what the dry run of a planned move or a clean lists is what the real one does on the same world.
func TestDryRunOfTheWayBack(t *testing.T) {
	t.Parallel()
	away := func(p *pair) { // the primary is lost, and back with what it had
		p.lose()
		expect(p.t, p.failover(nil), runner.ExitDone)
		p.wait(time.Hour)
		if err := p.lab.Heal("primary"); err != nil {
			p.t.Fatal(err)
		}
	}
	planned := func(p *pair, action string, dry bool) *runner.Result {
		return p.planned(action, nil, func(o *runner.Options) { o.DryRun = dry })
	}
	clean := func(p *pair, _ string, dry bool) *runner.Result {
		return p.clean("primary", func(o *runner.Options) { o.DryRun = dry })
	}
	for _, c := range []struct {
		name   string
		size   lab.TwoSitesOptions
		before func(p *pair)
		action string
		run    func(p *pair, action string, dry bool) *runner.Result
	}{
		{"failover", lab.TwoSitesOptions{}, func(p *pair) {}, plans.ActionFailover, planned},
		{"failover of twelve VMs on three storage domains, with flags", lab.TwoSitesOptions{VMs: 12, Domains: 3}, func(p *pair) { p.marked() }, plans.ActionFailover, planned},
		{"failover to a site without storage", lab.TwoSitesOptions{VMs: 4, Domains: 2, EmptySecondary: true}, func(p *pair) { p.marked() }, plans.ActionFailover, planned},
		{"failover with one VM down", lab.TwoSitesOptions{}, func(p *pair) { p.stop("primary", "vm2") }, plans.ActionFailover, planned},
		{"failback", lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(p *pair) {
			p.marked()
			expect(p.t, planned(p, plans.ActionFailover, false), runner.ExitDone)
			p.replicate()
		}, plans.ActionFailback, planned},
		{"failback to stale storage domains with HA VMs that run", lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(p *pair) {
			away(p)
			p.wait(20 * time.Minute)
		}, plans.ActionFailback, func(p *pair, action string, dry bool) *runner.Result {
			// The array copies when the stale VMs are down: in the middle of the run.
			return p.planned(action, nil, func(o *runner.Options) {
				o.DryRun = dry
				o.Asker = &copyingAdmin{storageAdmin{p: p, clock: o.Env.Clock}}
			})
		}},
		{"failback to stale storage domains that nobody can write", lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(p *pair) {
			away(p)
			p.replicate()
			p.wait(20 * time.Minute)
		}, plans.ActionFailback, planned},
		{"clean of storage domains that can be written", lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(p *pair) {
			away(p)
			p.wait(20 * time.Minute)
		}, plans.ActionClean, clean},
		{"clean of storage domains that nobody can write", lab.TwoSitesOptions{VMs: 4, Domains: 2}, func(p *pair) {
			away(p)
			p.replicate()
			p.wait(20 * time.Minute)
		}, plans.ActionClean, clean},
		{"clean of a site that has nothing", lab.TwoSitesOptions{}, func(p *pair) {
			expect(p.t, planned(p, plans.ActionFailover, false), runner.ExitDone)
		}, plans.ActionClean, clean},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 6, c.size)
			c.before(p)
			n, world := len(p.allChanges()), p.fingerprint()
			dry := c.run(p, c.action, true)
			expect(t, dry, runner.ExitDone)
			if made := p.allChanges()[n:]; len(made) > 0 || p.fingerprint() != world {
				t.Fatalf("the dry run changed something: %v", made)
			}
			n = len(p.changes())
			expect(t, c.run(p, c.action, false), runner.ExitDone)
			var said, done []string
			for _, call := range dry.DryRun.Calls {
				said = append(said, call.Site+" "+asTheLab(call.Text))
			}
			for _, entry := range p.changes()[n:] {
				done = append(done, entry.Site+" "+entry.Effect)
			}
			if len(said) == 0 && !strings.HasSuffix(c.name, "nothing") {
				t.Error("it lists nothing")
			}
			if kindsAt(said) != kindsAt(done) {
				t.Errorf("said in order %s\ndone %s", kindsAt(said), kindsAt(done))
			}
			slices.Sort(said)
			slices.Sort(done)
			if !slices.Equal(said, done) {
				t.Errorf("said\n%s\ndone\n%s", strings.Join(said, "\n"), strings.Join(done, "\n"))
			}
		})
	}
}

// copyingAdmin lets the array copy only when it is asked for the promotion.
type copyingAdmin struct{ storageAdmin }

func (a *copyingAdmin) Ask(ctx context.Context, q engine.Question) (string, error) {
	if strings.HasPrefix(q.Name, "promote_storage") {
		a.p.replicate()
	}
	return a.storageAdmin.Ask(ctx, q)
}

// labWords says what the lab's log calls it that a dry run puts in other words. Changes of a VM are one kind of request to it.
var labWords = []struct{ said, does string }{
	{`^switch HA (?:on|off) for |^set the comment of |^lift the delete protection of |^protect against deletion: `, "update "},
	{`^shut down `, "shutdown "}, {`^switch off `, "stop "}, {`^write the OVF`, "update OVF"}, {` without formatting$`, ""},
	{`^clear (storage domain .*) from the books$`, "destroy $1"},
}

func asTheLab(text string) string {
	for _, words := range labWords {
		text = regexp.MustCompile(words.said).ReplaceAllString(text, words.does)
	}
	return text
}

// kindsAt is the order of the kinds of calls of each site; what goes on at the same time on two storage domains has none among them.
func kindsAt(calls []string) string {
	var order []string
	for _, call := range calls {
		words := strings.SplitN(call, " ", 3)
		order = append(order, words[0]+" "+words[1])
	}
	return strings.Join(slices.Compact(order), ", ")
}
