package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drrun/ovirt/lab"
)

// typed writes a drrun command line as a person would type it, in lines of a width that can be read. Words like $NAME stay variables.
func typed(args ...string) []string {
	lines := []string{"drrun"}
	for i := 0; i < len(args); i++ {
		word := shellWord(args[i])
		if strings.HasPrefix(args[i], "$") {
			word = `"` + args[i] + `"`
		}
		// A flag and its value stay on one line.
		if strings.HasPrefix(args[i], "-") && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			next := shellWord(args[i+1])
			if strings.HasPrefix(args[i+1], "$") {
				next = `"` + args[i+1] + `"`
			}
			word += " " + next
			i++
		}
		last := len(lines) - 1
		if len(lines[last])+1+len(word) > helpWidth-2 {
			lines[last] += " \\"
			lines = append(lines, "    "+word)
			continue
		}
		lines[last] += " " + word
	}
	return lines
}

// child is a drrun that runs beside the demo.
type child struct {
	command *exec.Cmd
	stdin   io.Closer
	ended   chan struct{} // closed when its output has ended
	stderr  *strings.Builder
}

// patience is how long a lab may take to end, in time of the wall.
const patience = 10 * time.Second

// startLab starts a lab on free ports and returns when it serves.
func (d *demo) startLab(ctx context.Context, o demoOptions) error {
	args := []string{"lab", "--primary", "127.0.0.1:0", "--secondary", "127.0.0.1:0", "--control", "127.0.0.1:0", "--dir", ".",
		"--speed", strconv.FormatFloat(o.Speed, 'g', -1, 64)}
	d.inv.screen.out("$ " + strings.Join(typed(args...), "\n") + " &\n")
	if o.LoseVM != "" {
		args = append(args, "--lose-vm", o.LoseVM)
	}
	// A lab whose demo is killed must not stay behind: it ends with its standard input, whatever ends the demo.
	command, err := d.command(ctx, append(args, "--until-stdin-closes"))
	if err != nil {
		return err
	}
	// Ctrl-C at the terminal is for the failover that is under way; the lab has to be there until it has ended.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdin, err := command.StdinPipe()
	if err != nil {
		return fmt.Errorf("start the lab: %w", err)
	}
	stdout, err := command.StdoutPipe()
	if err != nil {
		return fmt.Errorf("start the lab: %w", err)
	}
	c := &child{command: command, stdin: stdin, ended: make(chan struct{}), stderr: &strings.Builder{}}
	command.Stderr = c.stderr
	if err := command.Start(); err != nil {
		return fmt.Errorf("start the lab: %w", err)
	}
	d.lab = c
	lines := bufio.NewScanner(stdout)
	for lines.Scan() {
		if addr, ready := strings.CutPrefix(lines.Text(), labReady); ready {
			d.inv.screen.out(lines.Text() + "\n")
			d.client = lab.Dial(addr)
			break
		}
	}
	d.model.Go(func() {
		defer close(c.ended)
		_, _ = io.Copy(io.Discard, stdout) // the rest is for people who start it themselves
	})
	if d.client == nil {
		_, _ = d.model.Clock.Wait(ctx, -1, c.ended) // then its words are complete
		d.lab = nil
		_ = command.Wait()
		return fmt.Errorf("start the lab: it ended at once: %s", strings.TrimSpace(c.stderr.String()))
	}
	d.inv.screen.out("$ source ./lab.env\n")
	return d.source(filepath.Join(d.dir, "lab.env"))
}

// source takes the variables of a lab.env over for the children.
func (d *demo) source(file string) error {
	text, err := d.model.FS.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read lab.env: %w", err)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		value = strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(value, "'"), "'"), `'\''`, "'")
		d.environ = append(d.environ, name+"="+value)
	}
	return nil
}

// stopLab ends the lab and waits for it.
func (d *demo) stopLab(ctx context.Context) {
	if d.lab == nil {
		return
	}
	_ = d.lab.stdin.Close() // the lab ends when this closes; if it does not, it is killed below
	if over, _ := d.model.Clock.Wait(context.WithoutCancel(ctx), patience, d.lab.ended); !over {
		_ = d.lab.command.Process.Kill()
	}
	_ = d.lab.command.Wait() // how it ended does not matter any more
}

// command makes a drrun in the demo's folder, with the environment of the lab.
func (d *demo) command(ctx context.Context, args []string) (*exec.Cmd, error) {
	program, err := d.inv.env.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	expanded := make([]string, len(args))
	for i, arg := range args {
		expanded[i] = os.Expand(arg, d.variable)
	}
	command := exec.CommandContext(hard(ctx), program, expanded...)
	command.Args[0] = "drrun"
	command.Dir = d.dir
	for _, pair := range d.inv.env.Environ() {
		// The operator's own settings are not for the demo.
		if !strings.HasPrefix(pair, "DRRUN_") && !strings.HasPrefix(pair, "LAB_") {
			command.Env = append(command.Env, pair)
		}
	}
	command.Env = append(command.Env, d.environ...)
	return command, nil
}

func (d *demo) variable(name string) string {
	for _, pair := range d.environ {
		if value, ok := strings.CutPrefix(pair, name+"="); ok {
			return value
		}
	}
	return ""
}

// runChild runs a drrun to its end, shows what it prints, and returns its exit code.
func (d *demo) runChild(ctx context.Context, args []string) (exit int, err error) {
	command, err := d.command(ctx, args)
	if err != nil {
		return 0, err
	}
	shown := writer(d.inv.screen.out)
	command.Stdout, command.Stderr = shown, shown
	if err := command.Start(); err != nil {
		return 0, fmt.Errorf("start drrun %s: %w", args[0], err)
	}
	// At a terminal Ctrl-C reaches the child by itself.
	stop := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), errOver) || !d.inv.env.IsTerminal(d.inv.env.Stdin) {
			_ = command.Process.Signal(os.Interrupt) // it may have ended meanwhile
		}
	})
	defer stop()
	err = command.Wait()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() >= 0 {
		return ended.ExitCode(), nil
	}
	if err != nil {
		return 0, fmt.Errorf("run drrun %s: %w", args[0], err)
	}
	return 0, nil
}

// errOver is why what answers a run is ended: the run is over.
var errOver = errors.New("the run is over")

// background is a drrun that runs while others answer it.
type background struct {
	while context.Context // until it has ended
	demo  *demo
	exit  int
	err   error
}

// beside shows a command line and starts it. What is done meanwhile is done under its context while.
func (d *demo) beside(ctx context.Context, args []string) *background {
	d.inv.screen.out("$ " + strings.Join(typed(args...), "\n") + " &\n")
	while, over := context.WithCancelCause(ctx)
	b := &background{while: while, demo: d}
	d.model.Go(func() {
		b.exit, b.err = d.runChild(ctx, args)
		over(errOver)
	})
	return b
}

// wait returns its exit code when it has ended.
func (b *background) wait(ctx context.Context) (exit int, err error) {
	_, _ = b.demo.model.Clock.Wait(context.WithoutCancel(ctx), -1, b.while.Done())
	return b.exit, b.err
}

// writer is an io.Writer of a function that takes text.
type writer func(string)

// Write hands the text on.
func (w writer) Write(p []byte) (int, error) {
	w(string(p))
	return len(p), nil
}
