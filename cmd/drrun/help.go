package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"
)

const helpWidth = 110

const helpIntroduction = `drrun moves virtual machines between two oVirt sites whose storage the array replicates. A plan, one Lua file, says
which, in which order, and what else is to be done; drrun generate writes the first one from the live engines.`

const helpEnding = `Passwords come from DRRUN_SECRET_PRIMARY_PASSWORD and DRRUN_SECRET_SECONDARY_PASSWORD, from the files that these names with
_FILE behind them name, or from a prompt. Runs are kept in --state DIR, else $DRRUN_STATE, else the state folder of your account.

EXIT CODES
  0 done · 1 internal error · 2 usage or plan error · 3 refused, nothing of the plan was changed
  4 finished, but some storage domains or VMs failed or were left out · 5 stopped, can be resumed · 130 interrupted

EXAMPLES
  drrun demo                       the whole story, on two simulated sites
  drrun check plan.lua             is the plan sound, and do the sites have what it needs?
  drrun failover plan.lua          run it
  drrun docs tutorial              learn it in an hour; drrun docs lists all pages
  drrun COMMAND --help             more about a command
`

// helpText is what --help shows about drrun or one of its commands.
func helpText(tree []*cli.Command, f *found) string {
	var b strings.Builder
	if f.command == nil {
		fmt.Fprintf(&b, "drrun - %s\n\nUSAGE\n  drrun COMMAND [flags] [arguments]\n\n%s\n\nCOMMANDS\n", about, helpIntroduction)
		commandRows(&b, tree)
		b.WriteString("\n" + helpEnding)
		return b.String()
	}
	c := f.command
	fmt.Fprintf(&b, "%s - %s\n\nUSAGE\n", strings.Join(f.path, " "), c.Usage)
	for line := range strings.SplitSeq(c.UsageText, "\n") {
		b.WriteString("  " + line + "\n")
	}
	text, examples, _ := strings.Cut(c.Description, "\nEXAMPLES\n")
	b.WriteString("\n" + strings.TrimSpace(text) + "\n")
	if len(c.Subcommands) > 0 {
		b.WriteString("\nCOMMANDS\n")
		commandRows(&b, c.Subcommands)
	}
	flagRows(&b, c.Flags)
	if examples != "" {
		b.WriteString("\nEXAMPLES\n")
		for line := range strings.SplitSeq(strings.TrimRight(examples, "\n"), "\n") {
			b.WriteString("  " + line + "\n")
		}
	}
	return b.String()
}

func commandRows(b *strings.Builder, list []*cli.Command) {
	var rows [][2]string
	for _, c := range list {
		if !c.Hidden {
			rows = append(rows, [2]string{c.Name, c.Usage})
		}
	}
	definitions(b, rows)
}

func flagRows(b *strings.Builder, flags []cli.Flag) {
	var rows [][2]string
	for _, flag := range flags {
		if visible, ok := flag.(cli.VisibleFlag); ok && !visible.IsVisible() {
			continue
		}
		doc := flag.(cli.DocGenerationFlag)
		placeholder, text := unquote(doc.GetUsage())
		name := "--" + flag.Names()[0]
		for _, short := range flag.Names()[1:] {
			name = "-" + short + ", " + name
		}
		if doc.TakesValue() {
			name += " " + placeholder
		}
		rows = append(rows, [2]string{name, text})
	}
	if len(rows) > 0 {
		b.WriteString("\nFLAGS\n")
		definitions(b, rows)
	}
}

// unquote takes the `NAME` of a flag's value out of its usage.
func unquote(text string) (placeholder, plain string) {
	before, rest, quoted := strings.Cut(text, "`")
	placeholder, after, closed := strings.Cut(rest, "`")
	if !quoted || !closed {
		return "VALUE", text
	}
	if text, colon := strings.CutPrefix(after, ": "); colon && before == "" {
		return placeholder, text // the name says it all
	}
	return placeholder, before + placeholder + after
}

// definitions writes names with their texts beside them, wrapped at helpWidth.
func definitions(b *strings.Builder, rows [][2]string) {
	width := 0
	for _, row := range rows {
		width = max(width, utf8.RuneCountInString(row[0]))
	}
	for _, row := range rows {
		fmt.Fprintf(b, "  %-*s  ", width, row[0])
		column := 0
		for i, word := range strings.Fields(row[1]) {
			length := utf8.RuneCountInString(word)
			switch {
			case i > 0 && width+4+column+1+length > helpWidth:
				fmt.Fprintf(b, "\n%*s", width+4, "")
				column = 0
			case i > 0:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += length
		}
		b.WriteByte('\n')
	}
}
