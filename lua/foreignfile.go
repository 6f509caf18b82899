package lua

import (
	"bytes"
	"fmt"
	"regexp"
	"unicode/utf8"
)

// jsonBegins is how an object of JSON begins, which no Lua does.
var jsonBegins = regexp.MustCompile(`^\s*(\{\s*"(?:[^"\\]|\\.)*"\s*:|\[\s*[{"])`)

// foreignFile explains a file as a whole: it is no text, of another encoding, or of another language.
func (s *source) foreignFile(text []byte) *Diagnostic {
	refuse := func(pos Pos, hint, format string, args ...any) *Diagnostic {
		pos.File = s.name
		d := s.diagnostic(pos, syntaxCode, fmt.Sprintf(format, args...))
		d.Source, d.Hint = "", hint
		return d
	}
	begin := Pos{Line: 1, Col: 1, EndCol: 1}
	const asUTF8 = "save it as UTF-8: editors have it in the dialog of \"save as\""
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return refuse(begin, asUTF8, "the file is UTF-16, and Lua is read as UTF-8")
	case bytes.HasPrefix(text, []byte("\x1bLua")):
		return refuse(begin, "give the text that it was made of", "this is compiled Lua, which is not run")
	case bytes.IndexByte(text, 0) >= 0:
		return refuse(begin, "give the path of a Lua file", "this is no text: it holds bytes that are 0")
	case jsonBegins.Match(text):
		return refuse(begin, "a table is written { key = value }, and a plan ends with return plan", "this is JSON, and a plan is Lua")
	}
	for i, line := range s.lines {
		if utf8.ValidString(line) {
			continue
		}
		at := 0
		for r, size := utf8.DecodeRuneInString(line); r != utf8.RuneError || size > 1; r, size = utf8.DecodeRuneInString(line[at:]) {
			at += size
		}
		col := utf8.RuneCountInString(line[:at]) + 1
		return refuse(Pos{Line: i + 1, Col: col, EndCol: col + 1}, asUTF8, "the byte 0x%02X is no UTF-8: a name that holds it would not be the engine's", line[at])
	}
	return nil
}
