package runner

import (
	"cmp"
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"drrun/engine"
	"drrun/plans/report"
	"drrun/stdlib"
)

// confirmationNote is the kind of the journal's note of a person's word that the source is down.
const confirmationNote = "confirmation"

// Outlook is what can be done next about a run.
type Outlook struct {
	Run, PlanFile string
	Status        string // how the last attempt ended; "" where it has no end
	Unfinished    bool
	Held          bool // a process works on it
	Damaged       bool // its journal cannot be read to the end
	planned       bool
	promoted      bool   // it can only go forward
	undone        bool   // it is being undone
	typed         bool   // what it does is typed at a console: nothing goes on with it
	onWord        bool   // a person confirmed that the source is down: the next attempt needs that anew
	hint          string // what the last attempt said is to be done, "" where it said nothing
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
	if rec.Head != nil {
		o.target, o.typed = rec.Head.Target, rec.Head.Action == ActionConsole
	}
	if rec.Kind == "attempt" {
		o.hint = ""
	}
	if ending, ok := report.EndingOf(rec); ok && ending.Failure != nil {
		o.hint = ending.Failure.Hint
	}
	o.onWord = o.onWord || rec.Note == confirmationNote
	if rec.Kind == "facts" {
		var facts stdlib.Facts
		o.planned = json.Unmarshal(rec.Data, &facts) == nil && facts.Planned
	}
	o.undone = o.undone || rec.Note == rollbackNote
	o.promoted = o.promoted || passesPromotion(rec, o.target)
}

// Commands are the commands that lead on, the best first; stateArgument is what they have behind them, see Options.StateArgument.
func (o Outlook) Commands(stateArgument string) []report.Command {
	command := func(verb string) string { return o.command(verb, stateArgument) }
	resume := o.GoOn(stateArgument)
	status := "drrun status " + cmp.Or(o.PlanFile, "PLAN.lua") + stateArgument // a damaged journal may not tell the plan's file
	switch {
	case o.Held:
		return []report.Command{{Why: "nothing, it runs"}}
	case o.Damaged:
		return []report.Command{{Why: "it cannot be resumed with a damaged journal; see what the engines say", Line: status}}
	case o.typed && o.Unfinished:
		return []report.Command{{Why: "it was a console, and nothing goes on with what was typed; close it as it is", Line: command("abort")}, {Why: "where everything is now", Line: status}}
	case o.undone && o.Unfinished:
		return o.after(stateArgument, report.Command{Why: "it is being undone, go on with that", Line: command("rollback")})
	case o.Unfinished && o.planned && !o.promoted:
		return o.after(stateArgument, report.Command{Why: "go on", Line: resume},
			report.Command{Why: "or undo it, as long as its storage is not promoted", Line: command("rollback")}, report.Command{Why: "or close it as it is", Line: command("abort")})
	case o.Unfinished:
		return o.after(stateArgument, report.Command{Why: "go on", Line: resume}, report.Command{Why: "or close it as it is", Line: command("abort")})
	case o.Status == StatusPartial:
		return o.after(stateArgument, report.Command{Why: "correct what is wrong with what is not up, then", Line: resume})
	}
	return []report.Command{{Why: "it has ended; where everything is now", Line: status}}
}

func (o Outlook) command(verb, stateArgument string) string {
	return "drrun " + verb + " " + o.Run + stateArgument
}

// GoOn is the command that goes on with a run that can be: a rollback of one that is being undone, else a resume.
func (o Outlook) GoOn(stateArgument string) string {
	switch {
	case o.undone:
		return o.command("rollback", stateArgument)
	case o.onWord:
		return o.command("resume", stateArgument) + confirmAnew
	}
	return o.command("resume", stateArgument)
}

// confirmAnew is what a resume needs where the run went by a person's word: a word counts for one attempt.
const (
	confirmFlag = "--confirm-source-down"
	confirmAnew = " " + confirmFlag + " 'YOUR NAME: HOW YOU KNOW'"
)

// after puts what the last attempt said is to be done before the commands, and leaves out those that it names.
func (o Outlook) after(stateArgument string, commands ...report.Command) []report.Command {
	if o.hint == "" || o.Status == "" {
		return commands
	}
	list := []report.Command{{Why: Located(o.hint, stateArgument)}}
	for _, command := range commands {
		verb, _, _ := strings.Cut(strings.TrimPrefix(command.Line, "drrun "), " ")
		if !strings.Contains(o.hint, "drrun "+verb+" "+o.Run) {
			list = append(list, command)
		}
	}
	return list
}

// aboutRuns are the commands in a text that look for a run in the state folder.
var aboutRuns = regexp.MustCompile(`drrun (?:resume|history|rollback|abort|answer|show)\b(?: [0-9][0-9A-Za-z-]*)?`)

// Located puts stateArgument, which is as Options.StateArgument, behind the commands about runs that a text names.
func Located(text, stateArgument string) string {
	return aboutRuns.ReplaceAllString(text, "$0"+strings.ReplaceAll(stateArgument, "$", "$$"))
}
