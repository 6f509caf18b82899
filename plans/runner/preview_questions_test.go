package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestPreviewNamesTheQuestions: what a resume will ask stands in its preview, and not what was answered.
func TestPreviewNamesTheQuestions(t *testing.T) {
	t.Parallel()
	asked := func(p *pair, run string) string {
		var names []string
		for _, item := range p.preview(run, nil).ToRun {
			if name, is := strings.CutPrefix(item.What, "prompt "); is {
				names = append(names, name)
			}
		}
		return strings.Join(names, " ")
	}
	killed := newPair(t, 4, lab.TwoSitesOptions{})
	killed.lose()
	if got := asked(killed, killed.killedAt(12)); got != "confirm_source_down promote_storage:all" {
		t.Errorf("killed before the promotion: %q", got)
	}
	promoted := newPair(t, 4, lab.TwoSitesOptions{})
	promoted.lose()
	if got := asked(promoted, promoted.killedAt(46)); got != "confirm_source_down" {
		t.Errorf("killed after it: %q", got)
	}
	planned := newPair(t, 5, lab.TwoSitesOptions{})
	stopped := planned.planned(plans.ActionFailover, nil, func(o *runner.Options) { o.Asker = answers{"replication": "yes"} })
	if got := asked(planned, stopped.Run); got != "promote_storage:all" {
		t.Errorf("a planned run: %q", got)
	}
	hooked := newPair(t, 4, lab.TwoSitesOptions{})
	hooked.edit("return plan\n", `plan:on("promote_storage", function() return { writable = true, as_of = "unknown" } end)`+"\nreturn plan\n")
	hooked.lose()
	if got := asked(hooked, hooked.killedAt(10)); got != "confirm_source_down" {
		t.Errorf("where a hook promotes: %q", got)
	}
}
