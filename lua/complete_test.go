package lua_test

import (
	"context"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/lua"
)

// ask runs something that needs a task.
func (c *typed) ask(fn func(task *engine.Task)) {
	c.t.Helper()
	if err := engine.NewScheduler(engine.SystemEnv(1)).Run(context.Background(), context.Background(), "typed", func(task *engine.Task) error {
		fn(task)
		return nil
	}); err != nil {
		c.t.Fatal(err)
	}
}

// helpful is a scope with what completion and help know.
func helpful(t *testing.T) *typed {
	c := newTyped(t, "")
	c.scope.Classes = []*lua.Class{henClass()}
	c.scope.Texts = func(fn, param string) []string {
		if fn == "hen" && param == "name" {
			return []string{"Berta", "Bertram"}
		}
		return nil
	}
	c.says("yard = require 'yard'; list = { { colour = 'red', ['two words'] = 1, deep = { er = 1 } } }; word = 'x'")
	return c
}

func TestComplete(t *testing.T) {
	t.Parallel()
	c := helpful(t)
	for _, test := range []struct {
		text string
		from int
		want string
	}{
		{"be", 0, "berta"},
		{"1 + to", 4, "tonumber tostring"},
		{"ya", 0, "yard"},
		{"yard.", 5, "hen write"},
		{"yard.h", 5, "hen"},
		{"berta.", 6, "eggs id name"},
		{"berta:", 6, "feed look"},
		{"x = berta : l", 12, "look"},
		{"yard.hen('B'):", 14, "feed look"},
		{"yard.hen 'B':", 13, "feed look"},
		{"yard.hen('B').n", 14, "name"},
		{"require('yard').", 16, "hen write"},
		{"require 'yard'.w", 15, "write"},
		{"list[1].", 8, "colour deep"},
		{"list[i].deep.", 13, "er"},
		{"(list)[1].", 10, ""},
		{"berta:feed { ", 13, "grain = "},
		{"berta:feed({ g", 13, "grain = "},
		{"berta:feed { grain = '", 22, "barley wheat"},
		{"berta:feed { grain = 'b", 22, "barley"},
		{"yard.hen('", 10, "Berta Bertram"},
		{"yard.hen 'Bertr", 10, "Bertram"},
		{"yard.hen(1, '", 13, ""},
		{"require '", 9, "yard"},
		{"require(\"y", 9, "yard"},
		{"word:up", 5, "upper"},
		{"nothing.", 8, ""},
		{"nothing:x().", 12, ""},
		{"broken.", 7, ""},
		{"-- be", 5, ""},
		{"'be", 1, ""},
		{"a .. be", 5, "berta"},
		{"berta:look():", 13, ""},
		{"[[", 2, "…"},
	} {
		c.ask(func(task *engine.Task) {
			from, words := c.scope.Complete(task, test.text)
			if got := strings.Join(words, " "); test.want != "…" && (got != test.want || from != test.from) {
				t.Errorf("%s: from %d: %s; want from %d: %s", test.text, from, got, test.from, test.want)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	c := helpful(t)
	for expression, want := range map[string]string{
		"berta:feed":              "berta:feed { grain = }\n  Feeds it.\n  It changes an engine.\n    grain (one of \"barley\", \"wheat\"): What it gets.\n",
		"yard.hen('x'):look":      "yard.hen('x'):look()\n  Looks at it.\n  It only looks.\n",
		"look":                    "hen:look()\n  Looks at it.\n  It only looks.\n",
		"hen":                     "hen: A bird.\n  .id (string)\n      Its id.\n",
		"yard.hen":                "yard.hen(name) → hen\n  Returns a hen.\n    name (a text): Its name.\n",
		"require('yard').write()": "require('yard').write()\n  Writes it down.\n  A run records it, and does it once.\n",
		"berta":                   "hen: A bird.\n",
		"yard":                    "  yard.hen(name) → hen\n      Returns a hen.\n",
		"nothing":                 "",
	} {
		c.ask(func(task *engine.Task) {
			if got := c.scope.Help(task, expression); !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%s:\n%s\nwant:\n%s", expression, got, want)
			}
		})
	}
}

// FuzzComplete looks for texts that make completion fail.
func FuzzComplete(f *testing.F) {
	for _, text := range []string{"a.b:c(\"x\")[1].", "f { a = 'x", "\"", ")", "a..", "[[", "x:", "f({", "-- x", "...", "a.b.", "')."} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := helpful(t)
		c.ask(func(task *engine.Task) {
			if from, _ := c.scope.Complete(task, text); from < 0 || from > len(text) {
				t.Errorf("%q: from %d", text, from)
			}
			c.scope.Help(task, text)
		})
	})
}
