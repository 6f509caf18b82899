package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

type resumeOptions struct {
	runOptions
	Run string
}

const resumeHelp = `Goes on with a run that was interrupted, stopped or cut off, or tries again what failed in one that finished.

The run goes on with the plan as it was when the run began. What is done already is found done and not done again. Evidence
and confirmations of earlier attempts do not count: they are collected and asked for anew.

When the machine that ran it is lost, or its state folder, another one takes the run over from its mirror (--mirror of the command that
began it). A process that still works on the run there finds its locks replaced, and stops.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun resume 20261120-0312-3f9a2c
drrun resume 20261120-0312 --confirm-source-down 'Ann Lee: the room is still without power'
drrun resume 20261120-0312 --from-mirror /net/secondary/drrun
`

func newResumeCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "resume", Usage: "go on with a run that was interrupted or stopped", UsageText: "drrun resume RUN [flags]", Description: resumeHelp, Flags: append([]cli.Flag{fromMirrorFlag()}, runFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "resume"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runResume(c.Context, resumeOptions{runOptions: runOptionsOf(c, inv), Run: args[0]}, inv)
			return nil
		},
	}
}

func runResume(ctx context.Context, o resumeOptions, inv *invocation) *runner.Result {
	options, over, problem := inv.runnerOptions(o.runOptions)
	if problem != nil {
		return problem.of([]string{"drrun", "resume"}).result()
	}
	defer over()
	return located(runner.Resume(ctx, hard(ctx), o.Run, options), o.runOptions)
}
