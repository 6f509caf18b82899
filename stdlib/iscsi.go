package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/lua"
	"drrun/ovirt"
)

// How the hosts of the target come to see the LUNs of the plan: over iSCSI each of them logs in at each target, over Fibre Channel the
// array shows them. What a host sees is read from the host itself, after the logins, and held against the plan before anything is imported.

// loginISCSIMethod declares site:login_iscsi.
func loginISCSIMethod() lua.Func {
	return lua.Func{
		Name: "login_iscsi", Effect: lua.Changes,
		Doc: "Logs every host that is up in the data centers of the plan's iSCSI storage domains, and of VMs with iSCSI LUNs as disks, in at their targets, where it is not yet. " +
			"What a host cannot reach while others can is a warning; a storage domain that no host reaches is the error iscsi-unreachable. Does nothing where the plan has no iSCSI targets.",
		Run: changes(func(c *lua.Call) (any, error) { return nil, siteOf(c).loginISCSI(c.Task, c.Ctx) }),
	}
}

// requireLUNsMethod declares site:require_luns.
func requireLUNsMethod() lua.Func {
	return lua.Func{
		Name: "require_luns", Effect: lua.Observes,
		Doc: "Reads which LUNs each host that is up sees, and holds that against the plan: a host that sees a LUN of the source is the error source-lun-visible, a storage domain " +
			"of whose LUNs no host sees one the error luns-missing; a host that does not see what others see is a warning. Does nothing where the plan has no LUNs.",
		Run: observes(func(c *lua.Call) (any, error) { return nil, siteOf(c).requireLUNs(c.Task, c.Ctx) }),
	}
}

// StorageUnreachableError says that no host reaches a storage domain, or that one reaches what it must not.
type StorageUnreachableError struct {
	Text, Advice string
	code         string
}

func (e *StorageUnreachableError) Error() string { return e.Text }

// Code is the stable code of the error.
func (e *StorageUnreachableError) Code() string { return e.code }

// Hint says what to do.
func (e *StorageUnreachableError) Hint() string { return e.Advice }

// login is what one host has to log in at.
type login struct {
	host    ovirt.Host
	targets []FactTarget
}

// blockDomains are the storage domains of the run that lie on LUNs and that this run has not attached yet.
func (s *Session) blockDomains() []FactDomain {
	return slices.DeleteFunc(slices.Clone(s.Moving()), func(d FactDomain) bool {
		status, _ := s.Run.Status(s.domainSubject(&d))
		return d.Type != "iscsi" && d.Type != "fcp" || status.State == StateActive
	})
}

// lunDataCenters are the data centers in which VMs run that have a LUN as a disk, by the id of the LUN at the source.
func (site *Site) lunDataCenters(ctx context.Context) (map[string][]string, error) {
	s := site.session
	out := map[string][]string{}
	if len(s.Facts.LUNs) == 0 {
		return out, nil
	}
	seen, err := site.readHosts(ctx, hostsAge)
	if err != nil {
		return nil, err
	}
	for _, vm := range s.Facts.VMs {
		for _, disk := range vm.LUNs {
			for _, cluster := range seen.clusters {
				if cluster.ID == vm.TargetClusterID && !slices.Contains(out[disk.LUN], cluster.DataCenterID) {
					out[disk.LUN] = append(out[disk.LUN], cluster.DataCenterID)
				}
			}
		}
	}
	return out, nil
}

// logins tells at which targets each host has to be logged in.
func (site *Site) logins(ctx context.Context) ([]login, error) {
	s := site.session
	wanted := map[string][]FactTarget{} // by data center
	add := func(dataCenterID string, targets []FactTarget) {
		for _, t := range targets {
			if !slices.Contains(wanted[dataCenterID], t) {
				wanted[dataCenterID] = append(wanted[dataCenterID], t)
			}
		}
	}
	for _, d := range s.blockDomains() {
		add(d.Target.DataCenterID, d.Target.Targets)
	}
	byLUN, err := site.lunDataCenters(ctx)
	if err != nil {
		return nil, err
	}
	for _, lun := range s.Facts.LUNs {
		for _, id := range byLUN[lun.Source] {
			add(id, lun.Targets)
		}
	}
	var out []login
	for id, targets := range wanted {
		if len(targets) == 0 {
			continue
		}
		hosts, err := site.upHosts(ctx, id)
		if err != nil {
			return nil, err
		}
		for _, host := range hosts {
			out = append(out, login{host: host, targets: targets})
		}
	}
	slices.SortFunc(out, func(a, b login) int { return cmp.Compare(a.host.Name, b.host.Name) })
	return out, nil
}

func (t FactTarget) engineTarget(password string) ovirt.ISCSITarget {
	return ovirt.ISCSITarget{Address: t.Address, Port: t.Port, IQN: t.IQN, Username: t.Username, Password: password}
}

// sessionSubject names the session of a host at a target.
func (site *Site) sessionSubject(host ovirt.Host, target FactTarget) engine.Subject {
	return engine.Subject{Kind: ovirt.KindISCSISession, Site: site.Name, ID: ovirt.ISCSISessionID(host.ID, target.engineTarget("")), Name: host.Name + " at " + target.String()}
}

// hasTarget reports whether a session is one at a target of the facts on the side that takes over.
func (f *Facts) hasTarget(sessionID string) bool {
	_, target, _ := strings.Cut(sessionID, " ")
	is := func(t FactTarget) bool { return t.String() == target }
	return slices.ContainsFunc(f.Domains, func(d FactDomain) bool { return slices.ContainsFunc(d.Target.Targets, is) }) ||
		slices.ContainsFunc(f.LUNs, func(lun FactLUN) bool { return slices.ContainsFunc(lun.Targets, is) })
}

func (t FactTarget) String() string { return t.engineTarget("").String() }

// portals counts the portals of a target's name in a list.
func portals(targets []FactTarget, iqn string) (n int) {
	for _, t := range targets {
		if t.IQN == iqn {
			n++
		}
	}
	return n
}

func (site *Site) loginISCSI(t *engine.Task, ctx context.Context) error {
	s := site.session
	logins, err := site.logins(ctx)
	if err != nil || len(logins) == 0 {
		return err
	}
	var mu sync.Mutex
	failed := map[string]map[string]error{} // by host name and target
	err = each(t, logins, func(l login) string { return l.host.ID }, func(l login) error {
		seen, err := site.Engine.HostLUNs(ctx, l.host.ID)
		if err != nil {
			return fmt.Errorf("read which LUNs host %s of %s sees: %w", l.host.Name, site.Name, err)
		}
		if seen, err = site.awaitCutLogins(ctx, l, seen); err != nil {
			return err
		}
		for _, target := range l.targets {
			if l.has(target, seen) {
				if s.Dry == nil {
					s.settleByState(s.cut(ovirt.OpLogInISCSI, site.sessionSubject(l.host, target)), false)
				}
				continue
			}
			why, err := site.logIn(ctx, l.host, target)
			if err != nil {
				return err
			}
			if why != nil {
				mu.Lock()
				if failed[l.host.Name] == nil {
					failed[l.host.Name] = map[string]error{}
				}
				failed[l.host.Name][target.String()] = why
				mu.Unlock()
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.loginsFailed = failed
	s.mu.Unlock()
	return site.judgeLogins(logins, failed)
}

// has reports whether what the host sees shows its session at a target.
func (l login) has(target FactTarget, seen []ovirt.HostLUN) bool {
	return ovirt.LoggedIn(seen, target.engineTarget(""), portals(l.targets, target.IQN))
}

// A host goes on with a login when its client is gone.
const (
	cutLoginPatience = 40 * time.Second
	cutLoginPause    = 8 * time.Second
)

// awaitCutLogins gives logins that an earlier attempt was cut off in a while to show as sessions, and returns what the host sees then.
func (site *Site) awaitCutLogins(ctx context.Context, l login, seen []ovirt.HostLUN) ([]ovirt.HostLUN, error) {
	s := site.session
	if s.Dry != nil {
		return seen, nil
	}
	open := func() bool {
		return slices.ContainsFunc(l.targets, func(t FactTarget) bool {
			return !l.has(t, seen) && len(s.cut(ovirt.OpLogInISCSI, site.sessionSubject(l.host, t))) > 0
		})
	}
	for end := s.Env.Clock.Now().Add(cutLoginPatience); open() && s.Env.Clock.Now().Before(end); {
		if _, err := s.Env.Clock.Wait(ctx, cutLoginPause, nil); err != nil {
			return seen, err
		}
		now, err := site.Engine.HostLUNs(ctx, l.host.ID)
		if err != nil {
			return seen, fmt.Errorf("read which LUNs host %s of %s sees: %w", l.host.Name, site.Name, err)
		}
		seen = now
	}
	return seen, nil
}

// logIn lets a host log in at one target. A refusal of the host is why; every other failure is the error.
func (site *Site) logIn(ctx context.Context, host ovirt.Host, target FactTarget) (why, err error) {
	s := site.session
	subject := site.sessionSubject(host, target)
	if s.Dry != nil {
		s.Dry.add(ovirt.OpLogInISCSI, "log host "+host.Name+" in at "+target.String(), subject)
		return nil, nil
	}
	password := ""
	if target.Username != "" {
		if s.TargetPassword == nil {
			return nil, fmt.Errorf("log host %s in at %s: the plan has no password for the username %s", host.Name, target, target.Username)
		}
		if password, err = s.TargetPassword(ctx, site.Name, target); err != nil {
			return nil, fmt.Errorf("log host %s in at %s: %w", host.Name, target, err)
		}
	}
	cut := s.cut(ovirt.OpLogInISCSI, subject)
	defer s.permit(site, subject.ID, ovirt.OpLogInISCSI)()
	err = site.Engine.LogInISCSI(ctx, host, target.engineTarget(password))
	var fault *ovirt.Error
	if errors.As(err, &fault) && (fault.Code == ovirt.CodeBadRequest || fault.Code == ovirt.CodeConflict || fault.Code == ovirt.CodeEngineError) {
		s.settleByState(cut, true)
		return fault, nil
	}
	if err == nil {
		s.settleByState(cut, true)
	}
	return nil, err
}

// judgeLogins warns of what single hosts cannot reach, and fails where nobody reaches a storage domain.
func (site *Site) judgeLogins(logins []login, failed map[string]map[string]error) error {
	s := site.session
	if s.Dry != nil {
		return nil
	}
	var lost []string
	advice := ""
	for _, d := range s.blockDomains() {
		if d.Type != "iscsi" {
			continue
		}
		blind := map[string][]string{} // why, by host
		reached := false
		for _, l := range logins {
			if !slices.ContainsFunc(l.targets, func(t FactTarget) bool { return slices.Contains(d.Target.Targets, t) }) {
				continue // of another data center
			}
			missed := 0
			for _, t := range d.Target.Targets {
				if err := failed[l.host.Name][t.String()]; err != nil {
					missed++
					blind[l.host.Name] = append(blind[l.host.Name], err.Error())
					var fault *ovirt.Error
					if errors.As(err, &fault) {
						advice = fault.Hint
					}
				}
			}
			reached = reached || missed < len(d.Target.Targets)
			if missed > 0 && missed < len(d.Target.Targets) {
				s.Warn(s.domainSubject(&d), fmt.Sprintf("host %s of %s reaches storage domain %s over %d of %d portals only: %s", l.host.Name, site.Name, d.Name,
					len(d.Target.Targets)-missed, len(d.Target.Targets), strings.Join(blind[l.host.Name], "; ")))
				delete(blind, l.host.Name)
			}
		}
		if !reached {
			var why []string
			for _, texts := range blind {
				why = append(why, texts...)
			}
			slices.Sort(why)
			lost = append(lost, fmt.Sprintf("%s (%s)", d.Name, strings.Join(slices.Compact(why), "; ")))
			continue
		}
		for _, l := range logins {
			if texts := blind[l.host.Name]; len(texts) > 0 {
				s.Warn(s.domainSubject(&d), fmt.Sprintf("host %s of %s cannot log in at any target of storage domain %s: the attach makes the engine set the host non-operational, and its VMs move to other hosts of "+
					"the cluster; none of the plan's VMs starts there. %s", l.host.Name, site.Name, d.Name, strings.Join(texts, "; ")))
			}
		}
	}
	if len(lost) == 0 {
		return nil
	}
	return &StorageUnreachableError{code: "iscsi-unreachable", Text: "no host of " + site.Name + " can log in at the targets of storage domain " + strings.Join(lost, ", "), Advice: advice}
}

// cannotReach reports whether a host was refused at every target of a storage domain: that was said, and the run goes on without it.
func (s *Session) cannotReach(hostName string, d *FactDomain) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(d.Target.Targets) > 0 && !slices.ContainsFunc(d.Target.Targets, func(t FactTarget) bool { return s.loginsFailed[hostName][t.String()] == nil })
}

// importer is the host through which a storage domain is imported: the first one that is not known to be unable to see it.
func (site *Site) importer(d *FactDomain, hosts []ovirt.Host) ovirt.Host {
	s := site.session
	s.mu.Lock()
	view := s.lunsSeen
	s.mu.Unlock()
	for _, host := range hosts {
		blind := view != nil && slices.ContainsFunc(d.Target.LUNs, func(id string) bool { return !view.sees(host.ID, id) })
		if !blind && !s.cannotReach(host.Name, d) {
			return host
		}
	}
	return hosts[0]
}

// lunView is what the hosts of the target see, by id.
type lunView map[string][]ovirt.HostLUN

func (v lunView) sees(hostID, lunID string) bool {
	return slices.ContainsFunc(v[hostID], func(lun ovirt.HostLUN) bool { return lun.ID == lunID })
}

// hostLUNs reads what each of some hosts sees.
func (site *Site) hostLUNs(t *engine.Task, ctx context.Context, hosts []ovirt.Host) (lunView, error) {
	var mu sync.Mutex
	view := lunView{}
	err := each(t, hosts, func(h ovirt.Host) string { return h.ID }, func(h ovirt.Host) error {
		seen, err := site.Engine.HostLUNs(ctx, h.ID)
		if err != nil {
			return fmt.Errorf("read which LUNs host %s of %s sees: %w", h.Name, site.Name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		view[h.ID] = seen
		return nil
	})
	return view, err
}

func (site *Site) requireLUNs(t *engine.Task, ctx context.Context) error {
	s := site.session
	domains := s.blockDomains()
	byLUN, err := site.lunDataCenters(ctx)
	if err != nil {
		return err
	}
	hosts := map[string][]ovirt.Host{}
	need := func(dataCenterID string) error {
		if hosts[dataCenterID] != nil {
			return nil
		}
		up, err := site.upHosts(ctx, dataCenterID)
		hosts[dataCenterID] = up
		return err
	}
	for _, d := range domains {
		err = errors.Join(err, need(d.Target.DataCenterID))
	}
	for _, ids := range byLUN {
		for _, id := range ids {
			err = errors.Join(err, need(id))
		}
	}
	if err != nil || len(hosts) == 0 {
		return err
	}
	var all []ovirt.Host
	for _, some := range hosts {
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b ovirt.Host) int { return cmp.Compare(a.Name, b.Name) })
	view, err := site.hostLUNs(t, ctx, all)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.lunsSeen = view
	s.mu.Unlock()
	if s.Dry != nil {
		return nil // what the hosts see before a promotion and a login says nothing
	}
	for _, d := range domains {
		if err := site.judgeLUNs(&d, hosts[d.Target.DataCenterID], view); err != nil {
			return err
		}
	}
	site.judgeDirectLUNs(hosts, byLUN, view)
	return nil
}

// judgeLUNs holds what hosts see against one storage domain.
func (site *Site) judgeLUNs(d *FactDomain, hosts []ovirt.Host, view lunView) error {
	s := site.session
	for _, host := range hosts {
		for _, id := range d.Source.LUNs {
			if !slices.Contains(d.Target.LUNs, id) && view.sees(host.ID, id) && !sabotage.On(sabotage.OriginalsIgnored) {
				return &StorageUnreachableError{code: "source-lun-visible",
					Text:   fmt.Sprintf("host %s of %s sees LUN %s, which is that of storage domain %s at %s: the original could be imported in the place of its replica, and written from both sites", host.Name, site.Name, id, d.Name, s.Source.Name),
					Advice: "let the array show the hosts of a site only its own LUNs, then refresh them"}
			}
		}
	}
	var missing []string
	blind := map[string][]string{}
	for _, id := range d.Target.LUNs {
		some := false
		for _, host := range hosts {
			if view.sees(host.ID, id) {
				some = true
			} else if !s.cannotReach(host.Name, d) { // that one has been told of
				blind[host.Name] = append(blind[host.Name], id)
			}
		}
		if !some {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		return &StorageUnreachableError{code: "luns-missing",
			Text:   fmt.Sprintf("no host of %s sees LUN %s of storage domain %s", site.Name, strings.Join(missing, ", "), d.Name),
			Advice: "see that the replica is promoted, and that the array shows its LUNs to the hosts; compare the ids with luns of the plan"}
	}
	for _, host := range hosts {
		if ids := blind[host.Name]; len(ids) > 0 {
			s.Warn(s.domainSubject(d), fmt.Sprintf("host %s of %s does not see LUN %s of storage domain %s, which other hosts there see", host.Name, site.Name, strings.Join(ids, ", "), d.Name))
		}
	}
	return nil
}

// judgeDirectLUNs notes which LUNs of VMs no host sees: those VMs are not registered, or come up without them. One that only some hosts
// see is a warning, since the VM can be started on any.
func (site *Site) judgeDirectLUNs(hosts map[string][]ovirt.Host, byLUN map[string][]string, view lunView) {
	s := site.session
	absent := map[string]bool{}
	for _, lun := range s.Facts.LUNs {
		var see, blind []string
		for _, dataCenterID := range byLUN[lun.Source] {
			for _, host := range hosts[dataCenterID] {
				if lun.Target != "" && view.sees(host.ID, lun.Target) {
					see = append(see, host.Name)
				} else {
					blind = append(blind, host.Name)
				}
			}
		}
		switch {
		case len(see) == 0:
			absent[lun.Source] = true
		case len(blind) > 0:
			s.Warn(engine.Subject{Kind: ovirt.KindSite, Site: site.Name, Name: site.Name}, fmt.Sprintf("LUN %s, the disk of a VM, is not seen by host %s of %s: the VM does not start there", lun.Target, strings.Join(blind, ", "), site.Name))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lunsAbsent = absent
}
