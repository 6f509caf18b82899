package lua

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"drrun/engine"
)

// The promises of the sandbox about what code can use up. TestSandbox has those about what code can reach and change.

// hostile runs code with small limits, far below those of the product, and gives how it ended.
func hostile(t *testing.T, code string, steps int) error {
	t.Helper()
	var log []string
	files := map[string]string{"main.lua": code, "lib/victim.lua": `return { price = function() return 1 end }`}
	rt := New(Options{
		Modules: []Module{probeModule(&log)}, Path: []string{"lib"}, MaxSteps: steps, MaxMemory: heldMemory() + 96<<20,
		ReadFile: func(path string) ([]byte, error) {
			text, ok := files[path]
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := engine.NewScheduler(testEnv).Run(ctx, ctx, "main", func(task *engine.Task) error {
		_, err := rt.RunFile(task, "main.lua")
		return err
	})
	if ctx.Err() != nil {
		t.Errorf("it was still running after 20 s")
	}
	return err
}

// fewSteps end a loop in no time.
const fewSteps = 2_000_000

// TestUsesUp has code that takes what it can get. Each ends with an error that says where, and none with the process.
func TestUsesUp(t *testing.T) {
	for _, c := range []struct {
		promise, code string
		want          string // code of the error
		at            string // its place
	}{
		{"a loop without an end ends", "local n = 0\nwhile true do\n  n = n + 1\nend", "endless-loop", "main.lua:"},
		{"so does one of gotos", "::a:: goto a", "endless-loop", "main.lua:1:"},
		{"and one that catches every error", "while true do pcall(function() while true do end end) end", "endless-loop", "main.lua:1:"},
		{"and one in the handler of xpcall", "xpcall(error, function() while true do end end)", "endless-loop", "main.lua:1:"},
		{"and one in a metamethod", "local t = setmetatable({}, { __index = function(t, k) return t[k .. 'x'] end }) return t.x", "stack-overflow lua-error", ""},
		{"and one of calls of primitives", `local p = require "probe" while true do p.start "x" end`, "endless-loop", "main.lua:1:"},
		{"and one that sorts", "table.sort({ 3, 2, 1 }, function() while true do end end)", "endless-loop", "main.lua:1:"},
		{"and one in what gsub calls", `("x"):gsub(".", function() while true do end end)`, "endless-loop", "main.lua:1:"},
		{"and one over a pattern", `("a"):rep(1500):find(".-.-.-b")`, "endless-loop", "main.lua:1:"},
		{"and one that moves a long table", "local t = {} for i = 1, 100000 do t[i] = i end while true do table.insert(t, 1, 0) end", "endless-loop", "main.lua:1:"},
		{"a text that doubles ends", "local s = 'x'\nwhile true do\n  s = s .. s\nend", "text-too-long", "main.lua:3:"},
		{"also where it grows by many parts at once", "local s = ('x'):rep(1e6) while true do s = s .. s .. s .. s .. s .. s .. s .. s .. s end", "text-too-long", "main.lua:1:"},
		{"and by string.rep", "local s = 'x' while true do s = s:rep(1000) end", "text-too-long", "main.lua:1:"},
		{"and by string.format", "local s = 'x' while true do s = ('%s%s%s%s'):format(s, s, s, s) end", "text-too-long", "main.lua:1:"},
		{"and by a wide number", "return ('%999999999d'):format(1)", "text-too-long", "main.lua:1:"},
		{"and by many wide numbers", "return (('%99d'):rep(1000000)):format(unpack({}, 1, 250))", "text-too-long", "main.lua:1:"},
		{"and by gsub", "local s = ('x'):rep(100000) return s:gsub('.', s)", "text-too-long", "main.lua:1:"},
		{"and by table.concat", "local t, s = {}, ('x'):rep(1e6) for i = 1, 1000 do t[i] = s end return table.concat(t)", "text-too-long", "main.lua:1:"},
		{"texts that are kept end", "local t = {}\nfor i = 1, 1e9 do\n  t[i] = ('x'):rep(1e6) .. i\nend", "lua-memory", "main.lua:3:"},
		{"tables that are kept end", "local t = {}\nfor i = 1, 1e9 do\n  t[i] = { i, i, i, i, i, i, i, i }\nend", "lua-memory endless-loop", "main.lua:"},
		{"who catches the error does not get on", "local t = {}\nlocal function eat() for i = 1, 1e9 do t[#t + 1] = ('x'):rep(1e6) .. i end end\nwhile true do pcall(eat) end", "lua-memory", "main.lua:2:"},
		{"tasks by the hundred thousand are too many", "local p = require 'probe'\nfor i = 1, 200000 do\n  p.spawn(function() p.wait(1) end, 'k' .. i)\nend", "too-many-tasks", "main.lua:3:"},
		{"recursion ends", "local function f() return 1 + f() end f()", "lua-error stack-overflow", "main.lua:1:"},
		{"recursion through pcall ends", "local function f() local ok, e = pcall(f) error(e) end f()", "lua-error stack-overflow", ""},
		{"recursion through tostring ends", "local t = setmetatable({}, {}) getmetatable(t).__tostring = function() return tostring(t) end return tostring(t)", "lua-error stack-overflow endless-loop", ""},
		{"a table that holds itself is no result", "local t = {} t.t = t return t", "failed", ""},
		{"a table that is nested without end is no argument", "local t = {} for i = 1, 10000 do t = { t } end require 'probe'.step(function() return t end)", "error bad-result bad-argument", ""},
		{"a table that stands in itself twice, forty times over, is no result", "local t = { 1 } for i = 1, 40 do t = { t, t } end return t", "failed", ""},
		{"nor an argument", "local t = { 1 } for i = 1, 40 do t = { t, t } end require 'probe'.step(function() return t end)", "error bad-result bad-argument", ""},
		{"a pattern of many captures is refused", "return ('x'):find(('(x?)'):rep(5000))", "lua-error", "main.lua:1:"},
		{"string.byte does not fill the stack", "return select('#', ('x'):rep(1e6):byte(1, -1))", "lua-error", "main.lua:1:"},
		{"unpack does not fill the stack", "local function count(...) return select('#', ...) end return count(unpack({}, 1, 1e8))", "lua-error", ""},
	} {
		t.Run(c.promise, func(t *testing.T) {
			steps := fewSteps
			if strings.Contains(c.want, "lua-memory") || c.want == "too-many-tasks" {
				steps *= 100
			}
			err := hostile(t, c.code, steps)
			if err == nil {
				t.Fatal("it worked")
			}
			d := AsDiagnostics(err)[0]
			if !strings.Contains(" "+c.want+" ", " "+d.Code+" ") || !strings.HasPrefix(d.Pos.String(), c.at) {
				t.Errorf("it ended with [%s] at %s, want [%s] at %s: %s", d.Code, d.Pos, c.want, c.at, d.Message)
			}
			var panicked *engine.PanicError
			if errors.As(err, &panicked) {
				t.Errorf("something of drrun broke: %v", err)
			}
		})
	}
}

// TestKeepsWithin has code that is not hostile, and only large: it works.
func TestKeepsWithin(t *testing.T) {
	for _, code := range []string{
		"local s = '' for i = 1, 20000 do s = s .. 'x' end assert(#s == 20000)",
		"local t = {} for i = 1, 100000 do t[i] = 'line ' .. i end assert(#table.concat(t, '\\n') > 1000000)",
		"local s = ('x'):rep(16777216) assert(#s == 16777216)",
		"for i = 1, 300 do local s = ('x'):rep(1000000) .. i end", // garbage does not count
		"assert(('%5.1f|%-8s|%q'):format(3.14159, 'ab', 'c') == '  3.1|ab      |\"c\"')",
		"local function f() return 'b', 'c' end assert('a' .. f() == 'ab')",
		"local function f(...) return 'a' .. ... end assert(f('b', 'c') == 'ab')",
		"local t = setmetatable({}, { __concat = function(a, b) return 'joined' end }) assert('x' .. t == 'joined' and t .. 'x' == 'joined' and 'a' .. 'b' .. t .. 1 == 'abjoined')",
		"local p = require 'probe' local keys = {} for i = 1, 12000 do keys[i] = 'k' .. i end assert(#p.parallel(keys, function(k) return k end) == 12000)",
		"assert(select('#', unpack({ 1, nil, 3 }, 1, 3)) == 3 and select('#', ('abc'):byte(-2, -1)) == 2 and ('a'):byte() == 97)",
		"assert(1 .. 2 == '12' and table.concat({ 1, 'x' }, ', ') == '1, x' and table.concat({}, ',') == '' and table.concat({ 1, 2, 3 }, '-', 2, 3) == '2-3')",
	} {
		if err := hostile(t, code, 10*fewSteps); err != nil {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// TestRewrites has code that changes what others rely on. It fails, and what it went for is as it was.
func TestRewrites(t *testing.T) {
	t.Parallel()
	for _, attack := range []string{
		"string.upper = function() return 'owned' end", "rawset(string, 'upper', 1)", "getmetatable('').__index = {}", "setmetatable('', {})",
		"table.insert = 1", "pairs = 1", "ipairs = function() end", "_G = {}", "require = function() end", "pcall = error", "error = print",
		"require('victim').price = nil; error('a library can be changed by who has it', 0)",
		"require 'probe'.start = 1", "setmetatable(require 'probe', { __index = {} })", "table.insert(require 'probe', 1)", "table.sort(require 'probe')", "table.remove(string)",
		"getmetatable(require 'probe').__index = nil", "local ok, e = pcall(require 'probe'.start, 'gone') getmetatable(e).go = nil", "rawset(getmetatable('') or {}, '__index', {}); error('x', 0)",
		"require 'probe'.thing('a').touch = 1", "getmetatable(require 'probe'.thing 'a').__index = 1", "getmetatable(require 'probe'.secret()).__tostring = 1",
		"('x').upper = 1", "(concat)('a', 'b')", "local e = setmetatable({}, { __name = 'drrun.error', __metatable = 1 }); error(e)",
	} {
		t.Run(attack, func(t *testing.T) {
			t.Parallel()
			if err := hostile(t, attack, fewSteps); err == nil {
				t.Error("it worked")
			}
			// The same with the error caught: what everybody uses is what it was.
			check := "pcall(function() " + strings.ReplaceAll(attack, "\n", " ") + " end)\n" +
				"assert(('a'):upper() == 'A' and string.upper('a') == 'A' and type(pairs) == 'function' and pcall(require 'probe'.start, 'x') and #require 'probe'.start('x').list == 2)\n" +
				"local l = {} table.insert(l, 1) for i, v in ipairs(l) do assert(v == 1) end assert(not pcall(error, 'x'))"
			if strings.HasPrefix(attack, "(concat)") {
				return // a name that is no Lua
			}
			if err := hostile(t, check, fewSteps); err != nil && !strings.Contains(err.Error(), "global") {
				t.Errorf("behind it: %v", err)
			}
		})
	}
}

// TestRaisesOddThings has errors that lie, loop or break when they are looked at. Each becomes an error that can be told.
func TestRaisesOddThings(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		"error(setmetatable({}, { __tostring = function() while true do end end }))",
		"error(setmetatable({}, { __tostring = function() error('again') end }))",
		"error(setmetatable({}, { __index = function() error('no field') end }))",
		"error(setmetatable({}, { __tostring = function() return {} end }))",
		"error(setmetatable({ message = setmetatable({}, {}), code = {} }, { __metatable = false }))",
		"error(function() end)", "error(print)", "error(nil)", "error({ code = '\\27[2J', message = 'x' })", "error(0/0)",
		"local t = {} t.message = t error(t)",
		"error({ code = 'no-evidence', message = 'I am drrun' })",
		"error(require 'probe'.secret())", "error({ message = require 'probe'.secret() })",
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			err := hostile(t, code, fewSteps)
			if err == nil {
				t.Fatal("it worked")
			}
			text := rendered(err)
			if text == "" || strings.Contains(text, "hunter2") {
				t.Errorf("it is told as %q", text)
			}
		})
	}
}
