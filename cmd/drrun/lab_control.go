package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

const defaultControl = "127.0.0.1:7070"

func controlFlag() cli.Flag {
	return &cli.StringFlag{Name: "control", Usage: "`ADDRESS` of the lab's control API; default: $LAB_CONTROL, else " + defaultControl}
}

// control returns a client of the lab that the flag, or the environment, names.
func (env Env) control(flag string) *lab.ControlClient {
	if flag == "" {
		flag, _ = env.Getenv("LAB_CONTROL")
	}
	if flag == "" {
		flag = defaultControl
	}
	return lab.Dial(flag)
}

// labChange is a command that changes one thing of the lab's world.
type labChange struct {
	name, usage, argument, help, said string
	do                                func(*lab.ControlClient, context.Context, string) error
}

type labChangeOptions struct{ Control, Object string }

func (l labChange) command(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: l.name, Usage: l.usage, UsageText: "drrun lab " + l.name + " " + l.argument + " [flags]", Description: l.help, Flags: []cli.Flag{controlFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "lab", l.name}, l.argument)
			if err != nil {
				return err
			}
			inv.result = l.run(c.Context, labChangeOptions{Control: c.String("control"), Object: args[0]}, inv)
			return nil
		},
	}
}

func (l labChange) run(ctx context.Context, o labChangeOptions, inv *invocation) *runner.Result {
	if err := l.do(inv.env.control(o.Control), ctx, o.Object); err != nil {
		return labFailure(err)
	}
	if !inv.json {
		inv.screen.out(strings.ReplaceAll(l.said, "%", o.Object) + "\n")
	}
	return done("lab " + l.name)
}

// labFailure tells a lab that is not there from one that says no.
func labFailure(err error) *runner.Result {
	var broken *url.Error
	var network *net.OpError
	if errors.As(err, &broken) || errors.As(err, &network) {
		return failure(runner.ExitRefused, runner.StatusRefused, "no-lab", err, "is the lab running? Start it with: drrun lab, and name its control API with --control or LAB_CONTROL (source lab.env)")
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "lab", err, "drrun lab status shows sites and storage domains")
}
