package main

import (
	"fmt"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

type versionOptions struct{ JSON bool }

func newVersionCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "version", Usage: "show the version of drrun", UsageText: "drrun version [--json]",
		Description: "Shows the version of this program, the Go version that built it and the kind of machine.\n\nEXAMPLES\ndrrun version\n",
		Flags:       []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			if _, err := exactly(c, []string{"drrun", "version"}); err != nil {
				return err
			}
			inv.result = runVersion(versionOptions{JSON: inv.json}, inv.screen)
			return nil
		},
	}
}

func runVersion(o versionOptions, s *screen) *runner.Result {
	if !o.JSON {
		s.out(fmt.Sprintf("drrun %s (%s)\n", versionText(), platform()))
	}
	return withExtra(done("version"), "version", versionText())
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print one JSON document on stdout, and nothing else there"}
}
