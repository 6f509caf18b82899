package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drrun/plans/runner"
)

// browsers are the names under which Chromium and its kin are installed.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge", "brave-browser"}

// printLimit is how long a browser may take to print a report, in time of the wall. One of 5,000 VMs takes some ten seconds.
const printLimit = 2 * time.Minute

// errNoBrowser is matched where nothing can print.
var errNoBrowser = errors.New("there is no browser to print with")

// browser finds the program that prints.
func browser(env Env) (string, error) {
	if named, _ := env.Getenv("DRRUN_CHROMIUM"); named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", fmt.Errorf("%w: DRRUN_CHROMIUM names %s: %w", errNoBrowser, named, err)
		}
		return path, nil
	}
	path, _ := env.Getenv("PATH")
	for _, dir := range filepath.SplitList(path) {
		for _, name := range browsers {
			if found, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
				return found, nil
			}
		}
	}
	return "", fmt.Errorf("%w: none of %s is in PATH", errNoBrowser, strings.Join(browsers, ", "))
}

// printPDF prints a page as PDF with a browser of its own: it loads nothing, and its profile is gone when it has printed. name is where
// the PDF is to be, "-" for standard output: a browser in a sandbox may see no other folder.
func printPDF(ctx context.Context, env Env, name string, page []byte) (pdf []byte, err error) {
	program, err := browser(env)
	if err != nil {
		return nil, err
	}
	folder := ""
	if name != "-" {
		folder = filepath.Dir(name)
	}
	work, err := os.MkdirTemp(folder, "drrun-print-")
	if err != nil {
		return nil, fmt.Errorf("make a folder to print in: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	if work, err = filepath.Abs(work); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	source, target := filepath.Join(work, "report.html"), filepath.Join(work, "report.pdf")
	if err := os.WriteFile(source, page, 0o600); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	limited, cancel := env.wall().Clock.WithTimeout(ctx, printLimit)
	defer cancel()
	command := exec.CommandContext(limited, program, printArguments(work, source, target, os.Geteuid() == 0)...)
	command.WaitDelay = patience
	var words bytes.Buffer
	command.Stdout, command.Stderr = &words, &words
	err = command.Run()
	if limited.Err() != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("print with %s: no end after %s", program, printLimit)
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	pdf, readErr := os.ReadFile(target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("print with %s: %w: %s", program, err, lastLine(words.String()))
	case readErr != nil:
		return nil, fmt.Errorf("print with %s: it wrote no PDF: %s", program, lastLine(words.String()))
	}
	return pdf, nil
}

// printArguments make a browser print a file and do nothing else.
func printArguments(work, source, target string, root bool) []string {
	args := []string{
		"--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions", "--disable-background-networking",
		"--disable-sync", "--disable-component-update", "--disable-dev-shm-usage", "--no-pdf-header-footer",
		"--user-data-dir=" + filepath.Join(work, "profile"), "--print-to-pdf=" + target,
	}
	if root { // Chromium refuses to run its sandbox as root
		args = append(args, "--no-sandbox")
	}
	return append(args, (&url.URL{Scheme: "file", Path: source}).String())
}

func lastLine(text string) string {
	lines := slices.DeleteFunc(strings.Split(text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" })
	if len(lines) == 0 {
		return "it said nothing"
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// unprinted is the result of a report that could not be printed; nothing was written.
func unprinted(err error, run, stateArgument string) *runner.Result {
	page := run + ".html"
	hint := fmt.Sprintf("drrun report %s%s writes %s: open it in a browser and print it", run, stateArgument, page)
	if errors.Is(err, errNoBrowser) {
		hint = "install Chromium or Chrome, or name it with DRRUN_CHROMIUM; or: " + hint
	}
	return failure(runner.ExitRefused, runner.StatusRefused, "print", fmt.Errorf("the report of run %s was not printed: %w", run, err), hint)
}
