package annotations

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"drrun/lua"
)

// writer makes files one after the other.
type writer struct {
	files  []File
	tables map[string]string // classes of the tables that the file being made takes as arguments, by name
	known  map[string]string // the same for the files that are made
}

// add ends a file. module is what require finds it by, "" for one that only declares.
func (w *writer) add(name, module, text string) {
	if module == "" {
		module = "_"
	}
	tables := ""
	if w.known == nil {
		w.known = map[string]string{}
	}
	for _, table := range slices.Sorted(maps.Keys(w.tables)) {
		if before, twice := w.known[table]; !twice {
			tables += w.tables[table]
		} else if before != w.tables[table] {
			panic("two tables are called " + table)
		}
	}
	maps.Copy(w.known, w.tables)
	w.tables = map[string]string{}
	w.files = append(w.files, File{Name: name + ".lua", Text: "---@meta " + module + "\n" + generated + "\n" + tables + strings.TrimLeft(text, "\n")})
}

// comment makes the lines that editors show beside a name.
func comment(paragraphs ...string) string {
	var lines []string
	for _, paragraph := range paragraphs {
		if paragraph == "" {
			continue
		}
		if len(lines) > 0 {
			lines = append(lines, "---")
		}
		lines = append(lines, "---"+paragraph)
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}

// remark is what stands behind a type.
func remark(text string) string {
	if text == "" {
		return ""
	}
	return " # " + text
}

// record declares a table that is returned.
func (w *writer) record(r lua.Record) string {
	text := comment(r.Doc) + "---@class (exact) " + r.Name + "\n"
	for _, field := range r.Fields {
		text += fieldLine(field)
	}
	text += "\n"
	if before, twice := w.known[r.Name]; twice {
		if before != text {
			panic("two records are called " + r.Name)
		}
		return ""
	}
	if w.known == nil {
		w.known = map[string]string{}
	}
	w.known[r.Name] = text
	return text
}

func fieldLine(field lua.Field) string {
	return "---@field " + field.Name + " " + alone(field.Type) + remark(field.Doc) + "\n"
}

// alone keeps the remark behind a function's type from being taken for a part of it.
func alone(typ string) string {
	if strings.HasPrefix(typ, "fun(") {
		if stem, optional := strings.CutSuffix(typ, "?"); optional {
			return "(" + stem + ")?"
		}
		return "(" + typ + ")"
	}
	return typ
}

// class declares a class with its methods.
func (w *writer) class(c *lua.Class) string {
	text := comment(c.Doc) + "---@class (exact) " + c.Name + "\n"
	for _, field := range c.Fields {
		text += fieldLine(field)
	}
	if c.Entries != "" {
		text += "---@field [string] " + alone(c.Entries) + "\n"
	}
	local := c.Name[strings.LastIndex(c.Name, ".")+1:]
	var methods string
	for i := range c.Methods {
		method := &c.Methods[i]
		s := w.signature(method, c.Name, c.Name)
		switch {
		case method.Name == "call": // calling the object calls it
			text += "---@overload " + s.expression("") + "\n"
		case s.takesHook():
			text += s.perHook()
		default:
			methods += s.definition(local + ":")
		}
	}
	return text + "local " + local + " = {}\n\n" + methods
}

// module writes what require "NAME" returns.
func (w *writer) module(m lua.Module, classes []*lua.Class) {
	text := ""
	for _, record := range m.Records {
		text += w.record(record)
	}
	for _, class := range classes {
		text += w.class(class)
	}
	for _, sub := range m.Subs {
		text += w.table(sub)
	}
	text += w.table(m)
	for _, sub := range m.Subs {
		local := localName(sub.Name)
		text += fmt.Sprintf("%s%s.%s = %s\n\n", comment(sub.Doc), m.Name, local, local)
	}
	for _, field := range slices.Sorted(maps.Keys(m.Lua)) {
		text += fmt.Sprintf("%s.%s = require %q\n\n", m.Name, field, m.Lua[field])
	}
	for _, field := range slices.Sorted(maps.Keys(m.Fields)) {
		text += fmt.Sprintf("---@type %s\n%s.%s = nil\n\n", m.Fields[field].(*lua.Object).Class().Name, m.Name, field)
	}
	w.add(m.Name, m.Name, text+"return "+m.Name+"\n")
}

func localName(name string) string { return name[strings.LastIndex(name, ".")+1:] }

// table declares the table of a module with its functions.
func (w *writer) table(m lua.Module) string {
	local := localName(m.Name)
	text := comment(m.Doc) + "---@class " + strings.ReplaceAll(m.Name, ".", "_") + "_module\nlocal " + local + " = {}\n\n"
	for i := range m.Funcs {
		text += w.signature(&m.Funcs[i], m.Name, "").definition(local + ".")
	}
	return text
}
