package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"
)

func newLabDisasterCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "disaster", usage: "take a site's power", argument: "SITE",
		help: "Takes the power of a site of the lab: engine, hosts, VMs and its end of the storage stop at once. Replication stops with what\nhad arrived.\n\n" +
			"EXAMPLES\ndrrun lab disaster primary\ndrrun lab disaster secondary --control 127.0.0.1:7070\n",
		do: func(ctx context.Context, l *labTools, site string) (string, error) {
			return fmt.Sprintf("site %s has no power: its engine, its hosts and its end of the storage are gone", site), l.Disaster(ctx, site)
		},
	}.command(inv)
}
