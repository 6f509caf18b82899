package lua

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// errorTag marks the tables that stand for errors in Lua; their metatable carries it.
const errorTag = "drrun.error"

func isErrorTable(table *glua.LTable) bool {
	meta, ok := table.Metatable.(*glua.LTable)
	return ok && meta.RawGetString("__name") == glua.LString(errorTag)
}

// raise raises a Go error in Lua as a table { code, message, at, hint, retryable } that keeps the Go error inside.
func (rt *Runtime) raise(L *glua.LState, err error) {
	L.Error(rt.errorToLua(err), 0)
}

func (rt *Runtime) errorToLua(err error) glua.LValue {
	table := rt.state.NewTable()
	set := func(name string, value glua.LValue) { table.RawSetString(name, value) }
	d := diagnosticOf(err)
	set("code", glua.LString(d.Code))
	set("message", glua.LString(d.Message))
	set("retryable", glua.LBool(d.Retryable))
	if d.Pos.Line > 0 {
		set("at", glua.LString(d.Pos.String()))
	}
	if d.Hint != "" {
		set("hint", glua.LString(d.Hint))
	}
	meta := rt.state.NewTable()
	meta.RawSetString("__name", glua.LString(errorTag))
	meta.RawSetString("__metatable", glua.LString("error"))
	meta.RawSetString("__tostring", rt.state.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LString(d.Message))
		return 1
	}))
	meta.RawSetString("__concat", rt.state.NewFunction(func(L *glua.LState) int {
		L.Push(rt.text(L, L.Get(1)).(glua.LString) + rt.text(L, L.Get(2)).(glua.LString))
		return 1
	}))
	data := rt.state.NewUserData()
	data.Value = err
	meta.RawSetString("go", data)
	table.Metatable = meta
	return table
}

var goCode = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// errCancelled is in the error of every Lua call that was cancelled, beside the cause and what failed meanwhile.
var errCancelled = errors.New("the call was cancelled")

// goError turns what a Lua call ended with into a Go error: the Go error that was raised inside, or a *Diagnostic.
func (rt *Runtime) goError(ctx context.Context, err error) error {
	var api *glua.ApiError
	if !errors.As(err, &api) {
		return err
	}
	inner := raised(api.Object)
	if ctx.Err() != nil {
		// gopher-lua gives the cancellation as a text; whether it was one is asked of the context.
		var d *Diagnostic
		if errors.As(inner, &d) && d.Code == "cancelled" && !errors.Is(inner, errCancelled) {
			inner = nil // a primitive that was cancelled as well: nothing failed
		}
		return &Diagnostic{Code: "cancelled", Message: "cancelled", Err: errors.Join(errCancelled, context.Cause(ctx), inner)}
	}
	trace := rt.traceback(api.StackTrace)
	if inner != nil {
		var d *Diagnostic
		if errors.As(inner, &d) && d.Traceback == "" {
			d.Traceback = trace
		}
		return inner
	}
	switch value := api.Object.(type) {
	case *glua.LTable:
		d := &Diagnostic{Code: "error", Message: "an error without a message was raised", Traceback: trace}
		if _, d.Pos = rt.translate(api.StackTrace); d.Pos.Line > 0 { // the innermost place: where it was raised
			if src := rt.sourceOf(d.Pos); src != nil {
				d.Source = src.line(d.Pos.Line)
			}
		}
		if code, ok := value.RawGetString("code").(glua.LString); ok && goCode.MatchString(string(code)) {
			d.Code = string(code)
		}
		if message, ok := value.RawGetString("message").(glua.LString); ok {
			d.Message = string(message)
		}
		if hint, ok := value.RawGetString("hint").(glua.LString); ok {
			d.Hint = string(hint)
		}
		return d
	case glua.LString:
		return rt.textError(string(value), trace)
	}
	if api.Type == glua.ApiErrorPanic || api.Object == nil || api.Object == glua.LNil {
		text := err.Error()
		if api.Cause != nil {
			text = api.Cause.Error()
		}
		return rt.textError(text, trace)
	}
	return &Diagnostic{Code: "error", Message: "an error was raised with " + describeValue(api.Object), Traceback: trace}
}

// raised returns the Go error in an error table, nil when a value is none.
func raised(value glua.LValue) error {
	table, ok := value.(*glua.LTable)
	if !ok || !isErrorTable(table) {
		return nil
	}
	err, _ := userValue(table.Metatable.(*glua.LTable).RawGetString("go")).(error) // a plan can make a table that looks like ours
	return err
}

// textError makes a finding of an error text, whose place is in front of it.
func (rt *Runtime) textError(text, trace string) *Diagnostic {
	message, pos := rt.translate(text)
	if pos.Line == 0 {
		if m := userPlace.FindStringSubmatch(message); m != nil {
			if src := rt.sourceOf(Pos{File: m[1]}); src != nil {
				fmt.Sscan(m[2], &pos.Line)
				fmt.Sscan(m[3], &pos.Col)
				pos.File, message = m[1], m[4]
			}
		}
	}
	d := &Diagnostic{Pos: pos, Code: "lua-error", Message: message, Traceback: trace}
	if src := rt.sourceOf(pos); src != nil {
		d.Source = src.line(pos.Line)
		if d.Pos.EndCol == 0 {
			for _, t := range src.tokens {
				if t.line != pos.Line {
					continue
				}
				if place := src.pos(t); place.Col == pos.Col {
					d.Pos.EndCol = place.EndCol
				}
			}
		}
	}
	d.inOwnWords()
	return d
}

// userPlace is how our own error() writes the place in front of a text.
var userPlace = regexp.MustCompile(`(?s)^(.+?):(\d+):(\d+): (.*)$`)

// traceback keeps the lines of a stack trace that are in the user's own files, innermost first, beyond the place itself.
func (rt *Runtime) traceback(trace string) string {
	var lines []string
	for line := range strings.SplitSeq(trace, "\n") {
		m := markedPlace.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		src := rt.sources["\x01"+m[1]+"\x01"]
		number := 0
		fmt.Sscan(m[2], &number)
		if src == nil || src.builtin {
			continue
		}
		text := src.at(number).String()
		if len(lines) == 0 || lines[len(lines)-1] != text {
			lines = append(lines, text)
		}
	}
	if len(lines) <= 1 {
		return ""
	}
	return strings.Join(lines[1:], "\n")
}
