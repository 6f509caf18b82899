package runner_test

import (
	"encoding/json"
	"strings"
	"testing"

	"drrun/ovirt/lab"
)

// TestSecretsStayInside runs plans that try to let a password out (invariant I5), and looks for it in everything that is left:
// the state folder, the result, the events, and what the lab has logged.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, hook string
		exit       int
	}{
		{"a plain failover", ``, 0},
		{"tostring shows the name only", `ctx:log(tostring(pw))`, 0},
		{"joined to a text", `ctx:log("the password is " .. pw)`, 4},
		{"as the result of a hook", `return pw`, 4},
		{"as the result of a step", `ctx:step("leak", function() return { pw } end)`, 4},
		{"in an error", `error({ code = "leak", message = pw })`, 4},
		{"through string.format", `ctx:log(("%s"):format(pw))`, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 15, lab.TwoSitesOptions{})
			p.edit("return plan\n", "local pw = dr.secret \"secondary_password\"\nplan:on(\"before_start\", function(ctx, vm) "+c.hook+" end)\nreturn plan\n")
			p.lose()
			r := p.failover(nil)
			expect(t, r, c.exit)
			left := map[string]string{}
			for _, path := range p.disk.Files() {
				left[path] = p.read(path)
			}
			for name, value := range map[string]any{"the result": r, "the events": p.out, "the lab's log": p.lab.Log()} {
				text, err := json.Marshal(value)
				if err != nil {
					t.Fatal(err)
				}
				left[name] = string(text)
			}
			for place, text := range left {
				for _, secret := range []string{lab.PrimaryPassword, lab.SecondaryPassword} {
					if strings.Contains(text, secret) {
						t.Errorf("%s holds the password %s", place, secret)
					}
				}
			}
		})
	}
}
