package stdlib

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"drrun/engine"
)

// What code of a plan may write into the journal, so that a loop that logs does not fill the disk on which the run is recorded.
const (
	maxSaid    = 16 << 10 // bytes of one line
	maxSaidAll = 32 << 20 // bytes of all lines of an attempt
)

// Say writes a line of the plan's code to the journal and the output.
func (s *Session) Say(text string) {
	if line, ok := s.allowed(text); ok {
		s.Run.Note("log", engine.Subject{}, map[string]any{"text": line})
	}
}

// warnFor is Warn for the plan's code.
func (s *Session) warnFor(subject engine.Subject, text string) {
	if line, ok := s.allowed(text); ok {
		s.Warn(subject, line)
	}
}

// allowed cuts a line that is too long, and refuses it where too much was said already; that is said once.
func (s *Session) allowed(text string) (line string, ok bool) {
	if len(text) > maxSaid {
		kept := text[:maxSaid]
		for len(kept) > 0 && !utf8.ValidString(kept[max(len(kept)-utf8.UTFMax, 0):]) && len(kept) > maxSaid-utf8.UTFMax {
			kept = kept[:len(kept)-1]
		}
		text = fmt.Sprintf("%s … (%d bytes more)", strings.TrimRight(kept, "\n"), len(text)-len(kept))
	}
	s.mu.Lock()
	before := s.said
	s.said += len(text) + 1
	after := s.said
	s.mu.Unlock()
	if after <= maxSaidAll {
		return text, true
	}
	if before <= maxSaidAll {
		s.Warn(engine.Subject{}, fmt.Sprintf("the code of the plan has logged %d MiB in this attempt: what it logs further is dropped", maxSaidAll>>20))
	}
	return "", false
}
