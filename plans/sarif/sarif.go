// Package sarif writes findings in the Static Analysis Results Interchange Format 2.1.0 (OASIS), which code reviews and editors show at the
// lines of a plan.
package sarif

import (
	"cmp"
	"encoding/json"
	"net/url"
	"path/filepath"
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/codes"
)

// schema is where the format is defined.
const schema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// language is that of all messages.
const language = "en-US"

type log struct {
	Schema  string `json:"$schema"`
	Version string `json:"version"`
	Runs    []run  `json:"runs"`
}

type run struct {
	Tool             tool     `json:"tool"`
	Language         string   `json:"language"`
	ColumnKind       string   `json:"columnKind"`
	NewlineSequences []string `json:"newlineSequences"`
	Results          []result `json:"results"`
}

type tool struct {
	Driver driver `json:"driver"`
}

type driver struct {
	Name     string `json:"name"`
	Version  string `json:"version,omitempty"`
	Language string `json:"language"`
	Rules    []rule `json:"rules"`
}

type rule struct {
	ID               string `json:"id"`
	ShortDescription *text  `json:"shortDescription,omitempty"`
	FullDescription  *text  `json:"fullDescription,omitempty"`
	Help             *text  `json:"help,omitempty"`
}

type text struct {
	Text string `json:"text"`
}

type result struct {
	RuleID     string            `json:"ruleId"`
	RuleIndex  int               `json:"ruleIndex"`
	Level      string            `json:"level"`
	Message    text              `json:"message"`
	Locations  []location        `json:"locations,omitempty"`
	Properties map[string]string `json:"properties"`
}

type location struct {
	Physical physical `json:"physicalLocation"`
}

type physical struct {
	Artifact artifact `json:"artifactLocation"`
	Region   *region  `json:"region,omitempty"`
}

type artifact struct {
	URI string `json:"uri"`
}

type region struct {
	StartLine   int   `json:"startLine"`
	StartColumn int   `json:"startColumn,omitempty"`
	EndColumn   int   `json:"endColumn,omitempty"`
	Snippet     *text `json:"snippet,omitempty"`
}

// Document renders findings, in their order, as one run of drrun in that version. Passwords are in no finding, so in no document either.
func Document(findings []plans.Finding, version string) []byte {
	one := run{Tool: tool{Driver: driver{Name: "drrun", Version: version, Language: language, Rules: []rule{}}}, Language: language, ColumnKind: "unicodeCodePoints",
		NewlineSequences: []string{"\r\n", "\n"}, Results: []result{}}
	index := map[string]int{}
	for i := range findings {
		finding := &findings[i]
		id := cmp.Or(finding.Code, "error")
		at, known := index[id]
		if !known {
			at = len(one.Tool.Driver.Rules)
			index[id] = at
			one.Tool.Driver.Rules = append(one.Tool.Driver.Rules, ruleOf(id))
		}
		one.Results = append(one.Results, resultOf(finding, id, at))
	}
	document, err := json.MarshalIndent(log{Schema: schema, Version: "2.1.0", Runs: []run{one}}, "", "  ")
	if err != nil {
		panic("encode SARIF: " + err.Error()) // texts and numbers always encode
	}
	return append(document, '\n')
}

func ruleOf(id string) rule {
	made := rule{ID: id}
	code, known := codes.Find(id)
	if !known {
		return made
	}
	made.ShortDescription, made.FullDescription = &text{code.Title + "."}, &text{strings.ReplaceAll(code.Meaning, "\n", " ")}
	if code.Remedy != "" {
		made.Help = &text{code.Remedy}
	}
	return made
}

func resultOf(f *plans.Finding, id string, index int) result {
	message := f.Message
	if f.Subject != "" {
		message = f.Subject + ": " + message
	}
	if f.Hint != "" {
		message += "\nhint: " + f.Hint
	}
	for _, note := range f.Notes {
		message += "\n" + note
	}
	made := result{RuleID: id, RuleIndex: index, Level: level(f.Severity), Message: text{message}, Properties: map[string]string{}}
	for name, value := range map[string]string{"scope": string(f.Scope), "site": f.Site, "kind": f.Kind, "id": f.ID, "name": f.Name, "hint": f.Hint} {
		if value != "" {
			made.Properties[name] = value
		}
	}
	if f.Pos.File != "" {
		made.Locations = []location{{physical{artifact{uri(f.Pos.File)}, regionOf(f.Pos, f.Source)}}}
	}
	return made
}

// level is the word of SARIF for a severity.
func level(severity string) string {
	switch severity {
	case plans.SeverityWarning:
		return "warning"
	case plans.SeverityInfo:
		return "note"
	}
	return "error"
}

// uri is a file as SARIF names it: relative to the folder where drrun was started, or as a file URL.
func uri(file string) string {
	path := filepath.ToSlash(file)
	if strings.HasPrefix(path, "/") {
		return (&url.URL{Scheme: "file", Path: path}).String()
	}
	return (&url.URL{Path: path}).String()
}

func regionOf(pos lua.Pos, source string) *region {
	if pos.Line <= 0 {
		return nil
	}
	made := &region{StartLine: pos.Line}
	if source != "" {
		made.Snippet = &text{source}
	}
	if pos.Col > 0 {
		made.StartColumn = pos.Col
		if pos.EndCol > pos.Col {
			made.EndColumn = pos.EndCol
		}
	}
	return made
}
