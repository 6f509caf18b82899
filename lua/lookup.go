package lua

import (
	"slices"
	"strconv"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// What stands in front of a cursor is followed without running it: variables, fields, methods, and what a declared function says it
// returns. An expression that would have to be run leads nowhere.

// known is what an expression leads to: a value, what is declared of a function, or a class of which there is no object at hand.
type known struct {
	value glua.LValue // nil where there is none
	fn    *Func
	class *Class
	list  bool // of objects of the class
}

func (k known) nothing() bool { return k.value == nil && k.fn == nil && k.class == nil }

// link is one step of an expression such as a.b:c("x")[1].
type link struct {
	name   string // of a variable, field or method
	method bool
	call   bool   // with arguments
	index  bool   // in brackets
	text   string // literal argument or index, "" where it is something else
}

// follow leads along an expression.
func (s *Scope) follow(t *engine.Task, links []link) known {
	var at known
	for i, l := range links {
		switch {
		case i == 0 && l.name == "require" && len(links) > 1 && links[1].call:
			at = known{value: s.module(links[1].text)}
		case i == 1 && links[0].name == "require" && l.call:
		case i == 0:
			at = known{value: s.variable(t, l.name)}
		case l.call:
			at = s.result(at)
		case l.index:
			at = s.element(at, l.text)
		default:
			at = s.member(at, l.name)
		}
		if at.value != nil && at.value == glua.LNil {
			at.value = nil
		}
		if fn, ok := at.value.(*glua.LFunction); ok {
			at.fn = s.rt.declared[fn]
		}
		if at.nothing() {
			return known{}
		}
	}
	return at
}

// variable returns the value of a variable, nil where there is none of that name.
func (s *Scope) variable(t *engine.Task, name string) glua.LValue {
	if value := s.env.RawGetString(name); value != glua.LNil {
		return value
	}
	if value := s.rt.builtins.RawGetString(name); value != glua.LNil && name != joinName {
		return value
	}
	if mk := s.given[name]; mk != nil {
		var value any
		var err error
		t.Release(func() { value, err = mk(t) })
		if err == nil {
			return s.rt.toLua(value)
		}
	}
	return nil
}

// module returns a module that is part of drrun or was loaded before; a file is not loaded for a look.
func (s *Scope) module(name string) glua.LValue {
	if loaded := s.rt.loaded[name]; loaded != nil && loaded.value != nil {
		return loaded.value
	}
	for i := range s.rt.options.Modules {
		if s.rt.options.Modules[i].Name == name {
			return s.rt.moduleTable(&s.rt.options.Modules[i])
		}
	}
	return nil
}

func (s *Scope) member(at known, name string) known {
	class := at.class
	if data, ok := at.value.(*glua.LUserData); ok {
		object, ok := data.Value.(*Object)
		if !ok {
			return known{}
		}
		class = object.class
		for i := range class.Fields {
			if class.Fields[i].Name == name {
				return known{value: s.rt.toLua(class.Fields[i].Get(object.self))}
			}
		}
	}
	if table, ok := at.value.(*glua.LTable); ok {
		if inner := unfrozen(table); inner != nil {
			table = inner
		}
		return known{value: table.RawGetString(name)}
	}
	if class == nil || at.list {
		return known{}
	}
	for i := range class.Methods {
		if class.Methods[i].Name == name {
			return known{fn: &class.Methods[i]}
		}
	}
	for i := range class.Fields {
		if class.Fields[i].Name == name {
			return s.declaredType(class.Fields[i].Type)
		}
	}
	return known{}
}

func (s *Scope) result(at known) known {
	if at.fn == nil {
		return known{}
	}
	return s.declaredType(at.fn.Returns)
}

// declaredType finds the class that a type such as "vm" or "vm[]?" names.
func (s *Scope) declaredType(name string) known {
	name = strings.TrimSuffix(name, "?")
	name, list := strings.CutSuffix(name, "[]")
	for _, class := range s.Classes {
		if class.Name == name {
			return known{class: class, list: list}
		}
	}
	return known{}
}

func (s *Scope) element(at known, index string) known {
	if at.list {
		return known{class: at.class}
	}
	table, ok := at.value.(*glua.LTable)
	if !ok {
		return known{}
	}
	if inner := unfrozen(table); inner != nil {
		table = inner
	}
	if n, err := strconv.Atoi(index); err == nil {
		return known{value: table.RawGetInt(n)}
	}
	if value := table.RawGetString(index); value != glua.LNil {
		return known{value: value}
	}
	return known{value: table.RawGetInt(1)} // vms[i]: they are alike
}

// chain takes the expression apart that ends at a place of a text; start is where it begins.
func chain(text string, end int) (links []link, start int) {
	at := end
	for {
		at = beforeSpace(text, at)
		l, from, ok := lastLink(text, at)
		if !ok {
			return nil, end
		}
		links = append(links, l)
		at = from
		if l.call || l.index {
			continue // what is called or indexed stands in front
		}
		before := beforeSpace(text, at)
		if before > 0 && (text[before-1] == '.' || text[before-1] == ':') && (before < 2 || text[before-2] != '.') {
			links[len(links)-1].method = text[before-1] == ':'
			at = before - 1
			continue
		}
		slices.Reverse(links)
		return links, at
	}
}

func beforeSpace(text string, at int) int { return len(strings.TrimRight(text[:at], " \t\n")) }

// lastLink reads the link that ends at a place.
func lastLink(text string, at int) (l link, from int, ok bool) {
	if at == 0 {
		return link{}, 0, false
	}
	switch last := text[at-1]; last {
	case ')', ']', '}':
		from = opening(text, at-1)
		if from < 0 {
			return link{}, 0, false
		}
		return link{call: last != ']', index: last == ']', text: literal(text[from+1 : at-1])}, from, true
	case '"', '\'':
		from = strings.LastIndexByte(text[:at-1], last)
		if from < 0 {
			return link{}, 0, false
		}
		return link{call: true, text: text[from+1 : at-1]}, from, true
	}
	from = wordStart(text, at)
	return link{name: text[from:at]}, from, from < at && (text[from] < '0' || text[from] > '9')
}

// literal is the text or number that an argument or index consists of.
func literal(text string) string {
	text = strings.TrimSpace(text)
	if len(text) >= 2 && (text[0] == '"' || text[0] == '\'') && text[len(text)-1] == text[0] {
		return text[1 : len(text)-1]
	}
	if _, err := strconv.Atoi(text); err == nil {
		return text
	}
	return ""
}

// opening finds the bracket that the one at a place closes, -1 where there is none.
func opening(text string, at int) int {
	c := readCursor(text[:at])
	if len(c.open) == 0 || c.inText {
		return -1
	}
	return c.open[len(c.open)-1]
}

func wordStart(text string, end int) int {
	for end > 0 {
		c := text[end-1]
		if c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') {
			break
		}
		end--
	}
	return end
}

// cursor is what stands open at the end of a text.
type cursor struct {
	open    []int // places of brackets, outermost first
	inText  bool  // between quotes
	begins  int   // of that text, its quote
	comment bool
}

func readCursor(text string) cursor {
	var c cursor
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case c.comment:
			c.comment = b != '\n'
		case c.inText:
			if b == '\\' {
				i++
			} else if b == text[c.begins] {
				c.inText = false
			}
		case b == '"' || b == '\'':
			c.inText, c.begins = true, i
		case b == '-' && strings.HasPrefix(text[i:], "--"):
			c.comment = true
		case strings.IndexByte("([{", b) >= 0:
			c.open = append(c.open, i)
		case strings.IndexByte(")]}", b) >= 0 && len(c.open) > 0:
			c.open = c.open[:len(c.open)-1]
		}
	}
	return c
}
