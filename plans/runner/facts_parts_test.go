package runner_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// bigFacts are those of a run with n VMs, each with what large ones have: two NICs, three disks, ids that no two share.
func bigFacts(t *testing.T, n int) []byte {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	id := func() string {
		var b [16]byte
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return engine.UUID(b)
	}
	facts := stdlib.Facts{Schema: stdlib.FactsSchema, Action: plans.ActionFailover, Plan: "Recovery", Source: plans.Primary, Target: plans.Secondary}
	for i := range 20 {
		facts.Domains = append(facts.Domains, stdlib.FactDomain{ID: id(), Name: fmt.Sprintf("nfs_%02d", i), Type: "nfs", Group: "all"})
	}
	for i := range n {
		vm := stdlib.FactVM{ID: id(), Name: fmt.Sprintf("app-%05d.example.com", i), Rank: i % 5, OnError: "continue", Start: "as_before", Ran: "up",
			SourceCluster: "Production", SourceHost: fmt.Sprintf("host%03d.example.com", i%80), TargetCluster: "Recovery", TargetClusterID: facts.Domains[0].ID,
			Domains: []string{facts.Domains[i%20].ID}, Boot: "guest_agent", Grace: 300}
		for k := range 2 {
			vm.NICs = append(vm.NICs, stdlib.FactNIC{ID: id(), Name: fmt.Sprintf("nic%d", k+1), MAC: fmt.Sprintf("56:6f:%02x:%02x:%02x:%02x", i>>8, i&255, k, random.IntN(256)),
				SourceNetwork: "lan", SourceProfile: "lan", TargetProfile: "Default/lan/lan", TargetProfileID: facts.Domains[k].ID})
		}
		for range 3 {
			vm.Disks = append(vm.Disks, id())
		}
		facts.VMs = append(facts.VMs, vm)
	}
	text, err := engine.Canonical(facts)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestFactsInParts: what is packed comes back, whatever the order of the parts; 5,000 VMs are a few dozen events.
func TestFactsInParts(t *testing.T) {
	t.Parallel()
	for n, most := range map[int]int{0: 1, 3: 1, 60: 1, 5000: 40} {
		facts := bigFacts(t, n)
		parts, err := runner.PackFacts("20261120-1432-58598f", facts)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, part := range parts {
			text, err := json.Marshal(part)
			if err != nil {
				t.Fatal(err)
			}
			size = max(size, len(text))
		}
		t.Logf("%d VMs: %d bytes of facts in %d events of up to %d bytes", n, len(facts), len(parts), size)
		if len(parts) > most || size > 31000 {
			t.Errorf("%d VMs: %d parts of up to %d bytes, at most %d", n, len(parts), size, most)
		}
		slices.Reverse(parts)
		parts = append(parts, parts[0]) // posted by two attempts
		got, err := runner.UnpackFacts(parts)
		if err != nil || string(got) != string(facts) {
			t.Errorf("%d VMs: %d bytes come back, %v", n, len(got), err)
		}
	}
}

// TestFactsAreProved: what is missing, altered or of another run is told, and never taken.
func TestFactsAreProved(t *testing.T) {
	t.Parallel()
	good, err := runner.PackFacts("r1", bigFacts(t, 600))
	if err != nil {
		t.Fatal(err)
	}
	other, err := runner.PackFacts("r2", bigFacts(t, 599))
	if err != nil || len(good) < 3 {
		t.Fatal(len(good), err)
	}
	for name, c := range map[string]struct {
		change func(parts []runner.FactsPart) []runner.FactsPart
		want   string
	}{
		"nothing":           {func([]runner.FactsPart) []runner.FactsPart { return nil }, "there is no part of them"},
		"one is missing":    {func(p []runner.FactsPart) []runner.FactsPart { return slices.Delete(p, 1, 2) }, fmt.Sprintf("of %d parts these are missing: 2", len(good))},
		"one of another":    {func(p []runner.FactsPart) []runner.FactsPart { return append(p, other[0]) }, "part 1 is of other facts"},
		"a letter is other": {func(p []runner.FactsPart) []runner.FactsPart { p[1].Data = "A" + p[1].Data[1:]; return p }, ""},
		"two that differ": {func(p []runner.FactsPart) []runner.FactsPart {
			twin := p[1]
			twin.Data = "A" + twin.Data[1:]
			return append(p, twin)
		}, "there are two of part 2, and they differ"},
		"cut":          {func(p []runner.FactsPart) []runner.FactsPart { p[2].Data = p[2].Data[:len(p[2].Data)-4]; return p }, ""},
		"no such part": {func(p []runner.FactsPart) []runner.FactsPart { p[0].Part = p[0].Of + 1; return p }, "is no part"},
		"part 0":       {func(p []runner.FactsPart) []runner.FactsPart { p[0].Part = 0; return p }, "is no part"},
		"a claim":      {func(p []runner.FactsPart) []runner.FactsPart { p[0].Of = 1 << 40; return p[:1] }, "they claim to have"},
		"a wrong digest": {func(p []runner.FactsPart) []runner.FactsPart {
			for i := range p {
				p[i].SHA256 = strings.Repeat("0", 64)
			}
			return p
		}, "and " + strings.Repeat("0", 64) + " was sent"},
		"not packed": {func([]runner.FactsPart) []runner.FactsPart {
			return []runner.FactsPart{{Run: "r", Part: 1, Of: 1, Data: "aGVsbG8="}}
		}, ""},
	} {
		facts, err := runner.UnpackFacts(c.change(slices.Clone(good)))
		if err == nil || !strings.Contains(err.Error(), c.want) || facts != nil {
			t.Errorf("%s: %d bytes, %v; want %q", name, len(facts), err, c.want)
		}
	}
}

// TestFactsFromTheEngine: with the state folder gone the engine of the target still knows what the run had decided.
func TestFactsFromTheEngine(t *testing.T) {
	t.Parallel()
	p := newPair(t, 74, lab.TwoSitesOptions{VMs: 5, Domains: 2})
	ask := func(run string) (r *runner.Result) {
		p.do(func(env engine.Env) {
			o := p.options(env, nil)
			o.StateDir = "/nowhere"
			r = runner.EngineFacts(t.Context(), t.Context(), o, run)
		})
		return r
	}
	none := ask("")
	expect(t, none, runner.ExitRefused)
	if none.Error.Code != "no-facts" || !strings.Contains(none.Error.Message, "the engine of primary has none; the engine of secondary has none") {
		t.Errorf("before any run: %+v", none.Error)
	}
	first := p.planned(plans.ActionFailover, nil, nil)
	expect(t, first, runner.ExitDone)
	p.replicate()
	second := p.planned(plans.ActionFailback, nil, nil)
	expect(t, second, runner.ExitDone)
	for _, c := range []struct{ ask, run, site string }{{"", second.Run, plans.Primary}, {first.Run, first.Run, plans.Secondary}, {second.Run, second.Run, plans.Primary}} {
		r := ask(c.ask)
		expect(t, r, runner.ExitDone)
		if r.Facts.Run != c.run || r.Facts.Site != c.site || len(r.Warnings) > 0 {
			t.Errorf("%q: run %s from %s, warnings %q", c.ask, r.Facts.Run, r.Facts.Site, r.Warnings)
		}
		var recorded json.RawMessage
		p.do(func(env engine.Env) {
			info, err := engine.ReadRun(env, "/state", c.run)
			if err != nil {
				t.Error(err)
			}
			for _, record := range info.Records {
				if record.Kind == "facts" {
					recorded = record.Data
				}
			}
		})
		if len(recorded) == 0 || string(recorded) != string(r.Facts.Facts) {
			t.Errorf("%q: other facts than the journal's:\n%s\n%s", c.ask, r.Facts.Facts, recorded)
		}
	}
	p.lab.Disaster(plans.Primary)
	lost := ask("")
	expect(t, lost, runner.ExitDone)
	if lost.Facts.Run != first.Run || len(lost.Warnings) != 1 || !strings.HasPrefix(lost.Warnings[0], "primary does not answer") {
		t.Errorf("run %s, warnings %q", lost.Facts.Run, lost.Warnings)
	}
	if r := ask("20200101-0000-000000"); r.Exit != runner.ExitRefused || r.Error.Code != "no-facts" {
		t.Errorf("an unknown run: %+v", r.Error)
	}
	if r := ask("x or origin=oVirt"); r.Exit != runner.ExitInvalid {
		t.Errorf("an expression instead of a run: %+v", r.Error)
	}
}
