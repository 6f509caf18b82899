package worlds

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/internal/diagmarks"
	"drrun/lua"
)

// TestBrokenWorlds reads worlds that are wrong: exactly what the marks in testdata/broken say is found, where they say.
func TestBrokenWorlds(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/broken/*.lua")
	if err != nil || len(files) < 8 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			_, found := Read(context.Background(), engine.SystemEnv(1), file)
			want, err := diagmarks.Expected(file)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range found {
				one, err := diagmarks.Found(d.Pos.File, d.Pos.Line, d.Pos.Col, d.Pos.EndCol, d.Code)
				if err != nil {
					t.Error(err)
				}
				got = append(got, one)
			}
			var text bytes.Buffer
			lua.Render(&text, found...)
			slices.Sort(want)
			slices.Sort(got)
			if len(want) == 0 || !slices.Equal(want, got) {
				t.Errorf("the marks say:\n  %s\nfound:\n  %s\n%s", strings.Join(want, "\n  "), strings.Join(got, "\n  "), text.String())
			}
			compareGolden(t, strings.TrimSuffix(file, ".lua")+".txt", text.String())
		})
	}
}

// compareGolden compares a text with a golden file, which -update writes.
func compareGolden(t *testing.T, golden, text string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(golden); err != nil || string(want) != text {
		t.Errorf("differs from %s (%v; rewrite it with -update):\n%s", golden, err, text)
	}
}
