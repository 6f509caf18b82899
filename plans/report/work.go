package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"drrun/engine"
)

func itoa(n int) string { return strconv.Itoa(n) }

// maxCalls is up to how many requests their paths are told: at 5,000 VMs they are a megabyte that nobody reads.
const maxCalls = 1000

// maxResult is up to how many characters the result of a step is shown.
const maxResult = 300

func (h *history) requestRows() []Request {
	rows := make([]Request, 0, len(h.requests))
	for _, r := range h.requests {
		in := r.record.Intent
		row := Request{
			Number: r.record.N, At: r.record.Time, Site: in.Site, Op: in.Op, Object: cmp.Or(in.Subject.Name, in.Subject.ID), ID: in.ID,
			Beside: in.Beside || in.Look,
		}
		if !r.answered.IsZero() {
			row.Took = exactly(r.answered.Sub(r.record.Time))
		}
		if len(h.requests) <= maxCalls {
			row.Call = in.Method + " " + in.Path
		}
		row.Outcome, row.Tone = outcomeOf(r)
		if in.Retry != "" {
			row.Outcome += "; repeated: " + in.Retry
		}
		rows = append(rows, row)
	}
	return rows
}

// outcomeOf says what became of a request.
func outcomeOf(r *request) (text string, tone Tone) {
	status := ""
	if r.outcome != nil && r.outcome.Status != 0 {
		status = " (" + itoa(r.outcome.Status) + ")"
	}
	switch {
	case r.settled != nil && *r.settled.Reached:
		return "done, as was read later: " + r.settled.How, Good
	case r.settled != nil:
		return "not done, as was read later: " + r.settled.How, Warn
	case r.outcome == nil:
		return "no outcome recorded", Warn
	case r.outcome.OK:
		return "accepted" + status, Good
	case r.outcome.Unknown:
		return "unknown: " + r.outcome.Error, Warn
	}
	return "refused" + status + ": " + r.outcome.Error, Bad
}

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
			row.Result = clip(string(s.result.Value), maxResult)
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

// clip cuts a text to at most so many characters.
func clip(text string, limit int) string {
	if letters := []rune(text); len(letters) > limit {
		return string(letters[:limit]) + "…"
	}
	return text
}

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
			row.Outcome, row.Exit = strings.ReplaceAll(a.ended.Status, "_", " "), itoa(*a.ended.Exit)
		case in.Held && i == len(h.attempts)-1:
			row.Running, row.Outcome = true, "running"
			if in.Holder != "" {
				row.Outcome += ", held by " + in.Holder
			}
		default:
			row.Cut, row.Outcome = true, fmt.Sprintf("cut off: it has no end; its last record is of %s", stamp(a.to))
		}
		rows = append(rows, row)
	}
	return rows
}

// counters sorts the counters of the last attempt by site.
func counters(d document) []SiteCounters {
	var rows []SiteCounters
	for site, c := range d.Requests {
		rows = append(rows, SiteCounters{Site: site, Counters: c})
	}
	slices.SortFunc(rows, func(a, b SiteCounters) int { return strings.Compare(a.Site, b.Site) })
	return rows
}

// broken names the damage of a journal, "" for none.
func broken(info *engine.RunInfo) string {
	if info.Err == nil {
		return ""
	}
	return info.Err.Error()
}
