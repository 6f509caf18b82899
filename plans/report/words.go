package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"drrun/engine"
	"drrun/stdlib"
)

// Span renders a duration as people say it: 8s, 2m31s, 1h02m03s.
func Span(d time.Duration) string {
	d = d.Round(time.Second)
	hours, minutes, seconds := int(d/time.Hour), int(d%time.Hour/time.Minute), int(d%time.Minute/time.Second)
	switch {
	case hours > 0:
		return fmt.Sprintf("%dh%02dm%02ds", hours, minutes, seconds)
	case minutes > 0:
		return fmt.Sprintf("%dm%02ds", minutes, seconds)
	}
	return fmt.Sprintf("%ds", seconds)
}

// HowAnswered says in words by which way an answer came (one of engine's Via constants).
func HowAnswered(via string) string {
	return map[string]string{
		engine.ViaFlag: "with --answer", engine.ViaYes: "with --yes", engine.ViaTerminal: "at the terminal", engine.ViaElsewhere: "from another terminal",
		engine.ViaTimeout: "its time was over, the default was taken",
	}[via]
}

// exactly renders a short duration in milliseconds, a longer one as Span does.
func exactly(d time.Duration) string {
	if d < 10*time.Second {
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	}
	return Span(d)
}

// between is how long something took, "" where one of its ends is not known.
func between(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return Span(to.Sub(from))
}

// Count writes a number with its noun: 1 VM, 3 VMs.
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// words are the states in the language of the report.
var stateWords = map[string]string{
	stdlib.StateNotStarted: "left down on purpose",
	stdlib.StateStopped:    "shut down",
	stdlib.StatePending:    "not reached",
}

// stateText says a state in words.
func stateText(state string) string {
	if text := stateWords[state]; text != "" {
		return text
	}
	return strings.ReplaceAll(state, "_", " ")
}

// upperFirst begins a sentence.
func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

func subjectText(s *engine.Subject) string {
	if s == nil {
		return ""
	}
	name := s.Name
	if name == "" {
		name = s.ID
	}
	return strings.TrimSpace(strings.ReplaceAll(s.Kind, "_", " ") + " " + name)
}
