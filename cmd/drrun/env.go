package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/user"
	"runtime"
	"runtime/debug"
	"strconv"
	"time"

	"golang.org/x/term"

	"drrun/engine"
)

// version is set by the linker for releases.
var version = ""

// Env is what the commands take from the process that they run in, so that tests can run them in theirs.
type Env struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Engine makes the clock, disk and random numbers of a command; model time runs speed times faster than the wall since a time,
	// the zero time meaning now.
	Engine func(speed float64, since time.Time) engine.Env
	// Watch makes the engine.Env.Watch of a machine that starts goroutines with start; nil makes it look now and then.
	Watch  func(start func(func())) func(ring func(), folders ...string) (stop func(), err error)
	Getenv func(name string) (value string, set bool)
	// IsTerminal tells whether a person sits behind Stdin, Stdout or Stderr.
	IsTerminal func(stream any) bool
	// Width is the number of columns of the terminal behind a stream, 0 when it is not known.
	Width func(stream any) int
	// Height is its number of lines, 0 when it is not known.
	Height func(stream any) int
	// ReadSecret reads a line from the terminal behind Stdin without showing it.
	ReadSecret func() (string, error)
	// SaveTerminal remembers how the terminal behind Stdin is set; restore brings that back.
	SaveTerminal func() (restore func())
	// RawTerminal gives each key of the terminal behind Stdin to who reads it; restore brings back lines.
	RawTerminal func() (restore func(), err error)
	// Signals delivers interrupts until its stop function is called; nil delivers none.
	Signals func() (signals <-chan os.Signal, stop func())
	// Persist makes the process survive the end of its terminal, and of whoever reads what it prints; nil does nothing.
	Persist func()
	// Exit ends the process at once; nil makes the third interrupt do nothing.
	Exit func(code int)
	// Near tells whether this machine is on the network of a host.
	Near func(ctx context.Context, host string) bool
	// Executable is the path of the running program, which demo starts as child processes.
	Executable func() (string, error)
	Environ    func() []string // NAME=VALUE, for child processes
	Host, User string
}

// SystemEnv is the process's own environment.
func SystemEnv() Env {
	env := Env{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Engine: engine.SystemEnvSince, Watch: watchFolders, Getenv: os.LookupEnv,
		IsTerminal: isTerminal, Width: terminalWidth, Height: terminalHeight, ReadSecret: readSecret, SaveTerminal: saveTerminal, RawTerminal: rawTerminal,
		Signals: interrupts, Persist: persist, Exit: os.Exit, Near: nearHost, Executable: os.Executable, Environ: os.Environ,
	}
	// Both are labels for people; a machine that has none is no reason to refuse.
	env.Host, _ = os.Hostname()
	if who, err := user.Current(); err == nil {
		env.User = who.Username
	}
	return env
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

func terminalWidth(stream any) int {
	width, _ := terminalSize(stream)
	return width
}

func terminalHeight(stream any) int {
	_, height := terminalSize(stream)
	return height
}

func terminalSize(stream any) (width, height int) {
	file, ok := stream.(*os.File)
	if !ok {
		return 0, 0
	}
	width, height, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0, 0
	}
	return width, height
}

func readSecret() (string, error) {
	line, err := term.ReadPassword(int(os.Stdin.Fd()))
	return string(line), err
}

func saveTerminal() (restore func()) {
	state, err := term.GetState(int(os.Stdin.Fd()))
	if err != nil {
		return func() {}
	}
	return func() { _ = term.Restore(int(os.Stdin.Fd()), state) } // the process is about to end: nothing to do about a failure
}

func rawTerminal() (restore func(), err error) {
	state, err := term.MakeRaw(int(os.Stdin.Fd()))
	if err != nil {
		return nil, fmt.Errorf("read keys from the terminal: %w", err)
	}
	return func() { _ = term.Restore(int(os.Stdin.Fd()), state) }, nil // likewise
}

// interactive tells whether a person can be asked: their answers come from a terminal and they see the question on one.
func (env Env) interactive() bool { return env.IsTerminal(env.Stdin) && env.IsTerminal(env.Stderr) }

// wall is the machine with the time of day, for commands that talk to no engine.
func (env Env) wall() engine.Env { return env.machine(1, time.Time{}) }

// machine is what the commands run on; it watches folders where env can.
func (env Env) machine(speed float64, since time.Time) engine.Env {
	machine := env.Engine(speed, since)
	if env.Watch != nil && machine.Watch == nil {
		machine.Watch = env.Watch(machine.Go)
	}
	return machine
}

// model is the machine with the time of the engines: DRRUN_SPEED times faster than the wall in a lab, since DRRUN_SPEED_SINCE.
func (env Env) model() (machine engine.Env, speed float64, problem *usageError) {
	const hint = "unset DRRUN_SPEED and DRRUN_SPEED_SINCE, or source the lab.env of your lab"
	text, _ := env.Getenv("DRRUN_SPEED")
	if text == "" {
		return env.wall(), 1, nil
	}
	speed, err := strconv.ParseFloat(text, 64)
	if err != nil || !(speed > 0) || speed > maxSpeed {
		return machine, 0, usage("DRRUN_SPEED is %q: it must be a number above 0 and at most %.0f", text, maxSpeed).hinted(hint)
	}
	since := time.Time{}
	if text, _ := env.Getenv("DRRUN_SPEED_SINCE"); text != "" {
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return machine, 0, usage("DRRUN_SPEED_SINCE is %q: it must be a time like 2026-11-20T03:12:00Z", text).hinted(hint)
		}
	}
	return env.machine(speed, since), speed, nil
}

// runsAt is where runs are kept (flag is --state), and the machine with their time: that of a run in a lab is the lab's.
func (env Env) runsAt(flag string) (state string, machine engine.Env, speed float64, problem *usageError) {
	if state, problem = env.stateDir(flag); problem != nil {
		return "", machine, 0, problem
	}
	machine, speed, problem = env.model()
	return state, machine, speed, problem
}

// maxSpeed keeps waits of model time above what a timer can measure.
const maxSpeed = 1e6

// versionText is the version of this program, with the revision it was built from where that is known.
func versionText() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "dev"
	}
	revision, dirty := "", ""
	for _, setting := range info.Settings {
		switch {
		case setting.Key == "vcs.revision":
			revision = setting.Value[:min(12, len(setting.Value))]
		case setting.Key == "vcs.modified" && setting.Value == "true":
			dirty = "+dirty"
		}
	}
	if revision == "" {
		return "dev"
	}
	return "dev-" + revision + dirty
}

// platform names the Go version and the kind of machine of this program.
func platform() string { return runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH }
