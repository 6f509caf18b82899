package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// screen is where a command writes to while it works: what it made on stdout, everything else on stderr. On a terminal a few lines at
// the bottom show what goes on and are redrawn; everything written above them stays.
type screen struct {
	stdout, stderr io.Writer
	terminal       bool
	width          int

	mu     sync.Mutex
	live   []string // the lines at the bottom
	drawn  int      // how many of them are on the terminal
	paused bool     // a prompt is open
}

func newScreen(env Env) *screen {
	s := &screen{stdout: env.Stdout, stderr: env.Stderr, terminal: env.IsTerminal(env.Stderr)}
	if s.terminal {
		s.width = env.Width(env.Stderr)
	}
	return s
}

// out writes what the command made.
func (s *screen) out(text string) { s.styled(legible(text)) }

// styled writes text of drrun's own, with what a terminal acts on.
func (s *screen) styled(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	_, _ = io.WriteString(s.stdout, text) // a closed pipe: nobody reads it any more
	s.draw()
}

// line writes a line that stays, or several; empty text is none.
func (s *screen) line(text string) {
	if text == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	_, _ = io.WriteString(s.stderr, strings.TrimRight(legible(text), "\n")+"\n")
	s.draw()
}

// show sets the lines at the bottom. Without a terminal there are none.
func (s *screen) show(lines []string) {
	if !s.terminal {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.live = lines
	s.draw()
}

// prompt takes the lines at the bottom away until the returned function is called.
func (s *screen) prompt() (over func()) {
	s.mu.Lock()
	s.wipe()
	s.paused = true
	s.mu.Unlock()
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.paused = false
		s.draw()
	}
}

// end takes the lines at the bottom away for good.
func (s *screen) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wipe()
	s.live = nil
}

func (s *screen) wipe() {
	if s.drawn > 0 {
		fmt.Fprintf(s.stderr, "\x1b[%dA\r\x1b[J", s.drawn)
		s.drawn = 0
	}
}

func (s *screen) draw() {
	if s.paused || !s.terminal {
		return
	}
	for _, line := range s.live {
		fmt.Fprintln(s.stderr, clip(legible(strings.ReplaceAll(line, "\n", " ")), s.width-1)) // a line that wraps could not be wiped
	}
	s.drawn = len(s.live)
}

func clip(line string, width int) string {
	if width <= 1 || utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width-1]) + "…"
}
