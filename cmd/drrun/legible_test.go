package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestLegible(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ text, want string }{
		{"vm1\tup\nvm2 ü 日本\n", "vm1\tup\nvm2 ü 日本\n"},
		{"\x1b[2J\x1b[HIs the source down? [yes]", "␛[2J␛[HIs the source down? [yes]"},
		{"a\rb\x07\x00\x7f", "a␍b␇␀␡"},
		{"\u009b2J", "\ufffd2J"},
		{"\x9b2J\xff", "\ufffd2J\ufffd"},
		{"user\u202egnp.exe", "user\ufffdgnp.exe"},
	} {
		var b bytes.Buffer
		if _, err := (legibleWriter{&b}).Write([]byte(c.text)); err != nil || b.String() != c.want {
			t.Errorf("%q is written as %q (%v), want %q", c.text, b.String(), err, c.want)
		}
	}
}

// TestScreenIsLegible: whatever way a text gets to the screen, it cannot steer the terminal.
func TestScreenIsLegible(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	s := &screen{stdout: &out, stderr: &errs, terminal: true, width: 200}
	s.out("\x1b[31mname\n")
	s.line("\x1b]0;title\x07line")
	s.show([]string{"\x1b[2Jlive\nwith a break"})
	if text := out.String() + errs.String(); strings.Contains(text, "\x1b") || strings.Contains(text, "live\n") {
		t.Errorf("written: %q", text)
	}
}
