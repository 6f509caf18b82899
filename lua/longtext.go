package lua

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/ast"
)

// concatName is a global that no plan can name.
const concatName = "(concat)"

// guardConcats rewrites a .. b .. c as (concat)(a, b, c), for compiling only: gopher-lua joins texts in one instruction, however long, and a
// text that doubles in a loop takes all memory in thirty of them.
func guardConcats(chunk []ast.Stmt) {
	replace := func(slots []*ast.Expr) {
		for _, slot := range slots {
			if joined, is := (*slot).(*ast.StringConcatOpExpr); is {
				*slot = guardedConcat(joined)
			}
		}
	}
	visitor{onExpr: func(e ast.Expr) { replace(slotsOfExpr(e)) }, onStmt: func(s ast.Stmt) { replace(slotsOfStmt(s)) }}.block(chunk)
}

func guardedConcat(joined *ast.StringConcatOpExpr) ast.Expr {
	call := &ast.FuncCallExpr{Func: &ast.IdentExpr{Value: concatName}, AdjustRet: true}
	call.SetLine(joined.Line())
	call.Func.SetLine(joined.Line())
	for rest := ast.Expr(joined); ; {
		pair, is := rest.(*ast.StringConcatOpExpr)
		if !is {
			call.Args = append(call.Args, oneValue(rest))
			return call
		}
		call.Args = append(call.Args, oneValue(pair.Lhs))
		rest = pair.Rhs
	}
}

// oneValue makes an operand give one value: as the last argument of a call it would give all it has.
func oneValue(e ast.Expr) ast.Expr {
	switch n := e.(type) {
	case *ast.FuncCallExpr:
		n.AdjustRet = true
	case *ast.Comma3Expr:
		n.AdjustRet = true
	}
	return e
}

// slotsOfExpr are the places inside of an expression where others stand.
func slotsOfExpr(e ast.Expr) []*ast.Expr {
	switch n := e.(type) {
	case *ast.AttrGetExpr:
		return []*ast.Expr{&n.Object, &n.Key}
	case *ast.TableExpr:
		var slots []*ast.Expr
		for _, field := range n.Fields {
			slots = append(slots, &field.Key, &field.Value)
		}
		return slots
	case *ast.FuncCallExpr:
		return append(each(n.Args), &n.Func, &n.Receiver)
	case *ast.LogicalOpExpr:
		return []*ast.Expr{&n.Lhs, &n.Rhs}
	case *ast.RelationalOpExpr:
		return []*ast.Expr{&n.Lhs, &n.Rhs}
	case *ast.ArithmeticOpExpr:
		return []*ast.Expr{&n.Lhs, &n.Rhs}
	case *ast.UnaryMinusOpExpr:
		return []*ast.Expr{&n.Expr}
	case *ast.UnaryNotOpExpr:
		return []*ast.Expr{&n.Expr}
	case *ast.UnaryLenOpExpr:
		return []*ast.Expr{&n.Expr}
	}
	return nil
}

// slotsOfStmt are the places inside of a statement where expressions stand.
func slotsOfStmt(s ast.Stmt) []*ast.Expr {
	switch n := s.(type) {
	case *ast.AssignStmt:
		return append(each(n.Lhs), each(n.Rhs)...)
	case *ast.LocalAssignStmt:
		return each(n.Exprs)
	case *ast.FuncCallStmt:
		return []*ast.Expr{&n.Expr}
	case *ast.WhileStmt:
		return []*ast.Expr{&n.Condition}
	case *ast.RepeatStmt:
		return []*ast.Expr{&n.Condition}
	case *ast.IfStmt:
		return []*ast.Expr{&n.Condition}
	case *ast.NumberForStmt:
		return []*ast.Expr{&n.Init, &n.Limit, &n.Step}
	case *ast.GenericForStmt:
		return each(n.Exprs)
	case *ast.ReturnStmt:
		return each(n.Exprs)
	}
	return nil
}

func each(exprs []ast.Expr) []*ast.Expr {
	slots := make([]*ast.Expr, len(exprs))
	for i := range exprs {
		slots[i] = &exprs[i]
	}
	return slots
}

// concat is the operator .. of Lua, with a bound.
func (rt *Runtime) concat(L *glua.LState) int {
	right := L.Get(L.GetTop())
	for i := L.GetTop() - 1; i >= 1; {
		left := L.Get(i)
		if glua.LVCanConvToString(left) && glua.LVCanConvToString(right) {
			parts := []string{glua.LVAsString(right)}
			for ; i >= 1 && glua.LVCanConvToString(L.Get(i)); i-- {
				parts = append(parts, glua.LVAsString(L.Get(i)))
			}
			right = glua.LString(rt.joined(L, parts))
			continue
		}
		meta := L.GetMetaField(left, "__concat")
		if meta == glua.LNil {
			meta = L.GetMetaField(right, "__concat")
		}
		if meta == glua.LNil {
			L.RaiseError("cannot perform concat operation between %v and %v", left.Type().String(), right.Type().String())
		}
		L.Push(meta)
		L.Push(left)
		L.Push(right)
		L.Call(2, 1)
		right = L.Get(-1)
		L.Pop(1)
		i--
	}
	L.Push(right)
	return 1
}

// joined joins texts that are given last first.
func (rt *Runtime) joined(L *glua.LState, parts []string) string {
	length := 0
	for _, part := range parts {
		length += len(part)
	}
	rt.mayHold(L, length)
	var b strings.Builder
	b.Grow(length)
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
	}
	return b.String()
}

// mayHold raises where a text would become too long, and counts it.
func (rt *Runtime) mayHold(L *glua.LState, length int) {
	rt.notTooLong(L, length)
	rt.spend(L, length/64, length)
}

// notTooLong raises where a text would become too long.
func (rt *Runtime) notTooLong(L *glua.LState, length int) {
	if length > maxText {
		d := rt.site(L, "").finding(fmt.Sprintf("a text of %d bytes would be made here; %d are the most", length, maxText), "text-too-long")
		d.Hint = "a text probably grows in a loop: keep what is needed only"
		rt.raise(L, d)
	}
}

// counted wraps a function of the string or table library: what its result holds is counted.
func (rt *Runtime) counted(fn *glua.LFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		results := fn.GFunction(L)
		length := 0
		for i := range results {
			if text, isText := L.Get(-1 - i).(glua.LString); isText {
				length += len(text)
			}
		}
		rt.spend(L, length/64, length)
		return results
	}
}

var formatWidths = regexp.MustCompile(`%[-+ #0]*([0-9]*)(?:\.([0-9]*))?`)

// formattedLength is how long what string.format makes can become.
func formattedLength(L *glua.LState) int {
	format, ok := L.Get(1).(glua.LString)
	if !ok {
		return 0
	}
	length := len(format)
	for _, widths := range formatWidths.FindAllStringSubmatch(string(format), -1) {
		for _, width := range widths[1:] {
			if n, err := strconv.Atoi(width); err == nil {
				length += min(n, maxText)
			} else if width != "" {
				length += maxText // too large for a number
			}
		}
		length += 32 // a number without a width
	}
	for i := 2; i <= L.GetTop(); i++ {
		if text, isText := L.Get(i).(glua.LString); isText {
			length += len(text)
		}
	}
	return length
}

// tableConcat is table.concat, with a bound. gopher-lua's own puts all of the list on its stack.
func (rt *Runtime) tableConcat(L *glua.LState) int {
	table, separator := L.CheckTable(1), L.OptString(2, "")
	from, to := L.OptInt(3, 1), L.OptInt(4, table.Len())
	var b strings.Builder
	for i := from; i <= to; i++ {
		value := table.RawGetInt(i)
		if !glua.LVCanConvToString(value) {
			L.RaiseError("invalid value (%s) at index %d in table for concat", value.Type().String(), i)
		}
		if i > from {
			b.WriteString(separator)
		}
		b.WriteString(glua.LVAsString(value))
		rt.notTooLong(L, b.Len())
		rt.spend(L, 1, 0)
	}
	rt.mayHold(L, b.Len())
	L.Push(glua.LString(b.String()))
	return 1
}

// maxResults is how many values a function gives at once, as in Lua 5.1. gopher-lua has no bound, and copies its stack for every 256 of them.
const maxResults = 8000

// unpack is unpack of Lua, with a bound.
func (rt *Runtime) unpack(L *glua.LState) int {
	table, from := L.CheckTable(1), L.OptInt(2, 1)
	to := L.OptInt(3, table.Len())
	count := max(to-from+1, 0)
	if count > maxResults {
		L.RaiseError("too many results to unpack: %d, %d are the most", count, maxResults)
	}
	for i := range count {
		L.Push(table.RawGetInt(from + i))
	}
	return count
}

// stringByte is string.byte, with a bound.
func (rt *Runtime) stringByte(plain *glua.LFunction) glua.LGFunction {
	return func(L *glua.LState) int {
		length := len(L.CheckString(1))
		from := L.OptInt(2, 1)
		to := L.OptInt(3, from)
		if to < 0 {
			to += length + 1
		}
		if from < 0 {
			from += length + 1
		}
		if count := min(to, length) - max(from, 1) + 1; count > maxResults {
			L.RaiseError("too many results of string.byte: %d, %d are the most", count, maxResults)
		}
		return plain.GFunction(L)
	}
}
