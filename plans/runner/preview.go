package runner

import (
	"time"

	"drrun/engine"
)

// Preview is what a resume would do, told from the journal alone: no engine is asked. An object or step is in one list only.
type Preview struct {
	Run      string       `json:"run"`
	Action   string       `json:"action"`
	Plan     string       `json:"plan"`
	PlanFile string       `json:"plan_file"`        // whose text the run would go on with
	NewText  bool         `json:"new_text"`         // it is another text than the run has
	Files    []FileChange `json:"files,omitempty"`  // what is new in it
	Taken    []string     `json:"taken,omitempty"`  // what that means to the run
	Later    []string     `json:"later,omitempty"`  // what only a new run would see: the facts of this one are fixed
	Params   []string     `json:"params,omitempty"` // which values its parameters keep, or get

	Skipped []PreviewItem `json:"skipped"`         // done, and not done again
	ToRun   []PreviewItem `json:"to_run"`          // not recorded, failed or cut off
	Lost    []PreviewItem `json:"lost"`            // recorded, and the text has them no more
	Older   []PreviewItem `json:"older"`           // done, not done again, and the text that did them has changed since
	Notes   []string      `json:"notes,omitempty"` // what cannot be known before
}

// PreviewItem is a step, a storage domain or a VM.
type PreviewItem struct {
	What    string    `json:"what"`              // hook after_start (dns), step mail, prompt array, storage domain, VM
	Of      string    `json:"of,omitempty"`      // name of the object that it is about
	Key     string    `json:"key,omitempty"`     // of a step, for --redo
	At      time.Time `json:"at,omitzero"`       // when it was done, failed, or was begun
	Attempt int       `json:"attempt,omitempty"` // in which that was
	Why     string    `json:"why"`
	May     bool      `json:"may,omitempty"` // it cannot be told for certain before it runs
}

// previewOf tells what a resume of a run would do with a text.
func previewOf(info *engine.RunInfo, text *planText, older func(attempt int) *planText, redo []string) (*Preview, error) {
	facts, err := factsOf(info.ID, info.Facts())
	if err != nil {
		return nil, err
	}
	p := &Preview{
		Run: info.ID, Action: info.Head.Action, Plan: info.Head.Plan, PlanFile: text.file,
		Skipped: []PreviewItem{}, ToRun: []PreviewItem{}, Lost: []PreviewItem{}, Older: []PreviewItem{},
	}
	if facts == nil {
		p.Notes = append(p.Notes, "the run was cut off before it had its facts, and has changed nothing: all of it is done from the beginning")
		return p, nil
	}
	p.objects(info, facts)
	p.steps(info, facts, text, older, redo)
	p.unrecordedHooks(info, facts, text)
	p.questions(info, facts, text)
	return p, nil
}
