package lua

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// The parser says "parse error" at the token behind the one that is wrong. What people really wrote is found from the tokens before it.

// syntaxCode is the code of every finding about the grammar of a file.
const syntaxCode = "syntax"

// misread is a text that the parser refused.
type misread struct {
	src    *source
	err    *parse.Error
	tokens []ast.Token // up to the refused one, which is the last unless the scanner itself stopped
	broken bool        // the scanner stopped: what it stopped at is no token
}

// syntaxError turns what the parser or the compiler said into a finding.
func (s *source) syntaxError(text string, err error) *Diagnostic {
	var compile *glua.CompileError
	if errors.As(err, &compile) {
		return s.diagnostic(s.at(compile.Line), syntaxCode, compile.Message)
	}
	var refused *parse.Error
	if !errors.As(err, &refused) {
		return s.diagnostic(Pos{File: s.name, Line: 1, Col: 1}, syntaxCode, err.Error())
	}
	m := readUntil(s, text, refused)
	for _, explain := range []func(*misread) *Diagnostic{
		(*misread).openText, (*misread).foreignCharacter, (*misread).foreignOperator, (*misread).foreignComment, (*misread).assignmentInCondition,
		(*misread).conditionWithoutThen, (*misread).missingQuote, (*misread).callOfNumber,
		(*misread).colonForEquals, (*misread).dashInKey, (*misread).brackets, (*misread).behindReturn, (*misread).openBlock, (*misread).comma,
	} {
		if d := explain(m); d != nil {
			return d
		}
	}
	return m.plain()
}

// readUntil scans a text up to the token that the parser refused.
func readUntil(s *source, text string, refused *parse.Error) *misread {
	m := &misread{src: s, err: refused}
	scanner, lexer := parse.NewScanner(strings.NewReader(text), s.name), &parse.Lexer{}
	for {
		t, err := scanner.Scan(lexer)
		if err != nil {
			m.broken = true
			return m
		}
		lexer.PrevTokenType = t.Type
		if t.Type == parse.EOF {
			return m
		}
		m.tokens = append(m.tokens, t)
		if refused.Pos.Line > 0 && scanner.Pos.Line == refused.Pos.Line && scanner.Pos.Column >= refused.Pos.Column || refused.Pos.Line > 0 && scanner.Pos.Line > refused.Pos.Line {
			return m
		}
	}
}

func (m *misread) atEnd() bool { return !m.broken && m.err.Pos.Line <= 0 }

// back returns the token n before the refused one, 0 being the refused one itself; false when there is none.
func (m *misread) back(n int) (ast.Token, bool) {
	at := len(m.tokens) - 1 - n
	if m.broken || m.atEnd() {
		at++
	}
	if at < 0 || at >= len(m.tokens) {
		return ast.Token{}, false
	}
	return m.tokens[at], true
}

func (m *misread) is(n int, text string) bool {
	t, ok := m.back(n)
	return ok && t.Type != parse.TString && tokenText(t) == text
}

func (m *misread) pos(t ast.Token) Pos { return m.src.pos(m.src.place(t, tokenText(t))) }

func (m *misread) finding(pos Pos, hint, format string, args ...any) *Diagnostic {
	d := m.src.diagnostic(pos, syntaxCode, fmt.Sprintf(format, args...))
	d.Hint = hint
	return d
}

// rest returns what the scanner could not read: the line it stopped in, from where it stopped, with the column in bytes from 1.
func (m *misread) rest() (line, col int, text string) {
	line, col = m.err.Pos.Line, max(m.err.Pos.Column, 1)
	if line <= 0 {
		line, col = len(m.src.lines), 1
	}
	if line > len(m.src.lines) || col > len(m.src.lines[line-1]) {
		return line, col, ""
	}
	return line, col, m.src.lines[line-1][col-1:]
}

func (m *misread) openText() *Diagnostic {
	if !m.broken || !strings.HasPrefix(m.err.Message, "unterminated") {
		return nil
	}
	line, from := 1, 0
	if last := len(m.tokens) - 1; last >= 0 {
		place := m.src.place(m.tokens[last], tokenText(m.tokens[last]))
		line, from = place.line, place.col-1+place.width
	}
	for ; line <= len(m.src.lines); line, from = line+1, 0 {
		text := m.src.lines[line-1]
		rest, _, _ := strings.Cut(text[min(from, len(text)):], "--")
		at := strings.IndexAny(rest, `"'[`)
		if at < 0 {
			continue
		}
		at += min(from, len(text))
		pos := m.src.pos(token{line, at + 1, len(strings.TrimRight(text[at:], " \t\r"))})
		if text[at] == '[' {
			return m.finding(pos, "close it with ]]", "a text in long brackets is not closed")
		}
		return m.finding(pos, "close it with "+text[at:at+1]+" in the same line; a text of several lines stands in [[ and ]]", "a text is not closed")
	}
	return nil
}

// foreignCharacters are what word processors and web pages put in place of what was typed.
var foreignCharacters = map[rune]struct{ name, hint string }{
	'“': {"a curly quotation mark", `write a straight one: "`}, '”': {"a curly quotation mark", `write a straight one: "`},
	'„': {"a curly quotation mark", `write a straight one: "`}, '«': {"an angular quotation mark", `write a straight one: "`},
	'»': {"an angular quotation mark", `write a straight one: "`}, '‘': {"a curly quotation mark", "write a straight one: '"},
	'’': {"a curly quotation mark", "write a straight one: '"}, '–': {"a long dash", "write a minus: -"}, '—': {"a long dash", "write a minus: -"},
	'\u00a0': {"a space that does not break lines", "type a plain space over it"}, '\u200b': {"a space without width", "delete it"},
	'\ufeff': {"a byte order mark", "delete it: it may stand at the beginning of a file only"}, '，': {"a wide comma", "write a plain one: ,"},
	'…': {"an ellipsis", "write what it stands for"}, '×': {"a multiplication sign", "write *"},
}

func (m *misread) foreignCharacter() *Diagnostic {
	line, col, text := m.rest()
	if !m.broken || text == "" {
		return nil
	}
	r, size := utf8.DecodeRuneInString(text)
	if r == '!' && strings.HasPrefix(text, "!=") {
		return m.finding(m.src.pos(token{line, col, 2}), "write ~=", "Lua has no !=")
	}
	if r == '!' {
		return m.finding(m.src.pos(token{line, col, 1}), "write not", "Lua has no !")
	}
	if r == '&' || r == '|' {
		word := map[rune]string{'&': "and", '|': "or"}[r]
		width := len(text) - len(strings.TrimLeft(text, string(r)))
		return m.finding(m.src.pos(token{line, col, width}), "write "+word, "Lua has no %s", text[:width])
	}
	known, ok := foreignCharacters[r]
	switch {
	case ok:
		return m.finding(m.src.pos(token{line, col, size}), known.hint, "%s (U+%04X) stands here", known.name, r)
	case r >= 0x80:
		return m.finding(m.src.pos(token{line, col, size}), "names are of plain letters, digits and _; other letters stand in texts only", "the character %q (U+%04X) cannot stand here", r, r)
	}
	return nil
}

var compound = []string{"+", "-", "*", "/", "%", "..", "^"}

func (m *misread) foreignOperator() *Diagnostic {
	for _, pair := range []struct{ operator, second string }{{"=", ""}, {"+", "+"}} {
		for _, first := range compound {
			if pair.second != "" && first != pair.second {
				continue
			}
			for shift := range 2 { // the parser may refuse either of the two
				if !m.is(shift+1, first) || !m.is(shift, pair.operator) {
					continue
				}
				a, _ := m.back(shift + 1)
				b, _ := m.back(shift)
				from, to := m.pos(a), m.pos(b)
				if from.Line != to.Line || from.EndCol != to.Col {
					continue
				}
				from.EndCol = to.EndCol
				name := "n"
				if before, ok := m.back(shift + 2); ok && before.Type == parse.TIdent {
					name = before.Str
				}
				return m.finding(from, fmt.Sprintf("write %s = %s %s …", name, name, first), "Lua has no %s%s", first, pair.operator)
			}
		}
		if t, ok := m.back(0); ok && pair.operator == "=" && slices.Contains(compound, tokenText(t)) && t.Type != parse.TString {
			pos := m.pos(t)
			if after := m.src.line(pos.Line); strings.HasPrefix(string([]rune(after)[min(pos.EndCol-1, utf8.RuneCountInString(after)):]), "=") {
				pos.EndCol++
				name := "n"
				if before, ok := m.back(1); ok && before.Type == parse.TIdent {
					name = before.Str
				}
				return m.finding(pos, fmt.Sprintf("write %s = %s %s …", name, name, tokenText(t)), "Lua has no %s=", tokenText(t))
			}
		}
	}
	return nil
}

func (m *misread) foreignComment() *Diagnostic {
	for shift := range 2 {
		t, ok := m.back(shift)
		if !ok || t.Type == parse.TString {
			continue
		}
		pos, word := m.pos(t), tokenText(t)
		after := string([]rune(m.src.line(pos.Line))[min(pos.Col-1, utf8.RuneCountInString(m.src.line(pos.Line))):])
		for _, mark := range []string{"//", "/*"} {
			if word == "/" && strings.HasPrefix(after, mark) {
				pos.EndCol = pos.Col + 2
				if mark == "//" && m.dividedBefore(shift) {
					return m.finding(pos, "a division that rounds down is math.floor(a / b); a comment begins with --", "Lua has no // here")
				}
				return m.finding(pos, "begin it with --", "%s begins no comment in Lua", mark)
			}
		}
		if word == "#" && strings.TrimSpace(string([]rune(m.src.line(pos.Line))[:pos.Col-1])) == "" {
			return m.finding(pos, "begin it with --", "# begins no comment in Lua")
		}
	}
	// "# the web shop" is the length of "the" for the parser, which refuses "web".
	if t, ok := m.back(2); ok && tokenText(t) == "#" && t.Type != parse.TString && !m.is(1, "(") {
		if pos := m.pos(t); strings.TrimSpace(string([]rune(m.src.line(pos.Line))[:pos.Col-1])) == "" {
			return m.finding(pos, "begin it with --", "# begins no comment in Lua")
		}
	}
	return nil
}

// dividedBefore reports whether what stands before a token could be divided: it ends a value in the same line.
func (m *misread) dividedBefore(n int) bool {
	slash, _ := m.back(n)
	before, ok := m.back(n + 1)
	return ok && before.Pos.Line == slash.Pos.Line && slices.Contains([]int{parse.TIdent, parse.TNumber, ')', ']'}, before.Type)
}

// conditionWithoutThen explains an if or a while whose block begins without its word.
func (m *misread) conditionWithoutThen() *Diagnostic {
	bad, ok := m.back(0)
	if !ok || m.broken || m.atEnd() || !slices.Contains([]int{parse.TIdent, parse.TReturn, parse.TLocal, parse.TIf, parse.TFor, parse.TWhile, parse.TRepeat, parse.TEnd, parse.TElse}, bad.Type) {
		return nil
	}
	for n := 1; ; n++ {
		t, ok := m.back(n)
		if !ok {
			return nil
		}
		word := "then"
		switch t.Type {
		case parse.TWhile:
			word = "do"
		case parse.TIf, parse.TElseIf:
		case parse.TThen, parse.TDo, parse.TEnd, parse.TLocal, parse.TReturn, parse.TFunction, parse.TElse, '{', '=':
			return nil
		default:
			continue
		}
		if n == 1 || bad.Type == parse.TIdent && bad.Pos.Line == t.Pos.Line {
			return nil
		}
		return m.finding(m.pos(t), fmt.Sprintf("write %s … %s", tokenText(t), word), "%q has no %q behind its condition", tokenText(t), word)
	}
}

// missingQuote explains a text that ran on to the beginning of the next one: what was written inside that one follows at once.
func (m *misread) missingQuote() *Diagnostic {
	bad, ok := m.back(0)
	text, has := m.back(1)
	if !ok || !has || m.broken || m.atEnd() || text.Type != parse.TString || !slices.Contains([]int{parse.TIdent, parse.TNumber}, bad.Type) {
		return nil
	}
	at, behind := m.pos(text), m.pos(bad)
	if at.Line != behind.Line || at.EndCol != behind.Col || !strings.ContainsAny(text.Str, "=,") {
		return nil
	}
	if before, ok := m.back(2); ok && before.Type == parse.TIdent && m.pos(before).Line == at.Line && m.pos(before).EndCol == at.Col {
		return m.finding(m.pos(before), "write \" in front of it", "a quotation mark is missing: the text begins here")
	}
	return m.finding(at, "close it where it ends", "a quotation mark is missing: this text runs on to where the next one begins")
}

// callOfNumber explains a call without brackets, as a text and a table can be handed over, of a number.
func (m *misread) callOfNumber() *Diagnostic {
	number, ok := m.back(0)
	name, has := m.back(1)
	if !ok || !has || m.broken || m.atEnd() || number.Type != parse.TNumber || name.Type != parse.TIdent || !m.is(2, ".") && !m.is(2, ":") {
		return nil
	}
	hint := fmt.Sprintf("write %s(%s)", name.Str, number.Str)
	if m.is(3, "boot") {
		hint = fmt.Sprintf("a duration is a text with a unit: write %s \"%ss\"", name.Str, number.Str)
	}
	return m.finding(m.pos(number), hint, "a number cannot be handed to %q without brackets", name.Str)
}

func (m *misread) assignmentInCondition() *Diagnostic {
	if !m.is(0, "=") {
		return nil
	}
	for n := 1; ; n++ {
		t, ok := m.back(n)
		if !ok {
			return nil
		}
		switch t.Type {
		case parse.TThen, parse.TDo, parse.TEnd, parse.TLocal, parse.TReturn, '{', '=':
			return nil
		case parse.TIf, parse.TElseIf, parse.TWhile, parse.TUntil:
			bad, _ := m.back(0)
			return m.finding(m.pos(bad), "compare with ==", "= assigns, and cannot stand in a condition")
		}
	}
}

// inTable reports whether the refused token stands directly in a table.
func (m *misread) inTable() bool {
	open := m.opened()
	return len(open) > 0 && open[len(open)-1].Type == '{'
}

func (m *misread) colonForEquals() *Diagnostic {
	if m.is(1, ":") && m.inTable() {
		if key, ok := m.back(2); ok && (key.Type == parse.TIdent || key.Type == parse.TString) {
			colon, _ := m.back(1)
			return m.finding(m.pos(colon), "write "+keyForm(key)+" = …", "a key is followed by =, not by a colon")
		}
	}
	if m.is(0, ":") && m.inTable() {
		if key, ok := m.back(1); ok && key.Type == parse.TString {
			colon, _ := m.back(0)
			return m.finding(m.pos(colon), "write "+keyForm(key)+" = …", "a key is followed by =, not by a colon")
		}
	}
	return nil
}

var plainKey = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func keyForm(key ast.Token) string {
	if plainKey.MatchString(key.Str) {
		return key.Str
	}
	return "[" + strconv.Quote(key.Str) + "]"
}

func (m *misread) dashInKey() *Diagnostic {
	if !m.is(0, "=") || !m.is(2, "-") || !m.inTable() {
		return nil
	}
	first, _ := m.back(3)
	last, _ := m.back(1)
	from, to := m.pos(first), m.pos(last)
	if first.Type != parse.TIdent || last.Type != parse.TIdent || from.Line != to.Line || to.Col-from.EndCol != 1 {
		return nil
	}
	from.EndCol = to.EndCol
	return m.finding(from, fmt.Sprintf("write %s_%s, or [\"%s-%s\"] where the dash is part of the name", first.Str, last.Str, first.Str, last.Str), "a key has no dash")
}

func (m *misread) brackets() *Diagnostic {
	// A key such as [1] or ["a"] is followed by "=".
	for n := 0; n < 12; n++ {
		t, ok := m.back(n)
		if !ok || t.Type == '=' && n > 0 && !m.is(n-1, "[") {
			return nil
		}
		if t.Type != '[' {
			continue
		}
		if before, ok := m.back(n + 1); ok && (before.Type == '=' || before.Type == ',' || before.Type == '{' || before.Type == '(' || before.Type == parse.TReturn) {
			return m.finding(m.pos(t), `write it in braces: { "a", "b" }`, "a list does not stand in square brackets")
		}
		return nil
	}
	return nil
}

func (m *misread) behindReturn() *Diagnostic {
	bad, ok := m.back(0)
	if !ok || m.atEnd() || m.broken {
		return nil
	}
	for n := 1; n < 40; n++ {
		t, ok := m.back(n)
		if !ok {
			return nil
		}
		if t.Type != parse.TReturn {
			continue
		}
		if len(m.opened()) == 0 && m.pos(bad).Line > m.pos(t).Line {
			return m.finding(m.pos(bad), "move it in front of return", "nothing can stand behind return, which ends the file")
		}
		return nil
	}
	return nil
}

// opens are the tokens that begin what another one ends.
var opens = map[int]int{'{': '}', '(': ')', '[': ']', parse.TFunction: parse.TEnd, parse.TIf: parse.TEnd, parse.TDo: parse.TEnd, parse.TRepeat: parse.TUntil}

// opened returns what is open before the refused token, outermost first.
func (m *misread) opened() []ast.Token {
	open, _ := m.nesting()
	return open
}

// nesting finds what is open before the refused token, and the first bracket or block whose end stands further left than its beginning.
func (m *misread) nesting() (open []ast.Token, askew *ast.Token) {
	known := m.tokens
	if !m.broken && !m.atEnd() {
		known = m.tokens[:len(m.tokens)-1]
	}
	for _, t := range known {
		if opens[t.Type] != 0 {
			open = append(open, t)
			continue
		}
		if len(open) == 0 {
			continue
		}
		last := open[len(open)-1]
		if opens[last.Type] != t.Type {
			continue
		}
		open = open[:len(open)-1]
		if askew == nil && m.firstOfLine(t) && m.indent(t) < m.indent(last) {
			askew = &last
		}
	}
	return open, askew
}

func (m *misread) indent(t ast.Token) int {
	line := m.src.line(t.Pos.Line)
	return len(line) - len(strings.TrimLeft(line, " \t"))
}

func (m *misread) firstOfLine(t ast.Token) bool { return m.indent(t) == max(t.Pos.Column, 1)-1 }

// openBlock explains a bracket or a block that something ends which is not its end.
func (m *misread) openBlock() *Diagnostic {
	open, askew := m.nesting()
	bad, ok := m.back(0)
	if m.broken || len(open) == 0 {
		return nil
	}
	innermost := open[len(open)-1]
	closes := func(t ast.Token) bool {
		return slices.Contains([]int{'}', ')', ']', parse.TEnd, parse.TUntil}, t.Type) && t.Type != opens[innermost.Type]
	}
	statement := func(t ast.Token) bool {
		return slices.Contains([]int{'{', '(', '['}, innermost.Type) && slices.Contains([]int{parse.TReturn, parse.TLocal, parse.TIf, parse.TFor, parse.TWhile, parse.TRepeat}, t.Type)
	}
	insideTable := slices.ContainsFunc(open[:len(open)-1], func(t ast.Token) bool { return t.Type == '{' || t.Type == '(' })
	comma := ok && bad.Type == ',' && opens[innermost.Type] == parse.TEnd && insideTable && (m.is(1, "end") || m.firstOfLine(bad))
	if !m.atEnd() && (!ok || !closes(bad) && !statement(bad) && !comma) {
		return nil
	}
	suspect := innermost
	if askew != nil {
		suspect = *askew
	}
	end := map[int]string{'}': "}", ')': ")", ']': "]", parse.TEnd: "end", parse.TUntil: "until"}[opens[suspect.Type]]
	if second, ok := m.elseIf(suspect); ok {
		return m.finding(m.pos(second), "write elseif, or close this if with an end of its own", "\"else if\" begins a second if, which is not closed")
	}
	where := "the end of the file"
	if !m.atEnd() {
		where = fmt.Sprintf("%q in line %d", tokenText(bad), bad.Pos.Line)
	}
	word := tokenText(suspect)
	return m.finding(m.pos(suspect), fmt.Sprintf("write %s where it ends", end), "%q is not closed: %s comes before its %q", word, where, end)
}

// elseIf finds the if of an "else if" in one line, behind an if that is not closed or that if itself.
func (m *misread) elseIf(open ast.Token) (ast.Token, bool) {
	for at := max(slices.Index(m.tokens, open), 1); open.Type == parse.TIf && at < len(m.tokens); at++ {
		before, t := m.tokens[at-1], m.tokens[at]
		if t.Type == parse.TIf && before.Type == parse.TElse && t.Pos.Line == before.Pos.Line {
			return t, true
		}
	}
	return ast.Token{}, false
}

// comma explains two values in a table, or two arguments, with nothing between them.
func (m *misread) comma() *Diagnostic {
	bad, ok := m.back(0)
	before, has := m.back(1)
	open := m.opened()
	if !ok || !has || m.broken || m.atEnd() || len(open) == 0 || open[len(open)-1].Type != '{' && open[len(open)-1].Type != '(' {
		return nil
	}
	if !slices.Contains([]int{parse.TIdent, parse.TString, parse.TNumber, '{', '[', parse.TFunction, parse.TTrue, parse.TFalse, parse.TNil}, bad.Type) ||
		!slices.Contains([]int{parse.TIdent, parse.TString, parse.TNumber, '}', ')', ']', parse.TEnd, parse.TTrue, parse.TFalse, parse.TNil}, before.Type) {
		return nil
	}
	pos := m.pos(before)
	return m.finding(pos, "write a comma behind it", "a comma is missing between %s and %s", m.quoted(before), m.quoted(bad))
}

// quoted shows a token in a message. A text is not repeated: it may be a password.
func (m *misread) quoted(t ast.Token) string {
	if t.Type == parse.TString {
		return "this text"
	}
	return strconv.Quote(tokenText(t))
}

// plain is what can be said where no rule knows better.
func (m *misread) plain() *Diagnostic {
	if m.atEnd() {
		line := len(m.src.lines)
		for line > 1 && strings.TrimSpace(m.src.lines[line-1]) == "" {
			line--
		}
		d := m.finding(Pos{File: m.src.name, Line: line, Col: utf8.RuneCountInString(m.src.line(line)) + 1}, "something is missing behind it", "the file ends too early")
		return d
	}
	line, col, rest := m.rest()
	if t, ok := m.back(0); ok && !m.broken {
		return m.finding(m.pos(t), "often a comma, a bracket or an \"end\" is missing just before", "%s is not expected here", m.quoted(t))
	}
	width := max(1, min(len(m.err.Token), len(rest)))
	return m.finding(m.src.pos(token{line, col, width}), "often a comma, a bracket or an \"end\" is missing just before", "%s", strings.ToLower(m.err.Message[:1])+m.err.Message[1:])
}
