package stdlib

import (
	"errors"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// HookFailure is a handler that failed in this attempt.
type HookFailure struct {
	Point   string
	Subject engine.Subject
	InPlan  bool // the error was raised by the plan's own text or that of a library, so that another text may cure it
}

// VMRuns tells whether the handler is called for a VM that has met its boot condition: what failed is the handler, not the VM.
func (f HookFailure) VMRuns() bool { return f.Point == "after_start" || f.Point == verifyVM }

// HookFailures returns the handlers that failed in this attempt, in their order.
func (s *Session) HookFailures() []HookFailure {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.hookFailures)
}

func (s *Session) noteHookFailure(point string, subject engine.Subject, err error) {
	var raised *lua.Diagnostic
	inPlan := errors.As(err, &raised) && raised.Pos.File != "" && !strings.HasPrefix(raised.Pos.File, "builtin:")
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hookFailures = append(s.hookFailures, HookFailure{Point: point, Subject: subject, InPlan: inPlan})
}
