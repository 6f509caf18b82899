// Package explain tells of one VM of a plan what a run would do with it and why: when it starts, after what, where, on which networks, what
// keeps it from starting, and which hooks are called for it. It asks no engine. What only an engine or a run can tell is said to be unknown.
package explain

import (
	"fmt"
	"slices"
	"strings"

	"drrun/lua"
	"drrun/plans"
	"drrun/plans/report"
)

// Input is what an explanation is made of.
type Input struct {
	Survey   *plans.Survey // of the direction, without the sites
	Order    *plans.BootOrder
	Findings []plans.Finding // about the plan's text, and of the survey
}

// Explanation is all that is said of one VM.
type Explanation struct {
	Name     string    `json:"name"`
	ID       string    `json:"id"`
	At       string    `json:"at,omitempty"` // FILE:LINE of its entry in the plan
	Plan     string    `json:"plan"`
	Action   string    `json:"action"`
	Source   string    `json:"source"`
	Target   string    `json:"target"`
	Starts   string    `json:"starts"`  // yes, no, unknown
	Blocked  bool      `json:"blocked"` // something that can be seen now keeps it, or the whole run, from being done
	Rank     int       `json:"rank"`
	Earliest float64   `json:"earliest_seconds"` // after the beginning of the boot, by the delays alone
	Cluster  string    `json:"cluster"`          // at the target; "" where nothing leads to one
	NICs     []NIC     `json:"nics"`
	Sections []Section `json:"sections"`
}

// NIC is a network interface with its vNIC profiles; "" stands for none.
type NIC struct {
	Name string `json:"name"`
	MAC  string `json:"mac"`
	From string `json:"from"`
	To   string `json:"to"`
	At   string `json:"at,omitempty"` // of the mapping
}

// Section is what is said about one question.
type Section struct {
	Title      string      `json:"title"`
	Statements []Statement `json:"statements"`
}

// Statement is a sentence with the place that it comes from.
type Statement struct {
	Text    string `json:"text"`
	At      string `json:"at,omitempty"`      // FILE:LINE
	Unknown bool   `json:"unknown,omitempty"` // it says what cannot be known without the engines
}

// Find returns the VMs of a plan with that name or id.
func Find(order *plans.BootOrder, nameOrID string) []*plans.BootVM {
	var byName []*plans.BootVM
	for _, vm := range order.VMs {
		if vm.ID != "" && strings.EqualFold(vm.ID, nameOrID) {
			return []*plans.BootVM{vm}
		}
		if vm.Name == nameOrID {
			byName = append(byName, vm)
		}
	}
	return byName
}

// Nearest returns the names of a plan that are most like a given one, the best first.
func Nearest(order *plans.BootOrder, name string) []string {
	var known, near []string
	for _, vm := range order.VMs {
		known = append(known, vm.Name)
	}
	for len(near) < 3 {
		nearest := lua.Nearest(name, known)
		if nearest == "" {
			break
		}
		near = append(near, nearest)
		known = slices.DeleteFunc(known, func(one string) bool { return one == nearest })
	}
	return near
}

// VM explains one VM.
func VM(in Input, vm *plans.BootVM) Explanation {
	b := &explaining{Input: in, vm: vm, plan: in.Survey.Plan}
	b.placement, b.found = in.Survey.Place(*vm.VM)
	b.out = Explanation{
		Name: vm.Name, ID: vm.ID, At: place(vm.Pos), Plan: b.plan.Name, Action: in.Survey.Action, Source: in.Survey.Source, Target: in.Survey.Target,
		Starts: vm.Starts, Rank: vm.Rank, Earliest: vm.Begins.Seconds(), Cluster: b.placement.Cluster, NICs: []NIC{},
	}
	for _, part := range []struct {
		title string
		tell  func()
	}{
		{"when", b.when}, {"why", b.why}, {"boot condition", b.condition}, {"where", b.where}, {"storage", b.storage}, {"networks", b.networks},
		{"what blocks it", b.blocks}, {"evidence", b.evidence}, {"given back", b.restored}, {"hooks", b.hooks},
	} {
		b.section = Section{Title: part.title, Statements: []Statement{}}
		part.tell()
		if len(b.section.Statements) > 0 {
			b.out.Sections = append(b.out.Sections, b.section)
		}
	}
	return b.out
}

// explaining collects one explanation.
type explaining struct {
	Input
	vm        *plans.BootVM
	plan      *plans.Plan
	placement plans.Placement
	found     []plans.Finding // what keeps it from having a place
	section   Section
	out       Explanation
}

func (b *explaining) say(at lua.Pos, format string, args ...any) {
	b.section.Statements = append(b.section.Statements, Statement{Text: fmt.Sprintf(format, args...), At: place(at)})
}

func (b *explaining) unknown(format string, args ...any) {
	b.section.Statements = append(b.section.Statements, Statement{Text: fmt.Sprintf(format, args...), Unknown: true})
}

// at is the place of one of its values in the plan.
func (b *explaining) at(path ...any) lua.Pos {
	return b.plan.At(append([]any{"vms", b.vm.Place}, path...)...)
}

// place renders a position as FILE:LINE.
func place(pos lua.Pos) string {
	if pos.Line <= 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", pos.File, pos.Line)
}

// names lists VMs, the first eight by name.
func names(vms []*plans.BootVM) string {
	const most = 8
	var list []string
	for i, vm := range vms {
		if i == most {
			return strings.Join(list, ", ") + fmt.Sprintf(" and %d more", len(vms)-most)
		}
		list = append(list, vm.Name)
	}
	return strings.Join(list, ", ")
}

func countVMs(n int) string { return report.Count(n, "VM") }
