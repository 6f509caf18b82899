package lua

import (
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Record declares a table that primitives return, under the name by which Returns and Field.Type speak of it. Its fields have no Get.
type Record struct {
	Name   string
	Doc    string
	Fields []Field
}

// NewRecord declares a table with fields written as "NAME TYPE | what it is"; a NAME that ends with ? can be missing.
func NewRecord(name, doc string, fields ...string) Record {
	r := Record{Name: name, Doc: doc}
	for _, field := range fields {
		declared, text, ok := strings.Cut(field, " | ")
		name, typ, typed := strings.Cut(declared, " ")
		if !ok || !typed {
			panic(fmt.Sprintf("the field %q of %s", field, r.Name))
		}
		if stem, optional := strings.CutSuffix(name, "?"); optional {
			name, typ = stem, orNil(typ)
		}
		r.Fields = append(r.Fields, Field{Name: name, Type: typ, Doc: text})
	}
	return r
}

// orNil is the type of what can be missing.
func orNil(typ string) string {
	if strings.Contains(typ, "|") {
		return typ + "|nil"
	}
	return typ + "?"
}

// FunctionOf is a function with the signature that editors show and check: "fun(ctx: ctx, vm: vm): boolean".
func FunctionOf(signature string) Type { return Type{kind: kindFunction, called: signature} }

// Called is a type that editors know by a name, or by an expression of their own such as "T[]". Nothing else changes: arguments are
// checked as t says, and references describe t.
func Called(t Type, name string) Type {
	t.called = name
	return t
}

// Name is what Called gave the type, "" where it has none.
func (t Type) Name() string { return t.called }

// Annotation writes the type as editors read it (LuaCATS). class names a table type, which has no expression of its own.
func (t Type) Annotation(class func(Type) string) string {
	if t.called != "" && t.kind != kindTable {
		return inUnion(t.called)
	}
	switch t.kind {
	case kindString:
		return "string"
	case kindSize:
		return "size"
	case kindNumber:
		return "number"
	case kindInteger:
		return "integer"
	case kindBool:
		return "boolean"
	case kindDuration:
		return "duration"
	case kindFunction:
		return "function"
	case kindSecret:
		return "secret"
	case kindList:
		return listOf(t.elem.Annotation(class))
	case kindMap:
		return "table<string, " + t.elem.Annotation(class) + ">"
	case kindTable:
		return class(t)
	case kindEnum:
		return quotedUnion(t.values)
	case kindObject:
		return t.class.Name
	case kindOneOf:
		var parts []string
		for _, alternative := range t.alts {
			if part := alternative.Annotation(class); !slices.Contains(parts, part) {
				parts = append(parts, part)
			}
		}
		return strings.Join(parts, "|")
	}
	return "any"
}

// BaseLibrary are the annotations of what plans have without require.
//
//go:embed base_library.lua
var BaseLibrary string

// inUnion makes a function's signature one member of a union: what follows it would else belong to what it returns.
func inUnion(expression string) string {
	if strings.HasPrefix(expression, "fun(") {
		return "(" + expression + ")"
	}
	return expression
}

func listOf(elem string) string {
	if strings.Contains(elem, "|") {
		elem = "(" + elem + ")"
	}
	return elem + "[]"
}

func quotedUnion(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = strconv.Quote(word)
	}
	return strings.Join(quoted, "|")
}

// TakesTable reports whether a value of the type can be a table, which a call with that one argument could take for its named arguments.
func (t Type) TakesTable() bool { return acceptsTable(t) }

// ByPlaceOnly reports whether the function takes no table of named arguments in the place of all.
func (f *Func) ByPlaceOnly() bool { return f.native != nil }
