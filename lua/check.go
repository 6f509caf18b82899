package lua

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	glua "github.com/yuin/gopher-lua"
)

// checker converts the arguments of one call to Go values and collects everything that is wrong with them.
type checker struct {
	rt       *Runtime
	call     *callSite
	subject  string // name of the function
	findings Diagnostics
}

func (k *checker) add(path []any, atKey bool, code, hint, format string, args ...any) {
	pos := k.call.at(path, atKey)
	d := k.call.diagnostic(pos, code, fmt.Sprintf(format, args...))
	d.Subject, d.Hint = k.subject, hint
	k.findings = append(k.findings, d)
}

// pathText renders a path as Lua would: vms[2].rank.
func pathText(path []any) string {
	var b strings.Builder
	for _, step := range path {
		switch v := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", v)
		case string:
			if b.Len() > 0 {
				b.WriteByte('.')
			}
			b.WriteString(v)
		}
	}
	return b.String()
}

func step(path []any, next any) []any { return append(slices.Clip(path), next) }

// arguments checks the arguments of a call against the parameters. One table argument holds named arguments, unless the
// first positional parameter takes a table and the argument cannot be a set of named ones.
func (k *checker) arguments(params []Param, args []glua.LValue) map[string]any {
	if len(args) == 1 {
		table, ok := args[0].(*glua.LTable)
		switch {
		case ok && !k.positionalTable(params, table):
			k.call.named = true
			return k.table(params, table, nil, "argument")
		case ok && len(params) > 1 && params[0].Rest:
			return k.mixed(params, table)
		}
	}
	values := map[string]any{}
	position := 0
	for _, p := range params {
		if !p.Positional {
			k.optional(p, values, nil, "argument")
			continue
		}
		if position >= len(args) || args[position] == glua.LNil {
			position++
			k.optional(p, values, nil, "argument")
			continue
		}
		if value, ok := k.value(p.Type, args[position], []any{p.Name}); ok {
			values[p.Name] = value
		}
		position++
	}
	// Behind the positional ones a table may hold the rest: plan:on("x", fn, { as = "n" }).
	if position == len(args)-1 {
		if table, ok := args[position].(*glua.LTable); ok {
			var rest []Param
			for _, p := range params {
				if !p.Positional {
					rest = append(rest, p)
				}
			}
			if len(rest) > 0 {
				k.call.options = position
				for name, value := range k.table(rest, table, nil, "argument") {
					values[name] = value
				}
				return values
			}
		}
	}
	if extra := len(args) - position; extra > 0 && args[len(args)-1] != glua.LNil {
		k.add(nil, false, "too-many-arguments", namedInstead(params, args[position:]), "takes %d positional and otherwise named arguments, not %d: write { name = value }", position, len(args))
	}
	return values
}

// namedInstead is a hint about an argument that was given by place and has a name: the only one, or the only duration where it is one.
func namedInstead(params []Param, extra []glua.LValue) string {
	given, isText := extra[0].(glua.LString)
	if len(extra) != 1 || !isText {
		return ""
	}
	var named, durations []string
	for _, p := range params {
		if p.Positional {
			continue
		}
		named = append(named, p.Name)
		if p.Type.kind == kindDuration {
			durations = append(durations, p.Name)
		}
	}
	if _, err := ParseDuration(string(given)); err == nil && len(durations) > 0 {
		named = durations
	}
	if len(named) != 1 {
		return ""
	}
	return fmt.Sprintf("write { %s = %s }", named[0], Quote(string(given)))
}

// mixed takes a table whose list is the first parameter, and whose named values are the others: { "a", "b", timeout = "5s" }.
func (k *checker) mixed(params []Param, table *glua.LTable) map[string]any {
	list, named := &glua.LTable{Metatable: glua.LNil}, &glua.LTable{Metatable: glua.LNil}
	for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
		if key.Type() == glua.LTNumber {
			list.RawSet(key, value)
		} else {
			named.RawSet(key, value)
		}
	}
	k.call.mixed = true
	values := k.table(params[1:], named, nil, "argument")
	if value, ok := k.value(params[0].Type, list, []any{params[0].Name}); ok {
		values[params[0].Name] = value
	}
	return values
}

// positionalTable reports whether a single table argument is the first positional parameter itself.
func (k *checker) positionalTable(params []Param, table *glua.LTable) bool {
	i := slices.IndexFunc(params, func(p Param) bool { return p.Positional })
	if i < 0 {
		return false
	}
	if params[i].Rest {
		return true
	}
	if params[i].Type.kind == kindObject && !anyNamed(params, table) {
		return true // plan:use { name = …, hooks = … }: what was meant is the library
	}
	return !anyNamed(params, table) && (table.Len() > 0 || acceptsTable(params[i].Type) || isErrorTable(table))
}

func anyNamed(params []Param, table *glua.LTable) bool {
	return slices.ContainsFunc(params, func(p Param) bool { return table.RawGetString(p.Name) != glua.LNil })
}

func acceptsTable(t Type) bool {
	switch t.kind {
	case kindAny, kindList, kindMap, kindTable:
		return true
	case kindOneOf:
		return slices.ContainsFunc(t.alts, acceptsTable)
	}
	return false
}

func (k *checker) optional(p Param, values map[string]any, path []any, what string) {
	switch {
	case p.Default != nil:
		if value, ok := k.value(p.Type, toLuaSimple(p.Default), step(path, p.Name)); ok {
			values[p.Name] = value
		}
	case !p.Optional:
		where := ""
		if len(path) > 0 {
			where = pathText(path) + " "
		}
		k.add(path, false, "missing-"+what, "", "%sneeds %s, %s", where, p.Name, describeType(p.Type))
	}
}

func toLuaSimple(value any) glua.LValue {
	switch v := value.(type) {
	case string:
		return glua.LString(v)
	case float64:
		return glua.LNumber(v)
	case int:
		return glua.LNumber(v)
	case bool:
		return glua.LBool(v)
	}
	panic(fmt.Sprintf("a default of type %T", value))
}

// table checks a table with fixed keys. what is "argument" for the arguments of a call, "key" inside.
func (k *checker) table(params []Param, table *glua.LTable, path []any, what string) map[string]any {
	values := map[string]any{}
	names := make([]string, len(params))
	for i, p := range params {
		names[i] = p.Name
	}
	where := ""
	if len(path) > 0 {
		where = pathText(path) + " "
	}
	for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
		name, isText := key.(glua.LString)
		if !isText {
			k.add(step(path, keyStep(key)), false, "unknown-"+what, "name each value: { name = value }", "%shas a value without a name, %s", where, describeValue(value))
			continue
		}
		i := slices.Index(names, string(name))
		if i < 0 {
			hint := DidYouMean(string(name), names)
			if hint == "" && len(names) > 0 {
				hint = "known: " + strings.Join(names, ", ")
			}
			k.add(step(path, string(name)), true, "unknown-"+what, hint, "%shas no %s %q", where, what, string(name))
			continue
		}
		if converted, ok := k.value(params[i].Type, value, step(path, string(name))); ok {
			values[string(name)] = converted
		}
	}
	for _, p := range params {
		if table.RawGetString(p.Name) == glua.LNil {
			k.optional(p, values, path, what)
		}
	}
	return values
}

func keyStep(key glua.LValue) any {
	if n, ok := key.(glua.LNumber); ok {
		return int(n)
	}
	return key.String()
}

var durationForm = regexp.MustCompile(`^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$`)

var durationPart = regexp.MustCompile(`[0-9.]+[a-z]+`)

// ParseDuration reads a text such as "90s", "5m", "1h30m" or "2d".
func ParseDuration(text string) (time.Duration, error) {
	if !durationForm.MatchString(text) {
		return 0, fmt.Errorf("not a duration: %q", text)
	}
	total := time.Duration(0)
	for _, part := range durationPart.FindAllString(text, -1) {
		if days, isDays := strings.CutSuffix(part, "d"); isDays {
			n, err := strconv.ParseFloat(days, 64)
			if err != nil || n > 36500 {
				return 0, fmt.Errorf("not a duration: %q", text)
			}
			total += time.Duration(n * float64(24*time.Hour))
			continue
		}
		d, err := time.ParseDuration(part)
		if err != nil {
			return 0, fmt.Errorf("not a duration: %q", text)
		}
		total += d
	}
	return total, nil
}

var sizeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)\s*(B|KiB|MiB|GiB|TiB)$`)

// ParseSize reads a text such as "10GiB" and returns bytes.
func ParseSize(text string) (int64, error) {
	parts := sizeForm.FindStringSubmatch(text)
	if parts == nil {
		return 0, fmt.Errorf("not a size: %q", text)
	}
	n, err := strconv.ParseFloat(parts[1], 64)
	unit := map[string]float64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}[parts[2]]
	if err != nil || n*unit > math.MaxInt64/2 {
		return 0, fmt.Errorf("not a size: %q", text)
	}
	return int64(n * unit), nil
}

// value converts one value, or adds a finding and returns false.
func (k *checker) value(t Type, v glua.LValue, path []any) (any, bool) {
	bad := func() (any, bool) {
		shown := describeValue(v)
		if text, isText := v.(glua.LString); isText && t.kind == kindSecret && text != "" {
			shown = "a text" // most likely the secret itself, in clear
		}
		k.add(path, false, "bad-argument", valueHint(t, v), "%s is not %s: %s", pathText(path), describeType(t), shown)
		return nil, false
	}
	if isWrongValue(v) && t.kind != kindAny {
		return nil, false // why it is wrong has been said
	}
	switch t.kind {
	case kindAny:
		converted, err := k.rt.toGo(v)
		if err != nil {
			k.add(path, false, "bad-argument", "", "%s: %v", pathText(path), err)
			return nil, false
		}
		return converted, true
	case kindString, kindEnum:
		text, ok := v.(glua.LString)
		if !ok {
			return bad()
		}
		if t.kind == kindEnum && !slices.Contains(t.values, string(text)) {
			hint := DidYouMean(string(text), t.values)
			if hint == "" {
				hint = "known: " + strings.Join(t.values, ", ")
			}
			k.add(path, false, "bad-argument", hint, "%s is not %s: %s", pathText(path), describeType(t), describeValue(v))
			return nil, false
		}
		return string(text), true
	case kindNumber:
		n, ok := v.(glua.LNumber)
		if !ok || math.IsNaN(float64(n)) || math.IsInf(float64(n), 0) {
			return bad()
		}
		return float64(n), true
	case kindInteger:
		n, ok := v.(glua.LNumber)
		if !ok || float64(n) != math.Trunc(float64(n)) || math.Abs(float64(n)) > 1<<53 {
			return bad()
		}
		return float64(n), true
	case kindBool:
		b, ok := v.(glua.LBool)
		if !ok {
			return bad()
		}
		return bool(b), true
	case kindDuration:
		switch d := v.(type) {
		case glua.LNumber:
			if float64(d) >= 0 && float64(d) < 1e9 {
				return time.Duration(float64(d) * float64(time.Second)), true
			}
		case glua.LString:
			if parsed, err := ParseDuration(string(d)); err == nil {
				return parsed, true
			}
		}
		return bad()
	case kindSize:
		if text, ok := v.(glua.LString); ok {
			if parsed, err := ParseSize(string(text)); err == nil {
				return parsed, true
			}
		}
		return bad()
	case kindFunction:
		fn, ok := v.(*glua.LFunction)
		if !ok {
			return bad()
		}
		return k.rt.newFunction(fn), true
	case kindSecret:
		if secret, ok := userValue(v).(*Secret); ok {
			return secret, true
		}
		return bad()
	case kindObject:
		if object, ok := userValue(v).(*Object); ok && object.class == t.class {
			return object, true
		}
		return bad()
	case kindList:
		table, ok := v.(*glua.LTable)
		if !ok || isErrorTable(table) {
			return bad()
		}
		return k.list(t, table, path)
	case kindMap:
		table, ok := v.(*glua.LTable)
		if !ok || isErrorTable(table) {
			return bad()
		}
		values := map[string]any{}
		for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
			name, isText := key.(glua.LString)
			if !isText {
				k.add(step(path, keyStep(key)), false, "bad-argument", "", "%s has a value without a name, %s", pathText(path), describeValue(value))
				continue
			}
			if converted, ok := k.value(*t.elem, value, step(path, string(name))); ok {
				values[string(name)] = converted
			}
		}
		return values, true
	case kindTable:
		table, ok := v.(*glua.LTable)
		if !ok || isErrorTable(table) {
			return bad()
		}
		return k.table(t.fields, table, path, "key"), true
	case kindOneOf:
		var tables []Type
		for _, alternative := range t.alts {
			trial := &checker{rt: k.rt, call: k.call, subject: k.subject}
			if converted, ok := trial.value(alternative, v, path); ok && len(trial.findings) == 0 {
				return converted, true
			}
			if _, isTable := v.(*glua.LTable); isTable && acceptsTable(alternative) {
				tables = append(tables, alternative)
			}
		}
		if len(tables) == 1 { // a table can only have been meant as this one: say what is wrong inside
			return k.value(tables[0], v, path)
		}
		return bad()
	}
	panic(fmt.Sprintf("unknown type %d", t.kind))
}

func (k *checker) list(t Type, table *glua.LTable, path []any) (any, bool) {
	length := table.Len()
	values := make([]any, 0, length)
	for i := 1; i <= length; i++ {
		if converted, ok := k.value(*t.elem, table.RawGetInt(i), step(path, i)); ok {
			values = append(values, converted)
		} else {
			values = append(values, nil)
		}
	}
	k.listKeys(table, path)
	return values, true
}

// listKeys finds the keys of a table that are none of a list.
func (k *checker) listKeys(table *glua.LTable, path []any) {
	length := table.Len()
	for key, value := table.Next(glua.LNil); key != glua.LNil; key, value = table.Next(key) {
		if n, isNumber := key.(glua.LNumber); !isNumber || int(n) < 1 || int(n) > length || float64(n) != math.Trunc(float64(n)) {
			k.add(step(path, keyStep(key)), true, "bad-argument", "a list has no names: { a, b }", "%s is a list and has the key %q with %s", pathText(path), key.String(), describeValue(value))
		}
	}
}

// describeType names a type with its article.
func describeType(t Type) string {
	switch t.kind {
	case kindAny:
		return "a value"
	case kindString:
		return "a text"
	case kindNumber:
		return "a number"
	case kindInteger:
		return "an integer"
	case kindBool:
		return "true or false"
	case kindDuration:
		return "a duration"
	case kindSize:
		return "a size"
	case kindFunction:
		return "a function"
	case kindSecret:
		return "a secret"
	case kindList:
		return "a list"
	case kindMap, kindTable:
		return "a table"
	case kindEnum:
		if len(t.values) > 6 {
			return "one of the known names"
		}
		quoted := make([]string, len(t.values))
		for i, value := range t.values {
			quoted[i] = strconv.Quote(value)
		}
		return "one of " + strings.Join(quoted, ", ")
	case kindObject:
		return "a " + t.class.Name
	}
	parts := make([]string, len(t.alts))
	for i, alternative := range t.alts {
		parts[i] = describeType(alternative)
	}
	return strings.Join(parts, " or ")
}

// valueHint says how a value that does not fit is written.
func valueHint(t Type, v glua.LValue) string {
	text, isText := v.(glua.LString)
	switch {
	case t.hint != "":
		return t.hint
	case t.kind == kindOneOf:
		for _, alternative := range t.alts {
			if hint := valueHint(alternative, v); hint != "" && alternative.kind != kindFunction {
				return hint
			}
		}
		return ""
	case t.kind == kindEnum && isText:
		return DidYouMean(string(text), t.values)
	case t.kind == kindDuration && isText:
		return cmp.Or(durationHint(string(text)), typeHint(t))
	case t.kind == kindDuration && v.Type() == glua.LTNumber:
		return "a duration is not negative, and not without end"
	case t.kind == kindBool && isText:
		return cmp.Or(map[string]string{"true": "write true, without quotes", "yes": "write true", "false": "write false, without quotes", "no": "write false"}[string(text)], "write true or false")
	case t.kind == kindList && isText:
		return fmt.Sprintf("write a list: { %q }", string(text))
	case (t.kind == kindInteger || t.kind == kindNumber) && isText && wholeNumber.MatchString(string(text)):
		return "write " + string(text) + ", without quotes"
	}
	return typeHint(t)
}

var wholeNumber = regexp.MustCompile(`^-?[0-9]+$`)

func typeHint(t Type) string {
	switch t.kind {
	case kindDuration:
		return `write a number with a unit, like "90s" or "10m"`
	case kindSize:
		return `write a number with a unit, like "10GiB"`
	case kindSecret:
		return `write dr.secret "name": the value itself never stands in a plan`
	case kindString:
		return `write it in quotes: "text"`
	case kindInteger:
		return "write a whole number, without quotes"
	case kindList:
		return "write a list: { a, b }"
	case kindBool:
		return "write true or false"
	case kindFunction:
		return "write function(…) … end"
	case kindTable, kindMap:
		return "write a table: { name = value }"
	case kindOneOf:
		if t.alts[0].kind == kindSize {
			return typeHint(t.alts[0])
		}
	}
	return ""
}

// describeValue shows a value in a message, never a secret.
func describeValue(v glua.LValue) string {
	switch value := v.(type) {
	case glua.LString:
		text := string(value)
		if len(text) > 60 {
			text = text[:57] + "..."
		}
		return strconv.Quote(text)
	case glua.LNumber:
		return value.String()
	case glua.LBool:
		return value.String()
	case *glua.LFunction:
		return "a function"
	case *glua.LTable:
		return "a table"
	case *glua.LUserData:
		switch inner := value.Value.(type) {
		case *Object:
			return "a " + inner.class.Name
		case *Secret:
			return "a secret"
		}
	}
	return "nil"
}

// String describes the type in words: "a text", "a duration", "a list".
func (t Type) String() string {
	if t.kind == kindList {
		return "a list; each: " + t.elem.String()
	}
	if t.kind == kindEnum { // all of them, where a message names a few
		quoted := make([]string, len(t.values))
		for i, value := range t.values {
			quoted[i] = strconv.Quote(value)
		}
		return "one of " + strings.Join(quoted, ", ")
	}
	return describeType(t)
}

// Fields returns the keys of a table type, or of the tables in a list; nil for other types.
func (t Type) Fields() []Param {
	switch t.kind {
	case kindTable:
		return t.fields
	case kindList, kindMap:
		return t.elem.Fields()
	case kindOneOf:
		for _, alternative := range t.alts {
			if fields := alternative.Fields(); len(fields) > 0 {
				return fields
			}
		}
	}
	return nil
}
