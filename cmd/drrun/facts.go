package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/plans/report"
	"drrun/plans/runner"
)

const factsHelp = `Prints the facts of a run as JSON, as the engine of the run's target has kept them: what the run decided before its first change,
which VMs it moves, in which order, what ran before and where everything belongs. It is for the day when the state folder is lost.
The state folder is not read, and nothing is changed.

A run posts its facts as events, in parts, unless its plan says events = false; an engine keeps events for 30 days unless it is set
otherwise. Both engines are asked, where they answer. The parts are put together and held against their sha256: what is missing or
altered is refused.

RUN is the whole id, as the events name it; without it the newest run is taken that an engine tells of.

EXAMPLES
drrun facts plan.lua
drrun facts plan.lua 20261120-0312-3f9a2c > facts.json
drrun facts plan.lua --json | jq '.facts.facts.vms[].name'
`

func newFactsCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "facts", Usage: "what a run had decided, from the engine that kept it", UsageText: "drrun facts PLAN.lua [RUN] [flags]", Description: factsHelp,
		Flags: []cli.Flag{libFlag(), jsonFlag()},
		Action: func(c *cli.Context) error {
			names := []string{"PLAN.lua", "RUN"}
			if c.Args().Len() < 2 {
				names = names[:1]
			}
			args, err := exactly(c, []string{"drrun", "facts"}, names...)
			if err != nil {
				return err
			}
			inv.result = runFacts(c.Context, readingOf(c, args[0]), append(args, "")[1], inv)
			return nil
		},
	}
}

func runFacts(ctx context.Context, o reading, run string, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	result := runner.EngineFacts(ctx, hard(ctx), options, run)
	if !inv.json && result.Facts != nil {
		inv.screen.line(factsOrigin(result))
		inv.screen.out(indented(result.Facts.Facts))
	}
	return result
}

// factsOrigin says where facts come from and what proves them.
func factsOrigin(result *runner.Result) string {
	f := result.Facts
	text := fmt.Sprintf("facts of run %s, from the engine of %s, posted %s: %s, sha256 %s holds", f.Run, f.Site, f.Time.UTC().Format(time.RFC3339), report.Count(f.Parts, "part"), f.SHA256)
	for _, warning := range result.Warnings {
		text += "\nwarning: " + warning
	}
	return text
}

// indented lays JSON out for people.
func indented(text json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, text, "", "  ") != nil { // it was proved to be JSON
		return string(text) + "\n"
	}
	return b.String() + "\n"
}
