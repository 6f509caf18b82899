package lua

import (
	"fmt"
	"maps"
	"slices"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// Scope is where code runs that a person types: its variables, globals and outermost locals alike, are there for what is typed next. Code of
// files does not see them.
type Scope struct {
	rt       *Runtime
	env      *glua.LTable
	given    map[string]func(t *engine.Task) (any, error)
	declared map[string]bool // variables that were assigned, also nil

	// Classes are those that declared functions say they return, for completion and help.
	Classes []*Class
	// Texts gives what can stand in quotes as an argument of a function, for completion; nil knows none.
	Texts func(fn, param string) []string
}

// NewScope makes a scope. given are variables that it begins with, each made when it is first read, without the baton.
func (rt *Runtime) NewScope(given map[string]func(t *engine.Task) (any, error)) *Scope {
	s := &Scope{rt: rt, env: rt.state.NewTable(), given: given, declared: map[string]bool{}}
	meta := rt.state.NewTable()
	meta.RawSetString("__index", rt.state.NewFunction(s.read))
	meta.RawSetString("__metatable", glua.LString("scope"))
	s.env.Metatable = meta
	return s
}

// read finds a variable that has no value of its own.
func (s *Scope) read(L *glua.LState) int {
	name := L.Get(2).String()
	if value := s.rt.builtins.RawGet(L.Get(2)); value != glua.LNil {
		L.Push(value)
		return 1
	}
	if s.declared[name] {
		L.Push(glua.LNil)
		return 1
	}
	if mk := s.given[name]; mk != nil {
		task := s.rt.task(L)
		var value any
		var err error
		task.Release(func() { value, err = mk(task) })
		if err != nil {
			s.rt.raise(L, located(err, s.rt.site(L, "")))
		}
		made := s.rt.toLua(value)
		s.env.RawSetString(name, made)
		L.Push(made)
		return 1
	}
	d := s.rt.site(L, "").finding(fmt.Sprintf("no variable %q is known here", name), "unknown-variable")
	d.Hint = unknownVariableHint(name, s.names())
	s.rt.raise(L, d)
	return 0
}

// names are the variables that can be read, sorted.
func (s *Scope) names() []string {
	names := append(s.rt.builtinNames(), slices.Collect(maps.Keys(s.given))...)
	names = append(names, keysOf(s.env)...)
	slices.Sort(names)
	return slices.Compact(names)
}

// Run runs what was typed, an expression or statements, and returns its values. name stands in front of places; each text of a scope needs
// another one. The error is Diagnostics or a *Diagnostic.
func (s *Scope) Run(t *engine.Task, name, text string) (values []Value, err error) {
	t.WithBaton(func() {
		mark := markOf(len(s.rt.sources))
		src, proto, compileErr := compileTyped(name, mark, text, func(chunk []ast.Stmt) {
			keepLocals(chunk)
			s.declare(chunk)
		})
		s.rt.sources[mark] = src
		if compileErr != nil {
			err = compileErr
			return
		}
		if found := src.stepCaptures(); len(found) > 0 {
			err = found
			return
		}
		fn := s.rt.state.NewFunctionFromProto(proto)
		fn.Env = s.env
		values, err = s.call(t, fn)
	})
	return values, err
}

// declare notes the variables that a text assigns to, so that they can be read although they are nil.
func (s *Scope) declare(chunk []ast.Stmt) {
	for _, statement := range chunk {
		for _, target := range targets(statement) {
			if ident, ok := target.(*ast.IdentExpr); ok {
				s.declared[ident.Value] = true
			}
		}
	}
}

// call is Runtime.call with all results.
func (s *Scope) call(t *engine.Task, fn *glua.LFunction) ([]Value, error) {
	th, err := s.rt.newThread(t, t.Ctx(), nil)
	if err != nil {
		return nil, err
	}
	defer delete(s.rt.threads, th)
	th.Push(fn)
	if err := th.PCall(0, glua.MultRet, nil); err != nil {
		return nil, s.rt.goError(t.Ctx(), err)
	}
	values := make([]Value, th.GetTop())
	for i := range values {
		values[i] = Value{s.rt, th.Get(i + 1)}
	}
	return values, nil
}

// RequireValue loads a module as Lua's require does, and returns it as it is, also where Go has no form for it.
func (rt *Runtime) RequireValue(t *engine.Task, name string) (value Value, err error) {
	t.WithBaton(func() {
		var loaded glua.LValue
		loaded, err = rt.require(t, nil, name)
		value = Value{rt, loaded}
	})
	return value, err
}
