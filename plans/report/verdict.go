package report

import (
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/stdlib"
)

// headline is the verdict: what the run came to, in one sentence.
func (h *history) headline(in *Input, d document, vms []VM, domains []Domain) Headline {
	status := h.info.Status
	if status == "" && d.Status != "" { // its end could not be recorded
		status = d.Status
	}
	if status == "stopped" && (d.Status == "internal" || d.Status == "refused") { // what the command said; the run waits for a resume
		status = d.Status + " after changes"
	}
	if status == "refused" && d.Status == "interrupted" { // there is nothing to go on with
		status = "interrupted before changes"
	}
	head := Headline{Detail: h.standing(vms, domains)}
	subject, n := h.subject(), h.info.Attempts
	say := func(tone Tone, badge, format string, args ...any) {
		head.Tone, head.Badge, head.Sentence = tone, badge, subject+" "+fmt.Sprintf(format, args...)
	}
	if d.DryRun != nil {
		say(Neutral, "Dry run", "was tried as a dry run: nothing was changed")
		return head
	}
	switch status {
	case "done":
		say(Good, "Done", "is done: %s", h.achieved(vms))
	case "partial":
		say(Warn, "Finished in part", "has finished, and not everything is as it should be: %s", h.amiss(vms, domains))
	case "stopped":
		say(Bad, "Stopped", "stopped after it had begun to change things. It can be resumed")
	case "internal after changes":
		say(Bad, "Internal error", "was stopped by a fault of drrun itself, after it had begun to change things. It can be resumed")
	case "refused after changes":
		say(Bad, "Stopped", "was refused to go on by attempt %d, after earlier changes. It can be resumed", n)
	case "interrupted":
		say(Warn, "Interrupted", "was interrupted. It can be resumed")
	case "interrupted before changes":
		say(Neutral, "Interrupted", "was interrupted before it had changed anything. When you are ready, start it anew")
	case "refused":
		say(Neutral, "Refused", "was refused: no object of the plan was changed")
	case "internal":
		say(Bad, "Internal error", "was stopped by a fault of drrun itself, before it had changed anything")
	case "invalid":
		say(Neutral, "Not begun", "was not begun: no object of the plan was changed")
	case "rolled_back":
		say(Good, "Rolled back", "was undone: %s", h.achieved(vms))
	case "aborted":
		say(Warn, "Aborted", "was closed as it was. Nothing was undone, and it cannot be resumed")
	case "":
		switch {
		case in.Run.Err != nil:
			say(Bad, "Damaged", "was at work at %s%s. What came after is not known", stamp(h.end), h.lastStage(", in stage "))
		case in.Held:
			say(Neutral, "Running", "is running%s, since %s", h.lastStage(", in stage "), Span(in.Now.Sub(h.info.Resumed)))
		default:
			say(Bad, "Cut off", "was cut off at %s: attempt %d has no end%s", stamp(h.end), n, h.lastStage("; the last stage was "))
		}
	default:
		say(Neutral, status, "ended as %s", status)
	}
	if in.Run.Err != nil {
		head.Tone, head.Badge = Bad, "Damaged"
		head.Sentence = "The journal of this run is DAMAGED. Up to the break: " + head.Sentence
	}
	return head
}

// subject names the action: "The planned failover of Plan from primary to secondary".
func (h *history) subject() string {
	head := h.info.Head
	action := head.Action
	if h.facts != nil && h.facts.Planned && action == "failover" {
		action = "planned failover"
	}
	if head.Action == actionClean {
		return fmt.Sprintf("The clean of %s at %s", head.Plan, head.Target)
	}
	if h.facts != nil && h.facts.Own {
		return fmt.Sprintf("The action %s of %s at %s", action, head.Plan, head.Target)
	}
	return fmt.Sprintf("The %s of %s from %s to %s", action, head.Plan, head.Source, head.Target)
}

// achieved says what came of a run that got all that it wanted.
func (h *history) achieved(vms []VM) string {
	if h.facts == nil {
		return "it had nothing to do"
	}
	if h.info.Head.Action == actionClean {
		return fmt.Sprintf("what %s still had of the plan has left its engine", h.facts.Target)
	}
	if h.facts.Own {
		return "it has come to its end: " + statesText(vms)
	}
	r := recoveryOf(vms)
	up := 0
	for _, vm := range vms {
		if vm.State == stdlib.StateUp {
			up++
		}
	}
	text := fmt.Sprintf("%s up on %s", pluralIs(up, "VM"), h.facts.Target)
	if down := len(vms) - up; down > 0 {
		text += fmt.Sprintf(", %d left down on purpose", down)
	}
	if !r.by.IsZero() {
		text += fmt.Sprintf(", %s after it began", Span(r.by.Sub(h.info.Started)))
	}
	return text
}

// pluralIs is count with its verb.
func pluralIs(n int, noun string) string {
	if n == 1 {
		return Count(n, noun) + " is"
	}
	return Count(n, noun) + " are"
}

// amiss names what is not as the action wants it.
func (h *history) amiss(vms []VM, domains []Domain) string {
	domainState, vmStates := h.goodStates()
	var names []string
	for _, domain := range domains {
		if domain.State != domainState {
			names = append(names, "storage domain "+domain.Name+" is "+stateText(domain.State))
		}
	}
	for _, vm := range vms {
		if !slices.Contains(vmStates, vm.State) {
			names = append(names, vm.Name+" is "+stateText(vm.State))
		}
	}
	if len(names) == 0 {
		return "all VMs and storage domains are there, but something was passed over"
	}
	const shown = 3
	if len(names) > shown {
		return strings.Join(names[:shown], ", ") + fmt.Sprintf(" and %d more", len(names)-shown)
	}
	return strings.Join(names, ", ")
}

// standing counts the objects by their states.
func (h *history) standing(vms []VM, domains []Domain) string {
	if h.facts == nil {
		return "It was cut before it had decided anything: nothing was changed."
	}
	if !h.info.Changed() {
		return "No object of the plan was changed."
	}
	good, _ := h.goodStates()
	there := 0
	for _, domain := range domains {
		if domain.State == good {
			there++
		}
	}
	text := fmt.Sprintf("%d of %s %s", there, Count(len(domains), "storage domain"), stateText(good))
	if len(vms) > 0 {
		text += ", " + statesText(vms)
	}
	return "On " + h.facts.Target + ": " + text + "."
}

// statesText counts VMs by their states.
func statesText(vms []VM) string {
	states := map[string]int{}
	for _, vm := range vms {
		states[vm.State]++
	}
	var parts []string
	for i := len(stdlib.States) - 1; i >= 0; i-- {
		if state := stdlib.States[i]; states[state] > 0 {
			parts = append(parts, Count(states[state], "VM")+" "+stateText(state))
		}
	}
	return strings.Join(parts, ", ")
}

func (h *history) lastStage(before string) string {
	if len(h.stages) == 0 {
		return ""
	}
	return before + h.stages[len(h.stages)-1].name
}

// broken names the damage of a journal, "" for none.
func broken(info *engine.RunInfo) string {
	if info.Err == nil {
		return ""
	}
	return info.Err.Error()
}
