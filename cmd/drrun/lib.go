package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"drrun/plans/libtest"
	"drrun/plans/runner"
)

const libHelp = `Hook libraries of a site: what its arrays, names and load balancers need, written once, tested, and shared in git.

A library is a Lua file that returns dr.library { … }. It lies in a folder named lib: beside a plan, or anywhere else with --lib DIR.

COMMANDS
new NAME    make a library that works, and its test

EXAMPLES
drrun lib new site.netapp
drrun test-lib lib
`

const libNewHelp = `Makes a library that works, and a test that it passes: change it step by step, and keep the test green.

The name is what a plan requires: site.netapp is the file lib/site/netapp.lua, its test lib/site/netapp_test.lua. No file is overwritten.

EXAMPLES
drrun lib new site.netapp
drrun lib new netapp --dir /srv/drrun/lib
`

func newLibCommand(inv *invocation) *cli.Command {
	path := []string{"drrun", "lib", "new"}
	created := &cli.Command{
		Name: "new", Usage: "make a library that works, and its test", UsageText: "drrun lib new NAME [--dir DIR] [--json]", Description: libNewHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: "lib", Usage: "`DIR` for libraries, where require looks"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			given, err := exactly(c, path, "NAME")
			if err != nil {
				return err
			}
			result, err := runLibNew(given[0], c.String("dir"), inv)
			inv.result = result
			return err
		},
	}
	return &cli.Command{
		Name: "lib", Usage: "make a hook library of this site", UsageText: "drrun lib COMMAND", Description: libHelp,
		Subcommands: []*cli.Command{created}, Flags: []cli.Flag{jsonFlag()},
		Action: func(*cli.Context) error {
			return usage("drrun lib needs a command: new").of([]string{"drrun", "lib"})
		},
	}
}

func runLibNew(name, folder string, inv *invocation) (*runner.Result, error) {
	made, err := libtest.NewLibrary(inv.env.wall().FS, folder, name)
	var wrong *libtest.NameError
	var taken *libtest.TakenError
	switch {
	case errors.As(err, &wrong):
		return nil, usage("%v", wrong).hinted("%s", wrong.Hint).of([]string{"drrun", "lib", "new"})
	case errors.As(err, &taken):
		return failure(runner.ExitRefused, runner.StatusRefused, "file-exists", fmt.Errorf("make the library %s: %w; nothing was written", name, taken),
			"give another name, or move the file away"), nil
	case err != nil:
		return failure(runner.ExitInvalid, runner.StatusInvalid, "lib-new", fmt.Errorf("make the library %s: %w", name, err), "give --dir a folder that this account can write"), nil
	}
	if !inv.json {
		inv.screen.out(fmt.Sprintf("made %s\nmade %s\n\nrun its test:     drrun test-lib %s\nuse it in a plan: %s\n", made.Library, made.Test, folder, made.Use))
	}
	return withExtra(done("lib new"), "library", made), nil
}
