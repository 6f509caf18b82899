package main

import (
	"fmt"

	"github.com/fsnotify/fsnotify"
)

// watchFolders watches folders with the means of the operating system. A folder on a network disk may never be heard of, which is
// why those who use it look by themselves too.
func watchFolders(start func(func())) func(ring func(), folders ...string) (stop func(), err error) {
	return func(ring func(), folders ...string) (func(), error) {
		watcher, err := fsnotify.NewWatcher()
		if err != nil {
			return nil, fmt.Errorf("watch for changes: %w", err)
		}
		for _, folder := range folders {
			if err := watcher.Add(folder); err != nil {
				_ = watcher.Close() // it watched nothing
				return nil, fmt.Errorf("watch %s: %w", folder, err)
			}
		}
		start(func() {
			for {
				select {
				case _, open := <-watcher.Events:
					if !open {
						return
					}
				case _, open := <-watcher.Errors: // events were lost: something may have changed
					if !open {
						return
					}
				}
				ring()
			}
		})
		return func() { _ = watcher.Close() }, nil // nothing is left to be done about a failure
	}
}
