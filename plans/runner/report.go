package runner

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/plans"
	"drrun/plans/report"
)

// reportPage is the file of a run's folder with the report for people.
const reportPage = "report.html"

// reportWith makes the attempt's run have its report for people at its end. A dry run has none: what it would do is its result.
func (a *attempt) reportWith() {
	if a.DryRun {
		return
	}
	a.run.ReportWith(func(info *engine.RunInfo, document json.RawMessage) (map[string][]byte, error) {
		model, err := report.Build(report.Input{
			Run: info, Document: document, Texts: texts(info.Snapshots(a.Env, a.StateDir)), Next: OutlookOf(info, false).Commands(a.StateArgument),
			Now: a.Env.Clock.Now(), Redact: a.redact,
		})
		if err != nil {
			return nil, err
		}
		var page bytes.Buffer
		err = report.HTML(&page, model)
		return map[string][]byte{reportPage: page.Bytes()}, err
	})
}

// ReportOf tells a run on the disk by its journal as it stands, whatever became of it: it may be running, killed or damaged. id may be a
// unique prefix; stateArgument is what commands have behind them, see Options.StateArgument. The error is that nothing can be told.
func ReportOf(env engine.Env, stateDir, id, stateArgument string) (report.Model, error) {
	info, err := engine.ReadRun(env, stateDir, id)
	if info == nil {
		return report.Model{}, err
	}
	in := report.Input{Run: info, Texts: texts(info.Snapshots(env, stateDir)), Now: env.Clock.Now()}
	if info.Ended.IsZero() { // else nobody works on it
		if in.Holder, in.Held, err = engine.Holder(env, stateDir, info.ID); err != nil {
			return report.Model{}, err
		}
	}
	in.Document, err = engine.Report(env, stateDir, info.ID)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a run that was killed at its first attempt has none
		return report.Model{}, err
	}
	in.Next = OutlookOf(info, in.Held).Commands(stateArgument)
	return report.Build(in)
}

// DocumentOf returns the result of the last attempt of a run on the disk: report.json where that attempt left it, else, where it was cut
// off, what its journal tells: interrupted, with the fate of every object as far as it is known. id may be a unique prefix. The error is
// that nothing can be told, or *engine.LockedError where a process works on the run: its result comes when it ends.
func DocumentOf(env engine.Env, stateDir, id, stateArgument string) (json.RawMessage, error) {
	info, err := engine.ReadRun(env, stateDir, id)
	if info == nil {
		return nil, err
	}
	var left struct{ Attempt int }
	document, err := engine.Report(env, stateDir, info.ID)
	if err == nil && json.Unmarshal(document, &left) == nil && left.Attempt == info.Attempts && info.Err == nil {
		return document, nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	holder, held, err := engine.Holder(env, stateDir, info.ID)
	if err != nil {
		return nil, err
	}
	if held {
		return nil, &engine.LockedError{Run: info.ID, Holder: holder}
	}
	model, err := report.Build(report.Input{Run: info, Now: env.Clock.Now()})
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(cutOff(info, model, OutlookOf(info, false).Commands(stateArgument)), "", "  ")
}

// cutOff is the result of an attempt that did not live to give one.
func cutOff(info *engine.RunInfo, model report.Model, next []report.Command) *Result {
	r := &Result{
		Schema: ResultSchema, Exit: ExitInterrupted, Status: StatusInterrupted, Run: info.ID, Attempt: info.Attempts, Plan: info.Head.Plan,
		Action: info.Head.Action, Started: info.Resumed, Duration: model.Journal.Last.Sub(info.Resumed).Seconds(), Warnings: model.Warnings,
		Requests: map[string]Counters{}, StorageDomains: []ObjectResult{}, VMs: []ObjectResult{}, Findings: []plans.Finding{},
		Error: &ErrorResult{Code: "cut-off", Message: model.Headline.Sentence, State: model.Headline.Detail},
	}
	if !info.Ended.IsZero() { // it ended, and its document could not be written or did not come along
		r.Exit, r.Status, r.Error.Code = info.Exit, info.Status, "no-document"
		if r.Exit == ExitDone {
			r.Error = nil
		}
	}
	if info.Err != nil {
		r.Error = &ErrorResult{Code: "journal", Message: info.Err.Error(), State: model.Headline.Detail}
	}
	for _, alert := range model.Alerts {
		r.Verdicts = append(r.Verdicts, alert.Text)
	}
	if len(next) > 0 && r.Error != nil {
		r.Error.Hint = next[0].Why + ": " + next[0].Line
	}
	if facts, err := factsOf(info.ID, info.Facts()); err == nil && facts != nil { // else it was cut before it had decided anything
		if undone(info) {
			facts = facts.Reversed()
		}
		r.StorageDomains, r.VMs = boardOf(info.Board(), facts)
	}
	return r
}

// maxShown is up to how many bytes the text of a file is shown in a report.
const maxShown = 2 << 20

// texts names the files of the snapshots by the paths that they stand for. Of the text only the plan's own Lua is shown: drrun's
// modules are drrun's, and an inventory is data, too long to read.
func texts(files []engine.SnapshotFile) []report.Text {
	paths := map[int]map[string]string{} // path by name in the snapshot, by attempt
	for _, file := range files {
		var m manifest
		if file.Name != manifestName || json.Unmarshal(file.Text, &m) != nil {
			continue
		}
		paths[file.Attempt] = map[string]string{}
		for _, path := range slices.Sorted(maps.Keys(m.Files)) {
			paths[file.Attempt][m.Files[path]] = path
		}
	}
	var list []report.Text
	for _, file := range files {
		if file.Name == manifestName && file.Err == nil {
			continue
		}
		text := report.Text{Attempt: file.Attempt, Path: file.Name, SHA256: file.Digest, Size: len(file.Text)}
		if path := paths[file.Attempt][file.Name]; path != "" {
			text.Path = path
		}
		switch {
		case file.Err != nil:
			text.Problem = file.Err.Error()
		case strings.HasSuffix(text.Path, ".lua") && !strings.HasPrefix(file.Name, builtinFolder) && len(file.Text) <= maxShown:
			text.Body = string(file.Text)
		}
		list = append(list, text)
	}
	return list
}
