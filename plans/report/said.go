package report

import (
	"encoding/json"
	"slices"

	"drrun/engine"
)

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
