package runner_test

import (
	"context"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// twoGroups makes a plan whose two storage domains are groups of their own.
func twoGroups(p *pair, hook string) {
	p.edit(`{ name = "nfs_ds", `, `{ name = "nfs_ds", group = "g1", `)
	p.edit(`{ name = "`+lab.DomainName(1)+`", `, `{ name = "`+lab.DomainName(1)+`", group = "g2", `)
	p.edit("return plan\n", hook+"\nreturn plan\n")
}

// said lists the texts that the run logged.
func (p *pair) said(prefix string) (texts []string) {
	for _, e := range p.out {
		if strings.HasPrefix(e.Text, prefix) {
			texts = append(texts, e.Text)
		}
	}
	return texts
}

// TestStepsOfHooksAreTheirOwn: a run is killed in the hook of the second group. The resume passes over the first hook, whose step is
// recorded; the step of the second one must run, and not take that of the first.
func TestStepsOfHooksAreTheirOwn(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoGroups(p, `
plan:on("promote_storage", function(ctx, group)
  if group.name == "g2" then ctx:prompt { name = "b_ok", text = "?" } end
  ctx:step("split mirror", function() ctx:log("ARRAY SPLIT " .. group.name) end)
  ctx:parallel({ "a", "b" }, function(lun) ctx:step("map", function() ctx:log("LUN MAPPED " .. group.name .. lun) end) end)
  return { writable = true, as_of = "unknown" }
end, { as = "array" })
`)
	p.lose()
	r := p.failover(func(o *runner.Options) {
		o.Asker = answers{}
	})
	if r.Exit != runner.ExitStopped {
		t.Fatalf("exit %d: %+v", r.Exit, r.Error)
	}
	expect(t, p.resume(p.runs()[0].ID, func(o *runner.Options) { o.Asker = answers{"b_ok": "yes", "cut": "redo"} }), runner.ExitDone)
	if got := strings.Join(p.said("ARRAY SPLIT "), ", "); got != "ARRAY SPLIT g1, ARRAY SPLIT g2" {
		t.Errorf("the arrays were told: %s", got)
	}
	if got := p.said("LUN MAPPED "); len(got) != 4 {
		t.Errorf("mapped: %q", got)
	}
}

// TestStepOfEachRank: the hook after each rank has its step for each, also where a kill came between two of them.
func TestStepOfEachRank(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.edit("return plan\n", `
plan:on("after_rank", function(ctx, rank) ctx:step("firewall", function() ctx:log("FIREWALL") end) end, { as = "net" })
return plan
`)
	p.lose()
	p.failover(func(o *runner.Options) {
		o.Observe = func(e engine.Event) {
			p.out = append(p.out, e)
			if e.Kind == "stage" && e.Text == "boot rank 1" {
				p.world.Group("drrun").Kill()
			}
		}
	})
	expect(t, p.resume(p.runs()[0].ID, nil), runner.ExitDone)
	if got := p.said("FIREWALL"); len(got) != 2 {
		t.Errorf("after two ranks: %q", got)
	}
}

// askedAnswers are answers, with the questions that they were given to.
type askedAnswers struct {
	answers
	texts []string
}

func (a *askedAnswers) Ask(ctx context.Context, q engine.Question) (string, error) {
	a.texts = append(a.texts, q.Text)
	return a.answers.Ask(ctx, q)
}

// TestAnotherQuestionIsAsked: a hook asks the same name about each of its groups, with another text; the answer about one is none
// about the other.
func TestAnotherQuestionIsAsked(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoGroups(p, `
plan:on("promote_storage", function(ctx, group)
  local answer = ctx:prompt { name = "array", text = "Is LUN group " .. group.name .. " writable?", needs = { "writable" } }
  return { writable = answer.writable, as_of = answer.as_of }
end, { as = "array" })`)
	p.lose()
	asked := &askedAnswers{answers: answers{"array": "writable,as_of=unknown"}}
	expect(t, p.failover(func(o *runner.Options) { o.Asker = asked }), runner.ExitDone)
	if got := strings.Join(asked.texts, " "); got != "Is LUN group g1 writable? Is LUN group g2 writable?" {
		t.Errorf("asked: %s", got)
	}
	for _, e := range p.out {
		if strings.Contains(e.Text, "other arguments") {
			t.Errorf("a question is a warning: %s", e.Text)
		}
	}
}
