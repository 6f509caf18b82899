package drrun_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameTests holds the tests and scripts that the design pages and those of the lab and of reliability name against those that there are. TestName… stands for all that
// begin so.
func TestDocsNameTests(t *testing.T) {
	t.Parallel()
	declared := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	var names []string
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || entry.IsDir():
		case strings.HasSuffix(path, ".txtar"):
			names = append(names, entry.Name())
		case strings.HasSuffix(path, "_test.go"):
			text, err := os.ReadFile(path)
			for _, match := range declared.FindAllSubmatch(text, -1) {
				names = append(names, string(match[1]))
			}
			return err
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("docs/design/*.md")
	if err != nil || len(pages) < 2 {
		t.Fatalf("design pages: %v %v", pages, err)
	}
	pages = append(pages, "docs/040-the-lab.md", "docs/100-writing-a-library.md", "docs/reliability.md")
	named := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile("`(Test\\w+)(…?)`|`(\\w+\\.txtar)`").FindAllStringSubmatch(string(text), -1) {
			named++
			found := false
			for _, name := range names {
				found = found || name == match[1]+match[3] || match[2] != "" && strings.HasPrefix(name, match[1])
			}
			if !found {
				t.Errorf("%s names %s, which is not there", page, match[0])
			}
		}
	}
	if named < 20 {
		t.Errorf("the pages name %d tests only", named)
	}
}
