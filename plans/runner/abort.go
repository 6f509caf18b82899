package runner

import (
	"fmt"

	"drrun/engine"
)

// StatusAborted is how a run ends that was closed by drrun abort. It is the status of the run, not of a command.
const StatusAborted = "aborted"

// Abort closes an unfinished run, so that its storage domains are free for another action. It asks no engine and undoes nothing;
// the result says what the run had reached. A run that is being worked on is refused.
func Abort(o Options, id string) *Result {
	a := newAttempt(o)
	a.Action, a.result.Action = "abort", "abort"
	err := a.abort(id)
	r := a.result
	if err != nil {
		r.Exit, r.Status = ExitRefused, StatusRefused
		if known, ok := err.(*failure); ok {
			r.Exit, r.Status = known.exit, known.status
		}
		r.Error = &ErrorResult{Code: codeOf(err), Message: err.Error(), Hint: hintOf(err), State: "nothing was changed"}
	} else {
		r.Exit, r.Status = ExitDone, StatusDone
	}
	if a.unlock != nil {
		a.unlock()
	}
	return r
}

func (a *attempt) abort(id string) error {
	info, err := engine.ReadRun(a.Env, a.StateDir, id)
	if err != nil {
		return invalid("no-run", "drrun history lists the runs", err)
	}
	a.result.Run, a.result.Plan = info.ID, info.Head.Plan
	if info.Err != nil {
		return refuse("journal", "move the run's folder out of "+a.StateDir+" when you have looked at it", fmt.Errorf("read the journal of run %s: %w", info.ID, info.Err))
	}
	if !info.Unfinished() {
		return finished(info)
	}
	if err := a.lock(info.Head.Domains); err != nil {
		return err
	}
	run, err := engine.OpenRun(a.Env, a.StateDir, info.ID, engine.WithBy(engine.By{Version: a.Version, Host: a.Host, User: a.User}))
	if err != nil {
		return refuse("journal", "", fmt.Errorf("open run %s: %w", info.ID, err))
	}
	a.run = run
	if a.facts, err = factsOf(run); err != nil {
		return err
	}
	if a.facts != nil {
		a.result.StorageDomains, a.result.VMs = boardOf(run, a.facts)
	}
	a.result.Verdicts = append(a.result.Verdicts, fmt.Sprintf("run %s is closed and cannot be resumed; nothing was undone: %s", info.ID, a.reached()))
	if err := run.End(StatusAborted, ExitDone, a.result); err != nil {
		return refuse("journal", "the state folder must be writable: "+a.StateDir, err)
	}
	return nil
}

// reached says what the run had done in all its attempts.
func (a *attempt) reached() string {
	if a.facts == nil || !a.changed() {
		return "it had changed nothing"
	}
	return a.boardText()
}
