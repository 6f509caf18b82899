package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// twoArrays gives the plan two consistency groups and one library of arrays, which the text uses.
func twoArrays(p *pair, uses string) {
	p.write("/site/lib/site/array.lua", `local dr = require "dr"
return dr.library {
  name = "array",
  options = { address = { type = "string", required = true } },
  check = function(ctx, options, groups)
    for _, group in ipairs(ctx.run.resumed and {} or groups) do ctx:log("ARRAY " .. options.address .. " checks " .. group.name .. " with " .. group.storage_domains[1].name) end
  end,
  hooks = {
    demote_storage = function(ctx, group, options) ctx:log("ARRAY " .. options.address .. " demotes " .. group.name) end,
    promote_storage = function(ctx, group, options)
      ctx:step("promote", function() ctx:log("ARRAY " .. options.address .. " promotes " .. group.name) end)
      if ctx.params.fail == options.address and ctx.run.attempt == 1 then error("the array is busy") end
      return { writable = true, as_of = "unknown" }
    end,
    before_import = function(ctx, domain, options) ctx:log("ARRAY " .. options.address .. " maps " .. domain.name) end,
    after_run = function(ctx, result, options) ctx:log("ARRAY " .. options.address .. " logs out") end,
  },
}`)
	twoGroups(p, uses)
}

const bothArrays = `
plan:use(require "site.array" { address = "a" }, { as = "array-a", groups = { "g1" } })
plan:use(require "site.array" { address = "b" }, { as = "array-b", groups = { "g2" } })`

// TestTwoArrays: two arrays of one kind, each with a consistency group of its own. Each is told of its own group only, and a run that stopped
// at the second one does not tell the first one again.
func TestTwoArrays(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoArrays(p, bothArrays)
	p.lose()
	stopped := p.failover(func(o *runner.Options) {
		o.Asker, o.CanAnswer, o.Params = answers{"cut": "redo"}, answers{}.can, map[string]any{"fail": "b"}
	})
	expect(t, stopped, runner.ExitStopped)
	if !strings.Contains(stopped.Error.Message, "promote_storage (array-b)") {
		t.Errorf("it stopped with: %s", stopped.Error.Message)
	}
	expect(t, p.resume(stopped.Run, nil), runner.ExitDone)
	got := p.said("ARRAY ")
	want := []string{
		"ARRAY a checks g1 with nfs_ds", "ARRAY b checks g2 with " + lab.DomainName(1), "ARRAY a demotes g1", "ARRAY a promotes g1", "ARRAY b demotes g2", "ARRAY b promotes g2", "ARRAY a maps nfs_ds", "ARRAY b maps " + lab.DomainName(1), "ARRAY a logs out", "ARRAY b logs out",
	}
	slices.Sort(got[4:6]) // storage domains are imported side by side
	if !slices.Equal(got, want) {
		t.Errorf("the arrays were told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestOneArrayOfTwo: where hooks speak for one group only, a person is asked about the other one, and about nothing else.
func TestOneArrayOfTwo(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoArrays(p, `plan:use(require "site.array" { address = "a" }, { groups = { "g1" } })`)
	nobody := answers{}
	refused := p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker, o.CanAnswer = nobody, nobody.can })
	expect(t, refused, runner.ExitRefused)
	if !strings.Contains(refused.Error.Message, `whether the array replicates the storage of group "g2"`) {
		t.Errorf("it was refused with: %s", refused.Error.Message)
	}
	p.lose()
	person := &askedAnswers{answers: answers{"promote_storage:g2": "writable,as_of=unknown"}}
	expect(t, p.failover(func(o *runner.Options) { o.Asker, o.CanAnswer = person, person.can }), runner.ExitDone)
	if len(person.texts) != 1 || !strings.Contains(person.texts[0], lab.DomainName(1)) {
		t.Errorf("asked: %q", person.texts)
	}
	if got := p.said("ARRAY a promotes"); !slices.Equal(got, []string{"ARRAY a promotes g1"}) {
		t.Errorf("the array was told %q", got)
	}
}

// TestReplicationOfOneArray: a planned move asks whether the array replicates only about the groups that no hook speaks for.
func TestReplicationOfOneArray(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoArrays(p, `plan:use(require "site.array" { address = "a" }, { groups = { "g1" } })`)
	person := &askedAnswers{answers: answers{"replication:g2": "no"}}
	p.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker = person })
	if len(person.texts) != 1 || !strings.HasPrefix(person.texts[0], "Does the array replicate group g2 (") {
		t.Errorf("asked: %q", person.texts)
	}
}

// TestPreviewOfTwoArrays: what a resume will ask and call is told by group.
func TestPreviewOfTwoArrays(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2, VMs: 4})
	twoArrays(p, `plan:use(require "site.array" { address = "a" }, { groups = { "g1" } })
plan:on("before_run", function(ctx) if ctx.run.attempt == 1 then error("not yet") end end)`)
	p.lose()
	stopped := p.failover(nil)
	expect(t, stopped, runner.ExitStopped)
	var items []string
	p.resume(stopped.Run, func(o *runner.Options) {
		o.PreviewOnly = true
		o.OnPreview = func(preview *runner.Preview) {
			for _, item := range preview.ToRun {
				if strings.Contains(item.What, "promote_storage") {
					items = append(items, item.What+" of "+item.Of)
				}
			}
		}
	})
	slices.Sort(items)
	if want := []string{"hook promote_storage (array) of g1", "prompt promote_storage:g2 of "}; !slices.Equal(items, want) {
		t.Errorf("the preview lists %q, want %q", items, want)
	}
}
