package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/stdlib"
)

// onErrorLimit is how long the on_error hook may take, also when the run was interrupted.
const onErrorLimit = 30 * time.Second

// conclude turns the end of an attempt into its result: verdict, exit code, the fate of every object, and the end of the run.
func (a *attempt) conclude(soft context.Context, err error) *Result {
	r := a.result
	if a.run != nil && a.facts != nil {
		r.StorageDomains, r.VMs = boardOf(a.run.Board(), a.facts)
	}
	var skipped []string
	if a.session != nil {
		skipped = a.session.Skipped()
	}
	switch {
	case err != nil:
		a.concludeError(soft, err)
	case a.DryRun && a.session != nil:
		r.Exit, r.Status = ExitDone, StatusDone
		r.DryRun = &DryRunResult{Calls: a.session.Dry.Calls(), Assumed: a.session.Dry.Assumed()}
		r.Verdicts = append(r.Verdicts, "dry run: nothing was changed")
	case a.session == nil || (a.Action == plans.ActionConsole || complete(a.facts, r.StorageDomains, r.VMs)) && len(skipped) == 0:
		r.Exit, r.Status = ExitDone, StatusDone
	case a.Action == plans.ActionConsole:
		r.Exit, r.Status = ExitPartial, StatusPartial
		r.Error = &ErrorResult{Code: "partial", Message: strings.Join(skipped, "; "), Hint: "see where everything is: drrun status " + a.PlanFile}
	default:
		r.Exit, r.Status = ExitPartial, StatusPartial
		r.Error = &ErrorResult{Code: "partial", Message: a.unfinishedObjects(skipped), Hint: a.afterPart()}
	}
	ended := a.endedAs()
	if ended != StatusStopped && ended != StatusInterrupted { // else they keep other machines away until it is resumed
		a.releaseLocks(soft)
	}
	a.verdicts()
	r.Warnings = append(r.Warnings, a.presence.end(err)...)
	for _, site := range append([]*ovirt.Site{a.source, a.target}, a.opened...) {
		if site != nil {
			r.Requests[site.Name()] = countersOf(site.Counters())
		}
	}
	if a.run != nil {
		if dir, lost := a.run.Mirror(); lost != nil {
			a.warn(engine.LostMirrorText(dir, lost))
		}
	}
	a.warnOfUnusedAnswers()
	a.clean()
	r.Duration = a.Env.Clock.Now().Sub(a.started).Seconds()
	if a.run != nil {
		r.Attempt = a.run.Attempt()
		a.endRun(ended)
		if closeErr := a.run.Close(); closeErr != nil {
			a.warn("close the journal: " + closeErr.Error())
		}
	}
	a.closeSites(soft)
	if a.unlock != nil {
		a.unlock()
	}
	return r
}

// endRun journals the end of the attempt and writes the report. An end that cannot be recorded is lost, not the work: the outcome stays
// what it is unless nothing else was wrong. A report that cannot be written can be made from the journal at any time.
func (a *attempt) endRun(ended string) {
	r := a.result
	a.noteEnding()
	err := a.run.End(ended, r.Exit, r)
	switch {
	case errors.Is(err, engine.ErrEndLost):
		a.warn("the end of the run could not be recorded: " + err.Error())
		if r.Exit == ExitDone {
			r.Exit, r.Status = ExitPartial, StatusPartial
			r.Error = &ErrorResult{Code: "journal", Message: "all is done, but the end of the run could not be recorded: " + err.Error(), Hint: "check the state folder " + a.StateDir}
		}
	case err != nil:
		a.warn(a.reportLost(err))
	}
}

// noteEnding journals what the attempt came to, with the end that follows: the next attempt replaces the report of this one.
func (a *attempt) noteEnding() {
	ending := report.Ending{Rollback: a.rollback, Failure: (*report.Failure)(a.result.Error), Verdicts: a.result.Verdicts}
	a.run.Note(report.EndingNote, engine.Subject{Kind: "run", ID: a.run.ID()}, ending)
}

// reportLost says what a report that could not be written means.
func (a *attempt) reportLost(err error) string {
	return fmt.Sprintf("%s; the run has ended all the same, and this makes the report anew: drrun report %s%s", a.redact(err.Error()), a.result.Run, a.StateArgument)
}

// warnOfUnusedAnswers says which answers were passed over: where the run did not come to its end, because another one is recorded; where
// it did, because nothing asked for them.
func (a *attempt) warnOfUnusedAnswers() {
	if a.UnusedAnswers == nil || a.run == nil || a.DryRun {
		return
	}
	done := a.result.Status == StatusDone
	for _, name := range a.UnusedAnswers() {
		switch recorded := a.run.Answered(name); {
		case done && !recorded:
			a.warn(a.unaskedText(name))
		case recorded && !done && a.run.Attempt() > 1:
			a.warn(fmt.Sprintf("the answer to %s was not used: the run has recorded one. To be asked again: drrun resume %s --redo %s", name, a.run.ID(), engine.PromptKey(name)))
		}
	}
}

// unaskedText says of an answer that no question wanted it, and which questions there were.
func (a *attempt) unaskedText(name string) string {
	asked := a.run.Prompts()
	text := fmt.Sprintf("the answer to %s was not used: the run asked nothing of that name", name)
	if len(asked) > 0 {
		text += "; it asked: " + strings.Join(asked, ", ")
	}
	names := slices.Clone(asked)
	for _, question := range asked { // one answer for the question about each group
		if of, _, grouped := strings.Cut(question, ":"); grouped {
			names = append(names, of)
		}
	}
	if nearest := lua.Nearest(name, names); nearest != "" {
		text += fmt.Sprintf("; did you mean %s?", nearest)
	}
	return text
}

// endedAs is the status for the journal, which says whether the run waits for a resume.
func (a *attempt) endedAs() string {
	switch status := a.result.Status; {
	case a.rollback:
		return a.endOfRollback()
	case (status == StatusInternal || status == StatusRefused) && a.changed():
		return StatusStopped // it can be resumed, and nothing else may begin before
	case status == StatusInterrupted && !a.changed():
		return StatusRefused // nothing is left to go on with, and nothing is to wait for it
	default:
		return status
	}
}

// builtinPlace is where in drrun's own Lua an error was raised, with the primitive that raised it: of no use to an operator.
var builtinPlace = regexp.MustCompile(`builtin:[^\s:]+:\d+(?::\d+)?: (?:[a-z_]+[:.][a-z_]+: )?`)

// sourceOf renders the user's own line that an error came from, with its calls; "" where drrun's own Lua or no Lua raised it.
func sourceOf(err error) string {
	var diagnostic *lua.Diagnostic
	if !errors.As(err, &diagnostic) || diagnostic.Source == "" || strings.HasPrefix(diagnostic.Pos.File, "builtin:") {
		return ""
	}
	bare := *diagnostic
	bare.Hint, bare.Notes, bare.Failures = "", nil, nil
	var b strings.Builder
	lua.Render(&b, &bare)
	_, source, _ := strings.Cut(strings.TrimRight(b.String(), "\n"), "\n") // the first line is the message
	return source
}

// concludeError decides between refused, stopped, interrupted, invalid and internal.
func (a *attempt) concludeError(soft context.Context, err error) {
	err = a.orTheDisk(err)
	r := a.result
	message := builtinPlace.ReplaceAllString(a.redact(err.Error()), "")
	r.Error = &ErrorResult{Code: codeOf(err), Message: message, Hint: hintOf(err)}
	r.Error.Source = a.redact(sourceOf(err))
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
	case errors.As(err, &known) && (!a.changed() || known.code == "locked" || known.asItIs):
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
	if r.Status == StatusInterrupted && (r.Error.Code == string(ovirt.CodeCancelled) || errors.Is(err, context.Cause(soft))) {
		r.Error.Code, r.Error.Message = "interrupted", "interrupted: nothing new was started"
	}
	if r.Status == StatusStopped || r.Status == StatusInterrupted && a.run != nil || r.Status == StatusInternal && a.changed() {
		next := a.nextCommand()
		if strings.Contains(r.Error.Hint, confirmFlag) && a.Action != plans.ActionConsole && !strings.Contains(next, confirmFlag) {
			next += confirmAnew
		}
		var inPlan *lua.Diagnostic
		if r.Status == StatusInterrupted && !a.changed() {
			r.Error.Hint = "nothing was changed: start it anew when you are ready"
		} else if r.Error.Hint == "" && r.Status == StatusInterrupted {
			r.Error.Hint = "go on with: " + next
		} else if errors.As(err, &inPlan) && inPlan.Pos.File != "" {
			if r.Error.Hint != "" {
				r.Error.Hint += "; "
			}
			r.Error.Hint += a.afterFaultInPlan(next)
		} else if r.Error.Hint == "" {
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
	switch {
	case a.run == nil && a.result.Run != "":
		return "nothing was done, the run is as it was"
	case a.run == nil:
		return "nothing was changed"
	}
	if !a.changed() || a.facts == nil {
		return "no object of the plan was changed"
	}
	return a.boardText()
}

// boardText counts the objects of the plan by their states.
func (a *attempt) boardText() string {
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
	text := fmt.Sprintf("on %s: %d of %d storage domains active", a.facts.Target, active, len(a.result.StorageDomains))
	if a.facts.Own {
		text = "on " + a.facts.Target + ": no storage domain was moved"
	}
	for _, state := range []string{stdlib.StateUp, stdlib.StateNotStarted, stdlib.StateLeft, stdlib.StateUnverified, stdlib.StateStarting, stdlib.StateRegistered, stdlib.StateStopped, stdlib.StateFailed, stdlib.StateMissing, stdlib.StatePending, stdlib.StateUntouched} {
		if count[state] > 0 {
			text += fmt.Sprintf(", %d VM%s %s", count[state], map[bool]string{false: "s"}[count[state] == 1], state)
		}
	}
	return text
}

func (a *attempt) unfinishedObjects(skipped []string) string {
	var names []string
	if a.facts.Action == plans.ActionClean {
		return a.boardText()
	}
	for _, domain := range a.result.StorageDomains {
		if !domainIsGood(a.facts, domain.Status) {
			names = append(names, fmt.Sprintf("storage domain %s is %s", domain.Name, domain.Status))
		}
	}
	for _, vm := range a.result.VMs {
		if !vmIsGood(a.facts, vm.Status) {
			names = append(names, fmt.Sprintf("VM %s is %s", vm.Name, vm.Status))
		}
	}
	names = append(names, skipped...)
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
	a.settleReliance()
	if a.confirmedBy != "" && a.changed() && a.facts != nil {
		again := a.session != nil && a.session.Gate != nil && a.session.Gate.Contradicted()
		r.Verdicts = append(r.Verdicts, stdlib.NotIsolatedVerdict(a.facts.Source, a.confirmedBy, again))
	}
	if a.session != nil {
		r.Verdicts = append(r.Verdicts, a.session.Verdicts()...)
		r.Warnings = append(r.Warnings, a.session.Warnings()...)
	}
}

// clean passes all free text of the result through the filter for secrets: it goes to the terminal as well as to the report.
func (a *attempt) clean() {
	r := a.result
	for _, texts := range [][]string{r.Warnings, r.Verdicts} {
		for i := range texts {
			texts[i] = a.redact(texts[i])
		}
	}
	for _, objects := range [][]ObjectResult{r.StorageDomains, r.VMs} {
		for i := range objects {
			objects[i].Error = a.redact(objects[i].Error)
		}
	}
	for i := range r.Findings {
		r.Findings[i].Message, r.Findings[i].Hint = a.redact(r.Findings[i].Message), a.redact(r.Findings[i].Hint)
	}
	if r.Error != nil {
		r.Error.Message, r.Error.Hint, r.Error.State = a.redact(r.Error.Message), a.redact(r.Error.Hint), a.redact(r.Error.State)
	}
	if r.Evidence != nil {
		r.Evidence.Why = a.redact(r.Evidence.Why)
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
	var secret *plans.SecretError
	if errors.As(err, &secret) {
		return secret.Hint()
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
