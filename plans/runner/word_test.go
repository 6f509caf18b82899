package runner_test

import (
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// TestNotIsolatedIsAboutStarts: a word on which storage was brought over, and nothing started, warns of nothing that runs twice; one on
// which a VM was started does, in every attempt that follows.
func TestNotIsolatedIsAboutStarts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rank string
		says bool
	}{"nothing was started": {"0", false}, "rank 0 was started": {"1", true}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.edit("return plan\n", `plan:on("before_rank", function(ctx, rank) if rank.id == "`+c.rank+`" then error("not today") end end)`+"\nreturn plan\n")
			p.lose()
			stopped := p.failover(nil)
			expect(t, stopped, runner.ExitStopped)
			again := p.resume(stopped.Run, func(o *runner.Options) { o.ConfirmSourceDown, o.CanAnswer = "", func(string) bool { return false } })
			if again.Error == nil || again.Error.Code != "no-evidence" {
				t.Fatalf("exit %d, %+v", again.Exit, again.Error)
			}
			var info *engine.RunInfo
			p.do(func(env engine.Env) { info, _ = engine.ReadRun(env, "/state", stopped.Run) })
			for what, verdicts := range map[string][]string{"attempt 1": stopped.Verdicts, "attempt 2": again.Verdicts, "the journal": report.Verdicts(info)} {
				if says := slices.ContainsFunc(verdicts, func(v string) bool { return strings.HasPrefix(v, "NOT ISOLATED") }); says != c.says {
					t.Errorf("%s says it: %v; %q", what, says, verdicts)
				}
			}
			if line := runner.OutlookOf(info, false).Commands("")[0]; !strings.Contains(line.Why+line.Line, "drrun resume "+stopped.Run) {
				t.Errorf("what is next: %+v", line)
			}
		})
	}
}

// TestEveryAttemptTellsItsReason: what an attempt came to stands in the journal, free of secrets, whatever the next one did.
func TestEveryAttemptTellsItsReason(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	p.edit("return plan\n", `plan:on("before_rank", function(ctx, rank) error("not today, `+lab.PrimaryPassword+`!") end)`+"\nreturn plan\n")
	p.lose()
	first := p.failover(nil)
	expect(t, first, runner.ExitStopped)
	p.resume(first.Run, func(o *runner.Options) { o.ConfirmSourceDown, o.CanAnswer = "", func(string) bool { return false } })
	p.abort(first.Run)
	var codes []string
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", first.Run)
		if err != nil {
			t.Fatal(err)
		}
		for i := range info.Records {
			ending, ok := report.EndingOf(&info.Records[i])
			if !ok {
				continue
			}
			if info.Records[i+1].Kind != "end" {
				t.Errorf("behind the ending stands a %s", info.Records[i+1].Kind)
			}
			code := "none"
			if f := ending.Failure; f != nil {
				code = f.Code
				if f.State == "" || f.Hint == "" || strings.Contains(f.Message, lab.PrimaryPassword) {
					t.Errorf("%+v", f)
				}
			}
			codes = append(codes, code)
		}
	})
	if want := []string{first.Error.Code, "no-evidence", "none"}; !slices.Equal(codes, want) {
		t.Errorf("reasons %q, want %q", codes, want)
	}
	page := p.page(first.Run)
	for _, want := range []string{"not today", "no evidence that site"} {
		if !strings.Contains(page, want) {
			t.Errorf("the report has lost %q", want)
		}
	}
}
