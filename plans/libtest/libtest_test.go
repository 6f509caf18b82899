package libtest

import (
	"bytes"
	"context"
	"flag"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/plans"
)

// ran runs the tests below a folder.
func ran(t *testing.T, folder string) map[string]Case {
	t.Helper()
	env := engine.SystemEnv(1)
	files, err := Files([]string{folder}, env.FS)
	if err != nil {
		t.Fatal(err)
	}
	cases, found := Run(context.Background(), Options{Env: env}, files)
	if len(found) > 0 {
		t.Fatal(text(plans.FromDiagnostics(found)))
	}
	named := map[string]Case{}
	for _, one := range cases {
		named[one.Name] = one
	}
	return named
}

func text(found []plans.Finding) string {
	var b bytes.Buffer
	plans.RenderFindings(&b, found)
	return b.String()
}

// TestSound runs the tests of a sound library: each of them passes, and says why where it does not.
func TestSound(t *testing.T) {
	t.Parallel()
	cases := ran(t, "testdata/sound/lib")
	if len(cases) < 6 {
		t.Errorf("%d tests ran", len(cases))
	}
	for name, one := range cases {
		if !one.OK || one.Asserts == 0 {
			t.Errorf("%s, %d asserts:\n%slog: %q", name, one.Asserts, text(one.Findings), one.Log)
		}
	}
}

var update = flag.Bool("update", false, "rewrite golden files")

// TestFailing runs tests that fail: what is said of each is in the golden file.
func TestFailing(t *testing.T) {
	t.Parallel()
	cases := ran(t, "testdata/failing/lib")
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		one := cases[name]
		if one.OK {
			t.Errorf("%s passes", name)
		}
		said := text(one.Findings)
		b.WriteString("== " + name + "\n" + regexp.MustCompile(`127\.0\.0\.1:\d+`).ReplaceAllString(said, "127.0.0.1:PORT"))
	}
	const golden = "testdata/failing.golden"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != b.String() {
		t.Errorf("%s differs (%v; rewrite it with -update):\n%s", golden, err, b.String())
	}
}
