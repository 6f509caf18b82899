package main

import (
	"fmt"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
)

// leaving is what a run waits for before the target takes over: VMs that were asked to shut down, storage domains that go into
// maintenance, and a time that has to be over.
type leaving struct {
	asked map[string]engine.Subject // by operation and id
	until time.Time                 // when the wait below is over
	what  string                    // that is waited for until then
}

// leavingWords says of an operation what is waited for after it.
var leavingWords = []struct{ op, words string }{
	{ovirt.OpShutdownVM, "to shut down"},
	{ovirt.OpStopVM, "to be switched off"},
	{ovirt.OpUpdateOVFStore, "to have its OVF store written"},
	{ovirt.OpDeactivateDomain, "to be in maintenance"},
}

// observe takes up an event. A stage that begins waits for nothing of the one before.
func (l *leaving) observe(e engine.Event) {
	switch e.Kind {
	case "stage":
		*l = leaving{}
	case "intent":
		if l.asked == nil {
			l.asked = map[string]engine.Subject{}
		}
		l.asked[e.Text+e.Subject.ID] = e.Subject
	case "mark":
		for _, of := range leavingWords {
			delete(l.asked, of.op+e.Subject.ID)
		}
	case "log":
		var wait struct {
			Until time.Time `json:"until"`
			What  string    `json:"what"`
		}
		if decode(e.Data, &wait) && !wait.Until.IsZero() {
			l.until, l.what = wait.Until, wait.What
		}
	}
}

// words says what is waited for now, one text for each kind of it.
func (l *leaving) words(now time.Time) []string {
	var parts []string
	for _, of := range leavingWords {
		var names []string
		for key, subject := range l.asked {
			if key == of.op+subject.ID {
				names = append(names, subject.Name)
			}
		}
		if len(names) > 0 {
			parts = append(parts, someNames(names, 4)+" "+of.words)
		}
	}
	if rest := l.until.Sub(now); rest > 0 {
		parts = append(parts, fmt.Sprintf("%s (%s left)", l.what, span(rest)))
	}
	return parts
}

// opposite is the other site of the pair.
func opposite(site string) string {
	if site == plans.Primary {
		return plans.Secondary
	}
	return plans.Primary
}
