package runner

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drrun/engine"
	"drrun/plans"
	"drrun/stdlib"
)

// Which hooks a text has is known before it runs, and of what they are called, by the facts. That a ctx:step or a prompt of the plan's own
// is reached again only the run can show: of these it is told whether the text still holds their name, and whether that file has changed.

// steps sorts the recorded steps into the lists.
func (p *Preview) steps(info *engine.RunInfo, facts *stdlib.Facts, text *planText, older func(attempt int) *planText, redo []string) {
	for _, step := range info.Steps() {
		item := PreviewItem{What: stepWords(step), Of: step.Subject.Name, Key: step.Key, At: step.Ended, Attempt: step.Attempt}
		if step.Subject.Kind == "step" || step.Subject.Kind == "prompt" {
			item.Of = ""
		}
		if step.Ended.IsZero() {
			item.At = step.Begun
		}
		present, sure, why := text.produces(step, facts)
		item.May = !sure
		switch {
		case slices.Contains(redo, step.Key):
			item.Why = "--redo: repeated, whatever is recorded"
			if !present {
				item.Why, item.May = "--redo: repeated if it is reached: "+why, true
			}
			p.ToRun = append(p.ToRun, item)
		case !present:
			item.Why = why + "; recorded as " + step.Outcome
			p.Lost = append(p.Lost, item)
		case step.Outcome == engine.StepFailed:
			item.Why = "it failed: " + step.Error
			p.ToRun = append(p.ToRun, item)
		case step.Outcome == engine.StepCut && step.OnCut == engine.OnCutAsk:
			item.Why = "cut off, its outcome is not known: you are asked whether it was done (" + engine.CutQuestion + step.Key + ")"
			p.ToRun = append(p.ToRun, item)
		case step.Outcome == engine.StepCut:
			item.Why = "cut off, its outcome is not known: it runs again, with ctx.retried"
			p.ToRun = append(p.ToRun, item)
		default:
			item.Why, item.May = cmp.Or(why, "recorded as done"), false
			if changed, sure := older(step.Attempt).changedSince(step, text); changed != "" && why == "" {
				item.Why, item.May = changed, !sure
				p.Older = append(p.Older, item)
				continue
			}
			p.Skipped = append(p.Skipped, item)
		}
	}
}

// stepWords names a step for people, as its title does.
func stepWords(step engine.StepState) string { return cmp.Or(step.Title, step.Key) }

// produces tells whether a text still has a recorded step; sure is false where only the run can show it.
func (text *planText) produces(step engine.StepState, facts *stdlib.Facts) (present, sure bool, why string) {
	if point, handler, isHook := step.IsHook(); isHook {
		if text.hook(point, handler) == nil {
			return false, true, "the plan has no handler " + strconv.Quote(handler) + " of " + point + " any more"
		}
		if point == "after_run" || point == "before_run" {
			return true, true, ""
		}
		return true, text.plan.Workflows[facts.Action] == nil, ""
	}
	name, isPrompt := step.IsPrompt()
	if !isPrompt {
		name = strings.TrimPrefix(step.Title, "step ")
	}
	if isPrompt && builtinPrompt(name) && text.plan.Workflows[facts.Action] == nil {
		if _, group, _ := strings.Cut(name, ":"); text.plan.HasHook("promote_storage", group) {
			return false, true, "the plan has a hook promote_storage, so nobody is asked"
		} else if strings.HasPrefix(name, "replication:") && text.plan.HasHook("ensure_replication", group) {
			return false, true, "the plan has a hook ensure_replication, so nobody is asked"
		}
		return true, true, ""
	}
	switch {
	case text.renames(name):
		return true, false, "a step of another name goes on with it (was = " + strconv.Quote(name) + ")"
	case text.holds(name):
		return true, false, ""
	}
	return false, false, "no file of the plan holds the name " + strconv.Quote(name) + " any more: it may be lost"
}

// builtinPrompt tells whether drrun's own workflow asks that question.
func builtinPrompt(name string) bool {
	return strings.HasPrefix(name, "promote_storage:") || strings.HasPrefix(name, "replication:")
}

// changedSince tells, where text is what a step was done under, what of it is another in a newer one; "" for nothing. sure is false where
// the step may be the same all the same.
func (text *planText) changedSince(step engine.StepState, newer *planText) (why string, sure bool) {
	if text == nil {
		return "the text that it was done under cannot be read any more: it may have changed", false
	}
	if text == newer {
		return "", true
	}
	if point, handler, isHook := step.IsHook(); isHook {
		return text.hookChanged(point, handler, newer)
	}
	name, isPrompt := step.IsPrompt()
	if !isPrompt {
		name = strings.TrimPrefix(step.Title, "step ")
	}
	if isPrompt && builtinPrompt(name) {
		return "", true
	}
	for _, file := range text.holders(name) {
		if !newer.sameFile(text, file) {
			return text.shown(file) + ", which names it, has changed: it may be another one now", false
		}
	}
	return "", true
}

// hookChanged compares a handler with its older self.
func (text *planText) hookChanged(point, handler string, newer *planText) (why string, sure bool) {
	was, is := text.hook(point, handler), newer.hook(point, handler)
	if was == nil || is == nil {
		return "it was added after this was done", false
	}
	switch {
	case was.Func.Text() != is.Func.Text():
		return "its function is another one now: " + is.Func.Pos().String(), true
	case fmt.Sprint(was.Options) != fmt.Sprint(is.Options):
		return "its options have changed", true
	case !newer.sameFile(text, was.Func.Pos().File):
		return "its function is the same, other lines of " + newer.shown(is.Func.Pos().File) + " have changed", false
	}
	return "", true
}

// unrecordedHooks lists the handlers that have nothing recorded for a subject.
func (p *Preview) unrecordedHooks(info *engine.RunInfo, facts *stdlib.Facts, text *planText) {
	own := text.plan.Workflows[facts.Action] != nil
	if own {
		p.Notes = append(p.Notes, "the plan has a workflow of its own: which hooks, steps and prompts it comes to, the run will show")
	}
	recorded := map[string]bool{}
	for _, step := range info.Steps() {
		recorded[step.Key] = true
	}
	for _, point := range stdlib.HookPoints {
		for _, hook := range text.plan.HooksAt(point.Name) {
			subjects, sure := hookSubjects(point.Name, info, facts)
			for _, subject := range subjects {
				if !stdlib.ServesGroup(hook.Point, hook.Groups, facts.GroupOf(subject)) {
					continue
				}
				key := engine.HookKey(hook.Point, hook.Handler, subject)
				if recorded[key] {
					continue
				}
				p.ToRun = append(p.ToRun, PreviewItem{
					What: "hook " + hook.Point + " (" + hook.Handler + ")", Of: cmp.Or(subject.Name, subject.ID), Key: key, Why: "not recorded yet", May: own || !sure,
				})
			}
		}
	}
}

// hookSubjects are the objects that the built-in workflow calls a hook point for; sure is false where it depends on what the run finds.
func hookSubjects(point string, info *engine.RunInfo, facts *stdlib.Facts) (subjects []engine.Subject, sure bool) {
	if !plans.Moves(facts.Action) && point != "before_run" && point != "after_run" {
		return nil, true
	}
	switch point {
	case "before_run", "after_run":
		return []engine.Subject{{Kind: "run", ID: info.ID, Name: facts.Action}}, true
	case "confirm_source_down":
		return []engine.Subject{{Kind: "site", ID: facts.Source, Name: facts.Source}}, true
	case "ensure_replication":
		if !facts.Planned {
			return nil, true
		}
		return groupSubjects(facts), true
	case "demote_storage", "promote_storage", "reverse_replication":
		return groupSubjects(facts), true
	case "before_import", "after_import":
		for _, domain := range facts.Domains {
			subjects = append(subjects, engine.Subject{Kind: "storage_domain", ID: domain.ID, Name: domain.Name})
		}
		return subjects, true
	case "before_rank", "after_rank":
		for _, vm := range facts.VMs { // in ascending ranks
			id := strconv.Itoa(vm.Rank)
			if len(subjects) == 0 || subjects[len(subjects)-1].ID != id {
				subjects = append(subjects, engine.Subject{Kind: "rank", ID: id, Name: "rank " + id})
			}
		}
		return subjects, true
	case "before_register", "after_register":
		return vmSubjects(facts, func(*stdlib.FactVM) bool { return true }), true
	case "before_start", "after_start", "verify_vm":
		runs := func(vm *stdlib.FactVM) bool {
			start, _ := vm.ToStart("up") // what only the OVF store can tell may run
			return start
		}
		return vmSubjects(facts, runs), false
	case "before_stop", "after_stop":
		if !facts.Planned {
			return nil, true
		}
		states := facts.TargetStates(info.Board())
		return vmSubjects(facts, func(vm *stdlib.FactVM) bool {
			state := states["vm/"+vm.ID].State
			return vm.Ran == "up" && (state == "" || state == stdlib.StatePending || state == stdlib.StateQuarantined)
		}), false
	}
	return nil, true // on_error is no step; the built-in workflows do not come to the others
}

func groupSubjects(facts *stdlib.Facts) (subjects []engine.Subject) {
	for _, domain := range facts.Domains {
		one := engine.Subject{Kind: "group", ID: domain.Group, Name: domain.Group}
		if !domain.Arrived && !slices.Contains(subjects, one) {
			subjects = append(subjects, one)
		}
	}
	return subjects
}

func vmSubjects(facts *stdlib.Facts, of func(*stdlib.FactVM) bool) (subjects []engine.Subject) {
	for i := range facts.VMs {
		if of(&facts.VMs[i]) {
			subjects = append(subjects, engine.Subject{Kind: "vm", ID: facts.VMs[i].ID, Name: facts.VMs[i].Name})
		}
	}
	return subjects
}
