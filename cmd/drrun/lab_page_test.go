package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

const labPage = "../../docs/040-the-lab.md"

// TestLabPage runs every command of docs/040-the-lab.md as it stands there, on free ports.
func TestLabPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("the page uses curl")
	}
	page, err := os.ReadFile(labPage)
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	for to, name := range map[string]string{tour.program: "bin/drrun", examples: "examples"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(tour.dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(to, filepath.Join(tour.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tour.add(string(page))
	if tour.commands < 18 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{
		"<name>db01</name>", "<nic ", `"name" : "Office"`, "rule 2: once: vm-boot db02", `"openapi": "3.`, `"subject": "primary-web1"`,
		`"error": "no host \"nobody\""`, `"ok": true`, `"state": "split"`, `"changing":`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
}

// The page names the kinds of faults and the endpoints that there are, and sources that stand in the lab's code.
func TestLabPageTells(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(labPage)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	for _, kind := range lab.FaultKinds() {
		if !strings.Contains(page, "| `"+kind+"` |") {
			t.Errorf("the page does not explain the fault %s", kind)
		}
	}
	document, err := os.ReadFile("../../ovirt/lab/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range regexp.MustCompile(`(?m)^    "(/[^"{]*)`).FindAllStringSubmatch(string(document), -1) {
		if last := strings.TrimSuffix(path[1], "/"); !strings.Contains(page, strings.ToUpper(last)) && !strings.Contains(page, last) {
			t.Errorf("the page does not name the endpoint %s", path[1])
		}
	}
	code := ownSource(t)
	_, simulated, _ := strings.Cut(page, "## What it simulates")
	simulated, _, _ = strings.Cut(simulated, "## What it does not")
	sources := 0
	for line := range strings.Lines(simulated) {
		cells := strings.Split(line, " | ")
		if len(cells) < 3 || strings.HasPrefix(line, "| what") {
			continue
		}
		for _, class := range regexp.MustCompile(`\b[A-Z][A-Za-z]+[a-z][A-Z][A-Za-z]+\b`).FindAllString(cells[1], -1) {
			sources++
			if !strings.Contains(code, class) {
				t.Errorf("the page names the source %s, which no comment in the lab's code names", class)
			}
		}
	}
	if sources < 50 {
		t.Errorf("%d sources only", sources)
	}
}
