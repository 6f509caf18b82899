package runner

import (
	"cmp"
	"encoding/json"
	"errors"

	"drrun/engine"
	"drrun/plans/report"
	"drrun/stdlib"
)

// Outlook is what can be done next about a run.
type Outlook struct {
	Run, PlanFile string
	Status        string // how the last attempt ended; "" where it has no end
	Unfinished    bool
	Held          bool // a process works on it
	Damaged       bool // its journal cannot be read to the end
	planned       bool
	promoted      bool // it can only go forward
	undone        bool // it is being undone
	target        string
}

// OutlookOf tells it of a run on the disk.
func OutlookOf(info *engine.RunInfo, held bool) Outlook {
	var broken *engine.JournalError
	o := Outlook{Run: info.ID, PlanFile: info.Head.PlanFile, Status: info.Status, Unfinished: info.Unfinished(), Held: held, Damaged: errors.As(info.Err, &broken)}
	for i := range info.Records {
		o.Learn(&info.Records[i])
	}
	return o
}

// Learn takes the next record of the journal in, for whoever follows it. How attempts end is the caller's to tell.
func (o *Outlook) Learn(rec *engine.Record) {
	one := engine.RunInfo{Head: engine.Head{Target: o.target}, Records: []engine.Record{*rec}}
	if rec.Head != nil {
		o.target = rec.Head.Target
	}
	if rec.Kind == "facts" {
		var facts stdlib.Facts
		o.planned = json.Unmarshal(rec.Data, &facts) == nil && facts.Planned
	}
	o.undone = o.undone || Undone(&one)
	o.promoted = o.promoted || passedPromotion(&one)
}

// Commands are the commands that lead on, the best first; stateArgument is what they have behind them, see Options.StateArgument.
func (o Outlook) Commands(stateArgument string) []report.Command {
	command := func(verb string) string { return "drrun " + verb + " " + o.Run + stateArgument }
	status := "drrun status " + cmp.Or(o.PlanFile, "PLAN.lua") + stateArgument // a damaged journal may not tell the plan's file
	switch {
	case o.Held:
		return []report.Command{{Why: "nothing, it runs"}}
	case o.Damaged:
		return []report.Command{{Why: "it cannot be resumed with a damaged journal; see what the engines say", Line: status}}
	case o.undone && o.Unfinished:
		return []report.Command{{Why: "it is being undone, go on with that", Line: command("rollback")}}
	case o.Unfinished && o.planned && !o.promoted:
		return []report.Command{{Why: "go on", Line: command("resume")}, {Why: "or undo it, as long as its storage is not promoted", Line: command("rollback")},
			{Why: "or close it as it is", Line: command("abort")}}
	case o.Unfinished:
		return []report.Command{{Why: "go on", Line: command("resume")}, {Why: "or close it as it is", Line: command("abort")}}
	case o.Status == StatusPartial:
		return []report.Command{{Why: "correct what is wrong with what is not up, then", Line: command("resume")}}
	}
	return []report.Command{{Why: "it has ended; where everything is now", Line: status}}
}
