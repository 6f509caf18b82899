package plans

import (
	"cmp"
	"encoding/json"
	"io"
	"slices"
	"strings"

	"drrun/lua"
)

// Severities of a finding.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
	SeverityInfo    = "info"
)

// Scope says how much of a run a finding stops.
type Scope string

// The scopes, from the largest.
const (
	ScopeRun           Scope = "run"
	ScopeStorageDomain Scope = "storage_domain"
	ScopeVM            Scope = "vm"
)

// Finding is one thing that a look at a plan or at its sites turned up. Pos is the place in the plan; it is zero when no line of the plan
// is concerned.
type Finding struct {
	lua.Diagnostic
	Scope Scope
	Site  string // primary or secondary, "" when none
	Kind  string // kind of the object: vm, storage_domain, cluster, …
	ID    string
	Name  string
}

// MarshalJSON renders the finding as the `findings` of drrun's JSON document.
func (f Finding) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Severity string `json:"severity"`
		Code     string `json:"code"`
		Message  string `json:"message"`
		Hint     string `json:"hint,omitempty"`
		Scope    Scope  `json:"scope"`
		Site     string `json:"site,omitempty"`
		Kind     string `json:"kind,omitempty"`
		ID       string `json:"id,omitempty"`
		Name     string `json:"name,omitempty"`
		File     string `json:"file,omitempty"`
		Line     int    `json:"line,omitempty"`
		Column   int    `json:"column,omitempty"`
		EndCol   int    `json:"end_column,omitempty"` // behind the last character
	}{cmp.Or(f.Severity, SeverityError), f.Code, f.Message, f.Hint, f.Scope, f.Site, f.Kind, f.ID, f.Name, f.Pos.File, f.Pos.Line, f.Pos.Col, f.Pos.EndCol})
}

// FromDiagnostics turns the diagnostics of Load into findings. A plan that does not load stops the whole run.
func FromDiagnostics(diagnostics lua.Diagnostics) []Finding {
	findings := make([]Finding, len(diagnostics))
	for i, d := range diagnostics {
		findings[i] = Finding{Diagnostic: *d, Scope: ScopeRun}
	}
	return findings
}

// SortFindings orders findings by place, then by weight, then by text.
func SortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(comparePos(a.Pos, b.Pos), cmp.Compare(weight(a.Severity), weight(b.Severity)), strings.Compare(a.Code, b.Code),
			strings.Compare(a.Site, b.Site), naturalCompare(a.Name, b.Name), strings.Compare(a.Message, b.Message))
	})
}

func weight(severity string) int {
	return slices.Index([]string{"", SeverityError, SeverityWarning, SeverityInfo}, severity)
}

func comparePos(a, b lua.Pos) int {
	return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// HasErrors reports whether one of the findings is an error, of the whole run or of a part of it.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == SeverityError || f.Severity == "" })
}

// RenderFindings writes findings for people, one after the other, in the form of every diagnostic of drrun.
func RenderFindings(w io.Writer, findings []Finding) {
	for i := range findings {
		lua.Render(w, &findings[i].Diagnostic)
	}
}

// FindingsError is an error that consists of findings.
type FindingsError []Finding

// Error renders every finding.
func (e FindingsError) Error() string {
	var b strings.Builder
	RenderFindings(&b, e)
	return strings.TrimSuffix(b.String(), "\n")
}
