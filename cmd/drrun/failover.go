package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// actionOptions are what the commands take that begin a run of a plan.
type actionOptions struct {
	runOptions
	Plan       string
	Action     string
	Site       string // of clean
	Planned    bool
	Quarantine bool
	Params     []string // NAME=VALUE
	ParamsFile string
	Libs       []string
	DryRun     bool
}

const failoverHelp = `Runs the plan's failover: the virtual machines of the primary site come up on the secondary one.

The check runs first, and refuses (exit code 3) before anything is changed. Then drrun wants evidence that the VMs cannot run
at the primary any more: its engine shows their storage domains detached or in maintenance, or it is silent and somebody
confirms by name that the site is down. The copy of the storage is made writable by the plan's hook promote_storage, or by
you: then answer its prompt.

With --planned the primary is alive and takes part: its VMs are shut down in reverse order, their storage is released, and only
then the secondary takes over, on a copy that must hold the last write. Until the storage is promoted, drrun rollback undoes it.

The first Ctrl-C lets running operations end and starts nothing new, the second drops them, the third leaves at once. What
was done is journaled: drrun resume goes on from there.

Questions are asked at the terminal, and drrun answer answers them from another one; without a terminal, only with
--wait-for-answers. At a terminal a failover that stops asks what to do: retry, skip the VM that it is about, edit the plan (what
is saved is shown, and the run goes on with it), or abort. --yes never decides that.

EXAMPLES
drrun failover plan.lua
drrun failover plan.lua --confirm-source-down 'Ann Lee: fire in room 2, power is cut' \
  --answer 'promote_storage=writable,as_of=2026-11-20T03:10:00Z'
drrun failover plan.lua --planned
drrun failover plan.lua --planned --dry-run
drrun failover plan.lua --wait-for-answers
drrun failover plan.lua --json --yes > result.json
`

// actionFlags are the flags of every command that begins a run of a plan.
func actionFlags() []cli.Flag {
	return append([]cli.Flag{
		listFlag("param", "`NAME=VALUE`: a parameter for the plan's hooks, over the plan's own; can be given several times"),
		&cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object of parameters"},
		&cli.BoolFlag{Name: "dry-run", Usage: "change nothing: list the engine calls that it would make, and how the evidence stands"},
		listFlag("lib", "`DIR` where require looks too; can be given several times"),
	}, runFlags()...)
}

func quarantineFlag() cli.Flag {
	return &cli.BoolFlag{Name: "quarantine", Usage: "in a planned move, leave VMs where they are that their engine cannot see, unless their host is read as off, with all that shares their storage domains"}
}

func actionOptionsOf(c *cli.Context, inv *invocation, action, plan string) actionOptions {
	return actionOptions{
		runOptions: runOptionsOf(c, inv), Plan: plan, Action: action,
		Quarantine: c.Bool("quarantine"),
		Params:     listOf(c, "param"), ParamsFile: c.String("params"), Libs: listOf(c, "lib"), DryRun: c.Bool("dry-run"),
	}
}

func newFailoverCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "failover", Usage: "bring the VMs of a plan up on the secondary site", UsageText: "drrun failover PLAN.lua [flags]", Description: failoverHelp,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "planned", Usage: "the primary is alive: shut its VMs down and release its storage first"},
			quarantineFlag(),
		}, actionFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "failover"}, "PLAN.lua")
			if err != nil {
				return err
			}
			o := actionOptionsOf(c, inv, plans.ActionFailover, args[0])
			o.Planned = c.Bool("planned")
			inv.result = runAction(c.Context, o, inv)
			return nil
		},
	}
}

// runAction begins a run of a plan.
func runAction(ctx context.Context, o actionOptions, inv *invocation) *runner.Result {
	command := []string{"drrun", o.Action}
	if !plans.Moves(o.Action) && o.Action != plans.ActionClean {
		command = []string{"drrun", "run"}
	}
	options, over, problem := inv.runnerOptions(o.runOptions)
	if problem != nil {
		return problem.of(command).result()
	}
	defer over()
	if o.ParamsFile != "" {
		var err error
		if options.ParamsFile, err = options.Env.FS.ReadFile(o.ParamsFile); err != nil {
			return unreadable("--params", o.ParamsFile, err)
		}
	}
	options.PlanFile, options.Action, options.LibDirs, options.ParamOverrides = o.Plan, o.Action, o.Libs, o.Params
	options.Planned, options.Quarantine, options.Site = o.Planned, o.Quarantine, o.Site
	if options.DryRun = o.DryRun; o.DryRun {
		inv.human = func(r *runner.Result) { showDryRun(inv, r) }
	}
	return located(runner.Start(ctx, hard(ctx), options), o.runOptions)
}

// showDryRun lists what an action would change, for people.
func showDryRun(inv *invocation, r *runner.Result) {
	if r.DryRun == nil {
		writeError(inv.env.Stderr, r)
		return
	}
	var b strings.Builder
	rows := [][]string{{"", "STAGE", "CALL", "SITE", "ID"}}
	for i, call := range r.DryRun.Calls {
		rows = append(rows, []string{strconv.Itoa(i + 1), call.Stage, call.Text, call.Site, call.ID})
	}
	fmt.Fprintf(&b, "the %s of %s would make %s:\n\n", r.Action, r.Plan, report.Count(len(r.DryRun.Calls), "changing call"))
	writeTable(&b, "", rows)
	b.WriteByte('\n')
	for _, assumed := range r.DryRun.Assumed {
		b.WriteString("assumed: " + assumed + "\n")
	}
	if r.Evidence != nil {
		stands := "does not hold, a real run would stop here"
		if r.Evidence.Holds {
			stands = "holds"
		}
		fmt.Fprintf(&b, "evidence: %s: %s\n", stands, r.Evidence.Why)
	}
	for _, warning := range warned(r.Warnings) {
		b.WriteString(warning + "\n")
	}
	b.WriteString("nothing was changed\n")
	inv.screen.out(b.String())
}
