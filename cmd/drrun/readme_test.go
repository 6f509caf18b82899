package main

import (
	"bytes"
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

var shellLine = regexp.MustCompile(`(?m)^    (\S(?:.*\\\n)*.*)$`)

// TestReadmeTour runs every command of the five-minute tour as it stands there, on free ports.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("bash"); err != nil {
		t.Skip("the tour is written for bash")
	}
	program, err := exec.LookPath("drrun")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(program, filepath.Join(dir, "bin", "drrun")); err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\n"
	commands := 0
	for _, match := range shellLine.FindAllStringSubmatch(readme(t, "Five minutes on the lab"), -1) {
		line := match[1]
		switch {
		case line == "make build":
			continue
		case strings.HasPrefix(line, "bin/drrun lab "):
			// The lab is ready when its first line is there; it ends with the script.
			line = "coproc " + line + " --primary 127.0.0.1:0 --secondary 127.0.0.1:0 --control 127.0.0.1:0 --until-stdin-closes\nread -r ready <&${COPROC[0]}"
		case strings.HasPrefix(line, "drrun "), strings.HasPrefix(line, "source "), strings.HasPrefix(line, "cd "), strings.HasPrefix(line, "export "):
		default:
			continue // what a command prints
		}
		commands++
		script += "echo '$ " + strings.ReplaceAll(match[1], "'", `'\''`) + "'\n" + line + "\n"
	}
	if commands < 10 {
		t.Fatalf("found %d commands only:\n%s", commands, script)
	}
	command := exec.Command("bash", "-c", script)
	command.Dir = dir
	command.Env = append(os.Environ(), "DRRUN_STATE="+filepath.Join(dir, "state"))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{"sound, and both sites have what it needs", "failover of Plan_Recovery: done", "NOT ISOLATED: do not power on the primary: only the word of Ann Lee", "violations: none"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("the tour did not show %q:\n%s", want, out)
		}
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
