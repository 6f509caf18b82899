package lua

import "github.com/yuin/gopher-lua/ast"

// visitor goes through all statements and expressions, outer before inner.
type visitor struct {
	onExpr func(ast.Expr)
	onStmt func(ast.Stmt)
	// These are for scopes; a visitor has all three or none.
	enter   func(line int, names ...string)
	leave   func()
	declare func(*ast.LocalAssignStmt) // behind its expressions, which do not see the new names; before a single function, which does
}

// scope visits a block with names of its own. until is a condition that sees the names of the block.
func (v visitor) scope(line int, until ast.Expr, statements []ast.Stmt, names ...string) {
	if v.enter != nil {
		v.enter(line, names...)
		defer v.leave()
	}
	v.block(statements)
	v.expr(until)
}

func (v visitor) block(statements []ast.Stmt) {
	for _, s := range statements {
		v.statement(s)
	}
}

func (v visitor) statement(s ast.Stmt) {
	if v.onStmt != nil {
		v.onStmt(s)
	}
	switch n := s.(type) {
	case *ast.AssignStmt:
		v.exprs(n.Lhs)
		v.exprs(n.Rhs)
	case *ast.LocalAssignStmt:
		// A function that is the only value sees its own name: gopher-lua compiles local f = function as local function f.
		own := len(n.Names) == 1 && len(n.Exprs) == 1 && isFunction(n.Exprs[0])
		if own && v.declare != nil {
			v.declare(n)
		}
		v.exprs(n.Exprs)
		if !own && v.declare != nil {
			v.declare(n)
		}
	case *ast.FuncCallStmt:
		v.expr(n.Expr)
	case *ast.DoBlockStmt:
		v.scope(n.Line(), nil, n.Stmts)
	case *ast.WhileStmt:
		v.expr(n.Condition)
		v.scope(n.Line(), nil, n.Stmts)
	case *ast.RepeatStmt:
		v.scope(n.Line(), n.Condition, n.Stmts)
	case *ast.IfStmt:
		v.expr(n.Condition)
		v.scope(n.Line(), nil, n.Then)
		v.scope(n.Line(), nil, n.Else)
	case *ast.NumberForStmt:
		v.expr(n.Init)
		v.expr(n.Limit)
		v.expr(n.Step)
		v.scope(n.Line(), nil, n.Stmts, n.Name)
	case *ast.GenericForStmt:
		v.exprs(n.Exprs)
		v.scope(n.Line(), nil, n.Stmts, n.Names...)
	case *ast.FuncDefStmt:
		v.expr(n.Name.Func)
		v.expr(n.Name.Receiver)
		if n.Name.Func == nil {
			v.function(n.Func, "self")
		} else {
			v.function(n.Func)
		}
	case *ast.ReturnStmt:
		v.exprs(n.Exprs)
	}
}

func isFunction(e ast.Expr) bool { _, is := e.(*ast.FunctionExpr); return is }

func (v visitor) function(fn *ast.FunctionExpr, names ...string) {
	if v.onExpr != nil {
		v.onExpr(fn)
	}
	v.scope(fn.Line(), nil, fn.Stmts, append(names, fn.ParList.Names...)...)
}

func (v visitor) exprs(expressions []ast.Expr) {
	for _, e := range expressions {
		v.expr(e)
	}
}

func (v visitor) expr(e ast.Expr) {
	if fn, ok := e.(*ast.FunctionExpr); ok {
		v.function(fn)
		return
	}
	if e != nil && v.onExpr != nil {
		v.onExpr(e)
	}
	switch n := e.(type) {
	case *ast.AttrGetExpr:
		v.expr(n.Object)
		v.expr(n.Key)
	case *ast.TableExpr:
		for _, field := range n.Fields {
			v.expr(field.Key)
			v.expr(field.Value)
		}
	case *ast.FuncCallExpr:
		v.expr(n.Func)
		v.expr(n.Receiver)
		v.exprs(n.Args)
	case *ast.LogicalOpExpr:
		v.expr(n.Lhs)
		v.expr(n.Rhs)
	case *ast.RelationalOpExpr:
		v.expr(n.Lhs)
		v.expr(n.Rhs)
	case *ast.StringConcatOpExpr:
		v.expr(n.Lhs)
		v.expr(n.Rhs)
	case *ast.ArithmeticOpExpr:
		v.expr(n.Lhs)
		v.expr(n.Rhs)
	case *ast.UnaryMinusOpExpr:
		v.expr(n.Expr)
	case *ast.UnaryNotOpExpr:
		v.expr(n.Expr)
	case *ast.UnaryLenOpExpr:
		v.expr(n.Expr)
	}
}

// tableChunk is how many items of a table literal are compiled in one function: gopher-lua searches a function's
// constants one by one, so that a literal of 5,000 VMs in one function takes time by the square. A VM has some five constants: with 64
// of them the search costs less than the parser.
const tableChunk = 64

// joinName is a global that no plan can name.
const joinName = "(join)"

// splitLongTables rewrites long lists { e1, …, en }, and long tables whose keys are all names, as (join)(function() return { e1 … } end,
// …), for compiling only.
func splitLongTables(chunk []ast.Stmt) {
	v := visitor{onExpr: func(e ast.Expr) {
		if table, ok := e.(*ast.TableExpr); ok {
			for _, field := range table.Fields {
				field.Value = splitTable(field.Value)
			}
		}
		if call, ok := e.(*ast.FuncCallExpr); ok {
			for i := range call.Args {
				call.Args[i] = splitTable(call.Args[i])
			}
		}
	}, onStmt: func(s ast.Stmt) {
		switch n := s.(type) {
		case *ast.LocalAssignStmt:
			for i := range n.Exprs {
				n.Exprs[i] = splitTable(n.Exprs[i])
			}
		case *ast.AssignStmt:
			for i := range n.Rhs {
				n.Rhs[i] = splitTable(n.Rhs[i])
			}
		case *ast.ReturnStmt:
			for i := range n.Exprs {
				n.Exprs[i] = splitTable(n.Exprs[i])
			}
		}
	}}
	v.block(chunk)
}

func splitTable(e ast.Expr) ast.Expr {
	table, ok := e.(*ast.TableExpr)
	if !ok || len(table.Fields) <= tableChunk {
		return e
	}
	named := table.Fields[0].Key != nil
	for _, field := range table.Fields {
		if _, name := field.Key.(*ast.StringExpr); name != named || !named && field.Key != nil || usesVarargs(field.Value) {
			return e
		}
	}
	join := &ast.FuncCallExpr{Func: &ast.IdentExpr{Value: joinName}}
	join.SetLine(table.Line())
	join.Func.SetLine(table.Line())
	for start := 0; start < len(table.Fields); start += tableChunk {
		part := &ast.TableExpr{Fields: table.Fields[start:min(start+tableChunk, len(table.Fields))]}
		part.SetLine(part.Fields[0].Value.Line())
		last := part.Fields[len(part.Fields)-1]
		if call, isCall := last.Value.(*ast.FuncCallExpr); isCall && start+tableChunk < len(table.Fields) {
			call.AdjustRet = true // in the middle of the list a call gives one value
		}
		give := &ast.ReturnStmt{Exprs: []ast.Expr{part}}
		give.SetLine(part.Line())
		function := &ast.FunctionExpr{ParList: &ast.ParList{}, Stmts: []ast.Stmt{give}}
		function.SetLine(part.Line())
		function.SetLastLine(last.Value.Line())
		join.Args = append(join.Args, function)
	}
	return join
}

func usesVarargs(e ast.Expr) bool {
	found := false
	visitor{onExpr: func(inner ast.Expr) {
		_, is := inner.(*ast.Comma3Expr)
		found = found || is
	}}.expr(e)
	return found
}
