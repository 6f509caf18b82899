package main

import (
	"os"
	"strings"
	"testing"

	"drrun/plans"
)

// TestMirrorPage runs every command of docs/080-mirror-and-seal.md: a run is killed, its state folder is left behind, and another machine
// brings it to its end; then home, sealed.
func TestMirrorPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/080-mirror-and-seal.md")
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	tour.add(strings.Replace(string(page), "--speed 30", "--speed 60", 1))
	if tour.commands < 20 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{"running, or cut off", "failover of Plan_Recovery: done", "failback of Plan_Recovery: done", ": sealed\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
	worlds := tour.worlds()
	away, home := worlds[len(worlds)-2], worlds[len(worlds)-1]
	atHome(t, home, written(away, plans.Secondary))

	source := ownSource(t)
	for _, code := range []string{"mirror", "old-journal", "mirror-diverged", "locked"} {
		if !strings.Contains(string(page), "| `"+code+"` |") || !strings.Contains(source, `"`+code+`"`) {
			t.Errorf("the code %s is not on the page, or drrun has it no more", code)
		}
	}
}
