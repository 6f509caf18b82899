package runner_test

import (
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// TestLibraryCheck calls a library's check before anything is begun.
func TestLibraryCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, check, says string
		exit              int
	}{
		{"content", `if #ctx.target:hosts() < 1 or options.min ~= 1 then error("no") end`, "", 0},
		{"not content", `error("the array does not know " .. ctx.facts.storage_domains[1].name)`, "the check of library array", 3},
		{"changes something", `ctx.target:import_domain(ctx.facts.storage_domains[1].name)`, "may only observe", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 14, lab.TwoSitesOptions{})
			p.write("/site/lib/array.lua", `local dr = require "dr"
return dr.library { name = "array", options = { min = { type = "number", default = 1 } }, check = function(ctx, options) `+c.check+` end }
`)
			p.edit("return plan\n", "plan:use(require \"array\")\nreturn plan\n")
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			if c.says != "" && !strings.Contains(r.Error.Message, c.says) {
				t.Errorf("error %+v", r.Error)
			}
			if c.exit == 3 && len(p.changes()) > 0 {
				t.Errorf("changed: %v", p.changes())
			}
		})
	}
}
