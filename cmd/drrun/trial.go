package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

// trialOptions are what the commands are told that try Lua on a plan.
type trialOptions struct {
	reading
	Params     []string
	ParamsFile string
	Failback   bool
}

func trialFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "failback", Usage: "ctx is that of a failback: its source is the secondary, its target the primary"},
		paramFlag(),
		paramsFlag(),
		libFlag(),
	}
}

func trialOptionsOf(c *cli.Context, plan string) trialOptions {
	return trialOptions{reading: readingOf(c, plan), Params: listOf(c, "param"), ParamsFile: c.String("params"), Failback: c.Bool("failback")}
}

// options are what the runner needs; problem is what stands in the way.
func (o trialOptions) options(inv *invocation) (options runner.Options, problem *runner.Result) {
	options, wrong := o.reading.options(inv)
	if wrong != nil {
		return options, wrong.result()
	}
	if o.ParamsFile != "" {
		var err error
		if options.ParamsFile, err = options.Env.FS.ReadFile(o.ParamsFile); err != nil {
			return options, unreadable("--params", o.ParamsFile, err)
		}
	}
	options.ParamOverrides = o.Params
	if o.Failback {
		options.Action = "failback"
	}
	return options, nil
}

// openTrial loads the plan for a command that tries Lua on it. The trial is nil where it cannot be loaded, and the result says why.
func openTrial(ctx context.Context, options runner.Options, command string, inv *invocation) (*runner.Trial, *runner.Result) {
	trial, wrong := runner.NewTrial(ctx, hard(ctx), options, runner.TrialOptions{Said: inv.screen.line})
	if trial == nil {
		wrong.Action = command
		if !inv.json {
			inv.screen.line(findingsText(wrong.Findings))
		}
	}
	return trial, wrong
}
