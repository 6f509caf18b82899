package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
)

func newLabWaitCommand(inv *invocation) *cli.Command {
	return labChange{
		name: "wait", usage: "wait until a site is up", argument: "SITE",
		help: "Waits until the engine of a site of the lab answers, all its hosts are up and it knows of its storage: after drrun lab heal that takes a while.\n\nEXAMPLES\ndrrun lab wait primary\n",
		do: func(ctx context.Context, l *labTools, site string) (string, error) {
			return fmt.Sprintf("site %s is up", site), l.until(ctx, func(world lab.View) (bool, error) { return siteIsUp(world, site) })
		},
	}.command(inv)
}

// siteIsUp tells whether a site's engine and all its hosts are up, and a storage pool manager was looked for. The error says that they never will be.
func siteIsUp(world lab.View, name string) (bool, error) {
	site, known := world.Sites[name]
	if !known {
		return false, fmt.Errorf("no site %q", name)
	}
	up := site.Engine == "up"
	for _, host := range site.Hosts {
		if host.Power == "off" {
			return false, fmt.Errorf("host %s of site %s has no power: drrun lab heal %s", host.Name, name, name)
		}
		up = up && host.Status == "up"
	}
	for _, domain := range site.StorageDomains {
		up = up && domain.Status != "unknown"
	}
	return up, nil
}
