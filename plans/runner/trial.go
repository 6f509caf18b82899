package runner

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"sync"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// Trial is a plan on which pieces of Lua are tried. Nothing is changed by it: what would change something is refused with the code
// read-only, and should a change get past that, the session that it would leave through is one of a dry run.
//
// An engine is asked when a piece first reads it, and a password is asked for then. The run that ctx tells of is none that could be gone
// on with: it is kept nowhere, and its facts are what the plan and its inventory tell.
type Trial struct {
	a     *attempt
	scope *lua.Scope
	said  func(text string)
	// writes is set for a console whose changes are made, as a run of its own.
	writes bool
	lost   error // why a writing console may change nothing any more
	inputs int   // that were run
	failed int   // of them

	mu      sync.Mutex
	ready   bool // the plan is loaded
	run     *engine.Run
	session *stdlib.Session // nil until something needs it

	inventoryErr error // why the facts tell no more than the plan; nil where they do, and when that was said
	looking      bool  // for a completion or for help: nothing is said meanwhile
}

// TrialOptions say how a trial goes on.
type TrialOptions struct {
	// Said takes the lines that code prints or logs; nil drops them.
	Said func(text string)
	// Unattended says that nobody sees an input fail: a writing console ends with 4 then.
	Unattended bool
}

// NewTrial loads the plan for a trial; with PlanFile "" there is none, and only what needs no plan can be tried. Where it cannot be loaded
// the trial is nil and the result says why.
func NewTrial(soft, hard context.Context, o Options, t TrialOptions) (*Trial, *Result) {
	if o.Action == "" {
		o.Action = plans.ActionFailover
	}
	a := newAttempt(o)
	trial := &Trial{a: a, said: t.Said}
	a.trial = trial
	var dr lua.Value
	err := a.within(soft, hard, "load", func(task *engine.Task) (err error) {
		if o.PlanFile == "" {
			a.newRuntime()
		} else if err := a.load(task); err != nil {
			return err
		}
		dr, err = a.runtime.RequireValue(task, "dr")
		return err
	})
	if err != nil {
		return nil, a.conclude(soft, err)
	}
	trial.ready = a.plan != nil
	trial.open(dr)
	return trial, nil
}

// open makes the scope, with the variables that it begins with.
func (t *Trial) open(dr lua.Value) {
	given := map[string]func(*engine.Task) (any, error){"dr": func(*engine.Task) (any, error) { return dr, nil }}
	if t.a.plan != nil {
		given["plan"] = func(*engine.Task) (any, error) { return t.a.plan.Object, nil }
		given["ctx"] = t.inSession(t.context)
		for _, name := range []string{plans.Primary, plans.Secondary} {
			given[name] = t.inSession(func(s *stdlib.Session) any { return s.SiteObject(name) })
		}
	}
	t.scope = t.a.runtime.NewScope(given)
	t.scope.Classes, t.scope.Texts = stdlib.Classes(), t.texts
}

// texts are what is known to stand in quotes as an argument of a primitive.
func (t *Trial) texts(fn, param string) []string {
	var names []string
	switch {
	case param == "point":
		return stdlib.HookPointNames()
	case fn == "site":
		return []string{plans.Primary, plans.Secondary}
	case t.a.plan == nil:
	case fn == "vm":
		for _, vm := range t.a.plan.VMs {
			names = append(names, vm.Name)
		}
	case fn == "storage_domain" || fn == "import_domain":
		for _, domain := range t.a.plan.StorageDomains {
			names = append(names, domain.Name)
		}
	}
	return names
}

// Complete returns what can stand at the end of a text, and where the word begins that it would replace. It asks no engine.
func (t *Trial) Complete(ctx context.Context, text string) (from int, words []string) {
	t.looking = true
	defer func() { t.looking = false }()
	_ = t.within(ctx, ctx, "complete", func(task *engine.Task) error { // nothing is run that could fail
		from, words = t.scope.Complete(task, text)
		return nil
	})
	return from, words
}

// Help returns what is declared of a function, a class or a module, "" for nothing.
func (t *Trial) Help(ctx context.Context, name string) (text string) {
	t.looking = true
	defer func() { t.looking = false }()
	_ = t.within(ctx, ctx, "help", func(task *engine.Task) error { // likewise
		text = t.scope.Help(task, name)
		return nil
	})
	return text
}

// Findings are the warnings about the plan.
func (t *Trial) Findings() []plans.Finding { return t.a.result.Findings }

// Run runs an expression or statements and returns the values. name stands in front of places; each text of a trial needs another one.
// soft ends what only looks, hard all of it.
func (t *Trial) Run(soft, hard context.Context, name, text string) (values []lua.Value, err error) {
	err = t.within(soft, hard, "trial", func(task *engine.Task) error {
		if err := t.note(task, text); err != nil {
			return err
		}
		values, err = t.scope.Run(task, name, text)
		return err
	})
	if t.inputs++; err != nil {
		t.failed++
	}
	return values, err
}

// within runs one piece. Its contexts end with it, and those of the attempt go on.
func (t *Trial) within(soft, hard context.Context, name string, main func(*engine.Task) error) error {
	return engine.NewScheduler(t.a.Env).Run(soft, hard, name, main)
}

// Redact takes the secrets out of a text that are known by now.
func (t *Trial) Redact(text string) string { return t.a.redact(text) }

// JSON is a value as data for JSON, with the secrets taken out that are known by now.
func (t *Trial) JSON(value lua.Value) any { return redacted(value.JSON(), t.a.redact) }

func redacted(data any, redact func(string) string) any {
	switch v := data.(type) {
	case string:
		return redact(v)
	case []any:
		for i := range v {
			v[i] = redacted(v[i], redact)
		}
	case map[string]any:
		for name := range v {
			v[name] = redacted(v[name], redact)
		}
	}
	return data
}

// End ends the trial. err is why it ended, nil for a trial that did what it was asked for.
func (t *Trial) End(soft context.Context, err error) *Result {
	result := t.a.conclude(soft, err)
	if result.Error != nil && result.Error.Code == "read-only" {
		result.Exit, result.Status = ExitRefused, StatusRefused
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.run != nil {
		_ = t.run.Close() // it is kept nowhere
	}
	return result
}

func (t *Trial) say(text string) {
	if t.said != nil {
		t.said(t.a.redact(text))
	}
}

// inSession gives a variable that leads into the session.
func (t *Trial) inSession(of func(*stdlib.Session) any) func(*engine.Task) (any, error) {
	return func(*engine.Task) (any, error) {
		s, err := t.begin()
		if err != nil {
			return nil, err
		}
		return of(s), nil
	}
}

// context gives ctx, and says where its facts tell little.
func (t *Trial) context(s *stdlib.Session) any {
	if t.inventoryErr != nil && !t.looking {
		defer func() { t.inventoryErr = nil }()
		t.say(fmt.Sprintf("warning: %v: ctx.facts tells only what the plan does", t.inventoryErr))
	}
	return s.Context()
}

// begin returns the session, made when it is first needed. It is nil while the plan is being loaded, and where there is none.
func (t *Trial) begin() (*stdlib.Session, error) {
	if t.a.session != nil {
		return t.a.session, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var err error
	if t.session == nil && t.ready {
		t.session, err = t.newSession()
	}
	return t.session, err
}

// begun is the session where something needed it already.
func (t *Trial) begun() *stdlib.Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

// newSession makes a session whose facts are what the plan and its inventory tell, and whose sites are not asked anything yet.
func (t *Trial) newSession() (*stdlib.Session, error) {
	a := t.a
	inventory, unread := plans.ReadInventory(a.readFile, a.PlanFile)
	t.inventoryErr = unread
	source, target := a.directions()
	survey := plans.UnaskedSurvey(a.plan, inventory, plans.CheckOptions{Action: a.Action, Target: target, Now: a.Env.Clock.Now()})
	facts, _ := gather(survey, false) // what only the engine of the target knows is missing
	for site, opened := range map[string]**ovirt.Site{source: &a.source, target: &a.target} {
		options, err := a.siteOptions(context.Background(), site)
		if err != nil {
			return nil, invalid("site", hintOf(err), err)
		}
		if *opened, err = ovirt.New(options); err != nil {
			return nil, invalid("site", hintOf(err), err)
		}
	}
	run, err := engine.CreateRun(engine.Forgetful(a.Env), filepath.Dir(a.PlanFile), engine.Head{
		Plan: a.plan.Name, PlanFile: a.PlanFile, Action: a.Action, Source: source, Target: target, Version: a.Version, Host: a.Host, User: a.User, API: stdlib.API,
	}, nil, engine.WithRedactor(a.redact))
	if err != nil {
		return nil, fmt.Errorf("prepare a run to try on: %w", err)
	}
	t.run = run
	t.run.SetAsker(a.Asker)
	t.run.Observe(func(e engine.Event) {
		switch e.Kind {
		case "log", "verdict":
			t.say(e.Text)
		case "warning":
			t.say("warning: " + e.Text)
		}
	})
	s := a.newSession(t.run, facts)
	s.Dry = stdlib.NewDryRun(facts)
	s.Gate = stdlib.NewGate(a.Env.Clock, facts.Source, s.Tick, a.look(facts), nil)
	return s, nil
}

// readOnlyHint says what to do about a change that is refused; "" where changes may be made.
func (a *attempt) readOnlyHint() string {
	if a.trial == nil || a.trial.writes || sabotage.On(sabotage.TrialMayChange) {
		return ""
	}
	return "to make changes, as a run with its locks and its journal: drrun console " + cmp.Or(a.PlanFile, "PLAN.lua") + " --write"
}
