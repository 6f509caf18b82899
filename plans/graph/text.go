package graph

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"drrun/plans/report"
)

const textWidth = 80

// Text renders the drawing for a terminal of 80 columns.
func (d Drawing) Text() string {
	var b strings.Builder
	b.WriteString(d.Title + "\n")
	for _, note := range d.Notes {
		report.Wrap(&b, "", note, textWidth)
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
				report.Wrap(&b, fmt.Sprintf("  %s %-*s  ", textMarks[node.Kind], width, node.Name), text, textWidth)
			}
		}
	}
	return b.String()
}

// textMarks show the kind of a node.
var textMarks = map[string]string{KindStarts: "*", KindStays: "-", KindUnknown: "?", KindStops: "*"}
