package stdlib

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"regexp"
	"strings"
)

// Ejectable are the built-in workflows, and the stages that they are made of, which can be written beside a plan to be changed there.
var Ejectable = []string{"failover", "failback", "clean", "rollback", "steps"}

// stagesName is the one of Ejectable that is no workflow.
const stagesName = "steps"

// ejectableFile names the text of each: a failback is a failover the other way round.
func ejectableFile(name string) string {
	if name == "failback" {
		name = "failover"
	}
	return "dr/" + name + ".lua"
}

// Ejected is the mark in the head of a text that was ejected: from which one.
type Ejected struct {
	Name string
	API  string // the number of the primitives then
	Text string // of the built-in text then
	Line int    // of the mark, from 1
}

// ejectedMark is a line of its own: a person who takes over a new built-in text takes it over too.
var ejectedMark = regexp.MustCompile(`^--@ ejected ([a-z]+), drrun API ([0-9]+), text ([0-9a-f]+)\r?$`)

// Eject returns a built-in text with a head that says how to use it. module is the name that a plan requires it by.
func Eject(name, module string) []byte {
	body := builtinBody(name)
	now := currentMark(name)
	var b strings.Builder
	fmt.Fprintf(&b, "--@ ejected %s, drrun API %s, text %s\n", name, now.API, now.Text)
	if name == stagesName {
		b.WriteString("-- The stages of the built-in workflows, to be changed. Take the changed ones from here and the others from dr.steps; what is not\n" +
			"-- changed can be deleted. In the workflow:\n--   " + EjectedUse(name, module) + "\n")
	} else {
		fmt.Fprintf(&b, "-- The built-in %s as a workflow of your own. To use it, write this into the plan, above \"return plan\":\n--   %s\n", name, EjectedUse(name, module))
		fmt.Fprintf(&b, "-- For a few changed lines no copy is needed: dr.workflows.%s(ctx, { before = { verify = function(ctx) … end } }).\n", name)
	}
	b.WriteString("-- Whatever it does, a VM starts only on evidence that the other site cannot run it, and nothing outside the plan is changed; what it\n" +
		"-- leaves out stands in the report. drrun check tells when the built-in text is another one than that which the first line names.\n")
	b.WriteString(body)
	return []byte(b.String())
}

// EjectedUse is the line by which a plan uses an ejected text.
func EjectedUse(name, module string) string {
	if name == stagesName {
		return fmt.Sprintf("local steps = require %q", module)
	}
	return fmt.Sprintf("plan.%s = require %q", name, module)
}

// EjectedMarks returns the marks that a file holds.
func EjectedMarks(text []byte) []Ejected {
	var marks []Ejected
	if !strings.Contains(string(text), "--@ ejected ") {
		return nil
	}
	for i, line := range strings.Split(string(text), "\n") {
		if parts := ejectedMark.FindStringSubmatch(line); parts != nil {
			marks = append(marks, Ejected{Name: parts[1], API: parts[2], Text: parts[3], Line: i + 1})
		}
	}
	return marks
}

// Outdated says why an ejected text is that of another drrun, "" where it is this one's.
func (e Ejected) Outdated() string {
	now := currentMark(e.Name)
	switch {
	case now.Text == "":
		return fmt.Sprintf("this drrun has no built-in %s", e.Name)
	case e.API != now.API:
		return fmt.Sprintf("it was ejected from a drrun with API %s, and this one has API %s: its primitives may mean something else", e.API, now.API)
	case e.Text != now.Text:
		return "the built-in text has changed since it was ejected"
	}
	return ""
}

// currentMark is the mark that a text ejected now gets.
func currentMark(name string) Ejected {
	body := builtinBody(name)
	if body == "" {
		return Ejected{}
	}
	return Ejected{Name: name, API: fmt.Sprint(API), Text: fmt.Sprintf("%x", sha256.Sum256([]byte(body)))[:12]}
}

// builtinBody is a built-in text without the comment that it begins with, "" where there is none of that name.
func builtinBody(name string) string {
	text, err := fs.ReadFile(Embedded(), ejectableFile(name))
	if err != nil {
		return ""
	}
	lines := strings.SplitAfter(string(text), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "--") {
		lines = lines[1:]
	}
	return strings.Join(lines, "")
}
