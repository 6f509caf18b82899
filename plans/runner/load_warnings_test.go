package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestLoadWarnings: what is odd in a plan's text, and no error, is said before a run begins and before it goes on, once each, and stands in
// the result.
func TestLoadWarnings(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.hook(`dr.library { name = "forgotten", version = "1", hooks = { after_run = function() end } }
plan:on("before_rank", function(ctx) ctx:confirm("go", "go?") end, { as = "gate" })`)
	p.lose()
	const code = "library-unused"
	said := 0
	count := func(o *runner.Options) {
		said = 0
		o.Findings = func(found []plans.Finding) {
			for _, f := range found {
				if f.Code == code {
					said++
				}
			}
		}
	}
	check := func(r *runner.Result) {
		t.Helper()
		in := 0
		for _, f := range r.Findings {
			if f.Code == code && f.Severity == plans.SeverityWarning && strings.Contains(f.Pos.String(), "plan.lua") {
				in++
			}
		}
		if said != 1 || in != 1 {
			t.Errorf("said %d times, %d times in the result: %+v", said, in, r.Findings)
		}
	}
	r := p.failover(func(o *runner.Options) {
		count(o)
		o.Asker = writable
	})
	expect(t, r, 5)
	check(r)
	r = p.resume(r.Run, func(o *runner.Options) {
		count(o)
		o.NewText = true
		o.Asker = answers{"resume_plan": "yes", "cut": "redo"}
	})
	expect(t, r, 5)
	check(r)
	r = p.resume(r.Run, func(o *runner.Options) { count(o); o.Asker = answers{"go": "yes", "cut": "redo"} })
	expect(t, r, 0)
	check(r)
	if !strings.Contains(p.read(strings.TrimSuffix(p.journal(), "journal.jsonl")+"report.html"), code) {
		t.Error("the report does not have it")
	}
}
