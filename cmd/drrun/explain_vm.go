package main

import (
	"context"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/urfave/cli/v2"

	"drrun/plans"
	"drrun/plans/explain"
	"drrun/plans/runner"
)

// explainVMOptions are what drrun explain PLAN.lua --vm NAME is told.
type explainVMOptions struct {
	reading
	VM     string
	Action string
}

// explainVMOf reads the flags of drrun explain for a plan.
func explainVMOf(c *cli.Context, plan string) (explainVMOptions, error) {
	o := explainVMOptions{reading: readingOf(c, plan), VM: c.String("vm")}
	action, err := actionFrom(c, explainPath)
	o.Action = action
	return o, err
}

// actionFrom is the action that leaves the site of --from.
func actionFrom(c *cli.Context, path []string) (string, error) {
	switch from := c.String("from"); from {
	case "", plans.Primary:
		return plans.ActionFailover, nil
	case plans.Secondary:
		return plans.ActionFailback, nil
	default:
		return "", usage("--from %q is no site", from).hinted("--from primary is the failover, --from secondary the failback").of(path)
	}
}

func fromFlag() cli.Flag {
	return &cli.StringFlag{Name: "from", Value: plans.Primary, Usage: "the `SITE` that the VMs leave: primary, or secondary for the way back"}
}

func runExplainVM(ctx context.Context, o explainVMOptions, inv *invocation) *runner.Result {
	options, problem := o.options(inv)
	if problem != nil {
		return problem.result()
	}
	options.Action = "explain"
	reading, result := runner.Read(ctx, hard(ctx), options)
	if reading == nil {
		inv.human = showUnreadable(inv)
		return result
	}
	survey, found := reading.Survey(o.Action)
	order := survey.BootOrder()
	vms := explain.Find(order, o.VM)
	switch len(vms) {
	case 0:
		return unknownVM(o, order).result()
	case 1:
	default:
		return sameName(o, vms).result()
	}
	explained := explain.VM(explain.Input{Survey: survey, Order: order, Findings: found}, vms[0])
	if !inv.json {
		inv.screen.out(explanationText(explained))
	}
	result = withExtra(done("explain"), "vm", explained)
	result.Plan = reading.Plan.Name
	return result
}

// showUnreadable shows the findings about a plan that could not be read.
func showUnreadable(inv *invocation) func(*runner.Result) {
	return func(r *runner.Result) {
		inv.screen.out(findingsText(r.Findings) + explainHint(r.Findings))
		writeError(inv.env.Stderr, r)
	}
}

func unknownVM(o explainVMOptions, order *plans.BootOrder) *usageError {
	problem := usage("the plan %s has no VM %q", o.Plan, o.VM).of(explainPath)
	if near := explain.Nearest(order, o.VM); len(near) > 0 {
		return problem.hinted("did you mean %s?", strings.Join(near, ", or "))
	}
	return problem.hinted("the file names its VMs: look for the name in %s", o.Plan)
}

func sameName(o explainVMOptions, vms []*plans.BootVM) *usageError {
	var list []string
	for _, vm := range vms {
		list = append(list, fmt.Sprintf("%s (line %d)", vm.ID, vm.Pos.Line))
	}
	return usage("%d VMs of %s have the name %q", len(vms), o.Plan, o.VM).hinted("give the id of one: %s", strings.Join(list, ", ")).of(explainPath)
}

func explanationText(e explain.Explanation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s  %s\n%s of %s, from %s to %s: ", e.Name, e.ID, e.At, e.Action, e.Plan, e.Source, e.Target)
	switch {
	case e.Blocked:
		b.WriteString("something keeps it from being done\n")
	case e.Starts == plans.StartsYes:
		fmt.Fprintf(&b, "it starts in rank %d\n", e.Rank)
	case e.Starts == plans.StartsNo:
		b.WriteString("it is registered and stays down\n")
	default:
		b.WriteString("whether it starts is not known yet\n")
	}
	for _, section := range e.Sections {
		b.WriteString("\n" + strings.ToUpper(section.Title) + "\n")
		for _, said := range section.Statements {
			text := said.Text
			if said.Unknown {
				text = "not known offline: " + text
			}
			if said.At != "" {
				text += " (" + said.At + ")"
			}
			paragraph(&b, text)
		}
	}
	return b.String()
}

// paragraph writes a text below a mark, wrapped at helpWidth.
func paragraph(b *strings.Builder, text string) {
	column := 0
	for i, word := range strings.Fields(text) {
		length := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			b.WriteString("  - ")
		case column+1+length > helpWidth-4:
			b.WriteString("\n    ")
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += length
	}
	b.WriteByte('\n')
}
