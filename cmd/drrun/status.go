package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/runner"
)

const statusHelp = `Of a plan: shows where its storage domains and VMs are, by what both engines say, and the one next command. It changes nothing.

For each object: at primary, at secondary, at both, nowhere, stripped (a VM whose disks are gone from its engine), or unknown
because an engine that would have to say so does not answer. A storage domain in maintenance is held by nobody.
A run that is unfinished on these storage domains comes first: the next command is the one that goes on with it.

Of a run: shows where it stands now, from another terminal while it runs: its stage, how many VMs of each rank are up, what is
not well, how old the evidence is, what it asks and how to answer, and what is next. It reads the journal and asks no engine. RUN is
the id or the beginning of it; without an argument it is the newest run that is being worked on, or where none is, the newest that is
unfinished. A file of that name goes before a run.

With --watch it goes on until nobody works on the run any more: on a terminal it redraws, elsewhere it writes a line for each change.

EXAMPLES
drrun status plan.lua
drrun status
drrun status 20261120-0312 --watch
drrun status plan.lua --json | jq .pair.place
drrun status 20261120-0312 --json | jq .extra.standing.ranks
`

func newStatusCommand(inv *invocation) *cli.Command {
	path := []string{"drrun", "status"}
	return &cli.Command{
		Name: "status", Usage: "where is everything of a plan, or where does a run stand, and what is next?",
		UsageText: "drrun status PLAN.lua [flags]\ndrrun status [RUN] [flags]", Description: statusHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "watch", Usage: "of a run: go on until nobody works on it any more"},
			libFlag(), stateFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.Args().Len() > 1 {
				_, err := exactly(c, path, "PLAN.lua or RUN")
				return err
			}
			o := runStatusOptions{Run: c.Args().First(), Watch: c.Bool("watch"), State: c.String("state"), JSON: inv.json}
			if o.Run != "" && !inv.namesStoredRun(o) {
				if o.Watch {
					return usage("--watch is for a run, and %q is none", o.Run).of(path)
				}
				if _, err := inv.env.wall().FS.Stat(o.Run); errors.Is(err, fs.ErrNotExist) && filepath.Ext(o.Run) != ".lua" {
					return usage("%q is neither the id of a run nor a file", o.Run).hinted("drrun history lists the runs; drrun status shows the one that is worked on; drrun status PLAN.lua shows where everything is").of(path)
				}
				inv.result = runStatus(c.Context, readingOf(c, o.Run), inv)
				return nil
			}
			inv.result = statusOfRun(c.Context, o, inv)
			return nil
		},
	}
}

func runStatus(ctx context.Context, o reading, inv *invocation) *runner.Result {
	options, problem := o.optionsWithState(inv)
	if problem != nil {
		return problem.result()
	}
	result := runner.Status(ctx, hard(ctx), options)
	if result.Pair != nil && o.State != "" {
		result.Pair.Next = runner.Located(result.Pair.Next, stateArgument(o.State))
	}
	if !inv.json {
		inv.screen.out(findingsText(result.Findings) + pairText(result.Pair))
	}
	return result
}

// pairText shows a pair state for people.
func pairText(pair *runner.PairResult) string {
	if pair == nil {
		return ""
	}
	var b strings.Builder
	for _, part := range []struct {
		title   string
		objects []plans.ObjectState
	}{{"STORAGE DOMAIN", pair.StorageDomains}, {"VM", pair.VMs}} {
		rows := [][]string{{part.title, "IS AT", "PRIMARY", "SECONDARY"}}
		for _, object := range part.objects {
			rows = append(rows, []string{object.Name, string(object.Place), object.Primary.String(), object.Secondary.String()})
		}
		writeTable(&b, "", rows)
		b.WriteByte('\n')
	}
	for _, reason := range pair.Reasons {
		b.WriteString(reason + "\n")
	}
	fmt.Fprintf(&b, "%s\nnext: %s\n", pair.Why, cmp.Or(pair.Next, "no command; see above"))
	return b.String()
}
