package runner

import (
	"encoding/json"
	"fmt"

	"drrun/engine"
)

// foresee tells what a resume would do, before it does anything, where another text, a repetition or a preview was asked for; and has a
// person accept the first two. Nothing is written up to here but the local locks.
func (a *attempt) foresee(t *engine.Task, info *engine.RunInfo) error {
	if !a.NewText && (len(a.ParamsFile) > 0 || len(a.ParamOverrides) > 0) {
		return invalid("params", "drrun resume "+info.ID+" --plan --param NAME=VALUE", fmt.Errorf("run %s keeps the parameters that it has: they change only with its text, after a preview", info.ID))
	}
	if err := checkRedo(info, a.Redo); err != nil {
		return err
	}
	if a.NewText || a.PreviewOnly {
		if err := a.foreseeText(t, info); err != nil || a.PreviewOnly {
			return err
		}
	}
	var err error
	t.Release(func() {
		if a.next != nil {
			err = a.acceptText(t.Ctx(), a.next, info.ID)
		}
		if err == nil {
			err = a.acceptRedo(t.Ctx(), info)
		}
	})
	return err
}

// foreseeText shows the preview, and loads the new text where there is one.
func (a *attempt) foreseeText(t *engine.Task, info *engine.RunInfo) error {
	texts := map[int]*planText{}
	present, err := a.textIn(t, info, info.SnapshotIn(info.Attempts))
	if err != nil {
		return refuse("snapshot", "", err)
	}
	texts[info.SnapshotIn(info.Attempts)] = present
	text := present
	if a.NewText {
		if a.next, err = a.loadNext(t, info, present); err != nil {
			return err
		}
		if text = a.next.planText; a.next.changesNothing(present) {
			a.next, text = nil, present
		}
	}
	older := func(attempt int) *planText {
		takenIn := info.SnapshotIn(attempt)
		if _, read := texts[takenIn]; !read {
			texts[takenIn], _ = a.textIn(t, info, takenIn) // nil: what was done under it may have changed
		}
		return texts[takenIn]
	}
	p, err := previewOf(info, text, older, a.Redo)
	if err != nil {
		return err
	}
	if a.NewText && a.next == nil {
		p.Notes = append(p.Notes, "the run has the text that is on the disk already")
	}
	if next := a.next; next != nil {
		p.NewText, p.Files, p.Taken, p.Later, p.Params = true, next.edit.Files, next.edit.Changes.Taken, next.edit.Changes.Later, next.told
	}
	encoded, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode the preview: %w", err)
	}
	a.result.Extra = map[string]json.RawMessage{"preview": encoded}
	if a.OnPreview != nil {
		a.OnPreview(p)
	}
	return nil
}
