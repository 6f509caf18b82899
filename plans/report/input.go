// Package report tells a run to people: one page of HTML that needs nothing else, for the administrator who has to go on, for those who
// ask what was decided and how long it took, and for the engineer who looks for the cause. The journal is its source; what only the
// result of the last attempt knows (findings, counters, the error) is added where that result is of the attempt that the journal ends with.
//
// It reads no disk, asks no engine and no clock: Build is given everything.
package report

import (
	"encoding/json"
	"time"

	"drrun/engine"
)

// Input is all that a report is made from.
type Input struct {
	Run *engine.RunInfo // with its records; of a damaged journal those before the break, with Err
	// Document is the result of the last attempt that ended, as report.json has it; nil where there is none.
	Document json.RawMessage
	Texts    []Text // what the run went by
	Next     []Command
	Held     bool   // a process works on the run now
	Holder   string // what that says about itself
	Now      time.Time
	Redact   func(string) string // takes secrets out of every text; nil takes out nothing
}

// Command is something that can be done next.
type Command struct {
	Why  string // what it is for
	Line string // as it is typed; "" where nothing is to be typed
}

// Text is a file that the run went by.
type Text struct {
	Attempt int    // from which on
	Path    string // as the plan, a require or the command line named it
	SHA256  string // in hex, as recorded when the run began
	Size    int    // bytes
	Body    string // "" where it is not shown, as for data
	Problem string // why it cannot be shown, or is not what was recorded; "" when all is well
}

// document is what the report takes from the result of an attempt.
type document struct {
	Attempt  int                 `json:"attempt"`
	Status   string              `json:"status"`
	Requests map[string]Counters `json:"requests"`
	Findings []Finding           `json:"findings"`
	Warnings []string            `json:"warnings"`
	Verdicts []string            `json:"verdicts"`
	Error    *Failure            `json:"error"`
	DryRun   json.RawMessage     `json:"dry_run"` // nil where it was none
}

// Counters are the requests of the last attempt to one site.
type Counters struct {
	Writes int `json:"writes"`
	Reads  int `json:"reads"`
	Polls  int `json:"polls"`
}

// Finding is something that the check before the run found.
type Finding struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Message  string `json:"message"`
	Hint     string `json:"hint"`
	Site     string `json:"site"`
	Name     string `json:"name"`
	File     string `json:"file"`
	Line     int    `json:"line"`
}

// Failure is why an attempt ended otherwise than done.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Site    string `json:"site,omitempty"`
	Object  string `json:"object,omitempty"`
	Source  string `json:"source,omitempty"` // the line of the plan or library that it came from, with a caret below
	State   string `json:"state,omitempty"`  // what state things were in then
	Hint    string `json:"hint,omitempty"`   // what to do next
}

// latest returns the document where it is the result of the attempt that the journal ends with, else an empty one: an attempt that was
// killed leaves the report of the one before.
func (in *Input) latest() document {
	var d document
	if json.Unmarshal(in.Document, &d) != nil || d.Attempt != in.Run.Attempts {
		return document{}
	}
	return d
}
