package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"
)

// besides is a drrun that runs beside a script.
type besides struct {
	stdin   io.WriteCloser
	command *exec.Cmd
	lines   *bufio.Scanner
	stdout  bytes.Buffer
	stderr  strings.Builder // as far as it was read
}

func starts(ts *testscript.TestScript, neg bool, args []string) {
	b := &besides{command: process(ts, args)}
	b.command.Stdout = &b.stdout
	startBeside(ts, b)
}

// watches is starts for a drrun whose output is followed as well: says reads stdout and stderr.
func watches(ts *testscript.TestScript, neg bool, args []string) {
	b := &besides{command: process(ts, args)}
	startBeside(ts, b)
}

func startBeside(ts *testscript.TestScript, b *besides) {
	pipe, err := b.command.StderrPipe()
	ts.Check(err)
	b.lines = bufio.NewScanner(pipe)
	b.stdin, err = b.command.StdinPipe()
	ts.Check(err)
	if b.command.Stdout == nil {
		b.command.Stdout = b.command.Stderr // the pipe
	}
	ts.Check(b.command.Start())
	labOf(ts).beside = b
	ts.Defer(func() { // where the script fails before its end
		if b.command.ProcessState == nil {
			_ = b.command.Process.Kill()
			_ = b.command.Wait()
		}
	})
}

func says(ts *testscript.TestScript, neg bool, args []string) {
	b := labOf(ts).beside
	for b.lines.Scan() {
		b.stderr.WriteString(b.lines.Text() + "\n")
		if strings.Contains(b.lines.Text(), args[0]) {
			return
		}
	}
	ts.Fatalf("it ended without saying %q:\n%s", args[0], b.stderr.String())
}

func kills(ts *testscript.TestScript, neg bool, args []string) {
	b := labOf(ts).beside
	ts.Check(b.command.Process.Kill())
	_ = b.command.Wait() // it was killed
}

func types(ts *testscript.TestScript, neg bool, args []string) {
	_, err := io.WriteString(labOf(ts).beside.stdin, args[0]+"\n")
	ts.Check(err)
}

func interruptsBeside(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(labOf(ts).beside.command.Process.Signal(os.Interrupt))
}

func hangsUp(ts *testscript.TestScript, neg bool, args []string) {
	ts.Check(labOf(ts).beside.command.Process.Signal(syscall.SIGHUP))
}

func ends(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	b := labOf(ts).beside
	for b.lines.Scan() {
		b.stderr.WriteString(b.lines.Text() + "\n")
	}
	got := exitOf(ts, b.command.Wait())
	showOutput(ts, b.stdout.String(), b.stderr.String())
	if got != want {
		ts.Fatalf("exit code %d, want %d\n%s%s", got, want, b.stdout.String(), b.stderr.String())
	}
	if wantsJSON(b.command.Args[1:]) {
		oneDocument(ts, b.stdout.Bytes(), got)
	}
}
