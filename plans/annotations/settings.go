package annotations

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tailscale/hujson"
)

// SettingsFile is where lua-language-server looks for the settings of a folder.
const SettingsFile = ".luarc.json"

// Folder is where the definition files lie, below the folder of the plans.
const Folder = ".drrun/types"

// withoutBuiltin are the libraries of Lua 5.1 that plans do not have, and those that drrun declares itself.
var withoutBuiltin = []string{"basic", "coroutine", "debug", "io", "math", "os", "package", "string", "table"}

// setting is one setting that plans need: a value, entries of a list, or entries of a table.
type setting struct {
	name    string // such as "runtime.version"
	value   hujson.Literal
	list    []string
	entries map[string]string
}

// settings are what plans need. libraries are further folders where require looks.
func settings(libraries []string) []setting {
	path, library := []string{"?.lua", "lib/?.lua"}, []string{Folder}
	for _, folder := range libraries {
		path, library = append(path, strings.TrimRight(folder, "/")+"/?.lua"), append(library, folder)
	}
	builtin := map[string]string{}
	for _, name := range withoutBuiltin {
		builtin[name] = "disable"
	}
	return []setting{
		{name: "$schema", value: hujson.String("https://raw.githubusercontent.com/LuaLS/vscode-lua/master/setting/schema.json")},
		{name: "runtime.version", value: hujson.String("Lua 5.1")},
		{name: "runtime.path", list: path},
		{name: "runtime.builtin", entries: builtin},
		{name: "workspace.library", list: library},
		{name: "workspace.checkThirdParty", value: hujson.Bool(false)},
	}
}

// SettingsError says why settings cannot be added to.
type SettingsError struct{ Reason string }

// Error is the reason.
func (e *SettingsError) Error() string { return e.Reason }

// Settings adds what plans need to the settings of a folder, which may be empty, and keeps all others, their comments and their order. The
// values that it replaces are returned in words.
func Settings(before []byte, libraries []string) (after []byte, replaced []string, err error) {
	if len(strings.TrimSpace(string(before))) == 0 {
		before = []byte("{\n}\n")
	}
	root, err := hujson.Parse(before)
	if err != nil {
		return nil, nil, &SettingsError{"it is not JSON: " + strings.TrimPrefix(err.Error(), "hujson: ")}
	}
	object, isObject := root.Value.(*hujson.Object)
	if !isObject {
		return nil, nil, &SettingsError{"it is JSON, but no object with settings: { … }"}
	}
	for _, s := range settings(libraries) {
		words, err := s.addTo(object)
		if err != nil {
			return nil, nil, err
		}
		if words != "" {
			replaced = append(replaced, words)
		}
	}
	return root.Pack(), replaced, nil
}

// addTo gives an object the setting. words say what was there before, where that was something else.
func (s setting) addTo(object *hujson.Object) (words string, err error) {
	there := find(object, s.name)
	if there == nil {
		indent := indentOf(object.Members)
		appendMember(object, s.name, s.fresh(indent), indent)
		return "", nil
	}
	wrong := func(want string) error {
		return &SettingsError{fmt.Sprintf("its setting %s is not %s", s.name, want)}
	}
	switch {
	case s.list != nil:
		list, isList := there.Value.(*hujson.Array)
		if !isList {
			return "", wrong("a list")
		}
		for _, entry := range s.list {
			if !slices.ContainsFunc(list.Elements, func(v hujson.Value) bool { return isText(v, entry) }) {
				appendElement(list, entry)
			}
		}
	case s.entries != nil:
		table, isTable := there.Value.(*hujson.Object)
		if !isTable {
			return "", wrong("an object")
		}
		for _, name := range withoutBuiltin {
			value := hujson.String(s.entries[name])
			if at := memberAt(table, name); at >= 0 {
				table.Members[at].Value.Value = value
			} else {
				appendMember(table, name, value, indentOf(table.Members))
			}
		}
	default:
		before, isLiteral := there.Value.(hujson.Literal)
		if !isLiteral {
			return "", wrong("a single value")
		}
		if string(before) != string(s.value) {
			there.Value = s.value
			if s.name != "$schema" {
				words = fmt.Sprintf("%s was %s and is %s now", s.name, before, s.value)
			}
		}
	}
	return words, nil
}

// fresh is the setting where there was none. indent is that of its name.
func (s setting) fresh(indent string) hujson.ValueTrimmed {
	switch {
	case s.list != nil:
		list := &hujson.Array{}
		for _, entry := range s.list {
			appendElement(list, entry)
		}
		return list
	case s.entries != nil:
		table := &hujson.Object{AfterExtra: hujson.Extra(indent)}
		for _, name := range withoutBuiltin {
			appendMember(table, name, hujson.String(s.entries[name]), indent+strings.TrimPrefix(indent, "\n"))
		}
		return table
	}
	return s.value
}

// find finds a setting as editors write it: "runtime.version", "Lua.runtime.version", or one object in another. Nil is none.
func find(object *hujson.Object, name string) *hujson.Value {
	for _, full := range []string{name, "Lua." + name} {
		if at := memberAt(object, full); at >= 0 {
			return &object.Members[at].Value
		}
		for dot, letter := range full {
			if letter != '.' {
				continue
			}
			if at := memberAt(object, full[:dot]); at >= 0 {
				if inner, isObject := object.Members[at].Value.Value.(*hujson.Object); isObject {
					if found := find(inner, full[dot+1:]); found != nil {
						return found
					}
				}
			}
		}
	}
	return nil
}

func memberAt(object *hujson.Object, name string) int {
	return slices.IndexFunc(object.Members, func(m hujson.ObjectMember) bool { return isText(m.Name, name) })
}

func isText(v hujson.Value, text string) bool {
	literal, ok := v.Value.(hujson.Literal)
	return ok && literal.Kind() == '"' && literal.String() == text
}

// appendMember adds a member at the end, on a line of its own.
func appendMember(object *hujson.Object, name string, value hujson.ValueTrimmed, indent string) {
	added := hujson.ObjectMember{
		Name:  hujson.Value{BeforeExtra: leading(&object.AfterExtra, indent), Value: hujson.String(name)},
		Value: hujson.Value{BeforeExtra: hujson.Extra(" "), Value: value},
	}
	if n := len(object.Members); n > 0 {
		keepComma(&object.Members[n-1].Value, &added.Value)
	}
	object.Members = append(object.Members, added)
}

// appendElement adds a text at the end, in the way in which the others stand.
func appendElement(list *hujson.Array, text string) {
	n, indent := len(list.Elements), ""
	if n > 0 {
		indent = " "
		if lead := string(list.Elements[n-1].BeforeExtra); strings.Contains(lead, "\n") {
			indent = lead[strings.LastIndex(lead, "\n"):]
		}
	}
	added := hujson.Value{BeforeExtra: leading(&list.AfterExtra, indent), Value: hujson.String(text)}
	if n > 0 {
		keepComma(&list.Elements[n-1], &added)
	}
	list.Elements = append(list.Elements, added)
}

// leading is what stands before something new at the end: the indent, after a comment on what was the last one.
func leading(after *hujson.Extra, indent string) hujson.Extra {
	text := string(*after)
	if strings.TrimSpace(text) == "" {
		return hujson.Extra(indent)
	}
	comment, rest := text, ""
	if at := strings.LastIndex(text, "\n"); at >= 0 {
		comment, rest = text[:at], text[at:]
	}
	*after = hujson.Extra(rest)
	if !strings.HasPrefix(indent, "\n") {
		indent = "\n" + indent
	}
	return hujson.Extra(comment + indent)
}

// keepComma gives the new last value the trailing comma of the one before.
func keepComma(before, last *hujson.Value) {
	last.AfterExtra, before.AfterExtra = before.AfterExtra, nil
}

// indentOf is the line break and the indent of the members that there are.
func indentOf(members []hujson.ObjectMember) string {
	if len(members) > 0 {
		lead := string(members[0].Name.BeforeExtra)
		if at := strings.LastIndex(lead, "\n"); at >= 0 {
			return lead[at:]
		}
	}
	return "\n  "
}
