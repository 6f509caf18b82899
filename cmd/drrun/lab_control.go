package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/engine"
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

// labChange is a command that changes one thing of the lab's world, or waits for it. do says what came of it and what is next.
type labChange struct {
	name, usage, argument, help string
	flags                       []cli.Flag
	do                          func(context.Context, *labTools, string) (said string, err error)
}

// labTools are what a labChange works with.
type labTools struct {
	*lab.ControlClient
	clock engine.Clock // of the wall
	now   bool         // --now
}

type labChangeOptions struct {
	Control, Object string
	Now             bool
}

func (l labChange) command(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: l.name, Usage: l.usage, UsageText: "drrun lab " + l.name + " " + l.argument + " [flags]", Description: l.help, Flags: append(l.flags, controlFlag(), jsonFlag()),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "lab", l.name}, l.argument)
			if err != nil {
				return err
			}
			inv.result = l.run(c.Context, labChangeOptions{Control: c.String("control"), Object: args[0], Now: c.Bool("now")}, inv)
			return nil
		},
	}
}

func (l labChange) run(ctx context.Context, o labChangeOptions, inv *invocation) *runner.Result {
	said, err := l.do(ctx, &labTools{ControlClient: inv.env.control(o.Control), clock: inv.env.wall().Clock, now: o.Now}, o.Object)
	if err != nil {
		return interrupted(ctx, labFailure(err))
	}
	if !inv.json {
		inv.screen.out(said + "\n")
	}
	return done("lab " + l.name)
}

// labTick is the pause between two looks at the lab's world, in time of the wall.
const labTick = 100 * time.Millisecond

// until looks at the lab's world until a condition holds.
func (l *labTools) until(ctx context.Context, holds func(lab.View) (bool, error)) error {
	for {
		world, err := l.World(ctx)
		if err != nil {
			return err
		}
		if ok, err := holds(world); ok || err != nil {
			return err
		}
		if _, err := l.clock.Wait(ctx, labTick, nil); err != nil {
			return err
		}
	}
}

// labSide is an end of a replication.
func labSide(world lab.View, export string) lab.ExportView {
	for _, x := range world.Arrays.Exports {
		if x.Export == export {
			return x
		}
	}
	return lab.ExportView{Export: export}
}

// labReplication finds the replication of a storage domain by its name or id.
func labReplication(world lab.View, domain string) (lab.ReplicationView, error) {
	for _, r := range world.Arrays.Replications {
		if r.Domain == domain || labSide(world, r.Source).DomainID == domain || labSide(world, r.Target).DomainID == domain {
			return r, nil
		}
	}
	return lab.ReplicationView{}, fmt.Errorf("no replicated storage domain %q", domain)
}

// labFailure tells a lab that is not there from one that says no.
func labFailure(err error) *runner.Result {
	var broken *url.Error
	var network *net.OpError
	if errors.As(err, &broken) || errors.As(err, &network) {
		return failure(runner.ExitRefused, runner.StatusRefused, "no-lab", err, "is the lab running? Start it with: drrun lab, and name its control API with --control or LAB_CONTROL (source lab.env)")
	}
	hint := "drrun lab status shows sites and storage domains"
	var refused *lab.ControlError
	if errors.As(err, &refused) && refused.Hint() != "" {
		err, hint = refused, refused.Hint()
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "lab", err, hint)
}
