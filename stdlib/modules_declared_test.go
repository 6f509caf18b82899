package stdlib

import (
	"slices"
	"testing"

	"drrun/lua"
)

// TestModulesAreDeclared: every function says what it does and to what, and what can be kept waiting by another machine or a program has a
// time-out.
func TestModulesAreDeclared(t *testing.T) {
	t.Parallel()
	boot, modules := Connect(Surroundings{})
	far := []string{"dns", "exec", "http", "notify", "ping", "ssh", "tcp"}
	for _, module := range append(modules, boot) {
		if module.Doc == "" || len(module.Funcs) == 0 {
			t.Errorf("module %s has no text, or no functions", module.Name)
		}
		for _, fn := range module.Funcs {
			name := module.Name + "." + fn.Name
			if fn.Doc == "" {
				t.Errorf("%s has no text", name)
			}
			timeout := slices.IndexFunc(fn.Params, func(p lua.Param) bool { return p.Name == "timeout" })
			if slices.Contains(far, module.Name) && fn.Effect != lua.Pure && (timeout < 0 || fn.Params[timeout].Default == nil) {
				t.Errorf("%s has no time-out", name)
			}
			for _, p := range fn.Params {
				if p.Doc == "" {
					t.Errorf("%s: parameter %s has no text", name, p.Name)
				}
			}
			if module.Name == "dr.boot" && fn.Effect != lua.Pure {
				t.Errorf("%s is not declared pure", name)
			}
		}
	}
}
