package report

import (
	"cmp"
	"encoding/json"
	"strings"

	"drrun/engine"
	"drrun/stdlib"
)

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
		list = append(list, Decision{At: a.to, Who: Person(a.record.User, a.record.Host), What: "had the run closed as it was", How: "drrun abort"})
	}
	return list
}

func confirmationOf(rec *engine.Record) stdlib.Confirmation {
	var c stdlib.Confirmation
	_ = json.Unmarshal(rec.Data, &c) // of another form: nobody is named
	return c
}
