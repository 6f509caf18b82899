package runner

import (
	"context"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// GatherFacts checks a plan for an action and gathers the facts that a run of it would begin with. cleaned, where it is not "", is the
// site that the action clean is for.
func GatherFacts(ctx context.Context, o Options, cleaned string) (facts *stdlib.Facts, result *Result) {
	if cleaned == plans.Primary {
		o.Action = plans.ActionFailback // its source and target are those of this clean
	}
	a := newAttempt(o)
	result = a.conclude(ctx, a.within(ctx, ctx, o.Action, func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		var err error
		t.Release(func() {
			if err = a.open(t.Ctx()); err != nil {
				return
			}
			if cleaned == "" {
				facts, err = a.gatherChecked(t.Ctx())
				return
			}
			sites := map[string]*ovirt.Site{a.source.Name(): a.source, a.target.Name(): a.target}
			survey, found := plans.Check(t.Ctx(), a.plan, nil, sites[plans.Primary], sites[plans.Secondary],
				plans.CheckOptions{Action: plans.ActionClean, Target: cleaned, Now: a.Env.Clock.Now()})
			if a.result.Findings = found; plans.HasErrors(found) {
				err = plans.FindingsError(found)
				return
			}
			facts, err = gather(survey, o.Planned)
		})
		return err
	}))
	return facts, result
}

// FactsPart is one part of the facts in an engine.
type FactsPart = factsPart

// PackFacts and UnpackFacts are what brings facts into an engine and back.
var (
	PackFacts   = packFacts
	UnpackFacts = unpackFacts
)

// Shows tells whether a run with a job at its target, and the jobs that its killed attempts left, may make a change that shows it.
func Shows(target *ovirt.Site, job string, left []string, w *ovirt.Write) bool {
	return (&presence{task: &taskEntry{site: target, job: job, left: left}}).Allows(w)
}
