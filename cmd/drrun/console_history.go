package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"unicode"

	"drrun/engine"
	"drrun/plans"
)

// maxHistory is how many lines a console remembers.
const maxHistory = 1000

// consoleHistory are the lines that were typed at the console before, kept in the state folder. Answers to questions and secrets are not
// among them, nor a line that seems to hold a password or that begins with a space.
type consoleHistory struct {
	lines []string // the oldest first
	file  engine.File
}

// openHistory reads what was kept. Where nothing can be kept, the error says why, and the history goes on without.
func openHistory(machine engine.Env, state string) (*consoleHistory, error) {
	h := &consoleHistory{}
	path := filepath.Join(state, "console_history")
	if text, err := machine.FS.ReadFile(path); err == nil {
		for line := range strings.Lines(string(text)) {
			h.lines = append(h.lines, strings.TrimSuffix(line, "\n"))
		}
	}
	if len(h.lines) > 2*maxHistory {
		h.lines = h.lines[len(h.lines)-maxHistory:]
		if err := machine.FS.WriteFile(path, []byte(strings.Join(h.lines, "\n")+"\n"), 0o600); err != nil {
			return h, fmt.Errorf("keep the history: %w", err)
		}
	}
	if err := machine.FS.MkdirAll(state); err != nil {
		return h, fmt.Errorf("keep the history: %w", err)
	}
	file, err := machine.FS.OpenAppend(path)
	if err != nil {
		return h, fmt.Errorf("keep the history: %w", err)
	}
	h.file = file
	return h, nil
}

// Add keeps a line.
func (h *consoleHistory) Add(line string) {
	if strings.TrimSpace(line) == "" || strings.HasPrefix(line, " ") || plans.HoldsPassword(line) || strings.ContainsFunc(line, unicode.IsControl) {
		return
	}
	if last := len(h.lines) - 1; last >= 0 && h.lines[last] == line {
		return
	}
	h.lines = append(h.lines, line)
	if h.file != nil {
		_, _ = h.file.Write([]byte(line + "\n")) // the line counts, not that it is remembered
	}
}

// Len is the number of lines.
func (h *consoleHistory) Len() int { return len(h.lines) }

// At returns a line, 0 being the newest.
func (h *consoleHistory) At(i int) string { return h.lines[len(h.lines)-1-i] }

func (h *consoleHistory) close() {
	if h.file != nil {
		_ = h.file.Close() // nothing is left to be done about a failure
	}
}
