package sim

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"drrun/engine"
)

// FS is a disk in memory that knows what would survive a power failure: of each file
// the part that was synced. Folders, new files, replaced files and removals are durable
// at once, as engine.FS demands.
type FS struct {
	// SyncTime is the virtual time that File.Sync takes. Even 0 lets others run
	// meanwhile, as a real sync does.
	SyncTime time.Duration
	// OnAppend, when set, is called after the n-th write to a file (from 1, counted for
	// each path), by the goroutine that wrote; it may kill its group.
	OnAppend func(path string, n int)
	// OnSync is OnAppend for the n-th sync.
	OnSync func(path string, n int)
	// Fault, when set, is asked before each operation that changes something, one of
	// mkdir, open, write, sync, replace, remove, truncate and lock. An error is returned
	// by the operation. A write that fails leaves the first half of its bytes.
	Fault func(op, path string) error

	world *World

	mu      sync.Mutex
	files   map[string]*file
	dirs    map[string]bool
	locks   map[string]*lock
	appends map[string]int
	syncs   map[string]int
}

type file struct {
	data   []byte
	synced int // bytes that survive a power failure
	perm   fs.FileMode
}

type lock struct{ owner *Group }

// NewFS returns an empty disk. It may be used without a World.
func NewFS() *FS {
	return &FS{
		files: map[string]*file{}, dirs: map[string]bool{"/": true, ".": true},
		locks: map[string]*lock{}, appends: map[string]int{}, syncs: map[string]int{},
	}
}

// Clone returns a copy of the disk as it is, without hooks and locks: what is there
// after a process was killed.
func (f *FS) Clone() *FS { return f.image(func(x *file) int { return len(x.data) }) }

// Crash returns the disk after a power failure: of what was not synced, the first torn
// bytes of each file survive.
func (f *FS) Crash(torn int) *FS {
	return f.image(func(x *file) int { return min(len(x.data), x.synced+max(torn, 0)) })
}

func (f *FS) image(size func(*file) int) *FS {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := NewFS()
	out.SyncTime = f.SyncTime
	maps.Copy(out.dirs, f.dirs)
	for name, x := range f.files {
		n := size(x)
		out.files[name] = &file{data: slices.Clone(x.data[:n]), synced: n, perm: x.perm}
	}
	return out
}

// Files lists all files by name.
func (f *FS) Files() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.files))
}

// Unsynced returns how many bytes of a file would not survive a power failure.
func (f *FS) Unsynced(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.files[filepath.Clean(path)]; x != nil {
		return len(x.data) - x.synced
	}
	return 0
}

// Counts returns how many writes to the file and syncs of it there were.
func (f *FS) Counts(path string) (appends, syncs int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = filepath.Clean(path)
	return f.appends[path], f.syncs[path]
}

// Perm returns the mode of a file, 0 when there is none.
func (f *FS) Perm(path string) fs.FileMode {
	f.mu.Lock()
	defer f.mu.Unlock()
	if x := f.files[filepath.Clean(path)]; x != nil {
		return x.perm
	}
	return 0
}

func (f *FS) unlock(g *Group) {
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.locks, func(_ string, l *lock) bool { return l.owner == g })
}

func fail(op, path string, err error) error { return &fs.PathError{Op: op, Path: path, Err: err} }

func (f *FS) fault(op, path string) error {
	if f.Fault == nil {
		return nil
	}
	if err := f.Fault(op, path); err != nil {
		return fail(op, path, err)
	}
	return nil
}

// parent checks that the folder of a path is there. f.mu is held.
func (f *FS) parent(op, path string) error {
	if dir := filepath.Dir(path); !f.dirs[dir] {
		return fail(op, path, fs.ErrNotExist)
	}
	return nil
}

// MkdirAll implements engine.FS.
func (f *FS) MkdirAll(path string) error {
	path = filepath.Clean(path)
	if err := f.fault("mkdir", path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for p := path; !f.dirs[p]; p = filepath.Dir(p) {
		if f.files[p] != nil {
			return fail("mkdir", path, syscall.ENOTDIR)
		}
		f.dirs[p] = true
	}
	return nil
}

// OpenAppend implements engine.FS.
func (f *FS) OpenAppend(path string) (engine.File, error) { return f.openAppend(path, nil) }

func (f *FS) openAppend(path string, g *Group) (engine.File, error) {
	path = filepath.Clean(path)
	if err := f.fault("open", path); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.parent("open", path); err != nil {
		return nil, err
	}
	if f.dirs[path] {
		return nil, fail("open", path, syscall.EISDIR)
	}
	if f.files[path] == nil {
		f.files[path] = &file{perm: 0o600}
	}
	return &handle{disk: f, path: path, group: g}, nil
}

// ReadFile implements engine.FS.
func (f *FS) ReadFile(path string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.files[filepath.Clean(path)]
	if x == nil {
		return nil, fail("open", path, fs.ErrNotExist)
	}
	return slices.Clone(x.data), nil
}

// WriteFile implements engine.FS.
func (f *FS) WriteFile(path string, data []byte, perm fs.FileMode) error {
	path = filepath.Clean(path)
	if err := f.fault("replace", path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.parent("open", path); err != nil {
		return err
	}
	f.files[path] = &file{data: slices.Clone(data), synced: len(data), perm: perm}
	return nil
}

// ReadDir implements engine.FS.
func (f *FS) ReadDir(path string) ([]engine.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = filepath.Clean(path)
	if !f.dirs[path] {
		return nil, fail("open", path, fs.ErrNotExist)
	}
	var out []engine.Entry
	for d := range f.dirs {
		if d != path && filepath.Dir(d) == path {
			out = append(out, engine.Entry{Name: filepath.Base(d), Dir: true})
		}
	}
	for name, x := range f.files {
		if filepath.Dir(name) == path {
			out = append(out, engine.Entry{Name: filepath.Base(name), Size: int64(len(x.data))})
		}
	}
	slices.SortFunc(out, func(a, b engine.Entry) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// Stat implements engine.FS.
func (f *FS) Stat(path string) (engine.Entry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = filepath.Clean(path)
	if f.dirs[path] {
		return engine.Entry{Name: filepath.Base(path), Dir: true}, nil
	}
	if x := f.files[path]; x != nil {
		return engine.Entry{Name: filepath.Base(path), Size: int64(len(x.data))}, nil
	}
	return engine.Entry{}, fail("stat", path, fs.ErrNotExist)
}

// Remove implements engine.FS.
func (f *FS) Remove(path string) error {
	path = filepath.Clean(path)
	if err := f.fault("remove", path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.dirs[path] {
		inside := func(name string) bool { return strings.HasPrefix(name, path+"/") }
		for name := range f.files {
			if inside(name) {
				return fail("remove", path, syscall.ENOTEMPTY)
			}
		}
		for d := range f.dirs {
			if inside(d) {
				return fail("remove", path, syscall.ENOTEMPTY)
			}
		}
		delete(f.dirs, path)
		return nil
	}
	if f.files[path] == nil {
		return fail("remove", path, fs.ErrNotExist)
	}
	delete(f.files, path)
	return nil
}

// Truncate implements engine.FS.
func (f *FS) Truncate(path string, size int64) error {
	path = filepath.Clean(path)
	if err := f.fault("truncate", path); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	x := f.files[path]
	if x == nil {
		return fail("truncate", path, fs.ErrNotExist)
	}
	if size < 0 || size > int64(len(x.data)) {
		return fail("truncate", path, syscall.EINVAL)
	}
	x.data = x.data[:size:size]
	x.synced = len(x.data)
	return nil
}

// Lock implements engine.FS.
func (f *FS) Lock(path string, holder []byte) (func() error, []byte, error) {
	return f.lock(path, holder, nil)
}

func (f *FS) lock(path string, holder []byte, g *Group) (func() error, []byte, error) {
	path = filepath.Clean(path)
	if err := f.fault("lock", path); err != nil {
		return nil, nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.parent("lock", path); err != nil {
		return nil, nil, err
	}
	if f.locks[path] != nil {
		return nil, slices.Clone(f.files[path].data), fail("lock", path, engine.ErrLocked)
	}
	l := &lock{owner: g}
	f.locks[path] = l
	f.files[path] = &file{data: slices.Clone(holder), synced: len(holder), perm: 0o600}
	return func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.locks[path] == l {
			delete(f.locks, path)
			f.files[path] = &file{perm: 0o600}
		}
		return nil
	}, nil, nil
}

// Held implements engine.FS.
func (f *FS) Held(path string) ([]byte, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path = filepath.Clean(path)
	if f.locks[path] == nil {
		return nil, false, nil
	}
	return slices.Clone(f.files[path].data), true, nil
}

// handle is a file open for appending.
type handle struct {
	disk   *FS
	path   string
	group  *Group
	closed bool
}

func (h *handle) Write(p []byte) (int, error) {
	h.group.exitIfDead()
	f := h.disk
	if h.closed {
		return 0, fail("write", h.path, fs.ErrClosed)
	}
	err := f.fault("write", h.path)
	f.mu.Lock()
	x := f.files[h.path]
	if x == nil { // removed while open: written to nowhere, as on a real disk
		f.mu.Unlock()
		return len(p), err
	}
	if err != nil {
		p = p[:len(p)/2]
	}
	x.data = append(x.data, p...)
	f.appends[h.path]++
	n := f.appends[h.path]
	f.mu.Unlock()
	f.logf("append %s %d: %d bytes", h.path, n, len(p))
	if f.OnAppend != nil {
		f.OnAppend(h.path, n)
	}
	return len(p), err
}

func (h *handle) Sync() error {
	h.group.exitIfDead()
	f := h.disk
	if h.closed {
		return fail("sync", h.path, fs.ErrClosed)
	}
	f.mu.Lock()
	var size int
	x := f.files[h.path]
	if x != nil {
		size = len(x.data)
	}
	f.mu.Unlock()
	if f.world != nil && f.world.cur != nil {
		// What is written meanwhile is not covered.
		if _, err := (clock{f.world}).Wait(context.Background(), f.SyncTime, nil); err != nil {
			return err
		}
	}
	if err := f.fault("sync", h.path); err != nil {
		return err
	}
	f.mu.Lock()
	if x != nil {
		x.synced = max(x.synced, min(size, len(x.data)))
	}
	f.syncs[h.path]++
	n := f.syncs[h.path]
	f.mu.Unlock()
	f.logf("sync %s %d", h.path, n)
	if f.OnSync != nil {
		f.OnSync(h.path, n)
	}
	return nil
}

func (h *handle) Close() error {
	h.closed = true
	return nil
}

func (f *FS) logf(format string, args ...any) {
	if f.world != nil {
		f.world.trace = append(f.world.trace, fmt.Sprintf("+%s ", f.world.now.Sub(Start))+fmt.Sprintf(format, args...))
	}
}

func (g *Group) exitIfDead() {
	if g != nil && g.dead {
		runtime.Goexit()
	}
}

// groupFS is the disk as a group sees it: its locks end with it, and once it was killed
// nothing of it reaches the disk.
type groupFS struct {
	*FS
	group *Group
}

func (f groupFS) MkdirAll(path string) error { f.group.exitIfDead(); return f.FS.MkdirAll(path) }
func (f groupFS) OpenAppend(path string) (engine.File, error) {
	f.group.exitIfDead()
	return f.openAppend(path, f.group)
}
func (f groupFS) WriteFile(path string, data []byte, perm fs.FileMode) error {
	f.group.exitIfDead()
	return f.FS.WriteFile(path, data, perm)
}
func (f groupFS) Remove(path string) error { f.group.exitIfDead(); return f.FS.Remove(path) }
func (f groupFS) Truncate(path string, size int64) error {
	f.group.exitIfDead()
	return f.FS.Truncate(path, size)
}
func (f groupFS) Lock(path string, holder []byte) (func() error, []byte, error) {
	f.group.exitIfDead()
	unlock, now, err := f.lock(path, holder, f.group)
	if err != nil {
		return nil, now, err
	}
	return func() error { f.group.exitIfDead(); return unlock() }, nil, nil
}
