package lua

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestEveryTypingError deletes and inserts characters everywhere in a file: whatever comes of it is compiled, or is one finding with a
// place inside the file.
func TestEveryTypingError(t *testing.T) { // not beside the others, which wait for tasks: it keeps a processor busy
	text, err := os.ReadFile("testdata/typing.lua")
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	try := func(what string, text string) {
		src, _, err := compileSource("typing.lua", markOf(0), []byte(text))
		if err == nil {
			return
		}
		refused++
		var d *Diagnostic
		if !errors.As(err, &d) || d.Code != syntaxCode || d.Message == "" || strings.HasSuffix(d.Message, ".") {
			t.Fatalf("%s: %v", what, err)
		}
		if d.Pos.Line < 1 || d.Pos.Line > len(src.lines) || d.Pos.Col < 1 || d.Pos.Col > len([]rune(src.lines[d.Pos.Line-1]))+1 {
			t.Errorf("%s: the place %s is outside of the file: %s", what, d.Pos, d.Message)
		}
		if d.Hint == "" {
			t.Errorf("%s: no hint: %s", what, d.Error())
		}
	}
	for at := range text {
		try(fmt.Sprintf("without byte %d", at), string(text[:at])+string(text[at+1:]))
		try(fmt.Sprintf("up to byte %d", at), string(text[:at]))
		for _, typed := range []string{"\"", "{", "}", "(", "=", "!", "+", ":", "”", "#", "//", " end ", " if ", "\r\n", "]", "[["} {
			try(fmt.Sprintf("with %q at byte %d", typed, at), string(text[:at])+typed+string(text[at:]))
		}
	}
	if refused < len(text) {
		t.Errorf("%d texts only were refused", refused)
	}
}
