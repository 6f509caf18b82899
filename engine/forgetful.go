package engine

import (
	"io/fs"
	"path/filepath"
)

// Forgetful is an environment whose disk is always empty and takes everything: for a run that nobody goes on with and that leaves nothing
// behind.
func Forgetful(env Env) Env {
	env.FS, env.Watch = forgetfulFS{}, nil
	return env
}

type forgetfulFS struct{}

func missing(op, path string) error { return &fs.PathError{Op: op, Path: path, Err: fs.ErrNotExist} }

func (forgetfulFS) MkdirAll(string) error                       { return nil }
func (forgetfulFS) OpenAppend(string) (File, error)             { return forgetfulFile{}, nil }
func (forgetfulFS) ReadFile(path string) ([]byte, error)        { return nil, missing("open", path) }
func (forgetfulFS) WriteFile(string, []byte, fs.FileMode) error { return nil }
func (forgetfulFS) ReadDir(string) ([]Entry, error)             { return nil, nil }
func (forgetfulFS) Stat(path string) (Entry, error) {
	return Entry{Name: filepath.Base(path)}, missing("stat", path)
}
func (forgetfulFS) Remove(path string) error          { return missing("remove", path) }
func (forgetfulFS) Truncate(string, int64) error      { return nil }
func (forgetfulFS) Held(string) ([]byte, bool, error) { return nil, false, nil }
func (forgetfulFS) Lock(string, []byte) (func() error, []byte, error) {
	return func() error { return nil }, nil, nil
}

type forgetfulFile struct{}

func (forgetfulFile) Write(p []byte) (int, error) { return len(p), nil }
func (forgetfulFile) Sync() error                 { return nil }
func (forgetfulFile) Close() error                { return nil }
