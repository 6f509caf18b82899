package plans

import (
	"slices"
	"strings"
	"testing"

	"drrun/lua"
	"drrun/stdlib"
)

func TestLineDiff(t *testing.T) {
	for _, tt := range []struct{ name, before, after, want string }{
		{"nothing", "a\nb\n", "a\nb\n", ""},
		{"a line changed", "a\nb\nc\n", "a\nx\nc\n", "@@ 2 → 2|- b|+ x"},
		{"added at the end", "a\n", "a\nb\n", "@@ 2 → 2|+ b"},
		{"removed at the start", "a\nb\n", "b\n", "@@ 1 → 1|- a"},
		{"two groups", "a\nb\nc\nd\ne\n", "a\nx\nc\nd\ny\ne\n", "@@ 2 → 2|- b|+ x|@@ 5 → 5|+ y"},
		{"a new file", "", "a\n", "@@ 1 → 1|+ a"},
		{"a password", "a\n", "password = \"sesame\"\n", "@@ 1 → 1|- a|+ password = ********"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(LineDiff(tt.before, tt.after), "|"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	// Too large for a table: all of what differs is shown as removed and added.
	a, b := strings.Repeat("a\n", 3000), strings.Repeat("b\n", 3000)
	if got := LineDiff("same\n"+a, "same\n"+b); len(got) != 6001 || got[0] != "@@ 2 → 2" || got[1] != "- a" || got[6000] != "+ b" {
		t.Errorf("%d lines", len(got))
	}
}

func TestCompare(t *testing.T) {
	base := func() *Plan {
		return &Plan{
			Primary: SiteSpec{URL: "https://a"}, Secondary: SiteSpec{URL: "https://b"},
			StorageDomains: []StorageDomain{{Name: "ds", ID: "1"}},
			VMs:            []VM{{Name: "vm1", ID: "1", Rank: 1, Boot: &stdlib.Condition{}}, {Name: "vm2", ID: "2", Boot: &stdlib.Condition{}}},
			Hooks:          []Hook{{Point: "before_start", Handler: "plan"}},
			Workflows:      map[string]*lua.Function{},
		}
	}
	for _, tt := range []struct {
		name   string
		change func(*Plan)
		want   PlanChanges
	}{
		{"nothing", func(*Plan) {}, PlanChanges{}},
		{"a site", func(p *Plan) { p.Secondary.URL = "https://c" }, PlanChanges{Refused: []string{`site secondary: url was "https://b" and is "https://c"`}}},
		{"a storage domain more", func(p *Plan) { p.StorageDomains = append(p.StorageDomains, StorageDomain{Name: "new"}) }, PlanChanges{Refused: []string{"storage domain new: added"}}},
		{"a storage domain less", func(p *Plan) { p.StorageDomains = nil }, PlanChanges{Refused: []string{"storage domain ds: removed"}}},
		{"a VM less", func(p *Plan) { p.VMs = p.VMs[:1] }, PlanChanges{Later: []string{"VM vm2: removed"}}},
		{"a hook", func(p *Plan) { p.Hooks = append(p.Hooks, Hook{Point: "after_start", Handler: "mail"}) }, PlanChanges{Taken: []string{"hook after_start (mail): added"}}},
		{"a workflow", func(p *Plan) { p.Workflows["failover"] = nil }, PlanChanges{Taken: []string{"workflow failover: added"}}},
		{"params", func(p *Plan) { p.Params = map[string]any{"a": 1.0} }, PlanChanges{Later: []string{"params"}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			after := base()
			tt.change(after)
			got := Compare(base(), after)
			if !slices.Equal(got.Refused, tt.want.Refused) || !slices.Equal(got.Taken, tt.want.Taken) || !slices.Equal(got.Later, tt.want.Later) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	ranked := base()
	ranked.VMs[0].Rank = 3
	if got := Compare(base(), ranked).Later; len(got) != 1 || !strings.Contains(got[0], "rank 1") || !strings.Contains(got[0], "→") || !strings.Contains(got[0], "rank 3") {
		t.Errorf("got %q", got)
	}
}
