package worlds

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt/lab"
)

// Read runs a world file and returns the world that it describes. Diagnostics are sorted by place; nil means that a lab can start
// from it. require looks in the file's folder and its lib. ctx ends a file that does not end.
func Read(ctx context.Context, env engine.Env, file string) (lab.World, lua.Diagnostics) {
	var world lab.World
	var found lua.Diagnostics
	folder := filepath.Dir(file)
	err := engine.NewScheduler(env).Run(ctx, ctx, "world", func(t *engine.Task) error {
		rt := lua.New(lua.Options{Modules: []lua.Module{Module()}, Path: []string{folder, filepath.Join(folder, "lib")}, ReadFile: env.FS.ReadFile, MathSeed: 1})
		world, found = load(t, rt, file)
		return nil
	})
	if err != nil && len(found) == 0 {
		found = lua.AsDiagnostics(err)
	}
	return world, found
}

// loading collects the worlds that a file makes while it runs: their findings are shown also when the file goes wrong later. It hangs
// on the task.
type loading struct{ worlds []*made }

type loadingKey struct{}

func load(t *engine.Task, rt *lua.Runtime, file string) (lab.World, lua.Diagnostics) {
	l := &loading{}
	t.SetLocal(loadingKey{}, l)
	var value any
	found, err := rt.Collect(lua.Declared{}, func() (err error) {
		value, err = rt.RunFile(t, file)
		return err
	})
	if err != nil && !errors.Is(err, lua.ErrConsequence) {
		found = append(found, asDiagnostics(err)...)
	}
	for _, m := range l.worlds {
		found = append(found, m.found...)
	}
	object, _ := value.(*lua.Object)
	var world lab.World
	if m, ok := selfOf(object).(*made); ok {
		world = m.world
	} else if err == nil && (len(l.worlds) > 0 || len(found) == 0) {
		found = append(found, &lua.Diagnostic{Pos: lua.Pos{File: file, Line: 1, Col: 1, EndCol: 1}, Subject: "world", Code: "no-world",
			Message: "the file returns no world", Hint: "end it with: return lab.world { sites = { … }, … }"})
		if len(l.worlds) > 0 {
			last := found[len(found)-1]
			last.Pos, last.Message = l.worlds[0].pos, "the file makes a world and does not return it"
		}
	}
	return world, finish(found, rt.Files())
}

func selfOf(object *lua.Object) any {
	if object == nil {
		return nil
	}
	return object.Self()
}

func asDiagnostics(err error) lua.Diagnostics {
	var many lua.Diagnostics
	if errors.As(err, &many) {
		return slices.Clone(many)
	}
	var one *lua.Diagnostic
	if !errors.As(err, &one) {
		return lua.AsDiagnostics(err)
	}
	if one.Pos.Line == 0 && one.Hint == "" && errors.Is(err, fs.ErrNotExist) {
		one.Hint = "give the path of a world file, such as examples/worlds/two-sites.lua"
	}
	return lua.Diagnostics{one}
}

// alike is how many findings of one kind at one place are shown: a function that makes 1,000 VMs makes its mistake 1,000 times.
const alike = 3

// finish sorts the findings, adds source lines, and counts what is repeated instead of showing it.
func finish(found lua.Diagnostics, files map[string][]byte) lua.Diagnostics {
	found.Sort()
	type place struct {
		pos  lua.Pos
		code string
	}
	lines := map[string][]string{}
	shown, last, more := map[place]int{}, map[place]*lua.Diagnostic{}, map[place]int{}
	var out lua.Diagnostics
	for _, d := range found {
		at := place{d.Pos, d.Code}
		if prev := last[at]; prev != nil && prev.Message == d.Message {
			continue
		}
		if shown[at]++; shown[at] > alike {
			more[at]++
			continue
		}
		one := *d
		if one.Severity == "" {
			one.Severity = "error"
		}
		if one.Source == "" && one.Pos.Line > 0 {
			if lines[one.Pos.File] == nil {
				lines[one.Pos.File] = strings.Split(string(files[one.Pos.File]), "\n")
			}
			if text := lines[one.Pos.File]; one.Pos.Line <= len(text) {
				one.Source = strings.TrimSuffix(text[one.Pos.Line-1], "\r")
			}
		}
		last[at] = &one
		out = append(out, &one)
	}
	for at, count := range more {
		last[at].Notes = append(slices.Clone(last[at].Notes), fmt.Sprintf("and %d more of this kind here", count))
	}
	return out
}
