// Package terminal renders Markdown for a terminal: headings, lists, tables and blocks of code, wrapped to its width.
//
// The Markdown is read by goldmark. What a ready renderer such as glamour brings along (a highlighter of 200 languages) would have cost each
// start of drrun 15 ms and its binary 10 MB.
package terminal

import (
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	extast "github.com/yuin/goldmark/extension/ast"
	"github.com/yuin/goldmark/text"
)

// Options say for what terminal a text is rendered.
type Options struct {
	Width  int  // columns; less than 40 is taken for 40
	Styled bool // bold, colours; without it the text has no escape sequences
	// Link returns what is shown behind the text of a link, "" for nothing; nil shows nothing behind any.
	Link func(destination string) string
}

const narrowest = 40

// Render returns the text as lines that fit.
func Render(markdown string, o Options) string {
	source := []byte(markdown)
	document := goldmark.New(goldmark.WithExtensions(extension.Table)).Parser().Parse(text.NewReader(source))
	r := &renderer{source: source, Options: o}
	r.Width = max(r.Width, narrowest)
	return strings.TrimRight(strings.Join(r.blocks(document, r.Width), "\n"), "\n") + "\n"
}

type renderer struct {
	Options
	source []byte
}

// blocks renders what a node holds, with an empty line between two blocks, but not between the items of a tight list.
func (r *renderer) blocks(parent ast.Node, width int) []string {
	var lines []string
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		block := r.block(node, width)
		if len(block) == 0 {
			continue
		}
		if _, tight := node.(*ast.TextBlock); len(lines) > 0 && !tight && !isTightList(node) {
			lines = append(lines, "")
		}
		lines = append(lines, block...)
	}
	return lines
}

// isTightList tells whether a node is a list inside an item of a tight one.
func isTightList(node ast.Node) bool {
	list, ok := node.(*ast.List)
	_, nested := node.Parent().(*ast.ListItem)
	return ok && nested && list.IsTight
}

func (r *renderer) block(node ast.Node, width int) []string {
	switch node := node.(type) {
	case *ast.Heading:
		return r.heading(node, width)
	case *ast.Paragraph, *ast.TextBlock:
		return wrap(r.inline(node, plain), width)
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		return r.code(node)
	case *ast.List:
		return r.list(node, width)
	case *ast.Blockquote:
		return indent(r.blocks(node, width-2), "│ ", "│ ")
	case *ast.ThematicBreak:
		return []string{strings.Repeat("─", width)}
	case *extast.Table:
		return r.table(node, width)
	}
	return nil // comments of the page's source
}

func (r *renderer) heading(node *ast.Heading, width int) []string {
	lines := wrap(r.inline(node, bold), width)
	if node.Level <= 2 {
		longest := 0
		for _, line := range lines {
			longest = max(longest, visible(line))
		}
		mark := "─"
		if node.Level == 1 {
			mark = "═"
		}
		lines = append(lines, strings.Repeat(mark, longest))
	}
	return lines
}

// code keeps the lines as they are: they are there to be copied.
func (r *renderer) code(node ast.Node) []string {
	var lines []string
	for i := range node.Lines().Len() {
		segment := node.Lines().At(i)
		line := strings.TrimRight(string(segment.Value(r.source)), "\n")
		if line != "" {
			line = "    " + r.paint(code, line)
		}
		lines = append(lines, line)
	}
	return lines
}

func indent(lines []string, first, rest string) []string {
	for i, line := range lines {
		switch {
		case i == 0:
			lines[i] = first + line
		case line != "":
			lines[i] = rest + line
		}
	}
	return lines
}
