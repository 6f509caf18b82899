//go:build !sabotage

package sabotage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drrun/internal/sabotage"
)

// TestSwitches holds the list against the sources: each switch is asked for in the file that the list names, and is off in this build.
func TestSwitches(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("switches.go")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[sabotage.Switch]bool{}
	for _, behaviour := range sabotage.All() {
		if seen[behaviour.Switch] || behaviour.Removes == "" || behaviour.Invariant == "" {
			t.Errorf("%+v is listed twice, or says too little", behaviour)
		}
		seen[behaviour.Switch] = true
		if sabotage.On(behaviour.Switch) {
			t.Errorf("%s is on", behaviour.Switch)
		}
		declared := strings.Index(string(text), `= "`+string(behaviour.Switch)+`"`)
		name := strings.Fields(string(text)[strings.LastIndex(string(text)[:declared], "\n"):declared])[0]
		source, err := os.ReadFile(filepath.Join("..", "..", behaviour.File))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(source), "sabotage.On(sabotage."+name+")") {
			t.Errorf("%s does not ask for %s", behaviour.File, name)
		}
	}
	if declared := strings.Count(string(text), ` Switch = "`); declared != len(seen) {
		t.Errorf("%d switches are declared, %d are listed", declared, len(seen))
	}
}
