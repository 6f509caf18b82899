package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestInTheEnginePage runs every command of docs/050-in-the-engine.md.
func TestInTheEnginePage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page uses curl")
	}
	page, err := os.ReadFile("../../docs/050-in-the-engine.md")
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.add(string(page))
	if tour.commands < 8 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{
		"<severity>warning</severity>", "<correlation_id>", ": rank 0 is up on secondary: ", "ended: done, exit code 0", "NOT ISOLATED: do not power on the primary",
		`"schema": "drrun.facts/1"`, "from the engine of secondary",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
	if n := strings.Count(out, "<origin>drrun</origin>"); n < 6 || strings.Contains(out, "<custom_data>") {
		t.Errorf("%d events of drrun are found, and none of them is to carry facts", n)
	}
}
