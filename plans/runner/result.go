package runner

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// ResultSchema names the layout of Result.
const ResultSchema = "drrun.result/1"

// Exit codes of drrun.
const (
	ExitDone        = 0   // everything that the plan asks for is done
	ExitInternal    = 1   // a fault of drrun itself
	ExitInvalid     = 2   // usage or plan error
	ExitRefused     = 3   // no object of the plan was changed
	ExitPartial     = 4   // finished, some storage domains or VMs failed or were left out
	ExitStopped     = 5   // stopped after a change; drrun resume goes on
	ExitInterrupted = 130 // Ctrl-C or a signal; drrun resume goes on
)

// The outcomes of an action, in words.
const (
	StatusDone        = "done"
	StatusPartial     = "partial"
	StatusStopped     = "stopped"
	StatusInterrupted = "interrupted"
	StatusRefused     = "refused"
	StatusInvalid     = "invalid"
	StatusInternal    = "internal"
)

// Result is the one document that every exit prints with --json, and the report.json of a run. Times are RFC 3339 in UTC.
type Result struct {
	Schema         string                     `json:"schema"`
	Exit           int                        `json:"exit"`
	Status         string                     `json:"status"`
	Run            string                     `json:"run,omitempty"`
	Attempt        int                        `json:"attempt,omitempty"` // of the run, from 1
	Plan           string                     `json:"plan,omitempty"`
	Action         string                     `json:"action"`
	Started        time.Time                  `json:"started,omitzero"`
	Duration       float64                    `json:"duration_seconds"`
	Requests       map[string]Counters        `json:"requests"`
	StorageDomains []ObjectResult             `json:"storage_domains"`
	VMs            []ObjectResult             `json:"vms"`
	Findings       []plans.Finding            `json:"findings"`
	Warnings       []string                   `json:"warnings,omitempty"`
	Evidence       *stdlib.Verdict            `json:"evidence,omitempty"`
	Verdicts       []string                   `json:"verdicts,omitempty"` // "NOT ISOLATED …", "reverse replication: …"
	DryRun         *DryRunResult              `json:"dry_run,omitempty"`
	Pair           *PairResult                `json:"pair,omitempty"`     // of drrun status
	Snapshot       *SnapshotResult            `json:"snapshot,omitempty"` // of drrun snapshot
	Facts          *FactsResult               `json:"facts,omitempty"`    // of drrun facts
	Error          *ErrorResult               `json:"error,omitempty"`
	Extra          map[string]json.RawMessage `json:"extra,omitempty"`
}

// Counters are the requests sent to one site, in the three classes of the speed budget.
type Counters struct {
	Writes int `json:"writes"`
	Reads  int `json:"reads"`
	Polls  int `json:"polls"`
}

func countersOf(c ovirt.Counters) Counters {
	return Counters{Writes: c.Writes, Reads: c.Reads, Polls: c.Polls}
}

// DryRunResult is what a run would change.
type DryRunResult struct {
	Calls   []stdlib.PlannedCall `json:"calls"`
	Assumed []string             `json:"assumed,omitempty"` // hooks, steps and prompts that were not run
}

// ObjectResult is the fate of one storage domain or VM.
type ObjectResult struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Rank      *int       `json:"rank,omitempty"`
	Status    string     `json:"status"` // one of stdlib.States
	StartedAt *time.Time `json:"started_at,omitempty"`
	UpAt      *time.Time `json:"up_at,omitempty"`
	Error     string     `json:"error,omitempty"`
}

// ErrorResult is why an action ended otherwise than done.
type ErrorResult struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Site    string `json:"site,omitempty"`
	Object  string `json:"object,omitempty"`
	Source  string `json:"source,omitempty"` // the line of the plan or library that it came from, with a caret below
	State   string `json:"state,omitempty"`  // what state things are in now
	Hint    string `json:"hint,omitempty"`   // what to do next
}

// boardOf turns the run's board into the fate of every storage domain and VM of the facts. What the run did not reach is pending.
func boardOf(board []engine.Status, facts *stdlib.Facts) (domains, vms []ObjectResult) {
	states, unreached := facts.TargetStates(board), facts.Unreached()
	for _, domain := range facts.Domains {
		status := states["storage_domain/"+domain.ID]
		domains = append(domains, ObjectResult{
			ID: domain.ID, Name: domain.Name, Status: cmp.Or(status.State, unreached), Error: status.Error,
		})
	}
	for _, vm := range facts.VMs {
		status := states["vm/"+vm.ID]
		vms = append(vms, ObjectResult{
			ID: vm.ID, Name: vm.Name, Rank: &vm.Rank, Status: cmp.Or(status.State, unreached),
			StartedAt: status.StartedAt, UpAt: status.UpAt, Error: cmp.Or(status.Error, status.Detail),
		})
	}
	return domains, vms
}

// complete reports whether every storage domain and VM ended as the action wants it.
func complete(facts *stdlib.Facts, domains, vms []ObjectResult) bool {
	return !slices.ContainsFunc(domains, func(domain ObjectResult) bool { return !domainIsGood(facts, domain.Status) }) &&
		!slices.ContainsFunc(vms, func(vm ObjectResult) bool { return !vmIsGood(facts, vm.Status) })
}

func domainIsGood(facts *stdlib.Facts, status string) bool {
	switch {
	case facts.Own:
		return status == stdlib.StateActive || status == stdlib.StateUntouched
	case facts.Action == plans.ActionClean:
		return status == stdlib.StateLeft
	}
	return status == stdlib.StateActive
}

// vmIsGood: what an action of the plan's own leaves down, or does not touch, is as it wants it.
func vmIsGood(facts *stdlib.Facts, status string) bool {
	switch {
	case facts.Own && (status == stdlib.StateStopped || status == stdlib.StateUntouched):
		return true
	case facts.Action == plans.ActionClean:
		return status == stdlib.StateLeft
	}
	return status == stdlib.StateUp || status == stdlib.StateNotStarted
}
