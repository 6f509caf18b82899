package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// TestUnlockWithACopy gives a lock back while a copy of its file descriptor is still open, as it is for a moment in a process that was
// forked and has not become another program yet: a hook that runs one must not hold a lock of the run that has been given back.
func TestUnlockWithACopy(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "lock")
	unlock, _, err := diskFS{}.Lock(path, []byte("me"))
	if err != nil {
		t.Fatal(err)
	}
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("file descriptors cannot be listed here")
	}
	copies := 0
	for _, entry := range open {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		number, numberErr := strconv.Atoi(entry.Name())
		if err != nil || numberErr != nil || target != path {
			continue
		}
		second, err := syscall.Dup(number)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = syscall.Close(second) }()
		copies++
		break // the copy may have got the number of another descriptor of the list
	}
	if copies != 1 {
		t.Fatalf("%d descriptors of the lock", copies)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	again, holder, err := diskFS{}.Lock(path, []byte("me again"))
	if err != nil {
		t.Fatalf("the lock is still held, by %q: %v", holder, err)
	}
	if err := again(); err != nil {
		t.Fatal(err)
	}
}
