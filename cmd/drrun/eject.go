package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/runner"
	"drrun/stdlib"
)

const ejectHelp = `Writes a built-in workflow into a file of your own, as readable Lua, to be changed there: failover, failback, clean or rollback, or the
stages that they are made of (steps). What is written, unchanged, does exactly what the built-in one does.

The file must lie where the plan's require finds it: in the plan's folder, in its lib, or in a folder that is given with --lib. A file
that is there already is not replaced, unless --force.

For a few changed lines no copy is needed: dr.workflows.failover(ctx, { before = { boot = function(ctx) … end } }). See drrun docs dr.steps.

EXAMPLES
drrun eject failover
drrun eject failover --dir lib
drrun eject steps -o lib/our_steps.lua
drrun eject rollback --json | jq -r .extra.ejected.use
`

var ejectPath = []string{"drrun", "eject"}

type ejectOptions struct {
	Name  string
	Dir   string
	Out   string // "" means NAME.lua in Dir
	Force bool
}

func newEjectCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "eject", Usage: "write a built-in workflow into a file, to be changed", UsageText: "drrun eject failover|failback|clean|rollback|steps [flags]", Description: ejectHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "write WORKFLOW.lua into `DIR`; default: the working folder"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE`, which ends with .lua"},
			&cli.BoolFlag{Name: "force", Usage: "replace the file where it is there already"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, ejectPath, "WORKFLOW")
			if err != nil {
				return err
			}
			o := ejectOptions{Name: args[0], Dir: c.String("dir"), Out: c.String("out"), Force: c.Bool("force")}
			switch {
			case !slices.Contains(stdlib.Ejectable, o.Name):
				problem := usage("there is no built-in workflow %q", o.Name).of(ejectPath)
				if nearest := lua.Nearest(o.Name, stdlib.Ejectable); nearest != "" {
					return problem.hinted("did you mean %s? drrun eject %s", nearest, nearest)
				}
				return problem.hinted("there are: %s", strings.Join(stdlib.Ejectable, ", "))
			case c.IsSet("dir") && o.Out != "":
				return usage("--dir and --out both say where it is written").hinted("give one of the two").of(ejectPath)
			}
			inv.result = runEject(o, inv)
			return nil
		},
	}
}

func runEject(o ejectOptions, inv *invocation) *runner.Result {
	file := o.Out
	if file == "" {
		file = filepath.Join(o.Dir, o.Name+".lua")
	}
	module, isLua := strings.CutSuffix(filepath.Base(file), ".lua")
	if !isLua || !lua.IsModuleName(module) || strings.Contains(module, ".") {
		return usage("--out %q is no file that a plan can require", o.Out).hinted("give it a name of letters, digits, - and _ that ends with .lua").of(ejectPath).result()
	}
	files := inv.env.wall().FS
	if _, err := files.Stat(file); !o.Force && !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = errors.New("it is there already; it was left as it is")
		}
		return failure(runner.ExitRefused, runner.StatusRefused, "file-exists", fmt.Errorf("write %s: %w", file, err),
			"write to another file: -o FILE.lua; or replace it: --force")
	}
	err := files.MkdirAll(filepath.Dir(file))
	if err == nil {
		err = files.WriteFile(file, stdlib.Eject(o.Name, module), 0o644)
	}
	if err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "file-not-written", fmt.Errorf("write %s: %w", file, err), "give a folder that this account can write to: --dir DIR")
	}
	use := stdlib.EjectedUse(o.Name, module)
	if !inv.json {
		where := "above \"return plan\" in the plan"
		if o.Name == "steps" {
			where = "in the workflow, where it begins"
		}
		inv.screen.out(fmt.Sprintf("wrote %s\nto use it, write this %s:\n\n    %s\n\nthen: drrun check PLAN.lua\n", file, where, use))
	}
	return withExtra(done("eject"), "ejected", map[string]string{"workflow": o.Name, "file": file, "module": module, "use": use})
}
