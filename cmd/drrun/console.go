package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/lua"
	"drrun/plans/report"
	"drrun/plans/runner"
)

const consoleHelp = `A Lua prompt on a plan: to look around in it, to ask its sites something, to try a hook line by line.

  plan                  the plan: plan.vms, plan.storage_domains, plan.params, …
  primary, secondary    the two sites: primary:vm("web01"):status()
  ctx                   what a hook gets: ctx.facts, ctx.params, ctx.target, ctx:log("…")
  dr, require           as in a plan

An expression prints its value. Variables stay for the next line, with or without local. Input that is not complete goes on in the
next line. The tabulator completes variables, fields, methods, named arguments, and names of VMs in quotes; :help NAME shows what is
declared of a function. Ctrl-C drops the line, or ends what runs; Ctrl-D leaves. Without a terminal, lines are read from the standard input.

It changes nothing: a call that would is refused (code read-only). Engines and passwords are asked when a line first needs them; ctx is as
in drrun eval. The lines are kept in the state folder, but for those that begin with a space or seem to hold a password.

Without a plan there are dr, require and what only computes.

EXAMPLES
drrun console plan.lua
drrun console
echo 'for _, vm in ipairs(plan.vms) do print(vm.name, primary:vm(vm.name):status()) end' | drrun console plan.lua
`

func newConsoleCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "console", Usage: "a Lua prompt on a plan and its sites", UsageText: "drrun console [PLAN.lua] [flags]", Description: consoleHelp,
		Flags: append(trialFlags(), stateFlag(), jsonFlag()),
		Action: func(c *cli.Context) error {
			path := []string{"drrun", "console"}
			plan := ""
			if c.Args().Len() > 0 {
				args, err := exactly(c, path, "PLAN.lua")
				if err != nil {
					return err
				}
				plan = args[0]
			}
			inv.result = runConsole(c.Context, trialOptionsOf(c, plan), inv)
			return nil
		},
	}
}

func runConsole(ctx context.Context, o trialOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem
	}
	trial, wrong := runner.NewTrial(ctx, hard(ctx), options, runner.TrialOptions{Said: inv.screen.line})
	if trial == nil {
		wrong.Action = "console"
		if !inv.json {
			inv.screen.line(findingsText(wrong.Findings))
		}
		return wrong
	}
	c := &console{inv: inv, trial: trial, outputs: []consoleOutput{}}
	history := &consoleHistory{}
	if inv.env.interactive() {
		state, problem := inv.env.stateDir(o.State)
		if problem != nil {
			return problem.result()
		}
		var err error
		if history, err = openHistory(inv.env.wall(), state); err != nil {
			inv.screen.line("warning: " + err.Error())
		}
		defer history.close()
		inv.screen.line(greeting(o.Plan))
	}
	c.editor = newLineEditor(inv.env, options.Env, history, func(text string) (int, []string) { return c.complete(ctx, text) })
	readErr := c.loop(ctx)
	result := trial.End(context.WithoutCancel(ctx), nil)
	result.Action, result.Findings = "console", nil
	if readErr != nil && ctx.Err() != nil {
		result = failure(runner.ExitInterrupted, runner.StatusInterrupted, "interrupted", errors.New("interrupted while the console was open; nothing was changed"), "")
	} else if readErr != nil {
		result = failure(runner.ExitInternal, runner.StatusInternal, "console", readErr, "start it again")
	} else if c.failed > 0 && !inv.env.interactive() {
		result = failure(runner.ExitInvalid, runner.StatusInvalid, "input", fmt.Errorf("%s of %d failed; nothing was changed", report.Count(c.failed, "input"), c.count), "correct it; what was wrong stands above")
	}
	result.Action = "console"
	return withExtra(result, "inputs", c.outputs)
}

func greeting(plan string) string {
	about := "no plan"
	if plan != "" {
		about = plan
	}
	return "drrun console on " + about + ": nothing is changed here. Tab completes, :help NAME explains, Ctrl-D leaves."
}

// console is a prompt and what was typed at it.
type console struct {
	inv     *invocation
	trial   *runner.Trial
	editor  *lineEditor
	typed   string // of an input that is not complete
	count   int
	failed  int
	outputs []consoleOutput // for --json
}

// consoleOutput is what came of one input.
type consoleOutput struct {
	Input  string           `json:"input"`
	Values []any            `json:"values"`
	Errors []consoleProblem `json:"errors,omitempty"`
}

type consoleProblem struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Pos     lua.Pos `json:"pos"`
	Hint    string  `json:"hint,omitempty"`
}

// loop reads and answers until there is nothing more to read.
func (c *console) loop(ctx context.Context) error {
	for {
		prompt := "> "
		if c.typed != "" {
			prompt = ".. "
		}
		line, err := c.editor.read(ctx, prompt)
		switch {
		case errors.Is(err, errDropped):
			c.typed = ""
			continue
		case errors.Is(err, io.EOF):
			if c.typed != "" { // what is missing is told as an error
				c.answer(ctx, c.typed)
			}
			return nil
		case err != nil:
			return err
		}
		if c.typed == "" && strings.HasPrefix(strings.TrimSpace(line), ":") {
			if c.command(ctx, strings.TrimSpace(line)) {
				return nil
			}
			continue
		}
		c.typed += line
		if strings.TrimSpace(c.typed) == "" {
			c.typed = ""
			continue
		}
		if lua.Incomplete(c.typed) {
			c.typed += "\n"
			continue
		}
		text := c.typed
		c.typed = ""
		c.answer(ctx, text)
	}
}

// command carries out a line that is no Lua; it tells whether the console is to end.
func (c *console) command(ctx context.Context, line string) (leave bool) {
	name, argument, _ := strings.Cut(line, " ")
	switch argument = strings.TrimSpace(argument); {
	case name == ":quit" || name == ":q":
		return true
	case name == ":help" && argument == "":
		c.show("An expression prints its value; variables stay. Known at first: plan, primary, secondary, ctx, dr, require.\n" +
			":help NAME   what is declared of it: :help ctx, :help primary:vm, :help dns.lookup, :help start\n:quit        leaves, as Ctrl-D does\n")
	case name == ":help":
		text := c.trial.Help(ctx, argument)
		if text == "" {
			text = fmt.Sprintf("nothing is declared of %q; :help ctx, :help site, :help vm and :help dns show what there is\n", argument)
		}
		c.show(text)
	default:
		c.show(fmt.Sprintf("there is no command %s; there are :help [NAME] and :quit\n", name))
	}
	return false
}

func (c *console) show(text string) {
	if !c.inv.json {
		c.inv.screen.out(text)
	}
}

// shownEntries is how many entries of a table a console shows.
const shownEntries = 100

// answer runs an input and shows its values, or what is wrong with it. The first Ctrl-C ends what looks, the second all of it.
func (c *console) answer(ctx context.Context, text string) {
	c.count++
	soft, cutSoft := context.WithCancelCause(ctx)
	defer cutSoft(nil)
	firm, cutFirm := context.WithCancelCause(hard(ctx))
	defer cutFirm(nil)
	defer c.inv.catch(func() bool {
		if soft.Err() != nil {
			cutFirm(errInterrupted)
		}
		cutSoft(errInterrupted)
		return true
	})()
	values, err := c.trial.Run(soft, firm, fmt.Sprintf("input %d", c.count), text)
	output := consoleOutput{Input: text, Values: []any{}}
	defer func() { c.outputs = append(c.outputs, output) }()
	if err != nil {
		c.failed++
		output.Errors = c.refuse(soft, err)
		return
	}
	var b strings.Builder
	for _, value := range values {
		b.WriteString(value.Text(shownEntries) + "\n")
		output.Values = append(output.Values, value.JSON())
	}
	c.show(c.trial.Redact(b.String()))
}

// refuse shows what is wrong with an input.
func (c *console) refuse(soft context.Context, err error) []consoleProblem {
	var problems []consoleProblem
	if soft.Err() != nil {
		problems = append(problems, consoleProblem{Code: "interrupted", Message: "interrupted"})
		c.inv.screen.line("interrupted")
		return problems
	}
	var b strings.Builder
	for _, d := range lua.AsDiagnostics(err) {
		problems = append(problems, consoleProblem{Code: d.Code, Message: c.trial.Redact(d.Message), Pos: d.Pos, Hint: d.Hint})
		lua.Render(&b, d)
	}
	if !c.inv.json {
		c.inv.screen.line(c.trial.Redact(b.String()))
	}
	return problems
}

// complete completes a line that goes on what was typed before it.
func (c *console) complete(ctx context.Context, line string) (from int, words []string) {
	before := c.typed
	if before == "" {
		if rest, isHelp := strings.CutPrefix(line, ":help "); isHelp {
			from, words = c.trial.Complete(ctx, rest)
			return from + len(":help "), words
		}
	}
	from, words = c.trial.Complete(ctx, before+line)
	return max(from-len(before), 0), words
}
