package lab

import (
	"fmt"
	"net/http"
	"strings"
)

// ControlError is why the control API refuses something. Its Error is a sentence, Hint what to do about it, "" when there is nothing
// more to say.
type ControlError struct {
	Status  int    `json:"-"` // HTTP status
	Message string `json:"error"`
	Advice  string `json:"hint,omitempty"`
}

// Error is the message.
func (e *ControlError) Error() string { return e.Message }

// Hint is what to do about it.
func (e *ControlError) Hint() string { return e.Advice }

// refused is a request that cannot be meant.
func refused(format string, args ...any) *ControlError {
	return &ControlError{Status: http.StatusBadRequest, Message: fmt.Sprintf(format, args...)}
}

func (e *ControlError) hinted(format string, args ...any) *ControlError {
	e.Advice = fmt.Sprintf(format, args...)
	return e
}

// unknownName is a name that leads nowhere.
func unknownName(what, name string, known []string, more string) *ControlError {
	e := &ControlError{Status: http.StatusNotFound, Message: fmt.Sprintf("no %s %q", what, name)}
	if len(known) > 0 {
		e.Advice = "known: " + joined(known)
	}
	if more != "" {
		e.Advice += "; " + more
	}
	return e
}

// joined lists names, of many the first.
func joined(names []string) string {
	const shown = 20
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return strings.Join(names, ", ")
}
