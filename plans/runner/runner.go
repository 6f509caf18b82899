// Package runner runs plans: it opens the sites, checks, takes the locks and the facts, wires the Lua workflow to a journaled
// run, and says at the end what became of everything. Start begins a run, Resume goes on with one that was cut or stopped.
package runner

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// attempt is one process's work on a run.
type attempt struct {
	Options
	started   time.Time
	hard      context.Context // cancelled by the second Ctrl-C; nil before the attempt has begun
	history   string          // the state folder with the runs of before, which a dry run has beside its own
	result    *Result
	runtime   *lua.Runtime
	plan      *plans.Plan
	read      *plans.Plan // plan, also where it has errors; nil where the file made none
	source    *ovirt.Site
	target    *ovirt.Site
	opened    []*ovirt.Site // by status, which has neither source nor target
	session   *stdlib.Session
	trial     *Trial        // nil unless pieces of Lua are tried on the plan
	facts     *stdlib.Facts // of the run, as soon as they are known
	run       *engine.Run
	readFile  func(string) ([]byte, error)
	builtin   fs.FS // drrun's own Lua modules: of this program, or as a run has kept them
	secretsMu sync.Mutex
	secrets   []string // revealed, for the text filter
	// noSourceLogin is set when the source's secret could not be had: it is asked nothing that needs a login.
	noSourceLogin bool
	recorded      *engine.RunInfo // what the journal of a run that is taken up says; nil as soon as nobody asks any more
	mirrorKnown   bool            // the attempt before had the mirror, on this machine
	tookOver      bool            // another machine made the attempt before
	rollback      bool            // the run is undone: its target is the source and its source the target
	reliance      reliance
	confirmedBy   string // on whose word, and nothing else, some attempt of the run started VMs; "" for none
	unlock        func()
	locks         *engineLocks         // in the engines of the sites; nil before there is a run, and in a dry run
	siteLocks     map[string]*siteLock // by site
	replaced      map[string]string    // locks of others that may go, by token, with what to say about it
	broken        []string             // whose locks a person let go
	sourceAnswers bool                 // when the evidence was looked at before the run
	answeredCheck bool                 // the source answered while the check looked
	presence      *presence            // what shows the attempt in the engines; nil for nothing
	survey        *plans.Survey        // what the check read
	snapshot      map[string][]byte
	goOn          *goOn           // what was decided about the attempt before; nil for the first of this process
	next          *nextText       // another text that a resume goes on with; nil for the one that the run has
	textParams    json.RawMessage // the parameters that came with the run's text; nil for those of its head
}

func newAttempt(o Options) *attempt {
	a := &attempt{Options: o, history: o.StateDir, started: o.Env.Clock.Now(), readFile: o.Env.FS.ReadFile, builtin: stdlib.Embedded()}
	a.result = &Result{Schema: ResultSchema, Action: o.Action, Started: a.started,
		StorageDomains: []ObjectResult{}, VMs: []ObjectResult{}, Findings: []plans.Finding{}, Requests: map[string]Counters{}}
	a.result.Warnings = append(a.result.Warnings, o.Warnings...)
	return a
}

// Check loads the plan and, unless offline, compares it with both sites. It changes nothing.
func Check(soft, hard context.Context, o Options, offline bool) *Result {
	return newAttempt(o).checkPlan(soft, hard, offline)
}

func (a *attempt) checkPlan(soft, hard context.Context, offline bool) *Result {
	return a.conclude(soft, a.within(soft, hard, "check", func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		if offline {
			return nil
		}
		var err error
		t.Release(func() {
			if err = a.open(t.Ctx()); err == nil {
				_, err = a.check(t.Ctx(), false)
			}
		})
		return err
	}))
}

// Start begins a run of a plan's action. soft is cancelled by the first Ctrl-C, hard by the second.
func Start(soft, hard context.Context, o Options) *Result {
	a := newAttempt(o)
	return a.finish(soft, hard, a.within(soft, hard, o.Action, func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		if err := a.knowsAction(); err != nil {
			return err
		}
		var err error
		t.Release(func() {
			if err = a.findSite(t.Ctx()); err == nil {
				err = a.prepare(t.Ctx())
			}
		})
		if err != nil {
			return err
		}
		return a.perform(t)
	}))
}

// Resume goes on with a run on the text that it has, or with NewText on another one. Evidence and confirmations of earlier attempts do
// not count.
func Resume(soft, hard context.Context, id string, o Options) *Result {
	return newAttempt(o).resume(soft, hard, id)
}

func (a *attempt) resume(soft, hard context.Context, id string) *Result {
	return a.takeUp(soft, hard, id, a.prepareResume)
}

// takeUp works on a run that exists: prepare opens the sites and gives the session its facts.
func (a *attempt) takeUp(soft, hard context.Context, id string, prepare func(context.Context) error) *Result {
	id, err := a.takeOver(soft, id)
	if err != nil {
		return a.conclude(soft, err)
	}
	info, err := engine.LookAtRun(a.Env, a.StateDir, id)
	if info == nil {
		return a.conclude(soft, invalid("no-run", "drrun history lists the runs", err))
	}
	a.Action, a.result.Plan = info.Head.Action, info.Head.Plan
	if a.Action == plans.ActionConsole {
		return a.conclude(soft, refuse("console-run", "close it as it is: drrun abort "+info.ID+", then see where everything is: drrun status "+info.Head.PlanFile,
			fmt.Errorf("run %s was a console: what was typed there cannot be gone on with", info.ID)))
	}
	if !a.rollback {
		a.result.Action = a.Action
	}
	if err := a.restoreOptions(info.Head); err != nil {
		return a.conclude(soft, err)
	}
	return a.finish(soft, hard, a.within(soft, hard, a.result.Action, func(t *engine.Task) error {
		var err error
		t.Release(func() { info, err = a.claim(info) })
		if err != nil {
			return err
		}
		a.neverBefore(*info)
		if err := a.foresee(t, info); err != nil || a.PreviewOnly {
			return err
		}
		t.Release(func() { err = a.reopen(info) })
		if err != nil {
			return err
		}
		if err := a.load(t); err != nil {
			return err
		}
		t.Release(func() { err = prepare(t.Ctx()) })
		if err != nil {
			return err
		}
		return a.perform(t)
	}))
}

func (a *attempt) within(soft, hard context.Context, name string, main func(*engine.Task) error) error {
	a.hard = hard
	return engine.NewScheduler(a.Env).Run(soft, hard, name, main)
}

// directions names the sites of the action: what is left and what takes over. A rollback goes the other way; a site that is cleaned, or
// that an action of the plan's own works on, stands where the target of a move to it would.
func (a *attempt) directions() (source, target string) {
	switch {
	case a.Site != "": // a clean, or an action of the plan's own
		return plans.Other(a.Site), a.Site
	case (a.Action == plans.ActionFailback || a.Backwards) != a.rollback:
		return plans.Secondary, plans.Primary
	}
	return plans.Primary, plans.Secondary
}

// open makes the clients of both sites. The target must let us in; the source may be silent.
func (a *attempt) open(ctx context.Context) error {
	sourceName, targetName := a.directions()
	targetOptions, err := a.siteOptions(ctx, targetName)
	if err != nil {
		return invalid("secret", "", err)
	}
	if a.target, err = ovirt.Open(ctx, targetOptions); err != nil {
		return refuse(codeOf(err), cmp.Or(hintOf(err), "bring the engine of "+targetName+" up, or correct its url in the plan"), fmt.Errorf("%w; site %s is to take over", err, targetName))
	}
	if a.Speed != 1 {
		product, err := a.target.Product(ctx)
		if err != nil {
			return refuse(codeOf(err), hintOf(err), err)
		}
		if !product.Lab {
			return refuse("not-the-lab", "unset DRRUN_SPEED", fmt.Errorf("DRRUN_SPEED=%g shortens every wait and is for the lab only; %s at %s is a real engine", a.Speed, targetName, a.target.URL()))
		}
	}
	if err := a.revealTargets(ctx, targetName); err != nil {
		return invalid("secret", "", err)
	}
	// A secret of the dead site may be as unreachable as the site. Without it a source that answers proves nothing.
	sourceOptions, err := a.siteOptions(ctx, sourceName)
	if err != nil {
		a.noSourceLogin = true
		sourceOptions.Username, sourceOptions.Password = a.plan.Site(sourceName).Username, "not-known"
		a.warn(fmt.Sprintf("%v: if %s answers, what it holds cannot be read", err, sourceName))
	}
	if a.source, err = ovirt.New(sourceOptions); err != nil {
		return invalid("site", "", err)
	}
	return a.refuseSpeed(ctx)
}

// refuseSpeed refuses a speed where the source answers and is not the lab: its time-outs would be too short to call it silent.
func (a *attempt) refuseSpeed(ctx context.Context) error {
	if a.Speed == 1 || !a.source.Probe(ctx).Answers {
		return nil
	}
	if a.noSourceLogin {
		return refuse("not-the-lab", "give its password (the warning says how), or unset DRRUN_SPEED", fmt.Errorf("DRRUN_SPEED=%g shortens every wait and is for the lab only; %s answers, and without its password nobody can tell whether it is the lab", a.Speed, a.source.Name()))
	}
	product, err := a.source.Product(ctx)
	switch {
	case err != nil:
		return refuse("not-the-lab", "correct what keeps it from being read, or unset DRRUN_SPEED", fmt.Errorf("DRRUN_SPEED=%g shortens every wait and is for the lab only; %s answers, and whether it is the lab cannot be read: %w", a.Speed, a.source.Name(), err))
	case product.Lab:
		return nil
	}
	return refuse("not-the-lab", "unset DRRUN_SPEED", fmt.Errorf("DRRUN_SPEED=%g shortens every wait and is for the lab only; %s at %s answers and is not known to be the lab", a.Speed, a.source.Name(), a.source.URL()))
}

// look is how the evidence gate sees the source.
func (a *attempt) look(facts *stdlib.Facts) func(context.Context) (bool, []string, string) {
	if a.rollback {
		return a.lookForRollback(facts)
	}
	look := stdlib.LookAt
	if a.noSourceLogin {
		look = stdlib.LookWithoutLogin
	}
	return func(ctx context.Context) (bool, []string, string) {
		domains := facts.Domains
		if a.session != nil {
			domains = a.session.Moving()
		}
		answers, held, words := look(ctx, a.source, domains, func(id string) bool { return a.tookOut(facts.Source, id) || facts.LivesAtTarget(id) })
		if facts.Own && answers && len(held) == 0 {
			words = "its engine answers and has no storage domain of the plan in use"
		}
		return answers, held, words
	}
}

// tookOut tells whether this run itself has taken a domain out of a site's engine, or was cut off while it did: then that engine not
// showing it is no riddle.
func (a *attempt) tookOut(site, domainID string) bool {
	if a.run == nil {
		return false
	}
	subject := engine.Subject{Kind: ovirt.KindStorageDomain, Site: site, ID: domainID}
	return slices.ContainsFunc([]string{ovirt.OpRemoveDomain, ovirt.OpDestroyDomain}, func(op string) bool { return a.run.ReachedOrCut(op, subject) })
}

func (a *attempt) warn(text string) { a.result.Warnings = append(a.result.Warnings, text) }

func (a *attempt) siteOptions(ctx context.Context, name string) (options ovirt.Options, err error) {
	spec := a.plan.Site(name)
	options = ovirt.Options{
		Name: name, URL: spec.URL, Username: spec.Username, CAFile: spec.CAFile, Insecure: spec.Insecure,
		Clock: a.Env.Clock, Go: a.Env.Go, OnWrite: stdlib.WriteHook(a.currentSession),
	}
	if a.Transport != nil {
		options.Transport = a.Transport(name)
	}
	if spec.CAFile != "" {
		ca, err := a.readFile(a.plan.Path(spec.CAFile))
		if err != nil {
			return options, fmt.Errorf("read the CA file of site %s: %w", name, err)
		}
		options.CA = ca
		a.keep(a.plan.Path(spec.CAFile), ca)
	}
	if spec.Password == nil {
		return options, fmt.Errorf("site %s has no password in the plan", name)
	}
	if a.trial != nil && !a.trial.writes { // most of what is tried asks no engine
		options.FindPassword = func(ctx context.Context) (string, error) { return a.password(ctx, name) }
		return options, nil
	}
	options.Password, err = a.password(ctx, name)
	return options, err
}

// password finds the password of a site, and keeps it out of every text from then on.
func (a *attempt) password(ctx context.Context, site string) (string, error) {
	password, err := a.plan.Site(site).Password.Reveal(ctx)
	if err != nil {
		return "", fmt.Errorf("password of site %s: %w", site, err)
	}
	a.keepSecret(password)
	return password, nil
}

// revealTargets has the passwords of the target's iSCSI targets found, or asked for, before anything begins.
func (a *attempt) revealTargets(ctx context.Context, site string) error {
	for _, t := range a.plan.GuardedTargets(site) {
		password, err := t.Password.Reveal(ctx)
		if err != nil {
			return fmt.Errorf("password of the target %s of site %s: %w", t.Target, site, err)
		}
		a.keepSecret(password)
	}
	return nil
}

// targetPassword reveals what CHAP asks for at a target of a site.
func (a *attempt) targetPassword(ctx context.Context, site string, target stdlib.FactTarget) (string, error) {
	for _, t := range a.plan.GuardedTargets(site) {
		if t.Address == target.Address && t.Port == target.Port && t.IQN == target.IQN {
			return t.Password.Reveal(ctx)
		}
	}
	return "", fmt.Errorf("the plan has no password for the target %s of site %s", target, site)
}

// keepSecret lets the text filter take a password out of whatever is written.
func (a *attempt) keepSecret(password string) {
	a.secretsMu.Lock()
	defer a.secretsMu.Unlock()
	if len(password) >= shortestRedacted && !slices.Contains(a.secrets, password) {
		a.secrets = append(a.secrets, password)
	}
}

// shortestRedacted keeps the text filter from tearing words apart where a lab's password is "vm". Secrets never get that far
// by design; the filter is the second net.
const shortestRedacted = 6

// redact is the second net under secrets: no revealed password and no token of a session passes into journal, report or output.
func (a *attempt) redact(text string) string {
	if sabotage.On(sabotage.SecretsWritten) {
		return text
	}
	a.secretsMu.Lock()
	secrets := slices.Clone(a.secrets)
	a.secretsMu.Unlock()
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "<secret>")
	}
	for _, site := range append([]*ovirt.Site{a.source, a.target}, a.opened...) {
		if site != nil {
			text = site.Redact(text)
		}
	}
	return text
}

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
