package plans

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"drrun/lua"
	"drrun/stdlib"
)

// library is what dr.library returns: hooks and a check that can be used by a plan, with options.
type library struct {
	name, version string
	schema        map[string]option
	hooks         map[string]libraryHook
	check         *lua.Function
	options       map[string]any // of a configured one
	configured    bool
	module        string         // that require loads it by; "" for one that is made in the plan itself
	given         map[string]any // the options as they were given
	class         *lua.Class     // libraryClass, which cannot name itself
	origin        *library       // the one that dr.library returned
}

// libraryHook is a handler as a library declares it: a function, or a table with one and the rules that it wants.
type libraryHook struct {
	run     *lua.Function
	timeout time.Duration
	onError string // as of Hook
	onCut   string
}

// libraryHookType is what stands at a hook point in dr.library.
func libraryHookType() lua.Type {
	run := lua.Param{Name: "run", Type: lua.FunctionType, Doc: "function(ctx, subject, options)."}
	return lua.OneOf(lua.FunctionType, lua.Table(append([]lua.Param{run}, HandlerRules()...)...))
}

// readLibraryHook reads what libraryHookType declares.
func readLibraryHook(value any) libraryHook {
	h := libraryHook{timeout: DefaultHookTimeout}
	if run, isFunction := value.(*lua.Function); isFunction {
		h.run = run
		return h
	}
	given := table(value)
	h.run, _ = given["run"].(*lua.Function)
	h.onError, h.onCut = str(given["on_error"]), str(given["on_cut"])
	if timeout, has := given["timeout"].(time.Duration); has {
		h.timeout = timeout
	}
	return h
}

var libraryClass = &lua.Class{
	Name: "library",
	Doc:  "A library of hooks. Call it with its options, and give it to plan:use.",
	Fields: []lua.Field{
		{Name: "name", Type: "string", Doc: "Name of the library.", Get: func(self any) any { return self.(*library).name }},
		{Name: "version", Type: "string", Doc: "Its version.", Get: func(self any) any { return self.(*library).version }},
		{Name: "options", Type: "table<string, any>?", Doc: "Its options, once it was called with them.", Get: func(self any) any { return self.(*library).options }},
	},
	Methods: []lua.Func{{
		Name: "call", Effect: lua.Pure, Returns: "library",
		Doc:    "Gives the library its options: require \"site.netapp\" { vserver = \"svm_dr\" }.",
		Params: []lua.Param{{Name: "options", Type: lua.Map(lua.Any), Positional: true, Doc: "The options, by name."}},
		Run: func(c *lua.Call) (any, error) {
			lib := *c.Self.(*library)
			var problems []optionProblem
			lib.given = c.Table("options")
			lib.options, problems = configure(lib.schema, c.Table("options"), nil)
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
			pos = c.KeyAt(inside([]any{"options"}, problem.path...)...)
		case len(problem.path) > 0:
			pos = c.At(inside([]any{"options"}, problem.path...)...)
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

// LibraryHooks is the type of the handlers that a library has, by hook point.
const LibraryHooks = "library_hooks"

func libraryFunc() lua.Func {
	return lua.Func{
		Name: "library", Effect: lua.Pure, Returns: "library", Lenient: true,
		Doc: "Makes a library of hooks. Its hooks are called as function(ctx, subject, options).",
		Params: []lua.Param{
			{Name: "name", Type: lua.String, Doc: "Name of the library; part of the journal's keys."},
			{Name: "version", Type: lua.String, Optional: true, Doc: "Its version."},
			{Name: "options", Type: lua.Map(optionType(optionDepth)), Optional: true, Doc: "The options that it takes, by name."},
			{Name: "hooks", Type: lua.Called(lua.Map(libraryHookType()), LibraryHooks), Optional: true, Doc: "Handlers by hook point: function(ctx, subject, options), or a table with rules of its own: { run = function(ctx, subject, options), timeout = \"30m\" }."},
			{Name: "check", Type: lua.FunctionOf("fun(ctx: ctx, options: table<string, any>, groups: consistency_group[])"), Optional: true, Doc: "function(ctx, options, groups), called before the first stage of a run, and in a dry run; it may only observe, and raises an error for what is wrong: then nothing is begun. groups are the consistency groups that the library is for, as storage hooks get them."},
		},
		Run: func(c *lua.Call) (any, error) {
			lib := &library{class: libraryClass, name: c.String("name"), module: c.Module(), hooks: map[string]libraryHook{}}
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
			reader := schemaReader{refuse: func(path []any, text string) { refuse(c.At(path...), "bad-argument", "", "%s", text) }}
			lib.schema = reader.read(table(c.Value("options")), []any{"options"})
			hooks := table(c.Value("hooks"))
			points := stdlib.HookPointNames()
			for _, point := range slices.Sorted(maps.Keys(hooks)) {
				if !slices.Contains(points, point) {
					refuse(c.KeyAt("hooks", point), "unknown-hook", didYouMean(point, points, "the hook points are: "+strings.Join(points, ", ")), "there is no hook point %q", point)
					continue
				}
				if h := readLibraryHook(hooks[point]); h.run != nil { // why there is none has been said
					lib.hooks[point] = h
				}
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
