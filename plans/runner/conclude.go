package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/stdlib"
)

// onErrorLimit is how long the on_error hook may take, also when the run was interrupted.
const onErrorLimit = 30 * time.Second

// conclude turns the end of an attempt into its result: verdict, exit code, the fate of every object, and the end of the run.
func (a *attempt) conclude(soft context.Context, err error) *Result {
	r := a.result
	if a.session != nil {
		r.StorageDomains, r.VMs = boardOf(a.run, a.session.Facts)
	}
	switch {
	case err != nil:
		a.concludeError(soft, err)
	case a.session == nil || complete(r.StorageDomains, r.VMs):
		r.Exit, r.Status = ExitDone, StatusDone
	default:
		r.Exit, r.Status = ExitPartial, StatusPartial
		r.Error = &ErrorResult{Code: "partial", Message: a.unfinishedObjects(), Hint: "correct what is wrong with them, then: drrun resume " + r.Run}
	}
	for _, site := range []*ovirt.Site{a.source, a.target} {
		if site != nil {
			r.Requests[site.Name()] = countersOf(site.Counters())
		}
	}
	a.verdicts()
	r.Duration = a.Env.Clock.Now().Sub(a.started).Seconds()
	if a.run != nil {
		if endErr := a.run.End(r.Status, r.Exit, r); endErr != nil {
			// The report is lost, not the work: the outcome stays what it is unless nothing else was wrong.
			a.warn("the end of the run could not be recorded: " + endErr.Error())
			if r.Exit == ExitDone {
				r.Exit, r.Status = ExitPartial, StatusPartial
				r.Error = &ErrorResult{Code: "journal", Message: "all is done, but the end of the run could not be recorded: " + endErr.Error(), Hint: "check the state folder " + a.StateDir}
			}
		}
		if closeErr := a.run.Close(); closeErr != nil {
			a.warn("close the journal: " + closeErr.Error())
		}
	}
	for _, site := range []*ovirt.Site{a.source, a.target} {
		if site != nil {
			limit, cancel := a.Env.Clock.WithTimeout(context.WithoutCancel(soft), 5*time.Second)
			site.Close(limit)
			cancel()
		}
	}
	if a.unlock != nil {
		a.unlock()
	}
	return r
}

// concludeError decides between refused, stopped, interrupted, invalid and internal.
func (a *attempt) concludeError(soft context.Context, err error) {
	r := a.result
	message := a.redact(err.Error())
	r.Error = &ErrorResult{Code: codeOf(err), Message: message, Hint: hintOf(err)}
	var fault *ovirt.Error
	if errors.As(err, &fault) {
		r.Error.Site, r.Error.Object, r.Error.State = fault.Site, fault.Subject.Name, fault.State
	}
	var known *failure
	var panicked *engine.PanicError
	switch {
	case soft.Err() != nil && a.run != nil:
		r.Exit, r.Status = ExitInterrupted, StatusInterrupted
	case soft.Err() != nil:
		r.Exit, r.Status = ExitInterrupted, StatusInterrupted
		r.Error.Hint = "nothing was begun"
	case errors.As(err, &panicked):
		r.Exit, r.Status = ExitInternal, StatusInternal
	case errors.As(err, &known) && !a.changed():
		r.Exit, r.Status = known.exit, known.status
	case a.run != nil && a.changed():
		r.Exit, r.Status = ExitStopped, StatusStopped
	case a.run != nil || fault != nil:
		r.Exit, r.Status = ExitRefused, StatusRefused
	default:
		r.Exit, r.Status = ExitInternal, StatusInternal
		var diagnostic *lua.Diagnostic
		if errors.As(err, &diagnostic) {
			r.Exit, r.Status = ExitInvalid, StatusInvalid
		}
	}
	if r.Status == StatusStopped || r.Status == StatusInterrupted && a.run != nil {
		next := "drrun resume " + r.Run
		if r.Error.Hint == "" {
			r.Error.Hint = "when the cause is mended, go on with: " + next
		} else {
			r.Error.Hint += "; then go on with: " + next
		}
	}
	if r.Error.State == "" {
		r.Error.State = a.stateOfThings()
	}
	if a.session != nil {
		a.callOnError(soft, err)
	}
}

// changed reports whether this run, in any attempt, changed an object of the plan or ran a hook or step that may have.
func (a *attempt) changed() bool { return a.run != nil && a.run.Changed() }

// callOnError runs the on_error hook under a limit of its own, since the run's contexts may be gone.
func (a *attempt) callOnError(soft context.Context, err error) {
	if len(a.session.Hooks["on_error"]) == 0 {
		return
	}
	limit, cancel := a.Env.Clock.WithTimeout(context.WithoutCancel(soft), onErrorLimit)
	defer cancel()
	report := map[string]any{"code": a.result.Error.Code, "message": a.result.Error.Message, "status": a.result.Status, "run": a.result.Run}
	hookErr := engine.NewScheduler(a.Env).Run(limit, limit, "on_error", func(t *engine.Task) error {
		return a.session.RunOnError(t, report)
	})
	if hookErr != nil {
		a.warn("the hook on_error failed: " + a.redact(hookErr.Error()))
	}
}

// stateOfThings says in one sentence what is where now.
func (a *attempt) stateOfThings() string {
	if a.session == nil {
		return "nothing was changed"
	}
	if !a.changed() {
		return "no object of the plan was changed"
	}
	count := map[string]int{}
	for _, vm := range a.result.VMs {
		count[vm.Status]++
	}
	active := 0
	for _, domain := range a.result.StorageDomains {
		if domain.Status == stdlib.StateActive {
			active++
		}
	}
	text := fmt.Sprintf("on %s: %d of %d storage domains active", a.target.Name(), active, len(a.result.StorageDomains))
	for _, state := range []string{stdlib.StateUp, stdlib.StateUnverified, stdlib.StateStarting, stdlib.StateRegistered, stdlib.StateFailed, stdlib.StateMissing, stdlib.StatePending} {
		if count[state] > 0 {
			text += fmt.Sprintf(", %d VMs %s", count[state], state)
		}
	}
	return text
}

func (a *attempt) unfinishedObjects() string {
	var names []string
	for _, domain := range a.result.StorageDomains {
		if domain.Status != stdlib.StateActive {
			names = append(names, fmt.Sprintf("storage domain %s is %s", domain.Name, domain.Status))
		}
	}
	for _, vm := range a.result.VMs {
		if !slices.Contains([]string{stdlib.StateUp, stdlib.StateNotStarted}, vm.Status) {
			names = append(names, fmt.Sprintf("VM %s is %s", vm.Name, vm.Status))
		}
	}
	text := "not everything is as the plan wants it"
	for i, name := range names {
		if i == 5 {
			return text + fmt.Sprintf(" and %d more", len(names)-i)
		}
		text += map[bool]string{true: ": ", false: ", "}[i == 0] + name
	}
	return text
}

// verdicts adds the sentences that an operator must not miss.
func (a *attempt) verdicts() {
	r := a.result
	if r.Evidence != nil && r.Evidence.Ground == stdlib.GroundConfirmed && a.changed() {
		r.Verdicts = append(r.Verdicts, fmt.Sprintf("NOT ISOLATED: do not power on %s: only the word of %s says that it is down", a.source.Name(), r.Evidence.Confirmation.Name))
	}
}

// codeOf returns the stable code of an error, "internal" when it has none.
func codeOf(err error) string {
	var known *failure
	if errors.As(err, &known) && known.code != "" {
		return known.code
	}
	var evidence *stdlib.EvidenceError
	if errors.As(err, &evidence) {
		return "no-evidence"
	}
	var diagnostic *lua.Diagnostic
	if errors.As(err, &diagnostic) && diagnostic.Code != "" {
		return diagnostic.Code
	}
	var fault *ovirt.Error
	if errors.As(err, &fault) {
		return string(fault.Code)
	}
	var coded interface{ Code() string }
	if errors.As(err, &coded) {
		return coded.Code()
	}
	return "internal"
}

// hintOf returns what to do about an error, "" when nothing is known.
func hintOf(err error) string {
	var known *failure
	if errors.As(err, &known) && known.hint != "" {
		return known.hint
	}
	var evidence *stdlib.EvidenceError
	if errors.As(err, &evidence) {
		return evidence.Hint
	}
	var cut *engine.CutError
	if errors.As(err, &cut) && cut.Err != nil {
		return fmt.Sprintf("find out whether it was done, and answer: --answer '%s%s=done' (or redo, or abort)", engine.CutQuestion, cut.Key)
	}
	var diagnostic *lua.Diagnostic
	var fault *ovirt.Error
	hint := ""
	if errors.As(err, &diagnostic) {
		hint = diagnostic.Hint
	}
	if hint == "" && errors.As(err, &fault) {
		hint = fault.Hint
	}
	return cmp.Or(hint, "")
}
