package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans/runner"
	"drrun/stdlib"
)

type historyOptions struct {
	State string
	JSON  bool
}

const historyHelp = `Lists the runs of this machine, the newest first: what was run, when, how it ended, and how many VMs came up. Below stand
the runs that are not finished, each with the command that goes on with it.

EXAMPLES
drrun history
drrun history --json | jq '.extra.runs[] | select(.unfinished)'
`

func newHistoryCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "history", Usage: "list the runs, and how to go on with the unfinished ones", UsageText: "drrun history [flags]", Description: historyHelp,
		Flags: []cli.Flag{stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "history"}); err != nil {
				return err
			}
			inv.result = runHistory(historyOptions{State: c.String("state"), JSON: inv.json}, inv)
			return nil
		},
	}
}

// historyEntry is one run in the document.
type historyEntry struct {
	Run        string    `json:"run"`
	Plan       string    `json:"plan"`
	PlanFile   string    `json:"plan_file"`
	Action     string    `json:"action"`
	Started    time.Time `json:"started"`
	Ended      time.Time `json:"ended,omitzero"`
	Attempts   int       `json:"attempts"`
	Status     string    `json:"status,omitempty"` // empty: running, or cut off
	Exit       *int      `json:"exit,omitempty"`
	VMs        int       `json:"vms"`
	Up         int       `json:"up"`
	Unfinished bool      `json:"unfinished"`
	Resume     string    `json:"resume,omitempty"` // the command that goes on with it
	Error      string    `json:"error,omitempty"`  // why the journal could not be read
}

func runHistory(o historyOptions, inv *invocation) *runner.Result {
	state, problem := inv.env.stateDir(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "history"}).result()
	}
	model := inv.env.wall()
	runs, err := engine.ListRuns(model, state)
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
	}
	entries := make([]historyEntry, len(runs))
	for i, run := range runs {
		entries[i] = entryOf(model, state, o.State, inv.env.Host, run)
	}
	result := done("history")
	noRuns := "no runs in " + state
	if _, err := model.FS.Stat(state); o.State != "" && errors.Is(err, fs.ErrNotExist) {
		noRuns = "no runs: there is no folder " + state
		result.Warnings = append(result.Warnings, noRuns)
	}
	if !o.JSON {
		inv.screen.out(historyText(entries, noRuns))
	}
	return withExtra(result, "runs", entries)
}

// placeArgument is what goes behind a command about a run that lies in the folder of --state. In the folder of its mirror no run is gone on
// with: it is taken over from there. Elsewhere than on the machine that made the last attempt, a folder with runs that have a mirror is one.
func placeArgument(flag string, run *engine.RunInfo, host string) string {
	if flag == "" || run.Mirror == "" {
		return stateArgument(flag)
	}
	if folder, err := filepath.Abs(flag); err == nil && folder != run.Mirror && run.By.Host == host {
		return stateArgument(flag)
	}
	return " --from-mirror " + shellWord(flag)
}

func entryOf(model engine.Env, state, flag, host string, run engine.RunInfo) historyEntry {
	entry := historyEntry{
		Run: run.ID, Plan: run.Head.Plan, PlanFile: run.Head.PlanFile, Action: run.Head.Action, Started: run.Started, Ended: run.Ended,
		Attempts: run.Attempts, Status: run.Status, Unfinished: run.Unfinished(),
	}
	if !run.Ended.IsZero() {
		entry.Exit = &run.Exit
	}
	full, err := engine.ReadRun(model, state, run.ID)
	if err != nil {
		entry.Error = err.Error()
		return entry
	}
	if full.Err != nil {
		entry.Error = full.Err.Error()
	} else if entry.Unfinished || run.Status == runner.StatusPartial {
		entry.Resume = runner.OutlookOf(full, false).GoOn(placeArgument(flag, full, host))
	}
	var facts stdlib.Facts
	if json.Unmarshal(full.Facts(), &facts) == nil { // a run that was cut before its facts has none
		entry.VMs = len(facts.VMs)
	}
	for _, status := range full.Board() {
		if status.Subject.Kind == "vm" && status.State == stdlib.StateUp {
			entry.Up++
		}
	}
	return entry
}

func historyText(entries []historyEntry, noRuns string) string {
	if len(entries) == 0 {
		return noRuns + "\n"
	}
	rows := [][]string{{"RUN", "PLAN", "ACTION", "STARTED (UTC)", "OUTCOME", "VMS UP"}}
	var open, damaged []string
	for _, e := range entries {
		exit := 0
		if e.Exit != nil {
			exit = *e.Exit
		}
		outcome := outcomeWords(e.Status, exit)
		if e.Error != "" {
			outcome = "damaged"
			damaged = append(damaged, "  "+e.Run+": "+e.Error)
		}
		rows = append(rows, []string{e.Run, e.Plan, e.Action, e.Started.UTC().Format("2006-01-02 15:04:05"), outcome, fmt.Sprintf("%d of %d", e.Up, e.VMs)})
		if e.Resume != "" {
			open = append(open, "  "+e.Resume)
		}
	}
	var b strings.Builder
	writeTable(&b, "", rows)
	if len(open) > 0 {
		b.WriteString("\nnot finished; go on with:\n" + strings.Join(open, "\n") + "\n")
	}
	if len(damaged) > 0 {
		b.WriteString("\ndamaged; drrun show RUN tells what the journal holds before that place:\n" + strings.Join(damaged, "\n") + "\n")
	}
	return b.String()
}

// shellWord quotes a word for a shell where it needs that.
func shellWord(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=,@+%", r)
	}
	if word != "" && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
