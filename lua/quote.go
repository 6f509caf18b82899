package lua

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Quote writes text as a Lua string on one line. What a terminal would not show as itself is escaped byte by byte, so that the
// text that people read is the text that runs.
func Quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == utf8.RuneError && size <= 1, !unicode.IsPrint(r):
			for _, c := range []byte(text[i : i+size]) {
				fmt.Fprintf(&b, `\%03d`, c)
			}
		default:
			b.WriteString(text[i : i+size])
		}
		i += size
	}
	b.WriteByte('"')
	return b.String()
}

var keywords = []string{"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil",
	"not", "or", "repeat", "return", "then", "true", "until", "while"}

// IsKeyword tells whether a name is a word of Lua, which no variable can be called.
func IsKeyword(name string) bool { return slices.Contains(keywords, name) }

// Key writes a table key: bare where Lua allows it.
func Key(key string) string {
	bare := key != "" && !IsKeyword(key)
	for i, r := range key {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			bare = false
		}
	}
	if bare {
		return key
	}
	return "[" + Quote(key) + "]"
}
