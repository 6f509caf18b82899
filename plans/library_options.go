package plans

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"drrun/lua"
)

// option is one declared option of a library.
type option struct {
	kind     string
	of       string            // type of each value of a list or table; "" takes any
	values   []any             // the only values that it takes; none means all of its type
	fields   map[string]option // the options inside of a table; nil takes any
	doc      string
	required bool
	value    any // default
}

// optionTypes are the types that an option can have.
var optionTypes = []string{"string", "number", "integer", "boolean", "duration", "list", "table", "function", "secret", "any"}

// optionDepth bounds how deep tables of options are nested.
const optionDepth = 3

// optionType is how a library declares an option, with so many levels of fields inside.
func optionType(depth int) lua.Type {
	params := []lua.Param{
		{Name: "type", Type: lua.Enum(optionTypes...), Optional: true, Doc: "Type of its value. Default: \"table\" with fields, else \"any\"."},
		{Name: "of", Type: lua.Enum(optionTypes...), Optional: true, Doc: "Type of each value of a list or table. Default: \"any\"."},
		{Name: "values", Type: lua.List(lua.Any), Optional: true, Doc: "The only values that it takes: { \"sync\", \"async\" }. Default: every value of its type."},
		{Name: "doc", Type: lua.String, Optional: true, Doc: "What it is for."},
		{Name: "required", Type: lua.Bool, Optional: true, Doc: "A plan must give it. Default: false."},
		{Name: "default", Type: lua.Any, Optional: true, Doc: "Its value when a plan does not give it."},
	}
	if depth > 0 {
		params = append(params, lua.Param{Name: "fields", Type: lua.Map(optionType(depth - 1)), Optional: true, Doc: "The options inside of a table, declared likewise; their defaults are filled in."})
	}
	return lua.Called(lua.Table(params...), "library_option")
}

// optionProblem is what is wrong with an option that a plan gives.
type optionProblem struct {
	path       []any  // where it stands: "login", "user"; nil where it does not
	atKey      bool   // its name is wrong
	code, hint string // "" for the usual ones
	text       string
}

// schemaReader reads what a library declares of its options, and refuses what is wrong with it.
type schemaReader struct {
	refuse func(path []any, text string)
}

// read makes the schema of declared options, whose place in the declaration is path.
func (r *schemaReader) read(declared map[string]any, path []any) map[string]option {
	schema := map[string]option{}
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		schema[name] = r.option(table(declared[name]), name, inside(path, name))
	}
	return schema
}

func (r *schemaReader) option(m map[string]any, name string, path []any) option {
	o := option{kind: str(m["type"]), of: str(m["of"]), values: list(m["values"]), doc: str(m["doc"]), required: m["required"] == true, value: m["default"]}
	if fields, nested := m["fields"]; nested {
		o.fields = r.read(table(fields), inside(path, "fields"))
		if o.kind == "" {
			o.kind = "table"
		}
	}
	if o.kind == "" {
		o.kind = "any"
	}
	switch {
	case o.fields != nil && o.kind != "table":
		r.refuse(inside(path, "fields"), fmt.Sprintf("option %q has fields, and is of type %s: only a table has them", name, o.kind))
		o.fields = nil
	case o.of != "" && o.kind != "list" && o.kind != "table":
		r.refuse(inside(path, "of"), fmt.Sprintf("option %q says of what its values are, and is of type %s: only a list or a table has them", name, o.kind))
		o.of = ""
	case o.of != "" && o.fields != nil:
		r.refuse(inside(path, "of"), fmt.Sprintf("option %q has fields, and each of them says its own type", name))
		o.of = ""
	}
	for i, value := range o.values {
		if problem := (option{kind: o.kind}).wrong(name, value); problem != "" {
			r.refuse(inside(path, "values", i+1), fmt.Sprintf("value %d of option %q %s", i+1, name, problem))
		}
	}
	if o.value == nil {
		return o
	}
	if o.required {
		r.refuse(inside(path, "default"), fmt.Sprintf("option %q is required, so its default is never taken", name))
	}
	if problem := o.wrong(name, o.value); problem != "" {
		r.refuse(inside(path, "default"), fmt.Sprintf("the default of option %q %s", name, problem))
		o.value = nil
		return o
	}
	if o.fields != nil {
		filled, problems := configure(o.fields, table(o.value), nil)
		for _, problem := range problems {
			r.refuse(inside(inside(path, "default"), problem.path...), fmt.Sprintf("the default of option %q: %s", name, problem.text))
		}
		o.value = filled
	}
	return o
}

func inside(path []any, steps ...any) []any { return slices.Concat(path, steps) }

// configure checks options against a schema and fills in the defaults. Every problem is reported. path is the table in which they stand.
func configure(schema map[string]option, given map[string]any, path []any) (options map[string]any, problems []optionProblem) {
	options = map[string]any{}
	names := slices.Sorted(maps.Keys(schema))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		at := inside(path, name)
		o, ok := schema[name]
		if !ok {
			problem := optionProblem{path: at, atKey: true, text: fmt.Sprintf("there is no option %q", optionName(at)), hint: "it has no options"}
			if len(names) > 0 {
				problem.hint = didYouMean(name, names, "its options: "+strings.Join(names, ", "))
			}
			problems = append(problems, problem)
			continue
		}
		value, found := o.take(name, given[name], at)
		problems = append(problems, found...)
		options[name] = value
	}
	for _, name := range names {
		if _, ok := given[name]; ok {
			continue
		}
		o := schema[name]
		switch at := inside(path, name); {
		case o.required:
			text := fmt.Sprintf("option %q is missing", optionName(at))
			if o.doc != "" {
				text += " (" + o.doc + ")"
			}
			problems = append(problems, optionProblem{path: path, text: text})
		case o.value != nil:
			options[name] = o.value
		case o.fields != nil: // the defaults inside count, and what is required there only where the table is given
			if filled, missing := configure(o.fields, nil, at); len(missing) == 0 {
				options[name] = filled
			}
		}
	}
	return options, problems
}

// optionName is how people name an option inside of others: login.user.
func optionName(path []any) string { return pathText(path) }

// take checks one value that a plan gives.
func (o option) take(name string, value any, at []any) (any, []optionProblem) {
	if problem := o.wrong(optionName(at), value); problem != "" {
		found := optionProblem{path: at, hint: optionHint(name, o.kind), text: fmt.Sprintf("option %q %s", optionName(at), problem)}
		if text, isText := value.(string); isText && len(o.values) > 0 {
			found.hint = didYouMean(text, texts(o.values), "it takes: "+o.valueNames())
		}
		return nil, []optionProblem{found}
	}
	if text, isText := value.(string); isText && text != "" && secretName.MatchString(name) {
		return value, []optionProblem{{path: at, code: "secret-in-clear", text: fmt.Sprintf("option %q looks like a secret, and stands in the plan in clear", optionName(at)),
			hint: fmt.Sprintf("write %s = dr.secret %q and set %s", name, name, SecretVariable(name))}}
	}
	if o.fields != nil {
		return configure(o.fields, table(value), at)
	}
	return value, o.elements(value, at)
}

// elements are the problems of the values inside of a list or table.
func (o option) elements(value any, at []any) (problems []optionProblem) {
	if o.of == "" {
		return nil
	}
	check := func(step, item any) {
		path := inside(at, step)
		if problem := (option{kind: o.of}).wrong(optionName(path), item); problem != "" {
			problems = append(problems, optionProblem{path: path, hint: optionHint("NAME", o.of), text: fmt.Sprintf("option %q %s", optionName(path), problem)})
		}
	}
	for i, item := range list(value) {
		check(i+1, item)
	}
	values := table(value)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		check(key, values[key])
	}
	return problems
}

// wrong says why a value does not fit the option, "" where it does.
func (o option) wrong(name string, value any) string {
	if lua.IsWrong(value) {
		return "" // why it is wrong has been said
	}
	if o.fits(value) {
		if len(o.values) > 0 && !slices.ContainsFunc(o.values, func(allowed any) bool { return reflect.DeepEqual(allowed, value) }) {
			return fmt.Sprintf("must be one of %s, not %s", o.valueNames(), describe(value))
		}
		return ""
	}
	if _, secret := value.(*lua.Secret); secret {
		return fmt.Sprintf("must be of type %s, not a secret", o.kind)
	}
	if o.kind == "secret" {
		return "must be a dr.secret \"NAME\"" // the value may be one in clear: it is not repeated
	}
	if _, isText := value.(string); isText && secretName.MatchString(name[strings.LastIndex(name, ".")+1:]) {
		return fmt.Sprintf("must be of type %s, not a text", o.kind)
	}
	return fmt.Sprintf("must be of type %s, not %s", o.kind, describe(value))
}

// optionHint says how a value of a type is written; "" where that is plain.
func optionHint(name, kind string) string {
	return map[string]string{
		"string": "write it in quotes: \"text\"", "number": "write a number, without quotes", "integer": "write a whole number, without quotes",
		"boolean": "write true or false, without quotes", "duration": "write a number with a unit, like \"90s\" or \"10m\"", "list": "write a list: { a, b }",
		"table": "write a table: { name = value }", "function": "write function(…) … end", "secret": fmt.Sprintf("write dr.secret %q, and set %s", name, SecretVariable(name)),
	}[kind]
}

func (o option) fits(value any) bool {
	ok := true
	switch o.kind {
	case "string":
		_, ok = value.(string)
	case "number":
		_, ok = number(value)
	case "integer":
		n, isNumber := number(value)
		ok = isNumber && n == math.Trunc(n)
	case "boolean":
		_, ok = value.(bool)
	case "duration":
		ok = isDuration(value)
	case "list":
		_, ok = value.([]any)
		if m, empty := value.(map[string]any); empty && len(m) == 0 {
			ok = true
		}
	case "table":
		_, ok = value.(map[string]any)
		if l, empty := value.([]any); empty && len(l) == 0 {
			ok = true
		}
	case "function":
		_, ok = value.(*lua.Function)
	case "secret":
		_, ok = value.(*lua.Secret)
	}
	return ok
}

// valueNames lists the values that the option takes.
func (o option) valueNames() string {
	names := make([]string, len(o.values))
	for i, value := range o.values {
		names[i] = describe(value)
	}
	return strings.Join(names, ", ")
}

func describe(value any) string {
	switch v := value.(type) {
	case string:
		return fmt.Sprintf("%q", v)
	case bool, float64, int, int64:
		return fmt.Sprint(v)
	case []any, map[string]any:
		return "a table"
	case *lua.Function:
		return "a function"
	}
	return "this"
}

// isDuration reports whether a value is a duration as plans write one: a text with a unit, or a number of seconds.
func isDuration(value any) bool {
	if text, ok := value.(string); ok {
		_, err := lua.ParseDuration(text)
		return err == nil
	}
	n, ok := number(value)
	return ok && n >= 0
}
