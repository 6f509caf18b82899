package lua

import (
	"maps"
	"slices"

	"github.com/yuin/gopher-lua/ast"
)

// local is a local variable or a parameter.
type local struct {
	line    int            // of the copy, where it is declared; parameters: where the function begins
	table   *ast.TableExpr // what it begins as, when that is a table
	value   ast.Expr       // what it begins as; nil where that is not one value of its own
	changed bool           // an assignment gives it another value

	parameter bool // of a function, or a variable of a loop
}

// globalUse is a name that stands for no local.
type globalUse struct {
	ident    *ast.IdentExpr
	assigned bool
	locals   []string // that are known at its place
}

// resolve finds the local behind each name that stands for one, by Lua's scopes, the names that stand for none, and the parameters of
// functions.
func resolve(chunk []ast.Stmt) (map[*ast.IdentExpr]*local, []globalUse, map[*ast.FunctionExpr][]*local) {
	uses := map[*ast.IdentExpr]*local{}
	parameters := map[*ast.FunctionExpr][]*local{}
	var entered *ast.FunctionExpr // whose scope begins next
	var globals []globalUse
	var scopes []map[string]*local // outermost first
	visitor{
		enter: func(line int, names ...string) {
			scope := map[string]*local{}
			for _, name := range names {
				scope[name] = &local{line: line, parameter: true}
			}
			if entered != nil {
				for _, name := range entered.ParList.Names {
					parameters[entered] = append(parameters[entered], scope[name])
				}
				entered = nil
			}
			scopes = append(scopes, scope)
		},
		leave: func() { scopes = scopes[:len(scopes)-1] },
		declare: func(n *ast.LocalAssignStmt) {
			for i, name := range n.Names {
				declared := &local{line: n.Line()}
				if i < len(n.Exprs) {
					declared.table, _ = n.Exprs[i].(*ast.TableExpr)
					declared.value = n.Exprs[i]
				}
				scopes[len(scopes)-1][name] = declared
			}
		},
		onExpr: func(e ast.Expr) {
			entered, _ = e.(*ast.FunctionExpr)
			ident, ok := e.(*ast.IdentExpr)
			for i := len(scopes) - 1; ok && i >= 0; i-- {
				if found := scopes[i][ident.Value]; found != nil {
					uses[ident] = found
					return
				}
			}
			if ok {
				use := globalUse{ident: ident}
				for _, scope := range scopes {
					use.locals = slices.AppendSeq(use.locals, maps.Keys(scope))
				}
				globals = append(globals, use)
			}
		},
	}.scope(0, nil, chunk)
	assigned := map[*ast.IdentExpr]bool{}
	visitor{onStmt: func(s ast.Stmt) {
		for _, target := range targets(s) {
			ident, ok := target.(*ast.IdentExpr)
			if !ok {
				continue
			}
			assigned[ident] = true
			if uses[ident] != nil {
				uses[ident].changed = true
			}
		}
	}}.block(chunk)
	for i := range globals {
		// A field's object is read, not assigned to: targets gives the whole of a.b.
		globals[i].assigned = assigned[globals[i].ident]
		slices.Sort(globals[i].locals)
	}
	return uses, globals, parameters
}

// targets returns what a statement assigns to: names, fields, the object that gets a method.
func targets(s ast.Stmt) []ast.Expr {
	switch n := s.(type) {
	case *ast.AssignStmt:
		return n.Lhs
	case *ast.FuncDefStmt:
		if n.Name.Func == nil {
			return []ast.Expr{n.Name.Receiver}
		}
		return []ast.Expr{n.Name.Func}
	}
	return nil
}
