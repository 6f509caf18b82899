package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"drrun/plans/runner"
	"drrun/stdlib"
)

// runOptions are what every command takes that runs a plan, begins or resumes.
type runOptions struct {
	State             string // "" means the default of the environment
	Yes               bool
	WaitForAnswers    bool
	Answers           []string
	ConfirmSourceDown string
	AcceptLoss        string
	ConfirmStale      string
	BreakLock         bool
	Mirror            string // "" means $DRRUN_MIRROR
	FromMirror        string // of the commands that take up a run
	JSON              bool
}

func runFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "confirm-source-down", Usage: "`'NAME: REASON'`: you, by name, know that the source site is down, and why; counts while it stays silent, for 30 minutes"},
		&cli.StringFlag{Name: "accept-loss", Usage: "`'NAME: REASON'`: you, by name, give up what the copy of the storage may lack"},
		&cli.StringFlag{Name: "confirm-stale", Usage: "`'NAME: REASON'`: you, by name, know that what the target still has of the plan is the older copy; needed where no run known here moved it"},
		listFlag("answer", "`NAME=VALUE`: the answer to the prompt NAME; can be given several times"),
		&cli.BoolFlag{Name: "yes", Usage: "answer plain questions with their default, yes or continue; never those about evidence or loss of data"},
		&cli.BoolFlag{Name: "wait-for-answers", Usage: "without a terminal, let questions wait until somebody answers them with drrun answer"},
		&cli.BoolFlag{Name: "break-lock", Usage: "replace the lock that a run on another machine left in the engines; you type its run id, or give --answer break_lock=RUN"},
		&cli.StringFlag{Name: "mirror", Usage: "`DIR`, a second place for the run's journal, best on a share of the other site: a run can be taken over from there; none keeps none, on purpose, and is not warned of; default: $DRRUN_MIRROR"},
		stateFlag(), jsonFlag(),
	}
}

// mirrorPath is the folder of a mirror as every folder may name it: the journal keeps it.
func mirrorPath(flag, dir, state string) (string, *usageError) {
	if dir == "" || dir == runner.NoMirror {
		return dir, nil
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return "", usage("%s %s: %v", flag, dir, err)
	}
	if own, err := filepath.Abs(state); err == nil && own == path {
		return "", usage("%s: %s is the state folder itself", flag, dir).hinted("give a folder in another place, best on a share of the other site")
	}
	return path, nil
}

// fromMirrorFlag is a flag of the commands that take up a run.
func fromMirrorFlag() cli.Flag {
	return &cli.StringFlag{Name: "from-mirror", Usage: "`DIR`: take the run over from its mirror, because the machine that ran it, or its state folder, is gone; DIR stays its mirror"}
}

func stateFlag() cli.Flag {
	return &cli.StringFlag{Name: "state", Usage: "`DIR` where runs are kept; default: $DRRUN_STATE, else the state folder of your account"}
}

func runOptionsOf(c *cli.Context, inv *invocation) runOptions {
	return runOptions{
		State: c.String("state"), Yes: c.Bool("yes"), WaitForAnswers: c.Bool("wait-for-answers"), Answers: listOf(c, "answer"), ConfirmSourceDown: c.String("confirm-source-down"),
		AcceptLoss: c.String("accept-loss"), ConfirmStale: c.String("confirm-stale"), BreakLock: c.Bool("break-lock"), JSON: inv.json,
		Mirror: c.String("mirror"), FromMirror: c.String("from-mirror"),
	}
}

// stateDir is where runs are kept.
func (env Env) stateDir(flag string) (string, *usageError) {
	if flag != "" {
		return flag, nil
	}
	if dir, _ := env.Getenv("DRRUN_STATE"); dir != "" {
		return dir, nil
	}
	if dir, _ := env.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "drrun"), nil
	}
	if home, _ := env.Getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "drrun"), nil
	}
	return "", usage("there is no place to keep runs in: HOME is not set").hinted("--state DIR, or set DRRUN_STATE")
}

// stateArgument is what commands have behind them where runs are kept in the folder of --state.
func stateArgument(flag string) string {
	if flag == "" {
		return ""
	}
	return " --state " + shellWord(flag)
}

func runDir(stateDir, run string) string { return filepath.Join(stateDir, "runs", run) }

// runnerOptions wires prompts, secrets and progress to the options of the runner. over must be called when the run has ended.
func (inv *invocation) runnerOptions(o runOptions) (options runner.Options, over func(), problem *usageError) {
	model, speed, problem := inv.env.model()
	if problem != nil {
		return options, nil, problem
	}
	state, problem := inv.env.stateDir(o.State)
	if problem != nil {
		return options, nil, problem
	}
	asker, problem := newAsker(inv, model, o.Answers, o.Yes)
	if problem != nil {
		return options, nil, problem
	}
	if o.ConfirmSourceDown != "" {
		if _, err := stdlib.ParseConfirmation(o.ConfirmSourceDown, model.Clock.Now()); err != nil {
			return options, nil, usage("--confirm-source-down: %v", err).hinted("--confirm-source-down 'YOUR NAME: HOW YOU KNOW'")
		}
	}
	if o.AcceptLoss != "" {
		if _, err := stdlib.ParseConfirmation(o.AcceptLoss, model.Clock.Now()); err != nil {
			return options, nil, usage("--accept-loss: %v", err).hinted("--accept-loss 'YOUR NAME: WHY'")
		}
	}
	if o.ConfirmStale != "" {
		if _, err := stdlib.ParseConfirmation(o.ConfirmStale, model.Clock.Now()); err != nil {
			return options, nil, usage("--confirm-stale: %v", err).hinted("--confirm-stale 'YOUR NAME: HOW YOU KNOW'")
		}
	}
	asker.wait = o.WaitForAnswers
	inv.running.Store(true)
	if inv.env.Persist != nil {
		inv.env.Persist()
	}
	shown := newProgress(inv.screen, model, speed)
	shown.attended, shown.state = inv.env.interactive(), o.State
	inv.human = func(r *runner.Result) {
		if r.Run == "" || (r.Status == runner.StatusRefused || r.Status == runner.StatusInvalid) && len(r.VMs) == 0 {
			writeError(inv.env.Stderr, r)
			return
		}
		writeRun(legibleWriter{inv.env.Stdout}, r, state)
	}
	var onFailure func(context.Context, runner.Failure) runner.Decision
	if inv.env.interactive() {
		onFailure = asker.decide
	}
	mirror := o.Mirror
	if mirror == "" {
		mirror, _ = inv.env.Getenv("DRRUN_MIRROR")
	}
	if mirror, problem = mirrorPath("--mirror", mirror, state); problem != nil {
		return options, nil, problem
	}
	if o.FromMirror, problem = mirrorPath("--from-mirror", o.FromMirror, state); problem != nil {
		return options, nil, problem
	}
	signer, warning := inv.env.signer(model.FS)
	return runner.Options{
		Signer: signer, Warnings: warning,
		Mirror: mirror, FromMirror: o.FromMirror, Near: inv.env.Near,
		OnFailure: onFailure, OnEdit: asker.edited,
		Env: model, StateDir: state, StateArgument: stateArgument(o.State), ConfirmSourceDown: o.ConfirmSourceDown, AcceptLoss: o.AcceptLoss, ConfirmStale: o.ConfirmStale, BreakLock: o.BreakLock,
		Asker: asker, CanAnswer: asker.canAnswer, PreparedAnswer: asker.preparedAnswer, UnusedAnswers: asker.unused, WaitForAnswers: o.WaitForAnswers, Secrets: asker.resolver(), Speed: speed,
		Observe: shown.observe, Findings: shown.findings, Began: shown.began,
		Version: versionText(), Host: inv.env.Host, User: inv.env.User,
	}, shown.end, nil
}

// located adds --state to the commands that a hint names, where the state folder is not the one that they would look in.
func located(r *runner.Result, o runOptions) *runner.Result {
	if r.Error != nil && o.State != "" && r.Error.Code != "locked" && !strings.Contains(r.Error.Hint, "--state ") { // whoever has the lock keeps its run elsewhere
		r.Error.Hint = runner.Located(r.Error.Hint, stateArgument(o.State))
	}
	return r
}

// unreadable is the result for a file of a flag that cannot be read.
func unreadable(flag, file string, err error) *runner.Result {
	if errors.Is(err, fs.ErrNotExist) {
		return usage("%s: there is no file %s", flag, file).hinted("give the path of a file that exists").result()
	}
	return usage("%s: read %s: %v", flag, file, err).hinted("make the file readable").result()
}

// interrupted makes an interrupted result of one that failed because of an interrupt.
func interrupted(ctx context.Context, r *runner.Result) *runner.Result {
	if r.Error != nil && errors.Is(context.Cause(ctx), errInterrupted) {
		r.Exit, r.Status = runner.ExitInterrupted, runner.StatusInterrupted
		r.Error.Code, r.Error.Message, r.Error.Hint = "interrupted", "interrupted before it was done", ""
	}
	return r
}
