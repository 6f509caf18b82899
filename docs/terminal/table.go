package terminal

import (
	"math"
	"strings"

	extast "github.com/yuin/goldmark/extension/ast"
)

const gap = 2 // columns between two cells

// table renders a table in columns. The widest columns give way until it fits, and their cells are wrapped.
func (r *renderer) table(table *extast.Table, width int) []string {
	var rows [][][]word
	heading := false
	for row := table.FirstChild(); row != nil; row = row.NextSibling() {
		s := plain
		if _, isHeading := row.(*extast.TableHeader); isHeading {
			s, heading = bold, true
		}
		var cells [][]word
		for cell := row.FirstChild(); cell != nil; cell = cell.NextSibling() {
			cells = append(cells, r.inline(cell, s))
		}
		rows = append(rows, cells)
	}
	if heading && isEmpty(rows[0]) {
		rows, heading = rows[1:], false
	}
	widths := columnWidths(rows, width)
	var lines []string
	for i, row := range rows {
		lines = append(lines, tableRow(row, widths)...)
		if i == 0 && heading {
			var rule []string
			for _, column := range widths {
				rule = append(rule, strings.Repeat("─", column))
			}
			lines = append(lines, strings.Join(rule, strings.Repeat(" ", gap)))
		}
	}
	return lines
}

func isEmpty(row [][]word) bool {
	for _, cell := range row {
		if len(cell) > 0 {
			return false
		}
	}
	return true
}

// columnWidths is how wide each column is: as wide as its widest cell. Where the whole would not fit, the column gives way that is wide
// for the little that stands in it, so that the table does not become long.
func columnWidths(rows [][][]word, width int) []int {
	var widths, least []int // of the whole cell, and of its longest word
	var content []float64   // of all cells of the column
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, least, content = append(widths, 1), append(least, 1), append(content, 1)
			}
			length := max(len(cell)-1, 0)
			for _, w := range cell {
				length += w.width
				least[i] = max(least[i], w.width)
			}
			widths[i] = max(widths[i], length)
			content[i] += float64(length)
		}
	}
	spare := func(i int) float64 { return float64(widths[i]) / math.Sqrt(content[i]) }
	for {
		total, next := gap*(len(widths)-1), -1
		for i, column := range widths {
			total += column
			if column > least[i] && (next < 0 || spare(i) > spare(next)) {
				next = i
			}
		}
		if total <= width || next < 0 {
			return widths
		}
		widths[next]--
	}
}

func tableRow(row [][]word, widths []int) []string {
	var cells [][]string
	height := 0
	for i, cell := range row {
		cells = append(cells, wrap(cell, widths[i]))
		height = max(height, len(cells[i]))
	}
	var lines []string
	for at := range height {
		var b strings.Builder
		for i, cell := range cells {
			text := ""
			if at < len(cell) {
				text = cell[at]
			}
			b.WriteString(text)
			if i < len(cells)-1 {
				b.WriteString(strings.Repeat(" ", max(widths[i]-visible(text), 0)+gap))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}
