package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/runner"
)

const checkHelp = `Checks a plan: its text, and, unless --offline, that both sites have what it needs. It changes nothing anywhere.

Every finding names its place in the plan and what to do. Exit code 2: the text is wrong; 3: the sites do not fit; 0: the
plan can run. A primary site that does not answer is a warning: that is what a failover is for.

EXAMPLES
drrun check plan.lua
drrun check plan.lua --offline
drrun check plan.lua --json | jq '.findings[].message'
`

func newCheckCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "is a plan sound, and do the sites have what it needs?", UsageText: "drrun check PLAN.lua [flags]", Description: checkHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "offline", Usage: "look at the plan alone, ask no engine"},
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "check"}, "PLAN.lua")
			if err != nil {
				return err
			}
			inv.result = runCheck(c.Context, readingOf(c, args[0]), c.Bool("offline"), inv)
			return nil
		},
	}
}

func runCheck(ctx context.Context, o reading, offline bool, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	options.Action = plans.ActionFailover
	result := runner.Check(ctx, hard(ctx), options, offline)
	result.Action = "check"
	if !inv.json {
		text := findingsText(result.Findings) + strings.Join(append(warned(result.Warnings), ""), "\n")
		if result.Error == nil {
			text += o.Plan + ": " + checkVerdict(result.Findings, offline) + "\n"
		}
		inv.screen.out(text)
	}
	return result
}

func checkVerdict(found []plans.Finding, offline bool) string {
	warnings := 0
	for _, one := range found {
		if one.Severity == plans.SeverityWarning {
			warnings++
		}
	}
	switch {
	case offline && warnings > 0:
		return "sound, with " + count(warnings, "warning") + " (the sites were not asked)"
	case offline:
		return "sound (the sites were not asked)"
	case warnings > 0:
		return "nothing stands in the way of a failover, with " + count(warnings, "warning")
	}
	return "sound, and both sites have what it needs"
}
