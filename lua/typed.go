package lua

import (
	"errors"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
	"github.com/yuin/gopher-lua/parse"
)

// What a person types is an expression, or statements. An expression is compiled behind asValue, and the places are moved back.
const asValue = "return "

// compileTyped compiles what was typed: as an expression where it is one, else as statements. Where it is neither, the error is that of
// the reading that got further.
func compileTyped(name, mark, text string, edit func([]ast.Stmt)) (*source, *glua.FunctionProto, error) {
	if rest, short := strings.CutPrefix(text, "="); short { // as Lua's own prompt had it: =x
		text = " " + rest
	}
	src, proto, err := compileEdited(name, mark, []byte(asValue+text), edit)
	src.moveBack(len(asValue))
	if err == nil {
		return src, proto, nil
	}
	asExpression := movedBack(err, len(asValue))
	src, proto, err = compileEdited(name, mark, []byte(text), edit)
	var statements *Diagnostic
	if errors.As(err, &statements) && asExpression != nil && asExpression.Pos.compare(statements.Pos) > 0 {
		return src, nil, asExpression
	}
	return src, proto, err
}

// moveBack takes a prefix of the first line out of the places of a source.
func (s *source) moveBack(width int) {
	s.lines[0] = s.lines[0][min(width, len(s.lines[0])):]
	for i := range s.tokens {
		if t := &s.tokens[i]; t.line == 1 {
			if t.col -= width; t.col < 1 { // the prefix itself
				t.col, t.width = 1, 0
			}
		}
	}
}

// movedBack is moveBack for the error of a text that did not compile.
func movedBack(err error, width int) *Diagnostic {
	var d *Diagnostic
	if !errors.As(err, &d) {
		return nil
	}
	moved := *d
	if moved.Pos.Line == 1 {
		moved.Pos.Col, moved.Pos.EndCol = max(moved.Pos.Col-width, 1), max(moved.Pos.EndCol-width, 1)
		moved.Source = moved.Source[min(width, len(moved.Source)):]
	}
	return &moved
}

// Incomplete tells whether what was typed ends too early: a further line can make it whole.
func Incomplete(text string) bool {
	atEnd := false
	for _, read := range []string{asValue + strings.TrimPrefix(text, "="), text} {
		_, err := parse.Parse(strings.NewReader(read), "typed")
		if err == nil {
			return false
		}
		var refused *parse.Error
		if errors.As(err, &refused) && refused.Message != "unterminated string" && (refused.Pos.Line == parse.EOF || refused.Message == "unterminated multiline string") {
			atEnd = true
		}
	}
	return atEnd
}

// keepLocals makes variables of the scope of the locals at the outermost level, so that what is typed next sees them.
func keepLocals(chunk []ast.Stmt) {
	for i, statement := range chunk {
		local, ok := statement.(*ast.LocalAssignStmt)
		if !ok {
			continue
		}
		kept := &ast.AssignStmt{Rhs: local.Exprs}
		kept.SetLine(local.Line())
		kept.SetLastLine(local.LastLine())
		for _, name := range local.Names {
			ident := &ast.IdentExpr{Value: name}
			ident.SetLine(local.Line())
			ident.SetLastLine(local.Line())
			kept.Lhs = append(kept.Lhs, ident)
		}
		if len(kept.Rhs) == 0 {
			none := &ast.NilExpr{}
			none.SetLine(local.Line())
			kept.Rhs = []ast.Expr{none}
		}
		chunk[i] = kept
	}
}
