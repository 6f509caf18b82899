package report

import (
	"encoding/json"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/stdlib"
)

// Reliance learns from the records of a run, in order, on whose word VMs were started. Storage that was brought to the target on a word
// alone runs nothing, and each start needs evidence of its own, so only starts count. A reader that skips the requests learns of them by
// the marks of the VMs.
type Reliance struct {
	word   string // of the last look at the source; "" where that had better evidence, or none
	marked string // whose word VMs that are marked as starting went by
	starts []startOnWord
	missed map[string]bool // requests that are known to have had no effect
	again  bool            // the source answered at the last look
}

type startOnWord struct{ intent, by string }

// Learn takes the next record in.
func (r *Reliance) Learn(rec *engine.Record) {
	switch {
	case rec.Kind == "attempt":
		r.word = ""
	case rec.Note == "evidence":
		r.look(rec)
	case rec.Intent != nil && rec.Intent.Op == ovirt.OpStartVM && r.word != "":
		r.starts = append(r.starts, startOnWord{rec.Intent.ID, r.word})
	case rec.Mark != nil && rec.Mark.State == stdlib.StateStarting && r.word != "":
		r.marked = r.word
	case rec.Outcome != nil:
		r.miss(rec.ID, !rec.Outcome.OK && !rec.Outcome.Unknown)
	case rec.Reached != nil:
		r.miss(rec.ID, !*rec.Reached)
	}
}

func (r *Reliance) look(rec *engine.Record) {
	r.word = ""
	var v stdlib.Verdict
	if json.Unmarshal(rec.Data, &v) != nil {
		return
	}
	r.again = v.Answers && !v.Holds
	if v.Holds && v.Ground == stdlib.GroundConfirmed && v.Confirmation != nil {
		r.word = v.Confirmation.Name
	}
}

func (r *Reliance) miss(intent string, missed bool) {
	if len(r.starts) == 0 {
		return
	}
	if r.missed == nil {
		r.missed = map[string]bool{}
	}
	r.missed[intent] = missed
}

// By returns on whose word, and no other evidence, VMs were started or may have been, "" for nobody's; of several persons it is the last.
func (r *Reliance) By() string {
	by := r.marked
	for _, s := range r.starts {
		if !r.missed[s.intent] {
			by = s.by
		}
	}
	return by
}

// AnswersAgain tells whether the source answered when it was looked at last.
func (r *Reliance) AnswersAgain() bool { return r.again }

// RelianceOf learns all records of a run.
func RelianceOf(info *engine.RunInfo) *Reliance {
	r := &Reliance{}
	for i := range info.Records {
		r.Learn(&info.Records[i])
	}
	return r
}

// Verdicts are the sentences about a run that nobody may miss: those that its last attempt ended with, or, where that has no end yet or
// was cut off, what the journal shows.
func Verdicts(info *engine.RunInfo) []string {
	h := read(info, false, info.Ended)
	var d document
	if n := len(h.attempts); n > 0 && h.attempts[n-1].ending != nil {
		d.Verdicts = h.attempts[n-1].ending.Verdicts
	}
	var texts []string
	for _, alert := range h.alerts(d) {
		texts = append(texts, alert.Text)
	}
	return texts
}
