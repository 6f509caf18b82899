package lua

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// unknownOptions finds calls of what drrun has in Lua, such as dr.steps.boot(ctx, { rankz = { 0 } }), with names that nobody knows: a run
// would come to them in its middle. Of such a module named has the class by its path; the parameters of a method are the options that it
// takes behind ctx.
func (s *source) unknownOptions(named map[string]*Class) Diagnostics {
	var found Diagnostics
	for _, calls := range s.calls {
		for _, call := range calls {
			attr, ok := call.Func.(*ast.AttrGetExpr)
			if !ok {
				continue
			}
			key, isName := attr.Key.(*ast.StringExpr)
			path := s.modulePath(attr.Object, 0)
			class := named[path]
			if !isName || class == nil || !strings.Contains(path, ".") {
				continue
			}
			subject := path + "." + key.Value
			at := slices.IndexFunc(class.Methods, func(f Func) bool { return f.Name == key.Value })
			if at < 0 {
				d := s.diagnostic(s.at(key.Line()), "unknown-field", fmt.Sprintf("%s has no %q", path, key.Value))
				d.Hint = DidYouMean(key.Value, class.memberNames())
				found = append(found, d)
				continue
			}
			if len(call.Args) > 1 {
				found = append(found, s.unknownIn(Table(class.Methods[at].Params...), call.Args[1], subject)...)
			}
		}
	}
	return found
}

// modulePath is the path by which an expression stands for a module of drrun: dr.steps for a local that was given require "dr".steps. It is
// empty where only a run can tell.
func (s *source) modulePath(e ast.Expr, depth int) string {
	switch n := e.(type) {
	case *ast.IdentExpr:
		known := s.locals[n]
		if known == nil || known.changed || known.value == nil || depth > 8 {
			return ""
		}
		return s.modulePath(known.value, depth+1)
	case *ast.AttrGetExpr:
		key, ok := n.Key.(*ast.StringExpr)
		if path := s.modulePath(n.Object, depth+1); ok && path != "" {
			return path + "." + key.Value
		}
	case *ast.FuncCallExpr:
		if s.givesStages(n, depth) {
			return stagesModule
		}
		name, ok := n.Func.(*ast.IdentExpr)
		if !ok || name.Value != "require" || len(n.Args) != 1 {
			return ""
		}
		if module, ok := n.Args[0].(*ast.StringExpr); ok {
			return module.Value
		}
	}
	return ""
}

// stagesModule are the stages of the built-in workflows, and what its function with returns: the same ones, changed.
const stagesModule = "dr.steps"

func (s *source) givesStages(call *ast.FuncCallExpr, depth int) bool {
	attr, ok := call.Func.(*ast.AttrGetExpr)
	return ok && fieldName(attr) == "with" && s.modulePath(attr.Object, depth+1) == stagesModule
}

// unknownIn finds, in a value that is written out, keys and texts that its type does not have.
func (s *source) unknownIn(t Type, e ast.Expr, subject string) Diagnostics {
	table, isTable := e.(*ast.TableExpr)
	text, isText := e.(*ast.StringExpr)
	var found Diagnostics
	add := func(line int, code, name string, known []string, format string, args ...any) {
		d := s.diagnostic(s.at(line), code, fmt.Sprintf(format, args...))
		d.Subject, d.Hint = subject, DidYouMean(name, known)
		if d.Hint == "" && len(known) > 0 {
			d.Hint = "known are: " + strings.Join(known, ", ")
		}
		found = append(found, d)
	}
	switch {
	case t.kind == kindTable && isTable:
		var known []string
		for _, field := range t.fields {
			known = append(known, field.Name)
		}
		for _, field := range table.Fields {
			key, ok := field.Key.(*ast.StringExpr)
			if !ok {
				continue
			}
			i := slices.Index(known, key.Value)
			if i < 0 {
				add(key.Line(), "unknown-key", key.Value, known, "takes no %q", key.Value)
				continue
			}
			found = append(found, s.unknownIn(t.fields[i].Type, field.Value, subject+": "+key.Value)...)
		}
	case t.kind == kindList && isTable:
		for _, field := range table.Fields {
			if field.Key == nil {
				found = append(found, s.unknownIn(*t.elem, field.Value, subject)...)
			}
		}
	case t.kind == kindEnum && isText && !slices.Contains(t.values, text.Value):
		add(text.Line(), "bad-argument", text.Value, t.values, "there is no %q", text.Value)
	}
	return found
}
