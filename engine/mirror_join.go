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
)

// Two places that have the same run are made equal when it is opened. The mirror's side is read, and written, by jobs of the mirror, each of
// which may take as long as the mirror's patience; the run's own folder is touched only by whoever opens it, who by then knows what the
// mirror has. So a mirror that answers late changes nothing behind the back of a run that goes on.

// copyOf is what one place has of a run.
type copyOf struct {
	journal []byte           // whole records only
	torn    bool             // something without an end is behind them
	files   map[string]int64 // snapshots and reports: size by name below the run's folder
}

// reader reads a folder, one answer at a time; what is not there is empty.
type reader struct {
	file func(path string) ([]byte, error)
	list func(path string) ([]Entry, error)
}

// present makes what is not there empty.
func present[T any](read func(string) (T, error)) func(string) (T, error) {
	return func(path string) (T, error) {
		found, err := read(path)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		return found, err
	}
}

func readerOf(files FS) reader { return reader{present(files.ReadFile), present(files.ReadDir)} }

// reader asks the mirror for each answer by itself: a share with a long journal may take its time for all of them.
func (m *mirror) reader() reader {
	direct := readerOf(m.env.FS)
	return reader{
		func(path string) ([]byte, error) { return ask(m, func() ([]byte, error) { return direct.file(path) }) },
		func(path string) ([]Entry, error) {
			return ask(m, func() ([]Entry, error) { return direct.list(path) })
		},
	}
}

// copyIn reads what a folder has of a run.
func (r reader) copyIn(dir string) (c copyOf, err error) {
	data, err := r.file(journalPath(dir))
	if err != nil {
		return c, err
	}
	c.journal = data[:bytes.LastIndexByte(data, '\n')+1]
	c.torn = len(c.journal) < len(data)
	c.files = map[string]int64{}
	return c, r.walk(dir, "", c.files)
}

// walk lists the files of a run that are written once, and its reports.
func (r reader) walk(dir, below string, into map[string]int64) error {
	list, err := r.list(filepath.Join(dir, below))
	if err != nil {
		return err
	}
	for _, entry := range list {
		name := filepath.Join(below, entry.Name)
		switch snapshot := strings.HasPrefix(name, "plan"); {
		case entry.Dir && snapshot:
			if err := r.walk(dir, name, into); err != nil {
				return err
			}
		case !entry.Dir && (snapshot || isReport(name)):
			into[name] = entry.Size
		}
	}
	return nil
}

// isReport tells whether a file is one that the end of an attempt replaces.
func isReport(name string) bool {
	return strings.HasPrefix(name, "report.") || name == filepath.Base(sealPath(""))
}

// joinMirror makes the mirror and the folder of a run that is being opened equal, whichever has more. A mirror that cannot be used is
// lost; its lock is kept all the same, where it could be had.
func (r *Run) joinMirror() error {
	if r.mirrorAt.Dir == "" {
		return nil
	}
	m := r.newMirror()
	theirs, err := m.look(r.holder())
	if errors.Is(err, ErrLocked) {
		return err
	}
	r.mirror = m
	if err != nil {
		return nil // it is lost
	}
	return r.meet(m, theirs)
}

// look locks the mirror's copy of the run and reads it.
func (m *mirror) look(holder string) (copyOf, error) {
	if err := m.await(m.do(func() error { return m.take(holder) })); err != nil {
		return copyOf{}, err
	}
	return m.reader().copyIn(m.dir)
}

// meet makes both places equal: of two journals, one of which begins with the other, the longer one counts, and so does one that the
// other has left with nothing but attempts that were refused. Each place gets the snapshots that it lacks. Both are locked. Journals that
// have gone on apart are a *MirrorError; a mirror that is damaged, or fails, is lost.
func (r *Run) meet(m *mirror, theirs copyOf) error {
	own, err := readerOf(r.env.FS).copyIn(r.dir)
	if err != nil {
		return err
	}
	if _, _, _, err := decode(own.journal); err != nil {
		return nil // whoever reads it next refuses it
	}
	if _, _, _, err := decode(theirs.journal); err != nil {
		m.lose(fmt.Errorf("its copy of the journal is damaged: %w", err))
		return nil
	}
	behind, apart := len(own.journal) < len(theirs.journal), false
	if common := commonRecords(own.journal, theirs.journal); common < min(len(own.journal), len(theirs.journal)) {
		apart = true
		switch ownIdle, theirsIdle := idle(own.journal[common:]), idle(theirs.journal[common:]); {
		case ownIdle && theirsIdle:
		case ownIdle:
			behind = true
		case theirsIdle:
			behind = false
		default:
			return &MirrorError{Dir: m.at.Dir, Run: r.id, Diverged: true,
				Err: fmt.Errorf("they differ after record %d, and each goes on by itself", bytes.Count(own.journal[:common], []byte{'\n'}))}
		}
	}
	if behind {
		return r.learn(m, own, theirs, apart)
	}
	r.teach(m, own, theirs, apart)
	return nil
}

// learn brings the run's own folder to what the mirror has. Only when all of it was read, anything is written.
func (r *Run) learn(m *mirror, own, theirs copyOf, apart bool) error {
	news := map[string][]byte{}
	for _, name := range slices.Sorted(maps.Keys(theirs.files)) {
		if size, there := own.files[name]; there && size == theirs.files[name] && !isReport(name) {
			continue
		}
		text, err := m.reader().file(filepath.Join(m.dir, name))
		if err != nil {
			return nil // it is lost, and nothing was taken over
		}
		news[name] = text
	}
	for _, name := range slices.Sorted(maps.Keys(news)) {
		if err := putBelow(r.env.FS, r.dir, name, news[name]); err != nil {
			return err
		}
	}
	if err := replaceJournal(r.env.FS, r.dir, own, theirs.journal, apart); err != nil {
		return err
	}
	if theirs.torn {
		_ = m.await(m.do(func() error { return m.env.FS.Truncate(journalPath(m.dir), int64(len(theirs.journal))) })) // else it is lost
	}
	_ = m.await(m.do(m.openJournal))
	return nil
}

// teach brings the mirror to what the run's own folder has. A mirror that fails meanwhile is lost.
func (r *Run) teach(m *mirror, own, theirs copyOf, apart bool) {
	for _, name := range slices.Sorted(maps.Keys(own.files)) {
		if size, there := theirs.files[name]; there && size == own.files[name] && !isReport(name) {
			continue
		}
		text, err := r.env.FS.ReadFile(filepath.Join(r.dir, name))
		if err == nil {
			err = m.await(m.do(func() error { return putBelow(m.env.FS, m.dir, name, text) }))
		}
		if err != nil {
			m.lose(err)
			return
		}
	}
	_ = m.await(m.do(func() error { // else it is lost
		if err := replaceJournal(m.env.FS, m.dir, theirs, own.journal, apart); err != nil {
			return err
		}
		return m.openJournal()
	}))
}

// replaceJournal makes a journal the longer one that begins with it, or, where they are apart, the other one.
func replaceJournal(files FS, dir string, from copyOf, to []byte, apart bool) error {
	path := journalPath(dir)
	if apart || len(from.journal) == 0 {
		if len(to) == 0 {
			return nil
		}
		return files.WriteFile(path, to, 0o600)
	}
	if from.torn {
		if err := files.Truncate(path, int64(len(from.journal))); err != nil {
			return err
		}
	}
	if len(to) == len(from.journal) {
		return nil
	}
	file, err := files.OpenAppend(path)
	if err != nil {
		return err
	}
	if _, err = file.Write(to[len(from.journal):]); err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// putBelow writes a file below a folder.
func putBelow(files FS, dir, name string, text []byte) error {
	path := filepath.Join(dir, name)
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return files.WriteFile(path, text, 0o600)
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

// Adopt brings a run from a mirror into a state folder, so that it can be opened there; id may be a unique prefix, and the full id is
// returned. What the state folder has of the run already must be part of what the mirror has, or the other way round. ctx ends the
// waiting for a mirror that has no Patience. The error matches ErrNoRun, ErrLocked where a process works on the run, or is a
// *MirrorError; the state folder is then as it was.
func Adopt(ctx context.Context, env Env, stateDir string, at Mirror, id string, by By) (string, error) {
	finder := &mirror{env: env, ctx: ctx, at: at}
	full, err := ask(finder, func() (string, error) { return resolve(env, at.Dir, id) })
	if err != nil {
		return "", &MirrorError{Dir: at.Dir, Err: err}
	}
	at.Known = true
	r := newRun(env, filepath.Join(runsDir(stateDir), full), full, []Option{WithBy(by), WithMirror(at)})
	m := r.newMirror()
	m.ctx = ctx
	defer m.close()
	theirs, err := m.look(r.holder())
	if err == nil {
		_, err = ask(m, func() (struct{}, error) {
			_, _, _, err := readJournal(env, journalPath(m.dir))
			return struct{}{}, err
		})
	}
	switch {
	case errors.Is(err, ErrLocked):
		return "", fmt.Errorf("take run %s over: %w", full, err)
	case err != nil:
		return "", &MirrorError{Dir: at.Dir, Run: full, Err: err}
	}
	if err := env.FS.MkdirAll(r.dir); err != nil {
		return "", fmt.Errorf("take run %s over: %w", full, err)
	}
	if err := r.lock(); err != nil {
		return "", fmt.Errorf("take run %s over: %w", full, err)
	}
	defer func() { _ = r.unlock() }() // it ends with the process at the latest
	if err := r.meet(m, theirs); err != nil {
		return "", fmt.Errorf("take run %s over: %w", full, err)
	}
	if err := m.isLost(); err != nil {
		return "", &MirrorError{Dir: at.Dir, Run: full, Err: err}
	}
	return full, nil
}
