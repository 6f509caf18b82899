package lua

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// dropped are the functions of the base library that reach files, other environments or the interpreter itself.
var dropped = []string{"dofile", "load", "loadfile", "loadstring", "collectgarbage", "module", "newproxy", "setfenv", "getfenv", "_printregs", "_G", "require", "print"}

// openSandbox opens base, table, string and math without what is dropped, and freezes all of it: the global table that code
// sees is empty, reads fall through to the built-ins, and assigning is an error.
func (rt *Runtime) openSandbox() {
	L := rt.state
	for _, open := range []struct {
		name string
		fn   glua.LGFunction
	}{{glua.BaseLibName, glua.OpenBase}, {glua.TabLibName, glua.OpenTable}, {glua.StringLibName, glua.OpenString}, {glua.MathLibName, glua.OpenMath}} {
		L.Push(L.NewFunction(open.fn))
		L.Push(glua.LString(open.name))
		L.Call(1, 0)
	}
	globals := L.G.Global
	for _, name := range dropped {
		globals.RawSetString(name, glua.LNil)
	}
	rt.builtins = L.NewTable()
	for key, value := globals.Next(glua.LNil); key != glua.LNil; key, value = globals.Next(key) {
		if library, ok := value.(*glua.LTable); ok {
			if key.String() == glua.StringLibName {
				// gopher-lua makes the library the metatable of all texts, which would lead back to it: ("").__index.
				library.RawSetString("__index", glua.LNil)
				library.RawSetString("dump", glua.LNil) // gopher-lua has it only to refuse it
				for name, fn := range map[string]glua.LGFunction{
					"rep": rt.stringRep, "find": stringFind, "match": stringMatch, "gmatch": stringGmatch, "gfind": stringGmatch, "gsub": stringGsub,
				} {
					library.RawSetString(name, L.NewFunction(fn))
				}
				library.RawSetString("format", L.NewFunction(rt.stringFormat(library.RawGetString("format").(*glua.LFunction))))
				library.RawSetString("byte", L.NewFunction(rt.stringByte(library.RawGetString("byte").(*glua.LFunction))))
				for _, name := range []string{"upper", "lower", "reverse", "format", "gsub"} {
					library.RawSetString(name, L.NewFunction(rt.counted(library.RawGetString(name).(*glua.LFunction))))
				}
			}
			if key.String() == glua.TabLibName {
				for _, name := range []string{"insert", "remove", "sort"} {
					library.RawSetString(name, L.NewFunction(rt.unlessFrozen(library.RawGetString(name).(*glua.LFunction))))
				}
				library.RawSetString("concat", L.NewFunction(rt.tableConcat))
			}
			if key.String() == glua.MathLibName {
				library.RawSetString("random", L.NewFunction(rt.mathRandom))
				library.RawSetString("randomseed", glua.LNil)
			}
			value = rt.frozen(key.String(), library)
			if key.String() == glua.StringLibName {
				meta := L.NewTable()
				meta.RawSetString("__index", value)
				meta.RawSetString("__metatable", glua.LString("string"))
				L.SetMetatable(glua.LString(""), meta)
			}
		}
		rt.builtins.RawSet(key, value)
	}
	var names []glua.LValue
	for key, _ := globals.Next(glua.LNil); key != glua.LNil; key, _ = globals.Next(key) {
		names = append(names, key)
	}
	for _, key := range names {
		globals.RawSet(key, glua.LNil)
	}
	for name, fn := range map[string]glua.LGFunction{
		"pcall": rt.pcall, "xpcall": rt.xpcall, "error": rt.luaError, "require": rt.luaRequire, "print": rt.print,
		"rawset": rt.rawset, "setmetatable": rt.setmetatable, "assert": rt.assert, "unpack": rt.unpack, "tostring": rt.tostring, joinName: rt.join, concatName: rt.concat,
	} {
		rt.builtins.RawSetString(name, L.NewFunction(fn))
	}
	meta := L.NewTable()
	meta.RawSetString("__index", L.NewFunction(func(L *glua.LState) int {
		value := rt.builtins.RawGet(L.Get(2))
		if value == glua.LNil {
			name := L.Get(2).String()
			if rt.collecting != nil { // found in the text
				value = rt.collecting.stray[name]
				if value == nil {
					rt.collecting.spend(L)
					value = rt.wrongValue()
				}
				L.Push(value)
				return 1
			}
			d := rt.site(L, "").finding(fmt.Sprintf("no variable %q is known here", name), "unknown-variable")
			d.Hint = unknownVariableHint(name, rt.builtinNames())
			rt.raise(L, d)
		}
		L.Push(value)
		return 1
	}))
	meta.RawSetString("__newindex", L.NewFunction(func(L *glua.LState) int {
		name := L.Get(2).String()
		if rt.collecting != nil { // found in the text
			rt.collecting.stray[name] = L.Get(3)
			return 0
		}
		d := rt.site(L, "").finding(fmt.Sprintf("assignment to the global variable %q", name), "global-variable")
		d.Hint = "write: local " + name + " = …"
		rt.raise(L, d)
		return 0
	}))
	globals.Metatable = meta
}

// finding makes a diagnostic at the call itself.
func (s *callSite) finding(message, code string) *Diagnostic {
	return s.diagnostic(s.at(nil, false), code, message)
}

func (rt *Runtime) builtinNames() []string {
	var names []string
	for key, _ := rt.builtins.Next(glua.LNil); key != glua.LNil; key, _ = rt.builtins.Next(key) {
		if name := key.String(); name != joinName && name != concatName {
			names = append(names, name)
		}
	}
	return names
}

// frozenTag marks the empty tables through which frozen ones are read.
const frozenTag = "drrun.frozen"

// frozenInner is where the metatable of such a table has what is read through it. No Lua code can reach a metatable that is protected.
const frozenInner = "drrun.inner"

// frozen returns a table that reads like another and cannot be changed. A name that is not there is an error.
func (rt *Runtime) frozen(name string, inner *glua.LTable) *glua.LTable {
	outer, meta := rt.state.NewTable(), rt.state.NewTable()
	meta.RawSetString("__index", rt.state.NewFunction(func(L *glua.LState) int {
		value := inner.RawGet(L.Get(2))
		if value == glua.LNil {
			return rt.raiseOrNote(L, rt.unknownField(L, name, L.Get(2).String(), keysOf(inner)))
		}
		L.Push(value)
		return 1
	}))
	meta.RawSetString("__newindex", rt.state.NewFunction(func(L *glua.LState) int {
		rt.raise(L, rt.site(L, "").finding(fmt.Sprintf("%s cannot be changed: assignment to %s.%s", name, name, L.Get(2).String()), "frozen"))
		return 0
	}))
	meta.RawSetString("__metatable", glua.LString(frozenTag))
	meta.RawSetString("__name", glua.LString(frozenTag))
	meta.RawSetString(frozenInner, inner)
	outer.Metatable = meta
	return outer
}

func (rt *Runtime) unknownField(L *glua.LState, owner, name string, known []string) *Diagnostic {
	d := rt.site(L, "").finding(fmt.Sprintf("%s has no %q", owner, name), "unknown-field")
	if d.Hint = DidYouMean(name, known); d.Hint == "" && len(known) <= 30 {
		d.Hint = "known: " + strings.Join(known, ", ")
	}
	return d
}

func keysOf(table *glua.LTable) []string {
	var names []string
	for key, _ := table.Next(glua.LNil); key != glua.LNil; key, _ = table.Next(key) {
		names = append(names, key.String())
	}
	return names
}

func isFrozen(table *glua.LTable) bool {
	meta, ok := table.Metatable.(*glua.LTable)
	return ok && (meta.RawGetString("__name") == glua.LString(frozenTag) || meta.RawGetString("__name") == glua.LString(errorTag))
}

func (rt *Runtime) rawset(L *glua.LState) int {
	table := L.CheckTable(1)
	if isFrozen(table) {
		rt.raise(L, rt.site(L, "rawset").finding("this table cannot be changed", "frozen"))
	}
	table.RawSet(L.CheckAny(2), L.CheckAny(3))
	L.Push(table)
	return 1
}

// unlessFrozen wraps a function of the table library, which would write past a metatable.
func (rt *Runtime) unlessFrozen(fn *glua.LFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		if table, ok := L.Get(1).(*glua.LTable); ok && isFrozen(table) {
			rt.raise(L, rt.site(L, "").finding("this table cannot be changed", "frozen"))
		} else if ok {
			rt.spend(L, table.Len()/4, 0) // it moves what is in the table
		}
		return fn.GFunction(L)
	}
}

// assert raises its message as it is, also when that is a table.
func (rt *Runtime) assert(L *glua.LState) int {
	if glua.LVAsBool(L.Get(1)) {
		return L.GetTop()
	}
	message := L.Get(2)
	if L.GetTop() < 2 {
		message = glua.LString("assertion failed!")
	}
	if text, ok := message.(glua.LString); ok {
		site := rt.site(L, "assert")
		if site.src != nil {
			message = glua.LString(site.src.at(site.copyLine).String() + ": " + string(text))
		}
	}
	L.Error(message, 0)
	return 0
}

// tostring gives no addresses: logs are the same in every run.
func (rt *Runtime) tostring(L *glua.LState) int {
	L.Push(rt.text(L, L.CheckAny(1)))
	return 1
}

func (rt *Runtime) text(L *glua.LState, v glua.LValue) glua.LValue {
	var meta glua.LValue
	switch holder := v.(type) {
	case *glua.LTable:
		meta = holder.Metatable
	case *glua.LUserData:
		meta = holder.Metatable
	case *glua.LFunction:
	default:
		return L.ToStringMeta(v)
	}
	if table, ok := meta.(*glua.LTable); ok && table.RawGetString("__tostring") != glua.LNil {
		return L.ToStringMeta(v)
	}
	return glua.LString(v.Type().String())
}

// stringFormat is string.format, with %s for every value that has a text.
func (rt *Runtime) stringFormat(format *glua.LFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		for i := 2; i <= L.GetTop(); i++ {
			switch v := L.Get(i).(type) {
			case *glua.LTable, *glua.LUserData, *glua.LFunction:
				L.Replace(i, rt.text(L, v))
			}
		}
		rt.mayHold(L, formattedLength(L))
		return format.GFunction(L)
	}
}

func (rt *Runtime) setmetatable(L *glua.LState) int {
	table := L.CheckTable(1)
	if old, ok := table.Metatable.(*glua.LTable); ok && old.RawGetString("__metatable") != glua.LNil {
		rt.raise(L, rt.site(L, "setmetatable").finding("this table cannot be changed", "frozen"))
	}
	if L.Get(2) == glua.LNil {
		table.Metatable = glua.LNil
	} else {
		table.Metatable = L.CheckTable(2)
	}
	L.Push(table)
	return 1
}

func (rt *Runtime) print(L *glua.LState) int {
	parts := make([]string, L.GetTop())
	for i := range parts {
		parts[i] = rt.text(L, L.Get(i+1)).String()
	}
	if rt.options.Print != nil {
		rt.options.Print(strings.Join(parts, "\t"))
	}
	return 0
}

// join puts the parts of a long table literal together again.
func (rt *Runtime) join(L *glua.LState) int {
	whole := L.NewTable()
	for i := 1; i <= L.GetTop(); i++ {
		L.Push(L.Get(i))
		L.Call(0, 1)
		part := L.CheckTable(-1)
		for n := 1; n <= part.Len(); n++ {
			whole.RawSetInt((i-1)*tableChunk+n, part.RawGetInt(n)) // nil holds its place
		}
		if part.Len() == 0 { // one with names
			for key, value := part.Next(glua.LNil); key != glua.LNil; key, value = part.Next(key) {
				whole.RawSet(key, value)
			}
		}
		L.Pop(1)
	}
	L.Push(whole)
	return 1
}

func (rt *Runtime) stringRep(L *glua.LState) int {
	text, n := L.CheckString(1), max(L.CheckInt(2), 0)
	if len(text) > 0 && n > maxText/len(text) {
		n = maxText/len(text) + 1
		rt.mayHold(L, max(n*len(text), maxText+1))
	}
	rt.spend(L, 0, n*len(text))
	L.Push(glua.LString(strings.Repeat(text, n)))
	return 1
}

// next is splitmix64: plans get the same numbers from the same seed on every machine.
func (rt *Runtime) next() uint64 {
	rt.random += 0x9e3779b97f4a7c15
	z := rt.random
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (rt *Runtime) mathRandom(L *glua.LState) int {
	fraction := float64(rt.next()>>11) / (1 << 53)
	low, high := 1.0, 0.0
	switch L.GetTop() {
	case 0:
		L.Push(glua.LNumber(fraction))
		return 1
	case 1:
		high = float64(L.CheckNumber(1))
	default:
		low, high = float64(L.CheckNumber(1)), float64(L.CheckNumber(2))
	}
	if high < low {
		L.RaiseError("math.random: the interval is empty")
	}
	L.Push(glua.LNumber(low + math.Floor(fraction*(high-low+1))))
	return 1
}

// pcall runs the function in a thread of its own: an error then closes only that thread's upvalues, and the caller's locals
// stay shared with closures (gopher-lua #448). A cancellation is not caught.
func (rt *Runtime) pcall(L *glua.LState) int {
	value, err := rt.protected(L, L.GetTop()-1)
	if err != nil {
		L.Push(glua.LFalse)
		L.Push(err)
		return 2
	}
	L.Push(glua.LTrue)
	for _, v := range value {
		L.Push(v)
	}
	return 1 + len(value)
}

// xpcall calls its handler with the error; the handler runs when the failed call is over.
func (rt *Runtime) xpcall(L *glua.LState) int {
	handler := L.CheckFunction(2)
	L.SetTop(1)
	value, err := rt.protected(L, 0)
	if err != nil {
		L.Push(handler)
		L.Push(err)
		L.Call(1, 1)
		result := L.Get(-1)
		L.Push(glua.LFalse)
		L.Push(result)
		return 2
	}
	L.Push(glua.LTrue)
	for _, v := range value {
		L.Push(v)
	}
	return 1 + len(value)
}

func (rt *Runtime) protected(L *glua.LState, args int) ([]glua.LValue, glua.LValue) {
	if L.GetTop() == 0 {
		L.ArgError(1, "value expected")
	}
	ctx := contextOf(L)
	th, err := rt.newThread(rt.task(L), ctx, L)
	if err != nil {
		rt.raise(L, located(err, rt.site(L, "pcall")))
	}
	defer delete(rt.threads, th)
	rt.threads[th].protected = true
	for i := 1; i <= args+1; i++ {
		th.Push(L.Get(i))
	}
	if err := th.PCall(args, glua.MultRet, nil); err != nil {
		if ctx.Err() != nil {
			rt.raise(L, rt.goError(ctx, err))
		}
		if stopped := rt.stopError(th, err); stopped != nil {
			rt.raise(L, stopped) // nor is this
		}
		goErr := rt.goError(ctx, err)
		var panicked *engine.PanicError
		if errors.As(goErr, &panicked) || isStop(goErr) {
			rt.raise(L, goErr) // a broken invariant of ours is nobody's to catch
		}
		api := err.(*glua.ApiError)
		if text, isText := api.Object.(glua.LString); isText {
			if markedPlace.MatchString(string(text)) { // of gopher-lua itself; what error() raises stays as it is
				return nil, rt.errorToLua(goErr)
			}
			return nil, text
		}
		if api.Object != nil && api.Type != glua.ApiErrorPanic {
			return nil, api.Object
		}
		return nil, rt.errorToLua(goErr)
	}
	values := make([]glua.LValue, th.GetTop())
	for i := range values {
		values[i] = th.Get(i + 1)
	}
	return values, nil
}

// luaError is error() with real places.
func (rt *Runtime) luaError(L *glua.LState) int {
	value, level := L.Get(1), L.OptInt(2, 1)
	if text, ok := value.(glua.LString); ok && level > 0 {
		if site := rt.site(L, "error"); site.src != nil && level == 1 {
			value = glua.LString(site.src.at(site.copyLine).String() + ": " + string(text))
		}
	}
	if value == glua.LNil {
		value = glua.LString("error(nil)")
	}
	L.Error(value, 0)
	return 0
}
