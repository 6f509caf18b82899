// Package docs holds the documentation: the pages of this folder, what is found in them by name, and where words stand in them.
package docs

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

//go:embed *.md design/*.md
var files embed.FS

const indexFile = "README.md"

// Page is one page of the documentation.
type Page struct {
	Name  string // file name without its ending: "010-tutorial", "design/010-one-run"
	Group string // heading of the index under which it is listed
	About string // what the index says of it
	Text  string // Markdown

	sections []Section
}

// File is the path of the page from the top of the repository.
func (p *Page) File() string { return "docs/" + p.Name + ".md" }

// Title is the first heading of the page.
func (p *Page) Title() string { return p.sections[0].Title }

// Topic is the shortest name by which the page is found: its name without the number.
func (p *Page) Topic() string { return withoutNumber(p.Name) }

var (
	indexEntry = regexp.MustCompile(`^- \[[^\]]+\]\(([^)]+)\.md\): (.+)$`)
	number     = regexp.MustCompile(`^(.*/)?\d+-`)
)

func withoutNumber(name string) string {
	if match := number.FindString(name); match != "" {
		return name[len(match):]
	}
	return name
}

// Pages lists the pages in the order of the index, which is the order in which they are needed.
var Pages = sync.OnceValue(func() []*Page {
	var pages []*Page
	group := ""
	for line := range strings.SplitSeq(read(indexFile), "\n") {
		if title, ok := strings.CutPrefix(line, "## "); ok {
			group = title
		}
		match := indexEntry.FindStringSubmatch(line)
		if match == nil {
			continue
		}
		page := &Page{Name: match[1], Group: group, About: match[2], Text: read(match[1] + ".md")}
		page.sections = sectionsOf(page)
		pages = append(pages, page)
	}
	return pages
})

// Index is the page that lists the others.
func Index() string { return read(indexFile) }

// read returns a page. The index names only pages that there are: a test keeps it so.
func read(name string) string {
	text, err := files.ReadFile(name)
	if err != nil {
		panic(fmt.Sprintf("documentation: %v", err))
	}
	return string(text)
}
