package stdlib

import (
	"reflect"
	"testing"
)

// TestTexts calls what only computes: also while a plan is being loaded, which is why there is no session.
func TestTexts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code string
		want       any
	}{
		{"an object", `return require "json".decode('{"a": [1, "x", true, {"b": 2.5}], "n": null}')`,
			map[string]any{"a": []any{1.0, "x", true, map[string]any{"b": 2.5}}}},
		{"null in a list keeps the places", `local j = require "json"; local l = j.decode "[1,null,3]"; return { #l, l[2] == j.null, j.encode(l) }`,
			[]any{3.0, true, "[1,null,3]"}},
		{"a big number stays exact", `local v = require "json".decode '{"id": 9007199254740993, "ok": 9007199254740992, "f": 1e300}'; return { v.id, v.ok, v.f }`,
			[]any{"9007199254740993", 9007199254740992.0, 1e300}},
		{"encode", `local j = require "json"; return j.encode { b = { j.null }, a = "<&>\n", c = {}, d = j.empty_list, e = 5 }`,
			`{"a":"<&>\n","b":[null],"c":{},"d":[],"e":5}`},
		{"encode in lines", `return require "json".encode({ a = 1 }, { indent = true })`, "{\n  \"a\": 1\n}"},
		{"yaml", "return require 'yaml'.decode [[\na: &x {n: 1, t: 2026-01-02}\nb: {<<: *x, n: 2}\nc: [~, 0x10, 1.5, 'yes', yes, 9007199254740993]\n5: five\nz: null\n]]",
			map[string]any{"a": map[string]any{"n": 1.0, "t": "2026-01-02"}, "b": map[string]any{"n": 2.0, "t": "2026-01-02"}, "5": "five"}},
		{"yaml written", `return require "yaml".encode { vms = { "a", "b" }, n = 3, at = "2026-01-02", f = 0.5 }`,
			"at: \"2026-01-02\"\nf: 0.5\n\"n\": 3\nvms:\n    - a\n    - b\n"},
		{"csv by name", `return require "csv".decode("\239\187\191name;ip\nweb;10.0.0.1\n\"d;b\";\n", { separator = ";" })`,
			[]any{map[string]any{"name": "web", "ip": "10.0.0.1"}, map[string]any{"name": "d;b", "ip": ""}}},
		{"csv as lists", `return require "csv".decode("a,b\nc,d", { header = false })`, []any{[]any{"a", "b"}, []any{"c", "d"}}},
		{"csv written", `return require "csv".encode({ { name = "a,b", n = 1 }, { name = "c" } })`, "n,name\n1,\"a,b\"\n,c\n"},
		{"csv written in an order", `return require "csv".encode { rows = { { b = true, a = 0.1 } }, columns = { "b", "a" }, separator = "\t" }`, "b\ta\ntrue\t0.1\n"},
		{"a template", `return require "template".render("VM ${vm.name}: ${nics.2.mac} (${n}) $${x} 5$", { vm = { name = "db" }, nics = { {}, { mac = "00:1a" } }, n = 3 })`,
			"VM db: 00:1a (3) ${x} 5$"},
		{"a time in another zone", `return require "time".format("2026-07-01T12:00:00.25Z", "%F %T,%L %Z|%s|100%%", { zone = "Europe/Paris" })`, "2026-07-01 14:00:00,250 CEST|1782907200|100%"},
		{"a time read", `local t = require "time"; return { t.parse("20.11.2026 03:04", { format = "%d.%m.%Y %H:%M", zone = "Europe/Paris" }), t.parse("2026-11-20T03:04:05+02:00"), t.parse("1763607845.5", { format = "unix" }) }`,
			[]any{"2026-11-20T02:04:00Z", "2026-11-20T01:04:05Z", "2025-11-20T03:04:05.5Z"}},
		{"reckoning with time", `local t = require "time"; local a = t.add("2026-02-28T23:00:00Z", "2h"); return { a, t.sub(a, "1d"), t.between(a, "2026-02-28T23:00:00Z") }`,
			[]any{"2026-03-01T01:00:00Z", "2026-02-28T01:00:00Z", -7200.0}},
		{"log outside of a run", `return require "log".info("x")`, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := newScene(t).lua(c.code)
			if err != nil {
				t.Fatal(err)
			}
			if table, isTable := got.(map[string]any); isTable && c.name == "yaml" {
				list := table["c"].([]any)
				if !reflect.DeepEqual(list[1:], []any{16.0, 1.5, "yes", "yes", "9007199254740993"}) {
					t.Errorf("the list is %#v", list)
				}
				delete(table, "c")
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %#v\nwant %#v", got, c.want)
			}
		})
	}
}

func TestTextsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, code, want string
		words            []string
	}{
		{"broken JSON", "return require 'json'.decode('{\\n  \"a\": 1,\\n}')", "bad-json", []string{"line 3, column 1", "main.lua:1:"}},
		{"cut JSON", `return require "json".decode '{"a": [1'`, "bad-json", []string{"line 1"}},
		{"two JSON values", `return require "json".decode '{} {}'`, "bad-json", []string{"line 1, column 4", "follows"}},
		{"no JSON", `return require "json".decode ""`, "bad-json", []string{"empty"}},
		{"a secret", `return require "json".encode { a = { require "dr".secret "pw" } }`, "bad-argument", []string{"value.a[1] is a secret"}},
		{"a function", `return require "json".encode { a = print }`, "bad-argument", []string{"function"}},
		{"broken YAML", `return require "yaml".decode "a: [1"`, "bad-yaml", []string{"line 1"}},
		{"two YAML documents", "return require 'yaml'.decode 'a: 1\\n---\\nb: 2\\n'", "bad-yaml", []string{"more than one"}},
		{"a repeated YAML key", "return require 'yaml'.decode 'a: 1\\na: 2\\n'", "bad-yaml", []string{"already defined"}},
		{"a YAML bomb", `local t = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n"; for i = 1, 9 do local p = "*a" .. (i - 1); t = t .. "a" .. i .. ": &a" .. i .. " [" .. p .. (", " .. p):rep(8) .. "]\n" end; return require "yaml".decode(t)`,
			"bad-yaml", []string{"excessive aliasing"}},
		{"ragged CSV", `return require "csv".decode "a,b\n1\n"`, "bad-csv", []string{"line 2"}},
		{"two columns of a name", `return require "csv".decode "a,a\n1,2\n"`, "bad-csv", []string{`"a"`}},
		{"a bad separator", `return require "csv".decode("a", { separator = "ab" })`, "bad-argument", []string{"one character"}},
		{"a secret in CSV", `return require "csv".encode { { require "dr".secret "pw" } }`, "bad-argument", []string{"row 1, field 1 is a secret"}},
		{"a column that is none", `return require "csv".encode { rows = { { a = 1 } }, columns = { "b" } }`, "bad-argument", []string{`"a"`}},
		{"a missing name", "return require 'template'.render('x\\n${hots}', { host = 'a' })", "template-name", []string{"line 2", "${hots}", `did you mean "host"?`}},
		{"a secret in a template", `return require "template".render("${pw}", { pw = require "dr".secret "pw" })`, "template-name", []string{"is a secret"}},
		{"an open template", `return require "template".render("${a", {})`, "bad-template", []string{"line 1"}},
		{"no time", `return require "time".add("yesterday", "1h")`, "bad-time", []string{"RFC 3339"}},
		{"no day", `return require "time".parse("2026-02-30", { format = "%F" })`, "bad-time", []string{"2026-02-30"}},
		{"a format with digits", `return require "time".parse("1 2026", { format = "1 %Y" })`, "bad-time", []string{"cut it off"}},
		{"an unknown directive", `return require "time".format("2026-01-01T00:00:00Z", "%Q")`, "bad-argument", []string{"%Q"}},
		{"no zone", `return require "time".format("2026-01-01T00:00:00Z", "%F", { zone = "Mars/Base" })`, "bad-argument", []string{"Mars/Base"}},
		{"a secret in a log line", `require "log".info("x", { pw = require "dr".secret "pw" })`, "bad-argument", []string{"is a secret"}},
		{"the time while a plan is loaded", `return require "time".now()`, "outside-a-run", []string{"in a hook"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := newScene(t).lua(c.code)
			raised(t, err, c.want, c.words...)
		})
	}
}

// TestLog sees that lines with fields reach the journal, and that warnings are warnings.
func TestLog(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	s.must(s.lua(`local log = require "log"; log.info("moved", { vm = "db", n = 2 }); log.warn "late"`))
	if got := s.session.Warnings(); !reflect.DeepEqual(got, []string{"late"}) {
		t.Errorf("warnings %q", got)
	}
	s.end()
	var lines []string
	for _, event := range s.events {
		if event.Kind == "log" {
			lines = append(lines, event.Text)
		}
	}
	if want := []string{`moved {"n":2,"vm":"db"}`}; !reflect.DeepEqual(lines, want) {
		t.Errorf("lines %q, want %q", lines, want)
	}
}

// TestNow sees that the time is the run's own.
func TestNow(t *testing.T) {
	t.Parallel()
	s := newScene(t).begin()
	before := rfc3339(s.env.Clock.Now())
	got := s.must(s.lua(`return require "time".now()`)).(string)
	if after := rfc3339(s.env.Clock.Now()); got < before[:19] || got > after {
		t.Errorf("now is %s, between %s and %s", got, before, after)
	}
}
