package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

const snapshotHelp = `Brings the inventory beside a plan up to date: what runs, in which cluster, with which networks and disks. It reads the engines and
changes nothing there. When a site is lost, the inventory is what still knows which VMs ran; run it from cron.

Each VM is read at the site where it lives now. What cannot be read keeps its record, with its age; where a VM lived at home is
kept while it is away. VMs that are new on the plan's storage domains, and VMs of the plan that vanished, are reported.

Exit code 0: the inventory was written, also when one site was silent; 3: neither site could be read, the file cannot be parsed,
or a run on the plan's storage domains is unfinished: then it was left as it was.

EXAMPLES
drrun snapshot plan.lua
drrun snapshot plan.lua --json | jq .snapshot
17 * * * *  cd /etc/drrun && . ./secrets.env && drrun snapshot plan.lua --state /var/lib/drrun >snapshot.log 2>&1 || cat snapshot.log
`

func newSnapshotCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "snapshot", Usage: "record what runs where, for the day when a site is lost", UsageText: "drrun snapshot PLAN.lua [flags]", Description: snapshotHelp,
		Flags: []cli.Flag{libFlag(), stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "snapshot"}, "PLAN.lua")
			if err != nil {
				return err
			}
			inv.result = runSnapshot(c.Context, readingOf(c, args[0]), inv)
			return nil
		},
	}
}

func runSnapshot(ctx context.Context, o reading, inv *invocation) *runner.Result {
	options, problem := o.optionsWithState(inv)
	if problem != nil {
		return problem.result()
	}
	result := runner.Snapshot(ctx, hard(ctx), options)
	if !inv.json {
		inv.screen.out(findingsText(result.Findings) + snapshotText(result.Snapshot))
	}
	return located(result, runOptions{State: o.State})
}

// snapshotText says what was written.
func snapshotText(s *runner.SnapshotResult) string {
	if s == nil {
		return ""
	}
	var parts []string
	for _, site := range []string{plans.Primary, plans.Secondary} {
		if n := s.Read[site]; n > 0 {
			parts = append(parts, report.Count(n, "VM")+" read at "+site)
		}
	}
	if n := len(s.Kept); n > 0 {
		parts = append(parts, report.Count(n, "VM")+" of the plan as recorded before")
	}
	if len(parts) == 0 {
		parts = []string{"no VM could be read"}
	}
	return fmt.Sprintf("%s: %s, %s\n", s.File, strings.Join(parts, ", "), s.Taken.Format(time.RFC3339))
}
