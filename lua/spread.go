package lua

import (
	"bytes"
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// source is a Lua file as the runtime knows it: its text, its tokens, and the tables of its calls. The file is compiled
// from a copy with one token a line, because gopher-lua knows lines only: a "line" of the copy is a token of the original.
type source struct {
	name    string // as shown to people
	mark    string // as gopher-lua knows it: unmistakable in messages
	lines   []string
	offsets []int // of the lines, in bytes
	tokens  []token
	// tokenOfLine[n] is the index of the first token on line n+1 of the copy.
	tokenOfLine []int
	calls       map[int][]*ast.FuncCallExpr // by line of the copy
	locals      map[*ast.IdentExpr]*local   // by use
	globals     []globalUse
	tables      map[*ast.TableExpr]*tableIndex
	chunk       []ast.Stmt                     // of the copy
	parameters  map[*ast.FunctionExpr][]*local // by function, without a method's self
	builtin     bool                           // one of our own: left out of tracebacks
}

// token is where a token stands; column and width count bytes, as gopher-lua's scanner does.
type token struct{ line, col, width int }

// The mark keeps a path's own colons and digits from being read as a place.
func markOf(n int) string { return fmt.Sprintf("\x01%d\x01", n) }

var markedPlace = regexp.MustCompile("\x01(\\d+)\x01:(-?\\d+):? ?")

// compileSource parses a file and compiles it. Its error is a *Diagnostic.
func compileSource(name, mark string, text []byte) (*source, *glua.FunctionProto, error) {
	return compileEdited(name, mark, text, nil)
}

// compileEdited is compileSource with a change of what is compiled. The places are those of the text.
func compileEdited(name, mark string, text []byte, edit func([]ast.Stmt)) (*source, *glua.FunctionProto, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) // some editors mark UTF-8 so
	if len(text) > 0 && text[0] == '#' {                  // a first line such as #!/usr/bin/env drrun
		text = append([]byte("--"), text...)
	}
	s := &source{name: name, mark: mark, calls: map[int][]*ast.FuncCallExpr{}, tables: map[*ast.TableExpr]*tableIndex{}}
	s.lines, s.offsets = splitLines(string(text))
	if d := s.foreignFile(text); d != nil {
		return s, nil, d
	}
	// The original first, so that syntax errors carry real lines.
	if _, err := parse.Parse(strings.NewReader(string(text)), name); err != nil {
		return s, nil, s.syntaxError(string(text), err)
	}
	spread, err := s.spread(string(text))
	if err != nil {
		return s, nil, s.syntaxError(string(text), err)
	}
	chunk, err := parse.Parse(strings.NewReader(spread), mark)
	if err != nil {
		return s, nil, s.syntaxError(string(text), err)
	}
	visitor{onExpr: func(e ast.Expr) {
		switch n := e.(type) {
		case *ast.FuncCallExpr:
			s.calls[n.Line()] = append(s.calls[n.Line()], n)
		case *ast.TableExpr:
			s.tables[n] = newTableIndex(n)
		}
	}}.block(chunk)
	s.chunk = chunk
	s.locals, s.globals, s.parameters = resolve(chunk)
	// Compiled from a tree of its own, since splitting long tables would hide their places.
	if chunk, err = parse.Parse(strings.NewReader(spread), mark); err != nil {
		return s, nil, s.syntaxError(string(text), err)
	}
	if edit != nil {
		edit(chunk)
	}
	splitLongTables(chunk)
	guardConcats(chunk)
	proto, err := glua.Compile(chunk, mark)
	if err != nil {
		return s, nil, s.syntaxError(string(text), err)
	}
	return s, proto, nil
}

// spread writes the copy with one token a line and fills tokens and tokenOfLine.
func (s *source) spread(text string) (string, error) {
	var out strings.Builder
	scanner := parse.NewScanner(strings.NewReader(text), s.name)
	lexer := &parse.Lexer{}
	for previous := 0; ; {
		t, err := scanner.Scan(lexer)
		if err != nil {
			return "", err
		}
		if t.Type == parse.EOF {
			break
		}
		lexer.PrevTokenType = t.Type
		// Lua 5.1 forbids a line break between a call's function and its "(" only behind ")".
		if len(s.tokens) > 0 && !(t.Type == '(' && previous == ')') {
			out.WriteByte('\n')
			s.tokenOfLine = append(s.tokenOfLine, len(s.tokens))
		} else if len(s.tokens) == 0 {
			s.tokenOfLine = append(s.tokenOfLine, 0)
		}
		written := tokenText(t)
		if t.Type == parse.TNumber && droppedZero(text, s.offsets, t.Pos.Line, t.Pos.Column, t.Str) {
			written = "0" + written
		}
		s.tokens = append(s.tokens, s.place(t, written))
		out.WriteString(written)
		previous = t.Type
	}
	return out.String(), nil
}

func tokenText(t ast.Token) string {
	switch {
	case t.Type == parse.TString:
		return Quote(t.Str)
	case t.Type > 0 && t.Type < 128:
		return string(rune(t.Type)) // Str of '.' is empty
	}
	return t.Str
}

// place finds where a token stands. The scanner counts columns from 1 at the token's first character.
func (s *source) place(t ast.Token, written string) token {
	width := len(written)
	if t.Type == parse.TString {
		width = s.stringWidth(t.Pos.Line, t.Pos.Column)
	}
	return token{line: t.Pos.Line, col: max(t.Pos.Column, 1), width: width}
}

// stringWidth measures a text literal in the original: its escapes are gone from the token.
func (s *source) stringWidth(line, col int) int {
	if line < 1 || line > len(s.lines) || col < 1 || col > len(s.lines[line-1]) {
		return 1
	}
	rest := s.lines[line-1][col-1:]
	quote := rest[0]
	for i := 1; i < len(rest); i++ {
		switch {
		case rest[i] == '\\':
			i++
		case rest[i] == quote:
			return i + 1
		}
	}
	return len(rest) // a long bracket, or a text that goes on: to the end of the line
}

// splitLines splits as gopher-lua's scanner counts: \n, \r, \r\n and \n\r each end one line.
func splitLines(text string) (lines []string, offsets []int) {
	start := 0
	for i := 0; i < len(text); i++ {
		if text[i] != '\n' && text[i] != '\r' {
			continue
		}
		lines, offsets = append(lines, text[start:i]), append(offsets, start)
		if i+1 < len(text) && text[i+1] != text[i] && (text[i+1] == '\n' || text[i+1] == '\r') {
			i++
		}
		start = i + 1
	}
	return append(lines, text[start:]), append(offsets, start)
}

// droppedZero reports whether the scanner ate a leading zero of a number (it does for "007").
func droppedZero(text string, offsets []int, line, col int, number string) bool {
	if line < 1 || line > len(offsets) || number == "" {
		return false
	}
	at := offsets[line-1] + col - 1
	return at >= 0 && at+1 < len(text) && text[at] == '0' && !strings.HasPrefix(text[at:], number) && strings.HasPrefix(text[at+1:], number)
}

// at returns the place of a line of the copy.
func (s *source) at(copyLine int) Pos {
	if copyLine < 1 || copyLine > len(s.tokenOfLine) {
		return Pos{File: s.name}
	}
	return s.pos(s.tokens[s.tokenOfLine[copyLine-1]])
}

// between returns the original text from the first token on one line of the copy to the end of the first token on another one.
func (s *source) between(copyLine, lastCopyLine int) string {
	if copyLine < 1 || lastCopyLine < copyLine || lastCopyLine > len(s.tokenOfLine) {
		return ""
	}
	from, to := s.tokens[s.tokenOfLine[copyLine-1]], s.tokens[s.tokenOfLine[lastCopyLine-1]]
	if from.line > to.line || to.line > len(s.lines) {
		return ""
	}
	lines := slices.Clone(s.lines[from.line-1 : to.line])
	last := len(lines) - 1
	lines[last] = lines[last][:min(to.col-1+to.width, len(lines[last]))]
	lines[0] = lines[0][min(from.col-1, len(lines[0])):]
	return strings.Join(lines, "\n")
}

// pos returns the place of a token, which counts characters.
func (s *source) pos(t token) Pos {
	text := ""
	if t.line <= len(s.lines) { // a text that is not closed can end behind the last line
		text = s.lines[t.line-1]
	}
	col := func(at int) int {
		inside := min(at-1, len(text))
		return utf8.RuneCountInString(text[:inside]) + at - inside
	}
	return Pos{File: s.name, Line: t.line, Col: col(t.col), EndCol: col(t.col + t.width)}
}

// line returns the text of a line of the original.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f { // a terminal would obey them
			return '?'
		}
		return r
	}, s.lines[n-1])
}

func (s *source) diagnostic(pos Pos, code, message string) *Diagnostic {
	return &Diagnostic{Pos: pos, Code: code, Message: message, Source: s.line(pos.Line)}
}

// call finds the call of a function of that name whose expression begins on a line of the copy.
func (s *source) call(copyLine int, name string) *ast.FuncCallExpr {
	var found *ast.FuncCallExpr
	for _, call := range s.calls[copyLine] {
		if called := calledName(call); called == name || called == "" && name == "call" { // require "x" { … } calls what the first call gave
			return call
		}
		found = call
	}
	if len(s.calls[copyLine]) == 1 {
		return found
	}
	return nil
}

// arguments finds the arguments that a call on a line of the copy has for a function, also when it goes through pcall. byName says
// that it names the function without a colon: the first argument of a method is its receiver then.
func (s *source) arguments(copyLine int, name string) (args []ast.Expr, byName bool) {
	call := cmp.Or(s.call(copyLine, name), s.call(copyLine, "pcall"))
	switch {
	case call == nil:
		return nil, false
	case calledName(call) == "pcall" && len(call.Args) > 0:
		return call.Args[1:], fieldName(call.Args[0]) == name
	}
	return call.Args, call.Method == "" && calledName(call) == name
}

func calledName(call *ast.FuncCallExpr) string {
	if call.Method != "" {
		return call.Method
	}
	return fieldName(call.Func)
}

// fieldName is the last name of a.b.c.
func fieldName(e ast.Expr) string {
	switch f := e.(type) {
	case *ast.IdentExpr:
		return f.Value
	case *ast.AttrGetExpr:
		if key, ok := f.Key.(*ast.StringExpr); ok {
			return key.Value
		}
	}
	return ""
}

// tableIndex finds the fields of a table literal at once: a plan has thousands of entries.
type tableIndex struct {
	named      map[string]*ast.Field
	positional []*ast.Field
}

func newTableIndex(table *ast.TableExpr) *tableIndex {
	index := &tableIndex{named: map[string]*ast.Field{}}
	for _, field := range table.Fields {
		if field.Key == nil {
			index.positional = append(index.positional, field)
		} else if key, ok := field.Key.(*ast.StringExpr); ok {
			index.named[key.Value] = field
		}
	}
	return index
}

func (t *tableIndex) field(step any) *ast.Field {
	switch at := step.(type) {
	case string:
		return t.named[at]
	case int:
		if at >= 1 && at <= len(t.positional) {
			return t.positional[at-1]
		}
	}
	return nil
}

// find walks from an expression along keys (texts) and indexes (ints from 1) as far as tables are written out, and
// returns the place of the last step. wantKey points at the key instead of the value.
func (s *source) find(expr ast.Expr, path []any, wantKey bool) Pos {
	pos := s.exprAt(expr)
	for i, step := range path {
		if ident, ok := expr.(*ast.IdentExpr); ok {
			if known := s.locals[ident]; known != nil && known.table != nil && !known.changed {
				expr = known.table
			}
		}
		table, ok := expr.(*ast.TableExpr)
		if !ok {
			return pos
		}
		field := s.tables[table].field(step)
		if field == nil {
			return pos
		}
		if wantKey && i == len(path)-1 && field.Key != nil {
			return s.at(field.Key.Line())
		}
		expr = field.Value
		pos = s.exprAt(expr)
	}
	return pos
}

// exprAt returns the place of an expression. The parser gives "-5" the place of the 5.
func (s *source) exprAt(expr ast.Expr) Pos {
	pos := s.at(expr.Line())
	if _, negative := expr.(*ast.UnaryMinusOpExpr); negative {
		if minus := s.at(expr.Line() - 1); minus.Line == pos.Line {
			pos.Col = minus.Col
		}
	}
	return pos
}
