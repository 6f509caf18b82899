package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"drrun/internal/sabotage"
)

// Schema names the form of the journal. A journal of another schema is refused.
const Schema = "drrun.journal/1"

// Record is one line of a journal, a JSON object. Every record has
//
//	n     its number, from 1, without gaps
//	time  model time at which it was made, UTC
//	prev  sha256 in hex of the line before, without its newline; 64 zeros in the first
//	kind  one of the kinds below, which decides what else it has
//
// The kinds, and whether their record is synced before the run goes on:
//
//	head     schema, run, head: what the run is about. First record, synced.
//	attempt  attempt, version, host, user, mirror: a process took the run up; 1 is the first. Synced.
//	snapshot attempt, files: the text of the plan that the run goes on with. Synced.
//	facts    data: what the run decided before its first change. At most one. Synced.
//	intent   intent: a changing request that is about to leave. Synced.
//	outcome  id, outcome: what came of that intent. Rides with the next sync.
//	settle   id, reached, how: what reading said about an intent of unknown outcome. Rides.
//	step     step: a durable step that is about to run. Synced.
//	result   result: what came of it. Synced before it counts.
//	rename   step.key, step.was: a step goes on under another key. Rides.
//	mark     mark: news about a subject; fields that are left out keep their value. Rides.
//	note     note, subject, data: an observation, verdict or warning. Rides.
//	confirm  note, subject, data: what a person confirmed. Synced.
//	stop     reason: nothing new starts from here on. Rides.
//	end      status, exit, seconds: the attempt is over. Synced.
//
// "Rides" means that it is written at once and synced with the next record that is.
// Facts, results and data are JSON of whoever gave them.
type Record struct {
	N    int64     `json:"n"`
	Time time.Time `json:"time"`
	Prev string    `json:"prev"`
	Kind string    `json:"kind"`

	Schema  string          `json:"schema,omitempty"`
	Run     string          `json:"run,omitempty"`
	Head    *Head           `json:"head,omitempty"`
	Attempt int             `json:"attempt,omitempty"`
	Version string          `json:"version,omitempty"`
	Host    string          `json:"host,omitempty"`
	User    string          `json:"user,omitempty"`
	Mirror  string          `json:"mirror,omitempty"` // folder of the run's mirror, as that machine names it
	Intent  *Intent         `json:"intent,omitempty"`
	ID      string          `json:"id,omitempty"`
	Outcome *Outcome        `json:"outcome,omitempty"`
	Reached *bool           `json:"reached,omitempty"`
	How     string          `json:"how,omitempty"`
	Step    *StepRecord     `json:"step,omitempty"`
	Result  *ResultRecord   `json:"result,omitempty"`
	Mark    *Status         `json:"mark,omitempty"`
	Note    string          `json:"note,omitempty"`
	Subject *Subject        `json:"subject,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Locks   []LockToken     `json:"locks,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Status  string          `json:"status,omitempty"`
	Exit    *int            `json:"exit,omitempty"`
	Seconds float64         `json:"seconds,omitempty"` // model time since the attempt began

	Files map[string]string `json:"files,omitempty"` // name of each snapshot file → sha256
}

// StepRecord is a durable step that is about to run, or its new key.
type StepRecord struct {
	Key     string   `json:"key"`
	Was     string   `json:"was,omitempty"`
	Digest  string   `json:"digest,omitempty"` // of the args
	OnCut   string   `json:"on_cut,omitempty"`
	Title   string   `json:"title,omitempty"`
	Task    string   `json:"task,omitempty"`
	Again   string   `json:"again,omitempty"` // why it runs again: cut, failed, redo; empty the first time
	Subject *Subject `json:"subject,omitempty"`
}

// ResultRecord is what came of a durable step.
type ResultRecord struct {
	Key     string          `json:"key"`
	Digest  string          `json:"digest"`
	OK      bool            `json:"ok,omitempty"`
	Unknown bool            `json:"unknown,omitempty"` // dropped by a cancel: as if cut
	Value   json.RawMessage `json:"value,omitempty"`   // where ok
	Error   string          `json:"error,omitempty"`   // where not
	How     string          `json:"how,omitempty"`     // "answered" where a person said that it was done
}

// Kinds of records.
const (
	kindSnapshot = "snapshot"

	kindHead    = "head"
	kindAttempt = "attempt"
	kindFacts   = "facts"
	kindIntent  = "intent"
	kindOutcome = "outcome"
	kindSettle  = "settle"
	kindStep    = "step"
	kindResult  = "result"
	kindRename  = "rename"
	kindMark    = "mark"
	kindNote    = "note"
	kindConfirm = "confirm"
	kindStop    = "stop"
	kindEnd     = "end"
)

// complete tells whether the record has what its kind needs.
func (r *Record) complete() bool {
	switch r.Kind {
	case kindHead:
		return r.Head != nil && r.Run != ""
	case kindAttempt:
		return r.Attempt > 0
	case kindSnapshot:
		return r.Attempt > 1 && r.Files != nil
	case kindFacts:
		return r.Data != nil
	case kindIntent:
		return r.Intent != nil && r.Intent.ID != ""
	case kindOutcome:
		return r.ID != "" && r.Outcome != nil
	case kindSettle:
		return r.ID != "" && r.Reached != nil
	case kindStep:
		return r.Step != nil && r.Step.Key != ""
	case kindResult:
		return r.Result != nil && r.Result.Key != ""
	case kindRename:
		return r.Step != nil && r.Step.Key != "" && r.Step.Was != ""
	case kindMark:
		return r.Mark != nil
	case kindNote, kindConfirm:
		return r.Note != ""
	case kindStop:
		return true
	case kindEnd:
		return r.Status != "" && r.Exit != nil
	}
	return false
}

// JournalError says what is wrong with a journal on the disk. Such a journal is not
// continued: what it lacks may be a change that was made.
type JournalError struct {
	Path   string
	Record int64  // number of the record, from 1; 0 when it is about the whole
	Reason string // for people
}

func (e *JournalError) Error() string {
	if e.Record == 0 {
		return fmt.Sprintf("read journal %s: %s", e.Path, e.Reason)
	}
	return fmt.Sprintf("read journal %s: record %d: %s", e.Path, e.Record, e.Reason)
}

// Code is the stable code of the error.
func (e *JournalError) Code() string { return "journal-broken" }

var noPrev = strings.Repeat("0", 64)

func hashLine(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// DecodeJournal reads and verifies a journal. size is the length of the records in
// bytes. What follows the last newline was never synced and is left out: a crash may tear
// the last line. Anything else that is wrong is a *JournalError, with the records before it.
func DecodeJournal(data []byte) (records []Record, size int64, err error) {
	records, size, _, err = decode(data)
	return records, size, err
}

// decode also returns what the next record has as prev.
func decode(data []byte) (records []Record, size int64, prev string, err error) {
	links := newChain()
	rest := data
	records = make([]Record, 0, bytes.Count(data, []byte{'\n'}))
	for {
		end := bytes.IndexByte(rest, '\n')
		if end < 0 {
			return records, size, links.prev, nil
		}
		line := rest[:end]
		refuse := func(reason string) ([]Record, int64, string, error) {
			return records, size, links.prev, &JournalError{Record: links.n + 1, Reason: reason}
		}
		var r Record
		if err := json.Unmarshal(line, &r); err != nil {
			return refuse("it is no JSON record: " + err.Error())
		}
		if wrong := links.refuses(&r); wrong != "" {
			return refuse(wrong)
		}
		links.add(line)
		records = append(records, r)
		size += int64(end) + 1
		rest = rest[end+1:]
	}
}

// recordKind returns the kind of a line without decoding it: nothing but n, time and
// prev comes before it.
func recordKind(line []byte) string {
	_, after, found := bytes.Cut(line[:min(len(line), 256)], []byte(`"kind":"`))
	if !found {
		return ""
	}
	kind, _, _ := bytes.Cut(after, []byte{'"'})
	return string(kind)
}

// journal writes records. Many tasks append at the same time; there is one writer: the
// first that finds none becomes the leader, writes everything that is pending and syncs
// it once, while the others wait for it. Those that came during the sync are the next
// batch, led by one of them. Each record is a write of its own, so that a process that
// is killed leaves whole records, and a test can kill it after each.
//
// A write that fails (a full disk) is cut off again, so that a later one may succeed:
// what waited to be synced gets the error, what only rides is kept for the next try. A
// sync that fails is final: after it nobody knows what is on the disk.
type journal struct {
	clock  Clock
	fs     FS
	path   string
	redact func(*Record) // takes secrets out; never nil
	failed func(error)   // called without locks when a write or sync failed
	mirror *mirror       // gets every record too; nil for none

	mu      sync.Mutex
	pending []*entry
	leading bool
	done    chan struct{} // closed when the present leader has finished its batch
	final   error         // why nothing can be written any more

	// Of the file; touched by the leader only.
	file File
	n    int64
	prev string
	size int64
}

type entry struct {
	rec  Record
	sync bool
	over bool // done or failed; under mu
	err  error
}

func (j *journal) now() time.Time { return j.clock.Now().UTC() }

// commit appends a record and returns when it is synced. Not cancellable: a change
// must not go on, nor be given up, while it is unknown whether its record is there.
func (j *journal) commit(rec Record) error {
	j.mu.Lock()
	e := j.add(rec, true)
	for !e.over {
		if !j.leading {
			j.lead()
			continue
		}
		done := j.done
		j.mu.Unlock()
		if _, err := j.clock.Wait(context.Background(), -1, done); err != nil {
			return err
		}
		j.mu.Lock()
	}
	j.mu.Unlock()
	return e.err
}

// ride appends a record that is written soon and synced with the next one that is.
func (j *journal) ride(rec Record) {
	j.mu.Lock()
	j.add(rec, false)
	if !j.leading {
		j.lead()
	}
	j.mu.Unlock()
}

func (j *journal) add(rec Record, sync bool) *entry {
	rec.Time = j.now()
	j.redact(&rec)
	e := &entry{rec: rec, sync: sync}
	if j.final != nil {
		e.over, e.err = true, j.final
		return e
	}
	j.pending = append(j.pending, e)
	return e
}

// lead is called and returns with mu held. It writes one batch; what came meanwhile is
// left to those who wait for it, unless nobody does.
func (j *journal) lead() {
	j.leading, j.done = true, make(chan struct{})
	var failure error
	for failure == nil && len(j.pending) > 0 {
		batch := j.pending
		j.pending = nil
		j.mu.Unlock()
		kept, final, err := j.write(batch)
		j.mu.Lock()
		failure = err
		if final {
			j.final = err
			kept = nil
			for _, e := range j.pending {
				e.over, e.err = true, err
			}
			j.pending = nil
		}
		j.pending = append(kept, j.pending...)
		for _, e := range batch {
			e.over = true
		}
		for _, e := range kept {
			e.over = false
		}
		if anyWaits(j.pending) {
			break
		}
	}
	if failure != nil {
		// Before anybody else may write: the run stops with this record, not after the next.
		j.mu.Unlock()
		j.failed(failure)
		j.mu.Lock()
	}
	j.leading = false
	close(j.done)
}

func anyWaits(list []*entry) bool {
	for _, e := range list {
		if e.sync {
			return true
		}
	}
	return false
}

// write writes and syncs a batch. kept are the records to be tried again.
func (j *journal) write(batch []*entry) (kept []*entry, final bool, err error) {
	var good []*entry
	var lines []byte
	sync := false
	for i, e := range batch {
		line, encErr := j.encode(&e.rec)
		if encErr != nil {
			e.err = encErr // a value that is no JSON: the record's fault, not the journal's
			continue
		}
		if err = j.append(line); err != nil {
			err = fmt.Errorf("write journal record %d: %w", e.rec.N, err)
			for _, rest := range batch[i:] {
				if rest.sync {
					rest.err = err
				} else {
					kept = append(kept, rest)
				}
			}
			if cutErr := j.fs.Truncate(j.path, j.size); cutErr != nil {
				for _, e := range good {
					e.err = err
				}
				return nil, true, fmt.Errorf("%w; cut the journal back: %w", err, cutErr)
			}
			break
		}
		good = append(good, e)
		lines = append(append(lines, line...), '\n')
		sync = sync || e.sync
	}
	mirrored := func() {}
	if j.mirror != nil && len(lines) > 0 {
		job := j.mirror.append(lines, sync)
		mirrored = func() { _ = j.mirror.await(job) } // a mirror that is lost has said so
	}
	if !sync {
		return kept, false, err
	}
	syncErr := j.file.Sync()
	if !sabotage.On(sabotage.MirrorNotAwaited) {
		mirrored()
	}
	if syncErr != nil {
		syncErr = fmt.Errorf("sync journal record %d: %w", j.n, syncErr)
		for _, e := range good {
			e.err = syncErr
		}
		return nil, true, syncErr
	}
	return kept, false, err
}

// encode numbers and chains the record; the line has no newline.
func (j *journal) encode(r *Record) ([]byte, error) {
	r.N, r.Prev = j.n+1, j.prev
	line, err := marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode journal record %d: %w", r.N, err)
	}
	return line, nil
}

func (j *journal) append(line []byte) error {
	buf := append(line, '\n')
	n, err := j.file.Write(buf)
	if err == nil && n < len(buf) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return err
	}
	j.n++
	j.prev = hashLine(line)
	j.size += int64(len(buf))
	return nil
}

// end returns the number of records that are written, and the hash of the last.
func (j *journal) end() (records int64, last string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.n, j.prev
}

// close waits for the present leader and closes the file. Records that come later are
// dropped.
func (j *journal) close() error {
	j.mu.Lock()
	for j.leading {
		done := j.done
		j.mu.Unlock()
		if _, err := j.clock.Wait(context.Background(), -1, done); err != nil {
			return err
		}
		j.mu.Lock()
	}
	defer j.mu.Unlock()
	if j.file == nil {
		return nil
	}
	if j.final == nil {
		j.final = fmt.Errorf("write journal %s: it is closed", j.path)
	}
	f := j.file
	j.file = nil
	return f.Close()
}
