package runner_test

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// crashStory is an action that a matrix disturbs, with the world before it.
type crashStory struct {
	name    string // as docs/reliability.md names it
	action  string
	planned bool   // the source takes part
	target  string // where the VMs are to be at the end
	hooks   string // what is added to the plan; "" means crashHooks
	// before brings a fresh world, with the VMs at the primary, to where the action begins.
	before func(p *pair)
	// attempt takes the action up; nil means crashStory.takeUp.
	attempt func(p *pair) *runner.Result
	main    bool // one of the three ways on which the VMs move: all pairs of kills are played, and all faults
	// left is set where what was cut before it reached an engine may stay open in the journal: the way back has no need to know.
	left bool
}

// stale is the way home to a primary that was lost, and is back with its storage domains and HA VMs, on storage that it cannot write.
const stale = "failback to stale copies"

// crashStories are the actions of the matrices.
func crashStories() []crashStory {
	return []crashStory{
		{name: "failover", main: true, action: plans.ActionFailover, target: "secondary", before: func(p *pair) {
			p.wait(forLongEnough)
			p.lose()
		}},
		{name: "planned failover", main: true, action: plans.ActionFailover, planned: true, target: "secondary", before: func(*pair) {}},
		{name: "failback", main: true, action: plans.ActionFailback, planned: true, target: "primary", before: func(p *pair) {
			wentOver(p)
			p.replicate()
		}},
		{name: stale, action: plans.ActionFailback, planned: true, target: "primary", before: func(p *pair) {
			lostAndBack(p)
			p.replicate()
			p.wait(20 * time.Minute)
		}},
		{name: "planned failover, a hook at every point", action: plans.ActionFailover, planned: true, target: "secondary", hooks: hooksEverywhere, before: func(*pair) {}},
		{name: "rollback", action: plans.ActionFailover, target: "primary", hooks: hooksOfVMs, left: true,
			before:  func(p *pair) { p.heldOff() },
			attempt: func(p *pair) *runner.Result { return p.goOnBack() }},
		{name: "clean", action: plans.ActionClean, target: "secondary", hooks: hooksOfVMs, before: func(p *pair) {
			lostAndBack(p)
			p.wait(20 * time.Minute)
		}, attempt: func(p *pair) *runner.Result { return p.goOnCleaning() }},
	}
}

// mainStories are those on which the VMs move.
func mainStories() []crashStory {
	return slices.DeleteFunc(crashStories(), func(s crashStory) bool { return !s.main })
}

// wentOver moves everything to the secondary in good order, and replicates the other way.
func wentOver(p *pair) {
	p.plannedStory = true
	expect(p.t, p.planned(plans.ActionFailover, nil, nil), runner.ExitDone)
}

// lostAndBack loses the primary, brings the VMs up at the secondary, and gives the primary its power back.
func lostAndBack(p *pair) {
	p.wait(forLongEnough)
	p.lose()
	p.plannedStory = false
	expect(p.t, p.failover(nil), runner.ExitDone)
	if err := p.lab.Heal("primary"); err != nil {
		p.t.Fatal(err)
	}
}

// goOnBack undoes the newest run, as far as that is not done.
func (p *pair) goOnBack() *runner.Result {
	if newest := p.runs()[0]; newest.Status == runner.StatusRolledBack {
		return &runner.Result{Exit: newest.Exit, Status: newest.Status}
	}
	return p.rollback(p.runs()[0].ID, nil)
}

// goOnCleaning takes what is stale out of the primary's engine, as far as that is not done.
func (p *pair) goOnCleaning() *runner.Result {
	newest := p.newestOf(plans.ActionClean)
	switch {
	case newest == nil || newest.Exit == runner.ExitRefused && !newest.Unfinished():
		return p.clean("primary", nil)
	case newest.Unfinished() || newest.Exit == runner.ExitPartial:
		return p.resume(newest.ID, func(o *runner.Options) { o.Asker, o.CanAnswer, o.ConfirmSourceDown = answers{}, answers{}.can, "" })
	}
	return &runner.Result{Exit: newest.Exit, Status: newest.Status}
}

// matrixSeed is the seed of all worlds of a matrix: what differs between two of them is the disturbance.
const matrixSeed = 5

// ready is the world before the action, with hooks in the plan that are counted. Whoever calls it closes the world.
func (s crashStory) ready(t *testing.T, size lab.TwoSitesOptions, change func(*lab.World)) *pair {
	t.Helper()
	p := barePair(t, matrixSeed, size, change)
	p.world.Quiet = true
	p.plannedStory = s.planned
	p.marked()
	p.generateOnce(t, size)
	p.edit("return plan\n", cmp.Or(s.hooks, crashHooks))
	s.before(p)
	p.plannedStory, p.hooks = s.planned, newHookRuns()
	p.audited = len(p.allChanges())
	return p
}

// generated are the plans of the matrices' worlds, with their inventories, by size.
var (
	generated   = map[lab.TwoSitesOptions]map[string]string{}
	generatedMu sync.Mutex
)

// generateOnce gives the pair the plan of its world, which is the same text for each world of that size. It is generated in a world of
// its own, so that all others are alike.
func (p *pair) generateOnce(t *testing.T, size lab.TwoSitesOptions) {
	t.Helper()
	generatedMu.Lock()
	defer generatedMu.Unlock()
	if generated[size] == nil {
		first := barePair(t, matrixSeed, size, func(*lab.World) {})
		defer first.world.Close()
		first.marked()
		first.generate(0)
		generated[size] = map[string]string{}
		for _, path := range []string{"/site/plan.lua", "/site/plan.inventory.json"} {
			generated[size][path] = first.read(path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(generated[size])) {
		p.write(path, generated[size][path])
	}
}

// goOn makes one attempt.
func (s crashStory) goOn(p *pair) *runner.Result {
	p.t.Helper()
	if s.attempt != nil {
		return s.attempt(p)
	}
	return s.takeUp(p)
}

// takeUp starts the action, resumes its newest run where that did not end well, or does nothing when all is done.
func (s crashStory) takeUp(p *pair) *runner.Result {
	p.t.Helper()
	newest := p.newestOf(s.action)
	switch {
	case newest == nil || newest.Exit == runner.ExitRefused && !newest.Unfinished():
		return p.failover(func(o *runner.Options) {
			o.Action, o.Planned = s.action, s.planned
			p.atHand(o)
		})
	case newest.Unfinished() || newest.Exit == runner.ExitPartial:
		return p.resume(newest.ID, p.atHand)
	}
	return &runner.Result{Exit: newest.Exit, Status: newest.Status} // killed behind its last record
}

// newestOf returns the newest run of an action since the story began, nil where there is none.
func (p *pair) newestOf(action string) *engine.RunInfo {
	if runs := p.runs(); len(runs) > 0 && runs[0].Head.Action == action {
		return &runs[0]
	}
	return nil
}

// attempts is how often an undisturbed story is taken up at most: each stop has to have a cause that is over by then.
const attempts = 5

// untilEnd goes on until it ends otherwise than stopped.
func (s crashStory) untilEnd(p *pair) *runner.Result {
	p.t.Helper()
	last := &runner.Result{}
	for range attempts {
		if last = s.goOn(p); last.Status != runner.StatusStopped {
			return last
		}
	}
	return last
}

// outcome is what an undisturbed action leaves.
type outcome struct {
	world     string
	described map[string]string
	ran       map[string]int
}

// outcomeOf is what is compared: both sites and the arrays as a bystander sees them, the VMs as the engine of the target shows them, and
// which hooks ran.
func (s crashStory) outcomeOf(p *pair) outcome {
	return outcome{world: p.fingerprint(), described: p.described(s.target), ran: maps.Clone(p.hooks.ran)}
}

// differences says what is otherwise than after an undisturbed action. written is what the guests had on their disks when they ran last
// before it.
func (s crashStory) differences(p *pair, r *runner.Result, want outcome, written map[string]int64) (different []string) {
	if r.Exit != runner.ExitDone {
		return []string{fmt.Sprintf("exit %d (%s) at the end: %+v", r.Exit, r.Status, r.Error)}
	}
	got := s.outcomeOf(p)
	if got.world != want.world {
		different = append(different, "the world differs:\n"+lineDifference(got.world, want.world))
	}
	for _, name := range slices.Sorted(maps.Keys(want.described)) {
		if got.described[name] != want.described[name] {
			different = append(different, fmt.Sprintf("%s is %s\nwant %s", name, got.described[name], want.described[name]))
		}
	}
	now := p.counters(s.target)
	for _, disk := range slices.Sorted(maps.Keys(written)) {
		if now[disk] < written[disk] {
			different = append(different, fmt.Sprintf("disk %s holds %d of its guest, and had %d before", disk, now[disk], written[disk]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(want.ran)) {
		if got.ran[key] == 0 {
			different = append(different, key+" never ran")
		}
	}
	different = append(different, p.hooks.wrong...)
	for _, wrong := range p.wrongs() {
		if !s.left || !strings.Contains(wrong, "and it is not settled as without effect") {
			different = append(different, wrong)
		}
	}
	return different
}

// lineDifference lists the lines that only one of two texts has.
func lineDifference(got, want string) string {
	var b strings.Builder
	has, had := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, line := range has {
		if !slices.Contains(had, line) {
			fmt.Fprintf(&b, "  + %s\n", line)
		}
	}
	for _, line := range had {
		if !slices.Contains(has, line) {
			fmt.Fprintf(&b, "  - %s\n", line)
		}
	}
	return b.String()
}

// kept is what the guests have on their disks where they can be read last before the action: their copy, where the source is lost.
func (s crashStory) kept(p *pair) map[string]int64 {
	if s.planned {
		return p.counters(plans.Other(s.target))
	}
	return p.counters(s.target)
}

// undisturbed plays the story as it is, and returns what it leaves and what a crash point can come after.
func (s crashStory) undisturbed(t *testing.T, size lab.TwoSitesOptions, change func(*lab.World)) (want outcome, n passed) {
	t.Helper()
	p := s.ready(t, size, change)
	defer p.world.Close()
	written := s.kept(p)
	p.count()
	expect(t, s.goOn(p), runner.ExitDone)
	n = p.counted()
	want = s.outcomeOf(p)
	if different := s.differences(p, &runner.Result{}, want, written); len(different) > 0 {
		t.Fatalf("the undisturbed %s: %s", s.name, strings.Join(different, "\n"))
	}
	for name, described := range want.described {
		if !strings.Contains(described, "bytes on [") {
			t.Fatalf("no disks are compared: %s is %s", name, described)
		}
	}
	if len(written) < 3 || n.records < 40 || n.effects < 9 || s.main && n.hooks < 8 {
		t.Fatalf("the undisturbed %s is too poor: %d disks, %+v", s.name, len(written), n)
	}
	return want, n
}
