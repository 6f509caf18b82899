package runner

import (
	"context"
	"errors"
	"fmt"
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
	a.result.Pair = &PairResult{Pair: pair, Next: command, Why: why}
	if len(pair.Silent) == 2 {
		return refuse("unreachable", "bring one of the engines up, or correct the plan's sites", errors.New("neither site can be read: "+strings.Join(pair.Reasons, "; ")))
	}
	return nil
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
