package annotations

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// signature is how a function can be called: by place, with what has no place in a table behind, or with one table for all.
type signature struct {
	fn    *lua.Func
	self  string // class whose method it is, "" for a function of a module
	place []parameter
	named string // class of the one table, "" where there is no such call
}

// parameter is one of a call by place.
type parameter struct {
	name, typ, doc string
	optional       bool
}

func (w *writer) signature(fn *lua.Func, owner, self string) signature {
	base := owner + "." + fn.Name
	s := signature{fn: fn, self: self}
	var rest []lua.Param
	byPlaceOnly := fn.ByPlaceOnly()
	for _, p := range fn.Params {
		if !p.Positional {
			rest = append(rest, p)
			continue
		}
		byPlaceOnly = byPlaceOnly || p.Rest
		s.place = append(s.place, parameter{name: p.Name, typ: w.expression(base, p), doc: remarkOf(p), optional: !required(p)})
	}
	switch {
	case len(s.place) == 0 && len(rest) > 0:
		s.place = []parameter{{name: "arguments", typ: w.argumentTable(base+".arguments", base, rest), optional: !slices.ContainsFunc(rest, required)}}
		return s
	case len(rest) > 0:
		s.place = append(s.place, parameter{name: "options", typ: w.argumentTable(base+".options", base, rest), optional: !slices.ContainsFunc(rest, required)})
	}
	if len(s.place) > 0 && !byPlaceOnly && fn.Name != "call" {
		s.named = w.argumentTable(base+".arguments", base, fn.Params)
		w.tables[s.named] = closed(w.tables[s.named], fn.Generic)
	}
	return s
}

// closed is a type, or a class, without what a function leaves open: only the function itself knows those.
func closed(text string, open []string) string {
	for _, name := range open {
		text = regexp.MustCompile(`\b`+name+`\b`).ReplaceAllString(text, "any")
	}
	return text
}

func required(p lua.Param) bool { return !p.Optional && p.Default == nil }

// remarkOf is the text of a parameter with its default, which reads the same in the declaration.
func remarkOf(p lua.Param) string {
	if p.Default == nil {
		return p.Doc
	}
	return strings.TrimSpace(fmt.Sprintf("%s Default: %s.", p.Doc, literal(p.Default)))
}

func literal(value any) string {
	if text, isText := value.(string); isText {
		return fmt.Sprintf("%q", text)
	}
	return fmt.Sprint(value)
}

// expression is the type of a parameter. Tables in it get classes, by the names that they have, else by where they stand.
func (w *writer) expression(base string, p lua.Param) string {
	return p.Type.Annotation(func(table lua.Type) string {
		name := table.Name()
		if name == "" {
			name = base + "." + p.Name
		}
		return w.argumentTable(name, name, table.Fields())
	})
}

// argumentTable declares the class of a table with these keys, and no others.
func (w *writer) argumentTable(name, base string, params []lua.Param) string {
	var b strings.Builder
	fmt.Fprintf(&b, "---@class (exact) %s\n", name)
	for _, p := range params {
		optional := "?"
		if required(p) {
			optional = ""
		}
		fmt.Fprintf(&b, "---@field %s%s %s%s\n", p.Name, optional, w.expression(base, p), remark(remarkOf(p)))
	}
	// An editor says nothing about a key that a class does not have, unless what may stand there is none.
	b.WriteString("---@field [string] unknown_key\n\n")
	w.tables[name] = b.String()
	return name
}

// effects are what is said of a function beside its own text.
var effects = map[lua.Effect]string{
	lua.Changes: "**Changes** the engine: looks first, and does nothing where the goal holds.",
	lua.Durable: "Recorded: a resumed run gets the result, and does not do it again.",
}

// definition declares the function itself; before is what stands before its name.
func (s signature) definition(before string) string {
	var b strings.Builder
	b.WriteString(comment(s.fn.Doc, effects[s.fn.Effect]))
	if len(s.fn.Generic) > 0 {
		fmt.Fprintf(&b, "---@generic %s\n", strings.Join(s.fn.Generic, ", "))
	}
	names := make([]string, len(s.place))
	for i, p := range s.place {
		names[i] = p.name
		optional := ""
		if p.optional {
			optional = "?"
		}
		fmt.Fprintf(&b, "---@param %s%s %s%s\n", p.name, optional, p.typ, remark(p.doc))
	}
	if returns := s.returns(); returns != "" {
		fmt.Fprintf(&b, "---@return %s\n", returns)
	}
	if s.named != "" {
		fmt.Fprintf(&b, "---@overload %s\n", s.byName())
	}
	fmt.Fprintf(&b, "function %s%s(%s) end\n\n", before, s.fn.Name, strings.Join(names, ", "))
	return b.String()
}

// returns is the type of the result, "" for none.
func (s signature) returns() string {
	if s.fn.Returns == "nil" {
		return ""
	}
	return s.fn.Returns
}

// byName is the type of the function as it is called with one table.
func (s signature) byName() string {
	return s.function([]parameter{{name: "arguments", typ: s.named}})
}

// expression is the type of the function as it is called by place. self is the class whose method it is, "" for none.
func (s signature) expression(self string) string {
	s.self = self
	return s.function(s.place)
}

func (s signature) function(params []parameter) string {
	var parts []string
	if s.self != "" {
		parts = append(parts, "self: "+s.self)
	}
	for _, p := range params {
		optional := ""
		if p.optional {
			optional = "?"
		}
		parts = append(parts, p.name+optional+": "+p.typ)
	}
	expression := "fun(" + strings.Join(parts, ", ") + ")"
	if returns := s.returns(); returns != "" {
		expression += ": " + closed(returns, s.fn.Generic)
	}
	return expression
}

// takesHook reports whether the function takes a handler, whose arguments are those of the hook point that is named.
func (s signature) takesHook() bool {
	return slices.ContainsFunc(s.place, func(p parameter) bool { return strings.Contains(p.typ, plans.HookHandler) })
}

// perHook declares the function once for each hook point, as fields of its class.
func (s signature) perHook() string {
	var b strings.Builder
	for _, point := range stdlib.HookPoints {
		one := s
		one.place = slices.Clone(s.place)
		for i, p := range one.place {
			switch p.typ {
			case plans.HookPoint:
				one.place[i].typ = fmt.Sprintf("%q", point.Name)
			case plans.HookHandler:
				one.place[i].typ = "(" + handler(point, "") + ")"
			}
		}
		b.WriteString(comment("`"+point.Name+"`: "+point.Doc, s.fn.Doc))
		fmt.Fprintf(&b, "---@field %s %s\n", s.fn.Name, one.expression(s.self))
	}
	b.WriteString(comment(s.fn.Doc))
	fmt.Fprintf(&b, "---@field %s %s\n", s.fn.Name, s.byName())
	return b.String()
}
