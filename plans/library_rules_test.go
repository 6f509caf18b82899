package plans

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLibraryRules sees that a library can say how its handlers are called, and that a wrong rule is shown at its place.
func TestLibraryRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("testdata/load/no_plan.lua")
	if err != nil {
		t.Fatal(err)
	}
	use := func(hooks string) (*Plan, string) {
		file := filepath.Join(t.TempDir(), "plan.lua")
		write(t, file, string(text)+"\nplan:use(dr.library { name = \"array\", hooks = { "+hooks+" } })\nreturn plan\n")
		p, _, said := load(t, file, Options{})
		return p, said
	}
	p, said := use(`promote_storage = { run = function() end, on_cut = "retry", timeout = "2h" }, after_run = { run = function() end, on_error = "continue" }, demote_storage = function() end`)
	if said != "" {
		t.Fatal(said)
	}
	for _, want := range []Hook{
		{Point: "promote_storage", OnCut: "retry", Timeout: 2 * time.Hour}, {Point: "after_run", OnError: OnErrorContinue, Timeout: DefaultHookTimeout},
		{Point: "demote_storage", Timeout: DefaultHookTimeout},
	} {
		if hooks := p.HooksAt(want.Point); len(hooks) != 1 || hooks[0].Func == nil || hooks[0].Handler != "array" || hooks[0].OnCut != want.OnCut || hooks[0].OnError != want.OnError || hooks[0].Timeout != want.Timeout {
			t.Errorf("%s: %+v", want.Point, hooks)
		}
	}
	for hooks, want := range map[string]string{
		`promote_storage = { run = function() end, on_cut = "redo" }`:   `on_cut`,
		`promote_storage = { timeout = "5m" }`:                          `run`,
		`promote_storage = { run = function() end, timeout = 5 .. "" }`: `timeout`,
		`promote_storage = { run = function() end, on_cuts = "ask" }`:   `on_cut`,
	} {
		if _, said := use(hooks); !strings.Contains(said, want) || !strings.Contains(said, "[") {
			t.Errorf("%s: %s", hooks, said)
		}
	}
}
