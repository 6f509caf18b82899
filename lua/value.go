package lua

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	glua "github.com/yuin/gopher-lua"
)

// Value is a value in Lua's hands, to be shown to people. Its methods are called when no task runs.
type Value struct {
	rt *Runtime
	v  glua.LValue
}

// IsNil tells whether the value is nil.
func (v Value) IsNil() bool { return v.v == glua.LNil }

// Plain returns a text as it is; ok is false for every other value.
func (v Value) Plain() (text string, ok bool) {
	plain, ok := v.v.(glua.LString)
	return string(plain), ok
}

// Text writes the value as Lua would, with the entries of tables sorted. An object shows its fields, inside of something else only its name
// and id. No table shows more than limit entries; 0 means no limit.
func (v Value) Text(limit int) string {
	s := shower{rt: v.rt, limit: limit}
	return s.node(v.v, 0).text(0)
}

// JSON returns the value as data for JSON: a function is a text that tells its place, a secret its name in angle brackets.
func (v Value) JSON() any {
	s := shower{rt: v.rt}
	return s.node(v.v, 0).json()
}

// shown is a value taken apart: either text, or a table with entries.
type shown struct {
	words   string // as Lua writes it
	data    any    // of JSON
	title   string // stands before the brace of an object
	entries []entry
	left    int // entries beyond the limit
	table   bool
}

type entry struct {
	key   glua.LValue // nil for the next of a list
	value shown
}

// How many values are shown before no more tables are opened: where each table is cut, for a person, and else.
const (
	maxShownCut = 20_000
	maxShown    = maxValues / 4
)

type shower struct {
	rt     *Runtime
	limit  int
	path   []*glua.LTable // tables around
	values int            // so far: a table that stands in several places is shown at each
}

func word(words string, data any) shown { return shown{words: words, data: data} }

func (s *shower) node(v glua.LValue, depth int) shown {
	s.values++
	switch value := v.(type) {
	case *glua.LNilType:
		return word("nil", nil)
	case glua.LBool:
		return word(value.String(), bool(value))
	case glua.LNumber:
		number := float64(value)
		if math.IsNaN(number) || math.IsInf(number, 0) {
			return word(value.String(), value.String()) // JSON has no number for it
		}
		return word(value.String(), number)
	case glua.LString:
		return word(Quote(string(value)), strings.ToValidUTF8(string(value), "\ufffd"))
	case *glua.LFunction:
		text := "function"
		if pos := s.rt.newFunction(value).Pos(); !pos.IsZero() {
			text += " at " + pos.String()
		}
		return word("<"+text+">", "<"+text+">")
	case *glua.LUserData:
		return s.data(value, depth)
	case *glua.LTable:
		return s.table(value, depth)
	}
	return word("<"+v.Type().String()+">", "<"+v.Type().String()+">")
}

func (s *shower) data(data *glua.LUserData, depth int) shown {
	switch value := data.Value.(type) {
	case *Object:
		return s.object(value, depth)
	case *Secret:
		return word(value.String(), value.String())
	}
	return word("<userdata>", "<userdata>")
}

// object shows what an object is, and where it is the value itself, its fields.
func (s *shower) object(o *Object, depth int) shown {
	title := o.class.Name
	if o.class.String != nil {
		title = o.class.String(o.self)
	}
	fields := map[string]glua.LValue{}
	var names []string
	for i := range o.class.Fields {
		field := &o.class.Fields[i]
		if depth == 0 || field.Name == "id" {
			fields[field.Name] = s.rt.toLua(field.Get(o.self))
			names = append(names, field.Name)
		}
	}
	if depth > 0 {
		text := title
		if id, ok := fields["id"].(glua.LString); ok {
			text += " (" + string(id) + ")"
		}
		return word("<"+text+">", text)
	}
	if len(names) == 0 {
		return word("<"+title+">", title)
	}
	slices.Sort(names)
	out := shown{table: true, title: title}
	for _, name := range names {
		if fields[name] != glua.LNil {
			out.entries = append(out.entries, entry{glua.LString(name), s.node(fields[name], depth+1)})
		}
	}
	return out
}

func (s *shower) table(table *glua.LTable, depth int) shown {
	if s.values > maxShown || s.limit > 0 && s.values > maxShownCut {
		return word("<…>", "…")
	}
	if slices.Contains(s.path, table) {
		return word("<a table around this one>", "<a table around this one>")
	}
	if depth > maxDepth {
		return word("<tables nested deeper than "+strconv.Itoa(maxDepth)+">", "…")
	}
	out := shown{table: true}
	inner := table
	if frozen := unfrozen(table); frozen != nil {
		inner = frozen
	}
	s.path = append(s.path, table)
	defer func() { s.path = s.path[:len(s.path)-1] }()
	length := 0 // of the list: Len may count holes
	for inner.RawGetInt(length+1) != glua.LNil {
		length++
	}
	for i := 1; i <= length; i++ {
		if s.full(&out) {
			out.left++
			continue
		}
		out.entries = append(out.entries, entry{nil, s.node(inner.RawGetInt(i), depth+1)})
	}
	for _, key := range otherKeys(inner, length) {
		if s.full(&out) {
			out.left++
			continue
		}
		out.entries = append(out.entries, entry{key, s.node(inner.RawGet(key), depth+1)})
	}
	return out
}

func (s *shower) full(out *shown) bool { return s.limit > 0 && len(out.entries) >= s.limit }

// unfrozen returns what is read through a frozen table, nil for a table that is none.
func unfrozen(table *glua.LTable) *glua.LTable {
	if meta, ok := table.Metatable.(*glua.LTable); ok {
		inner, _ := meta.RawGetString(frozenInner).(*glua.LTable)
		return inner
	}
	return nil
}

// otherKeys are the keys behind those of a list: numbers, then texts, each sorted, then what else can be a key.
func otherKeys(table *glua.LTable, length int) []glua.LValue {
	var keys []glua.LValue
	for key, _ := table.Next(glua.LNil); key != glua.LNil; key, _ = table.Next(key) {
		if n, ok := key.(glua.LNumber); ok && float64(n) == math.Trunc(float64(n)) && n >= 1 && int(n) <= length {
			continue
		}
		keys = append(keys, key)
	}
	slices.SortStableFunc(keys, func(a, b glua.LValue) int {
		if order := cmp.Compare(kindOrder(a), kindOrder(b)); order != 0 {
			return order
		}
		if n, ok := a.(glua.LNumber); ok {
			return cmp.Compare(n, b.(glua.LNumber))
		}
		return strings.Compare(a.String(), b.String())
	})
	return keys
}

func kindOrder(v glua.LValue) int {
	return slices.Index([]glua.LValueType{glua.LTNumber, glua.LTString}, v.Type()) & 3
}

// lineWidth is how long a table may be that stands in one line.
const lineWidth = 100

func (n shown) text(indent int) string {
	if !n.table {
		return n.words
	}
	title := n.title
	if title != "" {
		title += " "
	}
	if len(n.entries) == 0 && n.left == 0 {
		return title + "{}"
	}
	parts := make([]string, len(n.entries))
	width, inLine := indent+len(title)+4, n.left == 0
	for i, e := range n.entries {
		parts[i] = e.keyText() + e.value.text(indent+2)
		width += utf8.RuneCountInString(parts[i]) + 2
		inLine = inLine && !strings.Contains(parts[i], "\n")
	}
	if inLine && width <= lineWidth {
		return title + "{ " + strings.Join(parts, ", ") + " }"
	}
	margin := strings.Repeat(" ", indent)
	var b strings.Builder
	b.WriteString(title + "{\n")
	for _, line := range n.lines(parts, lineWidth-indent-2) {
		b.WriteString(margin + "  " + line + "\n")
	}
	if n.left > 0 {
		fmt.Fprintf(&b, "%s  -- and %d more\n", margin, n.left)
	}
	b.WriteString(margin + "}")
	return b.String()
}

// lines lays the entries of a table out: those of a list of short values side by side, all others below each other.
func (n shown) lines(parts []string, width int) []string {
	short := true
	for i, e := range n.entries {
		short = short && e.key == nil && !e.value.table && len(parts[i]) <= maxShort
	}
	var lines []string
	for _, part := range parts {
		last := len(lines) - 1
		if short && last >= 0 && len(lines[last])+len(part)+2 <= width {
			lines[last] += " " + part + ","
			continue
		}
		lines = append(lines, part+",")
	}
	return lines
}

// maxShort is how long a value may be that stands beside others in a line.
const maxShort = 24

func (e entry) keyText() string {
	switch key := e.key.(type) {
	case nil:
		return ""
	case glua.LString:
		return Key(string(key)) + " = "
	case glua.LNumber:
		return "[" + key.String() + "] = "
	}
	return "[<" + e.key.Type().String() + ">] = "
}

// json returns a table as a list where it is one, else as an object whose keys are texts.
func (n shown) json() any {
	if !n.table {
		return n.data
	}
	isList := n.title == "" && len(n.entries) > 0
	for _, e := range n.entries {
		isList = isList && e.key == nil
	}
	if isList {
		list := make([]any, len(n.entries))
		for i, e := range n.entries {
			list[i] = e.value.json()
		}
		return list
	}
	object := map[string]any{}
	for i, e := range n.entries {
		key := strconv.Itoa(i + 1)
		if e.key != nil {
			key = e.key.String()
		}
		object[key] = e.value.json()
	}
	return object
}
