package engine

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// diskFS is the FS of the operating system. "On the disk" is fsync of the file, and of
// the folder where an entry changed: without the second a new file may be gone after a
// power failure although its content was synced.
type diskFS struct{}

func (diskFS) MkdirAll(path string) error {
	path = filepath.Clean(path)
	switch info, err := os.Stat(path); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := (diskFS{}).MkdirAll(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		err = nil // some network file systems cannot sync folders; they have nothing to lose there
	}
	return errors.Join(err, d.Close())
}

func (diskFS) OpenAppend(path string) (File, error) {
	_, statErr := os.Stat(path)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	if statErr != nil {
		if err := syncDir(filepath.Dir(path)); err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	return f, nil
}

func (diskFS) ReadFile(path string) ([]byte, error) { return os.ReadFile(path) }

// ReadFrom reads a file from an offset on.
func (diskFS) ReadFrom(path string, offset int64) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if _, err = f.Seek(offset, io.SeekStart); err == nil {
		text, err = io.ReadAll(f)
	}
	return text, errors.Join(err, f.Close())
}

func (diskFS) WriteFile(path string, data []byte, perm fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name()) // the first error is the one to tell
		}
	}()
	if _, err = f.Write(data); err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func (diskFS) ReadDir(path string) ([]Entry, error) {
	list, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	out := make([]Entry, 0, len(list))
	for _, d := range list {
		info, err := os.Stat(filepath.Join(path, d.Name()))
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile, or a dangling link
		}
		if err != nil {
			return nil, err
		}
		out = append(out, entryOf(d.Name(), info))
	}
	return out, nil
}

func entryOf(name string, info fs.FileInfo) Entry {
	e := Entry{Name: name, Dir: info.IsDir()}
	if !e.Dir {
		e.Size, e.Shared = info.Size(), info.Mode().Perm()&0o077 != 0
		e.Pipe = info.Mode()&fs.ModeNamedPipe != 0
	}
	return e
}

func (diskFS) Stat(path string) (Entry, error) {
	info, err := os.Stat(path)
	if err != nil {
		return Entry{}, err
	}
	return entryOf(filepath.Base(path), info), nil
}

func (diskFS) Remove(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (diskFS) Truncate(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if err = f.Truncate(size); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Lock uses flock, which the kernel gives back when the process dies, however it dies.
// Each call opens the file anew, so two locks of one process exclude each other too.
// The file is never removed: a lock on a removed file would protect nothing.
func (diskFS) Lock(path string, holder []byte) (func() error, []byte, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		var now []byte
		if errors.Is(err, syscall.EWOULDBLOCK) {
			now, _ = io.ReadAll(f) // who it is helps; not knowing it changes nothing
			err = ErrLocked
		}
		_ = f.Close() // nothing was written
		return nil, now, fmt.Errorf("lock %s: %w", path, err)
	}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt(holder, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return func() error {
		// To close it would unlock it only when no process that was just forked has a copy of it any more.
		return errors.Join(f.Truncate(0), syscall.Flock(int(f.Fd()), syscall.LOCK_UN), f.Close())
	}, nil, nil
}

func (diskFS) Held(path string) ([]byte, bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		now, _ := io.ReadAll(f) // who it is helps; not knowing it changes nothing
		return now, true, nil
	}
	return nil, false, err // closing it unlocks it
}
