package engine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// Follower reads the journal of a run while another process may be writing it, each record once. It checks that they follow each
// other, also those that it passes over and does not decode: damage is found at the record behind it.
type Follower struct {
	env   Env
	run   string
	path  string
	size  int64 // bytes read, up to the end of a line
	links chain
	skip  map[string]bool
}

// Follow finds a run by its id or a unique prefix of it. Records of the kinds to skip are passed over, but for the last one of each Next.
// The error matches ErrNoRun, or is an *AmbiguousError.
func Follow(env Env, stateDir, id string, skip ...string) (*Follower, error) {
	run, err := resolve(env, stateDir, id)
	if err != nil {
		return nil, err
	}
	f := &Follower{env: env, run: run, path: journalPath(filepath.Join(runsDir(stateDir), run)), links: newChain(), skip: map[string]bool{}}
	for _, kind := range skip {
		f.skip[kind] = true
	}
	return f, nil
}

// Run is the full id of the run.
func (f *Follower) Run() string { return f.run }

// Dir is the folder of the run.
func (f *Follower) Dir() string { return filepath.Dir(f.path) }

// tailReader is a file system that can read the end of a file without its beginning.
type tailReader interface {
	ReadFrom(path string, offset int64) ([]byte, error)
}

// Next returns the whole records that were written since the last Next; none is no error, nor is a journal that is not there yet. The
// error is a *JournalError where a line is no record, or does not follow those before it; the records before it are returned.
func (f *Follower) Next() ([]Record, error) {
	text, err := f.rest()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal of run %s: %w", f.run, err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // what follows is being written
	var records []Record
	for len(text) > 0 {
		end := bytes.IndexByte(text, '\n')
		line := text[:end]
		text = text[end+1:]
		refuse := func(reason string) ([]Record, error) {
			return records, &JournalError{Path: f.path, Record: f.links.n + 1, Reason: reason}
		}
		f.size += int64(end) + 1
		if f.skip[recordKind(line)] && len(text) > 0 {
			if wrong := f.links.breaks(linkOf(line)); wrong != "" {
				return refuse(wrong)
			}
			f.links.add(line)
			continue
		}
		var rec Record
		if err := json.Unmarshal(line, &rec); err != nil {
			return refuse("it is no JSON record: " + err.Error())
		}
		if wrong := f.links.refuses(&rec); wrong != "" {
			return refuse(wrong)
		}
		f.links.add(line)
		records = append(records, rec)
	}
	return records, nil
}

func (f *Follower) rest() ([]byte, error) {
	if disk, can := f.env.FS.(tailReader); can {
		return disk.ReadFrom(f.path, f.size)
	}
	text, err := f.env.FS.ReadFile(f.path)
	return text[min(f.size, int64(len(text))):], err
}

// QuietKinds are the kinds of records that tell how the work is done, not what became of it: a Follower for people can skip them.
var QuietKinds = []string{kindIntent, kindOutcome, kindSettle, kindRename, kindSnapshot}
