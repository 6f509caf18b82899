package lua

import (
	"fmt"
	"strings"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

// ParallelError lists the failures of a parallel call, in item order.
type ParallelError struct {
	Keys   []string
	Errors []error
	Items  int
}

// Error lists every failure.
func (e *ParallelError) Error() string {
	if len(e.Errors) == 1 {
		return e.Errors[0].Error()
	}
	lines := make([]string, len(e.Errors))
	for i, err := range e.Errors {
		lines[i] = fmt.Sprintf("%s: %v", e.Keys[i], err)
	}
	return fmt.Sprintf("%d of %d parallel items failed: %s", len(e.Errors), e.Items, strings.Join(lines, "; "))
}

// Unwrap returns the failures.
func (e *ParallelError) Unwrap() []error { return e.Errors }

// Code is that of the first failure.
func (e *ParallelError) Code() string { return diagnosticOf(e.Errors[0]).Code }

// ParallelFunc declares ctx:parallel(items, fn, { limit =, key =, stop_on_error = }): fn(item) runs for all items at once, each in a
// task of its own. It waits for all, also when one fails, and returns the results in item order or raises one error that lists
// all failures. The key of a task is key(item), item.id, item.name or the text itself; keys must differ.
func ParallelFunc() Func {
	return Func{
		Name: "parallel", Generic: []string{"T", "R"}, Returns: "R[]", Effect: Pure, native: parallel,
		Doc: "Calls fn(item) for all items at once and returns the results in item order. Waits for all, also when one fails; then raises one error that lists all failures.",
		Params: []Param{
			{Name: "items", Type: Called(List(Any), "T[]"), Positional: true, Doc: "The items."},
			{Name: "fn", Type: FunctionOf("fun(item: T): R?"), Positional: true, Doc: "Called with each item."},
			{Name: "limit", Type: Integer, Optional: true, Doc: "At most so many at a time. Default: no limit."},
			{Name: "key", Type: OneOf(String, FunctionOf("fun(item: any): string")), Optional: true, Doc: "Field of the item, or function of it, that names its task. Default: item.id, item.name or the text itself."},
			{Name: "stop_on_error", Type: Bool, Optional: true, Doc: "Start nothing new after a failure. Default: false."},
		},
	}
}

// SpawnFunc declares ctx:spawn(fn, name): fn runs in a task of its own, beside the caller. The workflow ends only after it; its error is the workflow's.
func SpawnFunc() Func {
	return Func{
		Name: "spawn", Effect: Pure, native: spawn,
		Doc: "Runs fn beside the caller. The workflow ends only after it, and its error is the workflow's.",
		Params: []Param{
			{Name: "fn", Type: FunctionOf("fun()"), Positional: true, Doc: "The function."},
			{Name: "name", Type: String, Positional: true, Optional: true, Doc: "Name of the task. Default: the place of the function."},
		},
	}
}

func parallel(rt *Runtime, L *glua.LState, _ any, args []glua.LValue, site *callSite) (glua.LValue, error) {
	site.names = []string{"items", "fn", "options"}
	fail := func(arg, code, format string, values ...any) error {
		d := site.diagnostic(site.at([]any{arg}, false), code, fmt.Sprintf(format, values...))
		d.Subject = "ctx:parallel"
		return d
	}
	if len(args) < 2 {
		return nil, fail("items", "missing-argument", "needs a list and a function: ctx:parallel(items, function(item) … end)")
	}
	items, isTable := args[0].(*glua.LTable)
	fn, isFunction := args[1].(*glua.LFunction)
	if !isTable {
		return nil, fail("items", "bad-argument", "items is not a list: %s", describeValue(args[0]))
	}
	if !isFunction {
		return nil, fail("fn", "bad-argument", "fn is not a function: %s", describeValue(args[1]))
	}
	check := &checker{rt: rt, call: site, subject: "ctx:parallel"}
	check.listKeys(items, []any{"items"})
	if len(check.findings) > 0 {
		return nil, check.findings
	}
	options := map[string]any{}
	if len(args) > 2 && args[2] != glua.LNil {
		table, ok := args[2].(*glua.LTable)
		if !ok {
			return nil, fail("options", "bad-argument", "the options are not a table: %s", describeValue(args[2]))
		}
		site.options = 2
		site.names = nil
		options = check.table(ParallelFunc().Params[2:], table, nil, "argument")
		if len(check.findings) > 0 {
			return nil, check.findings
		}
	}
	count := items.Len()
	keys, at := make([]string, count), make(map[string]int, count)
	values := make([]glua.LValue, count) // the functions may change the table
	for i := range keys {
		values[i] = items.RawGetInt(i + 1)
		key, err := rt.itemKey(L, values[i], options["key"])
		if err != nil {
			return nil, err
		}
		if key == "" {
			return nil, fail("items", "parallel-key", "item %d has no key: its task needs an id, a name, or key = to name it", i+1)
		}
		if first, taken := at[key]; taken {
			return nil, fail("items", "parallel-key", "items %d and %d have the same key %q: pass key = to tell them apart", first+1, i+1, key)
		}
		at[key] = i
		keys[i] = key
	}
	limit := count
	if n, ok := options["limit"].(float64); ok && n >= 1 {
		limit = min(limit, int(n))
	}
	stopOnError, _ := options["stop_on_error"].(bool)
	return rt.runParallel(L, fn, values, keys, limit, stopOnError)
}

// itemKey names the task of an item.
func (rt *Runtime) itemKey(L *glua.LState, item glua.LValue, by any) (string, error) {
	field := func(name string) (string, error) {
		switch holder := item.(type) {
		case *glua.LTable:
			if isFrozen(holder) {
				return "", nil
			}
			return keyText(holder.RawGetString(name)), nil
		case *glua.LUserData:
			object, ok := holder.Value.(*Object)
			if !ok {
				return "", nil
			}
			for i := range object.class.Fields {
				if object.class.Fields[i].Name == name {
					return keyText(rt.toLua(object.class.Fields[i].Get(object.self))), nil
				}
			}
		}
		return "", nil
	}
	switch key := by.(type) {
	case string:
		return field(key)
	case *Function:
		value, err := rt.call(rt.task(L), contextOf(L), L, key.fn, []glua.LValue{item})
		if err != nil {
			return "", err
		}
		return keyText(value), nil
	}
	if text := keyText(item); text != "" {
		return text, nil
	}
	if id, err := field("id"); id != "" || err != nil {
		return id, err
	}
	return field("name")
}

func keyText(v glua.LValue) string {
	switch value := v.(type) {
	case glua.LString:
		return string(value)
	case glua.LNumber:
		return value.String()
	}
	return ""
}

// maxTasks is how many tasks of Lua code run at once; ctx:parallel starts the next one when one has ended. Each takes some 25 KB while it waits.
const maxTasks = 10_000

// runParallel starts the items in order, at most limit at a time, and collects results and failures by item. The variables
// that the tasks share are guarded by the baton.
func (rt *Runtime) runParallel(L *glua.LState, fn *glua.LFunction, items []glua.LValue, keys []string, limit int, stopOnError bool) (glua.LValue, error) {
	task, ctx := rt.task(L), contextOf(L)
	results := make([]glua.LValue, len(keys))
	children := make([]*engine.Child, len(keys))
	running, failed, slot := 0, false, make(chan struct{})
	for i, key := range keys {
		for running >= limit || running > 0 && rt.tasks >= maxTasks {
			slot = make(chan struct{})
			task.Await(slot)
		}
		if stopOnError && failed {
			break
		}
		running++
		rt.tasks++
		children[i] = task.Spawn(key, func(t *engine.Task) error {
			defer func() {
				running--
				rt.tasks--
				if slot != nil {
					close(slot)
					slot = nil
				}
			}()
			if stopOnError && failed {
				return nil
			}
			value, err := rt.call(t, t.Within(ctx), L, fn, []glua.LValue{items[i]})
			results[i], failed = value, failed || err != nil
			return err
		})
		if children[i].Task() == nil { // refused, because a spawned task has the key: Join tells
			running--
			rt.tasks--
			failed = true
		}
	}
	bad := &ParallelError{Items: len(keys)}
	for i, child := range children {
		if child == nil {
			continue
		}
		if err := task.Join(child); err != nil {
			bad.Keys = append(bad.Keys, keys[i])
			bad.Errors = append(bad.Errors, err)
		}
	}
	if len(bad.Errors) > 0 {
		return nil, bad
	}
	list := rt.state.CreateTable(len(results), 0)
	for i, value := range results {
		if value != nil {
			list.RawSetInt(i+1, value)
		}
	}
	return list, nil
}

func spawn(rt *Runtime, L *glua.LState, _ any, args []glua.LValue, site *callSite) (glua.LValue, error) {
	fn, ok := (*glua.LFunction)(nil), false
	if len(args) > 0 {
		fn, ok = args[0].(*glua.LFunction)
	}
	if !ok {
		d := site.finding("needs a function: ctx:spawn(function() … end)", "bad-argument")
		d.Subject = "ctx:spawn"
		return nil, d
	}
	key := "spawn@" + rt.newFunction(fn).Pos().String()
	if len(args) > 1 {
		if name := keyText(args[1]); name != "" {
			key = name
		}
	}
	if rt.tasks >= maxTasks {
		d := site.finding(fmt.Sprintf("%d tasks run at once already, and that is the most", maxTasks), "too-many-tasks")
		d.Subject, d.Hint = "ctx:spawn", "run what is much with ctx:parallel, which starts the next one when one has ended: { limit = 50 }"
		return nil, d
	}
	rt.tasks++
	// Under the task's context: that of a hook ends when the hook returns.
	child := rt.task(L).Spawn(key, func(t *engine.Task) error {
		defer func() { rt.tasks-- }()
		_, err := rt.call(t, t.Ctx(), L, fn, nil)
		return err
	})
	if child.Task() == nil { // refused, because another one has the key
		rt.tasks--
	}
	return glua.LNil, nil
}
