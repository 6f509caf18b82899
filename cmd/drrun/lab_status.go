package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

type labStatusOptions struct {
	Control string
	JSON    bool
}

func newLabStatusCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "status", Usage: "show both sites, the storage and what went wrong", UsageText: "drrun lab status [flags]",
		Description: "Shows the lab's world as a bystander sees it who knows both sites and the array: power, VMs, storage domains, replication, and\nthe violations that the lab's monitor saw.\n\n" +
			"EXAMPLES\ndrrun lab status\ndrrun lab status --json | jq '.extra.world.violations'\n",
		Flags: []cli.Flag{controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "lab", "status"}); err != nil {
				return err
			}
			inv.result = runLabStatus(c.Context, labStatusOptions{Control: c.String("control"), JSON: inv.json}, inv)
			return nil
		},
	}
}

func runLabStatus(ctx context.Context, o labStatusOptions, inv *invocation) *runner.Result {
	world, err := inv.env.control(o.Control).World(ctx)
	if err != nil {
		return labFailure(err)
	}
	if !o.JSON {
		inv.screen.out(labStatusText(world))
	}
	return withExtra(done("lab status"), "world", world)
}

func labStatusText(world lab.View) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(world.Sites)) {
		site := world.Sites[name]
		hosts := make([]string, len(site.Hosts))
		for i, host := range site.Hosts {
			hosts[i] = host.Name + " " + host.Status
		}
		fmt.Fprintf(&b, "site %s: engine %s; hosts: %s\n", name, site.Engine, strings.Join(hosts, ", "))
		rows := [][]string{{"STORAGE DOMAIN", "STATUS", "EXPORT"}}
		for _, domain := range site.StorageDomains {
			rows = append(rows, []string{domain.Name, domain.Status, domain.Export})
		}
		if len(rows) > 1 {
			writeTable(&b, "  ", rows)
		}
		rows = [][]string{{"VM", "STATUS", "HOST", "STARTED", "UP"}}
		for _, vm := range site.VMs {
			rows = append(rows, []string{vm.Name, vm.Status, vm.Host, clockTime(vm.StartedAt), clockTime(vm.UpAt)})
		}
		if len(rows) > 1 {
			writeTable(&b, "  ", rows)
		} else {
			b.WriteString("  no VMs\n")
		}
		b.WriteByte('\n')
	}
	rows := [][]string{{"REPLICATION", "FROM", "TO", "STATE", "AS OF"}}
	for _, r := range world.Arrays.Replications {
		rows = append(rows, []string{r.Domain, r.Source, r.Target, r.State, clockTime(&r.AsOf)})
	}
	writeTable(&b, "", rows)
	b.WriteByte('\n')
	if len(world.Violations) == 0 {
		b.WriteString("violations: none\n")
	}
	for _, v := range world.Violations {
		fmt.Fprintf(&b, "violation at %s: %s: %s\n", clockTime(&v.Time), v.Kind, v.Text)
	}
	return b.String()
}
