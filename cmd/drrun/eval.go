package main

import (
	"context"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/runner"
)

const evalHelp = `Evaluates a Lua expression on a plan and prints its value: to look at a plan, to ask a site something, to try a line of a hook.
Statements can be given too; what they return is printed.

  plan                  the plan: plan.vms, plan.storage_domains, plan.params, …
  primary, secondary    the two sites: primary:vm("web01"):status()
  ctx                   what a hook gets: ctx.facts, ctx.params, ctx.target, ctx:log("…")
  dr, require           as in a plan: require("dns").lookup("web01.example.com")

It changes nothing: a call that would is refused (code read-only). What needs the plan alone asks no engine; a site is asked, and its
password looked for, when the expression first reads it. ctx.facts is made of the plan and the inventory beside it, so that it can be
had when a site is dead: ids that only the target's engine knows are empty, and a run may find other states.

A text is printed as it is, every other value as Lua writes it, tables sorted. With --json the values are in extra.values.

EXAMPLES
drrun eval '#plan.vms' plan.lua
drrun eval 'plan.vms[1].boot' plan.lua
drrun eval 'primary:vm("web01"):status()' plan.lua
drrun eval 'for _, vm in ipairs(plan.vms) do if vm.rank == 0 then print(vm.name) end end' plan.lua
drrun eval 'require("dns").lookup("web01.example.com")' plan.lua
drrun eval 'ctx.facts.vms' plan.lua --json | jq '.extra.values[0][].name'
`

func newEvalCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "eval", Usage: "evaluate a Lua expression on a plan and its sites", UsageText: "drrun eval EXPRESSION PLAN.lua [flags]", Description: evalHelp, HideHelpCommand: true,
		Flags: append(trialFlags(), jsonFlag()),
		Action: func(c *cli.Context) error {
			path := []string{"drrun", "eval"}
			if c.Args().Len() == 1 && strings.HasSuffix(c.Args().First(), ".lua") {
				return usage("drrun eval needs an EXPRESSION before the plan").hinted("drrun eval '#plan.vms' %s", shellWord(c.Args().First())).of(path)
			}
			args, err := exactly(c, path, "EXPRESSION", "PLAN.lua")
			if err != nil {
				return err
			}
			if strings.HasSuffix(args[0], ".lua") && !strings.HasSuffix(args[1], ".lua") {
				return usage("the plan stands behind the expression").hinted("drrun eval %s %s", shellWord(args[1]), shellWord(args[0])).of(path)
			}
			inv.result = runEval(c.Context, args[0], trialOptionsOf(c, args[1]), inv)
			return nil
		},
	}
}

func runEval(ctx context.Context, expression string, o trialOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem
	}
	trial, wrong := openTrial(ctx, options, "eval", inv)
	if trial == nil {
		return wrong
	}
	values, err := trial.Run(ctx, hard(ctx), "eval", expression)
	text, data := "", []any{}
	for _, value := range values {
		data = append(data, trial.JSON(value))
		text += valueText(value) + "\n"
	}
	result := interrupted(ctx, trial.End(ctx, err))
	result.Action, result.Findings = "eval", nil // the plan's warnings are for drrun check
	if result.Error == nil && !inv.json {
		inv.screen.out(trial.Redact(text))
	}
	return withExtra(result, "values", data)
}

// valueText is a value for a person, or for a pipe: a text is what it is.
func valueText(value lua.Value) string {
	if text, plain := value.Plain(); plain {
		return text
	}
	return value.Text(0)
}
