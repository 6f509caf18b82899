package lua

import (
	"maps"
	"slices"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// Complete returns what can stand at the end of a text: names of variables, fields and methods, named arguments, and inside of quotes the
// texts that are known for an argument. from is where in the text the word begins that they would replace.
func (s *Scope) Complete(t *engine.Task, text string) (from int, words []string) {
	t.WithBaton(func() { from, words = s.complete(t, text) })
	slices.Sort(words)
	return from, slices.Compact(words)
}

func (s *Scope) complete(t *engine.Task, text string) (from int, words []string) {
	c := readCursor(text)
	if c.comment {
		return len(text), nil
	}
	if c.inText {
		return c.begins + 1, beginning(text[c.begins+1:], s.textsAt(t, text, c))
	}
	from = wordStart(text, len(text))
	before := beforeSpace(text, from)
	if before > 0 && (text[before-1] == '.' || text[before-1] == ':') && (before < 2 || text[before-2] != '.') {
		links, _ := chain(text, before-1)
		return from, beginning(text[from:], s.members(s.follow(t, links), text[before-1] == ':'))
	}
	if len(c.open) > 0 && before > 0 && (text[before-1] == '{' || text[before-1] == ',') {
		if fn := s.called(t, text, c.open[len(c.open)-1]); fn != nil && text[c.open[len(c.open)-1]] == '{' {
			var names []string
			for _, p := range fn.Params {
				names = append(names, p.Name+" = ")
			}
			return from, beginning(text[from:], names)
		}
	}
	return from, beginning(text[from:], append(s.names(), slices.Collect(maps.Keys(s.declared))...))
}

func beginning(prefix string, words []string) []string {
	return slices.DeleteFunc(slices.Clone(words), func(word string) bool { return !strings.HasPrefix(word, prefix) })
}

// members are the names behind a dot or a colon. Behind a colon stand methods only.
func (s *Scope) members(at known, colon bool) []string {
	var names []string
	class := at.class
	switch value := at.value.(type) {
	case *glua.LUserData:
		if object, ok := value.Value.(*Object); ok {
			class = object.class
		}
	case *glua.LTable:
		if inner := unfrozen(value); inner != nil {
			value = inner
		}
		for key, _ := value.Next(glua.LNil); key != glua.LNil; key, _ = value.Next(key) {
			if name, ok := key.(glua.LString); ok && Key(string(name)) == string(name) {
				names = append(names, string(name))
			}
		}
		return names
	case glua.LString:
		if library, ok := s.rt.builtins.RawGetString(glua.StringLibName).(*glua.LTable); ok && colon {
			return keysOf(unfrozen(library))
		}
	}
	if class == nil || at.list {
		return nil
	}
	if colon {
		for i := range class.Methods {
			names = append(names, class.Methods[i].Name)
		}
		return names
	}
	for i := range class.Fields {
		names = append(names, class.Fields[i].Name)
	}
	return names
}

// called returns what is declared of the function whose arguments begin with the bracket at a place, nil where it is not known.
func (s *Scope) called(t *engine.Task, text string, bracket int) *Func {
	end := beforeSpace(text, bracket)
	if end > 0 && text[bracket] == '{' && text[end-1] == '(' {
		end = beforeSpace(text, end-1)
	}
	links, _ := chain(text, end)
	return s.follow(t, links).fn
}

// textsAt are the texts that are known for the argument in whose quotes a text ends.
func (s *Scope) textsAt(t *engine.Task, text string, c cursor) []string {
	end := beforeSpace(text, c.begins)
	if links, _ := chain(text, end); len(links) > 0 { // require "…": without brackets
		return s.textsFor(t, links, 0, "")
	}
	if len(c.open) == 0 {
		return nil
	}
	bracket := c.open[len(c.open)-1]
	inside := text[bracket+1 : c.begins]
	links, _ := chain(text, beforeSpace(text, bracket))
	if text[bracket] == '{' && len(links) == 0 && bracket > 0 {
		if outer := beforeSpace(text, bracket); outer > 0 && text[outer-1] == '(' {
			links, _ = chain(text, beforeSpace(text, outer-1))
		}
	}
	key := ""
	if text[bracket] == '{' {
		last := inside[strings.LastIndexByte(inside, ',')+1:]
		name, _, _ := strings.Cut(last, "=")
		key = strings.TrimSpace(name)
	}
	return s.textsFor(t, links, strings.Count(inside, ","), key)
}

// textsFor are the texts of one argument: of a key, else by its place.
func (s *Scope) textsFor(t *engine.Task, links []link, place int, key string) []string {
	if len(links) == 1 && links[0].name == "require" {
		return s.moduleNames()
	}
	fn := s.follow(t, links).fn
	if fn == nil {
		return nil
	}
	for _, p := range fn.Params {
		if key == "" && !p.Positional {
			continue
		}
		if key != "" && p.Name != key || key == "" && place > 0 {
			place--
			continue
		}
		if values := p.Type.enumValues(); len(values) > 0 {
			return values
		}
		if s.Texts != nil {
			return s.Texts(fn.Name, p.Name)
		}
		return nil
	}
	return nil
}

func (s *Scope) moduleNames() []string {
	var names []string
	for i := range s.rt.options.Modules {
		names = append(names, s.rt.options.Modules[i].Name)
	}
	for name := range s.rt.loaded {
		names = append(names, name)
	}
	return names
}

// enumValues are the texts of an enum, also one among other types.
func (t Type) enumValues() []string {
	values := slices.Clone(t.values)
	for _, alternative := range t.alts {
		values = append(values, alternative.enumValues()...)
	}
	return values
}
