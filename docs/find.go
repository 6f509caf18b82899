package docs

import (
	"slices"
	"strings"
)

// Topic is what a name stands for: a page, or a section of one.
type Topic struct {
	Name string // by which it is found again
	Page *Page
	Text string // Markdown
}

// Find returns what a name stands for. A page is found by its name, its number or a part of its name; a section by what it is about: a
// hook point, a module, a kind of object or a function of it, with or without what stands before its last dot or colon. More than one
// topic means that the name is a part of several names.
func Find(name string) []Topic {
	name = strings.ToLower(strings.TrimSpace(name))
	name = strings.TrimSuffix(strings.TrimPrefix(name, "docs/"), ".md")
	for _, found := range [][]Topic{
		pagesBy(func(p *Page) bool {
			return p.Name == name || p.Topic() == name || p.Topic() == "the-"+name || hasNumber(p, name)
		}),
		sectionsBy(func(word string) bool { return word == name }),
		pagesBy(func(p *Page) bool {
			words := strings.Split(p.Topic(), "-")
			return slices.Contains(words, name) || slices.Contains(words, name+"s")
		}),
		sectionsBy(func(word string) bool { return lastPart(word) == name }),
		pagesBy(func(p *Page) bool { return strings.Contains(p.Name, name) }),
		sectionsBy(func(word string) bool { return strings.Contains(word, name) }),
		pagesBy(func(p *Page) bool { return strings.Contains(strings.ReplaceAll(p.Name, "-", ""), name) }),
	} {
		if len(found) > 0 && name != "" {
			return found
		}
	}
	return nil
}

// hasNumber tells whether a page of the first level has a number; the zero before it can be left out.
func hasNumber(p *Page, name string) bool {
	digits, _, numbered := strings.Cut(p.Name, "-")
	return numbered && !strings.Contains(digits, "/") && strings.TrimLeft(digits, "0") == strings.TrimLeft(name, "0")
}

// lastPart is the name of a function without that of its module or object.
func lastPart(word string) string { return word[strings.LastIndexAny(word, ".:")+1:] }

func pagesBy(wanted func(*Page) bool) []Topic {
	var found []Topic
	for _, page := range Pages() {
		if wanted(page) {
			found = append(found, Topic{Name: page.Topic(), Page: page, Text: page.Text})
		}
	}
	return found
}

// sectionsBy finds sections below the title of their page. A name that two pages have is taken from the one that comes first.
func sectionsBy(wanted func(word string) bool) []Topic {
	var found []Topic
	for _, page := range Pages() {
		if !page.hasTopics() {
			continue
		}
		for _, section := range page.sections {
			name := strings.ToLower(section.word())
			if section.Level > 1 && wanted(name) && !slices.ContainsFunc(found, func(t Topic) bool { return t.Name == name }) {
				found = append(found, Topic{Name: name, Page: page, Text: section.Text})
			}
		}
	}
	return found
}

// hasTopics tells whether the sections of a page are topics by themselves. Codes are shown by drrun explain, and where a behaviour of the
// lab was taken from, one after the other, is a list for its makers.
func (p *Page) hasTopics() bool { return p.Name != "890-codes" && p.Name != "820-lab-sources" }

// Names lists the names of all pages, functions, hook points, modules and kinds of objects.
func Names() []string {
	var names []string
	for _, page := range Pages() {
		names = append(names, page.Topic())
		if !page.hasTopics() {
			continue
		}
		for _, section := range page.sections {
			if word := strings.ToLower(section.word()); section.Level > 1 && !strings.Contains(word, " ") {
				names = append(names, word)
			}
		}
	}
	return names
}
