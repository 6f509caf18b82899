package annotations

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

// TestSettings adds to settings as people write them.
func TestSettings(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, in string
		want     []string // what the result holds
		replaced string
	}{
		{"nothing", "", []string{"{\n  \"$schema\": ", "\"runtime.version\": \"Lua 5.1\",\n  \"runtime.path\": [\"?.lua\", \"lib/?.lua\"]", "    \"io\": \"disable\",\n", "false\n}\n"}, ""},
		{"an empty object", "{}", []string{"{\n  \"$schema\"", "false}"}, ""},
		{"another setting, with a comment", "{\n\t// no noise\n\t\"diagnostics.disable\": [\"unused-local\"] // really\n}\n",
			[]string{"{\n\t// no noise\n\t\"diagnostics.disable\": [\"unused-local\"], // really\n\t\"$schema\"", "\n\t\t\"io\": \"disable\",\n", "false\n}\n"}, ""},
		{"a list with a comment behind its last comma", "{\"workspace.library\": [\n  \"/opt\", // shared\n]}",
			[]string{"[\n  \"/opt\", // shared\n  \".drrun/types\",\n]"}, ""},
		{"a list with a comment and no last comma", "{\"workspace.library\": [\"/opt\" // shared\n]}", []string{"[\"/opt\", // shared\n \".drrun/types\"\n]"}, ""},
		{"a list on one line", `{"Lua.workspace.library": ["/opt"]}`, []string{`["/opt", ".drrun/types"]`}, ""},
		{"one object in another", `{"Lua": {"runtime": {"version": "LuaJIT", "path": []}}}`, []string{`"version": "Lua 5.1", "path": ["?.lua", "lib/?.lua"]`}, `runtime.version was LuaJIT and is Lua 5.1 now`},
		{"a library that is wanted", `{"runtime.builtin": {"io": "enable", "mine": "enable"}}`, []string{`"io": "disable", "mine": "enable",`}, ""},
		{"null", `{"workspace.checkThirdParty": null}`, []string{`"workspace.checkThirdParty": false`}, `workspace.checkThirdParty was null and is false now`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, replaced, err := Settings([]byte(test.in), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range test.want {
				if !strings.Contains(string(after), want) {
					t.Errorf("the result lacks %q:\n%s", want, after)
				}
			}
			if got := strings.Join(replaced, "; "); got != test.replaced {
				t.Errorf("replaced %q, not %q", got, test.replaced)
			}
			repeated(t, after)
		})
	}
}

// repeated adds to the result once more: nothing may change.
func repeated(t *testing.T, settings []byte) {
	t.Helper()
	again, replaced, err := Settings(settings, nil)
	if err != nil || string(again) != string(settings) || len(replaced) > 0 {
		t.Errorf("a second time (%v, %v):\n%s\nbecomes\n%s", err, replaced, settings, again)
	}
}

func TestSettingsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{"{", "it is not JSON: line 1, column 2: "},
		{"runtime.version = 5", "it is not JSON: line 1, column 1: "},
		{"[]", "no object with settings"},
		{`{"runtime.path": "?.lua"}`, "its setting runtime.path is not a list"},
		{`{"runtime": {"builtin": []}}`, "its setting runtime.builtin is not an object"},
		{`{"runtime.version": ["Lua 5.1"]}`, "its setting runtime.version is not a single value"},
	} {
		after, _, err := Settings([]byte(test.in), nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || !errors.As(err, new(*SettingsError)) {
			t.Errorf("%s: %v, not %q", test.in, err, test.want)
		}
		if after != nil {
			t.Errorf("%s: a result beside the error", test.in)
		}
	}
}

// FuzzSettings: what is accepted stays JSON, keeps every other setting, and needs nothing more.
func FuzzSettings(f *testing.F) {
	for _, seed := range []string{"", "{}", "{ // x\n}", `{"a": 1,}`, `{"runtime": {"version": 1 /* y */}}`, "{\"workspace.library\": [ // z\n]}", `{"a": [1, 2], "runtime.builtin": {"io": {}}}`, `{"runtime.path": ["?.lua", 7, // last
]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		after, _, err := Settings(in, []string{"/lib"})
		if err != nil {
			return
		}
		standard, err := hujson.Standardize(bytes.Clone(after)) // in place
		if err != nil || !json.Valid(standard) {
			t.Fatalf("%q became what is no JSON: %v\n%s", in, err, after)
		}
		again, replaced, err := Settings(after, []string{"/lib"})
		if err != nil || string(again) != string(after) || len(replaced) > 0 {
			t.Fatalf("a second time (%v, %v): %q becomes %q", err, replaced, after, again)
		}
		for _, comment := range []string{"// x", "/* y */", "// z", "// last"} {
			if strings.Contains(string(in), comment) && !strings.Contains(string(after), comment) {
				t.Fatalf("%q lost %s: %s", in, comment, after)
			}
		}
	})
}
