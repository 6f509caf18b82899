package stdlib

import "testing"

// TestLivesAtTarget: that the other engine does not know a storage domain proves something only where the site had it when the action began,
// and no run has taken it away since.
func TestLivesAtTarget(t *testing.T) {
	t.Parallel()
	here := FactPlace{DataCenterID: "dc"}
	cases := []struct {
		name   string
		own    bool
		domain FactDomain
		want   bool
	}{
		{"no run has moved it", true, FactDomain{ID: "d", Target: here, Unrecorded: true}, true},
		{"a run has brought it", true, FactDomain{ID: "d", Target: here, CameBy: "r"}, true},
		{"the last run took it away", true, FactDomain{ID: "d", Target: here}, false},
		{"it is not attached", true, FactDomain{ID: "d", Unrecorded: true}, false},
		{"a move", false, FactDomain{ID: "d", Target: here, Unrecorded: true}, false},
		{"another one", true, FactDomain{ID: "x", Target: here, Unrecorded: true}, false},
	}
	for _, c := range cases {
		facts := &Facts{Own: c.own, Domains: []FactDomain{c.domain}}
		if got := facts.LivesAtTarget("d"); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
