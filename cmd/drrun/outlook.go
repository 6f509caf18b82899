package main

import (
	"strings"
	"time"

	"drrun/engine"
	"drrun/plans/runner"
)

// outlookText names the commands that lead on, or what the run waits for; state is --state.
func outlookText(o runner.Outlook, open []engine.OpenQuestion, state string, now time.Time) string {
	if len(open) > 0 {
		return questionsText(o.Run, open, state, now)
	}
	var b strings.Builder
	lead := "next: "
	for _, command := range o.Commands(stateArgument(state)) {
		b.WriteString(lead + command.Why)
		if command.Line != "" {
			b.WriteString(": " + command.Line)
		}
		b.WriteByte('\n')
		lead = "      "
	}
	return b.String()
}
