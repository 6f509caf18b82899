package lua

import (
	"fmt"

	"github.com/yuin/gopher-lua/ast"
)

// StepCaptures finds assignments to outer locals inside the functions of ctx:step. A resumed run takes such a step's result
// from the journal and does not call the function, so the assignment would be lost.
func StepCaptures(file string, text []byte) Diagnostics {
	src, _, err := compileSource(file, markOf(0), text)
	if err != nil {
		return nil // the syntax error is reported elsewhere
	}
	return src.stepCaptures()
}

func (s *source) stepCaptures() Diagnostics {
	var found Diagnostics
	for _, calls := range s.calls {
		for _, call := range calls {
			if call.Method != "step" || len(call.Args) == 0 {
				continue
			}
			if fn, ok := call.Args[len(call.Args)-1].(*ast.FunctionExpr); ok {
				scope := &captureScope{src: s, locals: map[string]bool{}}
				scope.parameters(fn)
				scope.block(fn.Stmts)
				found = append(found, scope.found...)
			}
		}
	}
	found.Sort()
	return found
}

// captureScope follows the names that are local to a step's function.
type captureScope struct {
	src    *source
	locals map[string]bool
	found  Diagnostics
}

func (c *captureScope) parameters(fn *ast.FunctionExpr) {
	for _, name := range fn.ParList.Names {
		c.locals[name] = true
	}
}

// block walks statements in a scope of its own.
func (c *captureScope) block(statements []ast.Stmt, names ...string) {
	inner := &captureScope{src: c.src, locals: map[string]bool{}}
	for name := range c.locals {
		inner.locals[name] = true
	}
	for _, name := range names {
		inner.locals[name] = true
	}
	for _, statement := range statements {
		inner.statement(statement)
	}
	c.found = append(c.found, inner.found...)
}

func (c *captureScope) statement(s ast.Stmt) {
	switch n := s.(type) {
	case *ast.LocalAssignStmt:
		c.functions(n.Exprs...)
		for _, name := range n.Names {
			c.locals[name] = true
		}
	case *ast.AssignStmt:
		c.functions(n.Rhs...)
		for _, target := range n.Lhs {
			c.assigned(target)
		}
	case *ast.FuncDefStmt:
		if n.Name.Func != nil {
			c.assigned(n.Name.Func)
		}
		c.functions(n.Func)
	case *ast.FuncCallStmt:
		c.functions(n.Expr)
	case *ast.DoBlockStmt:
		c.block(n.Stmts)
	case *ast.WhileStmt:
		c.functions(n.Condition)
		c.block(n.Stmts)
	case *ast.RepeatStmt:
		c.block(n.Stmts)
	case *ast.IfStmt:
		c.functions(n.Condition)
		c.block(n.Then)
		c.block(n.Else)
	case *ast.NumberForStmt:
		c.block(n.Stmts, n.Name)
	case *ast.GenericForStmt:
		c.functions(n.Exprs...)
		c.block(n.Stmts, n.Names...)
	case *ast.ReturnStmt:
		c.functions(n.Exprs...)
	}
}

// functions walks the function bodies inside expressions.
func (c *captureScope) functions(expressions ...ast.Expr) {
	for _, e := range expressions {
		visitor{onExpr: func(inner ast.Expr) {
			if fn, ok := inner.(*ast.FunctionExpr); ok {
				c.block(fn.Stmts, fn.ParList.Names...)
			}
		}}.expr(e)
	}
}

// assigned reports the assignment of a name, or of a field of a name, that is not local to the step.
func (c *captureScope) assigned(target ast.Expr) {
	root := target
	for {
		attr, ok := root.(*ast.AttrGetExpr)
		if !ok {
			break
		}
		root = attr.Object
	}
	ident, ok := root.(*ast.IdentExpr)
	if !ok || c.locals[ident.Value] {
		return
	}
	d := c.src.diagnostic(c.src.at(target.Line()), "step-captures", fmt.Sprintf("a step assigns to %q, which is declared outside of it: a resumed run would not see the new value", ident.Value))
	d.Subject, d.Hint = "ctx:step", "return the value from the function, and assign the step's result"
	c.found = append(c.found, d)
}
