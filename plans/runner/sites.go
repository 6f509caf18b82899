package runner

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

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
