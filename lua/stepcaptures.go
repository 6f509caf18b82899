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
			fn, ok := call.Args[len(call.Args)-1].(*ast.FunctionExpr)
			if !ok {
				continue
			}
			visitor{onStmt: func(statement ast.Stmt) {
				for _, target := range targets(statement) {
					if name, outside := s.declaredOutside(fn, target); outside {
						d := s.diagnostic(s.at(target.Line()), "step-captures", fmt.Sprintf("a step assigns to %q, which is declared outside of it: a resumed run would not see the new value", name))
						d.Subject, d.Hint = "ctx:step", "return the value from the function, and assign the step's result"
						found = append(found, d)
					}
				}
			}}.block(fn.Stmts)
		}
	}
	found.Sort()
	return found
}

// declaredOutside reports whether what is assigned to, a name or a field of it, is not local to a function.
func (s *source) declaredOutside(fn *ast.FunctionExpr, target ast.Expr) (name string, outside bool) {
	for {
		attr, ok := target.(*ast.AttrGetExpr)
		if !ok {
			break
		}
		target = attr.Object
	}
	ident, ok := target.(*ast.IdentExpr)
	if !ok {
		return "", false
	}
	known := s.locals[ident]
	return ident.Value, known == nil || known.line < fn.Line() || known.line > fn.LastLine()
}
