package plans

import (
	"strings"

	"drrun/lua"
)

// CommentAbove returns what stands in the comment right above a place of the plan's files, "" where there is none.
func (p *Plan) CommentAbove(pos lua.Pos) string {
	if p.source == nil {
		return ""
	}
	var lines []string
	for line := pos.Line - 1; line > 0; line-- {
		text, isComment := strings.CutPrefix(strings.TrimSpace(p.source(lua.Pos{File: pos.File, Line: line})), "--")
		if !isComment || strings.HasPrefix(text, "[[") {
			break
		}
		lines = append([]string{strings.TrimSpace(strings.TrimLeft(text, "-"))}, lines...)
	}
	return strings.TrimSpace(strings.Join(lines, " "))
}
