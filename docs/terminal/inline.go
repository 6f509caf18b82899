package terminal

import (
	"strings"
	"unicode/utf8"

	"github.com/yuin/goldmark/ast"
)

// style is how a piece of text is shown.
type style int

const (
	plain style = iota
	bold
	italic
	code
)

var escapes = map[style]string{bold: "\x1b[1m", italic: "\x1b[3m", code: "\x1b[36m"}

func (r *renderer) paint(s style, text string) string {
	if !r.Styled || escapes[s] == "" || text == "" {
		return text
	}
	return escapes[s] + text + "\x1b[0m"
}

// word is what a line is not broken in: painted pieces without a space between them.
type word struct {
	text  string
	width int
	last  bool // the line ends behind it
}

// phrase collects words.
type phrase struct {
	words []word
	open  bool // the last word goes on
}

func (p *phrase) add(painted string, width int) {
	if !p.open {
		p.words = append(p.words, word{})
	}
	last := &p.words[len(p.words)-1]
	last.text += painted
	last.width += width
	p.open = true
}

func (p *phrase) space() { p.open = false }

// inline returns the words of a block.
func (r *renderer) inline(node ast.Node, s style) []word {
	var p phrase
	r.collect(&p, node, s)
	return p.words
}

func (r *renderer) collect(p *phrase, parent ast.Node, s style) {
	for node := parent.FirstChild(); node != nil; node = node.NextSibling() {
		switch node := node.(type) {
		case *ast.Text:
			r.text(p, string(node.Segment.Value(r.source)), s)
			if node.SoftLineBreak() || node.HardLineBreak() {
				p.space()
			}
			if node.HardLineBreak() && len(p.words) > 0 {
				p.words[len(p.words)-1].last = true
			}
		case *ast.String:
			r.text(p, string(node.Value), s)
		case *ast.CodeSpan:
			r.codeSpan(p, node)
		case *ast.Emphasis:
			inner := italic
			if node.Level == 2 {
				inner = bold
			}
			r.collect(p, node, inner)
		case *ast.Link:
			r.link(p, node, s)
		case *ast.AutoLink:
			r.text(p, string(node.URL(r.source)), s)
		case *ast.RawHTML:
		default:
			r.collect(p, node, s)
		}
	}
}

// text adds words; a backslash before a mark, as in a table, is taken away.
func (r *renderer) text(p *phrase, text string, s style) {
	for i, part := range strings.Split(unescape(text), " ") {
		if i > 0 {
			p.space()
		}
		if part != "" {
			p.add(r.paint(s, part), utf8.RuneCountInString(part))
		}
	}
}

func unescape(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && strings.IndexByte("\\`*_{}[]()<>#+-.!|", text[i+1]) >= 0 {
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// longestWhole is the longest piece of code that is kept on one line.
const longestWhole = 30

func (r *renderer) codeSpan(p *phrase, node *ast.CodeSpan) {
	var b strings.Builder
	for child := node.FirstChild(); child != nil; child = child.NextSibling() {
		if piece, ok := child.(*ast.Text); ok {
			b.Write(piece.Segment.Value(r.source))
		}
	}
	text := strings.ReplaceAll(strings.ReplaceAll(b.String(), "\n", " "), `\|`, "|")
	if !r.Styled {
		text = "`" + text + "`" // nothing else would tell it from the words around it
	}
	if utf8.RuneCountInString(text) <= longestWhole {
		p.add(r.codePiece(text))
		return
	}
	for i, part := range strings.Fields(text) {
		if i > 0 {
			p.space()
		}
		p.add(r.codePiece(part))
	}
}

func (r *renderer) codePiece(text string) (painted string, width int) {
	return r.paint(code, text), utf8.RuneCountInString(text)
}

// link shows the text of a link, and behind it where it leads.
func (r *renderer) link(p *phrase, node *ast.Link, s style) {
	r.collect(p, node, s)
	if r.Link == nil {
		return
	}
	if leads := r.Link(string(node.Destination)); leads != "" {
		p.space()
		p.add("(", 1)
		p.add(r.codePiece(leads))
		p.add(")", 1)
	}
}

// wrap breaks words into lines.
func wrap(words []word, width int) []string {
	var lines []string
	line, column := "", 0
	broken := true // nothing is on the line yet
	for _, w := range words {
		if !broken && column+1+w.width > width {
			lines = append(lines, line)
			line, column, broken = "", 0, true
		}
		if !broken {
			line += " "
			column++
		}
		line += w.text
		column += w.width
		broken = false
		if w.last {
			lines = append(lines, line)
			line, column, broken = "", 0, true
		}
	}
	if !broken {
		lines = append(lines, line)
	}
	return lines
}

// visible is how many columns a painted text takes.
func visible(painted string) int {
	width, escaped := 0, false
	for _, r := range painted {
		switch {
		case r == '\x1b':
			escaped = true
		case escaped:
			escaped = r != 'm'
		default:
			width++
		}
	}
	return width
}
