package terminal

import (
	"strconv"
	"strings"

	"github.com/yuin/goldmark/ast"
)

func (r *renderer) list(list *ast.List, width int) []string {
	var lines []string
	number := list.Start
	for item := list.FirstChild(); item != nil; item = item.NextSibling() {
		mark := "• "
		if list.IsOrdered() {
			mark = strconv.Itoa(number) + ". "
			number++
		}
		space := strings.Repeat(" ", visible(mark))
		if len(lines) > 0 && !list.IsTight {
			lines = append(lines, "")
		}
		lines = append(lines, indent(r.blocks(item, width-visible(mark)), mark, space)...)
	}
	return lines
}
