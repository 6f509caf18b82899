package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/plans"
	"drrun/plans/runner"
)

func TestDecide(t *testing.T) {
	result := failure(runner.ExitStopped, runner.StatusStopped, "lua-error", context.DeadlineExceeded, "")
	result.Run = "20261120-0312-3f9a2c"
	all := []string{runner.DecideRetry, runner.DecideSkip, runner.DecideEdit, runner.DecideAbort}
	tests := []struct {
		name, typed string
		choices     []string
		want        string
		says        string
	}{
		{"a word", "skip\n", all, "skip", "skip   leave out VM vm2, and vm3, which cannot start without it, and go on"},
		{"its first letter", "r\n", all, "retry", "abort  stop here; drrun resume 20261120-0312-3f9a2c goes on later"},
		{"asked until it is a choice", "\nyes\nR\n", all, "retry", `"yes" is none of: retry, skip, edit, abort`},
		{"a typing error", "skp\nskip\n", all, "skip", `"skp" is none of: retry, skip, edit, abort; did you mean skip? (? explains them)`},
		{"only what is offered", "skip\nabort\n", []string{"retry", "abort"}, "abort", "failed: retry / abort> "},
		{"the end of the input", "", all, "abort", "error: context deadline exceeded [lua-error]"},
		{"edit", "edit\n", all, "edit", "waiting until one of these is saved: plan.lua, lib/a.lua (an empty line goes back to the question)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a, stderr := atTerminal(test.typed, "failed=skip", "failure=skip")
			a.yes = true
			got := a.decide(context.Background(), runner.Failure{
				Result: result, Choices: test.choices, VM: "vm2", With: []string{"vm3"}, Files: []string{"plan.lua", "lib/a.lua"},
			})
			if got.Choice != test.want || !strings.Contains(stderr.String(), test.says) {
				t.Errorf("got %+v\n%s", got, stderr)
			}
			if got.Over != nil {
				got.Over()
			}
		})
	}
}

// TestDecideExplains: a question mark and an empty line say again what the choices do.
func TestDecideExplains(t *testing.T) {
	for _, typed := range []string{"?\nabort\n", "\nabort\n"} {
		a, stderr := atTerminal(typed)
		a.decide(context.Background(), runner.Failure{Result: done("failover"), Choices: []string{"retry", "abort"}})
		if n := strings.Count(stderr.String(), "  retry  run it again from the top"); n != 2 || strings.Contains(stderr.String(), "none of") {
			t.Errorf("%q: explained %d times:\n%s", typed, n, stderr)
		}
	}
}

func TestAnEditIsGivenUpWithAnEmptyLine(t *testing.T) {
	a, _ := atTerminal("edit\n\n")
	decision := a.decide(context.Background(), runner.Failure{Result: done("failover"), Choices: []string{"edit", "abort"}, Files: []string{"plan.lua"}})
	<-decision.GivenUp
	decision.Over()
}

func TestEditedWords(t *testing.T) {
	a, stderr := atTerminal("")
	lines := []string{"@@ 1 → 1"}
	for range shownLines + 4 {
		lines = append(lines, "+ x")
	}
	a.edited(runner.Edit{Files: []runner.FileChange{{Path: "plan.lua", Lines: lines}}, Changes: plans.PlanChanges{Taken: []string{"hook a (b): added"}, Later: []string{"VM vm1: removed"}}})
	a.edited(runner.Edit{Problem: "put it back", Changes: plans.PlanChanges{Refused: []string{"site primary"}, Taken: []string{"hook c (d): added"}}})
	for _, want := range []string{
		"plan.lua was saved:\n  @@ 1 → 1\n  + x\n", "  … and 5 more lines\nchanged: hook a (b): added\nnot in this run, whose facts are fixed: VM vm1: removed\ngoing on with it\n",
		"cannot change in a run: site primary\nnot taken: put it back\n",
	} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("nothing says %q:\n%s", want, stderr)
		}
	}
	if strings.Contains(stderr.String(), "hook c") {
		t.Error("says what was changed although it was not taken")
	}
}

// A line that was typed for a question which was answered elsewhere must not answer the next one.
func TestTypedForAnEarlierQuestion(t *testing.T) {
	a, _ := atTerminal("")
	keyboard, typed := io.Pipe()
	a.lines.from = keyboard
	ctx, cancel := context.WithCancelCause(context.Background())
	elsewhere := &engine.AnsweredElsewhere{By: "bob"}
	cancel(elsewhere)
	question := engine.Question{Name: "go", Choices: []string{"yes", "no"}}
	if answer, err := a.Ask(ctx, question); !errors.Is(err, elsewhere) {
		t.Fatalf("got %q, %v", answer, err)
	}
	if _, err := io.WriteString(typed, "yes\n"); err != nil {
		t.Fatal(err)
	}
	<-a.lines.pending.read
	go func() { _, _ = io.WriteString(typed, "no\n") }()
	if answer, err := a.Ask(context.Background(), question); answer != "no" {
		t.Errorf("got %q, %v", answer, err)
	}
}

func TestTimeLeft(t *testing.T) {
	now := time.Date(2026, 11, 20, 3, 12, 0, 0, time.UTC)
	for _, test := range []struct {
		question engine.Question
		want     string
	}{
		{engine.Question{Default: "x"}, ""},
		{engine.Question{Default: "x", Until: now.Add(90 * time.Second)}, ` (1m30s left, then "x" is taken)`},
		{engine.Question{Until: now.Add(-time.Second)}, " (0s left, then the question fails)"},
		{engine.Question{Default: "x", Danger: engine.DangerDataLoss, Until: now.Add(time.Hour)}, " (1h00m00s left, then the question fails)"},
	} {
		if got := timeLeft(test.question, now); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestWatchFolders replaces a file as editors do; the watch must tell, and end when it is stopped.
func TestWatchFolders(t *testing.T) {
	dir := t.TempDir()
	var bell engine.Bell
	ended := make(chan struct{})
	watch := watchFolders(func(fn func()) { go func() { fn(); close(ended) }() })
	stop, err := watch(bell.Ring, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return os.WriteFile(filepath.Join(dir, ".plan.lua.swp"), []byte("x"), 0o600) },
		func() error { return os.Rename(filepath.Join(dir, ".plan.lua.swp"), filepath.Join(dir, "plan.lua")) },
	} {
		rung := bell.Next()
		if err := step(); err != nil {
			t.Fatal(err)
		}
		<-rung
	}
	stop()
	<-ended
	if _, err := watch(bell.Ring, filepath.Join(dir, "missing")); err == nil {
		t.Error("a folder that is not there was watched")
	}
}
