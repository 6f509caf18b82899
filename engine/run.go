package engine

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"drrun/internal/sabotage"
)

// Run is one execution of an action of a plan: what it decided, did and saw, kept in a
// journal so that another process can continue it. Its methods may be called from any
// goroutine, but those that write to the journal, not while holding the baton: the
// caller is inside Task.Release, or no task at all.
type Run struct {
	env     Env
	id      string
	dir     string
	by      By
	journal *journal
	unlock  func() error
	begun   time.Time // of this attempt
	events  *dispatcher

	opened   int64             // records that the journal had when it was opened
	tellLoss func(done func()) // says that the mirror was lost; nil for nobody
	lossTold chan struct{}     // closed when that is said; nil while there is nothing to say
	mirrorAt Mirror            // as asked for
	mirror   *mirror           // nil where there is none

	signer ed25519.PrivateKey // nil seals nothing

	mu      sync.Mutex
	redact  func(string) string
	head    Head
	attempt int
	files   map[string]string // digests of the snapshot by name
	// snapshotOf is the attempt that took the snapshot.
	snapshotOf int
	facts      json.RawMessage
	steps      map[string]map[string]*step // by key and digest
	intents    map[string]*intent          // by id
	objects    map[string][]*intent        // by op and subject, in order
	lastID     int                         // number of the last intent
	board      map[string]*Status
	tokens     []LockToken    // of all attempts
	uses       map[string]int // of step names, by task path and name
	redo       map[string]bool
	claims     map[string]chan struct{} // steps that are running
	pages      Pages
	asker      Asker
	waits      bool   // also where nobody is at the terminal, an answer of another process is waited for
	asked      int    // questions published in this attempt
	reason     string // why it stops
	unwritten  error  // why the journal could not be written
	stopped    chan struct{}
	closed     bool
}

type step struct {
	attempt int // that last ran it
	onCut   string
	result  *ResultRecord // nil: cut, or running now
}

type intent struct {
	Intent
	attempt int
	outcome *Outcome
	settled bool
	reached bool // as settled
}

// By says who made an attempt, for the journal and for those who find the run locked.
type By struct{ Version, Host, User string }

// WithBy names who takes up the run. CreateRun takes it from the head.
func WithBy(by By) Option { return func(r *Run) { r.by = by } }

func newRun(env Env, dir, id string, opts []Option) *Run {
	r := &Run{
		env: env, id: id, dir: dir,
		steps: map[string]map[string]*step{}, intents: map[string]*intent{}, objects: map[string][]*intent{},
		board: map[string]*Status{}, uses: map[string]int{}, redo: map[string]bool{},
		claims: map[string]chan struct{}{}, stopped: make(chan struct{}),
		events: &dispatcher{clock: env.Clock},
	}
	for _, o := range opts {
		o(r)
	}
	return r
}

// ID names the run: sortable by the minute of its start, at most 22 characters.
func (r *Run) ID() string { return r.id }

// Dir is the folder of the run.
func (r *Run) Dir() string { return r.dir }

// Attempt counts the processes that took up the run, this one included; from 1.
func (r *Run) Attempt() int { return r.attempt }

// Resumed tells whether this is not the first attempt.
func (r *Run) Resumed() bool { return r.attempt > 1 }

// Head is what the run is about.
func (r *Run) Head() Head { return r.head }

// SetRedactor is WithRedactor for a run that is open already.
func (r *Run) SetRedactor(redact func(string) string) { r.setRedactor(redact) }

func (r *Run) setRedactor(redact func(string) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.redact = redact
}

func (r *Run) redactor() func(string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.redact
}

func (r *Run) cleanText(s string) string {
	if redact := r.redactor(); redact != nil {
		return redact(s)
	}
	return s
}

func (r *Run) cleanJSON(text []byte, keys bool) []byte {
	if redact := r.redactor(); redact != nil {
		return redactJSON(text, keys, redact)
	}
	return text
}

func (r *Run) cleanRecord(rec *Record) {
	if redact := r.redactor(); redact != nil {
		redactRecord(rec, redact)
	}
}

// apply brings a record into the state of the run. It is the same for what this process
// journaled and for what it read. mu is held.
func (r *Run) apply(rec *Record) {
	switch rec.Kind {
	case kindHead:
		r.head, r.files, r.snapshotOf = *rec.Head, rec.Head.Files, 1
	case kindAttempt:
		r.attempt = rec.Attempt
	case kindSnapshot:
		r.files, r.snapshotOf = rec.Files, rec.Attempt
	case kindFacts:
		r.facts = rec.Data
	case kindIntent:
		in := &intent{Intent: *rec.Intent, attempt: r.attempt}
		r.intents[in.ID] = in
		key := in.Op + "\x00" + in.Subject.identity()
		r.objects[key] = append(r.objects[key], in)
		if n, err := strconv.Atoi(in.ID[strings.LastIndexByte(in.ID, '-')+1:]); err == nil {
			r.lastID = max(r.lastID, n)
		}
	case kindOutcome:
		if in := r.intents[rec.ID]; in != nil {
			in.outcome = rec.Outcome
		}
	case kindSettle:
		if in := r.intents[rec.ID]; in != nil {
			in.settled, in.reached = true, *rec.Reached
		}
	case kindStep:
		r.stepOf(rec.Step.Key, rec.Step.Digest).attempt = r.attempt
		s := r.stepOf(rec.Step.Key, rec.Step.Digest)
		s.onCut, s.result = rec.Step.OnCut, nil
	case kindResult:
		r.stepOf(rec.Result.Key, rec.Result.Digest).result = rec.Result
	case kindRename:
		if old := r.steps[rec.Step.Was]; old != nil {
			r.steps[rec.Step.Key] = old
		}
	case kindMark:
		r.merge(*rec.Mark)
	case kindConfirm:
		r.tokens = append(r.tokens, rec.Locks...)
	}
}

func (r *Run) stepOf(key, digest string) *step {
	if r.steps[key] == nil {
		r.steps[key] = map[string]*step{}
	}
	s := r.steps[key][digest]
	if s == nil {
		s = &step{}
		r.steps[key][digest] = s
	}
	return s
}

// commit journals a record, synced, and applies it. A failure has stopped the run.
func (r *Run) commit(rec Record) error {
	if err := r.journal.commit(rec); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apply(&rec)
	return nil
}

// ride journals a record with the next sync and applies it at once.
func (r *Run) ride(rec Record) {
	r.mu.Lock()
	r.apply(&rec)
	r.mu.Unlock()
	r.journal.ride(rec)
}

// Stop makes Begin and Durable fail with ErrStopping from now on; what runs goes on and
// its outcome is still recorded. The first reason counts. The run stops itself when its
// journal cannot be written.
func (r *Run) Stop(reason string) {
	reason = r.cleanText(reason)
	r.mu.Lock()
	if r.reason != "" || r.closed {
		r.mu.Unlock()
		return
	}
	r.reason = reason
	close(r.stopped)
	r.mu.Unlock()
	r.journal.ride(Record{Kind: kindStop, Reason: reason})
	r.Emit(Event{Kind: kindStop, Level: "error", Text: "stopping: " + reason, Subject: Subject{Kind: "run", ID: r.id}})
}

// Stopping returns why the run stops, if it does.
func (r *Run) Stopping() (reason string, stopping bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reason, r.reason != ""
}

// Stopped is closed when the run begins to stop.
func (r *Run) Stopped() <-chan struct{} { return r.stopped }

// mayChange is nil while changes may begin.
func (r *Run) mayChange(ctx context.Context) error {
	if reason, stopping := r.Stopping(); stopping {
		return fmt.Errorf("%w: %s", ErrStopping, reason)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fmt.Errorf("%w: it has ended", ErrStopping)
	}
	return nil
}

// mayGiveBack is mayChange for what is beside the plan: a run that stops may still give its locks back.
func (r *Run) mayGiveBack(ctx context.Context) error {
	err := r.mayChange(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if errors.Is(err, ErrStopping) && !r.closed {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return nil
	}
	return err
}

// SetFacts records what the run decided, before its first change, and returns when that
// is synced. Facts are set once: the same again is fine, others match ErrFactsChanged.
// The redactor leaves them alone: a resumed run must read what this one decided, and they
// are names and ids, which a short password may well be part of.
func (r *Run) SetFacts(v any) error {
	raw, err := Canonical(v)
	if err != nil {
		return fmt.Errorf("set facts: %w", err)
	}
	free, err := r.claim(context.Background(), "facts")
	if err != nil {
		return err
	}
	defer free()
	if old := r.Facts(); old != nil {
		if was, err := Canonical(old); err != nil || string(was) != string(raw) {
			return fmt.Errorf("set facts: %w", ErrFactsChanged)
		}
		return nil
	}
	if err := r.mayChange(context.Background()); err != nil {
		return fmt.Errorf("set facts: %w", err)
	}
	if err := r.commit(Record{Kind: kindFacts, Data: raw}); err != nil {
		return fmt.Errorf("set facts: %w", err)
	}
	return nil
}

// Facts returns the recorded facts, nil when there are none yet.
func (r *Run) Facts() json.RawMessage {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.facts
}

// claim makes the caller the only one that works on a name until it calls free.
func (r *Run) claim(ctx context.Context, name string) (free func(), err error) {
	for {
		r.mu.Lock()
		busy := r.claims[name]
		if busy == nil {
			mine := make(chan struct{})
			r.claims[name] = mine
			r.mu.Unlock()
			return func() {
				r.mu.Lock()
				delete(r.claims, name)
				r.mu.Unlock()
				close(mine)
			}, nil
		}
		r.mu.Unlock()
		if _, err := r.env.Clock.Wait(ctx, -1, busy); err != nil {
			return nil, err
		}
	}
}

// HookKey is the key of a hook's durable step: the point, the handler (a library's name,
// or its as=), and the kind and id of the subject.
func HookKey(point, handler string, s Subject) string {
	id := s.ID
	if id == "" {
		id = s.Name
	}
	return hookPrefix + escapeKey(point) + "/" + escapeKey(handler) + "/" + escapeKey(s.Kind) + "/" + escapeKey(id)
}

const hookPrefix = "hook:"

// StepKey is the key of a durable step of a task: its place, its name, and how often that name was used there in this attempt. Each
// call counts. The place is the task's path, or inside of a hook or another step that one's key, with the path of a task below it: a
// resumed run passes over hooks that are recorded, and must not count their steps with those of the next one. t may be nil; ctx is that
// of the call.
func (r *Run) StepKey(ctx context.Context, t *Task, name string) string {
	place := ""
	if t != nil {
		place = t.Path()
	}
	if outer, _ := ctx.Value(insideStep{}).(*stepFrame); outer != nil {
		_, inside, _ := strings.Cut(outer.key, ":")
		place = inside + strings.TrimPrefix(place, outer.task)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	use := place + "\x00" + name
	r.uses[use]++
	return "step:" + place + "/" + escapeKey(name) + "#" + strconv.Itoa(r.uses[use])
}

// Redo makes this attempt run the steps with these keys once more, whatever is recorded.
func (r *Run) Redo(keys ...string) {
	for _, k := range keys {
		r.mu.Lock()
		r.redo[k] = true
		r.mu.Unlock()
	}
}

type insideStep struct{}

// Durable makes a change outside the engines once. Where an outcome is recorded under
// the key and the digest of the args, it is returned: a result, or, when this very
// attempt recorded it, a failure (*StepError). Else the intent is journaled and synced,
// fn runs, its outcome is journaled and synced, and the result is returned as decoded
// from what was recorded. Result and args are JSON; the result has at most MaxResult bytes
// (*ResultError).
//
// A step whose outcome is not recorded although an earlier attempt began it was cut: by
// OnCut it runs again, or a person says whether it was done (then its result is null), is
// to be done again, or that all is to stop (*CutError). retried tells fn that an earlier
// try may have had effects: the step was cut, or failed, or was named to Redo.
//
// The context given to fn is ctx with d.Timeout, which does not count what PauseTimeouts takes out. An error of fn after ctx itself is
// done is recorded as unknown, like a cut. A panic of fn is a failure (*PanicError). A call
// with a key that is running waits for it.
func (r *Run) Durable(ctx context.Context, d Durable, fn func(ctx context.Context, retried bool) (any, error)) (json.RawMessage, error) {
	if d.Key == "" {
		return nil, errors.New("run a durable step: it has no key")
	}
	for outer, _ := ctx.Value(insideStep{}).(*stepFrame); outer != nil; outer = outer.outer {
		if outer.key == d.Key {
			return nil, fmt.Errorf("run step %s: it is called from inside itself", d.Key)
		}
	}
	digest, err := Digest(d.Args)
	if err != nil {
		return nil, fmt.Errorf("run step %s: its arguments: %w", d.Key, err)
	}
	free, err := r.claim(ctx, "step "+d.Key)
	if err != nil {
		return nil, err
	}
	defer free()
	if err := r.mayChange(ctx); err != nil {
		return nil, fmt.Errorf("run step %s: %w", d.Key, err)
	}
	r.adopt(d)

	again, result, err := r.decide(ctx, d, digest)
	if err != nil {
		return nil, err
	}
	if result != nil {
		r.emitStep(ctx, d, "info", "recorded already")
		if result.OK {
			return orNull(result.Value), nil
		}
		return nil, &StepError{Key: d.Key, Text: result.Error}
	}
	rec := StepRecord{Key: d.Key, Digest: digest, OnCut: d.OnCut, Title: d.Title, Task: taskPath(ctx), Again: again}
	if d.Subject != (Subject{}) {
		rec.Subject = &d.Subject
	}
	if err := r.commit(Record{Kind: kindStep, Step: &rec}); err != nil {
		return nil, fmt.Errorf("run step %s: %w", d.Key, err)
	}
	if err := r.mayChange(ctx); err != nil { // stopped during the sync
		_ = r.commit(Record{Kind: kindResult, Result: &ResultRecord{Key: d.Key, Digest: digest, Error: "not run: " + err.Error()}})
		return nil, fmt.Errorf("run step %s: %w", d.Key, err)
	}
	r.awaitLossTold(ctx)
	r.emitStep(ctx, d, "info", "runs")
	return r.execute(ctx, d, digest, again != "", fn)
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// adopt takes over what is recorded under an older key.
func (r *Run) adopt(d Durable) {
	r.mu.Lock()
	rename := d.Was != "" && r.steps[d.Key] == nil && r.steps[d.Was] != nil
	r.mu.Unlock()
	if rename {
		r.ride(Record{Kind: kindRename, Step: &StepRecord{Key: d.Key, Was: d.Was}})
	}
}

// decide looks up what is recorded: a result to be returned, or why the step runs again
// (empty the first time).
func (r *Run) decide(ctx context.Context, d Durable, digest string) (again string, result *ResultRecord, err error) {
	r.mu.Lock()
	redo := r.redo[d.Key]
	delete(r.redo, d.Key)
	s := r.steps[d.Key][digest]
	others := len(r.steps[d.Key])
	attempt := r.attempt
	r.mu.Unlock()
	switch {
	case redo:
		return "redo", nil, nil
	case s == nil && others > 0:
		if !strings.HasPrefix(d.Key, promptPrefix) { // another question is asked, and that is all
			r.Note("step-args-changed", d.Subject, map[string]any{"key": d.Key, "digest": digest, "level": "warn",
				"text": cmp.Or(d.Title, d.Key) + " is recorded with other arguments; with these it is a new step, and runs"})
		}
		return "", nil, nil
	case s == nil:
		return "", nil, nil
	case s.result != nil && (s.result.OK && !sabotage.On(sabotage.StepRepeated) || s.attempt == attempt):
		return "", s.result, nil
	case s.result != nil && !s.result.Unknown:
		return "failed", nil, nil
	}
	if d.OnCut != OnCutAsk || sabotage.On(sabotage.CutNotAsked) {
		return "cut", nil, nil
	}
	title := d.Title
	if title == "" {
		title = d.Key
	}
	answer, err := r.Ask(ctx, Question{
		Name:    CutQuestion + d.Key,
		Text:    fmt.Sprintf("%s was begun by an earlier attempt and its outcome is not recorded. Was it done? done: go on; redo: do it again; abort: stop here", title),
		Choices: []string{CutDone, CutRedo, CutAbort},
	})
	if err != nil {
		return "", nil, &CutError{Key: d.Key, Title: d.Title, Err: err}
	}
	switch answer {
	case CutDone:
		res := ResultRecord{Key: d.Key, Digest: digest, OK: true, How: "answered"}
		if err := r.commit(Record{Kind: kindResult, Result: &res}); err != nil {
			return "", nil, fmt.Errorf("record the answer about step %s: %w", d.Key, err)
		}
		return "", &res, nil
	case CutRedo:
		return "cut", nil, nil
	}
	return "", nil, &CutError{Key: d.Key, Title: d.Title}
}

type stepFrame struct {
	key   string
	task  string // path of the task that it runs in
	outer *stepFrame
	box   *timebox // nil without a time-out
}

func (r *Run) execute(ctx context.Context, d Durable, digest string, retried bool, fn func(context.Context, bool) (any, error)) (json.RawMessage, error) {
	outer, _ := ctx.Value(insideStep{}).(*stepFrame)
	frame := &stepFrame{key: d.Key, task: taskPath(ctx), outer: outer}
	fnCtx := context.WithValue(ctx, insideStep{}, frame)
	cancel := func() {}
	if d.Timeout > 0 {
		fnCtx, frame.box, cancel = r.newTimebox(fnCtx, d.Timeout)
	}
	var value any
	err := protect("step "+d.Key, func() (err error) {
		value, err = fn(fnCtx, retried)
		return err
	})
	if err != nil && fnCtx.Err() != nil && ctx.Err() == nil {
		err = fmt.Errorf("no end after %s: %w", d.Timeout, err)
	}
	cancel()
	res := ResultRecord{Key: d.Key, Digest: digest, OK: err == nil}
	if err == nil {
		res.Value, err = r.resultJSON(d.Key, value)
		res.OK = err == nil
	}
	if err != nil {
		res.Error = err.Error()
		res.Unknown = ctx.Err() != nil
	}
	// Also after Stop and after a cancel: what happened, happened.
	if recErr := r.commit(Record{Kind: kindResult, Result: &res}); recErr != nil {
		return nil, errors.Join(fmt.Errorf("record the outcome of step %s: %w", d.Key, recErr), err)
	}
	if err != nil {
		r.emitStep(ctx, d, "error", err.Error())
		return nil, err
	}
	r.emitStep(ctx, d, "info", "done")
	return orNull(res.Value), nil
}

func (r *Run) resultJSON(key string, value any) (json.RawMessage, error) {
	raw, err := Canonical(value)
	if err != nil {
		return nil, &ResultError{Key: key, Err: err}
	}
	raw = r.cleanJSON(raw, true) // here, so that this attempt goes on with what the next will read
	if len(raw) > MaxResult {
		return nil, &ResultError{Key: key, Size: len(raw)}
	}
	return raw, nil
}

func (r *Run) emitStep(ctx context.Context, d Durable, level, text string) {
	title := d.Title
	if title == "" {
		title = d.Key
	}
	r.Emit(Event{Kind: kindStep, Task: taskPath(ctx), Level: level, Text: title + ": " + text, Subject: d.Subject})
}

func taskPath(ctx context.Context) string {
	if t := TaskFrom(ctx); t != nil {
		return t.Path()
	}
	return ""
}

// Pending is an intent whose request is on its way.
type Pending struct {
	run  *Run
	in   Intent
	once sync.Once
}

// Begin journals a changing request before it leaves. It returns when that is synced; an
// error means that the request must not be sent.
func (r *Run) Begin(ctx context.Context, in Intent) (*Pending, error) {
	allowed := r.mayChange
	if in.Beside {
		allowed = r.mayGiveBack
	}
	if err := allowed(ctx); err != nil {
		return nil, fmt.Errorf("begin %s: %w", in.Op, err)
	}
	r.mu.Lock()
	r.lastID++
	in.ID = r.id + "-" + strconv.Itoa(r.lastID)
	r.mu.Unlock()
	if in.Task == "" {
		in.Task = taskPath(ctx)
	}
	if sabotage.On(sabotage.IntentNotSynced) {
		r.ride(Record{Kind: kindIntent, Intent: &in})
	} else if err := r.commit(Record{Kind: kindIntent, Intent: &in}); err != nil {
		return nil, fmt.Errorf("begin %s: %w", in.Op, err)
	}
	p := &Pending{run: r, in: in}
	if err := allowed(ctx); err != nil { // stopped during the sync
		p.Done(Outcome{Error: "not sent: " + err.Error()})
		return nil, fmt.Errorf("begin %s: %w", in.Op, err)
	}
	r.Emit(Event{Kind: kindIntent, Task: in.Task, Text: in.Op, Subject: in.Subject, Data: in})
	return p, nil
}

// ID is the id of the intent, to be sent as Correlation-Id.
func (p *Pending) ID() string { return p.in.ID }

// Done records what came of the request; only the first call counts. The record rides
// with the next sync, and is also made when the run stops.
func (p *Pending) Done(o Outcome) {
	p.once.Do(func() {
		p.run.ride(Record{Kind: kindOutcome, ID: p.in.ID, Outcome: &o})
		level := "info"
		if !o.OK {
			level = "warn"
		}
		p.run.Emit(Event{Kind: kindOutcome, Task: p.in.Task, Level: level, Text: o.Error, Subject: p.in.Subject, Data: o})
	})
}

// Cut returns the intents to do op to the subject that have to be settled by reading:
// earlier attempts made them and recorded no outcome, or the outcome is unknown. Subjects
// are equal when kind and id are (the name where there is no id), and site where s has one.
func (r *Run) Cut(op string, s Subject) []Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Intent
	for _, in := range r.of(op, s) {
		open := in.outcome == nil && in.attempt < r.attempt || in.outcome != nil && in.outcome.Unknown
		if open && !in.settled {
			out = append(out, in.Intent)
		}
	}
	return out
}

func (r *Run) of(op string, s Subject) []*intent {
	list := r.objects[op+"\x00"+s.identity()]
	if s.Site == "" {
		return list
	}
	return slices.DeleteFunc(slices.Clone(list), func(in *intent) bool {
		return in.Subject.Site != s.Site && in.Site != s.Site
	})
}

// Intents returns the intents of an operation at a site, of every attempt and whatever came of them, in the order in which they were made.
func (r *Run) Intents(op, site string) []Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Intent
	for _, in := range r.intents {
		if in.Op == op && in.Site == site {
			out = append(out, in.Intent)
		}
	}
	slices.SortFunc(out, inOrder)
	return out
}

// Unknown returns the intents that may have had their effect or not, as far as the journal tells, in order; those that change no object of
// the plan excepted.
func (r *Run) Unknown() []Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Intent
	for _, in := range r.intents {
		if !in.Beside && !in.Look && !in.settled && (in.outcome == nil || in.outcome.Unknown) {
			out = append(out, in.Intent)
		}
	}
	slices.SortFunc(out, inOrder)
	return out
}

// inOrder compares intents of one run by their numbers.
func inOrder(a, b Intent) int {
	return cmp.Or(cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
}

// Settle records what reading said about an intent: whether its effect was reached, and
// how that was seen. It overrules the outcome. The record rides with the next sync.
func (r *Run) Settle(intentID string, reached bool, how string) {
	r.mu.Lock()
	in := r.intents[intentID]
	r.mu.Unlock()
	if in == nil {
		return
	}
	r.ride(Record{Kind: kindSettle, ID: intentID, Reached: &reached, How: how})
	r.Emit(Event{Kind: kindSettle, Task: in.Task, Text: how, Subject: in.Subject, Data: reached})
}

// Reached tells whether some attempt of this run did op to the subject: the engine
// accepted it, or reading settled that it was done.
func (r *Run) Reached(op string, s Subject) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, in := range r.of(op, s) {
		if in.did() {
			return true
		}
	}
	return false
}

// Knows tells whether a correlation id is one of the run's that the journal has, or none of the run's at all. One that it lacks was
// sent by a process with a longer journal. The one of LostMirrorMark counts records, of which the journal had enough when it was opened.
func (r *Run) Knows(correlation string) bool {
	number, own := strings.CutPrefix(correlation, r.id+"-")
	records, lost := strings.CutPrefix(number, lostMirrorMark)
	r.mu.Lock()
	defer r.mu.Unlock()
	known := int64(r.lastID)
	if lost {
		number, known = records, r.opened
	}
	n, err := strconv.ParseInt(number, 10, 64)
	return !own || err != nil || n <= known
}

const lostMirrorMark = "mirror-"

// LostMirrorMark is the correlation id of an event that says that the run's mirror was lost: it names how many records the journal has
// by now, which the copy in the mirror lacks. A run that is taken over from that copy finds it and does not go on (see Knows).
func (r *Run) LostMirrorMark() string {
	records, _ := r.journal.end()
	return r.id + "-" + lostMirrorMark + strconv.FormatInt(records, 10)
}

// ReachedOrCut tells whether op was done to the subject, or may have been: an attempt was cut off there, which is not settled yet.
func (r *Run) ReachedOrCut(op string, s Subject) bool {
	return r.Reached(op, s) || len(r.Cut(op, s)) > 0
}

// Note journals an observation, a verdict or a warning, with the next sync, and emits it
// with the "text" and "level" of data where it is an object that has them. data that is
// no JSON is replaced by the error.
func (r *Run) Note(kind string, s Subject, data any) {
	rec := r.noteRecord(kindNote, kind, s, data)
	r.ride(rec)
	r.emitNote(rec)
}

// NoteSynced journals what a person confirmed and returns when it is synced.
func (r *Run) NoteSynced(kind string, s Subject, data any) error {
	rec := r.noteRecord(kindConfirm, kind, s, data)
	if err := r.commit(rec); err != nil {
		return fmt.Errorf("record %s: %w", kind, err)
	}
	r.emitNote(rec)
	return nil
}

func (r *Run) noteRecord(kind, note string, s Subject, data any) Record {
	rec := Record{Kind: kind, Note: note}
	if s != (Subject{}) {
		rec.Subject = &s
	}
	if data == nil {
		return rec
	}
	raw, err := marshal(data)
	if err != nil {
		raw, _ = marshal(map[string]string{"error": err.Error()}) // strings always encode
	}
	rec.Data = r.cleanJSON(raw, true)
	return rec
}

func (r *Run) emitNote(rec Record) { r.Emit(noteEvent(rec)) }

// End ends the attempt: it journals status and exit code, synced, writes the report
// (report.json, which is the given document, and what ReportWith makes) and closes the
// run. The report is written also when the journal cannot be. The error matches
// ErrEndLost when the end is not recorded.
func (r *Run) End(status string, exit int, report any) error {
	var errs []error
	rec := Record{Kind: kindEnd, Status: status, Exit: &exit, Seconds: r.env.Clock.Now().Sub(r.begun).Seconds()}
	if err := r.commit(rec); err != nil {
		errs = append(errs, fmt.Errorf("end run %s: %w: %w", r.id, ErrEndLost, err))
	}
	files, err := r.writeReport(report)
	if err != nil {
		errs = append(errs, err)
	}
	r.events.flush()
	if err := r.journal.close(); err != nil { // nothing may come behind the seal
		errs = append(errs, fmt.Errorf("end run %s: %w", r.id, err))
	}
	if err := r.seal(files); err != nil {
		errs = append(errs, fmt.Errorf("seal run %s: %w", r.id, err))
	}
	return errors.Join(append(errs, r.Close())...)
}

// Close gives the run up without ending it, as a crash would, but with all events
// delivered: it can be resumed. After End it does nothing.
func (r *Run) Close() error {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil
	}
	r.closed = true
	r.mu.Unlock()
	r.events.flush()
	defer r.mirror.close()
	if r.journal == nil { // given up while it was being made
		return r.unlock()
	}
	return errors.Join(r.journal.close(), r.unlock())
}
