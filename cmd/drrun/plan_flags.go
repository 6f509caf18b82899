package main

import "github.com/urfave/cli/v2"

// The flags of the commands that load a plan.

func libFlag() cli.Flag {
	return listFlag("lib", "`DIR` where require looks too; can be given several times")
}

func paramFlag() cli.Flag {
	return listFlag("param", "`NAME=VALUE`: a parameter for the plan's hooks, over the plan's own; can be given several times")
}

func paramsFlag() cli.Flag {
	return &cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object of parameters"}
}
