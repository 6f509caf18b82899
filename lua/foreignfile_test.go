package lua

import (
	"errors"
	"strings"
	"testing"
)

// TestForeignFiles: a file that is no Lua at all is named for what it is.
func TestForeignFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, message, place string }{
		"UTF-16 of Windows": {"\xff\xfel\x00o\x00c\x00a\x00l\x00", "UTF-16", "plan.lua:1:1"},
		"UTF-16 of others":  {"\xfe\xff\x00l\x00o", "UTF-16", "plan.lua:1:1"},
		"a program":         {"\x7fELF\x02\x01\x01\x00\x00", "no text", "plan.lua:1:1"},
		"compiled Lua":      {"\x1bLuaQ\x00", "compiled Lua", "plan.lua:1:1"},
		"JSON":              {"{\n  \"name\": \"Shop\"\n}", "JSON", "plan.lua:1:1"},
		"a list of JSON":    {"[{\"name\": \"Shop\"}]", "JSON", "plan.lua:1:1"},
		"Latin-1":           {"local a = 1\nlocal name = \"S\xfcd\"", "0xFC is no UTF-8", "plan.lua:2:16"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := compileSource("plan.lua", markOf(0), []byte(c.text))
			var d *Diagnostic
			if !errors.As(err, &d) || d.Code != syntaxCode || !strings.Contains(d.Message, c.message) || d.Pos.String() != c.place || d.Hint == "" {
				t.Errorf("got %+v, want %q at %s", err, c.message, c.place)
			}
		})
	}
	if _, _, err := compileSource("plan.lua", markOf(0), []byte("local name = \"Süd €\"\nreturn { \"a\" }")); err != nil {
		t.Errorf("a sound text is refused: %v", err)
	}
}
