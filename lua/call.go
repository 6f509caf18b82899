package lua

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"time"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// Call is one call of a primitive.
type Call struct {
	Ctx  context.Context // ends with the first Ctrl-C for Pure and Observes, with the second for Changes and Durable
	Lua  context.Context // of the Lua code that calls: inside a hook with the hook's time-out, whatever the effect
	Task *engine.Task
	Self any // the Go value of the object whose method is called

	rt     *Runtime
	fn     *Func
	name   string
	values map[string]any
	site   *callSite
	found  Diagnostics
	within []string // modules that are being loaded around the call, outermost first
}

// Findings returns what is wrong with the arguments of a lenient function, sorted by place. Wrong values read as left out.
func (c *Call) Findings() Diagnostics { return c.found }

// Module is the name of the module whose file is being loaded and makes the call, "" where the plan's own file or a function makes it.
func (c *Call) Module() string {
	if len(c.within) == 0 {
		return ""
	}
	return c.within[len(c.within)-1]
}

// String returns a text argument, "" when it was left out.
func (c *Call) String(name string) string { v, _ := c.values[name].(string); return v }

// Number returns a number argument, 0 when it was left out.
func (c *Call) Number(name string) float64 { v, _ := c.values[name].(float64); return v }

// Int returns an integer argument, 0 when it was left out.
func (c *Call) Int(name string) int { return int(c.Number(name)) }

// Bool returns a boolean argument, false when it was left out.
func (c *Call) Bool(name string) bool { v, _ := c.values[name].(bool); return v }

// Duration returns a duration argument, 0 when it was left out.
func (c *Call) Duration(name string) time.Duration { v, _ := c.values[name].(time.Duration); return v }

// Size returns a size argument in bytes, 0 when it was left out.
func (c *Call) Size(name string) int64 { v, _ := c.values[name].(int64); return v }

// Func returns a function argument, nil when it was left out.
func (c *Call) Func(name string) *Function { v, _ := c.values[name].(*Function); return v }

// List returns a list argument, nil when it was left out.
func (c *Call) List(name string) []any { v, _ := c.values[name].([]any); return v }

// Table returns a table argument, nil when it was left out.
func (c *Call) Table(name string) map[string]any { v, _ := c.values[name].(map[string]any); return v }

// Value returns an argument of any type, nil when it was left out.
func (c *Call) Value(name string) any { return c.values[name] }

// Has reports whether an argument was given, or has a default.
func (c *Call) Has(name string) bool { _, has := c.values[name]; return has }

// At returns the place of an argument, or of a value inside it: c.At("vms", 2, "rank"), indexes from 1. Where the table is
// not written out at the call it is the nearest place that is known. Without a path it is the call.
func (c *Call) At(path ...any) Pos { return c.site.at(path, false) }

// KeyAt is At for the key of a value instead of the value.
func (c *Call) KeyAt(path ...any) Pos { return c.site.at(path, true) }

// Later is the same call made at another time, by a task with its context, with some arguments replaced: what a plan declares while it is
// read is done in a run, and its errors still point at the declaration.
func (c *Call) Later(ctx context.Context, task *engine.Task, replaced map[string]any) *Call {
	later := *c
	later.Ctx, later.Lua, later.Task = ctx, ctx, task
	later.values = maps.Clone(c.values)
	maps.Copy(later.values, replaced)
	return &later
}

// Errorf makes an error that points at an argument, or at the call when arg is "".
func (c *Call) Errorf(code, arg, format string, args ...any) *Diagnostic {
	var path []any
	if arg != "" {
		path = []any{arg}
	}
	return c.ErrorAt(c.At(path...), code, format, args...)
}

// ErrorAt makes an error that points at a place of the file of the call.
func (c *Call) ErrorAt(pos Pos, code, format string, args ...any) *Diagnostic {
	d := c.site.diagnostic(pos, code, fmt.Sprintf(format, args...))
	if d.Pos.Line > 0 {
		d.Subject = c.name
	}
	return d
}

// nativeFunc is a function of this package that works on Lua values with the baton held.
type nativeFunc func(rt *Runtime, L *glua.LState, self any, args []glua.LValue, site *callSite) (glua.LValue, error)

// function makes the Lua function of a declared one. owner is the module or class, for messages.
func (rt *Runtime) function(owner string, fn *Func, class *Class) *glua.LFunction {
	name := fn.Name
	if owner != "" {
		separator := "."
		if class != nil {
			separator = ":"
		}
		name = owner + separator + fn.Name
	}
	var positional []string
	for _, p := range fn.Params {
		if p.Positional {
			positional = append(positional, p.Name)
		}
	}
	made := rt.state.NewFunction(func(L *glua.LState) int {
		site := rt.site(L, fn.Name)
		site.names = positional
		args := make([]glua.LValue, L.GetTop())
		for i := range args {
			args[i] = L.Get(i + 1)
		}
		var self any
		if class != nil {
			object, ok := (*Object)(nil), false
			if len(args) > 0 {
				object, ok = userValue(args[0]).(*Object)
			}
			if !ok || object.class != class {
				d := site.finding(fmt.Sprintf("%s is a method of a %s", fn.Name, class.Name), "not-a-method-call")
				d.Subject, d.Hint = name, "call it with a colon: "+class.Name+":"+fn.Name
				rt.raise(L, d)
			}
			self, args = object.self, args[1:]
			if site.receiver && len(site.args) > 0 {
				site.args = site.args[1:]
			}
		}
		value, err := rt.invoke(L, fn, name, self, args, site)
		switch {
		case err != nil && fn.Effect == Pure && fn.native == nil:
			return rt.raiseOrNote(L, err)
		case err != nil:
			rt.raise(L, err)
		}
		L.Push(value)
		return 1
	})
	rt.declared[made] = fn
	return made
}

func (rt *Runtime) invoke(L *glua.LState, fn *Func, name string, self any, args []glua.LValue, site *callSite) (glua.LValue, error) {
	rt.spend(L, stepsPerCall, 0)
	task := rt.task(L)
	if task.Local(inStep{}) != nil && (fn.Effect == Changes || fn.native != nil) {
		d := site.finding(fmt.Sprintf("%s cannot be called inside a step: the step is recorded as a whole", name), "step-nesting")
		d.Hint = "move it out of the function of ctx:step"
		return nil, d
	}
	if fn.native != nil {
		return fn.native(rt, L, self, args, site)
	}
	if rt.options.ReadOnly != "" && (fn.Effect == Changes || fn.Effect == Durable) {
		return nil, rt.readOnly(fn, name, site)
	}
	check := &checker{rt: rt, call: site, subject: name}
	values := check.arguments(fn.Params, args)
	check.findings.Sort()
	if len(check.findings) > 0 && !fn.Lenient {
		if len(check.findings) == 1 {
			return nil, check.findings[0]
		}
		return nil, check.findings
	}
	// The Lua thread's own context may be narrower than the task's: a hook has a time-out.
	call := &Call{Ctx: contextOf(L), Lua: contextOf(L), Task: task, Self: self, rt: rt, fn: fn, name: name, values: values, site: site, found: check.findings, within: rt.threads[L].loading}
	if fn.Effect == Changes || fn.Effect == Durable {
		call.Ctx = task.OpCtx()
	}
	if err := contextOf(L).Err(); err != nil {
		return nil, &Diagnostic{Code: "cancelled", Message: "cancelled", Err: context.Cause(contextOf(L))}
	}
	var result any
	var err error
	before := task.Local(serving{})
	task.SetLocal(serving{}, rt.threads[L])
	task.Release(func() { result, err = guarded(call, fn) })
	task.SetLocal(serving{}, before)
	if err != nil {
		return nil, located(err, site)
	}
	rt.watchArgument(L, fn, name, args, site)
	return rt.toLua(result), nil
}

// readOnly refuses what changes something in a runtime where nothing may.
func (rt *Runtime) readOnly(fn *Func, name string, site *callSite) *Diagnostic {
	what := "changes the world outside the engines, or asks for a decision that a run records"
	if fn.Effect == Changes {
		what = "changes an engine"
	}
	d := site.finding(name+" "+what+", and here nothing may be changed; nothing was done", "read-only")
	d.Hint = rt.options.ReadOnly
	return d
}

// guarded turns a panic of a primitive into an error that no pcall catches.
func guarded(c *Call, fn *Func) (result any, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = &engine.PanicError{Task: c.Task.Path(), Value: value, Stack: string(debug.Stack())}
		}
	}()
	return fn.Run(c)
}

// located gives an error that came without a place the place of the call.
func located(err error, site *callSite) error {
	var d *Diagnostic
	if errors.As(err, &d) {
		if d.Pos.Line == 0 && site.src != nil && !site.src.builtin {
			d.Pos = site.at(nil, false)
			d.Source = site.src.line(d.Pos.Line)
		}
		return err
	}
	var many Diagnostics
	if errors.As(err, &many) {
		return err
	}
	d = site.finding(err.Error(), "error")
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		d.Code = coded.Code()
	}
	d.Err = err
	return d
}
