package lua

import (
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// Declared is what the texts of files are compared with before anything runs.
type Declared struct {
	// Named are the classes of objects that parameters of a name stand for by convention, such as ctx. What such an object has not is a
	// warning only: a function of a file's own may call something else so.
	Named map[string]*Class
	// Lua is what drrun has in Lua, by the path of its module, such as dr.steps. The parameters of a method are the options behind ctx.
	Lua map[string]*Class
	// Types and Records are what fields and functions say that they give.
	Types   []*Class
	Records []Record
	// Subjects are the types of the second parameter of handlers, by hook point.
	Subjects map[string]string
}

// reading is Declared with what the runtime adds.
type reading struct {
	Declared
	modules []Module
	missing func(module string) *Diagnostic
}

func (rt *Runtime) reading() reading {
	return reading{Declared: rt.collecting.declared, modules: rt.options.Modules, missing: rt.missing}
}

// reader follows the expressions of one file to the classes that they certainly have.
type reader struct {
	*source
	reading
	types    map[string]*Class
	records  map[*Class]bool
	handlers map[*local]*Class // parameters of handlers
}

func newReader(s *source, with reading) *reader {
	r := &reader{source: s, reading: with, types: map[string]*Class{}, records: map[*Class]bool{}, handlers: map[*local]*Class{}}
	for _, class := range with.Types {
		r.types[class.Name] = class
	}
	record := func(declared Record) {
		if slices.ContainsFunc(declared.Fields, func(f Field) bool { return strings.HasPrefix(f.Name, "[") }) {
			return // it has fields of any name: "[string] any"
		}
		class := &Class{Name: declared.Name, Fields: declared.Fields}
		r.types[declared.Name], r.records[class] = class, true
	}
	for _, declared := range with.Records {
		record(declared)
	}
	for _, module := range with.modules {
		for _, declared := range module.Records {
			record(declared)
		}
	}
	for _, calls := range s.calls {
		for _, call := range calls {
			r.readHandlers(call)
		}
	}
	return r
}

// readHandlers notes what the parameters of handlers are, where a call adds them to hook points and they are written out there.
func (r *reader) readHandlers(call *ast.FuncCallExpr) {
	if call.Method == "on" && len(call.Args) >= 2 {
		if point, ok := call.Args[0].(*ast.StringExpr); ok {
			r.handler(point.Value, call.Args[1])
		}
		return
	}
	attr, ok := call.Func.(*ast.AttrGetExpr)
	if !ok || len(call.Args) != 1 || r.modulePath(attr, 0) != "dr.library" {
		return
	}
	library, ok := call.Args[0].(*ast.TableExpr)
	if !ok {
		return
	}
	if check := r.tables[library].named["check"]; check != nil {
		r.handler("", check.Value)
	}
	hooks := r.tables[library].named["hooks"]
	if hooks == nil {
		return
	}
	if written, ok := hooks.Value.(*ast.TableExpr); ok {
		for point, field := range r.tables[written].named {
			value := field.Value
			if rules, ok := value.(*ast.TableExpr); ok {
				if run := r.tables[rules].named["run"]; run != nil {
					value = run.Value
				}
			}
			r.handler(point, value)
		}
	}
}

func (r *reader) handler(point string, value ast.Expr) {
	fn, ok := value.(*ast.FunctionExpr)
	if !ok {
		return
	}
	for i, class := range []*Class{r.types["ctx"], r.types[r.Subjects[point]]} {
		if params := r.parameters[fn]; i < len(params) && class != nil {
			r.handlers[params[i]] = class
		}
	}
}

// maxLinks bounds how far an expression is followed.
const maxLinks = 16

// classOf is the class of the object that an expression stands for, nil where only a run can tell. It is certain where no convention about
// names was needed.
func (r *reader) classOf(e ast.Expr, depth int) (class *Class, certain bool) {
	if depth > maxLinks {
		return nil, false
	}
	switch n := e.(type) {
	case *ast.IdentExpr:
		known := r.locals[n]
		switch {
		case known == nil || known.changed:
		case r.handlers[known] != nil:
			return r.handlers[known], true
		case known.parameter:
			return r.Named[n.Value], false
		case known.value != nil:
			return r.classOf(known.value, depth+1)
		}
	case *ast.AttrGetExpr:
		class, certain = r.classOf(n.Object, depth+1)
		return r.typed(class.fieldType(fieldName(n))), certain
	case *ast.FuncCallExpr:
		fn, _, certain := r.called(n, depth+1)
		if fn != nil {
			return r.typed(fn.Returns), certain
		}
	}
	return nil, false
}

// called is the declared function that a call calls, with the name that findings give it; nil where only a run can tell.
func (r *reader) called(call *ast.FuncCallExpr, depth int) (fn *Func, name string, certain bool) {
	if call.Method != "" {
		class, certain := r.classOf(call.Receiver, depth)
		if class == nil {
			return nil, "", false
		}
		return funcNamed(class.Methods, call.Method), class.Name + ":" + call.Method, certain
	}
	attr, ok := call.Func.(*ast.AttrGetExpr)
	if !ok {
		return nil, "", false
	}
	module := r.moduleAt(attr.Object)
	if module == nil {
		return nil, "", false
	}
	return funcNamed(module.Funcs, fieldName(attr)), module.Name + "." + fieldName(attr), true
}

// moduleAt is the module that an expression stands for, nil where it stands for none that is written in Go.
func (r *reader) moduleAt(e ast.Expr) *Module {
	path := r.modulePath(e, 0)
	if path == "" {
		return nil
	}
	for i := range r.modules {
		module := &r.modules[i]
		if module.Name == path {
			return module
		}
		for j := range module.Subs {
			if module.Subs[j].Name == path {
				return &module.Subs[j]
			}
		}
	}
	return nil
}

func (r *reader) typed(name string) *Class { return r.types[strings.TrimSuffix(name, "?")] }

func funcNamed(functions []Func, name string) *Func {
	for i := range functions {
		if functions[i].Name == name {
			return &functions[i]
		}
	}
	return nil
}

func (c *Class) fieldType(name string) string {
	if c == nil {
		return ""
	}
	for i := range c.Fields {
		if c.Fields[i].Name == name {
			return c.Fields[i].Type
		}
	}
	return ""
}

// memberNames are the names that a plan can read from a module.
func (m *Module) memberNames() []string {
	var names []string
	for i := range m.Funcs {
		names = append(names, m.Funcs[i].Name)
	}
	for i := range m.Subs {
		names = append(names, m.Subs[i].Name[strings.LastIndex(m.Subs[i].Name, ".")+1:])
	}
	for name := range m.Fields {
		names = append(names, name)
	}
	for name := range m.Lua {
		names = append(names, name)
	}
	return names
}
