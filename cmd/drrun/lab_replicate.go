package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"drrun/plans"
)

func newLabReplicateCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "replicate", usage: "replicate a storage domain from the side that counts", argument: "DOMAIN",
		help: "Does what a storage administrator does at the array after a move: replicates a storage domain from the side that was promoted\nlast to the other, which is overwritten " +
			"and can only be read from then on.\n\nEXAMPLES\ndrrun lab replicate nfs_ds\n",
		do: func(ctx context.Context, l *labTools, domain string) (string, error) {
			if err := l.Replicate(ctx, domain); err != nil {
				return "", err
			}
			world, err := l.World(ctx)
			if err != nil {
				return "", err
			}
			r, err := labReplication(world, domain)
			from, to := labSide(world, r.Source).Site, labSide(world, r.Target).Site
			next := "drrun failover PLAN.lua --planned"
			if to == plans.Primary {
				next = "drrun failback PLAN.lua"
			}
			return fmt.Sprintf("%s is replicated from %s to %s, %s behind; the copy on %s was overwritten and can only be read\nnext, when the engine of %s is up (drrun lab wait %s): %s",
				r.Domain, from, to, r.Lag, to, to, to, next), err
		},
	}.command(inv)
}
