package runner

import (
	"context"
	"errors"
	"maps"
	"slices"

	"drrun/engine"
	"drrun/plans"
)

// Edit is what a save of the plan or of a library means to a run that waits for it.
type Edit struct {
	Files   []FileChange
	Changes plans.PlanChanges
	Problem string // why the run cannot go on with it; "" when it does
}

// FileChange is what is new in a file, see plans.LineDiff.
type FileChange struct {
	Path  string
	Lines []string
}

// Sentences are what changed, for the journal.
func (e Edit) Sentences() []string {
	var out []string
	for _, file := range e.Files {
		out = append(out, "file "+file.Path)
	}
	out = append(out, e.Changes.Taken...)
	for _, text := range e.Changes.Later {
		out = append(out, "not in this run: "+text)
	}
	return out
}

// editable lists the plan and the libraries that it required, where the plan's file is there to be edited.
func (a *attempt) editable() []string {
	if a.runtime == nil || a.plan == nil {
		return nil
	}
	if _, err := a.Env.FS.ReadFile(a.PlanFile); err != nil {
		return nil // a run that was begun elsewhere, from another folder or another machine
	}
	files := slices.Sorted(maps.Keys(a.runtime.Files()))
	i := slices.Index(files, a.PlanFile)
	if i < 0 {
		return nil
	}
	return slices.Insert(slices.Delete(files, i, i+1), 0, a.PlanFile)
}

// awaitEdit waits until a file is saved with which the run can go on, and returns the new snapshot; nil when the waiting was given up.
func (a *attempt) awaitEdit(soft, hard context.Context, d Decision) (map[string][]byte, Edit) {
	before, snapshot, err := a.presentText()
	if err != nil {
		a.toldOf(Edit{Problem: err.Error()})
		return nil, Edit{}
	}
	saved := watchSaves(a.Env, a.Speed, before)
	defer saved.stop()
	for {
		now, ok := saved.next(soft, d.GivenUp)
		if !ok {
			return nil, Edit{}
		}
		if same(now, before) {
			continue
		}
		edited, change := a.tryEdit(soft, hard, snapshot, before)
		a.toldOf(change)
		if edited != nil {
			return edited, change
		}
	}
}

func (a *attempt) toldOf(e Edit) {
	if a.OnEdit != nil {
		a.OnEdit(e)
	}
}

// presentText returns the files that can be edited as this attempt had them, and the whole snapshot by path.
func (a *attempt) presentText() (files, snapshot map[string][]byte, err error) {
	packed, err := a.run.Snapshot()
	if err != nil {
		return nil, nil, err
	}
	described, _, err := unpack(packed)
	if err != nil {
		return nil, nil, err
	}
	snapshot = map[string][]byte{}
	for path, name := range described.Files {
		snapshot[path] = packed[name]
	}
	files = map[string][]byte{}
	for path := range a.runtime.Files() {
		files[path] = snapshot[path]
	}
	return files, snapshot, nil
}

// tryEdit loads what was saved. The new snapshot is nil where the run cannot go on with it.
func (a *attempt) tryEdit(soft, hard context.Context, snapshot, before map[string][]byte) (map[string][]byte, Edit) {
	present := &planText{file: a.PlanFile, lua: before, plan: a.plan}
	var saved *planText
	err := a.within(soft, hard, "edit", func(t *engine.Task) (err error) {
		saved, _, err = a.loadText(t, a.PlanFile, a.LibDirs, a.Env.FS.ReadFile, a.Findings)
		return err
	})
	if saved == nil {
		return nil, Edit{Problem: err.Error()}
	}
	if err != nil {
		saved.plan = nil // it has errors: only what was written can be shown
	}
	change := present.changesTo(saved)
	if err != nil {
		var known *failure
		change.Problem = err.Error()
		if errors.As(err, &known) {
			change.Problem = "it has errors: correct them and save it again"
		}
		return nil, change
	}
	if len(change.Changes.Refused) > 0 {
		change.Problem = "sites and storage domains cannot change while the run goes on: put them back and save it again"
		return nil, change
	}
	next := maps.Clone(snapshot)
	maps.DeleteFunc(next, func(path string, _ []byte) bool { _, was := before[path]; return was }) // libraries that are required no more
	maps.Copy(next, saved.lua)
	packed, err := pack(manifest{Plan: a.PlanFile, Libs: a.LibDirs, Params: a.textParams}, next)
	if err != nil {
		change.Problem = err.Error()
		return nil, change
	}
	return packed, change
}

// snapshotOf returns what the run goes on with: the recorded text, or one that was saved after a failure, which becomes it.
func (a *attempt) snapshotOf(run *engine.Run) (map[string][]byte, error) {
	if a.goOn != nil && a.goOn.edited != nil {
		if err := run.SetSnapshot(a.goOn.edited); err != nil {
			return nil, err
		}
	}
	return run.Snapshot()
}
