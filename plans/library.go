package plans

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/stdlib"
)

// library is what dr.library returns: hooks and a check that can be used by a plan, with options.
type library struct {
	name, version string
	schema        map[string]option
	hooks         map[string]*lua.Function
	check         *lua.Function
	options       map[string]any // of a configured one
	configured    bool
	class         *lua.Class // libraryClass, which cannot name itself
	origin        *library   // the one that dr.library returned
}

// option is one declared option of a library.
type option struct {
	kind     string
	doc      string
	required bool
	value    any // default
}

// optionProblem is what is wrong with an option that a plan gives.
type optionProblem struct {
	option     string // where it stands; "" where it does not
	atKey      bool   // its name is wrong
	code, hint string // "" for the usual ones
	text       string
}

// optionTypes are the types that an option can have.
var optionTypes = []string{"string", "number", "integer", "boolean", "duration", "list", "table", "function", "secret", "any"}

var libraryClass = &lua.Class{
	Name: "library",
	Doc:  "A library of hooks. Call it with its options, and give it to plan:use.",
	Fields: []lua.Field{
		{Name: "name", Type: "string", Doc: "Name of the library.", Get: func(self any) any { return self.(*library).name }},
		{Name: "version", Type: "string", Doc: "Its version.", Get: func(self any) any { return self.(*library).version }},
		{Name: "options", Type: "table", Doc: "Its options, once it was called with them.", Get: func(self any) any { return self.(*library).options }},
	},
	Methods: []lua.Func{{
		Name: "call", Effect: lua.Pure, Returns: "library",
		Doc:    "Gives the library its options: require \"site.netapp\" { vserver = \"svm_dr\" }.",
		Params: []lua.Param{{Name: "options", Type: lua.Map(lua.Any), Positional: true, Doc: "The options, by name."}},
		Run: func(c *lua.Call) (any, error) {
			lib := *c.Self.(*library)
			var problems []optionProblem
			lib.options, problems = lib.configure(c.Table("options"))
			lib.configured = true
			if l, ok := c.Task.Local(loadingKey{}).(*loading); ok {
				if _, unused := l.unused[lib.origin]; unused {
					l.unused[lib.origin] = c.At() // nearer to what the plan's author wrote
				}
			}
			if err := report(c, lib.optionsFindings(c, problems)); err != nil {
				return nil, err
			}
			return lua.NewObject(lib.class, &lib), nil
		},
	}},
	String: func(self any) string { return "library " + self.(*library).name },
}

// optionsFindings are the findings about the options that a plan gives to a library.
func (lib *library) optionsFindings(c *lua.Call, problems []optionProblem) lua.Diagnostics {
	var found lua.Diagnostics
	for _, problem := range problems {
		pos := c.At()
		switch {
		case problem.atKey:
			pos = c.KeyAt("options", problem.option)
		case problem.option != "":
			pos = c.At("options", problem.option)
		}
		d := c.ErrorAt(pos, cmp.Or(problem.code, "library-options"), "%s", problem.text)
		d.Subject = fmt.Sprintf("library %q", lib.name)
		d.Hint = problem.hint
		if names := slices.Sorted(maps.Keys(lib.schema)); len(names) > 0 && d.Hint == "" {
			d.Hint = "its options: " + strings.Join(names, ", ")
		}
		found = append(found, d)
	}
	return found
}

func libraryFunc() lua.Func {
	optionType := lua.Table(
		lua.Param{Name: "type", Type: lua.Enum(optionTypes...), Optional: true, Doc: "Type of its value. Default: \"any\"."},
		lua.Param{Name: "doc", Type: lua.String, Optional: true, Doc: "What it is for."},
		lua.Param{Name: "required", Type: lua.Bool, Optional: true, Doc: "A plan must give it. Default: false."},
		lua.Param{Name: "default", Type: lua.Any, Optional: true, Doc: "Its value when a plan does not give it."},
	)
	return lua.Func{
		Name: "library", Effect: lua.Pure, Returns: "library", Lenient: true,
		Doc: "Makes a library of hooks. Its hooks are called as function(ctx, subject, options).",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Doc: "Name of the library; part of the journal's keys."},
			{Name: "version", Type: lua.String, Optional: true, Doc: "Its version."},
			{Name: "options", Type: lua.Map(optionType), Optional: true, Doc: "The options that it takes, by name."},
			{Name: "hooks", Type: lua.Map(lua.FunctionType), Optional: true, Doc: "Handlers by hook point: function(ctx, subject, options)."},
			{Name: "check", Type: lua.FunctionType, Optional: true, Doc: "function(ctx, options), called before the first stage of a run, and in a dry run; it may only observe, and raises an error for what is wrong: then nothing is begun."},
		},
		Run: func(c *lua.Call) (any, error) {
			lib := &library{class: libraryClass, name: c.String("name"), schema: map[string]option{}, hooks: map[string]*lua.Function{}}
			if c.Has("version") {
				lib.version = c.String("version")
			}
			problems := c.Findings()
			refuse := func(pos lua.Pos, code, hint, format string, args ...any) {
				problems = append(problems, &lua.Diagnostic{Pos: pos, Severity: SeverityError, Subject: "dr.library", Code: code, Hint: hint, Message: fmt.Sprintf(format, args...)})
			}
			if c.Has("name") && strings.TrimSpace(lib.name) == "" {
				refuse(c.At("name"), "bad-argument", "give it a name", "the name of the library is empty")
			}
			declared := table(c.Value("options"))
			for _, name := range slices.Sorted(maps.Keys(declared)) {
				m := table(declared[name])
				o := option{kind: str(m["type"]), doc: str(m["doc"]), required: m["required"] == true, value: m["default"]}
				if o.kind == "" {
					o.kind = "any"
				}
				if o.value != nil {
					if problem := o.wrong(o.value); problem != "" {
						refuse(c.At("options", name, "default"), "bad-argument", "", "the default of option %q %s", name, problem)
					}
				}
				lib.schema[name] = o
			}
			hooks := table(c.Value("hooks"))
			points := stdlib.HookPointNames()
			for _, point := range slices.Sorted(maps.Keys(hooks)) {
				if !slices.Contains(points, point) {
					refuse(c.KeyAt("hooks", point), "unknown-hook", didYouMean(point, points, "the hook points are: "+strings.Join(points, ", ")), "there is no hook point %q", point)
					continue
				}
				lib.hooks[point], _ = hooks[point].(*lua.Function)
			}
			if c.Has("check") {
				lib.check = c.Func("check")
			}
			if err := report(c, problems); err != nil {
				return nil, err
			}
			lib.origin = lib
			if l, ok := c.Task.Local(loadingKey{}).(*loading); ok {
				l.unused[lib] = c.At()
			}
			return lua.NewObject(libraryClass, lib), nil
		},
	}
}

// configure checks options against the schema and fills in the defaults. Every problem is reported.
func (lib *library) configure(given map[string]any) (options map[string]any, problems []optionProblem) {
	options = map[string]any{}
	names := slices.Sorted(maps.Keys(lib.schema))
	for _, name := range slices.Sorted(maps.Keys(given)) {
		o, ok := lib.schema[name]
		if !ok {
			problem := optionProblem{option: name, atKey: true, text: fmt.Sprintf("there is no option %q", name), hint: "it has no options"}
			if len(names) > 0 {
				problem.hint = didYouMean(name, names, "")
			}
			problems = append(problems, problem)
			continue
		}
		if problem := o.wrong(given[name]); problem != "" {
			problems = append(problems, optionProblem{option: name, text: fmt.Sprintf("option %q %s", name, problem)})
			continue
		}
		if text, isText := given[name].(string); isText && text != "" && secretName.MatchString(name) {
			problems = append(problems, optionProblem{option: name, code: "secret-in-clear", text: fmt.Sprintf("option %q looks like a secret, and stands in the plan in clear", name),
				hint: fmt.Sprintf("write %s = dr.secret %q and set %s", name, name, SecretVariable(name))})
		}
		options[name] = given[name]
	}
	for _, name := range names {
		if _, ok := given[name]; ok {
			continue
		}
		switch o := lib.schema[name]; {
		case o.required:
			text := fmt.Sprintf("option %q is missing", name)
			if o.doc != "" {
				text += " (" + o.doc + ")"
			}
			problems = append(problems, optionProblem{text: text})
		case o.value != nil:
			options[name] = o.value
		}
	}
	return options, problems
}

// wrong says why a value does not fit the option, "" where it does.
func (o option) wrong(value any) string {
	if lua.IsWrong(value) {
		return "" // why it is wrong has been said
	}
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
	if ok {
		return ""
	}
	if _, secret := value.(*lua.Secret); secret {
		return fmt.Sprintf("must be of type %s, not a secret", o.kind)
	}
	if o.kind == "secret" {
		return "must be a dr.secret \"NAME\"" // the value may be one in clear: it is not repeated
	}
	return fmt.Sprintf("must be of type %s, not %s", o.kind, describe(value))
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
