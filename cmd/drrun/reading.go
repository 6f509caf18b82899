package main

import (
	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

// reading is what the commands are told that look at a plan and its sites and change nothing.
type reading struct {
	Plan  string
	Libs  []string
	State string // "" means the usual folder
}

func readingOf(c *cli.Context, plan string) reading {
	return reading{Plan: plan, Libs: listOf(c, "lib"), State: c.String("state")}
}

// options are what the runner needs for it, without the state folder.
func (r reading) options(inv *invocation) (runner.Options, *usageError) {
	model, speed, problem := inv.env.model()
	if problem != nil {
		return runner.Options{}, problem
	}
	asker, problem := newAsker(inv, model, nil, false)
	if problem != nil {
		return runner.Options{}, problem
	}
	return runner.Options{
		Env: model, PlanFile: r.Plan, LibDirs: r.Libs, Asker: asker, Secrets: asker.resolver(), Speed: speed,
		Version: versionText(), Host: inv.env.Host, User: inv.env.User,
	}, nil
}

// optionsWithState are options for a command that reads the runs of the state folder too.
func (r reading) optionsWithState(inv *invocation) (runner.Options, *usageError) {
	state, problem := inv.env.stateDir(r.State)
	if problem != nil {
		return runner.Options{}, problem
	}
	o, problem := r.options(inv)
	o.StateDir = state
	return o, problem
}
