package main

import (
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
		listFlag("param", "`NAME=VALUE`: a parameter for the plan's hooks, over the plan's own; can be given several times"),
		&cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object of parameters"},
		listFlag("lib", "`DIR` where require looks too; can be given several times"),
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
