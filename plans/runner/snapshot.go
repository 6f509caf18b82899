package runner

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"testing/fstest"

	"drrun/stdlib"
)

// manifest says which file of a run's snapshot stands for which path, so that a resumed run resolves every
// require and every CA file exactly as the first attempt did.
type manifest struct {
	Plan  string            `json:"plan"`
	Libs  []string          `json:"libs,omitempty"`
	Files map[string]string `json:"files"` // path as it was given → name in the snapshot
	// Builtin are drrun's own Lua modules: a later drrun of the same API number goes on with the workflows that the run began with.
	Builtin map[string]string `json:"builtin,omitempty"` // module → name in the snapshot
	// Params are what the run goes on with since this text; without them those of its head count.
	Params json.RawMessage `json:"params,omitempty"`
}

const manifestName = "manifest.json"

// builtinFolder is where a snapshot has drrun's own Lua modules.
const builtinFolder = "builtin"

// keep remembers a file that the run depends on, for its snapshot.
func (a *attempt) keep(path string, text []byte) {
	if a.snapshot == nil {
		a.snapshot = map[string][]byte{}
	}
	a.snapshot[path] = text
}

// pack names the kept files for the snapshot folder, in the order of their paths, and adds the manifest.
func pack(m manifest, kept map[string][]byte) (map[string][]byte, error) {
	m.Files = map[string]string{}
	packed := map[string][]byte{}
	for i, file := range slices.Sorted(maps.Keys(kept)) {
		name := fmt.Sprintf("%03d-%s", i, filepath.Base(file))
		m.Files[file] = name
		packed[name] = kept[file]
	}
	m.Builtin = map[string]string{}
	err := fs.WalkDir(stdlib.Embedded(), ".", func(module string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name := path.Join(builtinFolder, module)
		m.Builtin[module] = name
		packed[name], err = fs.ReadFile(stdlib.Embedded(), module)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("keep the built-in modules: %w", err)
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe the snapshot: %w", err)
	}
	packed[manifestName] = text
	return packed, nil
}

// unpack returns the manifest of a snapshot and a ReadFile that sees exactly its files.
func unpack(snapshot map[string][]byte) (*manifest, func(string) ([]byte, error), error) {
	var m manifest
	if err := json.Unmarshal(snapshot[manifestName], &m); err != nil {
		return nil, nil, fmt.Errorf("read the snapshot's manifest: %w", err)
	}
	return &m, func(path string) ([]byte, error) {
		name, known := m.Files[path]
		if !known {
			return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
		}
		return snapshot[name], nil
	}, nil
}

// modules returns the built-in modules of a snapshot; a run that was begun before they were kept has those of this drrun.
func (m *manifest) modules(snapshot map[string][]byte) fs.FS {
	if len(m.Builtin) == 0 {
		return stdlib.Embedded()
	}
	kept := fstest.MapFS{} // a file system in memory, whatever the package is called
	for module, name := range m.Builtin {
		kept[module] = &fstest.MapFile{Data: snapshot[name]}
	}
	return kept
}
