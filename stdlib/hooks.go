package stdlib

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/lua"
)

// DefaultHookTimeout bounds a hook handler that names no time-out.
const DefaultHookTimeout = 10 * time.Minute

// HookPoint is a place in a run where a plan or a library can put functions.
type HookPoint struct {
	Name  string
	Doc   string
	OnCut string // what to do with a handler that was cut between start and end: "ask" or "retry"
	// Subject and Returns are types, for people and editors: of the handler's second argument, and of what it may return ("" is nothing).
	Subject, Returns string
}

const ownWorkflow = " No built-in workflow does that in this version; a workflow of your own calls it with ctx:hook."

// HookPoints lists every hook point in the order in which a run can reach them.
var HookPoints = []HookPoint{
	{"before_run", "Before the first stage of an action; the subject is the run.", "retry", "run_subject", ""},
	{"confirm_source_down", "Before the evidence about the source is collected; an observation for the report, it cannot waive the evidence rules.", "retry", "subject", ""},
	{"before_fence", "Before a host is fenced." + ownWorkflow, "ask", "any", ""},
	{"after_fence", "After a host was fenced." + ownWorkflow, "ask", "any", ""},
	{"ensure_replication", "Planned, before the first shutdown and after what was left at the target has gone: sees that the array replicates a consistency group from source to target, starts it where it does not, and raises an error where it cannot.", "ask", "consistency_group", ""},
	{"promote_storage", "Makes the target's copy of a consistency group writable; returns { writable = true, as_of = TIME }.", "ask", "consistency_group", "promotion|prompt_answer|nil"},
	{"demote_storage", "Makes the source's copy of a consistency group read-only, just before the promotion. In an unplanned failover too, where its error is a warning: the source's array may be lost.", "ask", "consistency_group", ""},
	{"reverse_replication", "Starts replication of a consistency group in the other direction; returns { ready = true } when it runs.", "ask", "consistency_group", "replication|prompt_answer|boolean|nil"},
	{"snapshot_replica", "Tests: makes a writable clone of a consistency group." + ownWorkflow, "ask", "consistency_group", "any"},
	{"discard_snapshot", "Tests: removes that clone." + ownWorkflow, "ask", "consistency_group", "any"},
	{"before_import", "Before a storage domain is imported on the target.", "retry", "storage_domain", ""},
	{"after_import", "After a storage domain is active on the target.", "retry", "storage_domain", ""},
	{"before_register", "Before a VM is registered on the target.", "retry", "vm", ""},
	{"after_register", "After a VM is registered on the target.", "retry", "vm", ""},
	{"before_rank", "Before the first VM of a rank starts.", "retry", "rank", ""},
	{"after_rank", "After every VM of a rank met its boot condition or failed.", "retry", "rank", ""},
	{"before_start", "Before a VM starts.", "retry", "vm", ""},
	{"after_start", "After a VM met its boot condition.", "retry", "vm", ""},
	{"verify_vm", "After after_start; returning false makes the VM unverified.", "retry", "vm", "boolean?"},
	{"before_stop", "Before a VM is shut down at the source.", "retry", "vm", ""},
	{"after_stop", "After a VM was seen down at the source.", "retry", "vm", ""},
	{"after_run", "After the last stage; the second argument is the result.", "retry", "run_result", ""},
	{"on_error", "When an action stops; the second argument is the error.", "retry", "run_error", ""},
}

// HookPointNames returns the names of HookPoints.
func HookPointNames() []string {
	names := make([]string, len(HookPoints))
	for i, point := range HookPoints {
		names[i] = point.Name
	}
	return names
}

// errNotVerified is how a handler of verify_vm that returns false is recorded: as a failure, so that a later attempt asks it again.
var errNotVerified = errors.New("it returned false")

// RunHook calls every handler of a hook point in the order in which they were added, each as a durable step of the run:
// a recorded result is not repeated by a later attempt. It returns the last result that is not nil, as JSON-decoded data.
// subject goes into the journal key, and so does argument where it is data; argument is what the handlers get as their second one.
// An error of a handler whose on_error is "continue" is passed over and remembered as skipped, unless it says that the run must stop.
func (s *Session) RunHook(task *engine.Task, point string, subject engine.Subject, argument any) (any, error) {
	var last any
	for _, handler := range s.handlersFor(point, s.Facts.GroupOf(subject)) {
		if s.Dry != nil {
			s.Dry.assume("the hook %s (%s) for %s is not called", point, handler.Name, subjectWords(subject))
			continue
		}
		if task.Ctx().Err() != nil { // a handler that runs is brought to its end, and none begins after the first Ctrl-C
			return nil, context.Cause(task.Ctx())
		}
		result, err := s.runHandler(task, handler, subject, argument)
		var recorded *engine.StepError
		switch {
		case err == nil:
		case errors.Is(err, errNotVerified), point == verifyVM && errors.As(err, &recorded) && recorded.Text == errNotVerified.Error():
			return false, nil
		case handler.OnError == "continue" && task.Ctx().Err() == nil && !mustStop(err):
			text := fmt.Sprintf("hook %s (%s) for %s failed and its on_error is continue: %v", point, handler.Name, subjectWords(subject), err)
			s.Warn(subject, text)
			s.mu.Lock()
			s.skipped = append(s.skipped, fmt.Sprintf("hook %s (%s) for %s failed", point, handler.Name, subjectWords(subject)))
			s.mu.Unlock()
			s.noteHookFailure(point, subject, err)
			continue
		default:
			s.noteHookFailure(point, subject, err)
			return nil, &SubjectError{Subject: subject, Err: fmt.Errorf("hook %s (%s) for %s: %w", point, handler.Name, subjectWords(subject), err)}
		}
		if result != nil {
			last = result
		}
	}
	return last, nil
}

const verifyVM = "verify_vm"

// mustStop tells whether an error says something about the whole run, which no handler's on_error may pass over.
func mustStop(err error) bool {
	var cut *engine.CutError
	var evidence *EvidenceError
	var panicked *engine.PanicError
	return errors.As(err, &cut) || errors.As(err, &evidence) || errors.As(err, &panicked) ||
		errors.Is(err, engine.ErrStopping) || errors.Is(err, engine.ErrNoAnswer)
}

func subjectWords(subject engine.Subject) string {
	return fmt.Sprintf("%s %q", strings.ReplaceAll(subject.Kind, "_", " "), cmp.Or(subject.Name, subject.ID))
}

func (s *Session) runHandler(task *engine.Task, handler Handler, subject engine.Subject, argument any) (any, error) {
	onCut := handler.OnCut
	if onCut == "" {
		onCut = HookPoints[slices.IndexFunc(HookPoints, func(p HookPoint) bool { return p.Name == handler.Point })].OnCut
	}
	timeout := handler.Timeout
	if timeout == 0 {
		timeout = DefaultHookTimeout
	}
	var args any // objects are named by the subject
	if data, isData := argument.(map[string]any); isData {
		var err error
		if args, err = lua.ToJSON(data); err != nil {
			return nil, fmt.Errorf("its subject: %w", err)
		}
	}
	if handler.Point == "promote_storage" && s.Facts.Planned {
		args = map[string]any{"group": args, "release": s.promotionArgs(subject.ID)}
	}
	recorded, err := s.Run.Durable(task.OpCtx(), engine.Durable{
		Key: engine.HookKey(handler.Point, handler.Name, subject), Args: args, OnCut: onCut, Subject: subject, Timeout: timeout,
		Title: "hook " + handler.Point + " (" + handler.Name + ")",
	}, func(ctx context.Context, retried bool) (any, error) {
		result, err := handler.Func.CallContext(insideOf(ctx, enclosing{point: handler.Point, retried: retried}), task, s.contextFor(retried), argument, handler.Options)
		if err != nil {
			return nil, err
		}
		if handler.Point == verifyVM && result == false {
			return nil, errNotVerified
		}
		if err := s.unfitResult(handler.Point, subject, result); err != nil {
			return nil, err
		}
		return lua.ToJSON(result)
	})
	if err != nil || len(recorded) == 0 {
		return nil, err
	}
	var result any
	if err := json.Unmarshal(recorded, &result); err != nil {
		return nil, fmt.Errorf("decode the recorded result of hook %s (%s): %w", handler.Point, handler.Name, err)
	}
	return result, nil
}

// RunOnError calls the handlers of on_error. They are not durable: the run is ending, and each end of it may report.
func (s *Session) RunOnError(task *engine.Task, report map[string]any) error {
	var failed []error
	for _, handler := range s.Hooks["on_error"] {
		// What it changes, a message that it sends, is recorded for this attempt alone.
		ctx := insideOf(task.Ctx(), enclosing{point: "on_error", again: fmt.Sprintf("on_error %s attempt %d", handler.Name, s.Run.Attempt())})
		if _, err := handler.Func.CallContext(ctx, task, s.Context(), report, handler.Options); err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", handler.Name, err))
		}
	}
	return errors.Join(failed...)
}

// RunCheck calls the check of a library, which may only observe, with the consistency groups that the library is for; none named means
// all. It is no step: each attempt checks anew.
func (s *Session) RunCheck(task *engine.Task, library string, check *lua.Function, options map[string]any, groups []string) error {
	if check == nil {
		return nil
	}
	task.SetLocal(observing{}, true)
	defer task.SetLocal(observing{}, nil)
	limit, cancel := s.Env.Clock.WithTimeout(task.Ctx(), DefaultHookTimeout)
	defer cancel()
	if _, err := check.CallContext(limit, task, s.Context(), options, s.groupsShown(groups)); err != nil {
		return fmt.Errorf("the check of library %s: %w", library, err)
	}
	return nil
}
