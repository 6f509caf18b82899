package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// maxCalls is up to how many requests their paths are told: at 5,000 VMs they are a megabyte that nobody reads.
const maxCalls = 1000

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
		status = " (" + strconv.Itoa(r.outcome.Status) + ")"
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

// counters sorts the counters of the last attempt by site.
func counters(d document) []SiteCounters {
	var rows []SiteCounters
	for site, c := range d.Requests {
		rows = append(rows, SiteCounters{Site: site, Counters: c})
	}
	slices.SortFunc(rows, func(a, b SiteCounters) int { return strings.Compare(a.Site, b.Site) })
	return rows
}
