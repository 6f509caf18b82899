package annotations

import (
	"flag"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestGolden shows some definition files as they are written; TestDrift and TestGrammar read all of them.
func TestGolden(t *testing.T) {
	t.Parallel()
	files := Files(someNames())
	for _, name := range []string{"exec.lua", "names.lua", "plan.lua"} {
		at := slices.IndexFunc(files, func(f File) bool { return f.Name == name })
		if at < 0 {
			t.Fatalf("there is no %s", name)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, []byte(files[at].Text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(want) != files[at].Text {
			t.Errorf("%s differs: go test ./plans/annotations -run TestGolden -update, and review the difference", golden)
		}
	}
}
