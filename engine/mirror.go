package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// A mirror is a second place for runs, laid out as a state folder is: a share of the other site, from which another machine can go on
// with a run when this one is gone. Every record is in both places before it counts.
//
// A mirror must never hold up a failover. What is written there is written by a goroutine of its own, and one that fails, or that does
// not answer in time, is lost: the run goes on without it and says so. Its lock is kept, so that nobody takes the run over
// while it is being worked on.

// MirrorNote is the kind of the journal's note about a mirror that was lost.
const MirrorNote = "mirror-lost"

// MirrorError says what is wrong with a mirror of runs.
type MirrorError struct {
	Dir string // the mirror
	Run string // id of the run; empty before it has one
	// Diverged tells that the mirror and the state folder hold different stories of the run: each has records that the other lacks.
	Diverged bool
	Err      error
}

func (e *MirrorError) Error() string {
	if e.Diverged {
		return fmt.Sprintf("the mirror %s and the state folder tell different stories of run %s: %v", e.Dir, e.Run, e.Err)
	}
	return fmt.Sprintf("use the mirror %s: %v", e.Dir, e.Err)
}

// Unwrap returns what went wrong.
func (e *MirrorError) Unwrap() error { return e.Err }

// Code is the stable code of the error.
func (e *MirrorError) Code() string {
	if e.Diverged {
		return "mirror-diverged"
	}
	return "mirror"
}

// WithMirror keeps a second copy of the run below another folder, which has patience, in model time, for each answer. CreateRun fails with a *MirrorError where the mirror cannot be
// written. OpenRun first makes both places equal, whichever has more of the run; it fails where another process holds the mirror's
// copy (*LockedError) or the two have diverged (*MirrorError), and goes on without a mirror that cannot be written.
func WithMirror(dir string, patience time.Duration) Option {
	return func(r *Run) { r.mirrorDir, r.patience = dir, patience }
}

// Mirror returns the folder of the run's mirror and why it was lost; "" where the run has none.
func (r *Run) Mirror() (dir string, lost error) {
	if r.mirror == nil {
		return r.mirrorDir, r.mirrorFailed
	}
	r.mirror.mu.Lock()
	defer r.mirror.mu.Unlock()
	return r.mirrorDir, r.mirror.lost
}

type mirror struct {
	env    Env
	limit  time.Duration // how long it may take to answer
	dir    string        // of the run
	onLost func(error)   // called once, without locks

	mu      sync.Mutex
	queue   []*mirrorJob
	working bool
	lost    error
	unlock  func() error
	file    File // the journal; touched by jobs only
}

type mirrorJob struct {
	fn   func() error
	done chan struct{}
	err  error // to be read when done is closed
}

// do queues a job. Jobs run one after the other; one that fails loses the mirror, and those behind it are dropped.
func (m *mirror) do(fn func() error) *mirrorJob {
	job := &mirrorJob{fn: fn, done: make(chan struct{})}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lost != nil {
		job.err = m.lost
		close(job.done)
		return job
	}
	m.queue = append(m.queue, job)
	if !m.working {
		m.working = true
		m.env.Go(m.work)
	}
	return job
}

func (m *mirror) work() {
	for {
		m.mu.Lock()
		if len(m.queue) == 0 {
			m.working = false
			m.mu.Unlock()
			return
		}
		job := m.queue[0]
		m.queue = m.queue[1:]
		lost := m.lost
		m.mu.Unlock()
		if job.err = lost; lost == nil {
			job.err = job.fn()
		}
		if job.err != nil {
			m.lose(job.err)
		}
		close(job.done)
	}
}

// await waits for a job, but not for longer than the limit.
func (m *mirror) await(job *mirrorJob) error {
	woken, err := m.env.Clock.Wait(context.Background(), m.limit, job.done)
	switch {
	case err != nil:
		return err
	case woken:
		return job.err
	}
	err = fmt.Errorf("it did not answer for %s", m.limit)
	m.lose(err)
	return err
}

func (m *mirror) lose(err error) {
	m.mu.Lock()
	tell := m.onLost
	if m.lost != nil {
		tell = nil
	} else {
		m.lost = err
	}
	m.mu.Unlock()
	if tell != nil {
		tell(err)
	}
}

// tell sets who is told when the mirror is lost; nil tells nobody.
func (m *mirror) tell(onLost func(error)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.onLost = onLost
}

// close gives the mirror's copy back.
func (m *mirror) close() {
	if m == nil {
		return
	}
	m.tell(nil)
	m.mu.Lock()
	lost, unlock := m.lost, m.unlock
	m.unlock = nil
	m.mu.Unlock()
	if unlock == nil {
		return
	}
	if lost != nil { // it may hang: the lock ends with the process at the latest
		m.env.Go(func() { _ = unlock() })
		return
	}
	_ = m.await(m.do(func() error { // all that counts is synced
		if m.file == nil {
			return unlock()
		}
		return errors.Join(m.file.Close(), unlock())
	}))
}

// take makes the run's folder in the mirror and locks it.
func (m *mirror) take(holder string) error {
	if err := m.env.FS.MkdirAll(m.dir); err != nil {
		return err
	}
	unlock, now, err := m.env.FS.Lock(lockPath(m.dir), []byte(holder))
	if errors.Is(err, ErrLocked) {
		return &LockedError{Run: filepath.Base(m.dir), Holder: string(now)}
	}
	m.mu.Lock()
	m.unlock = unlock
	m.mu.Unlock()
	return err
}

func (m *mirror) openJournal() (err error) {
	m.file, err = m.env.FS.OpenAppend(journalPath(m.dir))
	return err
}

// append writes lines of the journal. The caller waits for those that are synced.
func (m *mirror) append(lines []byte, sync bool) *mirrorJob {
	return m.do(func() error {
		if _, err := m.file.Write(lines); err != nil {
			return err
		}
		if !sync {
			return nil
		}
		return m.file.Sync()
	})
}

// put writes a file of the run, with its folders.
func (m *mirror) put(name string, data []byte) error {
	path := filepath.Join(m.dir, name)
	if err := m.env.FS.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return m.env.FS.WriteFile(path, data, 0o600)
}

// mirrorFiles puts files into a folder of the run in the mirror, where it has one.
func (r *Run) mirrorFiles(folder string, files map[string][]byte) error {
	if r.mirror == nil {
		return nil
	}
	return r.mirror.await(r.mirror.do(func() error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := r.mirror.put(filepath.Join(folder, name), files[name]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// newMirror is the mirror of a run, not opened yet.
func (r *Run) newMirror() *mirror {
	return &mirror{env: r.env, limit: r.patience, dir: filepath.Join(runsDir(r.mirrorDir), r.id)}
}

// mirrorLost tells everybody that the run has no mirror any more.
func (r *Run) mirrorLost(err error) {
	r.Note(MirrorNote, Subject{Kind: "run", ID: r.id}, map[string]any{"dir": r.mirrorDir, "level": "warn", "text": LostMirrorText(r.mirrorDir, err)})
}

// LostMirrorText says what it means that a mirror was lost.
func LostMirrorText(dir string, why error) string {
	return fmt.Sprintf("the mirror %s was lost: %v. The run goes on without it and must not be taken over from there", dir, why)
}

// beginMirror makes the mirror of a new run.
func (r *Run) beginMirror() error {
	if r.mirrorDir == "" {
		return nil
	}
	m := r.newMirror()
	if err := m.await(m.do(func() error {
		if err := m.take(r.holder()); err != nil {
			return err
		}
		return m.openJournal()
	})); err != nil {
		m.close()
		return &MirrorError{Dir: r.mirrorDir, Run: r.id, Err: err}
	}
	r.mirror = m
	return nil
}

// joinMirror makes the mirror and the folder of a run that is being opened equal, whichever has more. A mirror that cannot be used is
// remembered as lost.
func (r *Run) joinMirror() error {
	if r.mirrorDir == "" {
		return nil
	}
	m := r.newMirror()
	err := m.await(m.do(func() error {
		if err := m.take(r.holder()); err != nil {
			return err
		}
		if err := reconcile(r.env, r.dir, m.dir); err != nil {
			return err
		}
		return m.openJournal()
	}))
	var diverged *MirrorError
	switch {
	case err == nil:
		r.mirror = m
		return nil
	case errors.Is(err, ErrLocked):
		return err
	case errors.As(err, &diverged):
		m.close()
		diverged.Dir = r.mirrorDir
		return err
	}
	m.close()
	r.mirrorFailed = err
	return nil
}

// reconcile makes two folders of one run equal: of two journals, one of which begins with the other, the longer one counts, and so
// does one that the other has left with nothing but attempts that were refused. Each folder gets the snapshots that it lacks. Both are locked. Journals that differ match *MirrorError.
func reconcile(env Env, here, there string) error {
	own, err := wholeLines(env, journalPath(here))
	if err != nil {
		return err
	}
	theirs, err := wholeLines(env, journalPath(there))
	if err != nil {
		return err
	}
	from, to, longer, shorter := here, there, own, theirs
	if len(theirs) > len(own) {
		from, to, longer, shorter = there, here, theirs, own
	}
	if !bytes.HasPrefix(longer, shorter) {
		same := commonRecords(longer, shorter)
		switch {
		case idle(shorter[same:]):
		case idle(longer[same:]):
			from, to, longer, shorter = to, from, shorter, longer
		default:
			return &MirrorError{Run: filepath.Base(here), Diverged: true,
				Err: fmt.Errorf("they differ after record %d, and each goes on by itself", bytes.Count(shorter[:same], []byte{'\n'}))}
		}
		shorter = nil // it is replaced
	}
	if err := errors.Join(copySnapshots(env, from, to), copySnapshots(env, to, from)); err != nil {
		return err
	}
	switch {
	case bytes.Equal(longer, shorter):
		return nil
	case len(shorter) == 0:
		return env.FS.WriteFile(journalPath(to), longer, 0o600)
	}
	file, err := env.FS.OpenAppend(journalPath(to))
	if err != nil {
		return err
	}
	if _, err = file.Write(longer[len(shorter):]); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// wholeLines reads a journal and cuts off what follows its last newline; one that is missing is empty.
func wholeLines(env Env, path string) ([]byte, error) {
	data, err := env.FS.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	lines := data[:bytes.LastIndexByte(data, '\n')+1]
	if err == nil && len(lines) < len(data) {
		err = env.FS.Truncate(path, int64(len(lines)))
	}
	return lines, err
}

// commonRecords returns the size of the records that two journals have in common.
func commonRecords(a, b []byte) int {
	size := 0
	for size < min(len(a), len(b)) {
		end := size + bytes.IndexByte(a[size:], '\n') + 1
		if !bytes.HasPrefix(b[size:], a[size:end]) {
			break
		}
		size = end
	}
	return size
}

// idle tells whether records say nothing about the world: attempts that were refused.
func idle(records []byte) bool {
	for line := range bytes.Lines(records) {
		switch recordKind(line) {
		case kindAttempt, kindNote, kindStop, kindEnd:
		default:
			return false
		}
	}
	return true
}

// copySnapshots copies the texts of a run that the other folder lacks. A text never changes once it is written.
func copySnapshots(env Env, from, to string) error {
	list, err := env.FS.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range list {
		if entry.Dir && (entry.Name == "plan" || strings.HasPrefix(entry.Name, "plan-")) {
			if err := copyMissing(env, filepath.Join(from, entry.Name), filepath.Join(to, entry.Name)); err != nil {
				return err
			}
		}
	}
	return nil
}

func copyMissing(env Env, from, to string) error {
	list, err := env.FS.ReadDir(from)
	if err != nil {
		return err
	}
	if err := env.FS.MkdirAll(to); err != nil {
		return err
	}
	for _, entry := range list {
		source, dest := filepath.Join(from, entry.Name), filepath.Join(to, entry.Name)
		if entry.Dir {
			if err := copyMissing(env, source, dest); err != nil {
				return err
			}
			continue
		}
		if there, err := env.FS.Stat(dest); err == nil && there.Size == entry.Size {
			continue
		}
		data, err := env.FS.ReadFile(source)
		if err != nil {
			return err
		}
		if err := env.FS.WriteFile(dest, data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// Adopt brings a run from a mirror into a state folder, so that it can be opened there; id may be a unique prefix, and the full id is
// returned. patience is WithMirror's. What the state folder has of the run already must be part of what the mirror has, or the other way round. The error
// matches ErrNoRun, ErrLocked where a process works on the run, or is a *MirrorError.
func Adopt(env Env, stateDir, mirrorDir, id string, patience time.Duration, by By) (string, error) {
	full, err := resolve(env, mirrorDir, id)
	if err != nil {
		return "", &MirrorError{Dir: mirrorDir, Err: err}
	}
	r := newRun(env, filepath.Join(runsDir(stateDir), full), full, []Option{WithBy(by), WithMirror(mirrorDir, patience)})
	if _, _, _, err := readJournal(env, journalPath(r.newMirror().dir)); err != nil {
		return "", &MirrorError{Dir: mirrorDir, Run: full, Err: err}
	}
	if err := env.FS.MkdirAll(r.dir); err != nil {
		return "", fmt.Errorf("take run %s over: %w", full, err)
	}
	if err := r.lock(); err != nil {
		return "", fmt.Errorf("take run %s over: %w", full, err)
	}
	defer func() { _ = r.unlock() }() // it ends with the process at the latest
	err = r.joinMirror()
	r.mirror.close()
	switch {
	case err != nil:
		return "", fmt.Errorf("take run %s over: %w", full, err)
	case r.mirrorFailed != nil:
		return "", &MirrorError{Dir: mirrorDir, Run: full, Err: r.mirrorFailed}
	}
	return full, nil
}
