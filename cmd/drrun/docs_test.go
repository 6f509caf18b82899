package main

import (
	"strings"
	"testing"

	"drrun/plans/runner"
)

// TestDocsOnATerminal renders a page there, and hands it to the pager only where it is longer than the screen.
func TestDocsOnATerminal(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name              string
		height            int
		variables         map[string]string
		paged, styled     bool
		without, withText string
	}{
		{name: "it fits", height: 1000, styled: true, withText: "Results:", without: "## "},
		{name: "longer than the screen", height: 20, variables: map[string]string{"PAGER": "sed s/^/paged:/"}, paged: true, styled: true},
		{name: "no such pager", height: 20, variables: map[string]string{"PAGER": "no-such-pager-here"}, styled: true},
		{name: "no colours wanted", height: 1000, variables: map[string]string{"NO_COLOR": "1"}},
		{name: "a terminal that knows none", height: 1000, variables: map[string]string{"TERM": "dumb"}},
		{name: "links are commands", height: 1000, withText: "drrun docs the-report", styled: true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			env, stdout, stderr := testEnv(strings.NewReader(""))
			env.IsTerminal = func(any) bool { return true }
			env.Height = func(any) int { return test.height }
			env.Getenv = func(name string) (string, bool) { value, set := test.variables[name]; return value, set }
			if exit := Main(env, []string{"drrun", "docs", "results"}); exit != runner.ExitDone {
				t.Fatalf("exit code %d: %s", exit, stderr)
			}
			shown := stdout.String()
			if paged := strings.HasPrefix(shown, "paged:"); paged != test.paged {
				t.Errorf("paged: %v, want %v:\n%.200s", paged, test.paged, shown)
			}
			if styled := strings.Contains(shown, "\x1b["); styled != test.styled {
				t.Errorf("styled: %v, want %v:\n%.200s", styled, test.styled, shown)
			}
			if !strings.Contains(shown, test.withText) || test.without != "" && strings.Contains(shown, test.without) {
				t.Errorf("want %q and not %q in:\n%s", test.withText, test.without, shown)
			}
		})
	}
}
