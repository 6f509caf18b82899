package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/plans"
	"drrun/stdlib"
)

// nextText is another text that a resume goes on with, accepted by a person and not yet the run's.
type nextText struct {
	*planText
	edit   Edit
	params map[string]any // that the run goes on with
	told   []string       // about them
	by     string         // who accepted it
}

// loadNext loads the plan as it is on the disk now, and refuses what cannot change while a run goes on.
func (a *attempt) loadNext(t *engine.Task, info *engine.RunInfo, present *planText) (*nextText, error) {
	file, libs := a.PlanFile, a.LibDirs
	if file == "" {
		file = present.file
	}
	if len(libs) == 0 {
		libs = present.libs
	}
	if _, err := a.Env.FS.ReadFile(file); err != nil {
		return nil, invalid("plan", "name the plan's file: drrun resume "+info.ID+" --plan FILE", fmt.Errorf("read the new text of the plan: %w", err))
	}
	text, findings, err := a.loadText(t, file, libs, a.Env.FS.ReadFile, a.Findings)
	if err != nil {
		a.result.Findings = append(a.result.Findings, findings...)
		var known *failure
		if errors.As(err, &known) {
			known.hint = "correct the plan, then again: drrun resume " + info.ID + " --plan"
		}
		return nil, err
	}
	next := &nextText{planText: text, edit: present.changesTo(text)}
	if refused := next.edit.Changes.Refused; len(refused) > 0 {
		return nil, refuse("cannot-change", "put that back in "+file+"; or close the run with drrun abort "+info.ID+" and begin another one",
			fmt.Errorf("sites and storage domains cannot change while run %s goes on: %s", info.ID, strings.Join(refused, "; ")))
	}
	present.moveBeside(text)
	return next, a.nextParams(next, info, present)
}

// nextParams decides the parameters: a run keeps those that it has, whatever another text says, because what was done went by them. Names
// that are new in the text come with their values, and --param and --params change what they name.
func (a *attempt) nextParams(next *nextText, info *engine.RunInfo, present *planText) error {
	recorded, err := recordedParams(info, present.params)
	if err != nil {
		return err
	}
	base := maps.Clone(next.plan.Params)
	if base == nil {
		base = map[string]any{}
	}
	maps.Copy(base, recorded)
	next.params = base
	if len(a.ParamsFile) > 0 || len(a.ParamOverrides) > 0 {
		if next.params, err = plans.MergeParams(base, a.ParamsFile, a.ParamOverrides); err != nil {
			return invalid("params", "--param NAME=VALUE, or --params with a file that holds a JSON object", err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next.params)) {
		was, had := recorded[name]
		is, said := next.params[name], next.plan.Params[name]
		switch {
		case !had:
			next.told = append(next.told, fmt.Sprintf("%s is new: %s", name, asJSON(is)))
		case !reflect.DeepEqual(was, is):
			next.told = append(next.told, fmt.Sprintf("%s was %s and becomes %s, as the command line says", name, asJSON(was), asJSON(is)))
		case !reflect.DeepEqual(present.plan.Params[name], said) && !reflect.DeepEqual(was, said):
			next.told = append(next.told, fmt.Sprintf("%s stays %s, which the run has; the text says %s: --param %s=… changes it", name, asJSON(was), asJSON(said), name))
		}
	}
	return nil
}

func asJSON(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(text)
}

// recordedParams are the parameters that a run goes on with: those that came with its present text, or with its beginning.
func recordedParams(info *engine.RunInfo, withText json.RawMessage) (map[string]any, error) {
	text := withText
	if len(text) == 0 {
		text = info.Head.Params
	}
	params := map[string]any{}
	if len(text) == 0 {
		return params, nil
	}
	if err := json.Unmarshal(text, &params); err != nil {
		return nil, refuse("journal", "", fmt.Errorf("read the parameters of run %s: %w", info.ID, err))
	}
	return params, nil
}

// changesNothing tells whether the run has this text already.
func (next *nextText) changesNothing(present *planText) bool {
	return len(next.edit.Files) == 0 && len(next.told) == 0 && next.file == present.file && len(next.lua) == len(present.lua)
}

// use makes the text the one that the attempt loads.
func (next *nextText) use(a *attempt) {
	a.PlanFile, a.LibDirs, a.readFile, a.Params = next.file, next.libs, next.readFile, next.params
	a.ParamsFile, a.ParamOverrides = nil, nil
}

// take makes the text the run's, from this attempt on. It is called when the sites have let us in: a run whose engines are out of reach
// keeps the text that it has.
func (next *nextText) take(a *attempt) error {
	if next == nil {
		return nil
	}
	params, err := json.Marshal(next.params)
	if err != nil {
		return invalid("params", "", fmt.Errorf("parameters: %w", err))
	}
	a.textParams = json.RawMessage(a.redact(string(params)))
	packed, err := pack(manifest{Plan: next.file, Libs: next.libs, Params: a.textParams}, next.files())
	if err == nil {
		err = a.run.SetSnapshot(packed)
	}
	if err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, fmt.Errorf("take the new text: %w", err))
	}
	return nil
}

// tell journals whose word the text is taken by, and what is new in it.
func (next *nextText) tell(a *attempt) {
	if next == nil {
		return
	}
	changes := next.edit.Sentences()
	for _, text := range next.told {
		changes = append(changes, "param "+text)
	}
	a.decided("plan", next.by, next.by+" goes on with "+next.file+" as it is now", changes)
}

// decided journals what a person decided about the run.
func (a *attempt) decided(choice, by, text string, changes []string) {
	a.run.Note("decision", engine.Subject{Kind: "run", ID: a.run.ID(), Name: a.Action}, map[string]any{"choice": choice, "by": by, "text": text, "changes": changes})
}

// acceptText has a person accept the text whose preview was shown.
func (a *attempt) acceptText(ctx context.Context, next *nextText, run string) error {
	answer, err := a.askBefore(ctx, engine.Question{
		Name: stdlib.QuestionResumePlan, Choices: []string{"yes", "no"}, Text: "Go on with run " + run + " on " + next.file + " as it is now?",
	})
	switch {
	case errors.Is(err, engine.ErrNoAnswer):
		return refuse("needs-answer", "when the preview is what you want, add: --yes, or --answer "+stdlib.QuestionResumePlan+"=yes",
			fmt.Errorf("run %s is to go on with another text, and nobody can be asked: nothing was written", run))
	case err != nil:
		return err
	case answer.Text != "yes":
		return refuse("declined", "without --plan it goes on with the text that it has", fmt.Errorf("the new text of run %s was not accepted: nothing was written", run))
	}
	next.by = answer.By
	return nil
}

// askBefore asks before there is an attempt of the run that could journal it: what is answered is told in the journal by who asked.
func (a *attempt) askBefore(ctx context.Context, q engine.Question) (engine.Answer, error) {
	if a.Asker == nil {
		return engine.Answer{}, engine.ErrNoAnswer
	}
	answer := engine.Answer{By: a.by().String(), Via: engine.ViaTerminal}
	desk, isDesk := a.Asker.(engine.Desk)
	known := false
	if isDesk {
		var prepared engine.Answer
		if prepared, known = desk.Prepared(q); known {
			answer.Text = prepared.Text
		}
	}
	if !known {
		if isDesk && !desk.Attended() {
			return answer, engine.ErrNoAnswer
		}
		var err error
		if answer.Text, err = a.Asker.Ask(ctx, q); err != nil {
			return answer, err
		}
	}
	if !slices.Contains(q.Choices, answer.Text) {
		return answer, invalid("bad-answer", "answer one of them", fmt.Errorf("%q is no answer to %s: it must be one of: %s", answer.Text, q.Name, strings.Join(q.Choices, ", ")))
	}
	return answer, nil
}

// afterFaultInPlan says how to go on with a run that an error of the plan's own stopped.
func (a *attempt) afterFaultInPlan(next string) string {
	hint := "when the cause is outside of the plan and mended, go on with: " + next
	if a.rollback {
		return hint
	}
	return hint + "; when it is in the plan, correct the file and go on with that: drrun resume " + a.result.Run + " --plan"
}
