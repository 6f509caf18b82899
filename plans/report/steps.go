package report

import (
	"cmp"
	"strings"

	"drrun/engine"
)

// maxResult is up to how many characters the result of a step is shown.
const maxResult = 300

func (h *history) stepRows() []Step {
	rows := make([]Step, 0, len(h.steps))
	for _, s := range h.steps {
		row := Step{
			Began: s.began, Ended: s.ended, Title: cmp.Or(s.step.Title, s.step.Key), Subject: subjectText(s.step.Subject), Key: s.step.Key,
			Again: s.step.Again,
		}
		if s.step.Subject != nil && s.step.Subject.Kind == "prompt" {
			row.Subject = "" // the title names it
		}
		if s.result != nil {
			row.Took = exactly(s.ended.Sub(s.began))
		}
		row.Outcome, row.Tone = stepOutcome(s)
		if s.result != nil && s.result.OK && len(s.result.Value) > 0 && string(s.result.Value) != "null" {
			row.Result = Shorten(string(s.result.Value), maxResult)
		}
		rows = append(rows, row)
	}
	return rows
}

func stepOutcome(s *stepRun) (text string, tone Tone) {
	switch {
	case s.result == nil:
		return "no outcome recorded", Warn
	case s.result.OK && s.result.How == "answered":
		return "done, as a person said", Good
	case s.result.OK:
		return "done", Good
	case s.result.Unknown:
		return "cut: " + s.result.Error, Warn
	}
	return s.result.Error, Bad
}

// promotedGroup tells whether a step asked a person about the promotion of a consistency group, and of which.
func promotedGroup(step engine.StepRecord) (group string, ok bool) {
	return strings.CutPrefix(step.Key, engine.PromptKey("promote_storage:"))
}

// isPromotionHook tells whether a step is a hook that promotes storage.
func isPromotionHook(key string) bool { return strings.HasPrefix(key, "hook:promote_storage/") }
