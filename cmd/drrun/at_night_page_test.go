package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drrun/plans"
	"drrun/plans/runner"
	"drrun/stdlib"
)

func atNightPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/110-at-3-am.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// TestAtNightPage runs every command of docs/110-at-3-am.md.
func TestAtNightPage(t *testing.T) {
	t.Parallel()
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.add(atNightPage(t))
	if tour.commands < 20 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{"waits for 1 answer", "failover of Plan_Recovery: done", "NOT ISOLATED", "WILL RUN", "failback of Plan_Recovery: done"} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q", want)
		}
	}
	worlds := tour.worlds()
	atHome(t, worlds[len(worlds)-1], written(worlds[len(worlds)-2], plans.Secondary))
	if t.Failed() {
		t.Log(out)
	}
}

// rowOf tells whether a table of the page has a row that begins with a text.
func rowOf(page, begins string) bool { return strings.Contains(page, "\n| "+begins) }

// TestAtNightPageHasEveryWord holds the tables of the page against the exit codes, states, verdicts and questions that there are.
func TestAtNightPageHasEveryWord(t *testing.T) {
	t.Parallel()
	page := atNightPage(t)
	for code, status := range map[int]string{
		runner.ExitDone: runner.StatusDone, runner.ExitInternal: runner.StatusInternal, runner.ExitInvalid: runner.StatusInvalid, runner.ExitRefused: runner.StatusRefused,
		runner.ExitPartial: runner.StatusPartial, runner.ExitStopped: runner.StatusStopped, runner.ExitInterrupted: runner.StatusInterrupted,
	} {
		if !rowOf(page, fmt.Sprintf("%d | `%s` |", code, status)) {
			t.Errorf("the page does not have exit code %d (%s)", code, status)
		}
	}
	for _, state := range stdlib.States {
		if !rowOf(page, "`"+state+"` |") && !strings.Contains(page, "`"+state+"`") {
			t.Errorf("the page does not have the state %s", state)
		}
	}
	names := questionNames(t)
	if len(names) < 7 {
		t.Errorf("found %d questions only: %v", len(names), names)
	}
	for _, name := range names {
		if !rowOf(page, "`"+name) {
			t.Errorf("the page does not have the question %s", name)
		}
	}
	for _, verdict := range verdictTexts(t) {
		if !strings.Contains(page, verdict) {
			t.Errorf("the page does not have the verdict %q", verdict)
		}
	}
}

var (
	luaQuestion = regexp.MustCompile(`ctx:(?:prompt|confirm) ?\{\s*name = "([\w:]+)"`)
	goQuestion  = regexp.MustCompile(`Question\{\s*Name: +([\w."]+)`)
	assigned    = regexp.MustCompile(`\bname := (?:stdlib\.)?(\w+) \+`)
	constant    = regexp.MustCompile(`(?m)^(?:const |\t)(\w+) += "([\w:]+)"`)
)

// questionNames finds the names of all questions in the source: those of the built-in workflows and of the commands. The names that plans
// give to theirs are not known here.
func questionNames(t *testing.T) []string {
	t.Helper()
	var names []string
	workflows, err := filepath.Glob("../../stdlib/lua/dr/*.lua")
	if err != nil || len(workflows) < 4 {
		t.Fatalf("workflows: %v %v", workflows, err)
	}
	for _, file := range workflows {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range luaQuestion.FindAllStringSubmatch(string(text), -1) {
			names = append(names, match[1])
		}
	}
	source := ownSource(t)
	constants := map[string]string{}
	for _, match := range constant.FindAllStringSubmatch(source, -1) {
		constants[match[1]] = match[2]
	}
	var variables []string
	for _, match := range assigned.FindAllStringSubmatch(source, -1) {
		if name := constants[match[1]]; strings.HasSuffix(name, ":") || strings.HasPrefix(match[1], "Question") && name != "" {
			variables = append(variables, name)
		}
	}
	for _, match := range goQuestion.FindAllStringSubmatch(source, -1) {
		switch name := strings.TrimPrefix(match[1], "stdlib."); {
		case strings.HasPrefix(name, `"`):
			names = append(names, strings.Trim(name, `"`))
		case name == "name": // put together above it
			names = append(names, variables...)
		case constants[name] != "":
			names = append(names, constants[name])
		case name == "c.String": // of a plan
		default:
			t.Errorf("the question %s has a name that this test does not understand", match[0])
		}
	}
	return names
}

var (
	verdictLine = regexp.MustCompile(`(?m)^.*(?:ctx:verdict\(|local text = "reverse|text = "reverse|pronounce\("data).*$`)
	verdictPart = regexp.MustCompile(`"([^"]*)"`)
)

// verdictTexts are the words of the sentences that a run ends with, as they stand in the source, and those about isolation.
func verdictTexts(t *testing.T) []string {
	t.Helper()
	steps, err := os.ReadFile("../../stdlib/lua/dr/steps.lua")
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{stdlib.NotIsolated + ": do not power on the primary", "ANSWERS AGAIN"}
	if dark, again := stdlib.NotIsolatedVerdict("primary", "Ann", false), stdlib.NotIsolatedVerdict("primary", "Ann", true); !strings.HasPrefix(dark, texts[0]) || !strings.Contains(again, texts[1]) {
		t.Errorf("the verdicts about isolation are others now: %q, %q", dark, again)
	}
	found := 0
	for _, line := range verdictLine.FindAllString(string(steps)+ownSource(t), -1) {
		for _, part := range verdictPart.FindAllStringSubmatch(line, -1) {
			text, _, _ := strings.Cut(part[1], " for group ")
			if _, rest, ok := strings.Cut(text, "%s: "); ok {
				text, _, _ = strings.Cut(rest, ":")
			}
			if strings.Contains(text, "lost") || strings.Contains(text, "ready") {
				texts = append(texts, strings.Trim(text, ", "))
				found++
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d verdicts only: %q", found, texts)
	}
	return texts
}
