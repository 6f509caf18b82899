package runner_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

var (
	faultMode = flag.String("faults", "sample", "faults: sample, or all: each changing request and each seventh read, or each record, with each fault")
	faultOnly = flag.String("fault", "", "inject faults of this kind only")
)

// faultCase is one fault at one moment.
type faultCase struct {
	kind faultKind
	at   moment
}

func (c faultCase) String() string {
	if r := c.at.request; r != nil {
		return fmt.Sprintf("%s at %s %s of %s, the %d.", c.kind.name, r.method, r.path, r.site, r.nth)
	}
	return fmt.Sprintf("%s from record %d on", c.kind.name, c.at.record)
}

// TestFaultMatrix lets each request of each action meet each fault that an engine, a network or a host can have, and each record of the
// journal a disk that takes nothing more. The action ends all the same, or it stops and is resumed when the fault is over, and what it
// leaves is what an undisturbed one leaves.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	rows := newFigures("fault", "action")
	rows.headings = []string{"injected", "ended at once", "resumed", "different"}
	t.Run("played", func(t *testing.T) {
		for _, story := range mainStories() {
			t.Run(story.name, func(t *testing.T) {
				t.Parallel()
				want, _ := story.undisturbed(t, smallWorld, func(*lab.World) {})
				cases := story.faultCases(t)
				if *faultMode != "all" {
					cases = sample(cases, 30)
				}
				inParallel(t, "faults", cases, func(t *testing.T, c faultCase) { story.meet(t, c, want, rows) })
			})
		}
	})
	rows.report(t, "fault matrix")
}

// sample takes some of the cases, evenly.
func sample(cases []faultCase, n int) (some []faultCase) {
	n = min(n, len(cases))
	for i := range n {
		some = append(some, cases[i*len(cases)/n])
	}
	return some
}

// everyRead is which reads meet faults.
const everyRead = 7

// faultCases are all faults at all moments of the undisturbed action.
func (s crashStory) faultCases(t *testing.T) (cases []faultCase) {
	t.Helper()
	p := s.ready(t, smallWorld, func(*lab.World) {})
	defer p.world.Close()
	begun := len(p.lab.Log())
	p.count()
	expect(t, s.goOn(p), runner.ExitDone)
	requests, records := sentRequests(p.lab.Log()[begun:]), p.counted().records
	for _, kind := range faultKinds() {
		if *faultOnly != "" && kind.name != *faultOnly {
			continue
		}
		if kind.meets == nil {
			for n := range records {
				cases = append(cases, faultCase{kind, moment{record: n + 1}})
			}
			continue
		}
		reads := 0
		for i := range requests {
			r := &requests[i]
			if !r.changing {
				if reads++; reads%everyRead != 1 {
					continue
				}
			}
			if kind.meets(s, r) {
				cases = append(cases, faultCase{kind, moment{request: r}})
			}
		}
	}
	return cases
}

// sentRequests are the requests of a log, without those of hooks, which are counted elsewhere, and of logins.
func sentRequests(log []lab.LogEntry) (requests []sentRequest) {
	seen := map[string]int{}
	for _, entry := range log {
		key := entry.Site + " " + entry.Method + " " + entry.Path
		seen[key]++
		if !strings.Contains(entry.Query, counted) {
			requests = append(requests, sentRequest{site: entry.Site, method: entry.Method, path: entry.Path, nth: seen[key], changing: entry.Changing})
		}
	}
	return requests
}

// meet plays the story with one fault.
func (s crashStory) meet(t *testing.T, c faultCase, want outcome, rows *figures) {
	p := s.ready(t, smallWorld, func(*lab.World) {})
	defer p.world.Close()
	written := s.kept(p)
	begun := p.world.Clock().Now()
	met := c.kind.inject(p, s, c.at)
	r := s.goOn(p)
	if !met() {
		t.Errorf("%s: it did not come", c)
		return
	}
	p.beforeRequest = nil
	atOnce := r.Exit == runner.ExitDone
	var ends []string
	for n := 0; r.Exit != runner.ExitDone && n < attempts; n++ {
		ends = append(ends, endOf(r))
		if c.kind.after != nil {
			c.kind.after(p, s)
		}
		p.wait(3 * time.Minute) // until a person comes, and an engine that restarts is back
		r = s.goOn(p)
	}
	p.hooks.wrong = s.tooOften(p) // a hook that failed is run again
	if c.kind.after != nil {
		c.kind.after(p, s)
	}
	took := p.world.Clock().Now().Sub(begun)
	p.wait(late(&sentRequest{changing: true})) // what was slow comes all the same
	different := s.differences(p, r, want, written)
	if c.kind.undoes {
		different = slices.DeleteFunc(different, func(text string) bool { return strings.HasSuffix(text, "had its effect and is settled as without") })
	}
	if took > longest(len(ends)+1) {
		different = append(different, fmt.Sprintf("it took %s", took))
	}
	for _, text := range different {
		t.Errorf("%s, after %d attempts (%s): %s", c, len(ends)+1, strings.Join(ends, "; "), text)
	}
	rows.add(!atOnce, len(different) > 0, c.kind.name, s.name)
}

// longest is how long so many attempts may take with a fault, in model time: time-outs of ten minutes and a host that boots.
func longest(attempts int) time.Duration { return time.Duration(attempts) * time.Hour }

func endOf(r *runner.Result) string {
	text := fmt.Sprintf("exit %d", r.Exit)
	if r.Error != nil {
		text += " " + r.Error.Code + ": " + r.Error.Message
	}
	return text
}

// TestReadOnlyStateFolder: where nothing can be recorded nothing is begun, in no engine and for no action.
func TestReadOnlyStateFolder(t *testing.T) {
	t.Parallel()
	for _, story := range mainStories() {
		for _, kind := range faultKinds() {
			if kind.meets != nil {
				continue
			}
			p := story.ready(t, smallWorld, func(*lab.World) {})
			runs, changes := len(p.runs()), len(p.allChanges())
			kind.inject(p, story, moment{record: 1})
			_ = p.disk.Fault("write", "/state/runs/x/journal.jsonl") // as if it had met one before
			r := story.goOn(p)
			p.disk.Fault = nil
			if r.Exit != runner.ExitRefused || r.Error == nil || r.Error.Code != "state" || !strings.Contains(r.Error.Hint, "/state") {
				t.Errorf("%s, %s: exit %d, %+v", kind.name, story.name, r.Exit, r.Error)
			}
			if now := len(p.runs()); now != runs || len(p.allChanges()) != changes {
				t.Errorf("%s, %s: %d runs, were %d; %d changes, were %d", kind.name, story.name, now, runs, len(p.allChanges()), changes)
			}
			p.world.Close()
		}
	}
}

// TestNothingLeavesUnrecorded: once the disk takes nothing more, no changing request leaves that was not recorded before.
func TestNothingLeavesUnrecorded(t *testing.T) {
	t.Parallel()
	story := crashStories()[0]
	p := story.ready(t, smallWorld, func(*lab.World) {})
	defer p.world.Close()
	for _, kind := range faultKinds() {
		if kind.name == "the disk is full" {
			kind.inject(p, story, moment{record: 60})
		}
	}
	r := story.goOn(p)
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "journal" || !strings.Contains(r.Error.Message, "nothing more was begun: write journal record 60: write /state/runs/"+r.Run+"/journal.jsonl: no space left on device") ||
		r.Error.Hint != "make room on the disk of the state folder /state, or make it writable again; then go on with: drrun resume "+r.Run+" --confirm-source-down 'YOUR NAME: HOW YOU KNOW'" {
		t.Errorf("error %+v", r.Error)
	}
	recorded := map[string]bool{}
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", p.runIDs()[0])
		if err != nil {
			t.Error(err)
			return
		}
		for _, record := range info.Records {
			if record.Intent != nil {
				recorded[record.Intent.ID] = true
			}
		}
	})
	for _, entry := range p.allChanges()[p.audited:] {
		if !recorded[entry.Correlation] {
			t.Errorf("%s %s at %s is in no record", entry.Method, entry.Path, entry.Site)
		}
	}
}

func (p *pair) runIDs() (ids []string) {
	for _, run := range p.disk.Files() {
		if strings.HasSuffix(run, "/journal.jsonl") {
			ids = append(ids, strings.Split(strings.TrimPrefix(run, "/state/runs/"), "/")[0])
		}
	}
	return slices.Compact(ids)
}

// tooOften names the hooks that ran more often than their records say: once, and again for each failure that is recorded, and for each
// time that they were begun and no outcome was recorded.
func (s crashStory) tooOften(p *pair) (wrong []string) {
	newest := p.newestOf(s.action)
	if newest == nil {
		return nil
	}
	allowed, begun := map[string]int{}, map[string]bool{}
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, p.state(), newest.ID)
		if err != nil {
			p.t.Error(err)
		}
		for _, record := range info.Records {
			switch {
			case record.Step != nil && record.Step.Digest != "":
				key := hookKey(record.Step.Key)
				if begun[key] {
					allowed[key]++
				}
				begun[key] = true
			case record.Result != nil:
				key := hookKey(record.Result.Key)
				begun[key] = false
				if !record.Result.OK {
					allowed[key]++
				}
			}
		}
	})
	for key, ran := range p.hooks.ran {
		if ran > 1+allowed[key] {
			wrong = append(wrong, fmt.Sprintf("%s ran %d times, and its records allow %d", key, ran, 1+allowed[key]))
		}
	}
	slices.Sort(wrong)
	return wrong
}
