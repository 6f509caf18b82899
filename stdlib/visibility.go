package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
)

// refreshHostsMethod declares site:refresh_hosts.
func refreshHostsMethod() lua.Func {
	return lua.Func{
		Name: "refresh_hosts", Effect: lua.Changes,
		Doc: "Lets every host that is up in the data centers of the plan look anew at what it can reach: after a promotion the devices and exports behind it are others.",
		Run: changes(func(c *lua.Call) (any, error) { return nil, siteOf(c).refreshHosts(c.Task, c.Ctx) }),
	}
}

// hostsSeeMethod declares site:require_visible.
func hostsSeeMethod() lua.Func {
	return lua.Func{
		Name: "require_visible", Effect: lua.Changes,
		Doc: "Requires every host that is up to see the imported, not yet attached storage domains of the plan: a host that does not would be set non-operational by the attach, with all that runs on it. " +
			"Each host is asked to read each domain's metadata; of a domain that one host can read, a host that cannot does not see it. The error hosts-blind names them, after the domains that this run " +
			"imported were taken out again. Nothing is asked of a domain that is attached.",
		Run: changes(func(c *lua.Call) (any, error) { return nil, siteOf(c).requireVisible(c.Task, c.Ctx) }),
	}
}

// planHosts returns the hosts that are up in the data centers that the run's storage domains go to, by data center.
func (site *Site) planHosts(ctx context.Context) (map[string][]ovirt.Host, error) {
	hosts := map[string][]ovirt.Host{}
	for _, domain := range site.session.Facts.Domains {
		id := domain.Target.DataCenterID
		if hosts[id] != nil {
			continue
		}
		up, err := site.upHosts(ctx, id)
		if err != nil {
			return nil, err
		}
		hosts[id] = up
	}
	return hosts, nil
}

// each runs a function for all items at once, a task for each, and returns their errors together.
func each[T any](t *engine.Task, items []T, key func(T) string, fn func(T) error) error {
	var errs []error
	t.WithBaton(func() {
		var children []*engine.Child
		for _, item := range items {
			children = append(children, t.Spawn(key(item), func(task *engine.Task) (err error) {
				task.Release(func() { err = fn(item) })
				return err
			}))
		}
		for _, child := range children {
			errs = append(errs, t.Join(child))
		}
	})
	return errors.Join(errs...)
}

// allActive tells whether the run has seen every storage domain active on the target.
func (s *Session) allActive() bool {
	return !slices.ContainsFunc(s.Moving(), func(d FactDomain) bool {
		status, _ := s.Run.Status(s.domainSubject(&d))
		return status.State != StateActive
	})
}

func (site *Site) refreshHosts(t *engine.Task, ctx context.Context) error {
	s := site.session
	if s.allActive() {
		return nil // an earlier attempt has attached everything
	}
	byDataCenter, err := site.planHosts(ctx)
	if err != nil {
		return err
	}
	var hosts []ovirt.Host
	for _, some := range byDataCenter {
		hosts = append(hosts, some...)
	}
	slices.SortFunc(hosts, func(a, b ovirt.Host) int { return cmp.Compare(a.Name, b.Name) })
	return each(t, hosts, func(h ovirt.Host) string { return h.ID }, func(h ovirt.Host) error {
		subject := engine.Subject{Kind: ovirt.KindHost, Site: site.Name, ID: h.ID, Name: h.Name}
		if s.Dry != nil {
			s.Dry.add(ovirt.OpRefreshHost, "refresh host "+h.Name, subject)
			return nil
		}
		cut := s.cut(ovirt.OpRefreshHost, subject)
		if err := site.Engine.RefreshHost(ctx, h.ID); err != nil {
			return err
		}
		return s.settleByEvent(ctx, cut, site.Engine.RefreshReached)
	})
}

// BlindError says that hosts do not see storage that is to be attached.
type BlindError struct {
	Site  string
	Hosts map[string][]string // names of storage domains by name of host
}

// Error names the hosts and what they do not see.
func (e *BlindError) Error() string {
	var parts []string
	for host, domains := range e.Hosts {
		slices.Sort(domains)
		parts = append(parts, fmt.Sprintf("%s (%s)", host, strings.Join(domains, ", ")))
	}
	slices.Sort(parts)
	return fmt.Sprintf("hosts of %s do not see storage that other hosts there see: %s; an attach would set them non-operational", e.Site, strings.Join(parts, ", "))
}

// Code is the stable code of the error.
func (e *BlindError) Code() string { return "hosts-blind" }

func (site *Site) requireVisible(t *engine.Task, ctx context.Context) error {
	s := site.session
	if s.Dry != nil || s.allActive() || sabotage.On(sabotage.BlindHosts) { // what is not imported yet cannot be asked for
		return nil
	}
	type look struct {
		domain *FactDomain
		known  ovirt.StorageDomain
		host   ovirt.Host
	}
	var looks []look
	byDataCenter, err := site.planHosts(ctx)
	if err != nil {
		return err
	}
	known, err := site.Engine.StorageDomains(ctx)
	if err != nil {
		return err
	}
	for i := range s.Facts.Domains {
		domain := &s.Facts.Domains[i]
		hosts := byDataCenter[domain.Target.DataCenterID]
		at := slices.IndexFunc(known, func(one ovirt.StorageDomain) bool { return one.ID == domain.ID })
		if at < 0 || known[at].DataCenterID != "" || len(hosts) < 2 {
			continue // attached by an earlier attempt; or the one host that has imported it sees it
		}
		for _, host := range hosts {
			looks = append(looks, look{domain, known[at], host})
		}
	}
	var mu sync.Mutex
	sees := map[string]map[string]bool{} // host name by domain id
	err = each(t, looks, func(l look) string { return l.domain.ID + "/" + l.host.ID }, func(l look) error {
		subject := site.domainSubject(l.domain)
		cut := s.cut(ovirt.OpIsAttached, subject)
		defer s.permit(site, l.domain.ID, ovirt.OpIsAttached)()
		seen, err := site.Engine.IsAttached(ctx, l.known, l.host.ID)
		if err != nil {
			return err
		}
		s.settleByState(cut, true)
		mu.Lock()
		defer mu.Unlock()
		if sees[l.domain.ID] == nil {
			sees[l.domain.ID] = map[string]bool{}
		}
		sees[l.domain.ID][l.host.Name] = seen
		return nil
	})
	if err != nil {
		return err
	}
	blind := &BlindError{Site: site.Name, Hosts: map[string][]string{}}
	for i := range s.Facts.Domains {
		domain := &s.Facts.Domains[i]
		some := false
		for _, seen := range sees[domain.ID] {
			some = some || seen
		}
		for host, seen := range sees[domain.ID] {
			// Where no host reads it as attached, the metadata may name no data center; of one that cannot log in was warned.
			if some && !seen && !s.cannotReach(host, domain) {
				blind.Hosts[host] = append(blind.Hosts[host], domain.Name)
			}
		}
	}
	if len(blind.Hosts) == 0 {
		return nil
	}
	return errors.Join(blind, site.takeOut(ctx, known))
}

// takeOut removes the entries of the domains that this run has imported and not attached, by what the engine knows. Their content stays.
func (site *Site) takeOut(ctx context.Context, known []ovirt.StorageDomain) error {
	s := site.session
	var failed []error
	for i := range s.Facts.Domains {
		domain := &s.Facts.Domains[i]
		d := &domainRef{site: site, fact: domain}
		attached := slices.ContainsFunc(known, func(one ovirt.StorageDomain) bool { return one.ID == domain.ID && one.DataCenterID != "" })
		if attached || !s.Run.Reached(ovirt.OpImportDomain, d.subject()) { // an earlier attempt has attached it
			continue
		}
		hosts, err := site.upHosts(ctx, domain.Target.DataCenterID)
		if err != nil {
			return err
		}
		over := s.permit(site, domain.ID, ovirt.OpRemoveDomain)
		_, err = site.Engine.RemoveDomain(ctx, domain.ID, site.importer(domain, hosts).ID)
		over()
		if err != nil {
			failed = append(failed, fmt.Errorf("take storage domain %q out of %s again: %w", domain.Name, site.Name, err))
			continue
		}
		s.Run.Mark(engine.Status{Subject: site.domainSubject(domain), State: StatePending})
	}
	return errors.Join(failed...)
}
