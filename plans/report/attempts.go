package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drrun/engine"
)

// attemptRows lists the processes that worked on the run.
func (h *history) attemptRows(in *Input) []Attempt {
	rows := make([]Attempt, 0, len(h.attempts))
	for i, a := range h.attempts {
		row := Attempt{
			Number: a.record.Attempt, Began: a.from, Ended: a.to, Version: a.record.Version, Host: a.record.Host, User: a.record.User,
			Took: Span(a.to.Sub(a.from)),
		}
		switch {
		case a.ended != nil:
			row.Outcome, row.Exit = strings.ReplaceAll(a.ended.Status, "_", " "), strconv.Itoa(*a.ended.Exit)
		case in.Held && i == len(h.attempts)-1:
			row.Running, row.Outcome = true, "running"
			if in.Holder != "" {
				row.Outcome += ", held by " + in.Holder
			}
		default:
			row.Cut, row.Outcome = true, fmt.Sprintf("cut off: it has no end; its last record is of %s", stamp(a.to))
		}
		if a.ending != nil && a.ended != nil {
			row.Rollback = a.ending.Rollback
			if f := a.ending.Failure; f != nil {
				row.Reason = fmt.Sprintf("%s [%s]", f.Message, f.Code)
			}
		}
		if row.Rollback {
			row.Outcome = "rollback: " + row.Outcome
		}
		rows = append(rows, row)
	}
	return rows
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
	return "attempt " + strconv.Itoa(h.eraAt(rec).attempt)
}

func (h *history) personAt(rec *engine.Record) string {
	a := h.eraAt(rec)
	return Person(a.record.User, a.record.Host)
}

// Person names who did something and where, for people.
func Person(user, host string) string {
	return cmp.Or(user, "somebody") + " on " + cmp.Or(host, "an unknown host")
}
