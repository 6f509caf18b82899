package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"drrun/plans"
	"drrun/plans/codes"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// done is the result of a command that did what it was asked for.
func done(action string) *runner.Result {
	return &runner.Result{
		Schema: runner.ResultSchema, Exit: runner.ExitDone, Status: runner.StatusDone, Action: action,
		Requests: map[string]runner.Counters{}, StorageDomains: []runner.ObjectResult{}, VMs: []runner.ObjectResult{}, Findings: []plans.Finding{},
	}
}

// failure is the result of a command that did not.
func failure(exit int, status, code string, err error, hint string) *runner.Result {
	r := done("")
	r.Exit, r.Status = exit, status
	r.Error = &runner.ErrorResult{Code: code, Message: err.Error(), Hint: hint}
	return r
}

// withExtra puts what only this command has into the document.
func withExtra(r *runner.Result, name string, value any) *runner.Result {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("encode %s: %v", name, err)) // our own types always encode
	}
	if r.Extra == nil {
		r.Extra = map[string]json.RawMessage{}
	}
	r.Extra[name] = text
	return r
}

// writeDocument writes the one document of --json.
func writeDocument(w io.Writer, r *runner.Result) {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	_ = encoder.Encode(r) // a closed pipe: there is nobody left to tell
}

// writeError writes why something was not done: what was attempted, where, what the engine said, how things stand and what to do.
func writeError(w io.Writer, r *runner.Result) {
	if r.Error != nil {
		_, _ = io.WriteString(w, legible(failureText(report.Failure(*r.Error)))) // a closed pipe: there is nobody left to tell
	}
}

// failureText is what writeError writes.
func failureText(e report.Failure) string {
	var w strings.Builder
	fmt.Fprintf(&w, "error: %s [%s]\n", strings.ReplaceAll(e.Message, "\n", "\n       "), e.Code)
	if e.Source != "" {
		fmt.Fprintln(&w, e.Source)
	}
	if e.Site != "" || e.Object != "" {
		place := []string{}
		if e.Site != "" {
			place = append(place, "site "+e.Site)
		}
		if e.Object != "" && e.Object != e.Site {
			place = append(place, e.Object)
		}
		fmt.Fprintf(&w, "  where: %s\n", strings.Join(place, ", "))
	}
	if e.State != "" {
		fmt.Fprintf(&w, "  now:   %s\n", e.State)
	}
	if e.Hint != "" {
		fmt.Fprintf(&w, "  next:  %s\n", e.Hint)
	}
	return w.String()
}

// endedWords says how an attempt ended. One that was refused leaves the run as it was, and so with the status of the attempt before it.
func endedWords(status string, exit int, ending report.Ending) string {
	words := outcomeWords(status, exit)
	if exit == runner.ExitRefused && status == runner.StatusStopped {
		words = "refused, it changed nothing; the run can be gone on with"
	}
	if ending.Rollback {
		words = "rollback: " + words
	}
	return fmt.Sprintf("%s (exit code %d)", words, exit)
}

// reasonText says why an attempt ended as it did, "" where nothing went wrong. What is to be done stands below, with the next commands.
func reasonText(ending report.Ending) string {
	if ending.Failure == nil {
		return ""
	}
	failed := *ending.Failure
	failed.Hint = ""
	return strings.TrimRight(failureText(failed), "\n")
}

// writeRun writes the end of a run for people: what became of every object, the verdicts, the error, and where the run lies.
func writeRun(w io.Writer, r *runner.Result, stateDir string) {
	outcome := fmt.Sprintf("%s of %s: %s", r.Action, r.Plan, outcomeWords(r.Status, r.Exit))
	fmt.Fprintf(w, "%s, %s\n", outcome, span(time.Duration(r.Duration*float64(time.Second))))
	begun := r.Status != runner.StatusRefused // else every object is as it was
	if begun && len(r.StorageDomains) > 0 {
		rows := [][]string{{"STORAGE DOMAIN", "STATUS"}}
		for _, domain := range r.StorageDomains {
			rows = append(rows, []string{domain.Name, domain.Status})
		}
		fmt.Fprintln(w)
		writeTable(w, "", rows)
		writeReasons(w, r.StorageDomains)
	}
	if begun && len(r.VMs) > 0 {
		rows := [][]string{{"RANK", "VM", "STATUS", "STARTED", "UP"}}
		for _, vm := range r.VMs {
			rank := ""
			if vm.Rank != nil {
				rank = strconv.Itoa(*vm.Rank)
			}
			rows = append(rows, []string{rank, vm.Name, vm.Status, clockTime(vm.StartedAt), clockTime(vm.UpAt)})
		}
		fmt.Fprintln(w)
		writeTable(w, "", rows)
		writeReasons(w, r.VMs)
	}
	lines := warned(r.Warnings)
	if begun {
		lines = append(slices.Clone(r.Verdicts), lines...)
	}
	if len(lines) > 0 {
		fmt.Fprintln(w)
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
	}
	if r.Error != nil {
		fmt.Fprintln(w)
		writeError(w, r)
		if _, known := codes.Find(r.Error.Code); known && r.Run != "" {
			fmt.Fprintf(w, "  more:  drrun explain %s\n", r.Error.Code)
		}
	}
	if r.Run != "" {
		fmt.Fprintf(w, "\nrun %s: %s\n", r.Run, runDir(stateDir, r.Run))
		fmt.Fprintf(w, "report: %s\n", reportFile(stateDir, r.Run))
	}
}

// writeReasons writes why objects are in the state that they are in. They are too long for a column.
func writeReasons(w io.Writer, objects []runner.ObjectResult) {
	for _, object := range objects {
		if object.Error != "" {
			fmt.Fprintf(w, "  %s: %s\n", object.Name, oneLine(object.Error))
		}
	}
}

func warned(warnings []string) []string {
	lines := make([]string, len(warnings))
	for i, text := range warnings {
		lines[i] = "warning: " + text
	}
	return lines
}

// outcomeWords says in words how a run ended.
func outcomeWords(status string, exit int) string {
	switch status {
	case runner.StatusDone:
		return "done"
	case runner.StatusPartial:
		return "finished in part"
	case runner.StatusStopped:
		return "stopped, can be resumed"
	case runner.StatusInterrupted:
		return "interrupted, can be resumed"
	case runner.StatusRefused:
		return "refused, nothing was changed"
	case runner.StatusInvalid:
		return "not begun"
	case runner.StatusInternal:
		return "internal error"
	case runner.StatusRolledBack:
		return "rolled back"
	case "":
		return "running, or cut off"
	}
	return cmp.Or(status, "exit "+strconv.Itoa(exit))
}

// writeTable writes rows in columns; the first is the heading, and a column without any entry is left out.
func writeTable(w io.Writer, indent string, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows[1:] {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			if widths[i] == 0 {
				continue
			}
			width := max(widths[i], utf8.RuneCountInString(rows[0][i]))
			b.WriteString(cell + strings.Repeat(" ", width-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(w, indent+strings.TrimRight(b.String(), " "))
	}
}

// clockTime is the time of day in UTC, as in the journal and in the engines' logs of a site that keeps UTC.
func clockTime(at *time.Time) string {
	if at == nil {
		return ""
	}
	return at.UTC().Format("15:04:05")
}

// span renders a duration as people say it: 8s, 2m31s, 1h02m03s.
func span(d time.Duration) string { return report.Span(d) }

// offset renders model time since the start of an attempt: +03:12, +1:02:03.
func offset(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	hours, minutes, seconds := int(d/time.Hour), int(d%time.Hour/time.Minute), int(d%time.Minute/time.Second)
	if hours > 0 {
		return fmt.Sprintf("+%d:%02d:%02d", hours, minutes, seconds)
	}
	return fmt.Sprintf("+%02d:%02d", minutes, seconds)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }
