package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
	"drrun/stdlib"
)

func (a *attempt) targetName() string {
	_, target := a.directions()
	return target
}

// takeAcceptedLoss journals the word of a person who gives data up, and gives it to the session. It counts for this attempt.
func (a *attempt) takeAcceptedLoss(s *stdlib.Session) error {
	if a.AcceptLoss == "" {
		return nil
	}
	accepted, err := stdlib.ParseConfirmation(a.AcceptLoss, a.Env.Clock.Now())
	if err != nil {
		return invalid("accept-loss", "--accept-loss 'YOUR NAME: WHY'", err)
	}
	if err := a.run.NoteSynced("accept_loss", engine.Subject{Kind: "run", ID: a.run.ID()}, accepted); err != nil {
		return err
	}
	s.AcceptLoss = accepted
	a.result.Verdicts = append(a.result.Verdicts, fmt.Sprintf("data may be lost: %s has given it up: %s", accepted.Name, accepted.Reason))
	return nil
}

// promotionBegan tells whether a run went beyond the point up to which it can be undone: its storage was promoted, or may have been,
// or the target knows it.
func promotionBegan(run *engine.Run, facts *stdlib.Facts) bool {
	if run.Began("hook:promote_storage/") || run.Began("hook:demote_storage/") || run.Answered("promote_storage") {
		return true
	}
	return slices.ContainsFunc(facts.Domains, func(d stdlib.FactDomain) bool {
		subject := engine.Subject{Kind: ovirt.KindStorageDomain, Site: facts.Target, ID: d.ID}
		return run.ReachedOrCut(ovirt.OpImportDomain, subject)
	})
}

// nextCommand is how the operator goes on with a run that stopped.
func (a *attempt) nextCommand() string {
	if a.rollback {
		return "drrun rollback " + a.result.Run
	}
	if a.Action == ActionConsole { // nothing goes on with what was typed
		return "drrun abort " + a.result.Run
	}
	next := "drrun resume " + a.result.Run
	if a.ConfirmSourceDown != "" {
		next += confirmAnew
	}
	if a.facts != nil && a.facts.Planned && a.run != nil && !promotionBegan(a.run, a.facts) {
		next += " (or undo it all: drrun rollback " + a.result.Run + ")"
	}
	return next
}

// StatusRolledBack is how a run ends that was undone by drrun rollback. It is the status of the run, not of a command.
const StatusRolledBack = "rolled_back"

// rollbackNote is the kind of the journal's note that a run is being undone: from then on it cannot be resumed.
const rollbackNote = "rollback"

// Rollback undoes a planned run whose storage was not promoted yet: its storage domains are activated again at the source, the flags of
// its VMs restored, and those that ran are started there. It can be repeated when it was cut or stopped.
func Rollback(soft, hard context.Context, id string, o Options) *Result {
	o.OnFailure = nil // a person who undoes a run decides by undoing it again, or not
	a := newAttempt(o)
	a.rollback, a.result.Action = true, "rollback"
	id, err := a.takeOver(soft, id)
	if err != nil {
		return a.conclude(soft, err)
	}
	if info, err := engine.ReadRun(o.Env, o.StateDir, id); err == nil && info.Status == StatusPartial { // it went on to its end
		a.result.Run, a.result.Plan = info.ID, info.Head.Plan
		return a.conclude(soft, tooLate(info.ID, info.Head.Target))
	}
	return a.takeUp(soft, hard, id, a.prepareRollback)
}

// cannotUndo refuses a rollback; the run stays as it is.
func cannotUndo(code, hint string, err error) error {
	return &failure{exit: ExitRefused, status: StatusRefused, code: code, hint: hint, err: err, asItIs: true}
}

func tooLate(run, target string) error {
	return cannotUndo("promoted", "drrun resume "+run+" takes it to its end; then come back with the opposite action",
		fmt.Errorf("run %s has gone on to the promotion of the storage on %s: it can only go forward", run, target))
}

func (a *attempt) prepareRollback(ctx context.Context) error {
	recorded := a.facts
	switch {
	case recorded == nil || !a.run.Changed():
		return cannotUndo("nothing-to-undo", "drrun abort "+a.run.ID()+" closes it", fmt.Errorf("run %s has changed nothing", a.run.ID()))
	case !recorded.Planned:
		return cannotUndo("not-planned", "drrun resume "+a.run.ID()+", or drrun abort "+a.run.ID(), fmt.Errorf("run %s is no planned move: what it left at %s cannot be brought back by undoing it", a.run.ID(), recorded.Source))
	case promotionBegan(a.run, recorded) && !sabotage.On(sabotage.RollbackLate):
		return tooLate(a.run.ID(), recorded.Target)
	}
	facts := recorded.Reversed()
	a.facts = facts
	if err := a.open(ctx); err != nil {
		return err
	}
	if err := a.refuseBehind(ctx); err != nil {
		return err
	}
	confirmation, err := a.precheckEvidence(ctx, facts)
	if err != nil {
		return err
	}
	if err := a.run.NoteSynced(rollbackNote, engine.Subject{Kind: "run", ID: a.run.ID()}, map[string]any{"text": "the run is undone"}); err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, err)
	}
	if err := a.wire(facts); err != nil {
		return err
	}
	a.recall()
	a.run.SettleRepeated(stdlib.AsksForState)
	if err := a.lockEngines(ctx); err != nil || confirmation == nil {
		return err
	}
	return a.session.TakeConfirmation(*confirmation)
}

// lookForRollback is how the gate sees the site that was to take over. The run's journal shows that it brought nothing there, so a
// domain that its engine does not show is not there. Silence proves nothing: another run may have been at work with this one's locks
// broken.
func (a *attempt) lookForRollback(facts *stdlib.Facts) func(context.Context) (bool, []string, string) {
	return func(ctx context.Context) (bool, []string, string) {
		return stdlib.LookAt(ctx, a.source, facts.Domains, func(string) bool { return true })
	}
}

// endOfRollback is the status that a rollback leaves its run in: closed when all is back, else still unfinished, for another try.
func (a *attempt) endOfRollback() string {
	switch {
	case a.result.Status == StatusDone:
		return StatusRolledBack
	case a.result.Status == StatusInterrupted:
		return StatusInterrupted
	}
	return StatusStopped
}

// Undone tells whether a rollback of a run has begun: it can only be undone to its end then.
func Undone(info *engine.RunInfo) bool {
	return slices.ContainsFunc(info.Records, func(r engine.Record) bool { return r.Note == rollbackNote })
}

// refuseForward refuses to go on with a run that is being undone.
func refuseForward(info *engine.RunInfo) error {
	if !Undone(info) {
		return nil
	}
	return refuse("being-undone", "drrun rollback "+info.ID, errors.New("run "+strings.TrimSpace(info.ID)+" is being undone: it can no longer go forward"))
}
