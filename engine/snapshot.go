package engine

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
)

// SetSnapshot gives the run another text to go on with, from this attempt on, and returns when that is journaled. files are
// stored under a folder of their own; the text before stays. It may be called once in an attempt.
func (r *Run) SetSnapshot(files map[string][]byte) error {
	if r.snapshotOf == r.attempt {
		return errors.New("set the snapshot: this attempt has one of its own")
	}
	digests, err := r.store(snapshotOf(r.attempt), files)
	if err != nil {
		return fmt.Errorf("set the snapshot: %w", err)
	}
	if err := r.commit(Record{Kind: kindSnapshot, Attempt: r.attempt, Files: digests}); err != nil {
		return fmt.Errorf("set the snapshot: %w", err)
	}
	return nil
}

// snapshotOf is the folder, below that of the run, of the snapshot that was taken in an attempt.
func snapshotOf(attempt int) string {
	if attempt <= 1 {
		return "plan"
	}
	return "plan-" + strconv.Itoa(attempt)
}

// store writes the files of a snapshot below the run's folder, also in the mirror, and returns their digests.
func (r *Run) store(folder string, files map[string][]byte) (map[string]string, error) {
	dir := filepath.Join(r.dir, folder)
	digests := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !filepath.IsLocal(name) {
			return nil, fmt.Errorf("store %s: the name leads out of the snapshot", name)
		}
		path := filepath.Join(dir, name)
		if err := r.env.FS.MkdirAll(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("store %s: %w", name, err)
		}
		if err := r.env.FS.WriteFile(path, files[name], 0o600); err != nil {
			return nil, fmt.Errorf("store %s: %w", name, err)
		}
		digests[name] = hashLine(files[name])
	}
	if err := r.mirrorFiles(folder, files); err != nil && r.journal == nil { // later, a mirror that is lost is only told of
		return nil, &MirrorError{Dir: r.mirrorAt.Dir, Run: r.id, Err: err}
	}
	return digests, nil
}

// Snapshot returns the files that the run goes on with, those that it was made with or the last of SetSnapshot, after comparing
// them with the recorded digests. It works on a run that is closed, too.
func (r *Run) Snapshot() (map[string][]byte, error) {
	r.mu.Lock()
	files, dir := r.files, filepath.Join(r.dir, snapshotOf(r.snapshotOf))
	r.mu.Unlock()
	return readSnapshot(r.env, r.id, dir, files)
}

// SnapshotIn returns which attempt took the snapshot that an attempt of the run worked with; the last attempt's is what a resume goes
// on with.
func (i RunInfo) SnapshotIn(attempt int) (takenIn int) {
	takenIn = 1
	for k := range i.Records {
		if rec := &i.Records[k]; rec.Kind == kindSnapshot && rec.Attempt <= attempt {
			takenIn = rec.Attempt
		}
	}
	return takenIn
}

// ReadSnapshot returns the files of the snapshot that an attempt took (see SnapshotIn) of a run that need not be open, compared with
// the recorded digests.
func ReadSnapshot(env Env, stateDir string, info *RunInfo, takenIn int) (map[string][]byte, error) {
	digests := info.Head.Files
	for k := range info.Records {
		if rec := &info.Records[k]; rec.Kind == kindSnapshot && rec.Attempt == takenIn {
			digests = rec.Files
		}
	}
	return readSnapshot(env, info.ID, filepath.Join(runsDir(stateDir), info.ID, snapshotOf(takenIn)), digests)
}

func readSnapshot(env Env, run, dir string, digests map[string]string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, want := range digests {
		data, err := readSnapshotFile(env, dir, name, want)
		if err != nil {
			return nil, fmt.Errorf("read the snapshot of run %s: %w", run, err)
		}
		out[name] = data
	}
	return out, nil
}

// readSnapshotFile reads a file of a snapshot and compares it with its recorded digest. What is not what was recorded is returned too.
func readSnapshotFile(env Env, dir, name, want string) ([]byte, error) {
	data, err := env.FS.ReadFile(filepath.Join(dir, name))
	if err == nil && hashLine(data) != want {
		err = fmt.Errorf("%s was changed since the run began", name)
	}
	return data, err
}

// SnapshotFile is one file of a text that a run went by, as it lies on the disk now.
type SnapshotFile struct {
	Record  int64  // that names it
	Attempt int    // from which on the run went by this text
	Name    string // in the snapshot
	Digest  string // sha256 in hex, as recorded when it was stored
	Text    []byte
	Err     error // why it could not be read, or that it is not what was recorded
}

// Snapshots returns the files of every text that a run on the disk went by, in the order of the attempts and of their names.
func (i RunInfo) Snapshots(env Env, stateDir string) []SnapshotFile {
	return i.snapshotsIn(env, filepath.Join(runsDir(stateDir), i.ID))
}

func (i RunInfo) snapshotsIn(env Env, runDir string) []SnapshotFile {
	var found []SnapshotFile
	read := func(record int64, attempt int, files map[string]string) {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			file := SnapshotFile{Record: record, Attempt: attempt, Name: name, Digest: files[name]}
			file.Text, file.Err = readSnapshotFile(env, filepath.Join(runDir, snapshotOf(attempt)), name, file.Digest)
			found = append(found, file)
		}
	}
	read(1, 1, i.Head.Files)
	for k := range i.Records {
		if i.Records[k].Kind == kindSnapshot {
			read(i.Records[k].N, i.Records[k].Attempt, i.Records[k].Files)
		}
	}
	return found
}
