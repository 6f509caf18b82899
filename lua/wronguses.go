package lua

import (
	"fmt"
	"slices"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// wrongUses finds, inside functions, what the objects and modules that it uses do not have or take. A handler runs in the middle of a move:
// what is found here would else end it there. What stands outside of functions runs when the file is loaded, and is found by that.
func (s *source) wrongUses(with reading) Diagnostics {
	if len(with.Types) == 0 {
		return nil
	}
	r := newReader(s, with)
	u := &uses{reader: r, assigned: map[ast.Expr]bool{}, written: map[string]bool{}, tried: map[ast.Expr]bool{}}
	visitor{onStmt: func(statement ast.Stmt) {
		for _, target := range targets(statement) {
			u.assigned[target], u.written[fieldName(target)] = true, true
		}
	}, onExpr: func(e ast.Expr) {
		if call, ok := e.(*ast.FuncCallExpr); ok && len(call.Args) > 0 && (calledName(call) == "pcall" || calledName(call) == "xpcall") {
			u.tried[call.Args[0]] = true
		}
	}}.block(s.chunk)
	functionEnds, triedEnds := 0, 0
	visitor{onExpr: func(e ast.Expr) {
		if fn, ok := e.(*ast.FunctionExpr); ok {
			functionEnds = max(functionEnds, fn.LastLine())
			if u.tried[fn] {
				triedEnds = max(triedEnds, fn.LastLine())
			}
		}
		if e.Line() > functionEnds {
			return
		}
		switch n := e.(type) {
		case *ast.AttrGetExpr:
			u.field(n)
		case *ast.FuncCallExpr:
			u.call(n)
			if n.Line() > triedEnds {
				u.require(n)
			}
		}
	}}.block(s.chunk)
	return u.found
}

type uses struct {
	*reader
	assigned map[ast.Expr]bool // expressions that are assigned to
	written  map[string]bool   // names of fields that are: a table may have them then
	tried    map[ast.Expr]bool // functions whose errors pcall catches
	found    Diagnostics
}

func (u *uses) add(pos Pos, certain bool, code, subject, hint, format string, args ...any) {
	d := u.diagnostic(pos, code, fmt.Sprintf(format, args...))
	d.Subject, d.Hint = subject, hint
	if !certain {
		d.Severity = "warning"
	}
	u.found = append(u.found, d)
}

// field finds the reading of a field that an object or module has not.
func (u *uses) field(attr *ast.AttrGetExpr) {
	key, ok := attr.Key.(*ast.StringExpr)
	if !ok || u.assigned[attr] {
		return
	}
	if module := u.moduleAt(attr.Object); module != nil {
		if names := module.memberNames(); !slices.Contains(names, key.Value) {
			u.add(u.at(key.Line()), true, "unknown-field", "", DidYouMean(key.Value, names), "%s has no %q", module.Name, key.Value)
		}
		return
	}
	class, certain := u.classOf(attr.Object, 0)
	u.member(class, certain, key.Value, u.at(key.Line()))
}

func (u *uses) member(class *Class, certain bool, name string, pos Pos) {
	if class == nil || class.Index != nil || u.records[class] && u.written[name] {
		return
	}
	if names := class.memberNames(); !slices.Contains(names, name) {
		u.add(pos, certain, "unknown-field", "", DidYouMean(name, names), "%s has no %q", class.Name, name)
	}
}

// call finds the call of a method that an object has not, with a dot in place of the colon, or with arguments that it does not take.
func (u *uses) call(call *ast.FuncCallExpr) {
	if call.Method != "" {
		class, certain := u.classOf(call.Receiver, 0)
		u.member(class, certain, call.Method, u.methodAt(call))
	} else if attr, ok := call.Func.(*ast.AttrGetExpr); ok {
		u.dotCall(attr, call)
	}
	if fn, name, certain := u.called(call, 0); fn != nil && fn.native == nil {
		u.arguments(fn, name, certain, call)
	}
}

func (u *uses) dotCall(attr *ast.AttrGetExpr, call *ast.FuncCallExpr) {
	class, certain := u.classOf(attr.Object, 0)
	if class == nil || funcNamed(class.Methods, fieldName(attr)) == nil {
		return
	}
	if len(call.Args) > 0 {
		switch call.Args[0].(type) {
		case *ast.IdentExpr, *ast.AttrGetExpr, *ast.FuncCallExpr, *ast.Comma3Expr:
			return // it can be the object
		}
	}
	name := fieldName(attr)
	u.add(u.at(attr.Key.Line()), certain, "not-a-method-call", class.Name+":"+name, "call it with a colon: "+class.Name+":"+name, "%s is a method of a %s", name, class.Name)
}

// methodAt is the place of a method's name: the tree does not keep it.
func (u *uses) methodAt(call *ast.FuncCallExpr) Pos {
	for line := call.Receiver.Line() + 1; line < len(u.tokenOfLine); line++ {
		if u.between(line, line) == ":" && u.between(line+1, line+1) == call.Method {
			return u.at(line + 1)
		}
	}
	return u.exprAt(call)
}

func (u *uses) calledAt(call *ast.FuncCallExpr) Pos {
	if call.Method != "" {
		return u.methodAt(call)
	}
	if attr, ok := call.Func.(*ast.AttrGetExpr); ok {
		return u.at(attr.Key.Line())
	}
	return u.exprAt(call)
}

// arguments compares the arguments that are written out with the parameters, as checker.arguments does with values.
func (u *uses) arguments(fn *Func, name string, certain bool, call *ast.FuncCallExpr) {
	if len(call.Args) == 0 {
		for _, p := range fn.Params {
			if p.Default == nil && !p.Optional {
				u.add(u.calledAt(call), certain, "missing-argument", name, "", "needs %s, %s", p.Name, describeType(p.Type))
				return
			}
		}
		return
	}
	if table, ok := call.Args[0].(*ast.TableExpr); ok && len(call.Args) == 1 && u.namesArguments(fn.Params, table) {
		u.named(fn.Params, name, certain, table)
		return
	}
	u.byPlace(fn.Params, name, certain, call)
}

// namesArguments tells whether the table that is the only argument holds named arguments.
func (u *uses) namesArguments(params []Param, table *ast.TableExpr) bool {
	index := u.tables[table]
	if slices.ContainsFunc(params, func(p Param) bool { return index.named[p.Name] != nil }) || len(params) > 1 && params[0].Rest {
		return true
	}
	at := slices.IndexFunc(params, func(p Param) bool { return p.Positional })
	return len(index.named) > 0 && len(index.positional) == 0 &&
		(at < 0 || params[at].Type.kind == kindList || !params[at].Rest && params[at].Type.kind != kindObject && !acceptsTable(params[at].Type))
}

// named finds the names that no parameter has.
func (u *uses) named(params []Param, name string, certain bool, table *ast.TableExpr) {
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	for _, field := range table.Fields {
		if field.Key == nil && !(len(params) > 1 && params[0].Rest) {
			u.add(u.exprAt(field.Value), certain, "unknown-argument", name, "name each value: { name = value }", "has a value without a name")
		}
		key, ok := field.Key.(*ast.StringExpr)
		if !ok {
			continue
		}
		if slices.Contains(names, key.Value) {
			continue
		}
		hint := DidYouMean(key.Value, names)
		if hint == "" && len(names) > 0 {
			hint = "known: " + strings.Join(names, ", ")
		}
		u.add(u.at(key.Line()), certain, "unknown-argument", name, hint, "has no argument %q", key.Value)
	}
}

func (u *uses) byPlace(params []Param, name string, certain bool, call *ast.FuncCallExpr) {
	var rest []Param
	places := 0
	for _, p := range params {
		if p.Positional {
			places++
		} else {
			rest = append(rest, p)
		}
	}
	if len(call.Args) <= places {
		return
	}
	extra := call.Args[places]
	if table, ok := extra.(*ast.TableExpr); ok && len(rest) > 0 && len(call.Args) == places+1 {
		u.named(rest, name, certain, table)
		return
	}
	written := ""
	switch value := extra.(type) {
	case *ast.StringExpr:
		written = Quote(value.Value)
	case *ast.NumberExpr:
		written = value.Value
	default:
		return
	}
	hint := ""
	if len(rest) == 1 {
		hint = fmt.Sprintf("write %s { %s = %s }", name, rest[0].Name, written)
	}
	u.add(u.exprAt(extra), certain, "too-many-arguments", name, hint, "takes %d arguments by their place, not %d", places, len(call.Args))
}

// require finds the name of a module that is not there.
func (u *uses) require(call *ast.FuncCallExpr) {
	ident, ok := call.Func.(*ast.IdentExpr)
	if !ok || ident.Value != "require" || u.locals[ident] != nil || len(call.Args) != 1 {
		return
	}
	name, ok := call.Args[0].(*ast.StringExpr)
	if !ok {
		return
	}
	if d := u.missing(name.Value); d != nil {
		d.Pos = u.exprAt(name)
		d.Source = u.line(d.Pos.Line)
		u.found = append(u.found, d)
	}
}
