package main

import (
	"encoding/pem"
	"io/fs"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drrun/plans"
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

// TestReadmeTour runs every command of the tour as it stands there, on free ports and twice as fast, and judges the lab's world at its end.
func TestReadmeTour(t *testing.T) {
	t.Parallel()
	tour := newTour(t, t.TempDir())
	if err := os.Mkdir(filepath.Join(tour.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(tour.program, filepath.Join(tour.dir, "bin", "drrun")); err != nil {
		t.Fatal(err)
	}
	tour.add(strings.Replace(readme(t, "Five minutes on the lab"), "--speed 30", "--speed 60", 1))
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

// TestReportPage runs every command of docs/060-the-report.md.
func TestReportPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/060-the-report.md")
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.add(string(page))
	if tour.commands < 7 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{"failover of Plan_Recovery: done", "report.html: Done"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
	made, err := os.ReadFile(filepath.Join(tour.dir, "for-the-auditor.html"))
	if err != nil || !strings.Contains(string(made), "only the word of Ann Lee") {
		t.Errorf("for-the-auditor.html: %v:\n%s", err, made)
	}
	for _, part := range []string{"Recovery time (RTO)", "Data loss (RPO)", "Recovery by rank", "Who decided what", "Evidence about the source", "What to do next", "NOT ISOLATED", "Reverse replication"} {
		if !strings.Contains(string(page), part) || !strings.Contains(string(made), part) {
			t.Errorf("the page and the report do not both have %q", part)
		}
	}
}

// TestWayBackPage runs every command of docs/030-the-way-back.md, and looks up every code that it explains.
func TestWayBackPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/030-the-way-back.md")
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.add(string(page))
	if tour.commands < 25 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{"failover of Plan_Recovery: done", "failback of Plan_Recovery: done", "rollback of Plan_Recovery: done", "clean of Plan_Recovery: done"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q:\n%s", want, out)
		}
	}
	worlds := tour.worlds()
	away, home := worlds[1], worlds[2] // failback asked for its promotion; the rollback was over
	atHome(t, home, written(away, plans.Secondary))
	for _, v := range worlds[len(worlds)-1].Violations {
		t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	explainsCodes(t, string(page), 20)
}

// ownSource is the text of drrun without its tests.
func ownSource(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir("../..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		b.Write(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
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
