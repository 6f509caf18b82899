package main

import (
	"github.com/urfave/cli/v2"

	"drrun/plans"
)

const failbackHelp = `Brings the virtual machines of the plan home: from the secondary site back to the primary one.

It is a planned move: the secondary is alive and takes part. First what the primary still has of the plan from before leaves its
engine, content kept; drrun wants to see that the secondary holds everything and that the primary's hosts booted after the
failover. Then the VMs are shut down at the secondary in reverse order, its storage is released, the primary's copy is made
writable (by the hook promote_storage, or by you), and the VMs come up at the primary in their old clusters and networks.

The array must replicate from the secondary to the primary before you begin: without that the copy at home is old, and drrun
refuses it. Until the storage is promoted, drrun rollback undoes everything.

With --unplanned the secondary is lost: it is the mirror of a failover, with the same evidence.

EXAMPLES
drrun failback plan.lua
drrun failback plan.lua --dry-run
drrun failback plan.lua --unplanned --confirm-source-down 'Ann Lee: the secondary is flooded, power is cut'
`

func newFailbackCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "failback", Usage: "bring the VMs of a plan home to the primary site", UsageText: "drrun failback PLAN.lua [flags]", Description: failbackHelp,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "unplanned", Usage: "the secondary is lost: take over at the primary without its help"},
			quarantineFlag(),
		}, actionFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "failback"}, "PLAN.lua")
			if err != nil {
				return err
			}
			o := actionOptionsOf(c, inv, plans.ActionFailback, args[0])
			o.Planned = !c.Bool("unplanned")
			inv.result = runAction(c.Context, o, inv)
			return nil
		},
	}
}
