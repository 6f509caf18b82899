package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"drrun/ovirt"
)

// factsMark ends the correlation id of the events that carry facts, so that they are found apart from the others.
const factsMark = "-facts"

// keepFacts posts the facts of the run to the target's engine, behind all other events. They are packed beside the work too: those of
// 5,000 VMs take a while.
func (p *presence) keepFacts() {
	for _, list := range p.events {
		if list.site == p.attempt.target {
			list.addBulk([]mark{func(context.Context) error {
				p.packFacts(list)
				return nil
			}})
		}
	}
}

// packFacts queues an event for each part of the facts. Facts that hold a secret stay here: they cannot be cleaned, since a name or an id
// that was changed would be worse than none.
func (p *presence) packFacts(list *eventList) {
	a := p.attempt
	facts := a.run.Facts()
	parts, err := packFacts(a.run.ID(), facts)
	if err == nil && a.redact(string(facts)) != string(facts) {
		err = errors.New("a name, id or comment in them holds the password of a site")
	}
	if err != nil {
		p.warn(list.site.Name(), fmt.Sprintf("the facts of the run are not kept in the engine of %s: %v", list.site.Name(), err))
		return
	}
	marks := make([]mark, len(parts))
	for i, part := range parts {
		marks[i] = list.post(p.factsEvent(part))
	}
	list.addBulk(marks)
}

// factsEvent is the event that carries a part.
func (p *presence) factsEvent(part factsPart) ovirt.EventSpec {
	data, err := json.Marshal(part)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return ovirt.EventSpec{
		Severity: severityNormal, CorrelationID: part.Run + factsMark, CustomData: string(data),
		Description: fmt.Sprintf("%sits facts, part %d of %d, kept for the day when its records are lost (sha256 %s). Get them back: drrun facts PLAN.lua %s",
			p.prefix(), part.Part, part.Of, part.SHA256, part.Run),
	}
}
