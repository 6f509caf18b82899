package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drrun/plans"
	"drrun/stdlib"
)

// precheckEvidence refuses, before a run exists, where the gate is bound to say no. Of a planned move and of a clean the source is
// alive, and it is the workflow that makes the evidence.
func (a *attempt) precheckEvidence(ctx context.Context, facts *stdlib.Facts) (*stdlib.Confirmation, error) {
	if facts.Planned || facts.Action == plans.ActionClean {
		return nil, nil
	}
	if a.Action == plans.ActionConsole && a.ConfirmSourceDown == "" { // each start asks for it
		return nil, nil
	}
	var confirmation *stdlib.Confirmation
	if a.ConfirmSourceDown != "" {
		var err error
		if confirmation, err = stdlib.ParseConfirmation(a.ConfirmSourceDown, a.Env.Clock.Now()); err != nil {
			return nil, invalid("confirmation", "", err)
		}
	}
	if facts.Own { // it is asked for when the action starts something
		return confirmation, nil
	}
	gate := stdlib.NewGate(a.Env.Clock, facts.Source, time.Second, a.look(facts), nil)
	if confirmation != nil {
		if err := gate.Confirm(*confirmation); err != nil {
			return nil, err
		}
	}
	verdict, err := gate.Require(ctx)
	a.sourceAnswers = verdict.Answers
	var missing *stdlib.EvidenceError
	switch {
	case a.DryRun && errors.As(err, &missing):
		return confirmation, nil
	case err == nil && verdict.Ground == stdlib.GroundConfirmed && a.answeredCheck: // the word was older than that answer
		return nil, refuse("no-evidence", "find out what "+facts.Source+" does; when you are sure that it is off, start it again",
			fmt.Errorf("no evidence that site %q is down: its engine answered a moment ago, while the check looked, so the confirmation of %s does not count; it is silent now", facts.Source, confirmation.Name))
	case err == nil:
		return confirmation, nil
	case !errors.As(err, &missing):
		return nil, err // the look was given up
	case !verdict.Answers && a.canAnswer(stdlib.QuestionSourceDown):
		return confirmation, nil
	}
	a.result.Evidence = &verdict
	hint := hintOf(err)
	if verdict.Answers {
		hint = "to leave " + facts.Source + " in good order: " + a.plannedCommand() + ". Else: " + hint
	}
	return nil, refuse("no-evidence", hint, err)
}

// plannedCommand moves the plan in good order, in the direction of this action.
func (a *attempt) plannedCommand() string {
	if a.Action == plans.ActionFailback {
		return "drrun failback " + a.PlanFile
	}
	return "drrun failover " + a.PlanFile + " --planned"
}

func (a *attempt) canAnswer(name string) bool { return a.CanAnswer != nil && a.CanAnswer(name) }

// refuseUnheardNo refuses a "no" to the replication of a group where a hook speaks for it: the question is never asked, and the run would
// go on against the word of the person who gave it.
func (a *attempt) refuseUnheardNo(facts *stdlib.Facts) error {
	if a.PreparedAnswer == nil {
		return nil
	}
	for _, domain := range facts.Domains {
		if answer, _ := a.PreparedAnswer("replication:" + domain.Group); answer != "no" {
			continue
		}
		for _, hook := range []string{"promote_storage", "ensure_replication"} {
			if a.plan.HasHook(hook, domain.Group) {
				return refuse("answer-unheard", "when the array does not replicate, mend that first; when it does, leave --answer replication=no out",
					fmt.Errorf("--answer says that group %q is not replicated, and this plan does not ask that: its hook %s speaks for the group", domain.Group, hook))
			}
		}
	}
	return nil
}

// precheckAnswers refuses where the run would stop for want of an answer about the storage.
func (a *attempt) precheckAnswers(facts *stdlib.Facts) error {
	if !plans.Moves(facts.Action) || a.Action == plans.ActionConsole || a.plan.Workflows[a.Action] != nil {
		return nil
	}
	if err := a.refuseUnheardNo(facts); err != nil || a.DryRun {
		return err
	}
	for _, domain := range facts.Domains {
		if domain.Arrived || a.plan.HasHook("promote_storage", domain.Group) {
			continue
		}
		if name := "replication:" + domain.Group; facts.Planned && !a.plan.HasHook("ensure_replication", domain.Group) && !a.canAnswer(name) {
			return refuse("needs-answer", "when the array does, add: --answer replication=yes",
				fmt.Errorf("nobody can be asked whether the array replicates the storage of group %q from %s to %s", domain.Group, facts.Source, facts.Target))
		}
		if name := "promote_storage:" + domain.Group; !a.canAnswer(name) {
			hint := "make the copy writable at the array, then add: --answer 'promote_storage=writable,as_of=TIME' (or as_of=unknown)"
			if facts.Planned {
				hint = "the copy is made writable in the middle of it, when " + facts.Source + " has let go: run it on a terminal, or with --wait-for-answers and drrun answer from another one; or give the plan a hook promote_storage"
			}
			return refuse("needs-answer", hint,
				fmt.Errorf("the plan has no hook promote_storage for group %q, and nobody can be asked whether its storage is writable on site %s", domain.Group, facts.Target))
		}
	}
	return nil
}
