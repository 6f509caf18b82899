package lua

import (
	"fmt"

	glua "github.com/yuin/gopher-lua"
)

// objectToLua wraps an object with the metatable of its class.
func (rt *Runtime) objectToLua(o *Object) glua.LValue {
	data := rt.state.NewUserData()
	data.Value = o
	data.Metatable = rt.classTable(o.class)
	return data
}

func (rt *Runtime) classTable(class *Class) *glua.LTable {
	if meta, known := rt.classes[class]; known {
		return meta
	}
	meta := rt.state.NewTable()
	rt.classes[class] = meta
	methods := map[string]*glua.LFunction{}
	var names []string
	for i := range class.Methods {
		method := &class.Methods[i]
		methods[method.Name] = rt.function(class.Name, method, class)
		names = append(names, method.Name)
	}
	fields := map[string]*Field{}
	for i := range class.Fields {
		fields[class.Fields[i].Name] = &class.Fields[i]
		names = append(names, class.Fields[i].Name)
	}
	set := func(name string, fn glua.LGFunction) { meta.RawSetString(name, rt.state.NewFunction(fn)) }
	set("__index", func(L *glua.LState) int {
		object, key := userValue(L.Get(1)).(*Object), L.Get(2).String()
		if method, ok := methods[key]; ok {
			L.Push(method)
			return 1
		}
		if field, ok := fields[key]; ok {
			value := rt.toLua(field.Get(object.self))
			rt.watchCopy(L, class, key, value)
			L.Push(value)
			return 1
		}
		if class.Index != nil {
			if value, ok := class.Index(object.self, key); ok {
				L.Push(rt.toLua(value))
				return 1
			}
		}
		return rt.raiseOrNote(L, rt.unknownField(L, class.Name, key, names))
	})
	set("__newindex", func(L *glua.LState) int {
		object, key := userValue(L.Get(1)).(*Object), L.Get(2).String()
		site := rt.site(L, "")
		if class.Set == nil {
			rt.raise(L, site.finding(fmt.Sprintf("a %s cannot be changed: assignment to %q", class.Name, key), "frozen"))
		}
		value, err := rt.toGo(L.Get(3))
		if err != nil {
			rt.raise(L, site.finding(err.Error(), "bad-argument"))
		}
		call := &Call{Ctx: contextOf(L), Task: rt.task(L), Self: object.self, rt: rt, name: class.Name + "." + key, values: map[string]any{}, site: site}
		if err := class.Set(call, key, value); err != nil {
			rt.raise(L, located(err, site))
		}
		return 0
	})
	set("__tostring", func(L *glua.LState) int {
		object := userValue(L.Get(1)).(*Object)
		text := class.Name
		if class.String != nil {
			text = class.String(object.self)
		}
		L.Push(glua.LString(text))
		return 1
	})
	set("__eq", func(L *glua.LState) int {
		a, okA := userValue(L.Get(1)).(*Object)
		b, okB := userValue(L.Get(2)).(*Object)
		L.Push(glua.LBool(okA && okB && a.self == b.self))
		return 1
	})
	set("__concat", func(L *glua.LState) int {
		rt.raise(L, rt.site(L, "").finding(fmt.Sprintf("a %s is no text: use its name, or tostring()", class.Name), "not-a-text"))
		return 0
	})
	meta.RawSetString("__metatable", glua.LString(class.Name))
	// Calling an object calls its method "call": a library is called with its options.
	if call, ok := methods["call"]; ok {
		meta.RawSetString("__call", call)
	}
	return meta
}

// secretToLua wraps a secret: it can be passed on, and nothing else.
func (rt *Runtime) secretToLua(s *Secret) glua.LValue {
	data := rt.state.NewUserData()
	data.Value = s
	meta := rt.state.NewTable()
	refuse := rt.state.NewFunction(func(L *glua.LState) int {
		d := rt.site(L, "").finding(fmt.Sprintf("the secret %q cannot be looked at, only passed on", s.name), "secret-in-result")
		rt.raise(L, d)
		return 0
	})
	for _, event := range []string{"__concat", "__index", "__newindex", "__lt", "__le", "__len", "__add", "__sub", "__mul", "__div", "__call"} {
		meta.RawSetString(event, refuse)
	}
	meta.RawSetString("__tostring", rt.state.NewFunction(func(L *glua.LState) int {
		L.Push(glua.LString(s.String()))
		return 1
	}))
	meta.RawSetString("__metatable", glua.LString("secret"))
	data.Metatable = meta
	return data
}
