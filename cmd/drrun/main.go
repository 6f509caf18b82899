// Command drrun moves virtual machines between two oVirt sites by plans that are Lua programs.
//
// The package holds what an operator types and sees: flags, prompts, progress, tables, exit codes. What a command does is in the
// packages below; one file holds one command.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
)

func main() {
	os.Exit(Main(SystemEnv(), os.Args))
}

// Main runs one command line (args[0] is the program's name) and returns the exit code. With --json among the arguments exactly one
// document is written to env.Stdout, however the command ends.
func Main(env Env, args []string) int {
	inv := &invocation{env: env, json: wantsJSON(args[1:]), screen: newScreen(env)}
	ctx, unwatch := inv.watch()
	defer unwatch()
	return inv.finish(inv.run(ctx, args[1:]), inv.human)
}

// invocation is one command line being carried out.
type invocation struct {
	env      Env
	json     bool
	screen   *screen
	result   *runner.Result              // of the command that ran
	human    func(*runner.Result)        // how it is shown to a person; nil: only an error is shown
	helped   bool                        // --help was given: it is text, also where JSON was asked for
	running  atomic.Bool                 // a plan runs
	catching atomic.Pointer[func() bool] // takes interrupts before they end anything; nil where nothing does
	report   sync.Once                   // the end is reported once, also when the third interrupt comes meanwhile
}

// run carries out the command line. What panics becomes a result too.
func (inv *invocation) run(ctx context.Context, args []string) (result *runner.Result) {
	defer func() {
		if value := recover(); value != nil {
			inv.human = nil
			inv.screen.line(string(debug.Stack())) // for the bug report
			result = failure(runner.ExitInternal, runner.StatusInternal, "internal", fmt.Errorf("internal error: %v", value), "please report it, with the lines above")
		}
	}()
	tree := commands(inv)
	found, problem := resolve(tree, args)
	if problem != nil {
		return problem.result()
	}
	if found.help {
		inv.helped = true
		inv.screen.out(helpText(tree, found))
		return done("")
	}
	app := &cli.App{
		Name: "drrun", Usage: about, Commands: tree, Writer: io.Discard, ErrWriter: io.Discard, Reader: inv.env.Stdin,
		HideHelp: true, HideVersion: true, ExitErrHandler: func(*cli.Context, error) {},
	}
	err := app.RunContext(ctx, found.normal)
	if err == nil && inv.result.Action == "" { // it failed before it knew
		inv.result.Action = actionOf(found.path)
	}
	var wrong *usageError
	switch {
	case errors.As(err, &wrong):
		return wrong.result()
	case err != nil:
		return flagError(found.path, err).result()
	}
	return inv.result
}

// finish shows the result, to a person by human (nil: only an error is shown), and returns the exit code.
func (inv *invocation) finish(result *runner.Result, human func(*runner.Result)) int {
	inv.report.Do(func() {
		inv.screen.end()
		switch {
		case inv.json && !inv.helped:
			writeDocument(inv.env.Stdout, result)
		case human != nil:
			human(result)
		case result.Error != nil:
			writeError(inv.env.Stderr, result)
		}
	})
	return result.Exit
}

// commands lists every command, in the order in which help shows them.
func commands(inv *invocation) []*cli.Command {
	return []*cli.Command{
		newGenerateCommand(inv),
		newCheckCommand(inv),
		newWatchCommand(inv),
		newExplainCommand(inv),
		newTypesCommand(inv),
		newGraphCommand(inv),
		newDocsCommand(inv),
		newEvalCommand(inv),
		newEjectCommand(inv),
		newConsoleCommand(inv),
		newFailoverCommand(inv),
		newFailbackCommand(inv),
		newCleanCommand(inv),
		newRunCommand(inv),
		newResumeCommand(inv),
		newRollbackCommand(inv),
		newAbortCommand(inv),
		newAnswerCommand(inv),
		newShowCommand(inv),
		newReportCommand(inv),
		newStatusCommand(inv),
		newSnapshotCommand(inv),
		newHistoryCommand(inv),
		newFactsCommand(inv),
		newVerifyCommand(inv),
		newKeygenCommand(inv),
		newSecretsCommand(inv),
		newLibCommand(inv),
		newTestLibCommand(inv),
		newLabCommand(inv),
		newDemoCommand(inv),
		newVersionCommand(inv),
	}
}

const about = "disaster recovery for oVirt: moves virtual machines between two sites by a plan"
