package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed page.html.tmpl
var pageText string

//go:embed page.css
var pageStyle string

// page is parsed once, at the first report: most commands make none.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{
		"stamp": func(t time.Time) string { return unlessZero(t, stamp) },
		"clock": func(t time.Time) string {
			return unlessZero(t, func(t time.Time) string { return t.UTC().Format("15:04:05") })
		},
		"iso": func(t time.Time) string {
			return unlessZero(t, func(t time.Time) string { return t.UTC().Format(time.RFC3339) })
		},
		"count": Count, "state": stateText, "first": upperFirst, "short": shortID, "lines": func(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") },
		"marks": toneMark, "style": func() template.CSS { return template.CSS(pageStyle) }, //nolint:gosec // our own text
		"vmTable": func(list []VM) vmTable {
			return vmTable{list, slices.ContainsFunc(list, func(v VM) bool { return v.Reason != "" })}
		},
		"anyReason": func(list []Domain) bool {
			return slices.ContainsFunc(list, func(d Domain) bool { return d.Reason != "" })
		},
		"anyReleased": func(list []Domain) bool {
			return slices.ContainsFunc(list, func(d Domain) bool { return !d.Released.IsZero() })
		},
		"percent": func(x float64) string { return fmt.Sprintf("%.1f%%", x) },
		"row":     func(t Timeline, r Row) chartRow { return chartRow{t.Bands, r} },
	}).Parse(pageText))
})

// vmTable is a table of VMs; a column that nothing stands in is left out.
type vmTable struct {
	Rows    []VM
	Reasons bool
}

// chartRow is a row of the chart with the attempts that shade it.
type chartRow struct {
	Bands []Band
	Row
}

// HTML writes the report as one page that loads nothing and runs nothing. The error is that of w.
func HTML(w io.Writer, m Model) error {
	if err := page().Execute(w, m); err != nil {
		return fmt.Errorf("write the report of run %s: %w", m.Run, err)
	}
	return nil
}

func unlessZero(t time.Time, format func(time.Time) string) string {
	if t.IsZero() {
		return ""
	}
	return format(t)
}

// shortID is the number of a correlation id: all of a run begin with its id.
func shortID(run, id string) string {
	if short, ok := strings.CutPrefix(id, run); ok {
		return "…" + short
	}
	return id
}

// toneMark says a tone without colour.
func toneMark(t Tone) string {
	return map[Tone]string{Good: "✓", Warn: "!", Bad: "✕", Neutral: "–"}[t]
}

// Is tells whether a file is a report in HTML, by its beginning.
func Is(file []byte) bool {
	const head = 1000
	return bytes.HasPrefix(file, []byte("<!DOCTYPE html>")) && bytes.Contains(file[:min(len(file), head)], []byte(generator))
}

// generator marks a page as a report.
const generator = `<meta name="generator" content="drrun">`
