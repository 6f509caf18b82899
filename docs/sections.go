package docs

import (
	"regexp"
	"strings"
)

// Section is a heading of a page with what stands below it.
type Section struct {
	Page  *Page
	Level int    // 1 for the title of a page
	Title string // as plain text
	Text  string // Markdown from the heading to the next one of its level or above; of a module also its functions
	own   string // the same without the sections in it
}

var heading = regexp.MustCompile(`^(#{1,6}) (.+)$`)

// sectionsOf finds the headings of a page. What stands in a block of code is none.
func sectionsOf(page *Page) []Section {
	lines := strings.SplitAfter(page.Text, "\n")
	var sections []Section
	var starts []int
	fenced := false
	for i, line := range lines {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		}
		if match := heading.FindStringSubmatch(strings.TrimRight(line, "\n")); match != nil && !fenced {
			sections = append(sections, Section{Page: page, Level: len(match[1]), Title: strings.ReplaceAll(match[2], "`", "")})
			starts = append(starts, i)
		}
	}
	for i := range sections {
		end := len(lines)
		for j := i + 1; j < len(sections); j++ {
			if sections[j].Level <= sections[i].Level && !strings.HasPrefix(sections[j].word(), sections[i].word()+".") {
				end = starts[j]
				break
			}
		}
		next := len(lines)
		if i+1 < len(starts) {
			next = starts[i+1]
		}
		sections[i].Text = strings.TrimRight(strings.Join(lines[starts[i]:end], ""), "\n") + "\n"
		sections[i].own = strings.Join(lines[starts[i]:next], "")
	}
	return sections
}

// word is the name that a section is about: that of a function, a hook point, a module or a kind of object; else its title.
func (s *Section) word() string {
	title, _, _ := strings.Cut(s.Title, " →")
	if module, ok := strings.CutPrefix(title, "require "); ok {
		return strings.Trim(module, `"`)
	}
	return title
}

// anchor is how a link in a page names the section.
func (s *Section) anchor() string {
	var b strings.Builder
	for _, r := range strings.ToLower(s.Title) {
		switch {
		case r == ' ':
			b.WriteByte('-')
		case r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r > 127 && r != '→' && r != '…':
			b.WriteRune(r)
		}
	}
	return b.String()
}
