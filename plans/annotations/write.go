package annotations

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"drrun/engine"
)

// stampFile says which declarations the definition files beside it were made of.
const stampFile = "stamp"

// Written tells what Write did.
type Written struct {
	Files    []string `json:"files"`    // the definition files and the settings
	Changed  int      `json:"changed"`  // how many of them are new or have another content now
	Replaced []string `json:"replaced"` // settings that had another value before, in words
}

// Write writes the definition files and the settings below a folder. What has the right content already is left alone, and so are all
// settings that plans do not need; a definition file of an older drrun that is no longer made is removed. An error leaves the settings
// as they were: they are written last.
func Write(files engine.FS, dir string, names Names, libraries []string) (Written, error) {
	var w Written
	settingsPath := filepath.Join(dir, SettingsFile)
	before, err := files.ReadFile(settingsPath)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return w, fmt.Errorf("read the settings of the editor: %w", err)
	}
	settings, replaced, err := Settings(before, libraries)
	if err != nil {
		return w, fmt.Errorf("add to the settings of the editor in %s: %w", settingsPath, err)
	}
	w.Replaced = replaced
	folder := filepath.Join(dir, filepath.FromSlash(Folder))
	if err := files.MkdirAll(folder); err != nil {
		return w, fmt.Errorf("make the folder of the definition files: %w", err)
	}
	made := Files(names)
	if err := removeOthers(files, folder, made); err != nil {
		return w, err
	}
	put := func(path string, text []byte) error {
		w.Files = append(w.Files, path)
		if there, err := files.ReadFile(path); err == nil && bytes.Equal(there, text) {
			return nil
		}
		if err := files.WriteFile(path, text, 0o644); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		w.Changed++
		return nil
	}
	for _, file := range made {
		if err := put(filepath.Join(folder, file.Name), []byte(file.Text)); err != nil {
			return w, err
		}
	}
	if err := files.WriteFile(filepath.Join(folder, stampFile), []byte(stamp(made)), 0o644); err != nil {
		return w, fmt.Errorf("write %s: %w", filepath.Join(folder, stampFile), err)
	}
	return w, put(settingsPath, settings)
}

// removeOthers removes the definition files that an older drrun wrote and this one does not.
func removeOthers(files engine.FS, folder string, made []File) error {
	entries, err := files.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("look into the folder of the definition files: %w", err)
	}
	for _, entry := range entries {
		if entry.Dir || !strings.HasSuffix(entry.Name, ".lua") || slices.ContainsFunc(made, func(f File) bool { return f.Name == entry.Name }) {
			continue
		}
		path := filepath.Join(folder, entry.Name)
		if text, err := files.ReadFile(path); err != nil || !strings.Contains(string(text), generated) {
			continue // somebody's own
		}
		if err := files.Remove(path); err != nil {
			return fmt.Errorf("remove %s, which this drrun no longer makes: %w", path, err)
		}
	}
	return nil
}

// stamp is a mark of what was declared, whatever names a site has.
func stamp(made []File) string {
	digest := sha256.New()
	for _, file := range made {
		if file.Name != namesFile {
			fmt.Fprintf(digest, "%s %d\n%s", file.Name, len(file.Text), file.Text)
		}
	}
	return hex.EncodeToString(digest.Sum(nil)) + "\n"
}

// Stale reports whether a folder has definition files that another version of drrun made.
func Stale(readFile func(string) ([]byte, error), dir string) bool {
	there, err := readFile(filepath.Join(dir, filepath.FromSlash(Folder), stampFile))
	return err == nil && string(there) != stamp(Files(nil))
}
