package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// check compares the plan with the sites. It returns what it saw of them.
func (a *attempt) check(ctx context.Context, begins bool) (*plans.Survey, error) {
	file := plans.InventoryFile(a.PlanFile)
	inventory, inventoryErr := plans.ReadInventory(a.readFile, a.PlanFile)
	if inventoryErr == nil {
		if text, err := a.readFile(file); err == nil {
			a.keep(file, text)
		}
	}
	options := plans.CheckOptions{Action: a.checkedAs(), Planned: a.Planned, Quarantine: a.Quarantine, Target: a.targetName(), Now: a.Env.Clock.Now(), InventoryErr: inventoryErr, Speed: a.Speed, Begins: begins}
	sites := map[string]*ovirt.Site{}
	reasons := map[string]error{}
	for _, site := range []*ovirt.Site{a.source, a.target} {
		reach := site.Probe(ctx)
		a.answeredCheck = a.answeredCheck || reach.Answers && site == a.source
		switch {
		case reach.Answers && site == a.source && a.noSourceLogin:
			reasons[site.Name()] = fmt.Errorf("%s, and its password is not known", reach.Text)
		case reach.Answers:
			sites[site.Name()] = site
		default:
			reasons[site.Name()] = errors.New(reach.Text)
		}
	}
	if begins {
		if err := a.refuseLocked(ctx, sites); err != nil {
			return nil, err
		}
	}
	options.PrimaryErr, options.SecondaryErr = reasons[plans.Primary], reasons[plans.Secondary]
	survey, findings := plans.Check(ctx, a.plan, inventory, sites[plans.Primary], sites[plans.Secondary], options)
	a.result.Findings = append(a.result.Findings, findings...)
	a.report(findings)
	if plans.HasErrors(findings) {
		return nil, refuse("check", "put right what the check found, then: drrun check "+a.PlanFile, errors.New("the check found errors; nothing was changed"))
	}
	return survey, nil
}

// prepare does all that can refuse a new run, and creates it last: up to there nothing is written anywhere.
func (a *attempt) prepare(ctx context.Context) error {
	// The locks come first: who has them is running, and a run that is unfinished without them waits to be resumed.
	if !a.DryRun {
		if err := a.lock(a.domainIDs()); err != nil {
			return err
		}
	}
	if err := a.refuseUnfinished(); err != nil {
		return err
	}
	if a.DryRun { // its journal lies apart: it is no run that anything waits for
		a.StateDir = filepath.Join(a.StateDir, "dry-runs")
	}
	if err := a.open(ctx); err != nil {
		return err
	}
	a.warnOfLoneJournal(ctx)
	facts, err := a.gatherChecked(ctx)
	if err != nil {
		return err
	}
	confirmation, err := a.precheckEvidence(ctx, facts)
	if err != nil {
		return err
	}
	if err := a.precheckAnswers(facts); err != nil {
		return err
	}
	if err := a.create(facts); err != nil {
		return err
	}
	if err := a.wire(facts); err != nil {
		return err
	}
	if err := a.lockEngines(ctx); err != nil {
		return err
	}
	if err := a.refuseChangedMeanwhile(ctx); err != nil {
		return err
	}
	if confirmation != nil {
		return a.session.TakeConfirmation(*confirmation)
	}
	return nil
}

// gatherChecked checks the plan against the sites and gathers the facts of a run from both.
func (a *attempt) gatherChecked(ctx context.Context) (*stdlib.Facts, error) {
	survey, err := a.check(ctx, true)
	if err != nil {
		return nil, err
	}
	facts, err := gather(survey, a.Planned)
	if err != nil {
		return nil, refuse("facts", "run drrun check "+a.PlanFile, err)
	}
	a.survey, facts.Quarantine = survey, a.Quarantine
	if err = a.recallMoves(facts, survey); err != nil {
		return nil, refuse("state", "drrun history names the runs of the state folder. One whose journal is damaged: drrun show RUN tells what is left of it; then move its folder out of "+filepath.Join(a.StateDir, "runs"), err)
	}
	return facts, nil
}

func (a *attempt) domainIDs() []string {
	ids := make([]string, len(a.plan.StorageDomains))
	for i, domain := range a.plan.StorageDomains {
		ids[i] = domain.ID
	}
	return ids
}

// refuseUnfinished refuses an action while another run on one of its storage domains is unfinished.
// The time of the attempt goes on from the last moment that any run recorded.
func (a *attempt) refuseUnfinished() error {
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		return refuse("state", "", fmt.Errorf("read the state folder %s: %w", a.StateDir, err))
	}
	a.neverBefore(runs...)
	for _, run := range runs {
		if run.Unfinished() && len(run.Touches(a.domainIDs())) > 0 {
			goOn := "drrun show " + run.ID + " tells where it stands; go on with it: drrun resume " + run.ID + ", or close it as it is: drrun abort " + run.ID
			if info, err := engine.ReadRun(a.Env, a.StateDir, run.ID); err == nil && undone(info) {
				goOn = "it is being undone: drrun rollback " + run.ID
			}
			return refuse("unfinished-run", goOn,
				fmt.Errorf("run %s (%s of plan %q, begun %s) is unfinished and works on the same storage domains", run.ID, run.Head.Action, run.Head.Plan, run.Started.Format(time.RFC3339)))
		}
	}
	return nil
}

func (a *attempt) lock(domainIDs []string) error {
	if a.unlock != nil { // kept from the attempt before, in the same process
		return nil
	}
	holder := fmt.Sprintf("%s@%s, %s of plan %s since %s", a.User, a.Host, a.Action, cmp.Or(a.result.Plan, a.PlanFile), a.started.Format(time.RFC3339))
	unlock, err := engine.LockDomains(a.Env, a.StateDir, domainIDs, holder)
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return refuse("locked", a.afterLocked(locked), err)
	}
	if err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, err)
	}
	a.unlock = unlock
	return nil
}

// afterLocked gives the storage domain that another run works on its name, and says where that run can be looked at.
func (a *attempt) afterLocked(locked *engine.LockedError) string {
	id := locked.Domain
	for _, domain := range a.plan.StorageDomains {
		if domain.ID == id {
			locked.Domain = domain.Name
		}
	}
	hint := "wait for it to end, or stop it; drrun history shows the runs"
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		return hint
	}
	for _, run := range runs {
		if run.Unfinished() && len(run.Touches([]string{id})) > 0 {
			locked.Run = run.ID
			return "wait for it to end, or stop it: drrun status " + run.ID + " tells where it stands"
		}
	}
	return hint
}

func (a *attempt) create(facts *stdlib.Facts) error {
	for path, text := range a.runtime.Files() {
		a.keep(path, text)
	}
	snapshot, err := pack(manifest{Plan: a.PlanFile, Libs: a.LibDirs}, a.snapshot)
	if err != nil {
		return err
	}
	params, err := json.Marshal(a.params())
	if err != nil {
		return invalid("params", "", fmt.Errorf("parameters: %w", err))
	}
	begun, err := json.Marshal(runOptions{Planned: a.Planned, Quarantine: a.Quarantine, Site: a.Site})
	if err != nil {
		return fmt.Errorf("describe the run: %w", err)
	}
	a.run, err = engine.CreateRun(a.Env, a.StateDir, engine.Head{
		Options: begun,
		Plan:    a.plan.Name, PlanFile: a.PlanFile, Action: a.Action, Source: facts.Source, Target: facts.Target,
		Domains: a.domainIDs(), Params: params, Version: a.Version, Host: a.Host, User: a.User, API: stdlib.API,
	}, snapshot, a.engineOptions()...)
	var mirror *engine.MirrorError
	if errors.As(err, &mirror) {
		return refuse(mirror.Code(), "make the folder "+a.Mirror+" writable, or leave --mirror out: then nobody can go on with the run when this machine is lost", err)
	}
	if err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, err)
	}
	a.reportWith()
	if err := a.run.SetFacts(facts); err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, fmt.Errorf("record the facts: %w", err))
	}
	return nil
}

func (a *attempt) params() map[string]any {
	merged := map[string]any{}
	for _, layer := range []map[string]any{a.plan.Params, a.Params} {
		for key, value := range layer {
			merged[key] = value
		}
	}
	return merged
}
