package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var extraName = regexp.MustCompile(`, "(\w+)", `)

// TestResultsPageHasEveryExtra holds docs/900-results.md against what the commands put into the document of --json.
func TestResultsPageHasEveryExtra(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/900-results.md")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if !strings.Contains(line, "withExtra(") {
				continue
			}
			for _, match := range extraName.FindAllStringSubmatch(line, -1) {
				found++
				if !strings.Contains(string(page), "`extra."+match[1]+"`") {
					t.Errorf("%s: the page does not have extra.%s", file, match[1])
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("found %d additions only", found)
	}
}
