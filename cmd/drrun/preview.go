package main

import (
	"fmt"
	"strings"
	"time"

	"drrun/plans/report"
	"drrun/plans/runner"
)

// previewText tells people what a resume would do.
func previewText(p *runner.Preview) string {
	var b strings.Builder
	text := "on the text that it has"
	if p.NewText {
		text = "on " + p.PlanFile + " as it is now"
	}
	fmt.Fprintf(&b, "to resume run %s, %s of %s, %s:\n", p.Run, p.Action, p.Plan, text)
	b.WriteString(changesText("has changed", p.Files, p.Taken, p.Later))
	for _, param := range p.Params {
		b.WriteString("param " + param + "\n")
	}
	for _, part := range []struct {
		title string
		items []runner.PreviewItem
	}{
		{"SKIPPED: done, and not done again", p.Skipped},
		{willRun, p.ToRun},
		{"LOST: recorded, and no longer in the plan", p.Lost},
		{"DONE UNDER AN OLDER TEXT, and not done again (--redo KEY repeats it)", p.Older},
	} {
		b.WriteString("\n" + part.title + "\n")
		if len(part.items) == 0 {
			b.WriteString("  nothing\n")
			continue
		}
		for _, group := range groupItems(part.items) {
			if group.May && part.title == willRun {
				group.Why += ", if the run comes to it"
			}
			group.write(&b)
		}
	}
	for i, note := range p.Notes {
		if i == 0 {
			b.WriteByte('\n')
		}
		b.WriteString("note: " + note + "\n")
	}
	return b.String()
}

const willRun = "WILL RUN"

// itemGroup is what is to be said about several objects in the same words.
type itemGroup struct {
	runner.PreviewItem
	n     int
	names []string
	last  time.Time
}

// groupItems puts together what is said in the same words, in the order of the first.
func groupItems(items []runner.PreviewItem) []*itemGroup {
	var groups []*itemGroup
	for _, item := range items {
		var into *itemGroup
		for _, g := range groups {
			if g.What == item.What && g.Why == item.Why && g.May == item.May && g.Attempt == item.Attempt && (g.Of == "") == (item.Of == "") {
				into = g
				break
			}
		}
		if into == nil {
			into = &itemGroup{PreviewItem: item}
			groups = append(groups, into)
		}
		into.n++
		into.Key = min(into.Key, item.Key) // tasks that run side by side come to their steps in any order
		if item.Of != "" {
			into.names = append(into.names, item.Of)
		}
		if item.At.After(into.last) {
			into.last = item.At
		}
	}
	return groups
}

func (g *itemGroup) write(b *strings.Builder) {
	line := g.What
	if len(g.names) > 0 {
		line += " " + someNames(g.names, 6)
	} else if g.n > 1 {
		line += fmt.Sprintf(", %d times", g.n)
	}
	b.WriteString("  " + line + ": " + oneLine(g.Why))
	if !g.last.IsZero() {
		at := utcTime(g.last)
		if g.Attempt > 0 {
			at += fmt.Sprintf(", attempt %d", g.Attempt)
		}
		b.WriteString(" (" + at + ")")
	}
	b.WriteByte('\n')
	switch {
	case g.Key == "" || g.Attempt == 0: // what is not recorded cannot be named to --redo
	case g.n > 1:
		fmt.Fprintf(b, "      %d keys, as drrun show --steps lists them, such as %s\n", g.n, shellWord(g.Key))
	default:
		b.WriteString("      " + shellWord(g.Key) + "\n")
	}
}

// changesText tells what is new in the files of a plan, each of which verb, and what of it a run takes.
func changesText(verb string, files []runner.FileChange, taken, later []string) string {
	var b strings.Builder
	for _, file := range files {
		fmt.Fprintf(&b, "%s %s:\n", file.Path, verb)
		for i, line := range file.Lines {
			if i == shownLines {
				fmt.Fprintf(&b, "  … and %s\n", report.Count(len(file.Lines)-i, "more line"))
				break
			}
			b.WriteString("  " + line + "\n")
		}
	}
	for _, text := range taken {
		b.WriteString("changed: " + text + "\n")
	}
	for _, text := range later {
		b.WriteString("not in this run, whose facts are fixed: " + text + "\n")
	}
	return b.String()
}
