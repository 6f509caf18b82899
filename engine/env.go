// Package engine is a run: tasks that take turns, an append-only journal, durable
// steps, intents of changes, a board of what became of every object, locks, and
// what is needed to continue all that after a crash.
//
// It knows neither Lua nor oVirt. Values are JSON, effects are functions given to
// it, objects are Subjects. Everything it needs from the machine comes in through
// Env, so that engine/sim can run it on a virtual clock: one seed, one trace.
package engine

import (
	"context"
	"errors"
	"io/fs"
	"time"
)

// Clock is model time. Everything that blocks, except short mutexes and socket
// I/O, blocks in Wait.
type Clock interface {
	// Now is the model time in UTC. Within a process it never goes back, whatever is done to the clock of the machine.
	Now() time.Time
	// Wait blocks until wake is closed (woken is true), until d has passed
	// (woken is false; d < 0 means never, 0 means look once), or until ctx is
	// done (err is its cause). Where several hold, wake wins over ctx and ctx
	// over d. wake may be nil. No mutex may be held across it.
	Wait(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken bool, err error)
	// WithTimeout is context.WithTimeout in model time.
	WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc)
}

// Env is what a run takes from the machine. SystemEnv is the real one, engine/sim
// has a seeded one.
type Env struct {
	Clock Clock
	Rand  func() uint64 // uniform random bits
	NewID func() string // a new UUID v4
	Go    func(func())  // starts a goroutine
	FS    FS            // files and locks
	Pick  func(int) int // which of n ready tasks gets the baton; nil means the first that came
	// Watch calls ring whenever something in one of the folders may have changed, from any goroutine, until stop. It only saves
	// time: who uses it looks by itself at times too. nil watches nothing.
	Watch func(ring func(), folders ...string) (stop func(), err error)
}

// FS is the file system as a run needs it. Paths are those of the operating
// system. A missing file is an error that matches fs.ErrNotExist. Methods may be
// called from many goroutines at once.
type FS interface {
	// MkdirAll makes a folder and its missing parents with mode 0700; their
	// entries are on the disk when it returns.
	MkdirAll(path string) error
	// OpenAppend opens a file for appending. A new one gets mode 0600, and its
	// entry is on the disk when it returns.
	OpenAppend(path string) (File, error)
	// ReadFile returns the content of a file.
	ReadFile(path string) ([]byte, error)
	// WriteFile replaces a file in one step: after a crash it holds the old or
	// the new content, and the new one is on the disk when it returns.
	WriteFile(path string, data []byte, perm fs.FileMode) error
	// ReadDir lists a folder, sorted by name.
	ReadDir(path string) ([]Entry, error)
	// Stat describes a file or folder.
	Stat(path string) (Entry, error)
	// Remove removes a file or an empty folder; that is on the disk when it returns.
	Remove(path string) error
	// Truncate cuts a file to size bytes; that is on the disk when it returns.
	Truncate(path string, size int64) error
	// Lock takes an exclusive lock on a file (made when missing) and writes
	// holder into it, without waiting. The lock ends with unlock or with the
	// process. When somebody else has it, err matches ErrLocked and holderNow is
	// what they wrote.
	Lock(path string, holder []byte) (unlock func() error, holderNow []byte, err error)
	// Held tells whether somebody has the lock on a file, and what they wrote. It changes nothing and works where nothing can be written;
	// for a moment it may keep others from taking the lock.
	Held(path string) (holder []byte, held bool, err error)
}

// File is a file open for appending. Its methods are called by one goroutine at a time.
type File interface {
	// Write appends p. A short write is an error.
	Write(p []byte) (int, error)
	// Sync returns when everything written is on the disk.
	Sync() error
	Close() error
}

// Entry describes a file or folder.
type Entry struct {
	Name string // last element of the path
	Dir  bool
	Size int64 // bytes; 0 for folders
	// Shared tells of a file that others than its owner may read or change it.
	Shared bool
	// Pipe tells of what is no file: to read it waits until somebody writes.
	Pipe bool
}

// ErrLocked is matched by the error of FS.Lock when somebody else has the lock.
var ErrLocked = errors.New("locked by another process")

// Subject names an object that something is done to or said about.
type Subject struct {
	Kind string `json:"kind,omitempty"` // run, site, storage_domain, vm, template, host, group, nic, hook, …
	Site string `json:"site,omitempty"` // primary, secondary, or empty
	ID   string `json:"id,omitempty"`
	Name string `json:"name,omitempty"` // a label for people; ids decide
}

// String is the subject for messages: kind, name or id, and site.
func (s Subject) String() string {
	name := s.Name
	if name == "" {
		name = s.ID
	}
	out := s.Kind
	if name != "" {
		if out != "" {
			out += " "
		}
		out += name
	}
	if s.Site != "" {
		out += " at " + s.Site
	}
	return out
}

// identity is what makes two subjects of one site the same: kind and id, or the
// name where there is no id.
func (s Subject) identity() string {
	if s.ID != "" {
		return s.Kind + "\x00" + s.ID
	}
	return s.Kind + "\x00\x00" + s.Name
}
