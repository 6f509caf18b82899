package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/libtest"
	"drrun/plans/report"
	"drrun/plans/runner"
)

const testLibHelp = `Runs the tests of hook libraries: the Lua files whose names end with _test.lua, in folders and below.

Each test has two simulated sites of its own, on a clock of their own, in this process: a whole failover takes a fraction of a second,
and nothing outside of this machine is touched. docs/100-writing-a-library.md shows how tests are written.

Exit code 0: every test passed; 4: some failed; 2: a file is wrong, or there is no test, and nothing was run.

EXAMPLES
drrun test-lib lib
drrun test-lib lib/site/netapp_test.lua -v
drrun test-lib lib --run 'promote'
drrun test-lib lib --json | jq '.extra.tests[] | select(.ok | not)'
`

func newTestLibCommand(inv *invocation) *cli.Command {
	path := []string{"drrun", "test-lib"}
	return &cli.Command{
		Name: "test-lib", Usage: "run the tests of hook libraries, on simulated sites", UsageText: "drrun test-lib DIR|FILE… [flags]", Description: testLibHelp,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "run", Usage: "run only tests whose names match `REGEXP`"},
			listFlag("lib", "`DIR` where require looks too; can be given several times"),
			&cli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show the log of every test, not only of those that fail"},
			jsonFlag(),
		},
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return usage("drrun test-lib needs DIR or FILE").of(path).hinted("drrun test-lib lib")
			}
			o := testLibOptions{Places: c.Args().Slice(), Libs: listOf(c, "lib"), Verbose: c.Bool("verbose")}
			if given := c.String("run"); given != "" {
				pattern, err := regexp.Compile(given)
				if err != nil {
					return usage("--run is no regular expression: %v", err).of(path)
				}
				o.Run = pattern
			}
			inv.result = runTestLib(c.Context, o, inv)
			return nil
		},
	}
}

type testLibOptions struct {
	Places  []string
	Libs    []string
	Run     *regexp.Regexp
	Verbose bool
}

func runTestLib(ctx context.Context, o testLibOptions, inv *invocation) *runner.Result {
	env := inv.env.wall()
	files, err := libtest.Files(o.Places, env.FS)
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("no file below %s ends with %s", strings.Join(o.Places, ", "), libtest.Suffix)
	}
	if err != nil {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-tests", err, "drrun lib new NAME makes a library with its test")
	}
	cases, found := libtest.Run(ctx, libtest.Options{Env: env, LibDirs: o.Libs, Run: o.Run, Ended: func(one libtest.Case) {
		if !inv.json {
			inv.screen.out(testText(one, o.Verbose))
		}
	}}, files)
	if len(found) > 0 {
		return testFilesWrong(plans.FromDiagnostics(found), inv)
	}
	if ctx.Err() != nil {
		return interrupted(ctx, failure(runner.ExitInterrupted, runner.StatusInterrupted, "interrupted", context.Cause(ctx), ""))
	}
	if len(cases) == 0 {
		return failure(runner.ExitInvalid, runner.StatusInvalid, "no-tests", fmt.Errorf("no test in %s has a name that matches %s", strings.Join(files, ", "), o.Run), "drrun test-lib without --run names them all")
	}
	result := withExtra(done("test-lib"), "tests", cases)
	failed := libtest.Count(cases)
	if failed > 0 {
		result.Exit, result.Status = runner.ExitPartial, runner.StatusPartial
		result.Error = &runner.ErrorResult{Code: "tests-failed", Message: fmt.Sprintf("%d of %s failed", failed, report.Count(len(cases), "test"))}
	}
	if !inv.json && failed == 0 {
		inv.screen.out(fmt.Sprintf("%s passed\n", report.Count(len(cases), "test")))
	}
	return result
}

// testFilesWrong is the result where a test file, or what it requires, does not load.
func testFilesWrong(found []plans.Finding, inv *invocation) *runner.Result {
	result := failure(runner.ExitInvalid, runner.StatusInvalid, "test-file", fmt.Errorf("a test file is wrong; nothing was run"), "correct it, and run the tests again")
	result.Findings = found
	if !inv.json {
		inv.screen.out(findingsText(found) + explainHint(found))
	}
	return result
}

// testText is what a person reads of one test.
func testText(one libtest.Case, verbose bool) string {
	mark := "ok  "
	if !one.OK {
		mark = "FAIL"
	}
	title := fmt.Sprintf("%s  %s: %s", mark, one.File, one.Name)
	text := fmt.Sprintf("%s%s %.2fs\n", title, strings.Repeat(" ", max(1, 90-utf8.RuneCountInString(title))), one.Seconds)
	if !one.OK {
		text += findingsText(one.Findings)
	}
	if (!one.OK || verbose) && len(one.Log) > 0 {
		text += "  log:\n    " + strings.Join(one.Log, "\n    ") + "\n"
	}
	return text
}
