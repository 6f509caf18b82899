package runner

import (
	"encoding/json"
	"fmt"

	"drrun/ovirt"
)

// factsMark ends the correlation id of the events that carry facts, so that they are found apart from the others.
const factsMark = "-facts"

// keepFacts posts the facts of the run to the target's engine, behind all other events.
func (p *presence) keepFacts() {
	a := p.attempt
	facts := a.run.Facts()
	if a.redact(string(facts)) != string(facts) {
		p.warn(a.target.Name(), "the facts of the run are not kept in the engine of "+a.target.Name()+": a name, id or comment in them holds the password of a site")
		return
	}
	parts, err := packFacts(a.run.ID(), facts)
	if err != nil {
		p.warn(a.target.Name(), "the facts of the run are not kept in the engine of "+a.target.Name()+": "+err.Error())
		return
	}
	for _, list := range p.events {
		if list.site != a.target {
			continue
		}
		marks := make([]mark, len(parts))
		for i, part := range parts {
			marks[i] = list.post(p.factsEvent(part))
		}
		list.addBulk(marks)
	}
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
