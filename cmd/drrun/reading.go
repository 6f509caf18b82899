package main

import (
	"context"

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

// read reads the plan, and asks no engine. refused is the result for one that cannot be read.
func (r reading) read(ctx context.Context, command string, inv *invocation) (plan *runner.Reading, refused *runner.Result) {
	options, problem := r.options(inv)
	if problem != nil {
		return nil, problem.result()
	}
	options.Action = command
	plan, refused = runner.Read(ctx, hard(ctx), options)
	if plan == nil {
		inv.human = func(result *runner.Result) {
			inv.screen.out(findingsText(result.Findings) + explainHint(result.Findings))
			writeError(inv.env.Stderr, result)
		}
	}
	return plan, refused
}
