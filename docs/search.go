package docs

import (
	"cmp"
	"slices"
	"strings"
)

// Hit is a section in which words were found.
type Hit struct {
	Topic string `json:"topic"` // what Find takes
	Page  string `json:"page"`
	Title string `json:"title"`
	Line  string `json:"line"` // the line that has most of the words
	score int
}

// Search finds the sections that hold all of the words, in any order and case, the best first: those whose heading holds them.
func Search(words []string) []Hit {
	wanted := strings.Fields(strings.ToLower(strings.Join(words, " ")))
	var hits []Hit
	for _, page := range Pages() {
		for _, section := range page.sections {
			text := strings.ToLower(section.own)
			if len(wanted) == 0 || slices.ContainsFunc(wanted, func(word string) bool { return !strings.Contains(text, word) }) {
				continue
			}
			hits = append(hits, Hit{Topic: section.topic(), Page: page.File(), Title: section.Title, Line: bestLine(section.own, wanted), score: section.score(wanted)})
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(len(a.Title), len(b.Title)))
	})
	return hits
}

// topic is how drrun docs is asked for the section: by its name, else by its page.
func (s *Section) topic() string {
	if word := strings.ToLower(s.word()); s.Level > 1 && s.Page.hasTopics() && !strings.Contains(word, " ") {
		return word
	}
	return s.Page.Topic()
}

func (s *Section) score(wanted []string) int {
	score := 0
	title, text := strings.ToLower(s.Title), strings.ToLower(s.own)
	for _, word := range wanted {
		score += 20*strings.Count(title, word) + min(strings.Count(text, word), 5)
	}
	return score
}

// bestLine returns the first line of a text that has most of the words, without the marks of headings, lists and tables.
func bestLine(text string, wanted []string) string {
	best, most := "", 0
	for line := range strings.SplitSeq(text, "\n") {
		has := 0
		for _, word := range wanted {
			if strings.Contains(strings.ToLower(line), word) {
				has++
			}
		}
		if has > most && !heading.MatchString(line) {
			best, most = line, has
		}
	}
	return strings.Trim(best, " |-#*")
}
