package runner

import (
	"context"
	"fmt"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

// perform runs the workflow with the hooks around it.
func (a *attempt) perform(t *engine.Task) (err error) {
	t.Release(a.appear)
	name := a.Action
	if a.rollback {
		name = plans.ActionRollback
	}
	workflow := a.plan.Workflows[name]
	if a.session.Facts.Own {
		if workflow = a.plan.Actions[a.Action]; workflow == nil {
			return a.unknownAction()
		}
	}
	if workflow == nil {
		builtin, err := a.runtime.Require(t, "dr."+name)
		if err != nil {
			return err
		}
		workflow = builtin.(*lua.Function)
	}
	subject := engine.Subject{Kind: "run", ID: a.run.ID(), Name: a.Action}
	ctx := a.session.Context()
	for _, library := range a.plan.Libraries {
		if err := a.session.RunCheck(t, library.Name, library.Check, library.Options, library.Groups); err != nil {
			return err
		}
	}
	_, err = a.session.RunHook(t, "before_run", subject, map[string]any{"kind": "run", "id": a.run.ID(), "action": a.Action})
	if err == nil {
		_, err = workflow.Call(t, ctx)
	}
	defer func() { a.tellNotRedone(err == nil) }()
	if err == nil && a.session.Dry == nil && plans.Moves(a.session.Facts.Action) {
		a.session.SayUnreached()
		if !a.rollback {
			a.session.SayUnprotected()
		}
	}
	if err == nil && a.session.Dry == nil && (a.session.Facts.Own || plans.Moves(a.session.Facts.Action)) {
		t.Release(func() { a.session.SayUnrepaired(t.Ctx()) })
	}
	if err == nil && a.session.Dry == nil && a.session.Facts.Action != plans.ActionClean {
		t.Release(func() { a.lookAgain(t.Ctx()) })
	}
	domains, vms := boardOf(a.run.Board(), a.session.Facts)
	if err == nil {
		status := statusOf(a.session.Facts, domains, vms, a.session.Skipped())
		_, err = a.session.RunHook(t, "after_run", subject, stdlib.Decoded(map[string]any{"status": status, "storage_domains": domains, "vms": vms}))
	}
	return err
}

// lookAgain looks at the source once more when the workflow is over: one that came back behind the last start is not passed over.
func (a *attempt) lookAgain(ctx context.Context) {
	if _, asked := a.session.Gate.Answers(); a.facts.Own && !asked { // it has started nothing
		return
	}
	verdict, err := a.session.Gate.Require(ctx)
	if err == nil || !verdict.Answers {
		return
	}
	a.session.Skip(fmt.Sprintf("the %s answers again and its VMs may be running: %s", a.facts.Source, verdict.Why))
}

// statusOf is what the result will say, as far as it is known before after_run.
func statusOf(facts *stdlib.Facts, domains, vms []ObjectResult, skipped []string) string {
	if complete(facts, domains, vms) && len(skipped) == 0 {
		return StatusDone
	}
	return StatusPartial
}
