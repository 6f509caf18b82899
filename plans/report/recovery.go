package report

import (
	"fmt"
	"strings"
	"time"

	"drrun/stdlib"
)

// recovery is what the run achieved, in the two figures by which recovery is measured.
type recovery struct {
	required    int       // VMs that count: those that the plan requires, or where it requires none, all that were to come up
	ready       int       // of them
	by          time.Time // when the last of them was ready; zero while one is not
	last        string    // its name
	allRequired bool      // the plan requires none, so all count
}

func recoveryOf(vms []VM) recovery {
	var r recovery
	r.allRequired = true
	for _, vm := range vms {
		if vm.Required {
			r.allRequired = false
		}
	}
	for _, vm := range vms {
		if !vm.wanted() || !r.allRequired && !vm.Required {
			continue
		}
		r.required++
		at := vm.ready()
		if at.IsZero() {
			continue
		}
		r.ready++
		if at.After(r.by) {
			r.by, r.last = at, vm.Name
		}
	}
	if r.ready < r.required {
		r.by = time.Time{}
	}
	return r
}

// figures are the numbers at the top: recovery time, data loss, and how much of everything is there.
func (h *history) figures(vms []VM, domains []Domain) []Figure {
	if h.facts == nil {
		return nil
	}
	var figures []Figure
	if h.info.Head.Action != actionClean {
		figures = append(figures, h.recoveryTime(vms), h.dataLoss())
	}
	domainState, vmStates := h.goodStates()
	up, wanted, active := 0, 0, 0
	for _, vm := range vms {
		if !vm.wanted() {
			continue
		}
		wanted++
		if toneOf(vm.State, vmStates...) == Good {
			up++
		}
	}
	for _, domain := range domains {
		if domain.State == domainState {
			active++
		}
	}
	note := ""
	if down := len(vms) - wanted; down > 0 {
		note = fmt.Sprintf("%d more left down on purpose", down)
	}
	vmWord := "VMs up"
	if h.info.Head.Action == actionClean {
		vmWord = "VMs left"
	}
	return append(figures,
		Figure{Name: vmWord, Value: fmt.Sprintf("%d of %d", up, wanted), Note: note, Tone: whole(up, wanted)},
		Figure{Name: "Storage domains " + domainState, Value: fmt.Sprintf("%d of %d", active, len(domains)), Note: "on " + h.facts.Target, Tone: whole(active, len(domains))})
}

// unknownSince says of the figures of a damaged journal that they are those of its last readable record, not how things stand.
func unknownSince(figures []Figure, record int) []Figure {
	for i := range figures {
		f := &figures[i]
		f.Note = fmt.Sprintf("%s up to record %d; what came after cannot be read", f.Value, record)
		f.Value, f.Tone = "unknown", Neutral
	}
	return figures
}

func whole(got, wanted int) Tone {
	if got == wanted {
		return Good
	}
	return Bad
}

// recoveryTime is the RTO: from the beginning of the run until the last VM that counts was what the plan wants.
func (h *history) recoveryTime(vms []VM) Figure {
	r := recoveryOf(vms)
	f := Figure{Name: "Recovery time (RTO)"}
	which := "required VM"
	if r.allRequired {
		which = "VM"
	}
	switch {
	case r.required == 0:
		f.Value, f.Note, f.Tone = "none", "no VM was to come up", Neutral
		return f
	case r.by.IsZero():
		f.Value, f.Note, f.Tone = "not reached", fmt.Sprintf("%d of %s ready", r.ready, Count(r.required, which)), Bad
		return f
	}
	f.Value, f.Tone = Span(r.by.Sub(h.info.Started)), Good
	f.Note = fmt.Sprintf("from the beginning of the run until the last %s was ready: %s at %s", which, r.last, r.by.UTC().Format("15:04:05"))
	if since := h.silentSince(); since.Before(r.by) && since.Sub(h.info.Started) >= time.Second {
		f.Note += fmt.Sprintf("; %s after the run first saw %s silent", Span(r.by.Sub(since)), h.facts.Source)
	}
	if len(h.attempts) > 1 {
		f.Note += fmt.Sprintf("; over %d attempts, with the time between them", len(h.attempts))
	}
	return f
}

// dataLoss is the RPO: how old the copy was, as far as it was said.
func (h *history) dataLoss() Figure {
	f := Figure{Name: "Data loss (RPO)"}
	if h.undone {
		f.Value, f.Note, f.Tone = "none", "the run was undone before its storage was promoted", Good
		return f
	}
	var oldest time.Time
	var unknown []string
	said := 0
	groups := map[string]bool{}
	for _, domain := range h.facts.Domains {
		if groups[domain.Group] {
			continue
		}
		groups[domain.Group] = true
		p, known := h.promoted[domain.Group]
		if !known {
			continue
		}
		said++
		at, err := time.Parse(time.RFC3339, strings.TrimSpace(p.asOf))
		switch {
		case p.asOf == stdlib.InSync:
		case err != nil:
			unknown = append(unknown, domain.Group)
		case oldest.IsZero() || at.Before(oldest):
			oldest = at
		}
	}
	switch {
	case said < len(groups):
		f.Value, f.Note, f.Tone = "not known yet", fmt.Sprintf("the copies of %d of %s were made writable", said, Count(len(groups), "consistency group")), Neutral
	case h.facts.Planned && h.lossGivenUp() == "":
		f.Value, f.Note, f.Tone = "none", "the copy holds the last write of "+h.facts.Source, Good
	case h.facts.Planned:
		f.Value, f.Note, f.Tone = "accepted", h.lossGivenUp()+" gave up by name what the copy lacks", Bad
	case len(unknown) > 0:
		f.Value, f.Note, f.Tone = "unknown", "nobody could say as of when the copy is (group "+strings.Join(unknown, ", ")+")", Warn
	case oldest.IsZero():
		f.Value, f.Note, f.Tone = "none", "the array said that the copy is in sync", Good
	default:
		until, what := h.info.Started, "the run began"
		if since := h.silentSince(); !since.IsZero() {
			until, what = since, h.facts.Source+" was first seen silent"
		}
		f.Value, f.Tone = "at most "+Span(max(until.Sub(oldest), 0)), Warn
		f.Note = fmt.Sprintf("the copy is as of %s, and %s at %s", stamp(oldest), what, until.UTC().Format("15:04:05"))
	}
	return f
}

// lossGivenUp returns who gave up by name what the copy lacks, "" where nobody did.
func (h *history) lossGivenUp() string {
	for i := range h.notes {
		if h.notes[i].Note == "accept_loss" {
			return confirmationOf(&h.notes[i]).Name
		}
	}
	return ""
}

// stamp is a time with its day.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }
