package report

import (
	"encoding/json"

	"drrun/engine"
)

// EndingNote is the kind of the journal's note that tells what an attempt came to. It stands right before the end of the attempt, so that
// the reason is known when the next attempt has replaced report.json.
const EndingNote = "ending"

// Ending is what an attempt came to, besides its status and exit code. It has no key text: those who saw the attempt end were told.
type Ending struct {
	Rollback bool     `json:"rollback,omitempty"` // the attempt was to undo the run
	Failure  *Failure `json:"error,omitempty"`    // why it ended otherwise than done
	Verdicts []string `json:"verdicts,omitempty"`
}

// EndingOf reads a record of a journal; ok is false where it is no ending.
func EndingOf(rec *engine.Record) (ending Ending, ok bool) {
	ok = rec.Note == EndingNote && json.Unmarshal(rec.Data, &ending) == nil
	return ending, ok
}
