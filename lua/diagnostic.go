package lua

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// Pos is a place in a source file. The zero Pos is no place.
type Pos struct {
	File   string `json:"file"`
	Line   int    `json:"line"`       // from 1
	Col    int    `json:"column"`     // from 1, in characters
	EndCol int    `json:"end_column"` // behind the last character; what goes on in further lines ends with its first one
}

// String renders the place as file:line:col.
func (p Pos) String() string {
	switch {
	case p.Line == 0:
		return p.File
	case p.Col == 0:
		return fmt.Sprintf("%s:%d", p.File, p.Line)
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Col)
}

// IsZero reports whether the place is unknown.
func (p Pos) IsZero() bool { return p.File == "" && p.Line == 0 }

func (p Pos) compare(q Pos) int {
	return cmp.Or(strings.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}

// Diagnostic is one thing that is wrong, with its place. It is an error.
type Diagnostic struct {
	Pos       Pos         `json:"pos"`
	Severity  string      `json:"severity"` // error, warning or info; "" is error
	Subject   string      `json:"subject,omitempty"`
	Message   string      `json:"message"`
	Code      string      `json:"code"` // kebab-case, stable
	Hint      string      `json:"hint,omitempty"`
	Source    string      `json:"source,omitempty"`    // the source line of Pos
	Notes     []string    `json:"notes,omitempty"`     // sentences below the hint
	Traceback string      `json:"traceback,omitempty"` // one call a line, innermost first; only of the user's own files
	Retryable bool        `json:"retryable,omitempty"`
	Failures  Diagnostics `json:"failures,omitempty"` // of the items of ctx:parallel
	Err       error       `json:"-"`                  // the Go error behind it
}

// Error renders the diagnostic in one line.
func (d *Diagnostic) Error() string {
	text := d.Message
	if d.Subject != "" {
		text = d.Subject + ": " + text
	}
	if !d.Pos.IsZero() {
		text = d.Pos.String() + ": " + text
	}
	return text
}

// Unwrap returns the Go error behind the diagnostic.
func (d *Diagnostic) Unwrap() error { return d.Err }

// Diagnostics are several findings, as one error.
type Diagnostics []*Diagnostic

// Error renders each finding in a line.
func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the findings one by one.
func (ds Diagnostics) Unwrap() []error {
	errs := make([]error, len(ds))
	for i, d := range ds {
		errs[i] = d
	}
	return errs
}

// Sort orders the findings by place.
func (ds Diagnostics) Sort() {
	slices.SortStableFunc(ds, func(a, b *Diagnostic) int { return a.Pos.compare(b.Pos) })
}

// AsDiagnostics returns the findings that an error of this package consists of. Another error becomes one finding
// without a place; nil gives none.
func AsDiagnostics(err error) Diagnostics {
	if err == nil {
		return nil
	}
	if many, ok := err.(Diagnostics); ok {
		return many
	}
	return Diagnostics{diagnosticOf(err)}
}

// AsGo returns the Go error that a primitive raised, however often Lua code caught it and raised it again; err itself
// when it was raised by Lua code.
func AsGo(err error) error {
	var d *Diagnostic
	if errors.As(err, &d) && d.Err != nil {
		return d.Err
	}
	return err
}

// diagnosticOf turns any error into a diagnostic, which it wraps unless it is one. The place, code and hint of a
// diagnostic inside the error are kept, and so is the text around it.
func diagnosticOf(err error) *Diagnostic {
	if d, ok := err.(*Diagnostic); ok {
		return d
	}
	if many, ok := err.(Diagnostics); ok && len(many) == 1 {
		return many[0]
	}
	d := &Diagnostic{Severity: "error", Code: "failed", Message: err.Error(), Err: err}
	var inner *Diagnostic
	if errors.As(err, &inner) {
		d.Pos, d.Source, d.Code, d.Hint, d.Retryable = inner.Pos, inner.Source, inner.Code, inner.Hint, inner.Retryable
		d.Notes, d.Traceback, d.Failures = inner.Notes, inner.Traceback, inner.Failures
		// The place stands in front of the whole; inside the text it would be read twice.
		d.Message = strings.Replace(d.Message, inner.Error(), strings.TrimPrefix(inner.Error(), inner.Pos.String()+": "), 1)
	}
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		d.Code = coded.Code()
	}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		d.Hint = hinted.Hint()
	}
	var retryable interface{ Retryable() bool }
	if errors.As(err, &retryable) {
		d.Retryable = retryable.Retryable()
	}
	return d
}

// Render writes diagnostics for people: the line, the source with a caret span, the hint, notes, and a traceback.
func Render(w io.Writer, ds ...*Diagnostic) {
	var b strings.Builder
	for _, d := range ds {
		render(&b, d)
	}
	_, _ = io.WriteString(w, b.String())
}

func render(b *strings.Builder, d *Diagnostic) {
	if !d.Pos.IsZero() {
		b.WriteString(d.Pos.String() + ": ")
	}
	b.WriteString(cmp.Or(d.Severity, "error") + ": ")
	if d.Subject != "" {
		b.WriteString(d.Subject + ": ")
	}
	b.WriteString(d.Message)
	if d.Code != "" {
		b.WriteString(" [" + d.Code + "]")
	}
	b.WriteByte('\n')
	if d.Source != "" && d.Pos.Line > 0 {
		fmt.Fprintf(b, "%5d | %s\n", d.Pos.Line, d.Source)
		if d.Pos.Col > 0 {
			b.WriteString("      | " + caret(d.Source, d.Pos.Col, d.Pos.EndCol) + "\n")
		}
	}
	if d.Hint != "" {
		b.WriteString("  hint: " + d.Hint + "\n")
	}
	for _, note := range d.Notes {
		b.WriteString("  " + note + "\n")
	}
	for _, failure := range d.Failures {
		b.WriteString("  - " + failure.Error() + "\n")
	}
	if d.Traceback != "" {
		b.WriteString("  called from:\n    " + strings.ReplaceAll(d.Traceback, "\n", "\n    ") + "\n")
	}
}

// caret underlines the characters from col to endCol of a line. Tabs stay tabs, so that the span stands below its text.
func caret(source string, col, endCol int) string {
	var b strings.Builder
	at := 1
	for _, r := range source {
		if at == col {
			break
		}
		at++
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	width := max(1, min(endCol, utf8.RuneCountInString(source)+1)-col)
	return b.String() + strings.Repeat("^", width)
}

// Nearest returns the known name that is most like the given one, "" when none is alike.
func Nearest(name string, known []string) string {
	best, bestDistance := "", len(name)/3+2
	for _, candidate := range known {
		if candidate == name {
			continue
		}
		distance := editDistance(strings.ToLower(name), strings.ToLower(candidate), bestDistance+1)
		if distance < bestDistance || distance == bestDistance && best != "" && candidate < best {
			best, bestDistance = candidate, distance
		}
	}
	return best
}

// DidYouMean makes a hint of the known name that is most like the given one; "" when none is alike.
func DidYouMean(name string, known []string) string {
	if nearest := Nearest(name, known); nearest != "" {
		return fmt.Sprintf("did you mean %q?", nearest)
	}
	return ""
}

// editDistance counts the changed, added, dropped and swapped characters between two names; from limit on it says limit.
func editDistance(a, b string, limit int) int {
	if max(len(a)-len(b), len(b)-len(a)) >= limit {
		return limit
	}
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return min(rows[len(a)][len(b)], limit)
}
