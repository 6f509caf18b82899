package main

import (
	"testing"

	"drrun/lua"
	"drrun/plans"
)

// TestExplainHintGoesByTheError: what keeps the plan from running is explained before what is only odd.
func TestExplainHintGoesByTheError(t *testing.T) {
	warning := plans.Finding{Diagnostic: lua.Diagnostic{Severity: plans.SeverityWarning, Code: "inventory-missing"}}
	err := plans.Finding{Diagnostic: lua.Diagnostic{Severity: plans.SeverityError, Code: "unknown-key"}}
	for _, test := range []struct {
		found []plans.Finding
		want  string
	}{
		{[]plans.Finding{warning, err}, "unknown-key"},
		{[]plans.Finding{err, warning}, "unknown-key"},
		{[]plans.Finding{warning}, "inventory-missing"},
	} {
		if got := explainHint(test.found); got != "more about a code in brackets: drrun explain "+test.want+"\n" {
			t.Errorf("%+v: %q", test.found, got)
		}
	}
}
