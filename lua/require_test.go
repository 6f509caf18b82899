package lua

import (
	"strings"
	"testing"
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
