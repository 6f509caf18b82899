package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
)

const watchHelp = `Checks a plan, and again whenever it is saved: the plan, every library that it requires, the file of --params and the CA certificates.
At each save it prints what is different: findings that are new and those that are gone, how many remain, and, where the plan is
sound, what changed in its meaning: a VM that came, a rank that is another one. It changes nothing. Ctrl-C ends it, with 0.

It looks at the plan alone; with --online it compares it with both sites too, and watches the inventory. Editors that put a new file in the
place of the old one are understood, and a library that is not there yet is found when it appears.

With --json-lines each look is one line of JSON. With --json nothing is shown until the end, and then one document about the last look.

EXAMPLES
drrun watch plan.lua
drrun watch plan.lua --online
drrun watch plan.lua --params night.json
drrun watch plan.lua --json-lines | jq -r '.new[].message'
`

func newWatchCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "watch", Usage: "check a plan at each save, and print what is different", UsageText: "drrun watch PLAN.lua [flags]", Description: watchHelp,
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "online", Usage: "compare the plan with both sites too"},
			&cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object of parameters, watched too"},
			listFlag("param", "`NAME=VALUE`: a parameter for the plan's hooks, over the plan's own; can be given several times"),
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			&cli.BoolFlag{Name: "json-lines", Usage: "write each look as one line of JSON"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			path := []string{"drrun", "watch"}
			args, err := exactly(c, path, "PLAN.lua")
			if err != nil {
				return err
			}
			if inv.json && c.Bool("json-lines") {
				return usage("--json is one document at the end, --json-lines one for each look: give one of the two").of(path)
			}
			o := watchOptions{reading: readingOf(c, args[0]), Params: listOf(c, "param"), Lines: c.Bool("json-lines"),
				WatchOptions: runner.WatchOptions{Online: c.Bool("online"), ParamsFile: c.String("params")}}
			inv.result = runWatch(c.Context, o, inv)
			return nil
		},
	}
}

type watchOptions struct {
	reading
	runner.WatchOptions
	Params []string
	Lines  bool // of JSON
}

func runWatch(ctx context.Context, o watchOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	options.Action, options.ParamOverrides = plans.ActionFailover, o.Params
	result := done("watch")
	runner.Watch(ctx, hard(ctx), options, o.WatchOptions, func(look runner.Look) {
		result.Plan, result.Findings = look.Result.Plan, look.Result.Findings
		switch {
		case o.Lines:
			inv.screen.out(lookLine(look))
		case !inv.json:
			inv.screen.out(lookText(look, o, inv.env.wall().Clock.Now()))
		}
	})
	return result
}

func lookLine(look runner.Look) string {
	text, err := json.Marshal(look)
	if err != nil {
		panic(fmt.Sprintf("encode a look: %v", err)) // our own types always encode
	}
	return string(text) + "\n"
}

// lookText is what a person is told of a look: the time of day and the verdict, and below them what is different.
func lookText(look runner.Look, o watchOptions, now time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s\n", now.Local().Format("15:04:05"), lookVerdict(look, o))
	if len(look.New) > 0 {
		b.WriteString(indentedBy("  ", findingsText(look.New)))
	}
	for _, f := range look.Gone {
		f.Source, f.Hint, f.Notes, f.Traceback = "", "", nil, ""
		b.WriteString("  gone: " + findingsText([]plans.Finding{f}))
	}
	for _, sentence := range look.Meaning {
		b.WriteString("  " + sentence + "\n")
	}
	if look.Error != nil {
		b.WriteString(indentedBy("  ", failureText(report.Failure(*look.Error))))
	}
	if look.First {
		fmt.Fprintf(&b, "watching %s; Ctrl-C ends it\n", report.Count(look.Files, "file"))
	}
	return b.String()
}

// lookVerdict says in a line what changed and how the plan stands.
func lookVerdict(look runner.Look, o watchOptions) string {
	var parts []string
	if len(look.New) > 0 && !look.First {
		parts = append(parts, fmt.Sprintf("%d new", len(look.New)))
	}
	if len(look.Gone) > 0 {
		parts = append(parts, fmt.Sprintf("%d gone", len(look.Gone)))
	}
	verdict := checkVerdict(look.Result.Findings, !o.Online)
	switch {
	case look.Error != nil:
		verdict = "no verdict"
	case !look.Sound:
		verdict = report.Count(look.Findings, "finding")
		if len(parts) > 0 {
			verdict += " now"
		} else if !look.First {
			verdict += " as before"
		}
	}
	text := strings.Join(append(parts, verdict), ", ")
	if len(look.Changed) > 0 {
		return someNames(look.Changed, 3) + ": " + text
	}
	return o.Plan + ": " + text
}

// indentedBy puts a margin in front of each line.
func indentedBy(margin, text string) string {
	return margin + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n"+margin) + "\n"
}
