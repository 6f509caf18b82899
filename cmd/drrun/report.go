package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"drrun/engine"
	"drrun/plans/report"
	"drrun/plans/runner"
)

type reportOptions struct {
	Run    string
	State  string
	Output string // "" means RUN.html, .pdf or .json in the current folder, "-" standard output
	PDF    bool
	Format string // html or json
	Force  bool
	JSON   bool
}

const reportHelp = `Makes the report of a run: one page for those who go on, those who ask, and those who look for the cause. It tells the verdict and
what to do next, the recovery time and the data loss, a timeline, the fate of every storage domain and VM, who decided what, the
evidence, every changing request, and the plan's text with its hashes. The file needs nothing else: no network, no script.

Every run leaves it as report.html in its folder when it ends. This command makes it anew from the journal: also of a run that is
running or was killed, and of one whose journal is damaged, as far as that can be read. It asks no engine and changes nothing.

--format json gives the result of the last attempt for programs instead, as --json of the run printed it and report.json has it; of
an attempt that was killed, what its journal tells.

--pdf prints it with an installed Chromium or Chrome; DRRUN_CHROMIUM names one that is not in PATH.

RUN is the id that the run printed, or the beginning of it; drrun history lists them.

EXAMPLES
drrun report 20261120-0312-3f9a2c
drrun report 20261120-0312-3f9a2c -o board.pdf --pdf
drrun report 20261120 -o - > report.html
drrun report 20261120 --format json -o - | jq .vms
`

func newReportCommand(inv *invocation) *cli.Command {
	return &cli.Command{
		Name: "report", Usage: "make the report of a run as one HTML page, or as PDF", UsageText: "drrun report RUN [flags]", Description: reportHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Usage: "`FILE` to write it to, - for standard output; default: RUN.html (.pdf, .json) in this folder"},
			&cli.BoolFlag{Name: "pdf", Usage: "print it as PDF, with Chromium or Chrome"},
			&cli.BoolFlag{Name: "force", Usage: "overwrite FILE also when it is no report"},
			&cli.StringFlag{Name: "format", Value: "html", Usage: "`FORMAT` of the report: html, or json for programs; default: html"},
			stateFlag(), jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := exactly(c, []string{"drrun", "report"}, "RUN")
			if err != nil {
				return err
			}
			o := reportOptions{Run: args[0], State: c.String("state"), Output: c.String("output"), PDF: c.Bool("pdf"), Force: c.Bool("force"), Format: c.String("format"), JSON: inv.json}
			if o.Format != "html" && o.Format != "json" || o.Format == "json" && o.PDF {
				return usage("--format is html or json, and --pdf goes with html; it is %q", o.Format).of([]string{"drrun", "report"})
			}
			if o.JSON && o.Output == "-" {
				return usage("--json and -o - both want standard output").hinted("name a file with -o").of([]string{"drrun", "report"})
			}
			inv.result = runReport(c.Context, o, inv)
			return nil
		},
	}
}

// reportFile is where a run leaves its report.
func reportFile(stateDir, run string) string {
	return filepath.Join(runDir(stateDir, run), "report.html")
}

func runReport(ctx context.Context, o reportOptions, inv *invocation) *runner.Result {
	state, model, _, problem := inv.env.runsAt(o.State)
	if problem != nil {
		return problem.of([]string{"drrun", "report"}).result()
	}
	made, err := o.make(model, state)
	var ambiguous *engine.AmbiguousError
	var broken *engine.JournalError
	var running *engine.LockedError
	switch {
	case errors.Is(err, engine.ErrNoRun), errors.As(err, &ambiguous):
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-run", err, "drrun history lists the runs")
	case errors.As(err, &broken):
		return failure(runner.ExitRefused, runner.StatusRefused, "journal", err, "look at the run's folder in "+state)
	case errors.As(err, &running):
		return failure(runner.ExitRefused, runner.StatusRefused, "running", err, "its result comes when it ends; without --format json the report is made now")
	case err != nil:
		return failure(runner.ExitRefused, runner.StatusRefused, "state", err, "the state folder must be readable: "+state)
	}
	name := o.Output
	if name == "" {
		name = made.run + o.suffix()
	}
	if problem := o.mayWrite(model, name); problem != nil {
		return problem
	}
	if o.PDF {
		if made.text, err = printPDF(ctx, inv.env, name, made.text); err != nil {
			return interrupted(ctx, unprinted(err, made.run, stateArgument(o.State)))
		}
	}
	if name == "-" {
		if _, err := inv.env.Stdout.Write(made.text); err != nil {
			return failure(runner.ExitRefused, runner.StatusRefused, "output", fmt.Errorf("write the report of run %s to standard output: %w", made.run, err), "name a file with -o")
		}
	} else if err := model.FS.WriteFile(name, made.text, 0o600); err != nil {
		return failure(runner.ExitRefused, runner.StatusRefused, "output", fmt.Errorf("write the report of run %s: %w", made.run, err), "name a file with -o in a folder that is there and writable")
	}
	if name != "-" && !o.JSON {
		inv.screen.out(name + ": " + made.words + "\n")
	}
	result := done("report")
	result.Run, result.Plan = made.run, made.plan
	if made.damage != "" {
		result.Warnings = append(result.Warnings, made.damage)
	}
	return withExtra(result, "file", name)
}

// madeReport is a report before it is written.
type madeReport struct {
	run, plan, damage string
	words             string // for the terminal
	text              []byte
}

// make tells the run in the form that is asked for.
func (o reportOptions) make(model engine.Env, state string) (madeReport, error) {
	told, err := runner.ReportOf(model, state, o.Run, stateArgument(o.State))
	if err != nil {
		return madeReport{}, err
	}
	made := madeReport{run: told.Run, plan: told.Plan, damage: told.Damage, words: told.Headline.Badge + "\n" + told.Headline.Sentence}
	if o.Format == "json" {
		document, err := runner.DocumentOf(model, state, told.Run, stateArgument(o.State))
		made.text = append(bytes.TrimRight(document, "\n"), '\n')
		return made, err
	}
	var page bytes.Buffer
	err = report.HTML(&page, told)
	made.text = page.Bytes()
	return made, err
}

// suffix is how a file of the form is named.
func (o reportOptions) suffix() string {
	switch {
	case o.PDF:
		return ".pdf"
	case o.Format == "json":
		return ".json"
	}
	return ".html"
}

// mayWrite refuses to overwrite what is no report.
func (o reportOptions) mayWrite(model engine.Env, name string) *runner.Result {
	if name == "-" || o.Force {
		return nil
	}
	old, err := model.FS.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && report.Is(old):
		return nil
	case err == nil:
		return failure(runner.ExitInvalid, runner.StatusInvalid, "exists", fmt.Errorf("%s exists already and is no report in HTML; nothing was written", name), "name another file with -o, or overwrite it with --force")
	}
	return failure(runner.ExitInvalid, runner.StatusInvalid, "output", fmt.Errorf("look for %s: %w", name, err), "name another file with -o")
}
