package lua

import "github.com/yuin/gopher-lua/ast"

// local is a local variable or a parameter.
type local struct {
	line    int            // of the copy, where it is declared; parameters: where the function begins
	table   *ast.TableExpr // what it begins as, when that is a table
	changed bool           // an assignment gives it another value
}

// resolve finds the local behind each name that stands for one, by Lua's scopes.
func resolve(chunk []ast.Stmt) map[*ast.IdentExpr]*local {
	uses := map[*ast.IdentExpr]*local{}
	var scopes []map[string]*local // outermost first
	visitor{
		enter: func(line int, names ...string) {
			scope := map[string]*local{}
			for _, name := range names {
				scope[name] = &local{line: line}
			}
			scopes = append(scopes, scope)
		},
		leave: func() { scopes = scopes[:len(scopes)-1] },
		declare: func(n *ast.LocalAssignStmt) {
			for i, name := range n.Names {
				declared := &local{line: n.Line()}
				if i < len(n.Exprs) {
					declared.table, _ = n.Exprs[i].(*ast.TableExpr)
				}
				scopes[len(scopes)-1][name] = declared
			}
		},
		onExpr: func(e ast.Expr) {
			ident, ok := e.(*ast.IdentExpr)
			for i := len(scopes) - 1; ok && i >= 0; i-- {
				if found := scopes[i][ident.Value]; found != nil {
					uses[ident] = found
					return
				}
			}
		},
	}.scope(0, nil, chunk)
	visitor{onStmt: func(s ast.Stmt) {
		for _, target := range targets(s) {
			if ident, ok := target.(*ast.IdentExpr); ok && uses[ident] != nil {
				uses[ident].changed = true
			}
		}
	}}.block(chunk)
	return uses
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
