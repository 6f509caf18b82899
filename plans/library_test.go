package plans

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestLibraryOptions: what a plan leaves out has its default, at every depth; what it gives is taken as it is.
func TestLibraryOptions(t *testing.T) {
	t.Parallel()
	broken, err := os.ReadFile("testdata/broken/lib_options_nested/plan.lua")
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(broken), "plan:use(")
	for _, c := range []struct {
		name, declared, given string
		want                  map[string]any
	}{
		{"defaults inside of a table that is left out", `login = { fields = { timeout = { type = "duration", default = "30s" }, user = { type = "string" } } }`, ``,
			map[string]any{"login": map[string]any{"timeout": "30s"}}},
		{"a table that needs a value is left out as a whole", `login = { fields = { timeout = { default = "30s" }, user = { required = true } } }`, ``,
			map[string]any{}},
		{"defaults beside what is given", `login = { fields = { timeout = { default = "30s" }, user = { required = true } } }`, `{ login = { user = "ann" } }`,
			map[string]any{"login": map[string]any{"timeout": "30s", "user": "ann"}}},
		{"three levels", `a = { fields = { b = { fields = { c = { default = 7 } } } } }`, `{ a = {} }`,
			map[string]any{"a": map[string]any{"b": map[string]any{"c": 7.0}}}},
		{"one of the values", `mode = { values = { "sync", "async" } }`, `{ mode = "async" }`, map[string]any{"mode": "async"}},
		{"values of one type", `luns = { type = "list", of = "integer" }, tags = { type = "table", of = "string" }`, `{ luns = { 1, 2 }, tags = { a = "b" } }`,
			map[string]any{"luns": []any{1.0, 2.0}, "tags": map[string]any{"a": "b"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "plan.lua")
			write(t, file, head+`plan:use(dr.library { name = "array", options = { `+c.declared+` }, hooks = { after_run = function() end } } `+c.given+`)
return plan
`)
			p, found, shown := load(t, file, Options{})
			if len(found) > 0 {
				t.Fatal(shown)
			}
			if got := p.Libraries[0].Options; !reflect.DeepEqual(got, c.want) {
				t.Errorf("the options are %v, want %v", got, c.want)
			}
		})
	}
}
