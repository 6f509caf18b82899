package lua_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
)

// typed is a scope in a runtime with a few modules, and what was typed into it so far.
type typed struct {
	t     *testing.T
	scope *lua.Scope
	count int
}

type hen struct{ id, name string }

func henClass() *lua.Class {
	return &lua.Class{
		Name: "hen", Doc: "A bird.", String: func(self any) string { return "hen " + self.(*hen).name },
		Fields: []lua.Field{
			{Name: "id", Type: "string", Doc: "Its id.", Get: func(self any) any { return self.(*hen).id }},
			{Name: "name", Type: "string", Doc: "Its name.", Get: func(self any) any { return self.(*hen).name }},
			{Name: "eggs", Type: "number", Doc: "How many eggs it laid.", Get: func(any) any { return 3.0 }},
		},
		Methods: []lua.Func{
			{Name: "feed", Effect: lua.Changes, Doc: "Feeds it.", Params: []lua.Param{{Name: "grain", Type: lua.Enum("barley", "wheat"), Doc: "What it gets."}}, Run: func(*lua.Call) (any, error) { return nil, nil }},
			{Name: "look", Effect: lua.Observes, Doc: "Looks at it.", Run: func(*lua.Call) (any, error) { return "fine", nil }},
		},
	}
}

func newTyped(t *testing.T, readOnly string) *typed {
	class := henClass()
	berta := lua.NewObject(class, &hen{"h1", "Berta"})
	rt := lua.New(lua.Options{ReadOnly: readOnly, Modules: []lua.Module{{Name: "yard", Doc: "The yard.", Funcs: []lua.Func{
		{Name: "hen", Doc: "Returns a hen.", Returns: "hen", Params: []lua.Param{{Name: "name", Type: lua.String, Positional: true, Doc: "Its name."}}, Run: func(*lua.Call) (any, error) { return berta, nil }},
		{Name: "write", Effect: lua.Durable, Doc: "Writes it down.", Run: func(*lua.Call) (any, error) { return true, nil }},
	}}}})
	opened := 0
	return &typed{t: t, scope: rt.NewScope(map[string]func(*engine.Task) (any, error){
		"berta":  func(*engine.Task) (any, error) { opened++; return berta, nil },
		"opened": func(*engine.Task) (any, error) { return float64(opened), nil },
		"broken": func(*engine.Task) (any, error) { return nil, errors.New("the site is away") },
		"door":   func(*engine.Task) (any, error) { return lua.NewSecret("door", nil), nil },
	})}
}

func (c *typed) run(text string) ([]lua.Value, error) {
	c.count++
	var values []lua.Value
	err := engine.NewScheduler(engine.SystemEnv(1)).Run(context.Background(), context.Background(), "typed", func(task *engine.Task) (err error) {
		values, err = c.scope.Run(task, "typed", text)
		return err
	})
	return values, err
}

// says runs a text and returns its values, or the error as people see it.
func (c *typed) says(text string) string {
	values, err := c.run(text)
	if err != nil {
		var b bytes.Buffer
		lua.Render(&b, lua.AsDiagnostics(err)...)
		return strings.TrimRight(b.String(), "\n")
	}
	var parts []string
	for _, value := range values {
		parts = append(parts, value.Text(5))
	}
	return strings.Join(parts, "\t")
}

// TestScope types one text after the other into one scope.
func TestScope(t *testing.T) {
	t.Parallel()
	c := newTyped(t, "drrun console --write")
	for _, step := range []struct{ text, want string }{
		{"1 + 1", "2"},
		{"=1 + 1", "2"},
		{"return 3, 'x'", `3	"x"`},
		{"1, nil, false", "1	nil	false"},
		{"", ""},
		{"-- a remark", ""},
		{"x = 5", ""},
		{"local y, z = 6", ""},
		{"x + y", "11"},
		{"z", "nil"},
		{"local nothing", ""},
		{"nothing", "nil"},
		{"local function twice(n) return n < 100 and twice(n * 2) or n end", ""},
		{"twice(x)", "160"},
		{"function add(n) x = x + n end add(2)", ""},
		{"x", "7"},
		{"do local x = 1 end return x", "7"},
		{"local print = 4", ""},
		{"print", "4"},
		{"local yard = require 'yard'", ""},
		{"yard.hen('Berta'):look()", `"fine"`},
		{"berta", `hen Berta { eggs = 3, id = "h1", name = "Berta" }`},
		{"{ berta, b = berta }", `{ <hen Berta (h1)>, b = <hen Berta (h1)> }`},
		{"door", "<secret door>"},
		{"{}", "{}"},
		{"{ 3, 2, [10] = 'ten', b = 1, a = { 'x' }, ['not a name'] = true, [true] = 0 }", "{\n  3,\n  2,\n  [10] = \"ten\",\n  a = { \"x\" },\n  b = 1,\n  -- and 2 more\n}"},
		{"local t = {} t.self = t return t", "{ self = <a table around this one> }"},
		{"{ 1, 2, 3, 4, 5, 6, 7 }", "{\n  1, 2, 3, 4, 5,\n  -- and 2 more\n}"},
		{"twice", "<function at typed:1:21>"},
		{"'a\\nb\\0\"ü'", `"a\nb\000\"ü"`},
		{"0/0", "NaN"},
		{"type(string), #string.rep('x', 3)", `"table"	3`},
		{"xy", "typed:1:1: error: no variable \"xy\" is known here [unknown-variable]\n    1 | xy\n      | ^^\n  hint: did you mean \"x\"?"},
		{"1 +  berta:fly()", "typed:1:6: error: hen has no \"fly\" [unknown-field]\n    1 | 1 +  berta:fly()\n      |      ^^^^^\n  hint: known: feed, look, id, name, eggs"},
		{"local a = nil\nreturn a.b", "typed:2:8: error: \"b\" is asked of a value that is nil: there is nothing of that name, or at that place of the list [lua-error]"},
		{"1 + broken", "typed:1:5: error: the site is away [error]\n    1 | 1 + broken\n      |     ^^^^^^"},
		{"x = = 3", "typed:1:5: error: "},
		{"plan.vms[", "typed:1:9: error: "},
		{"berta:feed { grain = 'barley' }", "typed:1:1: error: hen:feed changes an engine, and here nothing may be changed; nothing was done [read-only]\n    1 | berta:feed { grain = 'barley' }\n      | ^^^^^\n  hint: drrun console --write"},
		{"yard.write()", "typed:1:1: error: yard.write changes the world outside the engines"},
		{"pcall(berta.feed, berta)", "false	{\n"},
	} {
		if got := c.says(step.text); got != step.want && !(strings.Contains(step.want, "error: ") || strings.HasSuffix(step.want, "{\n")) || !strings.HasPrefix(got, step.want) {
			t.Errorf("%s\ngot:\n%s\nwant:\n%s", step.text, got, step.want)
		}
	}
}

// TestScopeIsLazy reads what a scope is given only when it is named, and once.
func TestScopeIsLazy(t *testing.T) {
	t.Parallel()
	c := newTyped(t, "")
	for _, text := range []string{"1", "type(1)"} {
		c.says(text)
	}
	if got := c.says("opened"); got != "0" {
		t.Errorf("made %s times before anybody read it", got)
	}
	c = newTyped(t, "")
	c.says("berta")
	c.says("berta.name")
	if got := c.says("opened"); got != "1" {
		t.Errorf("made %s times", got)
	}
	if got := c.says("berta:feed { grain = 'wheat' }"); got != "nil" {
		t.Errorf("a runtime that may change says: %s", got)
	}
}

// TestFilesDoNotSeeTheScope keeps what is typed out of what files do.
func TestFilesDoNotSeeTheScope(t *testing.T) {
	t.Parallel()
	rt := lua.New(lua.Options{ReadFile: func(string) ([]byte, error) { return []byte("return function() return secret_word end"), nil }, Path: []string{"/"}})
	scope := rt.NewScope(nil)
	err := engine.NewScheduler(engine.SystemEnv(1)).Run(context.Background(), context.Background(), "typed", func(task *engine.Task) error {
		_, err := scope.Run(task, "typed", `secret_word = 1; string.upper = nil`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "cannot be changed") {
		t.Errorf("the string library was rewritten: %v", err)
	}
	err = engine.NewScheduler(engine.SystemEnv(1)).Run(context.Background(), context.Background(), "typed", func(task *engine.Task) error {
		_, err := scope.Run(task, "again", `require("file")()`)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), `no variable "secret_word"`) {
		t.Errorf("a file sees a variable of the scope: %v", err)
	}
}

func TestValueAsJSON(t *testing.T) {
	t.Parallel()
	c := newTyped(t, "")
	for text, want := range map[string]string{
		"nil": "null", "1.5": "1.5", "'x'": `"x"`, "{}": "{}", "{ 1, { a = true } }": `[1,{"a":true}]`, "{ 1, x = 2 }": `{"1":1,"x":2}`, "{ [7] = 1 }": `{"7":1}`,
		"0/0": `"NaN"`, "berta": `{"eggs":3,"id":"h1","name":"Berta"}`, "{ berta }": `["hen Berta (h1)"]`, "door": `"<secret door>"`, "function() end": `"<function at typed:1:1>"`,
	} {
		values, err := c.run(text)
		if err != nil || len(values) != 1 {
			t.Errorf("%s: %v %v", text, values, err)
			continue
		}
		var b bytes.Buffer
		encoder := json.NewEncoder(&b)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(values[0].JSON()); err != nil || strings.TrimSpace(b.String()) != want {
			t.Errorf("%s: %s %v, want %s", text, b.String(), err, want)
		}
	}
}

func TestIncomplete(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"for i = 1, 3 do", "if x then", "f(", "plan.vms[1", "x =", "function f()", "{", "f {\n  a = 1,", "[[ a\nb", "local t = {", "=f(", "1 +"} {
		if !lua.Incomplete(text) {
			t.Errorf("%q is taken for whole", text)
		}
	}
	for _, text := range []string{"", "x", "=x", "x = 1", "f()", "end", ")", "x = = 3", `"a`, "for do", "return 1", "-- a remark", "1 1"} {
		if lua.Incomplete(text) {
			t.Errorf("%q is taken for unfinished", text)
		}
	}
}

// FuzzTyped looks for texts that make places outside of what was typed.
func FuzzTyped(f *testing.F) {
	for _, text := range []string{"1 +", "=x", "local a = b", "f(\n)", "\"", "[[", "return", "x.y:z{}", "a\r\nb", "é = 1", "--[["} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsAny(text, "{(") && len(text) > 200 || strings.Contains(text, "while") || strings.Contains(text, "repeat") || strings.Contains(text, "goto") {
			return
		}
		c := newTyped(t, "no")
		lua.Incomplete(text)
		values, err := c.run(text)
		for _, value := range values {
			value.Text(3)
		}
		for _, d := range lua.AsDiagnostics(err) {
			if d.Pos.File == "typed" && (d.Pos.Line < 1 || d.Pos.Line > strings.Count(text, "\n")+strings.Count(text, "\r")+2) {
				t.Errorf("%q: %+v", text, d)
			}
		}
	})
}

// TestShowsWhatDoubles shows tables that stand in each other twice: what would take for ever and all memory is cut.
func TestShowsWhatDoubles(t *testing.T) {
	t.Parallel()
	c := newTyped(t, "")
	values, err := c.run("local t = { 1 } for i = 1, 40 do t = { t, t } end return t")
	if err != nil {
		t.Fatal(err)
	}
	if text := values[0].Text(100); !strings.Contains(text, "…") || len(text) > 100<<20 {
		t.Errorf("%d bytes", len(text))
	}
	if _, err := json.Marshal(values[0].JSON()); err != nil {
		t.Error(err)
	}
}
