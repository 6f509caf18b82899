package main

import (
	"io"
	"strings"
)

// legible makes text harmless on a terminal. Names come from engines and plans, lines from hooks and programs: one with a control sequence
// could wipe the screen, or paint a question that drrun never asked. Line breaks and tabs stay; what else a terminal would act on is shown.
func legible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ':
			return '\u2400' + r // the picture of it, such as ␛
		case r == 0x7f:
			return '\u2421'
		case r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f:
			return '\ufffd' // a control of eight bits, or one that turns the direction of what follows
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// legibleWriter writes legible text.
type legibleWriter struct{ io.Writer }

func (w legibleWriter) Write(p []byte) (int, error) {
	if _, err := io.WriteString(w.Writer, legible(string(p))); err != nil {
		return 0, err
	}
	return len(p), nil
}
