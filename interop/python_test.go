//go:build interop

package interop

import (
	"path/filepath"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// script is the path of one of our own Python files.
func script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("python", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestSDK runs our own cases on the official SDK, each file on a lab of its own.
func TestSDK(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("python/sdk_*.py")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	passed, failed, calls, changes := 0, 0, 0, 0
	t.Run("cases", func(t *testing.T) {
		for _, file := range files {
			name := filepath.Base(file)
			t.Run(strings.TrimSuffix(name, ".py"), func(t *testing.T) {
				r := serve(t, sdkWorld(), 60)
				out, err := r.command(t, nil, "python", script(t, name))
				p, f := strings.Count("\n"+out, "\nPASS "), strings.Count("\n"+out, "\nFAIL ")
				if err != nil || f > 0 || p == 0 {
					t.Errorf("%v\n%s\nthe lab's log:\n%s", err, out, r.trace())
				}
				passed, failed = passed+p, failed+f
				all, changing := r.calls()
				calls, changes = calls+all, changes+changing
			})
		}
	})
	count("SDK cases: %d passed, %d failed; %d calls, %d of them changes", passed, failed, calls, changes)
}

// sdkWorld is the world of the cases: two replicated domains with three VMs, one of them down, and a template.
func sdkWorld() lab.World {
	world := lab.TwoSites(lab.TwoSitesOptions{VMs: 4, Domains: 2, PowerManagement: true})
	world.Sites[0].VMs[3].Running = false
	return world
}
