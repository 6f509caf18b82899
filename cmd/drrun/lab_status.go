package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

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
		Description: "Shows the lab's world as a bystander sees it who knows both sites and the array: power, VMs, storage domains, replication, and\nthe violations that the lab's monitor saw. Each guest counts on its disk, " +
			"once a second while it runs: the counters show which copy is\nthe newer one, and that nothing was lost.\n\n" +
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
		rows = append(rows, []string{r.Domain, labSide(world, r.Source).Site, labSide(world, r.Target).Site, r.State, r.AsOf.UTC().Format(time.RFC3339)})
	}
	writeTable(&b, "", rows)
	b.WriteByte('\n')
	writeTable(&b, "", countersOf(world))
	b.WriteByte('\n')
	if len(world.Violations) == 0 {
		b.WriteString("violations: none\n")
	}
	for _, v := range world.Violations {
		fmt.Fprintf(&b, "violation at %s: %s: %s\n", clockTime(&v.Time), v.Kind, v.Text)
	}
	return b.String()
}

// countersOf are rows that show for each VM how far its guest has counted on the storage of each site: the newest of its disks there.
func countersOf(world lab.View) [][]string {
	sites := slices.Sorted(maps.Keys(world.Sites))
	names, counted := map[string]string{}, map[string]map[string]int64{}
	for _, site := range world.Sites {
		for _, vm := range site.VMs {
			names[vm.ID] = vm.Name
		}
	}
	for _, disk := range world.Disks {
		if counted[disk.VM] == nil {
			counted[disk.VM] = map[string]int64{}
		}
		counted[disk.VM][disk.Site] = max(counted[disk.VM][disk.Site], disk.Counter)
	}
	heading := []string{"COUNTER"}
	for _, site := range sites {
		heading = append(heading, "ON "+strings.ToUpper(site))
	}
	var rows [][]string
	for id, of := range counted {
		row := []string{cmp.Or(names[id], id)}
		for _, site := range sites {
			text := "-"
			if value, there := of[site]; there {
				text = strconv.FormatInt(value, 10)
			}
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Compare(a[0], b[0]) })
	return append([][]string{heading}, rows...)
}
