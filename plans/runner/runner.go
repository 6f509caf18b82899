// Package runner runs plans: it opens the sites, checks, takes the locks and the facts, wires the Lua workflow to a journaled
// run, and says at the end what became of everything. Start begins a run, Resume goes on with one that was cut or stopped.
package runner

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"path/filepath"
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

// Options says what to run and how this process reaches the world.
type Options struct {
	Env      engine.Env
	PlanFile string
	Action   string // failover, failback, clean, or the name of an action of the plan's own
	// Planned makes the source take part: its VMs are shut down there and its storage is released before the target takes over.
	Planned bool
	// Quarantine lets a planned action leave VMs at the source that nobody can shut down, with what shares their storage domains.
	Quarantine bool
	// Backwards makes a console lead from the secondary to the primary.
	Backwards bool
	// Site is the site that the action clean cleans, or where an action of the plan's own works; "" for one of those is the site that has
	// the plan's VMs, by what both engines say.
	Site string
	// AcceptLoss is 'NAME: REASON', a person's word that data which the copy may lack is given up; "" for none.
	AcceptLoss string
	// ConfirmStale is 'NAME: REASON', a person's word that what the target still has of the plan is stale; "" for none. It is needed
	// where the state folder knows of no move that took the VMs away from there.
	ConfirmStale string
	StateDir     string
	// Mirror is a folder that keeps a second copy of the run, laid out as a state folder; "" keeps none, or, in a resume, that of the
	// attempt before, where this is the machine that made it.
	Mirror string
	// FromMirror makes Resume, Rollback and Abort take the run over from a mirror, which stays its mirror.
	FromMirror string
	// Near tells whether this machine is on the network of a host, by its name or address; nil: it is not known.
	Near func(ctx context.Context, host string) bool
	// Signer seals the run's journal and reports whenever an attempt ends; nil seals nothing.
	Signer ed25519.PrivateKey
	// Warnings are what the caller found and the report is to say.
	Warnings []string
	// StateArgument is what an operator has to put behind commands about the run, " --state DIR"; "" where they look in StateDir by themselves.
	StateArgument string
	// LeaveAsIs lets Abort close a run that could be undone.
	LeaveAsIs bool
	LibDirs   []string
	Params    map[string]any // over the plan's own
	// ParamsFile is the JSON text of a file of parameters, ParamOverrides are NAME=VALUE: both are laid over the plan's own, whose
	// types the overrides take. A resumed run has those that it began with, unless they come with NewText.
	ParamsFile     []byte
	ParamOverrides []string
	// NewText makes Resume go on with the plan as it is on the disk now, in PlanFile or where that is "" in the run's own plan file. What
	// that means is shown first, and a person accepts it (question ResumePlan). ParamsFile and ParamOverrides go with it only.
	NewText bool
	// PreviewOnly makes Resume tell what it would do, and end before anything is done: nothing is written and no engine is asked.
	PreviewOnly bool
	// OnPreview shows what a resume will do before it does it, where NewText or PreviewOnly is set; may be nil.
	OnPreview func(*Preview)
	// Redo are keys of durable steps that Resume repeats whatever is recorded.
	Redo []string
	// DryRun makes Start change nothing: the result lists the engine calls that it would make, and how the evidence stands.
	DryRun bool
	// ConfirmSourceDown is 'NAME: REASON', a person's word for this attempt; "" for none.
	ConfirmSourceDown string
	// BreakLock lets the run replace locks of another run in the engines, once the asker has named that run (question "break_lock").
	BreakLock bool
	Asker     engine.Asker
	// CanAnswer tells whether the asker has, or can get, an answer to a question of that name.
	CanAnswer func(name string) bool
	// UnusedAnswers names the questions to which there was an answer that was not asked for; nil for none.
	UnusedAnswers func() []string
	// WaitForAnswers makes a run without a terminal wait until another process answers its questions.
	WaitForAnswers bool
	// OnFailure asks a person what to do when an attempt stopped with an error of the work; nil asks nobody. OnEdit is told what
	// was found in a file that was saved while an edit is waited for; it may be nil.
	OnFailure func(ctx context.Context, f Failure) Decision
	OnEdit    func(Edit)
	Secrets   plans.SecretResolver
	// Transport returns the HTTP transport for a site; nil means the client's own.
	Transport func(site string) http.RoundTripper
	// Speed is by how much model time is faster than the wall; anything but 1 is refused against an engine that is not the lab.
	Speed    float64
	Observe  func(engine.Event)             // progress; may be nil
	Findings func([]plans.Finding)          // what the check found, before anything starts; may be nil
	Began    func(run string, total Totals) // the run exists; may be nil
	Version  string
	Host     string
	User     string
}

// Totals says how much a run has before it, and what earlier attempts have reached of it.
type Totals struct {
	StorageDomains, VMs int
	Own                 bool            // an action of the plan's own: its target is the site that has the VMs
	Board               []engine.Status // of the target's objects
}

// failure is an error that already knows how the action ends.
type failure struct {
	exit   int
	status string
	code   string
	hint   string
	err    error
	asItIs bool // the run stays as it is: what it has changed before does not make a stop of the refusal
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func refuse(code, hint string, err error) error {
	return &failure{exit: ExitRefused, status: StatusRefused, code: code, hint: hint, err: err}
}

func invalid(code, hint string, err error) error {
	return &failure{exit: ExitInvalid, status: StatusInvalid, code: code, hint: hint, err: err}
}

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
	if a.Action == ActionConsole {
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

// runOptions are what an action was begun with and a resumed run must know again.
type runOptions struct {
	Planned    bool   `json:"planned,omitempty"`
	Quarantine bool   `json:"quarantine,omitempty"`
	Site       string `json:"site,omitempty"`
}

func (a *attempt) restoreOptions(head engine.Head) error {
	var begun runOptions
	if len(head.Options) > 0 {
		if err := json.Unmarshal(head.Options, &begun); err != nil {
			return refuse("journal", "", fmt.Errorf("read how the run was begun: %w", err))
		}
	}
	a.Planned, a.Quarantine, a.Site = begun.Planned, begun.Quarantine, begun.Site
	return nil
}

func (a *attempt) within(soft, hard context.Context, name string, main func(*engine.Task) error) error {
	a.hard = hard
	return engine.NewScheduler(a.Env).Run(soft, hard, name, main)
}

// newRuntime makes the interpreter for the plan.
func (a *attempt) newRuntime() {
	folder := filepath.Dir(a.PlanFile)
	boot, modules := stdlib.Connect(a.surroundings())
	a.runtime = lua.New(lua.Options{
		Modules:  append([]lua.Module{plans.DR(plans.Options{Secrets: a.Secrets, ReadFile: a.readFile, Boot: boot})}, modules...),
		Embedded: a.builtin,
		Path:     append([]string{folder, filepath.Join(folder, "lib")}, a.LibDirs...),
		ReadFile: a.readFile,
		Print: func(text string) {
			if a.session != nil {
				a.session.Say(text)
			} else if a.trial != nil {
				a.trial.say(text)
			}
		},
		MathSeed: a.Env.Rand(),
		ReadOnly: a.readOnlyHint(),
	})
}

// load reads the plan with its libraries.
func (a *attempt) load(t *engine.Task) error {
	a.newRuntime()
	plan, diagnostics := a.loadInTime(t)
	a.read = plan
	if err := t.Ctx().Err(); err != nil { // what it found is the interrupt, not a fault of the plan
		return context.Cause(t.Ctx())
	}
	if len(diagnostics) > 0 {
		a.result.Findings = plans.FromDiagnostics(diagnostics)
		a.report(a.result.Findings)
		if plan == nil || slices.ContainsFunc(diagnostics, func(d *lua.Diagnostic) bool { return d.Severity == "" || d.Severity == plans.SeverityError }) {
			return invalid("plan", "correct the plan, then: drrun check "+a.PlanFile, fmt.Errorf("the plan %s has errors; nothing was done", a.PlanFile))
		}
	}
	a.plan, a.result.Plan = plan, plan.Name
	if len(a.ParamsFile) == 0 && len(a.ParamOverrides) == 0 {
		return nil
	}
	params, err := plans.MergeParams(plan.Params, a.ParamsFile, a.ParamOverrides)
	if err != nil {
		return invalid("params", "--param NAME=VALUE, or --params with a file that holds a JSON object", err)
	}
	a.Params = params
	return nil
}

// loadTimeout is how long a plan may take to be loaded, by the clock of the wall. A loop ends long before; this ends what computes slowly.
const loadTimeout = 2 * time.Minute

func (a *attempt) loadInTime(t *engine.Task) (plan *plans.Plan, found lua.Diagnostics) {
	limit, cancel := a.Env.Clock.WithTimeout(t.Ctx(), time.Duration(float64(loadTimeout)*max(a.Speed, 1)))
	defer cancel()
	err := t.Under(limit, t.OpCtx(), func() error {
		plan, found = plans.Load(t, a.runtime, a.PlanFile)
		return nil
	})
	if limit.Err() == nil || t.Ctx().Err() != nil {
		return plan, append(found, lua.AsDiagnostics(err)...)
	}
	return nil, lua.Diagnostics{{Pos: lua.Pos{File: a.PlanFile}, Severity: plans.SeverityError, Subject: "plan", Code: "endless-loop",
		Message: fmt.Sprintf("the plan was not loaded within %s, and was stopped", loadTimeout), Hint: "code at its top, or at that of a library, computes for too long"}}
}

func (a *attempt) report(findings []plans.Finding) {
	if a.Findings != nil && len(findings) > 0 {
		a.Findings(findings)
	}
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
			if info, err := engine.ReadRun(a.Env, a.StateDir, run.ID); err == nil && Undone(info) {
				goOn = "it is being undone: drrun rollback " + run.ID
			}
			return refuse("unfinished-run", goOn,
				fmt.Errorf("run %s (%s of plan %q, begun %s) is unfinished and works on the same storage domains", run.ID, run.Head.Action, run.Head.Plan, run.Started.Format(time.RFC3339)))
		}
	}
	return nil
}

// precheckEvidence refuses, before a run exists, where the gate is bound to say no. Of a planned move and of a clean the source is
// alive, and it is the workflow that makes the evidence.
func (a *attempt) precheckEvidence(ctx context.Context, facts *stdlib.Facts) (*stdlib.Confirmation, error) {
	if facts.Planned || facts.Action == plans.ActionClean {
		return nil, nil
	}
	if a.Action == ActionConsole && a.ConfirmSourceDown == "" { // each start asks for it
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
	case !verdict.Answers && a.canAnswer("confirm_source_down"):
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

// precheckAnswers refuses where the run would stop for want of an answer about the storage.
func (a *attempt) precheckAnswers(facts *stdlib.Facts) error {
	if a.DryRun || !plans.Moves(facts.Action) || a.Action == ActionConsole || a.plan.Workflows[a.Action] != nil {
		return nil
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

func (a *attempt) lock(domainIDs []string) error {
	if a.unlock != nil { // kept from the attempt before, in the same process
		return nil
	}
	holder := fmt.Sprintf("%s@%s, %s of plan %s since %s", a.User, a.Host, a.Action, cmp.Or(a.result.Plan, a.PlanFile), a.started.Format(time.RFC3339))
	unlock, err := engine.LockDomains(a.Env, a.StateDir, domainIDs, holder)
	var locked *engine.LockedError
	if errors.As(err, &locked) {
		return refuse("locked", "wait for it to end, or stop it; drrun history shows the runs", err)
	}
	if err != nil {
		return refuse("state", "the state folder must be writable: "+a.StateDir, err)
	}
	a.unlock = unlock
	return nil
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

// perform runs the workflow with the hooks around it.
func (a *attempt) perform(t *engine.Task) (err error) {
	t.Release(a.appear)
	name := a.Action
	if a.rollback {
		name = "rollback"
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
		t.Release(func() { a.session.SayUnrepaired(t.Ctx()) })
	}
	if err == nil && a.session.Dry == nil && a.session.Facts.Action != plans.ActionClean {
		t.Release(func() { a.lookAgain(t.Ctx()) })
	}
	domains, vms := boardOf(a.run.Board(), a.session.Facts)
	if err == nil {
		_, err = a.session.RunHook(t, "after_run", subject, stdlib.Decoded(map[string]any{"status": statusOf(a.session.Facts, domains, vms), "storage_domains": domains, "vms": vms}))
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

func statusOf(facts *stdlib.Facts, domains, vms []ObjectResult) string {
	if complete(facts, domains, vms) {
		return StatusDone
	}
	return StatusPartial
}
