package lua

import (
	"context"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
)

func TestRequire(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, a, want string }{ // a is the module; want is the error, "" for none
		{"a module is loaded once", `return {}`, ""},
		{"a module that requires itself is an error", `return require "a"`, `module "a" requires itself: a → a`},
		{"also through a primitive", `return require "probe".hook(function() return require "a" end)`, `module "a" requires itself: a → a`},
		{"what its loading spawned may require it later", `local p, loaded = require "probe", false; p.spawn(function() while not loaded do p.wait(1) end require "a" end) p.wait(1) loaded = true return 1`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			result, _, err := run(t, t.Context(), map[string]string{"main.lua": `local a = require "a"; return a == require "a"`, "a.lua": c.a})
			switch {
			case c.want == "" && (err != nil || result != true):
				t.Errorf("returned %v, %v", result, err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("ended with %v, want %s", err, c.want)
			}
		})
	}
}

// TestReadAhead keeps what only a function requires, and what that requires in turn, and runs it as it was read first.
func TestReadAhead(t *testing.T) {
	t.Parallel()
	files := map[string]string{
		"main.lua":    "local now = require 'now'\nreturn function() return require(\"site.later\").n + require 'now'.n end -- require 'nowhere', require('probe')",
		"lib/now.lua": `return { n = 1 }`, "site/later.lua": `local last = require "last" return { n = last.n }`, "last.lua": `return { n = 10 }`,
	}
	reads := map[string]int{}
	rt := New(Options{Modules: []Module{{Name: "probe"}}, Path: []string{"", "lib"}, ReadFile: func(path string) ([]byte, error) {
		text, known := files[path]
		if !known {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		reads[path]++
		return []byte(text), nil
	}})
	err := engine.NewScheduler(testEnv).Run(context.Background(), context.Background(), "main", func(task *engine.Task) error {
		fn, err := rt.RunFile(task, "main.lua")
		if err != nil {
			return err
		}
		if got := slices.Sorted(maps.Keys(rt.Files())); !slices.Equal(got, []string{"last.lua", "lib/now.lua", "main.lua", "site/later.lua"}) {
			t.Errorf("files %v", got)
		}
		files["last.lua"] = "return { n = 99 }"
		got, err := fn.(*Function).Call(task)
		if got != 11.0 {
			t.Errorf("%v, %v", got, err)
		}
		return err
	})
	if err != nil || reads["last.lua"] != 1 || len(rt.Files()) != 4 {
		t.Errorf("%v, %v", err, reads)
	}
}
