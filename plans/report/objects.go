package report

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/stdlib"
)

// actionClean is the action that starts nothing: what a site still has of a plan leaves its engine.
const actionClean = "clean"

// goodStates are how the VMs and storage domains of an action are to end.
func (h *history) goodStates() (domain string, vms []string) {
	if h.info.Head.Action == actionClean {
		return stdlib.StateLeft, []string{stdlib.StateLeft}
	}
	if h.facts != nil && h.facts.Own {
		return stdlib.StateUntouched, []string{stdlib.StateUp, stdlib.StateStopped, stdlib.StateNotStarted}
	}
	return stdlib.StateActive, []string{stdlib.StateUp, stdlib.StateNotStarted}
}

// toneOf is how a state is to be felt: what may still come right is a warning.
func toneOf(state string, good ...string) Tone {
	switch {
	case state == stdlib.StateNotStarted || state == stdlib.StateUntouched:
		return Neutral
	case slices.Contains(good, state):
		return Good
	case state == stdlib.StateFailed || state == stdlib.StateMissing:
		return Bad
	}
	return Warn
}

// board is the last status of each object at the site where the run brings it, by kind and id.
func (h *history) board() map[string]engine.Status {
	if h.facts == nil {
		return nil
	}
	return h.facts.TargetStates(h.info.Board())
}

// vmRows returns the fate of every VM of the run, in the order of the facts.
func (h *history) vmRows(board map[string]engine.Status) []VM {
	if h.facts == nil {
		return nil
	}
	_, good := h.goodStates()
	rows := make([]VM, 0, len(h.facts.VMs))
	for i := range h.facts.VMs {
		fact := &h.facts.VMs[i]
		status := board["vm/"+fact.ID]
		row := VM{
			ID: fact.ID, Name: fact.Name, Rank: fact.Rank, Required: fact.Required, State: cmp.Or(status.State, h.facts.Unreached()),
			Condition: fact.Boot, Reason: cmp.Or(status.Error, status.Detail),
		}
		row.Tone = toneOf(row.State, good...)
		row.Started, row.Up = timeOf(status.StartedAt), timeOf(status.UpAt)
		if t := h.vms[fact.ID]; t != nil {
			if row.Started.IsZero() {
				row.Started = t.last(stdlib.StateStarting)
			}
			if t.proof != nil {
				row.Proof = t.proof.Why
				if t.proof.OK {
					row.Proved = t.proof.at
				}
			}
		}
		if !row.Started.IsZero() {
			row.Grounds = groundsText(h.groundsAt(row.Started))
		}
		rows = append(rows, row)
	}
	return rows
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// groundsText names the evidence on which something was started.
func groundsText(l *seen) string {
	if l == nil {
		return ""
	}
	at := l.at.UTC().Format("15:04:05")
	if c := l.verdict.Confirmation; c != nil && l.verdict.Ground == stdlib.GroundConfirmed {
		return "word of " + c.Name + ", source silent at " + at
	}
	return "source seen " + l.verdict.Ground + " at " + at
}

// ready is when the VM was what the plan wants: seen up, with its boot condition met where it was looked at.
func (v VM) ready() time.Time {
	switch {
	case v.State != stdlib.StateUp:
		return time.Time{}
	case v.Proved.After(v.Up):
		return v.Proved
	}
	return v.Up
}

// wanted tells whether the VM was to come up.
func (v VM) wanted() bool { return v.State != stdlib.StateNotStarted }

// ranks sorts the VMs by their ranks and says when each was up.
func (h *history) ranks(vms []VM) []Rank {
	var ranks []Rank
	for _, vm := range vms { // in ascending ranks already
		if n := len(ranks); n == 0 || ranks[n-1].Number != vm.Rank {
			ranks = append(ranks, Rank{Number: vm.Rank})
		}
		r := &ranks[len(ranks)-1]
		r.VMs = append(r.VMs, vm)
		if !vm.Started.IsZero() && (r.Started.IsZero() || vm.Started.Before(r.Started)) {
			r.Started = vm.Started
		}
		if vm.Up.After(r.Ran) {
			r.Ran = vm.Up
		}
		if !vm.wanted() {
			continue
		}
		r.Wanted++
		if at := vm.ready(); !at.IsZero() {
			r.Up++
			if at.After(r.Proved) {
				r.Proved = at
			}
		}
	}
	for i := range ranks {
		r := &ranks[i]
		if r.Up < r.Wanted {
			r.Proved = time.Time{}
		}
		r.Took = between(h.info.Started, r.Proved)
	}
	return ranks
}

// domainRows returns the fate of every storage domain of the run.
func (h *history) domainRows(board map[string]engine.Status) []Domain {
	if h.facts == nil {
		return nil
	}
	good, _ := h.goodStates()
	rows := make([]Domain, 0, len(h.facts.Domains))
	for _, fact := range h.facts.Domains {
		status := board["storage_domain/"+fact.ID]
		row := Domain{
			ID: fact.ID, Name: fact.Name, Type: fact.Type, Group: fact.Group, From: placeText(fact.Source), To: placeText(fact.Target),
			State: cmp.Or(status.State, h.facts.Unreached()), Released: h.released[fact.ID], Reason: cmp.Or(status.Error, status.Detail),
		}
		row.Tone = toneOf(row.State, good)
		if t := h.domains[fact.ID]; t != nil {
			row.Imported, row.Active = t.first(stdlib.StateImported), t.last(stdlib.StateActive)
		}
		if p, known := h.promoted[fact.Group]; known {
			row.AsOf = asOfText(p.asOf)
		}
		rows = append(rows, row)
	}
	return rows
}

// placeText is a data center and, below it, where the storage lies.
func placeText(p stdlib.FactPlace) string {
	if p.Address == "" && p.Path == "" {
		return p.DataCenter
	}
	return p.DataCenter + "\n" + p.Address + ":" + p.Path
}

// asOfText says as of when a copy is.
func asOfText(asOf string) string {
	if asOf == stdlib.InSync {
		return "in sync"
	}
	if at, err := time.Parse(time.RFC3339, strings.TrimSpace(asOf)); err == nil {
		return stamp(at)
	}
	return asOf
}
