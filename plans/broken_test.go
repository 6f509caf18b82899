package plans

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drrun/internal/diagmarks"
)

// brokenRoot holds plans that people write wrongly. A plan is a file, or a folder with plan.lua and what it requires. Marks in the Lua
// files say what has to be found (see package diagmarks), and golden text beside the plan is what a person reads.
const brokenRoot = "testdata/broken"

// brokenPlans returns the plan files below brokenRoot by name.
func brokenPlans(t *testing.T) map[string]string {
	t.Helper()
	plans := map[string]string{}
	for _, pattern := range []string{"*.lua", "*/plan.lua"} {
		for _, file := range glob(t, brokenRoot, pattern) {
			name := strings.TrimSuffix(filepath.Base(file), ".lua")
			if name == "plan" {
				name = filepath.Base(filepath.Dir(file))
			}
			plans[name] = file
		}
	}
	return plans
}

func glob(t *testing.T, dir string, patterns ...string) []string {
	t.Helper()
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	return files
}

// TestBrokenPlans loads plans that are wrong: exactly what their marks say is found, where they say.
func TestBrokenPlans(t *testing.T) {
	t.Parallel()
	plans := brokenPlans(t)
	if len(plans) < 60 {
		t.Fatalf("there are %d broken plans only", len(plans))
	}
	for name, file := range plans {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, found, text := load(t, file, Options{})
			files := []string{file}
			if filepath.Base(file) == "plan.lua" {
				files = glob(t, filepath.Dir(file), "*.lua", "*/*.lua", "*/*/*.lua")
			}
			var want, got []string
			for _, one := range files {
				marks, err := diagmarks.Expected(one)
				if err != nil {
					t.Error(err)
				}
				want = append(want, marks...)
			}
			for _, d := range found {
				one, err := diagmarks.Found(d.Pos.File, d.Pos.Line, d.Pos.Col, d.Pos.EndCol, d.Code)
				if err != nil {
					t.Error(err)
				}
				got = append(got, one)
			}
			slices.Sort(want)
			slices.Sort(got)
			if len(want) == 0 || !slices.Equal(want, got) {
				t.Errorf("the marks say:\n  %s\nfound:\n  %s\n%s", strings.Join(want, "\n  "), strings.Join(got, "\n  "), text)
			}
			if strings.Contains(text, "hunter2") {
				t.Errorf("a password is shown:\n%s", text)
			}
			golden(t, filepath.Join("broken", name+".txt"), text)
		})
	}
}
