package runner

import (
	"drrun/engine"
	"drrun/plans"
	"drrun/stdlib"
)

// questions lists what the built-in workflow will ask a person: each question that has no recorded step, so that answers can be given
// with the resume.
func (p *Preview) questions(info *engine.RunInfo, facts *stdlib.Facts, text *planText) {
	if !plans.Moves(facts.Action) || text.plan.Workflows[facts.Action] != nil {
		return
	}
	recorded := map[string]bool{}
	for _, step := range info.Steps() {
		recorded[step.Key] = true
	}
	ask := func(name, of, why string, may bool) {
		if key := engine.PromptKey(name); !recorded[key] {
			p.ToRun = append(p.ToRun, PreviewItem{What: "prompt " + name, Of: of, Key: key, Why: why, May: may})
		}
	}
	if !facts.Planned { // evidence outlives no attempt
		ask(stdlib.QuestionSourceDown, facts.Source, "asked where "+facts.Source+" does not answer; --confirm-source-down answers it", true)
	}
	for _, group := range groupSubjects(facts) {
		if text.plan.HasHook("promote_storage", group.ID) {
			continue
		}
		if facts.Planned && !text.plan.HasHook("ensure_replication", group.ID) {
			ask("replication:"+group.ID, "", "not answered yet", false)
		}
		ask("promote_storage:"+group.ID, "", "not answered yet", false)
	}
}
