package plans

import (
	"strings"
	"testing"
)

// TestPair tells where things are, and what to do next, from what both engines show.
func TestPair(t *testing.T) {
	t.Parallel()
	type sides struct{ primary, secondary string } // "silent", "-" (does not know it), or a status; "unattached" is in no data center
	holding := func(site, status string) Holding {
		switch status {
		case "silent":
			return Holding{Site: site}
		case "-":
			return Holding{Site: site, Known: true}
		}
		return Holding{Site: site, Known: true, Status: status, Holds: status != "maintenance" && status != "unattached"}
	}
	cases := []struct {
		name    string
		domains []sides
		place   Place
		next    string // beginning of the next command
		// wrong tells for failover and failback whether the direction is wrong.
		failover, failback bool
	}{
		{"at home", []sides{{"active", "-"}}, AtPrimary, "drrun check", false, true},
		{"at home, primary silent", []sides{{"silent", "-"}}, UnknownAt, "drrun failover", false, false},
		{"at home, secondary silent", []sides{{"active", "silent"}}, UnknownAt, "", false, true},
		{"away, primary silent", []sides{{"silent", "active"}}, UnknownAt, "", true, false},
		{"away and clean", []sides{{"-", "active"}}, AtSecondary, "drrun failback plan.lua", true, false},
		{"away and secondary silent", []sides{{"-", "silent"}}, UnknownAt, "drrun failback plan.lua --unplanned", false, false},
		{"away with stale copies, and secondary silent", []sides{{"inactive", "silent"}}, UnknownAt, "", false, true},
		{"away, primary unattached", []sides{{"unattached", "active"}}, AtSecondary, "drrun failback plan.lua", true, false},
		{"both hold", []sides{{"unknown", "active"}}, AtBoth, "drrun history", false, false},
		{"released at home", []sides{{"maintenance", "-"}}, Nowhere, "drrun history", false, false},
		{"one of two moved", []sides{{"-", "active"}, {"active", "-"}}, AtBoth, "drrun history", false, false},
		{"both silent", []sides{{"silent", "silent"}}, UnknownAt, "", false, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pair := &Pair{}
			for i, s := range c.domains {
				state := ObjectState{Kind: "storage_domain", Name: string(rune('a' + i)), Primary: holding(Primary, s.primary), Secondary: holding(Secondary, s.secondary)}
				state.Place = holderOf(state.Primary, state.Secondary)
				pair.StorageDomains = append(pair.StorageDomains, state)
				for site, status := range map[string]string{Primary: s.primary, Secondary: s.secondary} {
					if status == "silent" && len(pair.Silent) < 2 && i == 0 {
						pair.Silent = append(pair.Silent, site)
					}
				}
			}
			pair.Place = together(pair.StorageDomains)
			if pair.Place != c.place {
				t.Errorf("place %s, want %s", pair.Place, c.place)
			}
			command, why := pair.Next("plan.lua")
			if !strings.HasPrefix(command, c.next) || (c.next == "") != (command == "") || why == "" {
				t.Errorf("next %q (%s), want %q", command, why, c.next)
			}
			if wrong := pair.WrongDirection(ActionFailover); (wrong != "") != c.failover {
				t.Errorf("failover: %q", wrong)
			}
			if wrong := pair.WrongDirection(ActionFailback); (wrong != "") != c.failback {
				t.Errorf("failback: %q", wrong)
			}
		})
	}
}

// TestNextOfBoth tells which side is stale by where the VMs run, and calls none stale whose counterpart does not hold everything.
func TestNextOfBoth(t *testing.T) {
	t.Parallel()
	holding := func(site, status string) Holding {
		return Holding{Site: site, Known: true, Status: status, Holds: status != "" && status != "maintenance"}
	}
	cases := []struct {
		name               string
		domains, vms       [][2]string // primary, secondary
		next, why, notThis string
	}{
		{"healed after a failover", [][2]string{{"inactive", "active"}}, [][2]string{{"down", "up"}}, "drrun failback plan.lua", "what primary has is stale", ""},
		{"the secondary is stale", [][2]string{{"active", "inactive"}}, [][2]string{{"up", "down"}}, "drrun clean plan.lua --site secondary", "what secondary has is stale", ""},
		{"an HA VM was restarted at home", [][2]string{{"active", "active"}}, [][2]string{{"up", "up"}}, "", "VMs run at both", ""},
		{"unknown at home", [][2]string{{"active", "active"}}, [][2]string{{"unknown", "up"}}, "", "VMs run at both", ""},
		{"one domain is not over yet", [][2]string{{"inactive", "active"}, {"active", ""}}, [][2]string{{"down", "up"}, {"down", ""}}, "drrun history", "no VM says", "stale"},
		{"nothing runs", [][2]string{{"active", "active"}}, [][2]string{{"down", "down"}}, "drrun history", "no VM says", "stale"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			pair := &Pair{Place: AtBoth}
			for _, d := range c.domains {
				pair.StorageDomains = append(pair.StorageDomains, ObjectState{Primary: holding(Primary, d[0]), Secondary: holding(Secondary, d[1])})
			}
			for _, vm := range c.vms {
				pair.VMs = append(pair.VMs, ObjectState{Primary: holding(Primary, vm[0]), Secondary: holding(Secondary, vm[1])})
			}
			command, why := pair.Next("plan.lua")
			if command != c.next || !strings.Contains(why, c.why) || c.notThis != "" && strings.Contains(why, c.notThis) {
				t.Errorf("next %q (%s), want %q (%s)", command, why, c.next, c.why)
			}
		})
	}
}
