package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLibraryPage follows docs/100-writing-a-library.md: its files are written where it says, and its commands run in its order.
func TestLibraryPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/100-writing-a-library.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	files, commands := 0, 0
	script := "set -euo pipefail\n"
	step := regexp.MustCompile("(?ms)^```lua\n-- (\\S+)\n(.*?)^```$|^    ((?:drrun|mkdir) [^\n]*)$")
	for _, match := range step.FindAllStringSubmatch(string(page), -1) {
		if match[1] != "" {
			files++
			script += "cat > " + match[1] + " <<'END_OF_FILE'\n" + match[2] + "END_OF_FILE\n"
			continue
		}
		commands++
		script += match[3] + "\n"
	}
	if files < 2 || commands < 6 {
		t.Fatalf("found %d files and %d commands only:\n%s", files, commands, script)
	}
	command := exec.Command("bash", "-c", script)
	command.Dir = dir
	command.Env = append(os.Environ(), "DRRUN_STATE="+filepath.Join(dir, "state"), "XDG_CONFIG_HOME="+filepath.Join(dir, "config"))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"made lib/site/netapp_test.lua", `use it in a plan: plan:use(require "site.netapp" { address = "https://array.example" })`, "\n4 tests passed\n",
		"\n8 tests passed\n", "\n1 test passed\n", "lib/site/balancer_test.lua: and back home", `"ok": true`,
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
	shown := strings.Count(string(page), "    ok    lib/site/netapp_test.lua: ")
	if really := strings.Count(string(out), "ok    lib/site/netapp_test.lua: "); shown != 4 || really < 4 {
		t.Errorf("the page shows %d tests that pass, there are %d", shown, really)
	}
}
