package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans/report"
	"drrun/stdlib"
)

// This file shows a run where the administrators of the engines look: in the lists of events of both engines, and among the tasks of the
// one that takes over.
//
// All of it is best effort. Marks are made beside the work and never waited for but at the end of the attempt, for presenceLimit at most.
// A mark that cannot be made is one warning in the report, and then no other of its kind is tried in that engine. The source is shown the
// run only while the evidence gate, or the check before it, has seen it answer: nothing is asked for that. Like all requests that change
// something, marks pass stdlib.WriteHook and are journaled; they make no run one that has changed something.
//
// There is one event for the beginning, for each rank and each stage in which something failed, and for the end; nothing is said of single
// VMs but in those. An event has the run's id as its correlation id, so that a search finds all of them.

// presenceLimit bounds, in model time, how long the end of an attempt waits for marks that are not made yet.
const presenceLimit = 30 * time.Second

// presence shows one attempt of a run in the engines. nil shows nothing.
type presence struct {
	attempt *attempt
	cancel  context.CancelFunc
	events  []*eventList
	task    *taskEntry

	mu       sync.Mutex
	stage    string
	trouble  map[string]engine.Status // of what the stage has failed at, by kind and id
	warnings []string
	ending   bool
}

var _ stdlib.Presence = (*presence)(nil)

// appear begins to show the attempt in the engines, unless it is a dry run or the plan says events = false.
func (a *attempt) appear() {
	if a.DryRun || a.plan.NoEvents {
		return
	}
	ctx, cancel := context.WithCancel(a.hard) // the second Ctrl-C drops what is not shown yet
	p := &presence{attempt: a, cancel: cancel, trouble: map[string]engine.Status{}}
	for _, name := range siteOrder {
		lock := a.siteLock(name)
		list := &eventList{run: a.run, site: lock.site}
		list.markStream = newMarkStream(a.Env.Clock, p.worth(lock), p.failed(ctx, "events", name))
		p.events = append(p.events, list)
		if lock.must {
			p.task = &taskEntry{run: a.run, site: lock.site}
			p.task.markStream = newMarkStream(a.Env.Clock, p.worth(lock), p.failed(ctx, "tasks", name))
		}
	}
	a.presence, a.session.Presence = p, p
	p.say(p.beginning())
	p.task.add(p.task.begin(p.taskName()))
	p.keepFacts()
	a.run.Observe(p.observe)
	a.run.TellMirrorLoss(p.sayMirrorLost)
	for _, stream := range p.streams() {
		a.Env.Go(func() { stream.run(ctx) })
	}
}

func (p *presence) streams() []*markStream {
	streams := []*markStream{p.task.markStream}
	for _, list := range p.events {
		streams = append(streams, list.markStream)
	}
	return streams
}

// worth tells of a site whether it answers, by what the run has seen already.
func (p *presence) worth(lock *siteLock) func() (answers, known bool) {
	a := p.attempt
	return func() (bool, bool) {
		switch {
		case lock.must:
			return true, true
		case a.noSourceLogin:
			return false, true
		}
		if answers, known := a.session.Gate.Answers(); known {
			return answers, true
		}
		return true, a.sourceAnswers || a.answeredCheck
	}
}

// Allows lets only events of drrun and the run's own entry among the tasks of the target be changed.
func (p *presence) Allows(w *ovirt.Write) bool {
	switch w.Subject.Kind {
	case ovirt.KindEvent:
		return w.Subject.Name == lockOrigin
	case ovirt.KindJob, ovirt.KindStep:
		return p.task.allows(w)
	}
	return false
}

// failed returns what is told why no more marks of a kind are made at a site: it is one warning.
func (p *presence) failed(ctx context.Context, kind, site string) func(error) {
	return func(err error) {
		a := p.attempt
		p.mu.Lock()
		ending := p.ending
		p.mu.Unlock()
		why := err.Error()
		switch {
		case a.hard.Err() != nil:
			why = "interrupted"
		case ctx.Err() != nil && ending:
			why = fmt.Sprintf("it took longer than %s after the end of the work", presenceLimit)
		}
		text := fmt.Sprintf("the run could not be shown among the %s in the engine of %s: %s. The run itself is not touched by that", kind, site, why)
		if ovirt.HasCode(err, ovirt.CodeForbidden) {
			text += fmt.Sprintf("; give its user there the role %s for the whole system, or the plan events = false", roles[kind])
		}
		p.warn(site, text)
	}
}

// roles are the engine's own that permit to show runs, by kind of marks.
var roles = map[string]string{"events": "ExternalEventsCreator", "tasks": "ExternalTasksCreator"}

// warn says what the engine of a site does not show.
func (p *presence) warn(site, text string) {
	text = p.attempt.redact(text)
	p.attempt.run.Note("warning", engine.Subject{Kind: ovirt.KindSite, Site: site, Name: site}, map[string]any{"text": text, "level": "warn"})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.warnings = append(p.warnings, text)
}

// rankStage is what the stages of starting ranks are called, before the number.
const rankStage = "boot rank "

// observe turns what happens in the run into marks.
func (p *presence) observe(e engine.Event) {
	switch e.Kind {
	case "stage":
		p.mu.Lock()
		p.endStage()
		p.stage = e.Text
		p.mu.Unlock()
		p.task.add(p.task.enter(e.Text))
	case "mark":
		p.mu.Lock()
		p.noteTrouble(e.Subject)
		p.mu.Unlock()
	case evidenceNote: // now it is known whether the source answers
		for _, list := range p.events {
			list.bell.Ring()
		}
	}
}

// sayMirrorLost says in the engines that the mirror is an old copy from now on: whoever takes the run over from there finds that.
func (p *presence) sayMirrorLost(done func()) {
	a := p.attempt
	dir, lost := a.run.Mirror()
	spec := ovirt.EventSpec{
		Severity: "warning", CorrelationID: a.run.LostMirrorMark(),
		Description: report.Shorten(a.redact("drrun run "+a.run.ID()+": "+engine.LostMirrorText(dir, lost)), longestEvent),
	}
	for _, list := range p.events {
		say := list.post(spec)
		list.add(func(ctx context.Context) error {
			err := say(ctx)
			if list.site == a.target { // the one that is asked at a takeover
				done()
			}
			return err
		})
	}
}

// noteTrouble takes over what the board says of an object. mu is held.
func (p *presence) noteTrouble(subject engine.Subject) {
	status, known := p.attempt.run.Status(subject)
	if !known {
		return
	}
	key := subject.Kind + "/" + subject.ID
	switch status.State {
	case stdlib.StateFailed, stdlib.StateMissing, stdlib.StateQuarantined, stdlib.StateUnverified:
		p.trouble[key] = status
	default:
		delete(p.trouble, key)
	}
}

// endStage says what the stage that is over has come to: a rank, how many of its VMs are up; any other, what failed in it. mu is held.
func (p *presence) endStage() {
	if number, isRank := strings.CutPrefix(p.stage, rankStage); isRank {
		if rank, err := strconv.Atoi(number); err == nil {
			p.say(p.rankLine(rank))
		}
	}
	if len(p.trouble) > 0 {
		p.say(p.troubleLine())
	}
	clear(p.trouble)
	p.stage = ""
}

// end says how the attempt ended, and waits until that is shown, for presenceLimit at most. It returns what could not be shown. err is
// what the work ended with.
func (p *presence) end(err error) []string {
	if p == nil {
		return nil
	}
	result := p.attempt.result
	p.mu.Lock()
	p.ending = true
	stage := p.stage
	if err != nil && strings.HasPrefix(stage, rankStage) {
		p.stage = "" // it is not up
	}
	p.endStage()
	if err != nil && stage != "" && result.Status != StatusInterrupted {
		p.say(p.stopLine(stage))
	}
	p.say(p.endLine())
	p.mu.Unlock()
	for _, list := range p.events {
		list.close(nil)
	}
	p.task.close(p.task.end(err == nil, result.Status == StatusDone))
	p.await()
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.warnings
}

// await waits for the streams, drops what is under way when that takes too long, and returns when nothing more leaves.
func (p *presence) await() {
	defer p.cancel()
	clock := p.attempt.Env.Clock
	limit, cancel := clock.WithTimeout(context.Background(), presenceLimit)
	defer cancel()
	var late error
	for _, stream := range p.streams() {
		_, err := clock.Wait(limit, -1, stream.done)
		late = errors.Join(late, err)
	}
	if late == nil {
		return
	}
	p.cancel()
	for _, stream := range p.streams() {
		_, _ = clock.Wait(context.Background(), -1, stream.done) // a request whose context is over ends
	}
}

// line is an event to be posted.
type line struct {
	severity, text string
	vm, domain     string // ids of what it is about, known to the target; "" for nothing
}

// event is the event of a line, without what it is about.
func (a *attempt) event(l line) ovirt.EventSpec {
	return ovirt.EventSpec{Severity: l.severity, Description: report.Shorten(a.redact(l.text), longestEvent), CorrelationID: a.run.ID()}
}

// say posts a line in both engines.
func (p *presence) say(l line) {
	a := p.attempt
	for _, list := range p.events {
		spec := a.event(l)
		if list.site == a.target {
			spec.VMID, spec.StorageDomainID = l.vm, l.domain
		}
		list.add(list.post(spec))
	}
}

// disappear ends what killed attempts of a run that is closed have left open among the tasks of the engines that answer, and says there
// that it is closed.
func (a *attempt) disappear(ctx context.Context) {
	if a.plan.NoEvents || a.session == nil {
		return
	}
	text := fmt.Sprintf("drrun run %s: closed as it is by %s on %s, with drrun abort; %s. More: drrun show %s", a.run.ID(), a.User, a.Host, a.reached(), a.run.ID())
	for _, name := range siteOrder {
		lock := a.siteLocks[name]
		if lock == nil || !lock.reach() {
			continue
		}
		p := &presence{attempt: a, task: &taskEntry{run: a.run, site: lock.site}}
		a.session.Presence = p
		list := &eventList{run: a.run, site: lock.site}
		limit, cancel := a.Env.Clock.WithTimeout(ctx, presenceLimit)
		err := p.task.endLeft(limit)
		if err == nil {
			err = list.post(a.event(line{severity: severityWarning, text: text}))(limit)
		}
		cancel()
		if err != nil {
			a.warn(fmt.Sprintf("the engine of %s may show the run as one that goes on: %v", name, err))
		}
	}
}
