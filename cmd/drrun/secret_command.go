package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"drrun/engine"
)

// secretCommandLimit is how long a command may take that prints a secret, such as one that asks a vault.
const secretCommandLimit = time.Minute

// secretFrom runs a command of the operator's environment, and returns what it prints. What it prints goes into no error: it may be a secret
// in part.
func secretFrom(clock engine.Clock) func(ctx context.Context, command string) (string, error) {
	return func(ctx context.Context, command string) (string, error) {
		ctx, cancel := clock.WithTimeout(ctx, secretCommandLimit)
		defer cancel()
		shell := exec.CommandContext(ctx, "/bin/sh", "-c", command)
		var said bytes.Buffer
		shell.Stderr = &said
		shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
		shell.WaitDelay = time.Second
		text, err := shell.Output()
		if ctx.Err() != nil {
			return "", fmt.Errorf("it did not end within %s and was killed", secretCommandLimit)
		}
		if err != nil {
			lines := strings.Split(strings.TrimSpace(said.String()), "\n")
			if last := lines[len(lines)-1]; last != "" {
				err = fmt.Errorf("%w; it said: %s", err, last)
			}
			return "", err
		}
		return string(text), nil
	}
}
