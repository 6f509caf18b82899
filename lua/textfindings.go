package lua

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/yuin/gopher-lua/ast"
)

// textFindings is what can be seen in a file without running it, in functions too that only a run calls. known are the names that
// every file has; with is what its calls are compared with.
func (s *source) textFindings(known []string, with reading) Diagnostics {
	found := s.stepCaptures()
	found = append(found, s.globalNames(known)...)
	found = append(found, s.repeatedKeys()...)
	found = append(found, s.parallelItems()...)
	found = append(found, s.unknownOptions(with.Lua)...)
	found = append(found, s.wrongUses(with)...)
	found.Sort()
	return found
}

// globalNames finds names that are no local and no part of drrun: misspelt ones, and variables that nobody declared.
func (s *source) globalNames(known []string) Diagnostics {
	builtin := map[string]bool{}
	for _, name := range known {
		builtin[name] = true
	}
	assigned, reported := map[string]bool{}, map[string]*Diagnostic{}
	for _, use := range s.globals {
		assigned[use.ident.Value] = assigned[use.ident.Value] || use.assigned
	}
	var found Diagnostics
	for _, use := range s.globals {
		name := use.ident.Value
		if !use.assigned && (builtin[name] || assigned[name]) {
			continue // one that is assigned somewhere is a finding there
		}
		pos := s.at(use.ident.Line())
		if first := reported[name]; first != nil {
			again := fmt.Sprintf("and again in line %d", pos.Line)
			if pos.Line != first.Pos.Line && len(first.Notes) < 3 && (len(first.Notes) == 0 || first.Notes[len(first.Notes)-1] != again) {
				first.Notes = append(first.Notes, again)
			}
			continue
		}
		d := s.unknownVariable(pos, name, append(use.locals, known...))
		if use.assigned {
			d = s.diagnostic(pos, "global-variable", fmt.Sprintf("assignment to the global variable %q", name))
			d.Hint = "write: local " + name + " = …"
			if nearest := Nearest(name, use.locals); nearest != "" {
				d.Hint += ", or did you mean the local " + strconv.Quote(nearest) + "?"
			}
		}
		reported[name] = d
		found = append(found, d)
	}
	return found
}

// otherWords are what other languages call it.
var otherWords = map[string]string{
	"null": "nil", "None": "nil", "undefined": "nil", "True": "true", "False": "false", "TRUE": "true", "FALSE": "false", "yes": "true", "no": "false",
}

// noSuchLibrary says what a plan uses instead of the libraries that the sandbox has not.
var noSuchLibrary = map[string]string{
	"io": "a plan reads no files of its own: give it values with --param, or use a module", "os": "a plan reaches no system: give it values with --param",
	"debug": "the interpreter is out of reach of a plan", "coroutine": "tasks of ctx:parallel and ctx:spawn take its place",
}

func (s *source) unknownVariable(pos Pos, name string, known []string) *Diagnostic {
	d := s.diagnostic(pos, "unknown-variable", fmt.Sprintf("no variable %q is known here", name))
	d.Hint = unknownVariableHint(name, known)
	return d
}

func unknownVariableHint(name string, known []string) string {
	switch {
	case otherWords[name] != "":
		return "Lua writes it " + otherWords[name]
	case noSuchLibrary[name] != "":
		return noSuchLibrary[name]
	case name == "dr":
		return `begin the file with: local dr = require "dr"`
	}
	if hint := DidYouMean(name, known); hint != "" {
		return hint
	}
	return "declare it with local, put a text in quotes, or load a module with require"
}

// repeatedKeys finds tables that give one key twice: the first value would be lost without a word.
func (s *source) repeatedKeys() Diagnostics {
	var found Diagnostics
	for table := range s.tables {
		if len(s.tables[table].named) == len(table.Fields)-len(s.tables[table].positional) {
			continue
		}
		first := map[string]ast.Expr{}
		for _, field := range table.Fields {
			key, ok := field.Key.(*ast.StringExpr)
			if !ok {
				continue
			}
			if before := first[key.Value]; before != nil {
				d := s.diagnostic(s.at(key.Line()), "duplicate-key", fmt.Sprintf("the key %q is in this table twice: line %d has it already, and its value is lost", key.Value, s.at(before.Line()).Line))
				d.Hint = "keep one of the two"
				found = append(found, d)
				continue
			}
			first[key.Value] = key
		}
	}
	return found
}

// parallelItems finds lists, written out in a call of ctx:parallel, whose items cannot name their tasks.
func (s *source) parallelItems() Diagnostics {
	var found Diagnostics
	for _, calls := range s.calls {
		for _, call := range calls {
			if call.Method != "parallel" || len(call.Args) < 2 || len(call.Args) > 2 && hasKey(s, call.Args[2]) {
				continue
			}
			list, ok := call.Args[0].(*ast.TableExpr)
			if !ok {
				continue
			}
			found = append(found, s.itemsWithoutKey(list)...)
		}
	}
	return found
}

// hasKey reports whether options give a key, or may: they are not written out.
func hasKey(s *source, options ast.Expr) bool {
	table, ok := options.(*ast.TableExpr)
	return !ok || s.tables[table].named["key"] != nil
}

func (s *source) itemsWithoutKey(list *ast.TableExpr) Diagnostics {
	var found Diagnostics
	taken := map[string]int{}
	for i, field := range list.Fields {
		if field.Key != nil {
			continue
		}
		key, decided := s.itemKeyIn(field.Value)
		pos := s.exprAt(field.Value)
		add := func(format string, args ...any) {
			d := s.diagnostic(pos, "parallel-key", fmt.Sprintf(format, args...))
			d.Subject, d.Hint = "ctx:parallel", "tell them apart with a third argument: { key = function(item) return … end }"
			found = append(found, d)
		}
		switch {
		case !decided:
		case key == "":
			add("item %d has no key: its task is named by an id, a name, or a text", i+1)
		case taken[key] > 0:
			add("items %d and %d have the same key %q", taken[key], i+1, key)
		default:
			taken[key] = i + 1
		}
	}
	return found
}

// itemKeyIn is the key of an item that is written out; decided is false where only a run knows it.
func (s *source) itemKeyIn(item ast.Expr) (key string, decided bool) {
	switch v := item.(type) {
	case *ast.StringExpr:
		return v.Value, true
	case *ast.NumberExpr, *ast.TrueExpr, *ast.FalseExpr, *ast.FunctionExpr:
		return "", true
	case *ast.TableExpr:
		for _, name := range []string{"id", "name"} {
			if field := s.tables[v].named[name]; field != nil {
				text, isText := field.Value.(*ast.StringExpr)
				if !isText {
					return "", false
				}
				return text.Value, true
			}
		}
		return "", true
	}
	return "", false
}

// memberNames are the names of the methods and fields of a class.
func (c *Class) memberNames() []string {
	var names []string
	for i := range c.Methods {
		names = append(names, c.Methods[i].Name)
	}
	for i := range c.Fields {
		names = append(names, c.Fields[i].Name)
	}
	return names
}

// durationWords are how people write units.
var durationWords = map[string]string{
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "s": "s", "min": "m", "mins": "m", "minute": "m", "minutes": "m", "m": "m",
	"h": "h", "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "d": "d", "day": "d", "days": "d", "ms": "ms", "msec": "ms",
}

// durationHint says how a text that was meant as a duration is written.
func durationHint(text string) string {
	if strings.HasPrefix(text, "-") {
		return "a duration is not negative"
	}
	number := strings.TrimLeft(text, " ")
	digits := strings.TrimRight(number[:len(number)-len(strings.TrimLeft(number, "0123456789."))], ".")
	unit := strings.ToLower(strings.Trim(number[len(digits):], " ."))
	switch {
	case digits == "":
	case unit == "":
		return fmt.Sprintf("it has no unit: write \"%ss\" for seconds, \"%sm\" for minutes", digits, digits)
	case durationWords[unit] != "":
		return fmt.Sprintf("write \"%s%s\"", digits, durationWords[unit])
	}
	return ""
}
