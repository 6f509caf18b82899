package lua

import (
	"path/filepath"
	"regexp"
	"strings"
)

// A function that runs in the middle of a run can require a module that nothing has required before. The file is read with the others
// all the same, where its name stands in the text: what a run needs is kept when it begins, and is the same for every attempt of it.

// A word boundary in front would cost the fast search for the word; what else ends in require leads to no file.
var requireCall = regexp.MustCompile(`require\s*\(?\s*["']([A-Za-z0-9_.-]+)["']`)

// readAhead reads what the files read so far, and then those files, require by a name in quotes. A name that leads nowhere is left to
// the require itself.
func (rt *Runtime) readAhead() {
	var look func(text []byte)
	look = func(text []byte) {
		for _, match := range requireCall.FindAllSubmatch(text, -1) {
			if name := string(match[1]); !rt.seenAhead[name] {
				rt.seenAhead[name] = true
				if text, found := rt.findAhead(name); found {
					look(text)
				}
			}
		}
	}
	for _, text := range rt.files {
		look(text)
	}
}

// findAhead reads the file of a module where find would look for it, unless the module comes from elsewhere or is loaded.
func (rt *Runtime) findAhead(name string) (text []byte, found bool) {
	if _, loaded := rt.loaded[name]; loaded || !IsModuleName(name) || rt.builtin(name) {
		return nil, false
	}
	for _, folder := range rt.options.Path {
		path := filepath.Join(folder, filepath.FromSlash(fileOf(name)))
		if text, err := rt.options.ReadFile(path); err == nil {
			rt.ahead[path] = text
			return text, true
		}
	}
	return nil, false
}

// fileOf is the file of a module, below one of the folders of the path.
func fileOf(name string) string { return strings.ReplaceAll(name, ".", "/") + ".lua" }
