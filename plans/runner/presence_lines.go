package runner

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/stdlib"
)

// How much an event says of single objects.
const (
	mostNamed     = 20   // objects by name; of the others the number
	longestReason = 200  // characters, of an object
	longestError  = 5000 // characters, of what stopped the run
)

// severities of events, as an engine has them.
const (
	severityNormal  = "normal"
	severityWarning = "warning"
	severityError   = "error"
)

// prefix begins every event of a run.
func (p *presence) prefix() string { return "drrun run " + p.attempt.run.ID() + ": " }

func (p *presence) show() string { return ". More: drrun show " + p.attempt.run.ID() }

// work says what the run does, as in "planned failover of plan Recovery from primary to secondary".
func (p *presence) work() string {
	a, facts := p.attempt, p.attempt.session.Facts
	plan := fmt.Sprintf("plan %.200s", a.result.Plan)
	switch {
	case a.rollback:
		return fmt.Sprintf("rollback of the %s of %s, back to %s", a.Action, plan, facts.Target)
	case a.Action == plans.ActionClean:
		return fmt.Sprintf("clean of %s at %s", plan, facts.Target)
	case facts.Own:
		return fmt.Sprintf("%s of %s at %s", a.Action, plan, facts.Target)
	}
	planned := ""
	if a.Planned && a.Action == plans.ActionFailover {
		planned = "planned "
	}
	return fmt.Sprintf("%s%s of %s from %s to %s", planned, a.Action, plan, facts.Source, facts.Target)
}

// again names the attempt where it is not the first.
func (p *presence) again() string {
	if n := p.attempt.run.Attempt(); n > 1 {
		return fmt.Sprintf(", attempt %d", n)
	}
	return ""
}

func (p *presence) taskName() string {
	return p.attempt.redact("drrun " + p.work() + ", run " + p.attempt.run.ID() + p.again())
}

func (p *presence) beginning() line {
	a, facts := p.attempt, p.attempt.session.Facts
	verb := "begins"
	if a.run.Resumed() {
		verb = "goes on"
	}
	return line{severity: severityNormal, text: fmt.Sprintf("%s%s %s%s: %s, %s; by %s on %s%s", p.prefix(), p.work(), verb, p.again(),
		report.Count(len(facts.Domains), "storage domain"), report.Count(len(facts.VMs), "VM"), a.User, a.Host, p.show())}
}

// rankLine says how many VMs of a rank are up, and names those that are not.
func (p *presence) rankLine(rank int) line {
	a, facts := p.attempt, p.attempt.session.Facts
	count := map[string]int{}
	var others []engine.Status
	for _, vm := range facts.VMs {
		if vm.Rank != rank {
			continue
		}
		subject := engine.Subject{Kind: ovirt.KindVM, Site: facts.Target, ID: vm.ID, Name: vm.Name}
		status, known := a.run.Status(subject)
		if !known {
			status = engine.Status{Subject: subject, State: stdlib.StatePending}
		}
		delete(p.trouble, subject.Kind+"/"+subject.ID)
		count[status.State]++
		if status.State != stdlib.StateUp && status.State != stdlib.StateNotStarted {
			others = append(others, status)
		}
	}
	l := line{severity: severityNormal, text: fmt.Sprintf("%srank %d is up on %s: %s", p.prefix(), rank, facts.Target, counted(count))}
	if len(others) > 0 {
		l.text = fmt.Sprintf("%srank %d is through on %s: %s; %s", p.prefix(), rank, facts.Target, counted(count), reasons(others))
		l.severity = gravity(others)
		p.about(&l, others)
	}
	l.text += p.show()
	return l
}

// troubleLine names what failed in a stage. mu is held.
func (p *presence) troubleLine() line {
	troubled := slices.Collect(maps.Values(p.trouble))
	slices.SortFunc(troubled, func(a, b engine.Status) int {
		return cmp.Or(strings.Compare(a.Subject.Kind, b.Subject.Kind), strings.Compare(a.Subject.Name, b.Subject.Name), strings.Compare(a.Subject.ID, b.Subject.ID))
	})
	stage := ""
	if p.stage != "" {
		stage = "stage " + p.stage + ": "
	}
	l := line{severity: gravity(troubled), text: p.prefix() + stage + reasons(troubled) + p.again() + p.show()}
	p.about(&l, troubled)
	return l
}

// about lets a line refer to the one object that it names, where the target's engine has it: an event about something that the engine
// does not know needs a permission that only an administrator of the whole system has (ovirt-engine ExternalEventCommandBase).
func (p *presence) about(l *line, objects []engine.Status) {
	if len(objects) != 1 {
		return
	}
	switch subject := objects[0].Subject; {
	case subject.Site != p.attempt.session.Facts.Target:
	case subject.Kind == ovirt.KindVM && p.attempt.run.Reached(ovirt.OpRegisterVM, subject):
		l.vm = subject.ID
	case subject.Kind == ovirt.KindStorageDomain && p.attempt.run.Reached(ovirt.OpImportDomain, subject):
		l.domain = subject.ID
	}
}

// stopLine says where and why the run stopped.
func (p *presence) stopLine(stage string) line {
	l := line{severity: severityError, text: fmt.Sprintf("%sstopped in stage %s%s", p.prefix(), stage, p.again())}
	if problem := p.attempt.result.Error; problem != nil {
		l.text += ": " + shortened(problem.Message, longestError)
		if problem.State != "" {
			l.text += ". State: " + problem.State
		}
		if problem.Hint != "" {
			l.text += ". Next: " + problem.Hint
		}
	}
	l.text += p.show()
	return l
}

// endLine says how the attempt ended.
func (p *presence) endLine() line {
	a := p.attempt
	r := a.result
	l := line{severity: severityNormal, text: fmt.Sprintf("%s%s%s ended: %s, exit code %d, after %s", p.prefix(), p.work(), p.again(), r.Status, r.Exit,
		a.Env.Clock.Now().Sub(a.started).Round(time.Second))}
	if a.facts != nil && a.changed() {
		l.text += "; " + a.boardText()
	}
	for _, verdict := range r.Verdicts {
		l.text += ". " + verdict
		if strings.HasPrefix(verdict, "NOT ISOLATED") || strings.Contains(verdict, "NOT ready") {
			l.severity = severityWarning
		}
	}
	switch r.Status {
	case StatusDone:
	case StatusPartial, StatusInterrupted:
		l.severity = severityWarning
	default:
		l.severity = severityError
	}
	l.text += p.show()
	return l
}

// gravity is the severity of an event that names some objects.
func gravity(objects []engine.Status) string {
	for _, object := range objects {
		if object.State == stdlib.StateFailed || object.State == stdlib.StateMissing {
			return severityError
		}
	}
	return severityWarning
}

// counted says how many objects have which state, in the order of stdlib.States.
func counted(count map[string]int) string {
	var parts []string
	for _, state := range stdlib.States {
		if count[state] > 0 {
			parts = append(parts, report.Count(count[state], "VM")+" "+state)
		}
	}
	return strings.Join(parts, ", ")
}

// reasons names objects with what is wrong with each, at most mostNamed of them.
func reasons(objects []engine.Status) string {
	var parts []string
	for i, object := range objects {
		if i == mostNamed {
			parts = append(parts, fmt.Sprintf("and %d more", len(objects)-i))
			break
		}
		text := strings.ReplaceAll(object.Subject.Kind, "_", " ")
		if object.Subject.Kind == ovirt.KindVM {
			text = "VM"
		}
		text += " " + cmp.Or(object.Subject.Name, object.Subject.ID) + " is " + object.State
		if why := cmp.Or(object.Error, object.Detail); why != "" {
			text += " (" + shortened(why, longestReason) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}
