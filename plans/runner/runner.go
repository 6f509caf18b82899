// Package runner runs plans: it opens the sites, checks, takes the locks and the facts, wires the Lua workflow to a journaled
// run, and says at the end what became of everything. Start begins a run, Resume goes on with one that was cut or stopped.
package runner

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"drrun/engine"
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

func (a *attempt) warn(text string) { a.result.Warnings = append(a.result.Warnings, text) }
