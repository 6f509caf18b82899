package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
)

// PairResult is where the objects of a plan are, and what leads on.
type PairResult struct {
	*plans.Pair
	Next string `json:"next,omitempty"` // the one next command; "" where a person has to do something first
	Why  string `json:"why"`
}

// Status reads from both engines where the storage domains and VMs of a plan are. It changes nothing.
func Status(soft, hard context.Context, o Options) *Result {
	o.Action = "status"
	a := newAttempt(o)
	return a.conclude(soft, a.within(soft, hard, "status", func(t *engine.Task) error {
		if err := a.load(t); err != nil {
			return err
		}
		var err error
		t.Release(func() { err = a.readPair(t.Ctx()) })
		return err
	}))
}

func (a *attempt) readPair(ctx context.Context) error {
	sites, silent, err := a.reach(ctx)
	if err != nil {
		return err
	}
	var reasons []string
	for _, name := range []string{plans.Primary, plans.Secondary} {
		if silent[name] != nil {
			reasons = append(reasons, fmt.Sprintf("%s does not answer: %s", name, silent[name]))
		}
	}
	pair := plans.ReadPair(ctx, a.plan, sites[plans.Primary], sites[plans.Secondary], true)
	pair.Reasons = append(reasons, pair.Reasons...)
	command, why := pair.Next(a.PlanFile)
	if waiting, reason := a.waitingRun(); waiting != "" {
		command, why = waiting, reason
	} else if part, reason := a.partialRun(pair); part != "" {
		command, why = part, reason
	}
	a.result.Pair = &PairResult{Pair: pair, Next: command, Why: why}
	if len(pair.Silent) == 2 {
		return refuse("unreachable", "bring one of the engines up, or correct the plan's sites", errors.New("neither site can be read: "+strings.Join(pair.Reasons, "; ")))
	}
	return nil
}

// waitingRun is the command that goes on with a run that is unfinished on storage domains of the plan: nothing else may begin before. ""
// where the state folder has none, or none is named.
func (a *attempt) waitingRun() (command, why string) {
	if a.StateDir == "" {
		return "", ""
	}
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		a.warn("read the state folder " + a.StateDir + ": " + err.Error())
		return "", ""
	}
	for _, run := range runs {
		if !run.Unfinished() || len(run.Touches(a.domainIDs())) == 0 {
			continue
		}
		verb := "resume"
		if run.Head.Action == plans.ActionConsole {
			verb = "abort"
		}
		if info, err := engine.ReadRun(a.Env, a.StateDir, run.ID); err == nil && undone(info) {
			verb = "rollback"
		}
		return "drrun " + verb + " " + run.ID, fmt.Sprintf("run %s (%s, begun %s) is unfinished on these storage domains", run.ID, run.Head.Action, run.Started.UTC().Format("2006-01-02 15:04"))
	}
	return "", ""
}

// partialRun is the command that goes on with the newest run on storage domains of the plan, where it brought them to where they are and
// ended in part: what it left is to be mended before they are moved again.
func (a *attempt) partialRun(pair *plans.Pair) (command, why string) {
	if a.StateDir == "" {
		return "", ""
	}
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		return "", "" // waitingRun has said it
	}
	var newest *engine.RunInfo
	for i, run := range runs {
		if moves := plans.Moves(run.Head.Action); moves && len(run.Touches(a.domainIDs())) > 0 && (newest == nil || run.Resumed.After(newest.Resumed)) {
			newest = &runs[i]
		}
	}
	if newest == nil || newest.Status != StatusPartial || !livesAt(pair, newest.Head.Target) {
		return "", ""
	}
	return "drrun resume " + newest.ID, fmt.Sprintf("run %s (%s, begun %s) ended in part: what it left is not as the plan wants it. drrun show %s tells what is wrong; when that is mended, resume it before anything else",
		newest.ID, newest.Head.Action, newest.Started.UTC().Format("2006-01-02 15:04"), newest.ID)
}

// livesAt tells that a site holds every storage domain, and that the other one holds none or does not answer.
func livesAt(pair *plans.Pair, site string) bool {
	return !slices.ContainsFunc(pair.StorageDomains, func(domain plans.ObjectState) bool {
		at, other := domain.Primary, domain.Secondary
		if site == plans.Secondary {
			at, other = other, at
		}
		return !at.Holds || other.Holds
	})
}

// reach makes the clients of both sites, which have no roles here. A site that does not answer is missing from sites and has its reason.
func (a *attempt) reach(ctx context.Context) (sites map[string]*ovirt.Site, silent map[string]error, err error) {
	sites, silent = map[string]*ovirt.Site{}, map[string]error{}
	for _, name := range []string{plans.Primary, plans.Secondary} {
		options, err := a.siteOptions(ctx, name)
		if err != nil {
			return nil, nil, invalid("secret", hintOf(err), err)
		}
		site, err := ovirt.New(options)
		if err != nil {
			return nil, nil, invalid("site", hintOf(err), err)
		}
		a.opened = append(a.opened, site)
		if reach := site.Probe(ctx); reach.Answers {
			sites[name] = site
		} else {
			silent[name] = errors.New(reach.Text)
		}
	}
	return sites, silent, nil
}
