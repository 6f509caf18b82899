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
	digests, err := r.store(snapshotOf(r.dir, r.attempt), files)
	if err != nil {
		return fmt.Errorf("set the snapshot: %w", err)
	}
	if err := r.commit(Record{Kind: kindSnapshot, Attempt: r.attempt, Files: digests}); err != nil {
		return fmt.Errorf("set the snapshot: %w", err)
	}
	return nil
}

// snapshotOf is the folder of the snapshot that was taken in an attempt.
func snapshotOf(runDir string, attempt int) string {
	if attempt <= 1 {
		return snapshotDir(runDir)
	}
	return snapshotDir(runDir) + "-" + strconv.Itoa(attempt)
}

// store writes the files of a snapshot and returns their digests.
func (r *Run) store(dir string, files map[string][]byte) (map[string]string, error) {
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
	return digests, nil
}

// Snapshot returns the files that the run goes on with, those that it was made with or the last of SetSnapshot, after comparing
// them with the recorded digests. It works on a run that is closed, too.
func (r *Run) Snapshot() (map[string][]byte, error) {
	r.mu.Lock()
	files, dir := r.files, snapshotOf(r.dir, r.snapshotOf)
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
	return readSnapshot(env, info.ID, snapshotOf(filepath.Join(runsDir(stateDir), info.ID), takenIn), digests)
}

func readSnapshot(env Env, run, dir string, digests map[string]string) (map[string][]byte, error) {
	out := map[string][]byte{}
	for name, want := range digests {
		data, err := env.FS.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the snapshot of run %s: %w", run, err)
		}
		if hashLine(data) != want {
			return nil, fmt.Errorf("read the snapshot of run %s: %s was changed since the run began", run, name)
		}
		out[name] = data
	}
	return out, nil
}
