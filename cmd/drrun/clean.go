package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"drrun/plans"
)

const cleanHelp = `Takes what a site still has of the plan out of its engine, when the other site holds it: stale VMs are stopped, their
storage domains detached and removed without formatting. Where the storage is gone, only the engine's books are cleared.
Nothing outside the plan is touched.

It begins only when the other site shows every storage domain active and every VM registered that this one still has, and when
each host of the site booted after the VMs had moved away, or is off: VMs of before could run on it unseen. The site to which the
last run known here took them is never cleaned. Where no run is known, --confirm-stale says by name which copy is the older one.
failback does this by itself first.

EXAMPLES
drrun clean plan.lua --site primary
drrun clean plan.lua --site primary --dry-run
`

func newCleanCommand(inv *invocation) *cli.Command {
	command := []string{"drrun", "clean"}
	return &cli.Command{
		Name: "clean", Usage: "take a plan's stale copies out of a site's engine", UsageText: "drrun clean PLAN.lua --site primary|secondary [flags]", Description: cleanHelp,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "site", Usage: "`SITE` to clean: primary or secondary"},
		}, actionFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, command, "PLAN.lua")
			if err != nil {
				return err
			}
			o := actionOptionsOf(c, inv, plans.ActionClean, args[0])
			if o.Site = c.String("site"); o.Site != plans.Primary && o.Site != plans.Secondary {
				problem := "it needs --site"
				if o.Site != "" {
					problem = fmt.Sprintf("--site %q is no site", o.Site)
				}
				inv.result = usage("%s", problem).hinted("--site primary, or --site secondary").of(command).result()
				return nil
			}
			inv.result = runAction(c.Context, o, inv)
			return nil
		},
	}
}
