package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

const runHelp = `Runs an action of the plan's own: a patch night, a rolling restart, the start of one rank, a drill. Without ACTION it lists those that
the plan has, with the comment above each.

    -- Shuts everything down, waits until the hosts are patched, and starts what ran.
    function plan.actions.patch_night(ctx)
      local steps = require("dr").steps
      steps.shut_down(ctx)
      ctx:confirm("patched", "Patch the hosts. Are they done?")
      steps.boot(ctx)
      steps.repair(ctx)
    end

An action moves nothing: it works on one site, ctx.target, which is the one that has the plan's VMs by what both engines say. Where
one of them is silent, or both have something of the plan, say --site. It is a run like any other: journaled, resumed by drrun resume,
kept apart from other runs by the same locks, with the same evidence before a VM starts, and only for VMs of the plan. It shuts down
and starts each VM once. VMs that it does not touch are "untouched" in the result, which is no failure.

EXAMPLES
drrun run plan.lua
drrun run plan.lua patch_night
drrun run plan.lua patch_night --dry-run
drrun run plan.lua patch_night --answer patched=yes --param hosts=host1a
drrun run plan.lua start_rank_0 --site secondary
`

func newRunCommand(inv *invocation) *cli.Command {
	command := []string{"drrun", "run"}
	return &cli.Command{
		Name: "run", Usage: "run an action of the plan's own, or list them", UsageText: "drrun run PLAN.lua [ACTION] [flags]", Description: runHelp,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "site", Usage: "`SITE` where it works: primary or secondary; default: the one that has the plan's VMs"},
		}, actionFlags()...),
		Action: func(c *cli.Context) error {
			if c.NArg() == 1 {
				inv.result = listActions(c.Context, readingOf(c, c.Args().First()), inv)
				return nil
			}
			args, err := exactly(c, command, "PLAN.lua", "ACTION")
			if err != nil {
				return err
			}
			o := actionOptionsOf(c, inv, args[1], args[0])
			if builtin := args[1]; plans.Moves(builtin) || builtin == plans.ActionClean {
				return usage("%s is no action of a plan's own", builtin).hinted("drrun %s %s", builtin, args[0]).of(command)
			}
			if o.Site = c.String("site"); o.Site != "" && o.Site != plans.Primary && o.Site != plans.Secondary {
				return usage("--site %q is no site", o.Site).hinted("--site primary, or --site secondary").of(command)
			}
			inv.result = runAction(c.Context, o, inv)
			return nil
		},
	}
}

// listActions shows which actions a plan has.
func listActions(ctx context.Context, o reading, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.of([]string{"drrun", "run"}).result()
	}
	result, actions := runner.Actions(ctx, hard(ctx), options)
	if result.Error != nil {
		return result
	}
	if !inv.json {
		inv.screen.out(actionsText(o.Plan, actions))
	}
	return withExtra(result, "actions", actions)
}

func actionsText(plan string, actions []runner.OwnAction) string {
	if len(actions) == 0 {
		return plan + " has no action of its own. Write one: function plan.actions.NAME(ctx) … end (drrun run --help shows an example)\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s has %s of its own:\n\n", plan, report.Count(len(actions), "action"))
	rows := [][]string{{"ACTION", "WHERE", "WHAT IT DOES"}}
	for _, action := range actions {
		rows = append(rows, []string{action.Name, action.Pos, action.Doc})
	}
	writeTable(&b, "", rows)
	fmt.Fprintf(&b, "\nrun one: drrun run %s %s\n", plan, actions[0].Name)
	return b.String()
}
