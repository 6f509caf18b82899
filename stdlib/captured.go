package stdlib

import (
	"bytes"
	"strings"
	"sync"
	"unicode/utf8"

	"drrun/engine"
)

// captured keeps the end of what a program writes, which is where it says what went wrong.
type captured struct {
	limit int // bytes
	mu    sync.Mutex
	text  []byte
	total int64
}

// Write takes everything, and keeps the last limit bytes.
func (c *captured) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total += int64(len(p))
	c.text = append(c.text, p...)
	if len(c.text) > 2*c.limit {
		c.text = append(c.text[:0], c.text[len(c.text)-c.limit:]...)
	}
	return len(p), nil
}

// kept is the end of what was written, and whether something before it is missing. Bytes that are no UTF-8 are replaced.
func (c *captured) kept() (text string, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	end := c.text[max(0, len(c.text)-c.limit):]
	return strings.ToValidUTF8(string(bytes.Clone(end)), "\ufffd"), c.total > int64(len(end))
}

// lastLine is the last line that says something, for an error; "" for none.
func lastLine(texts ...string) string {
	for _, text := range texts {
		lines := strings.Split(strings.TrimSpace(text), "\n")
		if line := strings.TrimSpace(lines[len(lines)-1]); line != "" {
			if len(line) > 300 {
				line = line[:300] + "…"
			}
			return strings.ToValidUTF8(line, "")
		}
	}
	return ""
}

// maxRecorded leaves room in a recorded result for what is beside its texts.
const maxRecorded = engine.MaxResult - 4<<10

// fit cuts the fronts of texts until they fit into a recorded result together, as JSON: no change may fail for what it had to say.
func fit(texts ...string) (cut bool, fitting []string) {
	for {
		size := 0
		longest := 0
		for i, text := range texts {
			encoded, _ := encodeJSON(text, false) // texts always encode
			size += len(encoded)
			if len(text) > len(texts[longest]) {
				longest = i
			}
		}
		if size <= maxRecorded {
			return cut, texts
		}
		cut = true
		half := texts[longest][len(texts[longest])/2:]
		for half != "" && !utf8.RuneStart(half[0]) {
			half = half[1:]
		}
		texts[longest] = half
	}
}
