package engine

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestEveryTextOfARecordIsRedacted plants a secret in each string of a record. Those that
// keep it must be on the list of what identifies something.
func TestEveryTextOfARecordIsRedacted(t *testing.T) {
	identifies := []string{
		"Prev", "Kind", "Schema", "Run", "ID", "Version", "Host", "User", "Note", "Status", "Files[]",
		"Subject.Kind", "Subject.Site", "Subject.ID", "Subject.Name",
		"Head.Plan", "Head.PlanFile", "Head.Action", "Head.Source", "Head.Target", "Head.Domains[]", "Head.Version", "Head.Host", "Head.User", "Head.Files[]",
		"Intent.ID", "Intent.Op", "Intent.Undoes", "Intent.Method", "Intent.Digest", "Intent.Task", "Intent.Site",
		"Intent.Subject.Kind", "Intent.Subject.Site", "Intent.Subject.ID", "Intent.Subject.Name",
		"Step.Key", "Step.Was", "Step.Digest", "Step.OnCut", "Step.Task", "Step.Again",
		"Step.Subject.Kind", "Step.Subject.Site", "Step.Subject.ID", "Step.Subject.Name",
		"Result.Key", "Result.Digest", "Result.How",
		"Mirror",
		"Locks[].Site", "Locks[].Domain", "Locks[].Token",
		"Head.Options",
		"Mark.State", "Mark.Subject.Kind", "Mark.Subject.Site", "Mark.Subject.ID", "Mark.Subject.Name",
	}
	const secret = "hush"
	var rec Record
	fill(reflect.ValueOf(&rec).Elem(), secret)
	redactRecord(&rec, func(s string) string { return strings.ReplaceAll(s, secret, "***") })
	var kept []string
	find(reflect.ValueOf(rec), "", secret, &kept)
	for _, field := range kept {
		if !slices.Contains(identifies, field) {
			t.Errorf("%s keeps a secret: redact it in redactRecord, or list it here when it identifies something", field)
		}
	}
	for _, field := range identifies {
		if !slices.Contains(kept, field) {
			t.Errorf("%s does not keep its text, or does not exist", field)
		}
	}
}

func fill(v reflect.Value, text string) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		v.SetBytes([]byte(`{"` + text + `":["` + text + `"]}`))
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.String:
		v.SetString(text)
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), text)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), text)
		}
	case v.Kind() == reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), text)
	case v.Kind() == reflect.Map:
		v.Set(reflect.ValueOf(map[string]string{"x": text}))
	}
}

func find(v reflect.Value, path, text string, out *[]string) {
	switch {
	case v.Type() == reflect.TypeFor[json.RawMessage]():
		if strings.Contains(string(v.Bytes()), text) {
			*out = append(*out, path)
		}
	case v.Type() == reflect.TypeFor[time.Time]():
	case v.Kind() == reflect.String:
		if strings.Contains(v.String(), text) {
			*out = append(*out, path)
		}
	case v.Kind() == reflect.Pointer:
		find(v.Elem(), path, text, out)
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			if path != "" {
				name = path + "." + name
			}
			find(v.Field(i), name, text, out)
		}
	case v.Kind() == reflect.Slice:
		find(v.Index(0), path+"[]", text, out)
	case v.Kind() == reflect.Map:
		find(v.MapIndex(reflect.ValueOf("x")), path+"[]", text, out)
	}
}

func TestRedactJSON(t *testing.T) {
	tests := []struct {
		name, in, want string
		keys           bool
	}{
		{"nothing to do", `{"a":"b"}`, `{"a":"b"}`, true},
		{"value", `{"a":"x-hush-y"}`, `{"a":"x-***-y"}`, false},
		{"key", `{"hush" : 1}`, `{"***" : 1}`, true},
		{"key that stays", `{"hush" : "hush"}`, `{"hush" : "***"}`, false},
		{"escaped", `["\u0068ush \"hush\"\\"]`, `["*** \"***\"\\"]`, false},
		{"broken text", `"hush`, `"hush`, false},
		{"empty", ``, ``, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := redactJSON([]byte(tt.in), tt.keys, func(s string) string { return strings.ReplaceAll(s, "hush", "***") })
			if string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}
