package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/graph"
	"drrun/plans/runner"
)

const graphHelp = `Shows in which order the VMs of a plan start: the ranks, what each VM has to meet before the next ones go on, and the after lists. VMs
that stay down are shown as such (-, or dashed). --stop shows the order in which a planned move shuts them down. No engine is asked.

A rank of more than 60 VMs is summed up, unless --all.

EXAMPLES
drrun graph plan.lua
drrun graph plan.lua --stop
drrun graph plan.lua --format svg -o order.svg
drrun graph plan.lua --format dot | dot -Tpdf > order.pdf
`

var graphPath = []string{"drrun", "graph"}

var graphFormats = []string{"text", "dot", "svg"}

type graphOptions struct {
	reading
	graph.Options
	Action string
	Format string
	Out    string // "" means standard output
}

func newGraphCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "graph", Usage: "the boot order of a plan, as text, DOT or SVG", UsageText: "drrun graph PLAN.lua [flags]", Description: graphHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "text", Usage: "text, dot (for Graphviz) or svg"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE` instead of standard output"},
			&cli.BoolFlag{Name: "all", Usage: "show every VM of large ranks too"},
			&cli.BoolFlag{Name: "stop", Usage: "the order in which a planned move shuts the VMs down"},
			fromFlag(),
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, graphPath, "PLAN.lua")
			if err != nil {
				return err
			}
			o := graphOptions{reading: readingOf(c, args[0]), Options: graph.Options{All: c.Bool("all"), Stop: c.Bool("stop")}, Format: c.String("format"), Out: c.String("out")}
			if o.Action, err = actionFrom(c, graphPath); err != nil {
				return err
			}
			if !slices.Contains(graphFormats, o.Format) {
				problem := usage("there is no format %q", o.Format).of(graphPath)
				if nearest := lua.Nearest(o.Format, graphFormats); nearest != "" {
					return problem.hinted("did you mean --format %s?", nearest)
				}
				return problem.hinted("the formats are: %s", strings.Join(graphFormats, ", "))
			}
			inv.result = runGraph(c.Context, o, inv)
			return nil
		},
	}
}

func runGraph(ctx context.Context, o graphOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	options.Action = "graph"
	reading, result := runner.Read(ctx, hard(ctx), options)
	if reading == nil {
		inv.human = showUnreadable(inv)
		return result
	}
	survey, _ := reading.Survey(o.Action)
	drawing := graph.Draw(survey.BootOrder(), o.Options)
	text := ""
	switch o.Format {
	case "dot":
		text = drawing.DOT()
	case "svg":
		text = drawing.SVG()
	default:
		text = drawing.Text()
	}
	switch {
	case o.Out != "":
		if err := inv.env.wall().FS.WriteFile(o.Out, []byte(text), 0o644); err != nil {
			return failure(runner.ExitRefused, runner.StatusRefused, "file-not-written", fmt.Errorf("write %s: %w", o.Out, err), "give --out a file that this account can write")
		}
		if !inv.json {
			inv.screen.out("wrote " + o.Out + "\n")
		}
	case !inv.json:
		inv.screen.out(text)
	}
	result = withExtra(done("graph"), "graph", drawing)
	result.Plan = reading.Plan.Name
	return result
}
