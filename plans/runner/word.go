package runner

import (
	"drrun/ovirt"
	"drrun/stdlib"
)

// reliance is what the attempt rests on at the moment, to tell at its end whether VMs were started on nothing but a person's word.
type reliance struct {
	word   string // of the last look at the source; "" where that had better evidence, or none
	starts int    // that had been asked for when the word began to count
}

// relyOn takes the verdict of a look at the source.
func (a *attempt) relyOn(verdict stdlib.Verdict) {
	a.settleReliance()
	word := ""
	if verdict.Holds && verdict.Ground == stdlib.GroundConfirmed {
		word = verdict.Confirmation.Name
	}
	a.reliance = reliance{word: word, starts: a.startsAsked()}
}

// settleReliance notes whose word it was that VMs were started on since the last look.
func (a *attempt) settleReliance() {
	if a.reliance.word != "" && a.startsAsked() > a.reliance.starts {
		a.confirmedBy = a.reliance.word
	}
}

func (a *attempt) startsAsked() int { return len(a.run.Intents(ovirt.OpStartVM, a.facts.Target)) }
