package worlds

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt/lab"
)

var update = flag.Bool("update", false, "rewrite golden files")

func read(t testing.TB, file string) (lab.World, string) {
	t.Helper()
	world, found := Read(context.Background(), engine.SystemEnv(1), file)
	var text bytes.Buffer
	lua.Render(&text, found...)
	return world, text.String()
}

func sound(t testing.TB, file string) lab.World {
	t.Helper()
	world, text := read(t, file)
	if text != "" {
		t.Fatal(text)
	}
	return world
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.MarshalIndent(value, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The example is the world that the lab is born with.
func TestTwoSites(t *testing.T) {
	t.Parallel()
	got, want := asJSON(t, sound(t, "../../examples/worlds/two-sites.lua")), asJSON(t, lab.TwoSites(lab.TwoSitesOptions{}))
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i, line := range wantLines {
		if i >= len(gotLines) || gotLines[i] != line {
			t.Fatalf("line %d of %d: %q, want %q", i, len(wantLines), gotLines[min(i, len(gotLines)-1)], line)
		}
	}
}

// Each world in testdata/load has the whole text of its findings beside it.
func TestFindings(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/load/*.lua")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, text := read(t, file)
			if text == "" {
				t.Error("nothing is found")
			}
			compareGolden(t, strings.TrimSuffix(file, ".lua")+".txt", text)
		})
	}
}
