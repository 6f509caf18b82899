package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"drrun/engine"
	"drrun/stdlib"
)

// history is a journal put in order: what happened, when, and what it was about.
type history struct {
	info  *engine.RunInfo
	facts *stdlib.Facts // as the run goes by them: turned round where it was undone; nil where it was cut before it had any
	end   time.Time     // of the last record

	attempts []*era
	stages   []*era
	steps    []*stepRun
	requests []*request
	looks    []seen
	verdicts []said
	promoted map[string]promotion // by consistency group
	vms      map[string]*trace    // by id
	domains  map[string]*trace
	released map[string]time.Time // of storage domains, by id
	reliance *Reliance
	notes    []engine.Record // of persons and warnings, in order
	undone   bool
}

// era is a stretch of the run: an attempt, or a stage of one.
type era struct {
	attempt  int
	name     string
	from, to time.Time
	record   engine.Record // that began it
	ended    *engine.Record
	ending   *Ending // of an attempt; nil where it was cut off before it could tell
}

// stepRun is one run of a durable step.
type stepRun struct {
	began  time.Time
	ended  time.Time // zero where it was cut, or runs
	step   engine.StepRecord
	result *engine.ResultRecord
}

// request is a changing request with what became of it.
type request struct {
	record   engine.Record
	answered time.Time
	outcome  *engine.Outcome
	settled  *engine.Record
}

// seen is one look at the source.
type seen struct {
	attempt int
	at      time.Time
	verdict stdlib.Verdict
}

// said is a verdict of the workflow.
type said struct{ name, text string }

// promotion is what was answered when the copy of a consistency group was made writable.
type promotion struct {
	at     time.Time
	asOf   string // a time in RFC 3339, "unknown", or stdlib.InSync
	byHook bool
}

// trace is what the marks say of one object, in order.
type trace struct {
	changes []change
	proof   *proof // of the last boot condition that was looked at
}

type change struct {
	at    time.Time
	state string
	site  string
}

// proof is what became of a VM's boot condition.
type proof struct {
	at        time.Time
	Condition string `json:"condition"`
	OK        bool   `json:"ok"`
	Why       string `json:"why"`
}

// first returns when the object came into a state first, the zero time where it never did.
func (t *trace) first(state string) time.Time {
	for _, c := range t.changes {
		if c.state == state {
			return c.at
		}
	}
	return time.Time{}
}

// last returns when the object came into a state last.
func (t *trace) last(state string) time.Time {
	for _, c := range slices.Backward(t.changes) {
		if c.state == state {
			return c.at
		}
	}
	return time.Time{}
}

// read puts the records of a run in order. now ends what still runs.
func read(info *engine.RunInfo, running bool, now time.Time) *history {
	h := &history{
		info: info, reliance: RelianceOf(info), promoted: map[string]promotion{}, vms: map[string]*trace{}, domains: map[string]*trace{}, released: map[string]time.Time{},
	}
	var facts stdlib.Facts
	if json.Unmarshal(info.Facts(), &facts) == nil { // none: it was cut before it had decided anything
		h.facts = &facts
	}
	open := map[string]*request{}
	steps := map[string]*stepRun{} // the last run by key
	for k := range info.Records {
		h.add(&info.Records[k], open, steps)
	}
	if n := len(info.Records); n > 0 {
		h.end = info.Records[n-1].Time
	}
	if running && now.After(h.end) {
		h.end = now
	}
	for i, a := range h.attempts {
		switch {
		case a.ended != nil:
		case i+1 < len(h.attempts):
			a.to = h.lastBefore(h.attempts[i+1].record.N)
		default:
			a.to = h.end
		}
	}
	for i, s := range h.stages {
		a := h.attempts[s.attempt-1]
		s.to = a.to
		if i+1 < len(h.stages) && h.stages[i+1].attempt == s.attempt {
			s.to = h.stages[i+1].from
		}
	}
	if h.undone && h.facts != nil {
		h.facts = h.facts.Reversed()
	}
	return h
}

// lastBefore is the time of the record before one.
func (h *history) lastBefore(n int64) time.Time { return h.info.Records[n-2].Time }

func (h *history) add(rec *engine.Record, open map[string]*request, steps map[string]*stepRun) {
	switch rec.Kind {
	case "attempt":
		h.attempts = append(h.attempts, &era{attempt: len(h.attempts) + 1, from: rec.Time, to: rec.Time, record: *rec})
	case "end":
		if n := len(h.attempts); n > 0 {
			h.attempts[n-1].to, h.attempts[n-1].ended = rec.Time, rec
		}
	case "intent":
		r := &request{record: *rec}
		h.requests = append(h.requests, r)
		open[rec.Intent.ID] = r
	case "outcome":
		if r := open[rec.ID]; r != nil {
			r.outcome, r.answered = rec.Outcome, rec.Time
		}
	case "settle":
		if r := open[rec.ID]; r != nil {
			r.settled = rec
		}
	case "step":
		s := &stepRun{began: rec.Time, step: *rec.Step}
		h.steps = append(h.steps, s)
		steps[rec.Step.Key] = s
	case "result":
		h.result(rec, steps[rec.Result.Key])
	case "mark":
		h.mark(rec)
	case "note", "confirm":
		h.note(rec)
	case "stop":
		h.notes = append(h.notes, *rec)
	}
}

// result notes what came of a step; one of a promotion says as of when the copy is.
func (h *history) result(rec *engine.Record, s *stepRun) {
	if s == nil {
		return
	}
	s.ended, s.result = rec.Time, rec.Result
	if !rec.Result.OK {
		return
	}
	group, byPerson := promotedGroup(s.step)
	byHook := !byPerson && s.step.Subject != nil && isPromotionHook(s.step.Key)
	if byHook {
		group = s.step.Subject.ID
	}
	if !byPerson && !byHook {
		return
	}
	var answer map[string]any
	var text string
	if json.Unmarshal(rec.Result.Value, &text) == nil && text != "" {
		answer = stdlib.ParseAnswer(text)
	} else if json.Unmarshal(rec.Result.Value, &answer) != nil || answer == nil {
		return // a handler that left the answer to another one
	}
	asOf, _ := answer["as_of"].(string)
	if answer[stdlib.InSync] == true {
		asOf = stdlib.InSync
	}
	h.promoted[group] = promotion{at: rec.Time, asOf: cmp.Or(asOf, "unknown"), byHook: byHook}
}

func (h *history) mark(rec *engine.Record) {
	of := h.vms
	switch rec.Mark.Subject.Kind {
	case "vm":
	case "storage_domain":
		of = h.domains
	default:
		return
	}
	t := traceOf(of, rec.Mark.Subject.ID)
	if rec.Mark.State != "" {
		t.changes = append(t.changes, change{at: rec.Time, state: rec.Mark.State, site: rec.Mark.Subject.Site})
	}
}

func traceOf(of map[string]*trace, id string) *trace {
	if of[id] == nil {
		of[id] = &trace{}
	}
	return of[id]
}

func (h *history) note(rec *engine.Record) {
	subject := ""
	if rec.Subject != nil {
		subject = rec.Subject.ID
	}
	switch rec.Note {
	case "stage":
		if n := len(h.attempts); n > 0 {
			h.stages = append(h.stages, &era{attempt: n, name: textOf(rec), from: rec.Time, record: *rec})
		}
	case "evidence":
		var v stdlib.Verdict
		if json.Unmarshal(rec.Data, &v) == nil {
			h.looks = append(h.looks, seen{attempt: len(h.attempts), at: rec.Time, verdict: v})
		}
	case "verdict":
		var v struct{ Name, Text string }
		if json.Unmarshal(rec.Data, &v) == nil {
			h.pronounce(said{v.Name, v.Text})
		}
	case "boot_condition":
		p := &proof{at: rec.Time}
		if json.Unmarshal(rec.Data, p) == nil {
			traceOf(h.vms, subject).proof = p
		}
	case stdlib.WaitNote: // until there is a verdict
		traceOf(h.vms, subject).proof = &proof{at: rec.Time, Why: textOf(rec)}
	case stdlib.NoteReleased:
		var r stdlib.Released
		if json.Unmarshal(rec.Data, &r) == nil {
			h.released[subject] = r.At
		}
	case EndingNote:
		if ending, ok := EndingOf(rec); ok && len(h.attempts) > 0 {
			h.attempts[len(h.attempts)-1].ending = &ending
		}
	case "rollback":
		h.undone = true
		h.notes = append(h.notes, *rec)
	default:
		h.notes = append(h.notes, *rec)
	}
}

// pronounce keeps the last verdict of each name, where the first one stood.
func (h *history) pronounce(v said) {
	for i := range h.verdicts {
		if h.verdicts[i].name == v.name {
			h.verdicts[i] = v
			return
		}
	}
	h.verdicts = append(h.verdicts, v)
}

// textOf is what a note says to people.
func textOf(rec *engine.Record) string {
	var said struct{ Text string }
	_ = json.Unmarshal(rec.Data, &said) // a note without a text says nothing
	return said.Text
}

// groundsAt is the last look that let something start at that time, nil where there was none.
func (h *history) groundsAt(at time.Time) *seen {
	i, found := slices.BinarySearchFunc(h.looks, at, func(s seen, at time.Time) int { return s.at.Compare(at) })
	if !found {
		i--
	}
	for ; i >= 0; i-- {
		if h.looks[i].verdict.Holds {
			return &h.looks[i]
		}
	}
	return nil
}

// silentSince is when the source was first seen silent of the silence that lasts, the zero time where it answered last or was not looked at.
func (h *history) silentSince() time.Time {
	var since time.Time
	for _, l := range h.looks {
		switch {
		case l.verdict.Answers:
			since = time.Time{}
		case since.IsZero():
			since = l.verdict.At
		}
	}
	return since
}
