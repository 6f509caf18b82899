package libtest

import (
	"errors"
	"io/fs"
	"strings"

	"drrun/engine"
)

// errKilled is how an action ends that was killed.
var errKilled = errors.New("the process was killed")

// disk is the disk that a plan in a test sees: runs lie on that of the simulation, where locks and unsynced bytes go with a killed process;
// the plan, its libraries and what hooks read lie on the real one, where programs find them.
type disk struct {
	runs, files engine.FS
	beforeWrite func() // called before a record of a run is written
}

func (d disk) of(path string) engine.FS {
	if path == stateDir || strings.HasPrefix(path, stateDir+"/") {
		return d.runs
	}
	return d.files
}

func (d disk) MkdirAll(path string) error                             { return d.of(path).MkdirAll(path) }
func (d disk) ReadFile(path string) ([]byte, error)                   { return d.of(path).ReadFile(path) }
func (d disk) ReadDir(path string) ([]engine.Entry, error)            { return d.of(path).ReadDir(path) }
func (d disk) Stat(path string) (engine.Entry, error)                 { return d.of(path).Stat(path) }
func (d disk) Remove(path string) error                               { return d.of(path).Remove(path) }
func (d disk) Truncate(path string, size int64) error                 { return d.of(path).Truncate(path, size) }
func (d disk) Held(path string) (holder []byte, held bool, err error) { return d.of(path).Held(path) }

func (d disk) WriteFile(path string, data []byte, perm fs.FileMode) error {
	return d.of(path).WriteFile(path, data, perm)
}

func (d disk) Lock(path string, holder []byte) (unlock func() error, holderNow []byte, err error) {
	return d.of(path).Lock(path, holder)
}

func (d disk) OpenAppend(path string) (engine.File, error) {
	file, err := d.of(path).OpenAppend(path)
	if err != nil {
		return nil, err
	}
	return mortal{File: file, beforeWrite: d.beforeWrite}, nil
}

// mortal is a file whose writer can die before it writes.
type mortal struct {
	engine.File
	beforeWrite func()
}

func (m mortal) Write(p []byte) (int, error) {
	m.beforeWrite()
	return m.File.Write(p)
}
