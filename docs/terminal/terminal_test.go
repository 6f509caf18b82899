package terminal

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func follow(destination string) string { return "drrun docs " + strings.TrimSuffix(destination, ".md") }

// TestRender holds a page with everything that pages have against what it looked like when somebody looked at it.
func TestRender(t *testing.T) {
	t.Parallel()
	markdown, err := os.ReadFile("testdata/page.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		golden string
		o      Options
	}{
		{"plain-72.txt", Options{Width: 72, Link: follow}},
		{"styled-72.txt", Options{Width: 72, Link: follow, Styled: true}},
		{"narrow.txt", Options{Width: 1}},
	} {
		got := Render(string(markdown), test.o)
		golden := filepath.Join("testdata", test.golden)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n%s", golden, got)
		}
	}
}

// TestEveryPageFits renders every page of the documentation for a narrow terminal: no line but of code, and of words that are longer, is
// wider, and no mark of Markdown is left.
func TestEveryPageFits(t *testing.T) {
	t.Parallel()
	pages, err := filepath.Glob("../*.md")
	if err != nil || len(pages) < 10 {
		t.Fatalf("pages: %v %v", pages, err)
	}
	for _, page := range pages {
		markdown, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(Render(string(markdown), Options{Width: 100}), "\n") {
			if strings.HasPrefix(line, "    ") {
				continue
			}
			if width := utf8.RuneCountInString(line); width > 100 && !strings.Contains(line, "  ") {
				t.Errorf("%s: %d columns: %s", page, width, line)
			}
			for _, mark := range []string{"](", "**", "<!--", "| ---"} {
				if strings.Contains(line, mark) {
					t.Errorf("%s: %q is left in: %s", page, mark, line)
				}
			}
		}
	}
}

// FuzzRender renders anything at any width: it ends, and what is not styled has no escape sequence of ours.
func FuzzRender(f *testing.F) {
	markdown, err := os.ReadFile("testdata/page.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(markdown), 60)
	f.Add("| | |\n| --- | --- |\n", 0)
	f.Add("- \n1. x\n> y", -1)
	f.Fuzz(func(t *testing.T, markdown string, width int) {
		got := Render(markdown, Options{Width: min(width, 500)})
		if !strings.Contains(markdown, "\x1b") && strings.Contains(got, "\x1b") {
			t.Errorf("an escape sequence in %q", got)
		}
	})
}
