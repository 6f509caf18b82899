package main

import (
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

type abortOptions struct {
	Run   string
	State string
	JSON  bool
}

const abortHelp = `Closes an unfinished run, so that its storage domains are free for another action. It asks no engine and undoes nothing: what
the run had done stays done, and the run cannot be resumed any more. Where you can, drrun resume is the better way.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun abort 20261120-0312-3f9a2c
`

func newAbortCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "abort", Usage: "close an unfinished run as it is", UsageText: "drrun abort RUN [flags]", Description: abortHelp,
		Flags: []cli.Flag{stateFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "abort"}, "RUN")
			if err != nil {
				return err
			}
			inv.result = runAbort(abortOptions{Run: args[0], State: c.String("state"), JSON: inv.json}, inv)
			return nil
		},
	}
}

func runAbort(o abortOptions, inv *invocation) *runner.Result {
	state, problem := inv.env.stateDir(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "abort"}).result()
	}
	result := runner.Abort(runner.Options{
		Env: inv.env.wall(), StateDir: state, Version: versionText(), Host: inv.env.Host, User: inv.env.User,
	}, o.Run)
	if !o.JSON && result.Error == nil {
		inv.screen.out(fmt.Sprintln(strings.Join(result.Verdicts, "\n")))
	}
	return result
}
