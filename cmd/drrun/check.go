package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/codes"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/plans/sarif"
)

const checkHelp = `Checks a plan: its text, and, unless --offline, that both sites have what it needs. It changes nothing anywhere.

Every finding names its place in the plan and what to do. Exit code 2: the text is wrong; 3: the sites do not fit; 0: the
plan can run. A primary site that does not answer is a warning: that is what a failover is for.

EXAMPLES
drrun check plan.lua
drrun check plan.lua --offline
drrun check plan.lua --json | jq '.findings[].message'
drrun check plan.lua --offline --sarif findings.sarif
`

func newCheckCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "check", Usage: "is a plan sound, and do the sites have what it needs?", UsageText: "drrun check PLAN.lua [flags]", Description: checkHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "offline", Usage: "look at the plan alone, ask no engine"},
			&cli.StringFlag{Name: "sarif", Usage: "write the findings to `FILE` as SARIF 2.1.0 too, for editors and code reviews; - is standard output, instead of the text"},
			libFlag(),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "check"}, "PLAN.lua")
			if err != nil {
				return err
			}
			o := checkOptions{reading: readingOf(c, args[0]), Offline: c.Bool("offline"), SARIF: c.String("sarif")}
			if o.SARIF == "-" && inv.json {
				return usage("--json and --sarif - both write to standard output").hinted("give --sarif a file").of([]string{"drrun", "check"})
			}
			inv.result = runCheck(c.Context, o, inv)
			return nil
		},
	}
}

type checkOptions struct {
	reading
	Offline bool
	SARIF   string // "" writes none, "-" is standard output
}

func runCheck(ctx context.Context, o checkOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	options.Action = plans.ActionFailover
	result := runner.Check(ctx, hard(ctx), options, o.Offline)
	result.Action = "check"
	if o.SARIF != "" {
		document := sarif.Document(result.Findings, versionText())
		if o.SARIF == "-" {
			inv.screen.out(string(document))
			return result
		}
		if err := os.WriteFile(o.SARIF, document, 0o644); err != nil {
			return failure(runner.ExitInvalid, runner.StatusInvalid, "sarif", fmt.Errorf("write the findings of %s: %w", o.Plan, err), "give --sarif a file that this account can write")
		}
	}
	if !inv.json {
		text := findingsText(result.Findings) + explainHint(result.Findings) + strings.Join(append(warned(result.Warnings), ""), "\n")
		if result.Error == nil {
			text += o.Plan + ": " + checkVerdict(result.Findings, o.Offline) + "\n" + staleTypes(options.Env.FS.ReadFile, o.Plan)
		}
		inv.screen.out(text)
	}
	return result
}

// explainHint says once, below the findings, how to read more about the first error, or where there is none, about the first warning.
func explainHint(found []plans.Finding) string {
	hint := ""
	for _, one := range found {
		if _, known := codes.Find(one.Code); !known || one.Severity == plans.SeverityInfo {
			continue
		}
		if isError := plans.HasErrors([]plans.Finding{one}); isError || hint == "" {
			hint = "more about a code in brackets: drrun explain " + one.Code + "\n"
			if isError {
				break
			}
		}
	}
	return hint
}

func checkVerdict(found []plans.Finding, offline bool) string {
	warnings := 0
	for _, one := range found {
		if one.Severity == plans.SeverityWarning {
			warnings++
		}
	}
	away := slices.IndexFunc(found, func(one plans.Finding) bool { return one.Code == "vms-at-target" })
	switch {
	case away >= 0:
		return found[away].Message + "; " + found[away].Hint
	case offline && warnings > 0:
		return "sound, with " + report.Count(warnings, "warning") + " (the sites were not asked)"
	case offline:
		return "sound (the sites were not asked)"
	case warnings > 0:
		return "nothing stands in the way of a failover, with " + report.Count(warnings, "warning")
	}
	return "sound, and both sites have what it needs"
}
