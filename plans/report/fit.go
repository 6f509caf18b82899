package report

import (
	"strings"
	"unicode/utf8"
)

// Wrap writes a text behind a head, in lines of at most width characters, the further ones below the first one.
func Wrap(b *strings.Builder, head, text string, width int) {
	indent := min(utf8.RuneCountInString(head), width/2)
	b.WriteString(head)
	column := utf8.RuneCountInString(head)
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i > 0 && column+1+length > width, i == 0 && column+length > width && column > indent:
			b.WriteString("\n" + strings.Repeat(" ", indent))
			column = indent
		case i > 0:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteByte('\n')
}

// Shorten cuts a text to at most that many characters, the last of which then shows that it is cut.
func Shorten(text string, most int) string {
	if letters := []rune(text); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return text
}
