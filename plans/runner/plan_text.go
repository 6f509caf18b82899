package runner

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/plans"
)

// planText is one text of a run's plan with its libraries, loaded: from a snapshot, or from the disk.
type planText struct {
	file   string            // of the plan
	libs   []string          // where require looked too
	lua    map[string][]byte // the plan and the libraries that it required, by path
	beside map[string][]byte // what else the run depends on: CA certificates and the inventory, by path
	plan   *plans.Plan
	params json.RawMessage // that the run goes on with; nil where those of its beginning count

	// What was found out about it: a run of many VMs asks the same for each of them.
	places map[string][]byte // Lua files by place
	quoted names
	same   map[sameAs]bool
}

// sameAs is a file of an older text.
type sameAs struct {
	older *planText
	path  string
}

// loadText loads a plan beside the one that the attempt works with. What is wrong with it is shown to report, which may be nil.
func (a *attempt) loadText(t *engine.Task, file string, libs []string, readFile func(string) ([]byte, error), report func([]plans.Finding)) (*planText, []plans.Finding, error) {
	options := a.Options
	options.PlanFile, options.LibDirs = file, libs
	options.Findings = func(found []plans.Finding) {
		if report != nil && plans.HasErrors(found) { // warnings are said when the text is loaded to be run
			report(found)
		}
	}
	options.ParamsFile, options.ParamOverrides = nil, nil
	b := newAttempt(options)
	b.readFile = readFile
	err := b.load(t)
	text := &planText{file: file, libs: libs, plan: b.plan, beside: map[string][]byte{}, same: map[sameAs]bool{}}
	if b.runtime != nil {
		text.lua = b.runtime.Files()
	}
	return text, b.result.Findings, err
}

// textIn returns the text that an attempt of a run worked with.
func (a *attempt) textIn(t *engine.Task, info *engine.RunInfo, takenIn int) (*planText, error) {
	var packed map[string][]byte
	var err error
	t.Release(func() { packed, err = engine.ReadSnapshot(a.Env, a.StateDir, info, takenIn) })
	if err != nil {
		return nil, err
	}
	described, readFile, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("run %s: %w", info.ID, err)
	}
	text, _, err := a.loadText(t, described.Plan, described.Libs, readFile, nil)
	if err != nil {
		return nil, fmt.Errorf("load the plan of run %s as it was in attempt %d: %w", info.ID, takenIn, err)
	}
	text.params = described.Params
	for path, name := range described.Files {
		if _, isLua := text.lua[path]; !isLua {
			text.beside[path] = packed[name]
		}
	}
	return text, nil
}

// moveBeside gives a newer text the files that are not Lua: sites do not change while a run goes on, nor does what it knew of the source.
func (text *planText) moveBeside(newer *planText) {
	for _, site := range []string{plans.Primary, plans.Secondary} {
		if was, known := text.beside[text.plan.Path(text.plan.Site(site).CAFile)]; known {
			newer.beside[newer.plan.Path(newer.plan.Site(site).CAFile)] = was
		}
	}
	if was, known := text.beside[plans.InventoryFile(text.file)]; known {
		newer.beside[plans.InventoryFile(newer.file)] = was
	}
}

// files are all files of the text, by path.
func (text *planText) files() map[string][]byte {
	all := maps.Clone(text.beside)
	maps.Copy(all, text.lua)
	return all
}

// readFile sees exactly the files of the text.
func (text *planText) readFile(path string) ([]byte, error) {
	if content, known := text.files()[path]; known {
		return content, nil
	}
	return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
}

// place names a file of the text independently of the folder in which the plan lies.
func (text *planText) place(path string) string {
	if path == text.file {
		return "the plan"
	}
	if inside, err := filepath.Rel(filepath.Dir(text.file), path); err == nil && !strings.HasPrefix(inside, "..") {
		return inside
	}
	return path
}

// byPlace are the Lua files of the text, by place.
func (text *planText) byPlace() map[string][]byte {
	if text.places == nil {
		text.places = map[string][]byte{}
		for path, content := range text.lua {
			text.places[text.place(path)] = content
		}
	}
	return text.places
}

// sameFile tells whether a file of an older text is unchanged in this one.
func (text *planText) sameFile(older *planText, path string) bool {
	key := sameAs{older, path}
	same, known := text.same[key]
	if !known {
		now, there := text.byPlace()[older.place(path)]
		same = there && bytes.Equal(now, older.lua[path])
		text.same[key] = same
	}
	return same
}

// shown is how a file of the text is named to people.
func (text *planText) shown(path string) string { return cmp.Or(path, text.file) }

// hook returns the handler of a hook point, nil where the text has none of that name.
func (text *planText) hook(point, handler string) *plans.Hook {
	i := slices.IndexFunc(text.plan.Hooks, func(h plans.Hook) bool { return h.Point == point && h.Handler == handler })
	if i < 0 {
		return nil
	}
	return &text.plan.Hooks[i]
}

// names are the texts in quotes that the Lua files hold.
func (text *planText) names() names {
	if text.quoted.files == nil {
		text.quoted = namesIn(text.lua)
	}
	return text.quoted
}

// holders are the Lua files in which a name stands as a text in quotes, sorted.
func (text *planText) holders(name string) []string { return text.names().files[name] }

func (text *planText) holds(name string) bool { return len(text.holders(name)) > 0 }

// renames tells whether a name stands in the text only as the older name of a step.
func (text *planText) renames(name string) bool { return text.names().renamed[name] }

// changesTo is what another text means to a run that has this one.
func (text *planText) changesTo(newer *planText) Edit {
	var change Edit
	before := text.byPlace()
	for _, path := range slices.Sorted(maps.Keys(newer.lua)) {
		if lines := plans.LineDiff(string(before[newer.place(path)]), string(newer.lua[path])); len(lines) > 0 {
			change.Files = append(change.Files, FileChange{Path: path, Lines: lines})
		}
	}
	now := newer.byPlace()
	for _, path := range slices.Sorted(maps.Keys(text.lua)) {
		if _, there := now[text.place(path)]; !there && newer.plan != nil {
			change.Files = append(change.Files, FileChange{Path: path, Lines: []string{"nothing requires it any more"}})
		}
	}
	if newer.plan != nil {
		change.Changes = plans.Compare(text.plan, newer.plan)
	}
	return change
}
