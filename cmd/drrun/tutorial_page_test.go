package main

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"drrun/plans/codes"
)

// playPage plays a page of the documentation from its beginning to its end and holds what it shows against what happens.
// It returns the page.
func playPage(t *testing.T, file string, atLeast int) string {
	t.Helper()
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	now, commands := playTranscript(t, string(page))
	if commands < atLeast {
		t.Errorf("played %d commands only", commands)
	}
	if *update && now != string(page) && !t.Failed() {
		if err := os.WriteFile(file, []byte(now), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return now
}

func TestTutorialPage(t *testing.T) {
	t.Parallel()
	page := playPage(t, "../../docs/010-tutorial.md", 25)
	minutes := 0
	for _, match := range regexp.MustCompile(`\((\d+) minutes\)\n`).FindAllStringSubmatch(page, -1) {
		part, err := strconv.Atoi(match[1])
		if err != nil {
			t.Fatal(err)
		}
		minutes += part
	}
	if minutes == 0 || minutes > 60 {
		t.Errorf("the parts of the tutorial take %d minutes, and its title says an hour", minutes)
	}
}

func TestPlanPage(t *testing.T) {
	t.Parallel()
	playPage(t, "../../docs/020-the-plan.md", 8)
}

// TestTranscriptMatches tries what a transcript takes for the same, and what not.
func TestTranscriptMatches(t *testing.T) {
	t.Parallel()
	tr := &transcript{t: t}
	for _, test := range []struct {
		name, want, got string
		same            bool
	}{
		{"the same", "a\nb", "a\nb", true},
		{"another line", "a\nb", "a\nc", false},
		{"a line more", "a", "a\nb", false},
		{"a line less", "a\nb", "a", false},
		{"nothing", "", "", true},
		{"something instead of nothing", "", "a", false},
		{"lines left out", "a\n…\nd", "a\nb\nc\nd", true},
		{"no line left out", "a\n…\nd", "a\nd", true},
		{"lines left out at the end", "a\n…", "a\nb\nc", true},
		{"lines left out, another end", "a\n…\nd", "a\nb\nc", false},
		{"another time", "up  14:40:58", "up  02:00:01", true},
		{"another run", "run 20261121-2349-ced3da: x", "run 20270101-0000-000000: x", true},
		{"another run that ended otherwise", "run 20261121-2349-ced3da: done", "run 20261121-2349-ced3da: failed", false},
		{"another duration", "failover of P: done, 5m3s", "failover of P: done, 12s", true},
		{"another unit in a plan", `timeout = "5m"`, `timeout = "6m"`, false},
		{"other counters", "vm1      1001        1000", "vm1      98          7", true},
	} {
		if same := matches(strings.Split(tr.same(test.want), "\n"), strings.Split(tr.same(test.got), "\n")); same != test.same {
			t.Errorf("%s: the same: %v, want %v", test.name, same, test.same)
		}
	}
}

func TestTroubleshootingPage(t *testing.T) {
	t.Parallel()
	page := playPage(t, "../../docs/120-troubleshooting.md", 15)
	_, refusals, _ := strings.Cut(page, "\n## The run refuses to begin")
	refusals, _, _ = strings.Cut(refusals, "\n## ")
	rows := regexp.MustCompile("(?m)^\\| `([a-z-]+)` \\|").FindAllStringSubmatch(refusals, -1)
	if len(rows) < 6 {
		t.Errorf("found %d refusals only", len(rows))
	}
	for _, row := range rows {
		if _, known := codes.Find(row[1]); !known {
			t.Errorf("the page explains the code %s, of which drrun explain knows nothing", row[1])
		}
	}
}
