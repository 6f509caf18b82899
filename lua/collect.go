package lua

import (
	"errors"
	"maps"
	"slices"

	glua "github.com/yuin/gopher-lua"
)

// While a plan is loaded, a mistake is noted and the file goes on, so that a person sees all of them at once. What a failed call would
// have given is the wrong value: it can be called, indexed and passed on, and nothing more is said about it.

// collection is what Collect gathers.
type collection struct {
	found Diagnostics
	stray map[string]glua.LValue // values that the files assigned to globals
	wrong glua.LValue
	used  bool // the wrong value was handed out: an error of Lua's own may be its consequence

	uses     int // of the wrong value
	declared Declared
	read     Diagnostics // found in the texts alone

	watched       []withoutEffect
	watchedTables int // in them
}

// Wrong stands in Go for a value that a plan could not make. What is wrong with it is among the findings of Collect already.
type Wrong struct{}

// IsWrong reports whether a value stands for one that could not be made.
func IsWrong(value any) bool { _, is := value.(Wrong); return is }

// ErrConsequence is what Collect gives in place of an error that a finding has led to: nothing more is said about it.
var ErrConsequence = errors.New("the file could not go on with what it could not make")

// Collect calls fn, which runs files, and returns what is wrong with their texts and with their calls of pure functions, instead of
// ending the files at the first of it. err is fn's error, or ErrConsequence. The caller must not run the
// code for more than its findings when there are any.
//
// declared is what the texts are compared with.
func (rt *Runtime) Collect(declared Declared, fn func() error) (found Diagnostics, err error) {
	c := &collection{stray: map[string]glua.LValue{}, declared: declared}
	before := rt.collecting
	rt.collecting = c
	defer func() { rt.collecting = before }()
	err = fn()
	c.found = append(c.found, c.unsaid()...)
	c.found = append(c.found, rt.findingsAhead()...)
	c.found = append(c.found, rt.changesWithoutEffect()...)
	var d *Diagnostic
	if c.used && errors.As(err, &d) && d.Code == "lua-error" {
		err = ErrConsequence
	}
	return c.found, err
}

// unsaid are the findings in the texts that the run of a file did not come to as well.
func (c *collection) unsaid() Diagnostics {
	type place struct {
		file string
		line int
		code string
	}
	said := map[place]bool{}
	for _, d := range c.found {
		said[place{d.Pos.File, d.Pos.Line, d.Code}] = true
	}
	return slices.DeleteFunc(c.read, func(d *Diagnostic) bool { return said[place{d.Pos.File, d.Pos.Line, d.Code}] })
}

// findingsAhead looks at the files that no one has required yet, but a function can: what is wrong with their texts would come to light in
// the middle of a run.
func (rt *Runtime) findingsAhead() Diagnostics {
	rt.readAhead()
	var found Diagnostics
	for _, path := range slices.Sorted(maps.Keys(rt.ahead)) {
		if _, loaded := rt.files[path]; loaded {
			continue
		}
		src, _, err := compileSource(path, markOf(0), rt.ahead[path])
		if err != nil {
			found = append(found, AsDiagnostics(err)...)
			continue
		}
		found = append(found, src.textFindings(rt.builtinNames(), rt.reading())...)
	}
	return found
}

// note keeps an error as a finding and gives the wrong value, where findings are collected and no pcall waits for the error.
func (rt *Runtime) note(L *glua.LState, err error) (glua.LValue, bool) {
	c := rt.collecting
	if c == nil || L == nil || rt.threads[L] == nil || rt.threads[L].protected {
		return nil, false
	}
	var panicked interface{ Stack() string }
	found := AsDiagnostics(err)
	if errors.As(err, &panicked) || slices.ContainsFunc(found, func(d *Diagnostic) bool { return d.Code == "cancelled" || d.Pos.Line == 0 }) {
		return nil, false
	}
	for _, d := range found {
		rt.threads[L].addRequires(d)
	}
	c.found = append(c.found, found...)
	return rt.wrongValue(), true
}

// wrongValue makes the value that stands for all that could not be made.
func (rt *Runtime) wrongValue() glua.LValue {
	c := rt.collecting
	c.used = true
	if c.wrong != nil {
		return c.wrong
	}
	data, meta := rt.state.NewUserData(), rt.state.NewTable()
	data.Value = Wrong{}
	same := rt.state.NewFunction(func(L *glua.LState) int {
		c.spend(L)
		L.Push(data)
		return 1
	})
	for _, event := range []string{"__index", "__call", "__concat", "__add", "__sub", "__mul", "__div", "__mod", "__unm", "__len"} {
		meta.RawSetString(event, same)
	}
	meta.RawSetString("__newindex", rt.state.NewFunction(func(*glua.LState) int { return 0 }))
	meta.RawSetString("__tostring", rt.state.NewFunction(func(L *glua.LState) int { L.Push(glua.LString("?")); return 1 }))
	meta.RawSetString("__metatable", glua.LString("wrong"))
	data.Metatable = meta
	c.wrong = data
	return data
}

// maxWrongUses bounds how long a file goes on with wrong values: x = x.next never ends with one.
const maxWrongUses = 10000

// spend counts a use of the wrong value, and ends the file where it uses it without end.
func (c *collection) spend(L *glua.LState) {
	if c.uses++; c.uses > maxWrongUses {
		L.RaiseError("a value that could not be made is used without end")
	}
}

func isWrongValue(v glua.LValue) bool { return IsWrong(userValue(v)) }

// raiseOrNote raises an error, or pushes the wrong value where the error was noted.
func (rt *Runtime) raiseOrNote(L *glua.LState, err error) int {
	if wrong, noted := rt.note(L, err); noted {
		L.Push(wrong)
		return 1
	}
	rt.raise(L, err)
	return 0
}
