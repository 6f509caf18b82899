package sarif_test

import (
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	official "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/sarif"
)

var update = flag.Bool("update", false, "rewrite the golden file")

func findings() []plans.Finding {
	at := func(file string, line, col, end int) lua.Pos {
		return lua.Pos{File: file, Line: line, Col: col, EndCol: end}
	}
	return []plans.Finding{
		{Diagnostic: lua.Diagnostic{Pos: at("plans/my plan.lua", 7, 3, 6), Severity: plans.SeverityError, Subject: "dr.plan", Code: "unknown-key", Message: `vms[2] has no key "rnk"`,
			Hint: `did you mean "rank"?`, Source: "  rnk = 1,"}, Scope: plans.ScopeRun},
		{Diagnostic: lua.Diagnostic{Pos: at("/srv/dr/lib/a.lua", 1, 4, 0), Code: "syntax", Message: "the file ends too early", Notes: []string{"required as \"a\" at plan.lua:2:1"}}, Scope: plans.ScopeRun},
		{Diagnostic: lua.Diagnostic{Pos: at("plans/my plan.lua", 9, 1, 4), Severity: plans.SeverityWarning, Code: "vm-pinned", Message: "VM \"db1\" is pinned"}, Scope: plans.ScopeVM, Site: "primary", Kind: "vm", ID: "7", Name: "db1"},
		{Diagnostic: lua.Diagnostic{Severity: plans.SeverityInfo, Code: "site-unreachable", Message: "no answer"}, Scope: plans.ScopeRun, Site: "secondary"},
		{Diagnostic: lua.Diagnostic{Pos: lua.Pos{File: "gone.lua"}, Code: "of-a-library", Message: "a code that no register has"}, Scope: plans.ScopeRun},
		{Diagnostic: lua.Diagnostic{Pos: at("plans/my plan.lua", 12, 3, 6), Code: "unknown-key", Message: "again"}, Scope: plans.ScopeRun},
	}
}

// TestDocument holds a document against the schema of OASIS, and against the one that a reviewer has seen.
func TestDocument(t *testing.T) {
	t.Parallel()
	for name, found := range map[string][]plans.Finding{"findings": findings(), "none": nil} {
		document := sarif.Document(found, "1.2.3")
		report, err := official.FromBytes(document)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, document)
		}
		if err := report.Validate(); err != nil {
			t.Errorf("%s: the schema refuses it: %v\n%s", name, err, document)
		}
		// What the library does not know it drops: all that was written is known to it.
		again, err := json.Marshal(report)
		if err != nil {
			t.Fatal(err)
		}
		var ours, theirs map[string]any
		if json.Unmarshal(document, &ours) != nil || json.Unmarshal(again, &theirs) != nil {
			t.Fatal("no JSON")
		}
		missing(t, name, ours, theirs)
	}
}

// missing reports what one document has and the other has not.
func missing(t *testing.T, path string, ours, theirs any) {
	t.Helper()
	switch one := ours.(type) {
	case map[string]any:
		other, _ := theirs.(map[string]any)
		for key, value := range one {
			missing(t, path+"."+key, value, other[key])
		}
	case []any:
		other, _ := theirs.([]any)
		if len(other) != len(one) && len(one) > 0 {
			t.Errorf("%s: %d entries, not %d", path, len(other), len(one))
			return
		}
		for i := range one {
			missing(t, path, one[i], other[i])
		}
	default:
		if !reflect.DeepEqual(ours, theirs) {
			t.Errorf("%s: %v became %v", path, ours, theirs)
		}
	}
}

// TestSchemaRefuses proves that the validation of TestDocument can fail.
func TestSchemaRefuses(t *testing.T) {
	t.Parallel()
	report, err := official.FromString(`{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"drrun"}},"results":[{"message":{"text":"x"},"level":"fatal"}]}]}`)
	if err == nil {
		err = report.Validate()
	}
	if err == nil {
		t.Error("a level that SARIF has not is accepted")
	}
}

func TestGolden(t *testing.T) {
	t.Parallel()
	const file = "testdata/findings.sarif"
	got := sarif.Document(findings(), "1.2.3")
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(file); err != nil || string(want) != string(got) {
		t.Errorf("differs from %s (%v):\n%s", file, err, got)
	}
}
