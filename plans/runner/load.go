package runner

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
	"drrun/stdlib"
)

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
	if entry, err := a.Env.FS.Stat(a.PlanFile); err == nil && entry.Pipe { // a run reads it again later, and a pipe would be empty then
		return invalid("plan", "write the plan into a file, then: drrun check FILE", fmt.Errorf("read %s: it is a pipe, not a file; nothing was done", a.PlanFile))
	}
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
	return a.warnOfUnknownParams()
}

// warnOfUnknownParams tells of each --param whose name neither the plan nor the file of --params has: a hook may read it all the same.
func (a *attempt) warnOfUnknownParams() error {
	known, err := plans.MergeParams(a.plan.Params, a.ParamsFile, nil)
	for _, name := range plans.UnknownParams(known, a.ParamOverrides) {
		text := fmt.Sprintf("the plan has no parameter %s, which --param sets", name)
		if nearest := lua.Nearest(name, slices.Sorted(maps.Keys(known))); nearest != "" {
			text += fmt.Sprintf("; did you mean %s?", nearest)
		}
		a.warn(text)
	}
	return err
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
