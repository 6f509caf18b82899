package main

import (
	"context"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

type resumeOptions struct {
	runOptions
	Run        string
	Plan       optional // --plan [FILE]
	Libs       []string
	Params     []string // NAME=VALUE
	ParamsFile string
	Redo       []string
	Preview    bool
}

const resumeHelp = `Goes on with a run that was interrupted, stopped or cut off, or tries again what failed in one that finished.

The run goes on with the plan as it was when the run began. What is done already is found done and not done again. Evidence
and confirmations of earlier attempts do not count: they are collected and asked for anew.

When the machine that ran it is lost, or its state folder, another one takes the run over from its mirror (--mirror of the command that
began it). A process that still works on the run there finds its locks replaced, and stops.

With --plan it goes on with the plan as it is on the disk now: with the file that the run was begun with, or with FILE. First it
shows what that means, and asks (prompt resume_plan; without a terminal --yes or --answer resume_plan=yes): what is skipped because
it is done, what will run, what is recorded and no longer in the plan, and what was done under an older text and is not done again.
Sites, storage domains and direction cannot change, and VMs, ranks and mappings stay those that the run began with. So do its
parameters, whatever the new text says, unless --param or --params changes them. If you say no, nothing was written.

--preview shows the same without --plan too, asks no engine, writes nothing, and ends.

--redo KEY repeats a hook, a step or a prompt whatever is recorded; drrun show RUN --steps lists the keys. A hook that promotes,
demotes, reverses or fences asks first (without a terminal: --answer 'redo:KEY=yes'; --yes does not answer that). The VMs and
storage domains are never repeated: their state is read from the engine.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun resume 20261120-0312-3f9a2c
drrun resume 20261120-0312 --confirm-source-down 'Ann Lee: the room is still without power'
drrun resume 20261120-0312 --from-mirror /net/secondary/drrun
drrun resume 20261120-0312 --preview
drrun resume 20261120-0312 --plan
drrun resume 20261120-0312 --plan mended.lua --param ticket=INC4711
drrun resume 20261120-0312 --redo prompt:promote_storage:all
`

func newResumeCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "resume", Usage: "go on with a run that was interrupted or stopped", UsageText: "drrun resume RUN [flags]", Description: resumeHelp,
		Flags: append([]cli.Flag{
			optionalFlag("plan", "`[FILE]`: go on with the plan as it is on the disk now, or with FILE, after a preview"),
			&cli.BoolFlag{Name: "preview", Usage: "show what would be skipped, run, lost, or was done under an older text, and end"},
			&cli.BoolFlag{Name: "dry-run", Usage: "the same as --preview"},
			listFlag("redo", "`KEY`: repeat this hook, step or prompt whatever is recorded; can be given several times"),
			listFlag("param", "`NAME=VALUE`: with --plan, a parameter that becomes another one; can be given several times"),
			&cli.StringFlag{Name: "params", Usage: "`FILE` with a JSON object of parameters, with --plan"},
			listFlag("lib", "`DIR` where require looks too, with --plan; default: where the run looked"),
			fromMirrorFlag(),
		}, runFlags()...),
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "resume"}, "RUN")
			if err != nil {
				return err
			}
			o := resumeOptions{
				runOptions: runOptionsOf(c, inv), Run: args[0], Plan: optionalOf(c, "plan"), Libs: listOf(c, "lib"),
				Params: listOf(c, "param"), ParamsFile: c.String("params"), Redo: listOf(c, "redo"), Preview: c.Bool("preview") || c.Bool("dry-run"),
			}
			if problem := o.unfit(); problem != nil {
				return problem.of([]string{"drrun", "resume"})
			}
			inv.result = runResume(c.Context, o, inv)
			return nil
		},
	}
}

// unfit says which flags do not go together.
func (o resumeOptions) unfit() *usageError {
	if o.Plan.given {
		return nil
	}
	for name, given := range map[string]bool{"--lib": len(o.Libs) > 0, "--param": len(o.Params) > 0, "--params": o.ParamsFile != ""} {
		if given {
			return usage("%s belongs to another text of the plan: a resume without --plan goes on as the run began", name).hinted("drrun resume %s --plan …", o.Run)
		}
	}
	return nil
}

func runResume(ctx context.Context, o resumeOptions, inv *invocation) *runner.Result {
	options, over, problem := inv.runnerOptions(o.runOptions)
	if problem != nil {
		return problem.of([]string{"drrun", "resume"}).result()
	}
	defer over()
	if o.ParamsFile != "" {
		var err error
		if options.ParamsFile, err = options.Env.FS.ReadFile(o.ParamsFile); err != nil {
			return unreadable("--params", o.ParamsFile, err)
		}
	}
	options.NewText, options.PlanFile, options.LibDirs, options.ParamOverrides = o.Plan.given, o.Plan.value, o.Libs, o.Params
	options.Redo, options.PreviewOnly = o.Redo, o.Preview
	options.OnPreview = func(p *runner.Preview) {
		if o.Preview && !inv.json {
			inv.screen.out(previewText(p)) // it is what the command is for
			return
		}
		inv.screen.line(previewText(p))
	}
	if o.Preview {
		inv.human = nil
	}
	return located(runner.Resume(ctx, hard(ctx), o.Run, options), o.runOptions)
}
