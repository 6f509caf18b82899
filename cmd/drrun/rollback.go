package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

const rollbackHelp = `Undoes a planned run (failover --planned, failback) whose storage was not promoted yet: the storage domains are activated again
where they were released, high availability, delete protection and comments restored, and the VMs that ran are started there,
in their ranks. It can be repeated when it was interrupted. Once the storage is promoted a run can only go forward.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun rollback 20261120-0312-3f9a2c
`

func newRollbackCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "rollback", Usage: "undo a planned run before its storage was promoted", UsageText: "drrun rollback RUN [flags]", Description: rollbackHelp, Flags: append([]cli.Flag{fromMirrorFlag()}, runFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "rollback"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runRollback(c.Context, resumeOptions{runOptions: runOptionsOf(c, inv), Run: args[0]}, inv)
			return nil
		},
	}
}

func runRollback(ctx context.Context, o resumeOptions, inv *invocation) *runner.Result {
	options, over, problem := inv.runnerOptions(o.runOptions)
	if problem != nil {
		return problem.of([]string{"drrun", "rollback"}).result()
	}
	defer over()
	return located(runner.Rollback(ctx, hard(ctx), o.Run, options), o.runOptions)
}
