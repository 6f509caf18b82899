package runner_test

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var seeds = flag.Int("seeds", 200, "how many seeds TestSimFaults runs")

// simFaults draws faults from a seed: an engine that answers with errors, resets before and after the effect, cut and slow
// answers, an engine restart that forgets its tokens.
func simFaults(seed uint64) []lab.Fault {
	random := rand.New(rand.NewPCG(seed, 1))
	paths := []string{"/storagedomains", "/vms", "/register", "/start", "/hosts", "/datacenters", "/events", "/affinitylabels", ""}
	var faults []lab.Fault
	for range 1 + random.IntN(4) {
		fault := lab.Fault{Site: "secondary", Path: paths[random.IntN(len(paths))], Nth: 1 + random.IntN(12)}
		switch random.IntN(7) {
		case 0:
			fault.Status = 503
		case 1:
			fault.Status, fault.Method = 500, "GET"
		case 2:
			fault.Reset = "before"
		case 3:
			fault.Reset = "after"
		case 4:
			fault.Truncate = true
		case 5:
			fault.Delay = 90 * time.Second
		case 6:
			fault.Restart = true
		}
		faults = append(faults, fault)
	}
	return faults
}

// simRun fails over a world of 12 VMs on 2 storage domains under the faults of a seed, resuming until it ends.
func simRun(t *testing.T, seed uint64) (p *pair, ends []string) {
	t.Helper()
	p = newPair(t, seed, lab.TwoSitesOptions{VMs: 12, Domains: 2})
	p.edit("rank = 1, boot = dr.boot.guest_agent", "rank = 2, boot = dr.boot.guest_agent")
	p.lose()
	for _, fault := range simFaults(seed) {
		if err := p.lab.Fail(fault); err != nil {
			t.Fatal(err)
		}
	}
	for range 12 {
		r := p.untilEnd()
		ends = append(ends, fmt.Sprintf("%s %d", r.Status, r.Exit))
		if r.Exit == 0 {
			return p, ends
		}
		if r.Error != nil {
			ends = append(ends, r.Error.Message)
		}
		p.do(func(env engine.Env) { // a person needs a while, and an engine that restarts too
			_, _ = env.Clock.Wait(context.Background(), 2*time.Minute, nil)
		})
	}
	return p, ends
}

// untilEnd makes one attempt: a start, a resume of the newest run where that did not end well, or nothing when all is done.
func (p *pair) untilEnd() *runner.Result {
	p.t.Helper()
	var runs []engine.RunInfo
	p.do(func(env engine.Env) {
		var err error
		if runs, err = engine.ListRuns(env, "/state"); err != nil {
			p.t.Error(err)
		}
	})
	switch {
	case len(runs) == 0 || runs[0].Exit == runner.ExitRefused && !runs[0].Unfinished():
		return p.failover(nil)
	case runs[0].Unfinished() || runs[0].Exit == runner.ExitPartial:
		return p.resume(runs[0].ID, nil)
	}
	// Killed behind its last record.
	info := &runner.Result{}
	text, err := p.disk.ReadFile("/state/runs/" + runs[0].ID + "/report.json")
	if err == nil {
		err = json.Unmarshal(text, info)
	}
	if err != nil { // behind the end record, before the report
		info.Exit = runs[0].Exit
	}
	return info
}

// untilDone goes on until it ends otherwise than stopped.
func (p *pair) untilDone() *runner.Result {
	p.t.Helper()
	last := &runner.Result{}
	for range 5 {
		if last = p.untilEnd(); last.Status != runner.StatusStopped {
			return last
		}
	}
	p.t.Fatalf("no end after 5 attempts: %+v", last.Error)
	return nil
}

func TestSimOneSeedOneTrace(t *testing.T) {
	t.Parallel()
	var first string
	for n := range 20 {
		p, _ := simRun(t, 42)
		trace := strings.Join(p.world.Trace(), "\n")
		for _, entry := range p.lab.Log() {
			trace += fmt.Sprintf("\n%v %s %s %s %d %s", entry.Time, entry.Site, entry.Method, entry.Path, entry.Status, entry.Correlation)
		}
		if n == 0 {
			first = trace
		} else if trace != first {
			t.Fatalf("run %d of seed 42 differs: %s", n+1, firstDifference(first, trace))
		}
	}
	if other, _ := simRun(t, 43); strings.Join(other.world.Trace(), "\n") == first {
		t.Error("another seed gives the same trace")
	}
	t.Logf("one trace in 20 runs, %d lines", strings.Count(first, "\n"))
}

func firstDifference(a, b string) string {
	linesA, linesB := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(linesA), len(linesB)) {
		if linesA[i] != linesB[i] {
			return fmt.Sprintf("line %d: %q, %q", i+1, linesA[i], linesB[i])
		}
	}
	return fmt.Sprintf("%d lines, %d lines", len(linesA), len(linesB))
}

func TestSimFaults(t *testing.T) {
	t.Parallel()
	reference := newPair(t, 1, lab.TwoSitesOptions{VMs: 12, Domains: 2})
	reference.edit("rank = 1, boot = dr.boot.guest_agent", "rank = 2, boot = dr.boot.guest_agent")
	reference.lose()
	expect(t, reference.failover(nil), 0)
	want := reference.fingerprint()
	resumed, faults := 0, 0
	for seed := range uint64(*seeds) {
		p, ends := simRun(t, seed)
		faults += len(simFaults(seed))
		if len(ends) > 1 {
			resumed++
		}
		if got := p.fingerprint(); got != want {
			t.Errorf("seed=%d: the world differs after %q:\n%s\nwant:\n%s", seed, ends, got, want)
		}
		p.do(func(env engine.Env) {
			for _, wrong := range p.audit(env) {
				t.Errorf("seed=%d: %s", seed, wrong)
			}
		})
		p.world.Close()
		if t.Failed() {
			t.Fatalf("stopped at seed=%d after %v", seed, simFaults(seed))
		}
	}
	t.Logf("seeds: %d with %d faults; %d runs were resumed", *seeds, faults, resumed)
}
