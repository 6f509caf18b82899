package stdlib

import (
	"bufio"
	"bytes"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"drrun/lua"
)

// Step is a function of dr.steps: a stage of the built-in workflows, or with, which changes them.
type Step struct {
	Name   string
	Params []string // names; "options" are those of Options
	Doc    string
}

// Options are what the stage can be called with beside ctx, nil where it takes none.
func (s Step) Options() []lua.Param {
	if !slices.Contains(s.Params, "options") {
		return nil
	}
	return slices.DeleteFunc(stageOptions(), func(p lua.Param) bool { return !slices.Contains(optionsOf[s.Name], p.Name) })
}

// Workflows returns the names of the built-in workflows that dr.workflows has.
func Workflows() []string {
	source, err := fs.ReadFile(Embedded(), "dr/workflows.lua")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	var names []string
	for _, match := range regexp.MustCompile(`(?m)^  (\w+) = require `).FindAllSubmatch(source, -1) {
		names = append(names, string(match[1]))
	}
	return names
}

// Steps returns the stages in the order of their text, from the comments above their functions.
func Steps() []Step {
	source, err := fs.ReadFile(Embedded(), "dr/steps.lua")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	var steps []Step
	var doc []string
	for lines := bufio.NewScanner(bytes.NewReader(source)); lines.Scan(); {
		line := lines.Text()
		if text, isDoc := strings.CutPrefix(line, "---"); isDoc {
			doc = append(doc, text)
			continue
		}
		if head, isStep := strings.CutPrefix(line, "function steps."); isStep {
			name, params, _ := strings.Cut(strings.TrimSuffix(head, ")"), "(")
			steps = append(steps, Step{Name: name, Params: strings.Split(params, ", "), Doc: strings.Join(doc, " ")})
		}
		doc = nil
	}
	return steps
}
