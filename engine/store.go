package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drrun/internal/sabotage"
)

// The state folder:
//
//	locks/<storage domain id>   held by the process that works on the domain
//	runs/<id>/lock              held by the process that has the run open
//	runs/<id>/journal.jsonl
//	runs/<id>/plan/…            the snapshot: the plan and every file it required
//	runs/<id>/plan-<attempt>/…  the text that the run goes on with from that attempt on
//	runs/<id>/report.json       of the last attempt that ended
//	runs/<id>/report.html       likewise, for people
//	runs/<id>/seal.json         a Seal of all that, where a key is configured
//	runs/<id>/questions/…       what waits for a person, see OpenQuestion
//	runs/<id>/answers/…         what other processes answered

func runsDir(stateDir string) string   { return filepath.Join(stateDir, "runs") }
func journalPath(runDir string) string { return filepath.Join(runDir, "journal.jsonl") }
func reportPath(runDir string) string  { return filepath.Join(runDir, reportName) }
func lockPath(runDir string) string    { return filepath.Join(runDir, "lock") }

// reportName is the file with the document of the last attempt that ended.
const reportName = "report.json"

func indent(raw []byte) []byte {
	var buf bytes.Buffer
	if err := json.Indent(&buf, raw, "", "  "); err != nil {
		return raw
	}
	return buf.Bytes()
}

// newRunID is the minute of the start and 24 random bits: 20 characters.
func newRunID(env Env) string {
	return fmt.Sprintf("%s-%06x", env.Clock.Now().UTC().Format("20060102-1504"), env.Rand()&0xffffff)
}

// CreateRun makes a new run and its first attempt. snapshot is stored under plan/ by
// name, which may have folders. The run is locked until End, Close, or the end of the process.
func CreateRun(env Env, stateDir string, head Head, snapshot map[string][]byte, opts ...Option) (*Run, error) {
	id := newRunID(env)
	for {
		_, err := env.FS.Stat(filepath.Join(runsDir(stateDir), id))
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("create run: %w", err)
		}
		id = newRunID(env)
	}
	dir := filepath.Join(runsDir(stateDir), id)
	if err := env.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	r := newRun(env, dir, id, append([]Option{WithBy(By{head.Version, head.Host, head.User})}, opts...))
	if err := r.lock(); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	if err := r.create(head, snapshot); err != nil {
		return nil, errors.Join(fmt.Errorf("create run: %w", err), r.Close())
	}
	return r, nil
}

func (r *Run) create(head Head, snapshot map[string][]byte) error {
	if err := r.beginMirror(); err != nil {
		return err
	}
	var err error
	if head.Files, err = r.store(snapshotOf(1), snapshot); err != nil {
		return err
	}
	r.startJournal()
	if err := r.openJournal(0); err != nil {
		return err
	}
	// The head rides with the attempt: one sync makes the run.
	r.ride(Record{Kind: kindHead, Schema: Schema, Run: r.id, Head: &head})
	return r.beginAttempt(1)
}

func (r *Run) startJournal() {
	r.journal = &journal{
		clock: r.env.Clock, fs: r.env.FS, path: journalPath(r.dir), prev: noPrev,
		redact: r.cleanRecord, mirror: r.mirror,
		failed: r.cannotWrite,
	}
}

func (r *Run) openJournal(size int64) error {
	f, err := r.env.FS.OpenAppend(r.journal.path)
	if err != nil {
		return err
	}
	r.journal.file, r.journal.size = f, size
	return nil
}

func (r *Run) beginAttempt(n int) error {
	r.begun = r.env.Clock.Now()
	if err := r.commit(Record{Kind: kindAttempt, Attempt: n, Version: r.by.Version, Host: r.by.Host, User: r.by.User, Mirror: r.mirrorAt.Dir}); err != nil {
		return err
	}
	r.mirror.tell(r.mirrorLost)
	if reason, stopping := r.Stopping(); stopping { // a record before it could not be written at once
		return fmt.Errorf("%w: %s", ErrStopping, reason)
	}
	return nil
}

// holder says who has the run open, for those who find it locked.
func (r *Run) holder() string {
	who := cmp.Or(r.by.User, "somebody")
	if r.by.Host != "" {
		who += " on " + r.by.Host
	}
	return fmt.Sprintf("%s since %s", who, r.env.Clock.Now().UTC().Format("2006-01-02T15:04:05Z"))
}

func (r *Run) lock() error {
	unlock, now, err := r.env.FS.Lock(lockPath(r.dir), []byte(r.holder()))
	for try := 0; errors.Is(err, ErrLocked) && len(now) == 0 && try < 3; try++ { // somebody only looks whether it is held
		if _, waitErr := r.env.Clock.Wait(context.Background(), time.Second, nil); waitErr != nil {
			return waitErr
		}
		unlock, now, err = r.env.FS.Lock(lockPath(r.dir), []byte(r.holder()))
	}
	if errors.Is(err, ErrLocked) {
		return &LockedError{Run: r.id, Holder: string(now)}
	}
	if err != nil {
		return err
	}
	r.unlock = unlock
	return nil
}

// Holder tells whether a process works on a run (its full id), and what that says about itself.
func Holder(env Env, stateDir, id string) (holder string, held bool, err error) {
	now, held, err := env.FS.Held(lockPath(filepath.Join(runsDir(stateDir), id)))
	if err != nil {
		return "", false, fmt.Errorf("see whether run %s is being worked on: %w", id, err)
	}
	return string(now), held, nil
}

// resolve finds the run with an id or a unique prefix of one.
func resolve(env Env, stateDir, id string) (string, error) {
	if id == "" || strings.ContainsAny(id, `/\`) {
		return "", fmt.Errorf("run %q: %w", id, ErrNoRun)
	}
	list, err := env.FS.ReadDir(runsDir(stateDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("find run %s: %w", id, err)
	}
	var found []string
	for _, e := range list {
		if !e.Dir {
			continue
		}
		if e.Name == id {
			return id, nil
		}
		if strings.HasPrefix(e.Name, id) {
			found = append(found, e.Name)
		}
	}
	switch len(found) {
	case 0:
		return "", fmt.Errorf("run %s: %w", id, ErrNoRun)
	case 1:
		return found[0], nil
	}
	return "", &AmbiguousError{Prefix: id, IDs: found}
}

// FindRun returns the folder of the run with an id or a unique prefix of one. Errors match ErrNoRun or are *AmbiguousError.
func FindRun(env Env, stateDir, id string) (dir string, err error) {
	full, err := resolve(env, stateDir, id)
	if err != nil {
		return "", err
	}
	return filepath.Join(runsDir(stateDir), full), nil
}

// OpenRun opens a run to continue it; id may be a unique prefix. It reads and verifies
// the journal, cuts off a torn last line, and begins another attempt. Errors match
// ErrNoRun, or are *AmbiguousError, *LockedError (somebody has it open) or *JournalError.
func OpenRun(env Env, stateDir, id string, opts ...Option) (*Run, error) {
	id, err := resolve(env, stateDir, id)
	if err != nil {
		return nil, err
	}
	r := newRun(env, filepath.Join(runsDir(stateDir), id), id, opts)
	// Locked before it is read: else another process could go on writing it.
	if err := r.lock(); err != nil {
		return nil, fmt.Errorf("open run %s: %w", id, err)
	}
	err = r.joinMirror()
	if err == nil {
		err = r.restore()
	}
	if err != nil {
		r.closed = true
		r.mirror.close()
		errs := []error{fmt.Errorf("open run %s: %w", id, err)}
		if r.journal != nil {
			errs = append(errs, r.journal.close())
		}
		return nil, errors.Join(append(errs, r.unlock())...)
	}
	return r, nil
}

func (r *Run) restore() error {
	path := journalPath(r.dir)
	records, size, prev, err := readJournal(r.env, path)
	if err != nil {
		return err
	}
	if e, err := r.env.FS.Stat(path); err != nil {
		return err
	} else if e.Size > size {
		if err := r.env.FS.Truncate(path, size); err != nil {
			return fmt.Errorf("cut off the torn last line: %w", err)
		}
	}
	for i := range records {
		r.apply(&records[i])
	}
	r.startJournal()
	r.journal.n, r.journal.prev = int64(len(records)), prev
	r.opened = int64(len(records))
	if err := r.openJournal(size); err != nil {
		return err
	}
	return r.beginAttempt(r.attempt + 1)
}

// readJournal reads and verifies a journal. One without a single whole record is an
// error: the run was cut while it was made, before anything could be changed.
func readJournal(env Env, path string) (records []Record, size int64, prev string, err error) {
	data, err := env.FS.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, "", &JournalError{Path: path, Reason: notBegun}
	}
	if err != nil {
		return nil, 0, "", fmt.Errorf("read journal: %w", err)
	}
	records, size, prev, err = decode(data)
	var broken *JournalError
	if errors.As(err, &broken) {
		broken.Path = path
	}
	if err == nil && (len(records) == 0 || records[len(records)-1].Kind == kindHead) {
		err = &JournalError{Path: path, Reason: notBegun}
	}
	return records, size, prev, err
}

const notBegun = "the run was cut while it was being made, before it could change anything; it can be removed"

// ReadRun reads and verifies a run without taking it up; id may be a unique prefix. Of a
// broken journal the part before the break is returned too, with the error in it and beside it.
func ReadRun(env Env, stateDir, id string) (*RunInfo, error) {
	id, err := resolve(env, stateDir, id)
	if err != nil {
		return nil, err
	}
	return readRun(env, filepath.Join(runsDir(stateDir), id), id)
}

func readRun(env Env, runDir, id string) (*RunInfo, error) {
	records, _, last, err := readJournal(env, journalPath(runDir))
	info := RunInfo{ID: id, Err: err, Records: records, LastHash: last}
	for i := range records {
		info.add(&records[i])
	}
	return &info, err
}

func (i *RunInfo) add(rec *Record) {
	switch rec.Kind {
	case kindHead:
		i.Head = *rec.Head
	case kindAttempt:
		if i.Attempts == 0 {
			i.Started = rec.Time
		}
		i.Attempts, i.Resumed = rec.Attempt, rec.Time
		i.By, i.Mirror = By{rec.Version, rec.Host, rec.User}, rec.Mirror
		i.Ended, i.Status, i.Exit = time.Time{}, "", 0
	case kindEnd:
		i.Ended, i.Status, i.Exit = rec.Time, rec.Status, *rec.Exit
	}
}

// Board returns what the marks among the records say of each subject, sorted as Run.Board.
func (i RunInfo) Board() []Status {
	r := Run{board: map[string]*Status{}}
	for k := range i.Records {
		if i.Records[k].Kind == kindMark {
			r.merge(*i.Records[k].Mark)
		}
	}
	return sortedBoard(r.board)
}

// Report returns the report of the last attempt of a run (its full id) that ended; it matches fs.ErrNotExist where none has.
func Report(env Env, stateDir, id string) (json.RawMessage, error) {
	text, err := env.FS.ReadFile(reportPath(filepath.Join(runsDir(stateDir), id)))
	if err != nil {
		return nil, fmt.Errorf("read the report of run %s: %w", id, err)
	}
	return text, nil
}

// Facts returns the recorded facts, nil when there are none.
func (i RunInfo) Facts() json.RawMessage {
	for k := range i.Records {
		if i.Records[k].Kind == kindFacts {
			return i.Records[k].Data
		}
	}
	return nil
}

// ListRuns lists all runs, the newest first. It looks only at the records that say when
// an attempt began and ended, and verifies nothing; ReadRun does. Runs that were cut
// while they were made are left out.
func ListRuns(env Env, stateDir string) ([]RunInfo, error) {
	list, err := env.FS.ReadDir(runsDir(stateDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var out []RunInfo
	for _, e := range list {
		if !e.Dir {
			continue
		}
		info, err := glance(env, filepath.Join(runsDir(stateDir), e.Name), e.Name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if info.Attempts == 0 && info.Err == nil {
			continue
		}
		out = append(out, *info)
	}
	slices.SortFunc(out, func(a, b RunInfo) int {
		return cmp.Or(b.Started.Compare(a.Started), cmp.Compare(b.ID, a.ID))
	})
	return out, nil
}

// LookAtRun is ReadRun without records: it looks only at those that say what the run is about and when an attempt began and ended, and
// verifies nothing.
func LookAtRun(env Env, stateDir, id string) (*RunInfo, error) {
	id, err := resolve(env, stateDir, id)
	if err != nil {
		return nil, err
	}
	return glance(env, filepath.Join(runsDir(stateDir), id), id)
}

// glance reads the records of a journal that say when an attempt began and ended. What cannot be read is in the info, too.
func glance(env Env, runDir, id string) (*RunInfo, error) {
	info := &RunInfo{ID: id}
	var data []byte
	data, info.Err = env.FS.ReadFile(journalPath(runDir))
	for line := range bytes.Lines(data) {
		if !bytes.HasSuffix(line, []byte{'\n'}) {
			break
		}
		switch recordKind(line) {
		case kindHead, kindAttempt, kindEnd:
		default:
			continue
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			info.Err = &JournalError{Path: journalPath(runDir), Reason: err.Error()}
			break
		}
		if !rec.complete() {
			info.Err = &JournalError{Path: journalPath(runDir), Record: rec.N, Reason: "it lacks what its kind has"}
			break
		}
		info.add(&rec)
	}
	return info, info.Err
}

// LockDomains takes the local lock of every storage domain, in sorted order, or of none.
// The error is a *LockedError where somebody else has one. The locks end with unlock or
// with the process. holder says who it is, for the others.
func LockDomains(env Env, stateDir string, domainIDs []string, holder string) (unlock func(), err error) {
	dir := filepath.Join(stateDir, "locks")
	if err := env.FS.MkdirAll(dir); err != nil {
		return nil, fmt.Errorf("lock storage domains: %w", err)
	}
	var held []func() error
	unlock = func() {
		for _, u := range held {
			_ = u() // a lock that cannot be given back ends with the process
		}
		held = nil
	}
	if sabotage.On(sabotage.FileLockSkipped) {
		return unlock, nil
	}
	ids := slices.Clone(domainIDs)
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		if strings.Trim(id, ".") == "" {
			unlock()
			return nil, fmt.Errorf("lock storage domain %q: it is no id", id)
		}
		u, now, err := env.FS.Lock(filepath.Join(dir, url.PathEscape(id)), []byte(holder))
		if err != nil {
			unlock()
			if errors.Is(err, ErrLocked) {
				return nil, &LockedError{Domain: id, Holder: string(now)}
			}
			return nil, fmt.Errorf("lock storage domain %s: %w", id, err)
		}
		held = append(held, u)
	}
	return unlock, nil
}
