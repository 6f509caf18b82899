package runner

import (
	"maps"
	"slices"

	"drrun/engine"
	"drrun/stdlib"
)

// newSession makes the session that Lua code sees, with what the plan says.
func (a *attempt) newSession(run *engine.Run, facts *stdlib.Facts) *stdlib.Session {
	s := stdlib.NewSession(a.Env, run, facts, a.source, a.target)
	s.Plan, s.Params = a.plan.Object, a.params()
	for _, hook := range a.plan.Hooks {
		s.Hooks[hook.Point] = append(s.Hooks[hook.Point], stdlib.Handler{
			Point: hook.Point, Name: hook.Handler, Func: hook.Func, Timeout: hook.Timeout, OnCut: hook.OnCut, OnError: hook.OnError, Options: hook.Options, Groups: hook.Groups,
		})
	}
	for _, vm := range a.plan.VMs {
		s.Conditions[vm.ID] = vm.Boot.For(facts.Action)
	}
	s.TargetPassword = a.targetPassword
	return s
}

// currentSession is the session of the attempt, nil where there is none yet.
func (a *attempt) currentSession() *stdlib.Session {
	if a.session == nil && a.trial != nil {
		return a.trial.begun()
	}
	return a.session
}

// wire joins run, facts, plan and sites to the session that the workflow sees.
func (a *attempt) wire(facts *stdlib.Facts) error {
	a.result.Run, a.facts = a.run.ID(), facts
	s := a.newSession(a.run, facts)
	if a.DryRun {
		s.Dry = stdlib.NewDryRun(facts)
	}
	if err := a.takeAcceptedLoss(s); err != nil {
		return err
	}
	if err := a.takeStaleConfirmation(s); err != nil {
		return err
	}
	subject := engine.Subject{Kind: "site", Site: facts.Source, Name: facts.Source}
	s.Gate = stdlib.NewGate(a.Env.Clock, facts.Source, s.Tick, a.look(facts), func(verdict stdlib.Verdict) {
		a.run.Note(evidenceNote, subject, verdict)
		a.result.Evidence = &verdict
		a.relyOn(verdict)
	})
	a.run.SetAsker(a.Asker)
	a.run.WaitForAnswers(a.WaitForAnswers)
	if a.Observe != nil {
		a.run.Observe(a.Observe)
	}
	if a.Began != nil {
		board := slices.Collect(maps.Values(facts.TargetStates(a.run.Board())))
		a.Began(a.run.ID(), Totals{StorageDomains: len(facts.Domains), VMs: len(facts.VMs), Own: facts.Own, Board: board})
	}
	a.session = s
	s.Begin()
	a.goOn.begin(a)
	return nil
}

// evidenceNote is the kind of the journal's notes about looks at the source.
const evidenceNote = "evidence"
