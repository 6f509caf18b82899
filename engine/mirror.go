package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
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

// Mirror is a second place for a run.
type Mirror struct {
	Dir string // laid out as a state folder; it must be there
	// Patience is how long, in model time, the run waits for each of its answers; 0 waits as long as it takes.
	Patience time.Duration
	// Known tells that the folder had the run before. One that lacks it now is lost: a share that is not mounted looks like that, and
	// to begin anew in its place would leave an old copy on the share.
	Known bool
}

// WithMirror keeps a second copy of the run. CreateRun fails with a *MirrorError where it cannot be written. OpenRun first makes both
// places equal, whichever has more of the run; it fails where another process holds the mirror's copy (*LockedError) or the two have
// diverged (*MirrorError), and goes on without a mirror that cannot be used.
func WithMirror(m Mirror) Option { return func(r *Run) { r.mirrorAt = m } }

// Mirror returns the folder of the run's mirror and why it was lost; "" where the run has none.
func (r *Run) Mirror() (dir string, lost error) {
	if r.mirror == nil {
		return r.mirrorAt.Dir, nil
	}
	return r.mirrorAt.Dir, r.mirror.isLost()
}

type mirror struct {
	env    Env
	ctx    context.Context // of who waits
	at     Mirror
	dir    string      // of the run
	onLost func(error) // called once, without locks

	mu      sync.Mutex
	queue   []*mirrorJob
	working bool
	lost    error
	closed  bool
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

// await waits for a job, but not for longer than the mirror's patience.
func (m *mirror) await(job *mirrorJob) error {
	limit := m.at.Patience
	if limit <= 0 {
		limit = -1
	}
	woken, err := m.env.Clock.Wait(m.ctx, limit, job.done)
	switch {
	case err != nil:
		m.lose(err)
		return err
	case woken:
		return job.err
	}
	err = fmt.Errorf("it did not answer for %s", limit)
	m.lose(err)
	return err
}

// ask runs a job and returns what it found. What a job finds that was given up is nobody's.
func ask[T any](m *mirror, fn func() (T, error)) (found T, err error) {
	var out T
	job := m.do(func() (err error) {
		out, err = fn()
		return err
	})
	if err := m.await(job); err != nil {
		return found, err
	}
	return out, nil
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

// isLost returns why the mirror was lost, nil while it was not.
func (m *mirror) isLost() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lost
}

// tell sets who is told when the mirror is lost, and tells of one that is lost already; nil tells nobody.
func (m *mirror) tell(onLost func(error)) {
	if m == nil {
		return
	}
	m.mu.Lock()
	m.onLost = onLost
	lost := m.lost
	m.mu.Unlock()
	if lost != nil && onLost != nil {
		onLost(lost)
	}
}

// close gives the mirror's copy back.
func (m *mirror) close() {
	if m == nil {
		return
	}
	m.tell(nil)
	m.mu.Lock()
	lost, unlock := m.lost, m.unlock
	m.unlock, m.closed = nil, true
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
	there := m.at.Dir
	if m.at.Known {
		there = m.dir
	}
	if entry, err := m.env.FS.Stat(there); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s is not there; is the share mounted?", there)
	} else if err != nil {
		return err
	} else if !entry.Dir {
		return fmt.Errorf("%s is no folder", there)
	}
	if err := m.env.FS.MkdirAll(m.dir); err != nil {
		return err
	}
	unlock, now, err := m.env.FS.Lock(lockPath(m.dir), []byte(holder))
	if errors.Is(err, ErrLocked) {
		return &LockedError{Run: filepath.Base(m.dir), Holder: string(now)}
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	late := m.closed
	if !late {
		m.unlock = unlock
	}
	m.mu.Unlock()
	if late { // nobody waits for it any more
		return errors.Join(errors.New("it was given up"), unlock())
	}
	return nil
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

// mirrorFiles puts files into a folder of the run in the mirror, where it has one.
func (r *Run) mirrorFiles(folder string, files map[string][]byte) error {
	if r.mirror == nil {
		return nil
	}
	return r.mirror.await(r.mirror.do(func() error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := putBelow(r.env.FS, r.mirror.dir, filepath.Join(folder, name), files[name]); err != nil {
				return err
			}
		}
		return nil
	}))
}

// newMirror is the mirror of a run, not opened yet.
func (r *Run) newMirror() *mirror {
	return &mirror{env: r.env, ctx: context.Background(), at: r.mirrorAt, dir: filepath.Join(runsDir(r.mirrorAt.Dir), r.id)}
}

// toldLimit is how long, in model time, a step waits until the engines know that the mirror was lost.
const toldLimit = 30 * time.Second

// TellMirrorLoss makes tell say outside, where whoever takes the run over will look, that the run's mirror is an old copy. It is called at
// once where the mirror is lost already. done is called when that is said, or cannot be: a step that begins after the loss waits for it,
// since nothing but the journal knows that the step was done.
func (r *Run) TellMirrorLoss(tell func(done func())) {
	r.mu.Lock()
	r.tellLoss = tell
	r.mu.Unlock()
	if _, lost := r.Mirror(); lost != nil {
		r.sayMirrorLost()
	}
}

func (r *Run) sayMirrorLost() {
	r.mu.Lock()
	tell := r.tellLoss
	if tell == nil || r.lossTold != nil {
		r.mu.Unlock()
		return
	}
	told := make(chan struct{})
	r.lossTold = told
	r.mu.Unlock()
	tell(sync.OnceFunc(func() { close(told) }))
}

// awaitLossTold waits until the loss of the mirror is said, where it is lost.
func (r *Run) awaitLossTold(ctx context.Context) {
	r.mu.Lock()
	told := r.lossTold
	r.mu.Unlock()
	if told != nil {
		_, _ = r.env.Clock.Wait(ctx, toldLimit, told) // best effort: a run does not stop for its mirror
	}
}

// mirrorLost tells everybody that the run has no mirror any more.
func (r *Run) mirrorLost(err error) {
	defer r.sayMirrorLost()
	r.Note(MirrorNote, Subject{Kind: "run", ID: r.id}, map[string]any{"dir": r.mirrorAt.Dir, "level": "warn", "text": LostMirrorText(r.mirrorAt.Dir, err)})
}

// LostMirrorText says what it means that a mirror was lost.
func LostMirrorText(dir string, why error) string {
	return fmt.Sprintf("the mirror %s was lost: %v. The run goes on without it and must not be taken over from there", dir, why)
}

// beginMirror makes the mirror of a new run.
func (r *Run) beginMirror() error {
	if r.mirrorAt.Dir == "" {
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
		return &MirrorError{Dir: r.mirrorAt.Dir, Run: r.id, Err: err}
	}
	r.mirror = m
	return nil
}
