package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans"
	"drrun/plans/annotations"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// staleTypes says that the definition files beside a plan are those of another drrun, "" where they are not.
func staleTypes(readFile func(string) ([]byte, error), plan string) string {
	dir := filepath.Dir(plan)
	if !annotations.Stale(readFile, dir) {
		return ""
	}
	return "the types in " + filepath.Join(dir, annotations.Folder) + " are of another drrun: " + typesCommand(dir) + "\n"
}

// typesCommand is the command that writes the types of a folder.
func typesCommand(dir string) string {
	if dir == "." {
		return "drrun types --inventory"
	}
	return "drrun types --inventory --dir " + shellWord(dir)
}

const typesHelp = `Teaches an editor what plans can use: completion, help beside the cursor, and warnings while you type. It writes definition files
for lua-language-server below .drrun/types, and adds to .luarc.json what that needs; other settings and comments in it stay. Any
editor with lua-language-server then knows dr, ctx, the modules for hooks, and each key of a plan. Run it again after an upgrade.

With --inventory the names of your sites are known too: VMs, clusters, networks, vNIC profiles, data centers and storage domains,
from the plans that are named (else those in the folder) and the inventory beside each. A wrong name is a warning in the editor.
No engine is asked: drrun snapshot brings an inventory up to date. Without --inventory any name will do.

EXAMPLES
drrun types
drrun types --inventory
drrun types --inventory plan.lua --dir /etc/drrun
drrun types --lib /usr/share/drrun/lib
`

func newTypesCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "types", Usage: "teach an editor what plans can use", UsageText: "drrun types [--dir DIR] [--inventory [PLAN.lua …]]", Description: typesHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "`DIR` with the plans, as the editor opens it; default: this folder"},
			&cli.BoolFlag{Name: "inventory", Usage: "know the names of the sites, too"},
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			o := typesOptions{Dir: c.String("dir"), Inventory: c.Bool("inventory"), Plans: c.Args().Slice(), Libs: listOf(c, "lib")}
			if len(o.Plans) > 0 && !o.Inventory {
				return usage("drrun types takes plans only with --inventory: %q", o.Plans[0]).
					hinted("drrun types --inventory %s", shellWord(o.Plans[0])).of([]string{"drrun", "types"})
			}
			inv.result = runTypes(c.Context, o, inv)
			return nil
		},
	}
}

type typesOptions struct {
	Dir       string
	Inventory bool
	Plans     []string // none: those of Dir that have an inventory
	Libs      []string
}

func runTypes(ctx context.Context, o typesOptions, inv *invocation) *runner.Result {
	model, _, problem := inv.env.model()
	if problem != nil {
		return problem.result()
	}
	if entry, err := model.FS.Stat(o.Dir); err != nil || !entry.Dir {
		return unreadableFolder(o.Dir, err)
	}
	result := done("types")
	var names annotations.Names
	if o.Inventory {
		var refused *runner.Result
		if names, refused = o.names(ctx, model, inv, result); refused != nil {
			return refused
		}
	}
	written, err := annotations.Write(model.FS, o.Dir, names, o.Libs)
	if err != nil {
		return typesFailure(err)
	}
	if !inv.json {
		inv.screen.out(typesText(o, written, names) + strings.Join(append(warned(result.Warnings), ""), "\n"))
	}
	return withExtra(withExtra(result, "written", written), "names", names.Counts())
}

func unreadableFolder(dir string, err error) *runner.Result {
	if err == nil {
		err = errors.New("it is a file")
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "types", fmt.Errorf("write types into %s: %w", dir, pathless(err)), "give --dir the folder that has your plans")
}

// pathless drops the path from a file error whose message names it already.
func pathless(err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

func typesFailure(err error) *runner.Result {
	hint := "give --dir a folder that this account can write, then: drrun types"
	if errors.As(err, new(*annotations.SettingsError)) {
		hint = "correct the file, or move it away, then: drrun types"
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "types", err, hint)
}

// names collects the names of the sites from the plans and their inventories. A plan that cannot be read is a warning where its inventory
// can: it is edited just now.
func (o typesOptions) names(ctx context.Context, model engine.Env, inv *invocation, result *runner.Result) (annotations.Names, *runner.Result) {
	files := o.Plans
	if len(files) == 0 {
		var err error
		if files, err = plansWithInventory(model.FS, o.Dir); err != nil {
			return nil, unreadableFolder(o.Dir, err)
		}
		if len(files) == 0 {
			return nil, failure(runner.ExitInvalid, runner.StatusInvalid, "inventory",
				fmt.Errorf("%s has no plan with an inventory beside it, such as plan.lua with plan.inventory.json; nothing was written", o.Dir),
				"drrun generate makes both, drrun snapshot PLAN.lua the inventory of a plan; without names: drrun types")
		}
	}
	names := annotations.Names{}
	for _, file := range files {
		options, problem := (reading{Plan: file, Libs: o.Libs}).options(inv)
		if problem != nil {
			return nil, problem.result()
		}
		var plan *plans.Plan
		if reading, _ := runner.Read(ctx, hard(ctx), options); reading != nil {
			plan = reading.Plan
		}
		inventory, err := plans.ReadInventory(model.FS.ReadFile, file)
		switch {
		case plan == nil && err != nil:
			return nil, failure(runner.ExitInvalid, runner.StatusInvalid, "inventory",
				fmt.Errorf("learn the names of %s: its text cannot be read, and %w; nothing was written", file, err), "drrun check "+shellWord(file)+" --offline")
		case plan == nil:
			result.Warnings = append(result.Warnings, fmt.Sprintf("%s cannot be read: the names are those of its inventory alone: drrun check %s --offline", file, shellWord(file)))
		case err != nil:
			result.Warnings = append(result.Warnings, fmt.Sprintf("%v: the names of clusters and networks are not known: drrun snapshot %s", err, shellWord(file)))
		}
		if plan != nil {
			names.AddPlan(plan)
		}
		if err == nil {
			names.AddInventory(inventory)
		}
	}
	return names, nil
}

// plansWithInventory finds the plans of a folder that have an inventory.
func plansWithInventory(files engine.FS, dir string) ([]string, error) {
	entries, err := files.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		stem, isPlan := strings.CutSuffix(entry.Name, ".lua")
		if isPlan && slices.ContainsFunc(entries, func(e engine.Entry) bool { return e.Name == stem+".inventory.json" }) {
			found = append(found, filepath.Join(dir, entry.Name))
		}
	}
	return found, nil
}

func typesText(o typesOptions, written annotations.Written, names annotations.Names) string {
	var b strings.Builder
	state := "as they were"
	if written.Changed > 0 {
		state = fmt.Sprintf("%d new or changed", written.Changed)
	}
	fmt.Fprintf(&b, "%s and %s: %s, %s\n", filepath.Join(o.Dir, annotations.Folder), filepath.Join(o.Dir, annotations.SettingsFile), report.Count(len(written.Files), "file"), state)
	if o.Inventory {
		var parts []string
		for _, count := range names.Counts() {
			parts = append(parts, report.Count(count.Count, count.What))
		}
		fmt.Fprintf(&b, "names: %s\n", strings.Join(parts, ", "))
	}
	for _, words := range written.Replaced {
		fmt.Fprintf(&b, "changed in %s: %s\n", annotations.SettingsFile, words)
	}
	fmt.Fprintf(&b, "next: open %s in an editor with lua-language-server\n", shellWord(o.Dir))
	return b.String()
}
