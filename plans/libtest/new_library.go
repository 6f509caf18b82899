package libtest

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
	"drrun/stdlib"
)

//go:embed template/*.lua
var templates embed.FS

// NameError is a name that no library can have.
type NameError struct {
	Name, Why, Hint string
}

func (e *NameError) Error() string {
	return fmt.Sprintf("%q is no name for a library: %s", e.Name, e.Why)
}

// TakenError says that the files of a library are there already.
type TakenError struct{ Path string }

func (e *TakenError) Error() string { return e.Path + " is there already, and is not overwritten" }

// Made are the files of a new library.
type Made struct {
	Library string `json:"library"` // path of its file
	Test    string `json:"test"`
	Use     string `json:"use"` // the line of a plan that uses it
}

var libraryName = regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$`)

// checkName finds what is wrong with the name of a library.
func checkName(name string) error {
	last := name[strings.LastIndex(name, ".")+1:]
	switch {
	case !libraryName.MatchString(name):
		e := &NameError{Name: name, Why: "names are lower-case letters, digits and _, with dots between folders", Hint: "such as site.netapp or netapp"}
		better := strings.Trim(regexp.MustCompile(`[^a-z0-9_.]+`).ReplaceAllString(strings.ToLower(name), "_"), "_.")
		if libraryName.MatchString(better) {
			e.Hint = "write " + better
		}
		return e
	case strings.HasSuffix(last, strings.TrimSuffix(Suffix, ".lua")):
		return &NameError{Name: name, Why: "files whose names end with " + Suffix + " are tests", Hint: "name it for what it drives, such as site.netapp"}
	case lua.IsKeyword(last):
		return &NameError{Name: name, Why: last + " is a word of Lua", Hint: "such as " + name + "_array"}
	}
	builtin := []string{"dr", "test", "lab"}
	for _, module := range stdlib.Modules(stdlib.Surroundings{}) {
		builtin = append(builtin, module.Name)
	}
	if first, _, _ := strings.Cut(name, "."); slices.Contains(builtin, name) || first == "dr" {
		return &NameError{Name: name, Why: "drrun has a module of that name, which comes first", Hint: "such as site." + last}
	}
	return nil
}

// NewLibrary writes a library that works, and its test, below a folder where require finds it.
func NewLibrary(disk engine.FS, folder, name string) (*Made, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	path := filepath.Join(folder, filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
	made := &Made{Library: path + ".lua", Test: path + Suffix, Use: fmt.Sprintf("plan:use(require %q { address = \"https://array.example\" })", name)}
	for _, file := range []string{made.Library, made.Test} {
		switch _, err := disk.Stat(file); {
		case err == nil:
			return nil, &TakenError{Path: file}
		case !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("look at %s: %w", file, cause(err))
		}
	}
	if err := disk.MkdirAll(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("make the folder %s: %w", filepath.Dir(path), cause(err))
	}
	last := name[strings.LastIndex(name, ".")+1:]
	filled := strings.NewReplacer("MODULE", name, "NAME", last, "VARIABLE", last, "FOLDER", folder)
	for file, from := range map[string]string{made.Library: "template/library.lua", made.Test: "template/library_test.lua"} {
		text, err := templates.ReadFile(from)
		if err != nil {
			return nil, err
		}
		if err := disk.WriteFile(file, []byte(filled.Replace(string(text))), 0o644); err != nil {
			return nil, fmt.Errorf("write %s: %w", file, cause(err))
		}
	}
	return made, nil
}
