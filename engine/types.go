package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Head says what a run is about. It is written once and never changes.
type Head struct {
	Plan     string            `json:"plan"`                // name of the plan
	PlanFile string            `json:"plan_file,omitempty"` // the file as it was given
	Action   string            `json:"action"`              // failover, failback, …
	Source   string            `json:"source,omitempty"`    // site that is left
	Target   string            `json:"target,omitempty"`    // site that takes over
	Domains  []string          `json:"domains,omitempty"`   // ids of the storage domains
	Params   json.RawMessage   `json:"params,omitempty"`    // parameters of the run, without secrets
	Version  string            `json:"version,omitempty"`   // of drrun
	Host     string            `json:"host,omitempty"`      // where it was started
	User     string            `json:"user,omitempty"`      // by whom
	Files    map[string]string `json:"files,omitempty"`     // name of each snapshot file → sha256; filled by CreateRun
	// API is the number of the primitives that the run was begun with, as its caller counts them. Another number is not resumed.
	API int `json:"api,omitempty"`
	// Options are what the action was begun with besides Params, as its caller writes it.
	Options json.RawMessage `json:"options,omitempty"`
}

// Option changes how CreateRun or OpenRun work.
type Option func(*Run)

// WithRedactor gives the run a function that takes secrets out of text. It is applied to
// every free text that is journaled, reported or shown to observers, and to results, notes
// and parameters: the second net, in case a secret got past the values that carry it. What
// identifies something (ids, keys, kinds, states, subjects, task paths) and the facts stay as
// they are, or a password like "vm" would make a journal unreadable. The function may be
// called at any time, from any goroutine, with a mutex held, and must not call the run.
func WithRedactor(redact func(string) string) Option {
	return func(r *Run) { r.setRedactor(redact) }
}

// Durable describes a change outside the engines whose outcome is recorded, so that it
// is not made again.
type Durable struct {
	Key     string        // HookKey or Run.StepKey
	Was     string        // an older key of the same step, looked up when Key has no record
	Args    any           // what the step depends on; JSON. Other args make another step
	OnCut   string        // OnCutRetry (also when empty) or OnCutAsk
	Title   string        // for people; Key when empty
	Subject Subject       // what it is done to
	Timeout time.Duration // model time for fn; 0 means no limit
}

// What to do with a step that was cut between its intent and its outcome.
const (
	OnCutRetry = "retry" // run it again, with retried set
	OnCutAsk   = "ask"   // ask a person: done, redo or abort
)

// CutQuestion is put before the key of a step to name the question about its being
// cut, as in --answer 'cut:KEY=redo'.
const CutQuestion = "cut:"

// Answers to the question about a step that was cut.
const (
	CutDone  = "done"  // it was done: go on with the result null
	CutRedo  = "redo"  // do it again
	CutAbort = "abort" // stop here
)

// MaxResult is the largest result of a durable step, in bytes of JSON.
const MaxResult = 64 << 10

// Intent is one changing request to a site, recorded before it leaves.
type Intent struct {
	ID      string  `json:"id"`               // "<run id>-<n>", sent as Correlation-Id; filled by Begin
	Op      string  `json:"op"`               // what is wanted, as vm.start
	Method  string  `json:"method,omitempty"` // of HTTP
	Path    string  `json:"path,omitempty"`   // of the URL
	Digest  string  `json:"digest,omitempty"` // of the body
	Task    string  `json:"task,omitempty"`   // path of the task; filled from ctx
	Retry   string  `json:"retry,omitempty"`  // why a request is repeated; empty the first time
	Site    string  `json:"site,omitempty"`
	Subject Subject `json:"subject"`
	// Look marks what changes no object: a host is made to look at what it can reach. It does not make the run one that changed something.
	Look bool `json:"look,omitempty"`
	// Beside marks what changes no object of the plan: a lock, an event or a task in an engine. Such a request does not make the run one that
	// changed something, and it may leave while the run stops, so that locks are given back.
	Beside bool `json:"beside,omitempty"`
	// Undoes names the op of an earlier intent for the same subject that this one takes back: with both done, nothing was changed.
	Undoes string `json:"undoes,omitempty"`
}

// Outcome is what came of an intent.
type Outcome struct {
	OK      bool   `json:"ok,omitempty"`      // the engine accepted it
	Unknown bool   `json:"unknown,omitempty"` // it was sent and no answer was understood: settle it by reading
	Status  int    `json:"status,omitempty"`  // of HTTP, 0 when there was none
	Error   string `json:"error,omitempty"`
}

// Status is what became of one subject: a row of the board.
type Status struct {
	Subject   Subject    `json:"subject"`
	State     string     `json:"state,omitempty"`
	Rank      *int       `json:"rank,omitempty"`
	StartedAt *time.Time `json:"started_at,omitempty"`
	UpAt      *time.Time `json:"up_at,omitempty"`
	Error     string     `json:"error,omitempty"`
	Detail    string     `json:"detail,omitempty"`
}

// Question is asked to a person, or answered by --answer.
type Question struct {
	Name     string   // for --answer
	Text     string   // what is asked
	Fields   []string // parts of the answer, as writable and as_of; empty for one plain answer
	Choices  []string // the only accepted answers; empty for free text
	Default  string   // taken on an empty line
	Secret   bool     // not echoed, not journaled, asked again on resume
	Evidence bool     // never answered by --yes, a default or a time-out
	// Danger is DangerDataLoss where an answer can lose data: --yes, an empty line and a time-out never answer such a question either.
	Danger  string
	Timeout time.Duration // model time after which Default is taken, or ErrPromptTimeout returned; 0 waits as long as it takes
	Until   time.Time     // when Timeout is over; filled by Run.Ask
	// Check says what is wrong with an answer, so that a person at a terminal is asked again at once; nil takes any.
	Check func(answer string) error
}

// DangerDataLoss marks a question whose answer can lose data.
const DangerDataLoss = "data_loss"

// OnlyPerson tells whether only a person's own word answers the question.
func (q Question) OnlyPerson() bool { return q.Evidence || q.Danger != "" }

// Asker asks people. Ask may wait as long as it takes; it returns ErrNoAnswer when
// there is nobody to ask and no prepared answer.
type Asker interface {
	Ask(ctx context.Context, q Question) (answer string, err error)
}

// Event is something that observers of a run may want to show.
type Event struct {
	Time    time.Time `json:"time"`           // model time; filled when zero
	Kind    string    `json:"kind"`           // intent, outcome, step, mark, a note's kind, log, …
	Task    string    `json:"task,omitempty"` // path of the task
	Text    string    `json:"text,omitempty"`
	Level   string    `json:"level,omitempty"` // info (also when empty), warn or error
	Subject Subject   `json:"subject"`
	Data    any       `json:"data,omitempty"`
}

// Errors that callers tell apart.
var (
	// ErrStopping is matched by the error of Begin and Durable once the run stops.
	ErrStopping = errors.New("the run is stopping")
	// ErrNoAnswer is returned when a question has no answer and nobody can be asked.
	ErrNoAnswer = errors.New("nobody to ask and no prepared answer")
	// ErrPromptTimeout is returned when nobody answered a question in time and no default may be taken.
	ErrPromptTimeout = errors.New("nobody answered in time")
	// ErrNoRun is matched when no run has the id or prefix.
	ErrNoRun = errors.New("no such run")
	// ErrFactsChanged is matched when SetFacts is called with other facts than recorded.
	ErrFactsChanged = errors.New("the facts of a run cannot change")
)

// LockedError says that somebody else works on a storage domain or a run.
type LockedError struct {
	Domain string // name or id of the storage domain; empty when it is the run that is locked
	Run    string // id of the run that is locked, or that has the storage domain; empty where it is not known
	Holder string // what the other one wrote about itself
	Site   string // whose engine has the lock; empty for one on this machine
}

func (e *LockedError) Error() string {
	what := "storage domain " + e.Domain
	switch {
	case e.Domain == "":
		what = "run " + e.Run
	case e.Run != "":
		what += " (run " + e.Run + ")"
	}
	holder := "another drrun"
	if e.Holder != "" {
		holder = e.Holder
	}
	if e.Site != "" {
		return fmt.Sprintf("%s is in use: its lock in the engine of %s belongs to %s", what, e.Site, holder)
	}
	return what + " is in use by " + holder
}

// Is makes the error match ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Code is the stable code of the error.
func (e *LockedError) Code() string { return "locked" }

// StepError is a failure of a durable step that this attempt already recorded.
type StepError struct {
	Key  string
	Text string // the error as it was recorded
}

func (e *StepError) Error() string { return e.Text }

// Code is the stable code of the error.
func (e *StepError) Code() string { return "step-failed" }

// CutError says that a step was cut in an earlier attempt and that it is not known
// whether it was done. The run ends with exit code 5.
type CutError struct {
	Key   string
	Title string
	Err   error // why there was no decision; nil when the answer was abort
}

func (e *CutError) Error() string {
	text := fmt.Sprintf("step %s was cut in an earlier attempt; it is not known whether it was done", e.Key)
	if e.Err != nil {
		return text + ": " + e.Err.Error()
	}
	return text + ": aborted as answered"
}

// Unwrap returns why there was no decision.
func (e *CutError) Unwrap() error { return e.Err }

// Code is the stable code of the error.
func (e *CutError) Code() string { return "step-cut" }

// ResultError says that a step returned something that cannot be recorded.
type ResultError struct {
	Key  string
	Size int   // bytes of JSON, when it is too large
	Err  error // why it is no JSON, when it is not
}

func (e *ResultError) Error() string {
	if e.Err != nil {
		return fmt.Sprintf("record the result of step %s: %v", e.Key, e.Err)
	}
	return fmt.Sprintf("record the result of step %s: it has %d bytes of JSON, at most %d are allowed", e.Key, e.Size, MaxResult)
}

// Unwrap returns why the result is no JSON.
func (e *ResultError) Unwrap() error { return e.Err }

// Code is the stable code of the error.
func (e *ResultError) Code() string { return "step-result" }

// AmbiguousError says that a prefix fits more than one run.
type AmbiguousError struct {
	Prefix string
	IDs    []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("run %s: %d runs begin so: %s", e.Prefix, len(e.IDs), strings.Join(e.IDs, ", "))
}

// RunInfo describes a run on the disk.
type RunInfo struct {
	ID       string
	Head     Head
	Started  time.Time // of the first attempt
	Resumed  time.Time // start of the last attempt
	Attempts int
	By       By        // who made the last attempt
	Mirror   string    // the mirror of the last attempt, as its machine names it; "" for none
	Ended    time.Time // zero when the last attempt has no end record
	Status   string    // of the end record; empty when there is none
	Exit     int       // exit code of the end record
	Err      error     // why the journal could not be read; then the rest may be missing
	Records  []Record  // only from ReadRun
	LastHash string    // sha256 in hex of the last of Records as it stands in the journal; only from ReadRun
}

// Unfinished tells whether the run still has to be resumed, rolled back or aborted:
// its last attempt has no end record, or ended as stopped or interrupted, or its
// journal cannot be read.
func (i RunInfo) Unfinished() bool {
	return i.Err != nil || i.Ended.IsZero() || i.Status == "stopped" || i.Status == "interrupted"
}

// Touches returns those of the given storage domains that are domains of the run.
func (i RunInfo) Touches(domainIDs []string) []string {
	var out []string
	for _, id := range domainIDs {
		for _, own := range i.Head.Domains {
			if own == id {
				out = append(out, id)
				break
			}
		}
	}
	return out
}
