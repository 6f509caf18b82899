package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/runner"
)

const statusHelp = `Shows where the storage domains and VMs of a plan are, by what both engines say, and the one next command. It changes nothing.

For each object: at primary, at secondary, at both, nowhere, stripped (a VM whose disks are gone from its engine), or unknown
because an engine that would have to say so does not answer. A storage domain in maintenance is held by nobody.
A run that is unfinished on these storage domains comes first: the next command is the one that goes on with it.

EXAMPLES
drrun status plan.lua
drrun status plan.lua --json | jq .pair.place
`

func newStatusCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "where are the storage domains and VMs of a plan, and what is next?", UsageText: "drrun status PLAN.lua [flags]", Description: statusHelp,
		Flags: []cli.Flag{listFlag("lib", "`DIR` where require looks too; can be given several times"), stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "status"}, "PLAN.lua")
			if err != nil {
				return err
			}
			inv.result = runStatus(c.Context, readingOf(c, args[0]), inv)
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
		result.Pair.Next = resumeCommand.ReplaceAllString(result.Pair.Next, "$0 --state "+strings.ReplaceAll(shellWord(o.State), "$", "$$"))
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
