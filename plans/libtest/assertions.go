package libtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
)

// trialClass is t, what a test gets.
var trialClass = &lua.Class{
	Name: "t",
	Doc:  "One test: what runs plans, plays the outside world, and says what must hold.",
	Fields: []lua.Field{
		{Name: "lab", Type: "lab", Doc: "The two simulated sites, as a bystander sees and moves them.", Get: func(self any) any { return lua.NewObject(labClass, self) }},
	},
	Methods: append(append([]lua.Func{
		action("failover", "Runs a failover of a plan with the library.", false),
		action("failback", "Runs a failback. The sites are as the actions before have left them.", true),
		hookFunc(),
	}, fakeFuncs()...), assertions()...),
	String: func(self any) string { return "test " + self.(*trial).about.name },
}

var (
	gotParam     = lua.Param{Name: "got", Type: lua.Any, Positional: true, Optional: true, Doc: "What there is."}
	messageParam = lua.Param{Name: "message", Type: lua.String, Positional: true, Optional: true, Doc: "What it means, for the one who reads the failure."}
)

// assert declares a method that says what must hold: check returns what does not, "" where it does.
func assert(name, doc string, params []lua.Param, check func(c *lua.Call) (string, error)) lua.Func {
	return lua.Func{
		Name: name, Effect: lua.Pure, Doc: doc, Params: params,
		Run: func(c *lua.Call) (any, error) {
			c.Self.(*trial).asserts++
			problem, err := check(c)
			if err != nil || problem == "" {
				return nil, err
			}
			if message := c.String("message"); message != "" {
				problem = message + ": " + problem
			}
			looked := "got"
			if len(params) > 0 && !slices.ContainsFunc(params, func(p lua.Param) bool { return p.Name == looked }) {
				looked = "fn"
			}
			return nil, c.Errorf("test-failed", looked, "%s", problem)
		},
	}
}

func assertions() []lua.Func {
	return []lua.Func{
		assert("equal", "Two values are equal; tables are compared by what they hold.",
			[]lua.Param{gotParam, {Name: "want", Type: lua.Any, Positional: true, Optional: true, Doc: "What there must be."}, messageParam},
			func(c *lua.Call) (string, error) {
				if got, want := c.Value("got"), c.Value("want"); !reflect.DeepEqual(sameEmpty(got), sameEmpty(want)) {
					return fmt.Sprintf("it is %s, and must be %s", shown(got), shown(want)), nil
				}
				return "", nil
			}),
		assert("ok", "A value is neither false nor nil.", []lua.Param{gotParam, messageParam},
			func(c *lua.Call) (string, error) {
				if got := c.Value("got"); got == nil || got == false {
					return fmt.Sprintf("it is %s", shown(got)), nil
				}
				return "", nil
			}),
		assert("contains", "A list holds a value, or a text holds another, or some item of a list of texts does.",
			[]lua.Param{gotParam, {Name: "part", Type: lua.Any, Positional: true, Doc: "What must be in it."}, messageParam},
			func(c *lua.Call) (string, error) {
				if got, part := c.Value("got"), c.Value("part"); !holds(got, part) {
					return fmt.Sprintf("%s holds no %s", shown(got), shown(part)), nil
				}
				return "", nil
			}),
		assert("lacks", "The opposite of contains.",
			[]lua.Param{gotParam, {Name: "part", Type: lua.Any, Positional: true, Doc: "What must not be in it."}, messageParam},
			func(c *lua.Call) (string, error) {
				if got, part := c.Value("got"), c.Value("part"); holds(got, part) {
					return fmt.Sprintf("%s holds %s", shown(got), shown(part)), nil
				}
				return "", nil
			}),
		assert("match", "A text matches a pattern of Lua.",
			[]lua.Param{gotParam, {Name: "pattern", Type: lua.String, Positional: true, Doc: "The pattern, as of string.find."}, messageParam},
			func(c *lua.Call) (string, error) {
				text, isText := c.Value("got").(string)
				if !isText {
					return fmt.Sprintf("it is %s, and must be a text that matches %q", shown(c.Value("got")), c.String("pattern")), nil
				}
				found, err := lua.Matches(c.Lua, text, c.String("pattern"))
				if err != nil {
					return "", c.Errorf("bad-argument", "pattern", "%v", err)
				}
				if !found {
					return fmt.Sprintf("%q does not match %q", text, c.String("pattern")), nil
				}
				return "", nil
			}),
		raisesFunc(),
		{
			Name: "fail", Effect: lua.Pure, Doc: "Ends the test as failed.", Params: []lua.Param{{Name: "message", Type: lua.String, Positional: true, Doc: "Why."}},
			Run: func(c *lua.Call) (any, error) { return nil, c.Errorf("test-failed", "", "%s", c.String("message")) },
		},
		{
			Name: "log", Effect: lua.Pure, Doc: "Adds a line to the log of the test, which is shown when it fails.", Params: []lua.Param{{Name: "value", Type: lua.Any, Positional: true, Optional: true, Doc: "A text, or any value."}},
			Run: func(c *lua.Call) (any, error) {
				text, isText := c.Value("value").(string)
				if !isText {
					text = shown(c.Value("value"))
				}
				c.Self.(*trial).say("t:log " + text)
				return nil, nil
			},
		},
		{
			Name: "kill", Effect: lua.Pure,
			Doc: "For the functions that play the outside world: drrun is killed before it can record what it is told, and the run is resumed. So what was asked for here was done, and drrun does not know it.",
			Run: func(c *lua.Call) (any, error) {
				c.Self.(*trial).kill()
				return nil, nil
			},
		},
	}
}

func raisesFunc() lua.Func {
	return assert("raises", "A function raises an error of a code; without a code, any error. What it raised is checked further by what: a part of its message.",
		[]lua.Param{
			{Name: "code", Type: lua.String, Positional: true, Optional: true, Doc: "The code, such as \"exec-failed\"; error(\"…\") has \"lua-error\"."},
			{Name: "fn", Type: lua.FunctionType, Positional: true, Doc: "The function."},
			{Name: "what", Type: lua.String, Optional: true, Doc: "A part of the message."},
		},
		func(c *lua.Call) (string, error) {
			_, err := c.Func("fn").CallContext(c.Lua, c.Task)
			if c.Lua.Err() != nil {
				return "", err
			}
			var panicked *engine.PanicError
			if errors.As(err, &panicked) {
				return "", err
			}
			if err == nil {
				return "the function raised no error", nil
			}
			raised := lua.AsDiagnostics(err)[0]
			if want := c.String("code"); want != "" && raised.Code != want {
				return fmt.Sprintf("it raised %q, and must raise %q; it said: %s", raised.Code, want, raised.Message), nil
			}
			if part := c.String("what"); !strings.Contains(raised.Message, part) {
				return fmt.Sprintf("what it raised says nothing of %q: %s", part, raised.Message), nil
			}
			return "", nil
		})
}

// sameEmpty takes an empty table for a list and for one with names alike: Lua cannot tell them apart.
func sameEmpty(value any) any {
	switch v := value.(type) {
	case []any:
		if len(v) == 0 {
			return map[string]any{}
		}
		list := make([]any, len(v))
		for i, item := range v {
			list[i] = sameEmpty(item)
		}
		return list
	case map[string]any:
		table := make(map[string]any, len(v))
		for name, item := range v {
			table[name] = sameEmpty(item)
		}
		return table
	}
	return value
}

func holds(whole, part any) bool {
	switch w := whole.(type) {
	case string:
		text, isText := part.(string)
		return isText && strings.Contains(w, text)
	case []any:
		for _, item := range w {
			if text, isText := item.(string); isText && holds(text, part) {
				return true
			}
			if reflect.DeepEqual(sameEmpty(item), sameEmpty(part)) {
				return true
			}
		}
	case map[string]any:
		name, isText := part.(string)
		_, has := w[name]
		return isText && has
	}
	return false
}

// longestShown is how much of a value a failure shows.
const longestShown = 600

// shown is a value in a message.
func shown(value any) string {
	var text string
	switch v := value.(type) {
	case nil:
		return "nil"
	case *lua.Object:
		text = v.Class().Name
	case *lua.Function:
		text = "a function"
	default:
		encoded, err := json.Marshal(value)
		if err != nil {
			return fmt.Sprintf("a value that cannot be shown (%T)", value)
		}
		text = string(encoded)
	}
	if len(text) > longestShown {
		text = text[:longestShown] + "…"
	}
	return text
}
