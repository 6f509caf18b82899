package main

import (
	"context"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabPromoteCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "promote", usage: "make the copy of a storage domain writable", argument: "DOMAIN",
		help: "Does what a storage administrator does at the array: makes the replica of a storage domain writable and ends the replication.\nIt prints as of when the copy is, which is " +
			"the as_of that drrun asks for.\n\nWhile both ends are there it first lets arrive what was written up to now, as the planned switch of an array does.\n\n" +
			"EXAMPLES\ndrrun lab promote nfs_ds\ndrrun lab promote nfs_ds --now\n",
		flags: []cli.Flag{&cli.BoolFlag{Name: "now", Usage: "do not wait for what is still on its way: it is lost"}},
		do: func(ctx context.Context, l *labTools, domain string) (string, error) {
			if err := l.arrival(ctx, domain); err != nil {
				return "", err
			}
			if err := l.Promote(ctx, domain); err != nil {
				return "", err
			}
			world, err := l.World(ctx)
			if err != nil {
				return "", err
			}
			r, err := labReplication(world, domain)
			asOf := r.AsOf.UTC().Format(time.RFC3339)
			return fmt.Sprintf("the copy of %s on %s is writable; replication is split\nit holds what %s wrote until %s; to a run that asks: writable,as_of=%s",
				r.Domain, labSide(world, r.Target).Site, labSide(world, r.Source).Site, asOf, asOf), err
		},
	}.command(inv)
}

// arrival waits until what was written up to now has arrived at the copy. It waits for nothing that cannot come.
func (l *labTools) arrival(ctx context.Context, domain string) error {
	var asked time.Time
	return l.until(ctx, func(world lab.View) (bool, error) {
		if asked.IsZero() {
			asked = world.Time
		}
		r, err := labReplication(world, domain)
		return l.now || r.State != "replicating" || !r.AsOf.Before(asked), err
	})
}
