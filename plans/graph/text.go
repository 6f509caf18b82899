package graph

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

const textWidth = 80

// Text renders the drawing for a terminal of 80 columns.
func (d Drawing) Text() string {
	var b strings.Builder
	b.WriteString(d.Title + "\n")
	for _, note := range d.Notes {
		wrapped(&b, "", note)
	}
	for _, band := range d.Bands {
		fmt.Fprintf(&b, "\nrank %d", band.Rank)
		if band.Note != "" {
			b.WriteString(", " + band.Note)
		}
		b.WriteByte('\n')
		width := 0
		for _, row := range band.Rows {
			for _, node := range row {
				width = max(width, min(utf8.RuneCountInString(node.Name), 24))
			}
		}
		for _, row := range band.Rows {
			for _, node := range row {
				text := strings.Join(node.Details, "; ")
				if len(node.After) > 0 {
					text += "; after " + strings.Join(node.After, ", ")
				}
				wrapped(&b, fmt.Sprintf("  %s %-*s  ", textMarks[node.Kind], width, node.Name), text)
			}
		}
	}
	return b.String()
}

// textMarks show the kind of a node.
var textMarks = map[string]string{KindStarts: "*", KindStays: "-", KindUnknown: "?", KindStops: "*"}

// wrapped writes a text behind a head, with its further lines below its first one.
func wrapped(b *strings.Builder, head, text string) {
	indent := min(utf8.RuneCountInString(head), textWidth/2)
	b.WriteString(head)
	column := utf8.RuneCountInString(head)
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i > 0 && column+1+length > textWidth, i == 0 && column+length > textWidth && column > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteByte('\n')
}
