package report

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/stdlib"
)

// promotedGroup tells whether a step asked a person about the promotion of a consistency group, and of which.
func promotedGroup(step engine.StepRecord) (group string, ok bool) {
	return strings.CutPrefix(step.Key, engine.PromptKey("promote_storage:"))
}

// isPromotionHook tells whether a step is a hook that promotes storage.
func isPromotionHook(key string) bool { return strings.HasPrefix(key, "hook:promote_storage/") }

func confirmationOf(rec *engine.Record) stdlib.Confirmation {
	var c stdlib.Confirmation
	_ = json.Unmarshal(rec.Data, &c) // of another form: nobody is named
	return c
}

// decisions are what persons said, in order.
func (h *history) decisions() []Decision {
	source, target := h.info.Head.Source, h.info.Head.Target
	var list []Decision
	for i := range h.notes {
		rec := &h.notes[i]
		d := Decision{At: rec.Time}
		byName := func(what string) {
			c := confirmationOf(rec)
			d.Who, d.What, d.Words, d.How = c.Name, what, c.Reason, "by name, for "+h.attemptAt(rec)
		}
		switch rec.Note {
		case "confirmation":
			if rec.Subject != nil {
				source = cmp.Or(rec.Subject.Name, source)
			}
			byName("confirmed that " + source + " is down")
		case "accept_loss":
			byName("gave up the data that the copy lacks")
		case "confirm_stale":
			byName("confirmed that what " + target + " still has is stale")
		case engine.AnswerNote:
			var a engine.Answered
			if json.Unmarshal(rec.Data, &a) != nil {
				continue
			}
			d.Who, d.What, d.Words, d.How = cmp.Or(a.By, "nobody"), "answered "+a.Name, cmp.Or(a.Answer, "(not shown)"), HowAnswered(a.Via)
		case engine.RefusedAnswerNote:
			var a engine.RefusedAnswer
			if json.Unmarshal(rec.Data, &a) != nil {
				continue
			}
			d.Who, d.What, d.Words = a.By, "gave an answer that was refused", a.Text
		case "decision":
			var a struct {
				By, Choice, Text string
				Changes          []string
			}
			if json.Unmarshal(rec.Data, &a) != nil {
				continue
			}
			d.Who, d.What, d.Words, d.How = a.By, "decided: "+a.Choice, strings.Join(append([]string{a.Text}, a.Changes...), "\n"), HowAnswered(engine.ViaTerminal)
		case "rollback":
			d.Who, d.What, d.How = h.personAt(rec), "had the run undone", "drrun rollback"
		default:
			continue
		}
		list = append(list, d)
	}
	if n := len(h.attempts); n > 0 && h.info.Status == "aborted" {
		a := h.attempts[n-1]
		list = append(list, Decision{At: a.to, Who: personText(a.record.User, a.record.Host), What: "had the run closed as it was", How: "drrun abort"})
	}
	return list
}

// eraAt is the attempt that made a record.
func (h *history) eraAt(rec *engine.Record) *era {
	for _, a := range slices.Backward(h.attempts) {
		if a.record.N < rec.N {
			return a
		}
	}
	return &era{}
}

func (h *history) attemptAt(rec *engine.Record) string {
	if len(h.attempts) < 2 {
		return "this attempt"
	}
	return "attempt " + itoa(h.eraAt(rec).attempt)
}

func (h *history) personAt(rec *engine.Record) string {
	a := h.eraAt(rec)
	return personText(a.record.User, a.record.Host)
}

func personText(user, host string) string {
	return cmp.Or(user, "somebody") + " on " + cmp.Or(host, "an unknown host")
}

// lookRows joins looks at the source that came to the same verdict.
func (h *history) lookRows() []Look {
	var rows []Look
	for _, l := range h.looks {
		v := l.verdict
		row := Look{First: v.At, Last: v.At, Count: 1, Holds: v.Holds, Ground: v.Ground, Why: v.Why, Answers: v.Answers}
		if v.Confirmation != nil {
			row.By = v.Confirmation.Name
		}
		if n := len(rows); n > 0 {
			last := &rows[n-1]
			if last.Holds == row.Holds && last.Ground == row.Ground && last.Answers == row.Answers && last.By == row.By {
				last.Last, last.Why = row.Last, row.Why
				last.Count++
				continue
			}
		}
		rows = append(rows, row)
	}
	return rows
}

// warnings are what the run warned of in all its attempts, and what the last one says besides, each once.
func (h *history) warnings(d document) []string {
	var list []string
	add := func(text string) {
		if text != "" && !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	for i := range h.notes {
		rec := &h.notes[i]
		var said struct{ Text, Level string }
		switch {
		case rec.Kind == "stop":
			add("the run was stopped: " + rec.Reason)
		case json.Unmarshal(rec.Data, &said) == nil && (said.Level == "warn" || said.Level == "error") && rec.Note != engine.RefusedAnswerNote:
			add(said.Text)
		}
	}
	for _, text := range d.Warnings {
		add(text)
	}
	return list
}

// log is what was said during the run, without what other parts of the report tell.
func (h *history) log() []Line {
	var lines []Line
	for i := range h.notes {
		rec := &h.notes[i]
		if text := textOf(rec); text != "" {
			lines = append(lines, Line{At: rec.Time, Kind: rec.Note, Text: text})
		} else if rec.Kind == "stop" {
			lines = append(lines, Line{At: rec.Time, Kind: "stop", Text: rec.Reason})
		}
	}
	for _, s := range h.stages {
		lines = append(lines, Line{At: s.from, Kind: "stage", Text: s.name})
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return lines
}
