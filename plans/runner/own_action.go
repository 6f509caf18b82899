package runner

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/lua"
	"drrun/plans"
)

// knowsAction refuses an action that neither drrun nor the plan has, before anything is done.
func (a *attempt) knowsAction() error {
	if plans.Moves(a.Action) || a.Action == plans.ActionClean || a.plan.Actions[a.Action] != nil {
		return nil
	}
	return a.unknownAction()
}

func (a *attempt) unknownAction() error {
	names := slices.Sorted(maps.Keys(a.plan.Actions))
	hint := lua.DidYouMean(a.Action, names)
	switch {
	case hint == "" && len(names) == 0:
		hint = "write one: plan.actions." + cmp.Or(identifier(a.Action), "NAME") + " = function(ctx) … end"
	case hint == "":
		hint = "the plan has " + strings.Join(names, ", ")
	}
	return invalid("unknown-action", hint, fmt.Errorf("the plan %s has no action %q; nothing was done", a.PlanFile, a.Action))
}

// identifier is a text where it is a name of Lua, else "".
func identifier(text string) string {
	if strings.Trim(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789") != "" || text != "" && text[0] <= '9' {
		return ""
	}
	return text
}

// findSite finds where an action of the plan's own works: at the site that has the plan's storage domains, by what both engines say.
func (a *attempt) findSite(ctx context.Context) error {
	if a.Site != "" || a.plan.Actions[a.Action] == nil {
		return nil
	}
	sites, silent, err := a.reach(ctx)
	if err != nil {
		return err
	}
	pair := plans.ReadPair(ctx, a.plan, sites[plans.Primary], sites[plans.Secondary], false)
	for _, site := range []string{plans.Primary, plans.Secondary} {
		if pair.LivesAt(site) {
			a.Site = site
			return nil
		}
	}
	reason := fmt.Sprintf("the storage domains of the plan are not at one site: %s", pair.Place)
	for _, site := range []string{plans.Primary, plans.Secondary} {
		if silent[site] != nil {
			reason = fmt.Sprintf("%s does not answer: %v", site, silent[site])
		}
	}
	return refuse("where", "drrun status "+a.PlanFile+" shows what is where; then say where the action is to work: --site primary, or --site secondary",
		fmt.Errorf("find the site that has the VMs of the plan: %s", strings.Join(append([]string{reason}, pair.Reasons...), "; ")))
}

// OwnAction is an action of a plan's own.
type OwnAction struct {
	Name string `json:"name"`
	Doc  string `json:"doc,omitempty"` // the comment above it
	Pos  string `json:"at"`            // FILE:LINE:COL
}

// Actions loads a plan and tells which actions it has. No site is asked.
func Actions(soft, hard context.Context, o Options) (*Result, []OwnAction) {
	o.Action = "run"
	a := newAttempt(o)
	actions := []OwnAction{}
	return a.conclude(soft, a.within(soft, hard, "run", func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		for _, name := range slices.Sorted(maps.Keys(a.plan.Actions)) {
			pos := a.plan.Actions[name].Pos()
			actions = append(actions, OwnAction{Name: name, Doc: a.plan.CommentAbove(pos), Pos: pos.String()})
		}
		return nil
	})), actions
}
