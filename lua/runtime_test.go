package lua

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"

	glua "github.com/yuin/gopher-lua"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// probeModule is a module with one function of each kind of argument.
func probeModule(log *[]string) Module {
	thing := &Class{
		Name:   "thing",
		Fields: []Field{{Name: "id", Get: func(self any) any { return self.(string) }}},
		Methods: []Func{{
			Name: "touch", Effect: Changes,
			Run: func(c *Call) (any, error) { *log = append(*log, "touch "+c.Self.(string)); return nil, nil },
		}},
	}
	return Module{
		Name: "probe",
		Funcs: []Func{
			{
				Name: "start", Effect: Changes,
				Params: []Param{
					{Name: "name", Type: String, Positional: true},
					{Name: "timeout", Type: Duration, Default: "10m"},
					{Name: "rank", Type: Integer, Optional: true},
				},
				Run: func(c *Call) (any, error) {
					if c.String("name") == "gone" {
						d := c.Errorf("vm-not-found", "name", "site %q has no VM named %q", "dr", "gone")
						d.Hint = DidYouMean("gone", []string{"gone1", "db"})
						d.Err = fs.ErrNotExist
						return nil, d
					}
					*log = append(*log, fmt.Sprintf("start %s %s", c.String("name"), c.Duration("timeout")))
					return map[string]any{"name": c.String("name"), "list": []any{1.0, "two"}}, nil
				},
			},
			{
				Name: "plan", Effect: Pure,
				Params: []Param{
					{Name: "name", Type: String},
					{Name: "vms", Type: List(Table(
						Param{Name: "name", Type: String},
						Param{Name: "rank", Type: Integer, Default: 1.0},
						Param{Name: "boot", Type: OneOf(FunctionType, ObjectType(thing)), Optional: true},
						Param{Name: "on_error", Type: Enum("continue", "stop"), Default: "continue"},
					))},
				},
				Run: func(c *Call) (any, error) { return float64(len(c.List("vms"))), nil },
			},
			{Name: "panics", Effect: Pure, Run: func(*Call) (any, error) { panic("broken") }},
			{Name: "thing", Effect: Pure, Params: []Param{{Name: "id", Type: String, Positional: true}}, Run: func(c *Call) (any, error) { return NewObject(thing, c.String("id")), nil }},
			{Name: "secret", Effect: Pure, Run: func(*Call) (any, error) {
				return NewSecret("pw", func(context.Context) (string, error) { return "hunter2", nil }), nil
			}},
			{
				Name: "step", Effect: Durable, Params: []Param{{Name: "fn", Type: FunctionType, Positional: true}},
				Run: func(c *Call) (any, error) {
					result, err := c.Func("fn").CallStep(c.Ctx, c.Task)
					if err != nil {
						return nil, err
					}
					return ToJSON(result)
				},
			},
			{
				Name: "hook", Effect: Observes, Params: []Param{{Name: "fn", Type: FunctionType, Positional: true}},
				Run: func(c *Call) (any, error) {
					ctx, cancel := context.WithCancel(c.Ctx)
					defer cancel()
					return c.Func("fn").CallContext(ctx, c.Task)
				},
			},
			ParallelFunc(), SpawnFunc(),
			{
				Name: "wait", Effect: Observes, Params: []Param{{Name: "for", Type: Duration, Positional: true}},
				Run: func(c *Call) (any, error) {
					_, err := testEnv.Clock.Wait(c.Ctx, c.Duration("for"), nil)
					return nil, err
				},
			},
		},
	}
}

var testEnv = engine.SystemEnv(1000)

// run executes files with main.lua as the plan; its result and everything that was logged.
func run(t *testing.T, ctx context.Context, files map[string]string) (any, []string, error) {
	t.Helper()
	var log []string
	rt := New(Options{
		Modules: []Module{probeModule(&log)}, Path: []string{"", "lib"}, MathSeed: 7,
		Print: func(text string) { log = append(log, "print "+text) },
		ReadFile: func(path string) ([]byte, error) {
			text, ok := files[path]
			if path == "lib/slow.lua" {
				text, ok = `require "probe".wait(2) return 5`, true
			}
			if !ok {
				return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
			}
			return []byte(text), nil
		},
	})
	var result any
	err := engine.NewScheduler(testEnv).Run(ctx, ctx, "main", func(task *engine.Task) (err error) {
		result, err = rt.RunFile(task, "main.lua")
		return err
	})
	return result, log, err
}

func rendered(err error) string {
	var out bytes.Buffer
	var many Diagnostics
	var one *Diagnostic
	switch {
	case errors.As(err, &many):
		Render(&out, many...)
	case errors.As(err, &one):
		Render(&out, one)
	default:
		fmt.Fprintln(&out, err)
	}
	return out.String()
}

// TestDiagnostics compares what people read, for each way in which Lua code can be wrong.
func TestDiagnostics(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/diagnostics/*.lua")
	if err != nil || len(files) < 20 {
		t.Fatalf("testdata/diagnostics: %d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".lua"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, _, runErr := run(t, t.Context(), map[string]string{
				"main.lua": string(text), "lib/broken.lua": "local x = {\n  1 2\n}\n", "lib/fails.lua": "local t = nil\nreturn t.x\n",
				"lib/a.lua": "return require 'b'", "lib/b.lua": "return require 'a'",
			})
			if runErr == nil {
				t.Fatal("no error")
			}
			got, golden := rendered(runErr), strings.TrimSuffix(file, ".lua")+".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestLanguage runs code that must work; each returns true.
func TestLanguage(t *testing.T) {
	t.Parallel()
	cases := []struct{ name, code string }{
		{"upvalues survive a caught error (gopher-lua #448)", `local n = 0; local inc = function() n = n + 1 end; pcall(error, "x"); inc(); inc(); return n == 2`},
		{"pcall returns all results", `local ok, a, b = pcall(function() return 1, 2 end); return ok and a == 1 and b == 2`},
		{"pcall gives the code of a primitive's error", `local p = require "probe"; local ok, e = pcall(p.start, { name = "gone" }); return not ok and e.code == "vm-not-found" and tostring(e) == 'site "dr" has no VM named "gone"'`},
		{"pcall gives the real place of a Lua error", "local ok, e = pcall(function()\n  local t = nil\n  return t.x\nend)\nreturn not ok and e.at == 'main.lua:3:10' and e.code == 'lua-error'"},
		{"error with a table keeps it", `local ok, e = pcall(error, { code = 5 }); return not ok and e.code == 5`},
		{"error names its real place", "local ok, e = pcall(function()\n  error('boom') end)\nreturn e == 'main.lua:2:3: boom'"},
		{"error at level 0 has no place", `local ok, e = pcall(error, "boom", 0); return e == "boom"`},
		{"rethrown errors stay the same table", `local p = require "probe"; local ok, e = pcall(function() local ok, e = pcall(p.start, "gone"); error(e) end); return e.code == "vm-not-found"`},
		{"xpcall calls its handler", `local ok, e = xpcall(function() error("a", 0) end, function(m) return m .. "b" end); return not ok and e == "ab"`},
		{"positional and named arguments", `local p = require "probe"; return p.start("a").name == "a" and p.start { name = "b", timeout = 90 }.name == "b" and p.start "c".list[2] == "two"`},
		{"positional with options", `local p = require "probe"; return p.start("a", { rank = 2 }).name == "a"`},
		{"string methods", `return ("x"):upper() == "X" and ("%d"):format(3) == "3"`},
		{"error tables join with texts", `local ok, e = pcall(require "probe".start, "gone"); return ("failed: " .. e) == 'failed: site "dr" has no VM named "gone"'`},
		{"assert keeps a table", `local ok, e = pcall(assert, false, { code = 7 }); return e.code == 7`},
		{"tostring gives no address", `return tostring({}) == "table" and ("%s"):format(print) == "function"`},
		{"two tasks load one library", `local p = require "probe"; local r = p.parallel({ "a", "b" }, function() return require "slow" end); return r[1] == r[2] and r[1] == 5`},
		{"seeded random", `local a = math.random(1, 1000); return a >= 1 and a <= 1000 and a == math.floor(a)`},
		{"parallel keeps the order", `local p = require "probe"; local r = p.parallel({ "c", "a", "b" }, function(x) p.wait(x == "c" and 3 or 1); return x .. "!" end); return table.concat(r, "") == "c!a!b!"`},
		{"parallel with a limit", `local p = require "probe"; local now, most = 0, 0
			p.parallel({ "a", "b", "c", "d", "e" }, function() now = now + 1; most = math.max(most, now); p.wait(1); now = now - 1 end, { limit = 2 }); return most == 2`},
		{"parallel goes on after a failure", `local p = require "probe"; local seen = 0
			local ok, e = pcall(p.parallel, { "a", "b", "c" }, function(x) p.wait(1); seen = seen + 1; if x == "b" then error("no b", 0) end end); return not ok and seen == 3 and e.message:find("no b") ~= nil`},
		{"a parallel error lists all failures", `local ok, e = pcall(require "probe".parallel, { "a", "b" }, function(x) error("no " .. x, 0) end)
			return e.message == "2 of 2 parallel items failed: a: no a; b: no b" and tostring(e) == e.message`},
		{"an error of several arguments lists all", `local ok, e = pcall(require "probe".start, { rank = "x" }); return e.message:find("needs name", 1, true) ~= nil and e.message:find("rank is not", 1, true) ~= nil`},
		{"parallel stops on an error when asked to", `local p = require "probe"; local seen = 0
			pcall(p.parallel, { "a", "b", "c" }, function() seen = seen + 1; error("x") end, { limit = 1, stop_on_error = true }); return seen == 1`},
		{"parallel keys by function and field", `local p = require "probe"; return #p.parallel({ { k = "x" }, { k = "y" } }, function(i) return i.k end, { key = "k" }) == 2
			and #p.parallel({ 1, 2 }, function(i) return i end, { key = function(i) return "n" .. i end }) == 2`},
		{"parallel takes the list as it was at the call", `local p = require "probe"; local l = { "a", "b", "c" }
			local r = p.parallel(l, function(x) l[2] = "x"; l[3] = nil; p.wait(1); return x end, { limit = 1 }); return table.concat(r, "") == "abc"`},
		{"parallel refuses a table with names", `local ok, e = pcall(require "probe".parallel, { a = 1 }, function(x) return x end); return not ok and e.code == "bad-argument"`},
		{"parallel refuses the key of a spawned task", `local p = require "probe"; p.spawn(function() p.wait(1) end, "a")
			local ok, e = pcall(p.parallel, { "a", "b" }, function(x) return x end, { limit = 1 }); return not ok and e.code == "parallel-key"`},
		{"parallel stops on a refused key when asked to", `local p = require "probe"; local seen = 0; p.spawn(function() p.wait(1) end, "a")
			local ok = pcall(p.parallel, { "a", "b" }, function() seen = seen + 1 end, { stop_on_error = true }); return not ok and seen == 0`},
		{"spawn ends before the plan", `local p = require "probe"; p.spawn(function() p.wait(5); p.start "late" end); return true`},
		{"a hook may return before what it spawned", `local p = require "probe"; local done = false; p.hook(function() p.spawn(function() p.wait(1); done = true end) end); p.wait(5); return done`},
		{"calls through primitives do not nest without end", `local p = require "probe"; local function f(n) return n == 0 or p.hook(function() return f(n - 1) end) end
			local ok, e = pcall(f, 500); return f(100) and not ok and e.code == "stack-overflow"`},
		{"a secret shows its name only", `return tostring(require "probe".secret()) == "<secret pw>"`},
		{"objects are equal by what they stand for", `local p = require "probe"; return p.thing "a" == p.thing "a" and p.thing "a" ~= p.thing "b"`},
		{"leading zeros", `return 007 == 7 and 0 == 0 and 0.5 == 1/2 and 0x10 == 16`},
		{"long brackets", "local s = [[a\nb]]; return s == 'a\\nb' and [==[x]]y]==] == 'x]]y'"},
		{"call across a line after a bracket", "local f = function(...) return select('#', ...) end\nreturn (f)(1, 2) == 2 and (f)\n(1) == 1"},
		{"steps return their copy", `local p = require "probe"; local r = p.step(function() return { a = { 1, 2 } } end); return r.a[2] == 2`},
		{"goto and varargs", `local function f(...) local n = 0; for _, v in ipairs { ... } do if v == 2 then goto skip end n = n + v ::skip:: end return n end; return f(1, 2, 3) == 4`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			result, log, err := run(t, t.Context(), map[string]string{"main.lua": c.code})
			if err != nil {
				t.Fatal(rendered(err))
			}
			if result != true {
				t.Errorf("returned %v; log %q", result, log)
			}
		})
	}
}

// TestSandbox attacks each promise of the sandbox; every attack must end in an error of the plan.
func TestSandbox(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		`io.open("/etc/passwd")`, `os.execute("true")`, `debug.getinfo(1)`, `coroutine.create(print)`, `dofile "x.lua"`, `loadstring "return 1"`,
		`load(function() end)`, `loadfile "x"`, `setfenv(1, {})`, `getfenv()`, `newproxy()`, `collectgarbage()`, `module "x"`, `_G.x = 1`, `_printregs()`,
		`x = 1`, `string.upper = nil`, `string = nil`, `math.pi = 3`, `table.insert = 1`, `print = nil`,
		`rawset(string, "upper", 1)`, `setmetatable(string, {})`, `getmetatable("").__index.upper = 1`, `getmetatable("").__index = 1`,
		`local p = require "probe"; p.start = 1`, `rawset(require "probe", "start", 1)`, `setmetatable(require "probe", {})`,
		`table.insert(string, "x")`, `table.sort(require "probe")`, `local function f() pcall(f) error("x") end f()`, `pcall(require "probe".panics)`,
		`require "probe".thing("a").id = "b"`, `local t = require "probe".thing("a"); t.touch("not a thing")`,
		`require "../secret"`, `require "/etc/passwd"`, `require "a/../../b"`,
		`local s = require "probe".secret(); return "x" .. s`, `local s = require "probe".secret(); return #s`, `require "probe".step(function() return require "probe".secret() end)`,
		`require "probe".step(function() return function() end end)`, `require "probe".step(function() return 0/0 end)`,
		`local t = {}; t.t = t; require "probe".step(function() return t end)`,
		`return ("x"):rep(1e9)`, `error("\1" .. "99\1:3: no file of ours", 0)`, `error(setmetatable({}, { __name = "drrun.error", go = require "probe".thing "a" }))`,
		`require "probe".step(function() require "probe".start "a" end)`, `require "probe".step(function() require "probe".parallel({}, print) end)`,
		`local function f() return f() + 1 end; f()`,
	} {
		t.Run(code, func(t *testing.T) {
			result, _, err := run(t, t.Context(), map[string]string{"main.lua": code})
			if err == nil {
				t.Errorf("it worked and returned %v", result)
			}
			var panicked *engine.PanicError
			if errors.As(err, &panicked) && panicked.Value != "broken" { // which is what probe.panics panics with
				t.Error(err)
			}
		})
	}
}

func TestCancelStopsLoopsAndCannotBeCaught(t *testing.T) {
	t.Parallel()
	for _, code := range []string{
		`while true do end`, `while true do pcall(function() while true do end end) end`, `::a:: goto a`, `local p = require "probe"; while true do pcall(p.wait, "1h") end`,
		`table.sort({ 3, 2, 1 }, function(a, b) while true do end end)`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		_, _, err := run(t, ctx, map[string]string{"main.lua": code})
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: ended with %v", code, err)
		}
	}
}

// TestCancelKeepsWhatFailed has a change that fails, or breaks, after the cancel.
func TestCancelKeepsWhatFailed(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, fail := range map[string]func() error{"an error": func() error { return broken }, "a panic": func() error { panic(broken) }} {
		for _, code := range []string{`require "m".change()`, `pcall(require "m".change)`, `require "m".parallel({ "a" }, function() pcall(require "m".change) end)`} {
			ctx, cancel := context.WithCancel(t.Context())
			rt := New(Options{
				Modules: []Module{{Name: "m", Funcs: []Func{
					{Name: "change", Effect: Changes, Run: func(*Call) (any, error) { cancel(); return nil, fail() }}, ParallelFunc(),
				}}},
				ReadFile: func(string) ([]byte, error) { return []byte(code), nil },
			})
			err := engine.NewScheduler(testEnv).Run(ctx, t.Context(), "main", func(task *engine.Task) error {
				_, err := rt.RunFile(task, "main.lua")
				return err
			})
			if !errors.Is(err, context.Canceled) || !errors.Is(err, broken) {
				t.Errorf("%s in %s: ended with %v", name, code, err)
			}
		}
	}
}

func TestGoErrorsSurviveLua(t *testing.T) {
	t.Parallel()
	_, _, err := run(t, t.Context(), map[string]string{"main.lua": `local p = require "probe"
		local ok, e = pcall(p.parallel, { "x" }, function() p.start "gone" end)
		error(e)`})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the Go error inside is lost: %v", err)
	}
}

func TestThousandTasks(t *testing.T) {
	t.Parallel()
	result, _, err := run(t, t.Context(), map[string]string{"main.lua": `
		local p = require "probe"
		local names, failed = {}, 0
		for i = 1, 1000 do names[i] = "t" .. i end
		local r = p.parallel(names, function(name)
			for round = 1, 5 do
				local ok = pcall(function() p.wait("10ms"); if round == 3 then error("three") end end)
				if not ok then failed = failed + 1 end
			end
			return name
		end)
		return #r == 1000 and r[1000] == "t1000" and failed == 1000`})
	if err != nil || result != true {
		t.Errorf("%v, %v", result, err)
	}
}

// longPlan is a plan text of n VMs with MAC and address.
func longPlan(n int) string {
	var b strings.Builder
	b.WriteString("local p = require \"probe\"\nreturn p.plan {\n  name = \"long\",\n  vms = {\n")
	for i := range n {
		fmt.Fprintf(&b, "    { name = \"vm%d\", rank = %d },\n", i, i%7)
	}
	b.WriteString("  },\n}\n")
	return b.String()
}

func TestLongTable(t *testing.T) {
	t.Parallel()
	result, _, err := run(t, t.Context(), map[string]string{"main.lua": longPlan(5000)})
	if err != nil || result != 5000.0 {
		t.Fatalf("%v, %v", result, err)
	}
	// Places stay right behind the first chunk.
	broken := strings.Replace(longPlan(5000), `name = "vm4321", rank`, `name = "vm4321", rnak`, 1)
	_, _, err = run(t, t.Context(), map[string]string{"main.lua": broken})
	if text := rendered(err); !strings.HasPrefix(text, "main.lua:4326:24: error: probe.plan: vms[4322] has no key \"rnak\" [unknown-key]") {
		t.Error(text)
	}
}

func TestLongListKeepsItsPlaces(t *testing.T) {
	t.Parallel()
	items := slices.Repeat([]string{"7"}, 1100)
	items[0], items[499] = "nil", "nil"
	result, _, err := run(t, t.Context(), map[string]string{
		"main.lua": "local t = { " + strings.Join(items, ", ") + " } return t[1] == nil and t[2] == 7 and t[500] == nil and t[501] == 7 and #t == 1100",
	})
	if err != nil || result != true {
		t.Errorf("%v, %v", result, err)
	}
}

// A long table with names is compiled in parts too, and reads as it is written: the last of two equal keys wins, nil is left out.
func TestLongNamedTable(t *testing.T) {
	t.Parallel()
	var fields []string
	for i := range 1000 {
		fields = append(fields, fmt.Sprintf("k%d = { n = %d }", i, i))
	}
	fields = append(fields, "k7 = { n = -7 }", "k9 = nil")
	result, _, err := run(t, t.Context(), map[string]string{"main.lua": "local x = 5 local t = { " + strings.Join(fields, ", ") + ", up = x } local count = 0 for k, v in pairs(t) do count = count + 1 end " +
		"return count == 1001 and t.k0.n == 0 and t.k999.n == 999 and t.k7.n == -7 and t.up == 5"})
	if err != nil || result != true {
		t.Error(result, err)
	}
}

// TestLongTablesCompileInParts holds how many constants a function has, which gopher-lua searches one by one, apart from the length of the
// tables, for lists and for tables with names.
func TestLongTablesCompileInParts(t *testing.T) {
	t.Parallel()
	var largest func(proto *glua.FunctionProto) int
	largest = func(proto *glua.FunctionProto) int {
		most := len(proto.Constants)
		for _, inner := range proto.FunctionPrototypes {
			most = max(most, largest(inner))
		}
		return most
	}
	text := func(count int) string {
		var list, named strings.Builder
		for n := range count {
			fmt.Fprintf(&list, "{ name = \"vm%d\", id = \"%d\", rank = 1 },\n", n, -n)
			fmt.Fprintf(&named, "vm%d = { mac = \"m%d\", ip = \"i%d\" },\n", n, n, n)
		}
		return "return { vms = {\n" + list.String() + "}, addresses = {\n" + named.String() + "} }"
	}
	most := map[int]int{}
	for _, count := range []int{500, 2000} {
		_, proto, err := compileSource("main.lua", markOf(0), []byte(text(count)))
		if err != nil {
			t.Fatal(err)
		}
		most[count] = largest(proto)
	}
	if most[500] != most[2000] || most[500] > 400 {
		t.Errorf("the largest function has %d constants with 500 VMs and %d with 2,000", most[500], most[2000])
	}
}

func BenchmarkLoad5000VMs(b *testing.B) {
	text := []byte(longPlan(5000))
	for b.Loop() {
		if _, _, err := compileSource("plan.lua", markOf(0), text); err != nil {
			b.Fatal(err)
		}
	}
}

// TestFunctionText takes functions out of their files as they are written; what is compared with an older text of itself may begin at a bracket.
func TestFunctionText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"one line":          {`local a = 1 return function(x) return a + x end -- behind`, `function(x) return a + x end`},
		"several lines":     {"return  function (x)\n  if x then\n    return (x)\n  end -- é\nend", "function (x)\n  if x then\n    return (x)\n  end -- é\nend"},
		"one in another":    {"local function outer()\r\n  return function() return 'end' end\r\nend\r\nreturn outer()", "function() return 'end' end"},
		"a function of Go":  {"return tostring", ""},
		"behind a bracket":  {"local f = (function() return (1) end)\nreturn f", "(function() return (1) end"},
		"a local function":  {"local function f(a, b)\n  return a\nend\nreturn f", "(a, b)\n  return a\nend"},
		"the second of two": {"local t = { function() return 1 end, function() return 2 end }\nreturn t[2]", "function() return 2 end"},
	} {
		result, _, err := run(t, context.Background(), map[string]string{"main.lua": c.text})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := result.(*Function).Text(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
