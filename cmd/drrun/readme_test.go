package main

import (
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// readme returns the part of README.md under a heading.
func readme(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("README.md has no section %q", heading)
	}
	section, _, _ := strings.Cut(rest, "\n## ")
	return section
}

// TestReadmeTour runs every command of the tour as it stands there, on free ports, and judges the lab's world at its end.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	tour := newTour(t, t.TempDir())
	if err := os.Mkdir(filepath.Join(tour.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tour.program, filepath.Join(tour.dir, "bin", "drrun")); err != nil {
		t.Fatal(err)
	}
	tour.add(readme(t, "Five minutes on the lab"))
	if tour.commands < 20 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{"sound, and both sites have what it needs", "failover of Plan_Recovery: done", "NOT ISOLATED: do not power on the primary: only the word of Ann Lee",
		"next: drrun failback plan.lua", "failback of Plan_Recovery: done", "nothing lost, the copy holds the last write of secondary", "violations: none", "nothing was changed"} {
		if !strings.Contains(out, want) {
			t.Errorf("the tour did not show %q:\n%s", want, out)
		}
	}
	worlds := tour.worlds()
	promotion, end := worlds[len(worlds)-2], worlds[len(worlds)-1]
	atHome(t, end, written(promotion, "secondary"))
	if t.Failed() {
		t.Log(out)
	}
}

var luaBlock = regexp.MustCompile("(?s)```lua\n(.*?)```")

// TestReadmePlan puts the pieces of the plan by example together and checks them.
func TestReadmePlan(t *testing.T) {
	t.Parallel()
	var plan, boot string
	var rest []string
	for _, match := range luaBlock.FindAllStringSubmatch(readme(t, "The plan by example"), -1) {
		switch block := match[1]; {
		case strings.Contains(block, "dr.plan {"):
			plan = block
		case strings.HasPrefix(block, "boot = "):
			boot = strings.TrimSpace(block)
		default:
			rest = append(rest, block)
		}
	}
	if plan == "" || boot == "" || len(rest) != 3 {
		t.Fatalf("the section has another shape: %d other blocks", len(rest))
	}
	text := strings.Replace(plan, `boot = dr.boot.wait "60s"`, boot, 1) + strings.Join(rest, "") + "return plan\n"
	dir := t.TempDir()
	server := httptest.NewTLSServer(nil)
	server.Close()
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.MkdirAll(filepath.Join(dir, "lib", "site"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"plan.lua": text, "primary-ca.pem": string(certificate), "secondary-ca.pem": string(certificate),
		"lib/site/netapp.lua": `local dr = require "dr"
return dr.library { name = "netapp", version = "1.0", options = { vserver = { type = "string", required = true } }, hooks = {} }
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command("drrun", "check", "plan.lua", "--offline")
	command.Dir = dir
	if out, err := command.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, text)
	}
}
