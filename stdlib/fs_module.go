package stdlib

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"drrun/lua"
)

// maxFile is the largest file that fs.read reads, in bytes.
const maxFile = 16 << 20

// fsModule declares the module fs.
func fsModule(o *outside) lua.Module {
	file := lua.Param{Name: "path", Type: lua.String, Positional: true, Doc: "Path below the plan's folder, with / between the parts."}
	return lua.Module{
		Name:    "fs",
		Records: []lua.Record{lua.NewRecord("fs_entry", "A file or folder.", "name string | Name.", "dir boolean | It is a folder.", "size number | Size in bytes.")},
		Doc: "Files below the plan's folder, as they are now; nothing is ever written. What leads out of the folder, also by a symbolic link, is refused with outside-the-folder. " +
			"The files are not part of the run's snapshot: what must not change between two attempts belongs into a Lua file that the plan requires.",
		Funcs: []lua.Func{
			{
				Name: "read", Effect: lua.Observes, Returns: "string", Params: []lua.Param{file},
				Doc: "Returns the content of a file of at most 16 MiB. Raises no-file when there is none.",
				Run: func(c *lua.Call) (any, error) {
					return o.observe(c, func(_ context.Context, s *Session) (any, error) {
						place, err := o.below(c)
						if err != nil {
							return nil, err
						}
						entry, err := s.Env.FS.Stat(place)
						switch {
						case err != nil:
							return nil, fileFault(c, "read", err)
						case entry.Dir:
							return nil, c.Errorf("no-file", "path", "read %q in the plan's folder %s: it is a folder", c.String("path"), o.Folder)
						case entry.Size > maxFile:
							return nil, c.Errorf("too-large", "path", "read %q in the plan's folder %s: it has %d bytes, and at most %d are read", c.String("path"), o.Folder, entry.Size, maxFile)
						}
						text, err := s.Env.FS.ReadFile(place)
						if err != nil {
							return nil, fileFault(c, "read", err)
						}
						return o.disclosed.mask(string(text)), nil
					})
				},
			},
			{
				Name: "exists", Effect: lua.Observes, Returns: "boolean", Params: []lua.Param{file},
				Doc: "Whether there is a file or folder of that name.",
				Run: func(c *lua.Call) (any, error) {
					return o.observe(c, func(_ context.Context, s *Session) (any, error) {
						place, err := o.below(c)
						if err != nil {
							return nil, err
						}
						_, err = s.Env.FS.Stat(place)
						if errors.Is(err, fs.ErrNotExist) {
							return false, nil
						}
						if err != nil {
							return nil, fileFault(c, "look at", err)
						}
						return true, nil
					})
				},
			},
			{
				Name: "list", Effect: lua.Observes, Returns: "fs_entry[]",
				Params: []lua.Param{{Name: "path", Type: lua.String, Positional: true, Default: ".", Doc: "Path of a folder below the plan's folder; \".\" is that folder."}},
				Doc:    "What a folder holds, sorted by name: name, dir (true for a folder), size in bytes. Hidden files are left out.",
				Run: func(c *lua.Call) (any, error) {
					return o.observe(c, func(_ context.Context, s *Session) (any, error) {
						place, err := o.below(c)
						if err != nil {
							return nil, err
						}
						entries, err := s.Env.FS.ReadDir(place)
						if err != nil {
							return nil, fileFault(c, "list", err)
						}
						listed := []any{}
						for _, entry := range entries {
							if !strings.HasPrefix(entry.Name, ".") {
								listed = append(listed, map[string]any{"name": entry.Name, "dir": entry.Dir, "size": float64(entry.Size)})
							}
						}
						return listed, nil
					})
				},
			},
		},
	}
}

// below returns the place of the file that a call names, and refuses what lies outside of the plan's folder.
func (o *outside) below(c *lua.Call) (string, error) {
	given := c.String("path")
	if given == "" {
		return "", c.Errorf("bad-argument", "path", "the path is empty")
	}
	clean := path.Clean(given)
	if path.IsAbs(clean) || clean == ".." || strings.HasPrefix(clean, "../") || strings.ContainsAny(given, "\x00\\") {
		return "", o.leadsOut(c, given, given)
	}
	place := filepath.Join(o.Folder, filepath.FromSlash(clean))
	target, err := filepath.EvalSymlinks(place)
	if errors.Is(err, fs.ErrNotExist) {
		return place, nil // nothing to follow: whoever reads it finds out
	}
	if err != nil {
		return "", fileFault(c, "look at", err)
	}
	folder, err := filepath.EvalSymlinks(o.Folder)
	if err != nil {
		return "", fileFault(c, "look at", err)
	}
	if inside, err := filepath.Rel(folder, target); err != nil || inside == ".." || strings.HasPrefix(inside, ".."+string(filepath.Separator)) {
		return "", o.leadsOut(c, given, target)
	}
	return place, nil
}

func (o *outside) leadsOut(c *lua.Call, given, place string) error {
	text := fmt.Sprintf("%q leads out of the plan's folder %s", given, o.Folder)
	if place != given {
		text += " to " + place
	}
	d := c.Errorf("outside-the-folder", "path", "%s", text)
	d.Hint = "put the file beside the plan, or into a folder below it"
	return d
}

// fileFault tells what could not be done with a file; the path of the error itself would say it twice.
func fileFault(c *lua.Call, verb string, err error) error {
	code := "file"
	if errors.Is(err, fs.ErrNotExist) {
		code = "no-file"
	}
	cause := err
	var place *fs.PathError
	if errors.As(err, &place) {
		cause = place.Err
	}
	d := c.Errorf(code, "path", "%s %q below the plan's folder: %v", verb, c.String("path"), cause)
	d.Err = err
	return d
}
