package runner

import (
	"slices"
	"testing"
)

func TestNamesIn(t *testing.T) {
	t.Parallel()
	n := namesIn(map[string][]byte{
		"plan.lua": []byte("-- don't\nctx:step(\"mail\", f) ctx:step('dns', f)\nctx:prompt { name = [[array]] } -- it's \"odd\nctx:step(\"post\", { was = \"letter\" }, f)\nctx:step(\"a\", { was= 'dns' }, f)\n"),
		"lib.lua":  []byte(`return { "mail", was = "both", n = "both" }`),
	})
	for name, want := range map[string]struct {
		files   []string
		renamed bool
	}{
		"mail": {[]string{"lib.lua", "plan.lua"}, false}, "dns": {[]string{"plan.lua"}, false}, "array": {[]string{"plan.lua"}, false},
		"post": {[]string{"plan.lua"}, false}, "letter": {[]string{"plan.lua"}, true}, "both": {[]string{"lib.lua"}, false}, "mai": {nil, false},
	} {
		if got := n.files[name]; !slices.Equal(got, want.files) || n.renamed[name] != want.renamed {
			t.Errorf("%s: %v, renamed %v; want %v, %v", name, got, n.renamed[name], want.files, want.renamed)
		}
	}
}
