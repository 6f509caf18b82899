package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
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
in drrun eval.

With --write changes are made, and the console is a run of its own: it checks the plan against both sites first, takes the locks on its
storage domains here and in the engines, keeps every line and every change in its journal, and has a report (drrun show, drrun report). The
rules of every run hold: only objects of the plan are touched, a VM starts only on evidence that the source cannot run it, and the source
is changed only with --planned. It leads from the primary to the secondary, with --failback the other way. Hooks run only where you call
them. It ends with the console; one that was cut off is closed with drrun abort.

The lines are kept in the state folder, but for those that begin with a space or seem to hold a password.

Without a plan there are dr, require and what only computes.

EXAMPLES
drrun console plan.lua
drrun console
drrun console plan.lua --write --planned
echo 'for _, vm in ipairs(plan.vms) do print(vm.name, primary:vm(vm.name):status()) end' | drrun console plan.lua
`

func newConsoleCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "console", Usage: "a Lua prompt on a plan and its sites", UsageText: "drrun console [PLAN.lua] [flags]", Description: consoleHelp,
		Flags: slices.Concat([]cli.Flag{
			&cli.BoolFlag{Name: "write", Usage: "make changes, as a run of its own; the flags about runs below go with it"},
			&cli.BoolFlag{Name: "planned", Usage: "with --write: the source is alive, and may be changed too"},
		}, trialFlags(), runFlags()),
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
			o := consoleOptions{trialOptions: trialOptionsOf(c, plan), run: runOptionsOf(c, inv), Planned: c.Bool("planned")}
			if !c.Bool("write") {
				for _, name := range onlyWithWrite {
					if c.IsSet(name) {
						return usage("--%s goes with --write: without it nothing is changed", name).of(path)
					}
				}
				inv.result = runConsole(c.Context, o.trialOptions, inv)
				return nil
			}
			if plan == "" {
				return usage("--write needs a plan: it changes only what the plan names").hinted("drrun console PLAN.lua --write").of(path)
			}
			inv.result = runWritingConsole(c.Context, o, inv)
			return nil
		},
	}
}

// onlyWithWrite are the flags that mean nothing where nothing is changed.
var onlyWithWrite = []string{"planned", "confirm-source-down", "accept-loss", "confirm-stale", "answer", "yes", "wait-for-answers", "break-lock", "mirror"}

type consoleOptions struct {
	trialOptions
	run     runOptions
	Planned bool
}

// runWritingConsole is runConsole for a console that is a run.
func runWritingConsole(ctx context.Context, o consoleOptions, inv *invocation) *runner.Result {
	options, over, problem := inv.runnerOptions(o.run)
	if problem != nil {
		return problem.of([]string{"drrun", "console"}).result()
	}
	defer over()
	if o.ParamsFile != "" {
		var err error
		if options.ParamsFile, err = options.Env.FS.ReadFile(o.ParamsFile); err != nil {
			return unreadable("--params", o.ParamsFile, err)
		}
	}
	options.PlanFile, options.LibDirs, options.ParamOverrides, options.Planned, options.Backwards = o.Plan, o.Libs, o.Params, o.Planned, o.Failback
	options.Observe, options.Began = func(e engine.Event) { inv.screen.line(changeText(e)) }, nil
	inv.human = func(r *runner.Result) {
		if r.Run != "" {
			inv.screen.out(strings.Join(append(slices.Concat(r.Verdicts, warned(r.Warnings)), ""), "\n"))
			inv.screen.out(fmt.Sprintf("run %s: %s; what was done: drrun show %s%s\n", r.Run, outcomeWords(r.Status, r.Exit), r.Run, stateArgument(o.State)))
		}
		writeError(inv.env.Stderr, r)
	}
	c := &console{inv: inv, outputs: []consoleOutput{}}
	result := runner.Console(ctx, hard(ctx), options, runner.TrialOptions{Said: inv.screen.line, Unattended: !inv.env.interactive()}, func(trial *runner.Trial) error {
		c.trial = trial
		return c.talk(ctx, o.Plan+" (run "+trial.RunID()+"): what you type CHANGES the sites of the plan.", o.trialOptions, options.Env)
	})
	return withExtra(located(result, o.run), "inputs", c.outputs)
}

// changeText says what a run that is typed does; "" for what nobody has to be told.
func changeText(e engine.Event) string {
	switch e.Kind {
	case "log", "verdict":
		return e.Text
	case "warning":
		return "warning: " + e.Text
	case "intent":
		if slices.Contains([]string{ovirt.KindVM, ovirt.KindStorageDomain, ovirt.KindTemplate, ovirt.KindNIC, ovirt.KindHost}, e.Subject.Kind) {
			return fmt.Sprintf("%s: %s %s", e.Subject.Site, e.Text, e.Subject.Name)
		}
	}
	return ""
}

func runConsole(ctx context.Context, o trialOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem
	}
	trial, wrong := openTrial(ctx, options, "console", inv)
	if trial == nil {
		return wrong
	}
	c := &console{inv: inv, trial: trial, outputs: []consoleOutput{}}
	about := o.Plan
	if about == "" {
		about = "no plan"
	}
	readErr := c.talk(ctx, about+": nothing is changed here.", o, options.Env)
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

// talk opens the prompt and answers until it is left.
func (c *console) talk(ctx context.Context, about string, o trialOptions, model engine.Env) error {
	history := &consoleHistory{}
	if c.inv.env.interactive() {
		state, problem := c.inv.env.stateDir(o.State)
		if problem != nil {
			return problem
		}
		var err error
		if history, err = openHistory(c.inv.env.wall(), state); err != nil {
			c.inv.screen.line("warning: " + err.Error())
		}
		defer history.close()
		c.inv.screen.line("drrun console on " + about + " Tab completes, :help NAME explains, Ctrl-D leaves.")
	}
	c.editor = newLineEditor(c.inv.env, model, history, func(text string) (int, []string) { return c.complete(ctx, text) })
	return c.loop(ctx)
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
		if word := strings.TrimSpace(line); c.typed == "" && slices.Contains([]string{"help", "exit", "quit", "?"}, word) {
			c.show(word + " is no command here: :help explains, :quit leaves\n")
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
	output := consoleOutput{Input: c.trial.Redact(text), Values: []any{}}
	defer func() {
		if c.inv.json { // else nobody reads them, and a console is open for hours
			c.outputs = append(c.outputs, output)
		}
	}()
	if err != nil {
		c.failed++
		output.Errors = c.refuse(soft, err)
		return
	}
	var b strings.Builder
	for _, value := range values {
		b.WriteString(value.Text(shownEntries) + "\n")
		if c.inv.json {
			output.Values = append(output.Values, c.trial.JSON(value))
		}
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
