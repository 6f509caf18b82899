package engine

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestJournalDoc: the page about the folder of a run names every kind and every key of a record.
func TestJournalDoc(t *testing.T) {
	text, err := os.ReadFile("../docs/830-run-folder.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	row := func(kind string) string {
		for line := range strings.Lines(page) {
			if strings.HasPrefix(line, "| `"+kind+"` |") {
				return line
			}
		}
		return ""
	}
	kinds := []string{kindHead, kindAttempt, kindSnapshot, kindFacts, kindIntent, kindOutcome, kindSettle, kindStep, kindResult, kindRename,
		kindMark, kindNote, kindConfirm, kindStop, kindEnd}
	for _, kind := range kinds {
		if row(kind) == "" {
			t.Errorf("no row for records of kind %s", kind)
		}
		if (&Record{Kind: kind}).complete() && kind != kindStop {
			t.Errorf("%s is no kind that needs anything", kind)
		}
	}
	record := reflect.TypeFor[Record]()
	for i := range record.NumField() {
		key, _, _ := strings.Cut(record.Field(i).Tag.Get("json"), ",")
		if !strings.Contains(page, "`"+key+"`") {
			t.Errorf("the key %s is not described", key)
		}
	}
	for _, name := range []string{Schema, VerifiedSealed, VerifiedOpen, "broken at record N"} {
		if !strings.Contains(page, "`"+name+"`") {
			t.Errorf("%s is not described", name)
		}
	}
}
