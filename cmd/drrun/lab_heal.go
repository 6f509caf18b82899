package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabHealCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "heal", usage: "give a site its power back", argument: "SITE",
		help: "Gives a site of the lab its power back. As in a real site its hosts boot and its engine restarts the highly available VMs whose\nstorage it can write to, " +
			"also when another site runs them by now: replicate their storage domains back at once,\nbefore the hosts are up. drrun lab wait waits until they are.\n\n" +
			"EXAMPLES\ndrrun lab heal primary\ndrrun lab heal primary && drrun lab replicate nfs_ds\n",
		do: func(ctx context.Context, l *labTools, site string) (string, error) {
			if err := l.Heal(ctx, site); err != nil {
				return "", err
			}
			world, err := l.World(ctx)
			return healed(world, site), err
		},
	}.command(inv)
}

// healed says what happens at a site now, and what must be done before its hosts are up.
func healed(world lab.View, site string) string {
	said := fmt.Sprintf("site %s has power again: its engine starts and its hosts boot", site)
	var stale []string
	for _, r := range world.Arrays.Replications {
		if old := labSide(world, r.Source); r.State == "split" && old.Site == site && old.Writable {
			stale = append(stale, "drrun lab replicate "+shellWord(r.Domain))
		}
	}
	if len(stale) > 0 {
		return said + ". Its copies of what was promoted elsewhere are old and writable:\nits engine restarts highly available VMs on them as soon as a host is up\nnext, at once: " +
			strings.Join(stale, " && ")
	}
	return said + ", and highly available VMs come back where they can\nnext: drrun lab wait " + shellWord(site)
}
