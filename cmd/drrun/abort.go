package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

type abortOptions struct {
	Run   string
	State string
	JSON  bool
	Leave bool

	FromMirror string
}

const abortHelp = `Closes an unfinished run, so that its storage domains are free for another action. It undoes nothing: what the run had done
stays done, and the run cannot be resumed any more. Where you can, drrun resume is the better way.
A planned run that can still be undone is refused: drrun rollback gives back what it took. With --leave-as-is it is closed all the
same; what it leaves at the source is named, and the next planned move gives the VMs their high availability, delete protection and
comment back. What it shut down and put into maintenance you start and activate in the engine.

The run's locks are taken out of the engines that answer. Those that are left are named; another action replaces them with
--break-lock.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun abort 20261120-0312-3f9a2c
`

func newAbortCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "abort", Usage: "close an unfinished run as it is", UsageText: "drrun abort RUN [flags]", Description: abortHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "leave-as-is", Usage: "close it although drrun rollback could undo it"},
			fromMirrorFlag(), stateFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "abort"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runAbort(c.Context, abortOptions{Run: args[0], State: c.String("state"), JSON: inv.json, Leave: c.Bool("leave-as-is"), FromMirror: c.String("from-mirror")}, inv)
			return nil
		},
	}
}

func runAbort(ctx context.Context, o abortOptions, inv *invocation) *runner.Result {
	state, model, speed, problem := inv.env.runsAt(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "abort"}).result()
	}
	if o.FromMirror, problem = mirrorPath("--from-mirror", o.FromMirror, state); problem != nil {
		return problem.of([]string{"drrun", "abort"}).result()
	}
	asker, problem := newAsker(inv, model, nil, false)
	if problem != nil {
		return problem.of([]string{"drrun", "abort"}).result()
	}
	signer, warning := inv.env.signer(model.FS)
	result := runner.Abort(ctx, hard(ctx), runner.Options{
		Env: model, StateDir: state, StateArgument: stateArgument(o.State), LeaveAsIs: o.Leave, Signer: signer, Warnings: warning, FromMirror: o.FromMirror, Version: versionText(), Host: inv.env.Host, User: inv.env.User, Secrets: asker.resolver(), Speed: speed,
	}, o.Run)
	if !o.JSON && result.Error == nil {
		inv.screen.out(fmt.Sprintln(strings.Join(append(result.Verdicts, warned(result.Warnings)...), "\n")))
	}
	return result
}
