package stdlib

import (
	"context"
	"fmt"
	"strings"
	"time"

	"drrun/ovirt"

	"drrun/internal/sabotage"
)

// ActionClean is the action that takes what is stale out of a site's engine.
const ActionClean = "clean"

// StaleError says that what a site still has of the plan cannot be taken away, because it is not proved to be stale.
type StaleError struct {
	Site string // the site that was to be cleaned
	Why  string
	Hint string
}

// Error names the site and what is missing.
func (e *StaleError) Error() string {
	return fmt.Sprintf("clean site %q: it is not proved that what it has of the plan is stale: %s", e.Site, e.Why)
}

// Code is the stable code of the error.
func (e *StaleError) Code() string { return "not-stale" }

// requireStale returns nil when the other site holds every storage domain and VM that the target still has of the run, no move known here
// took them to the target last, and nothing unseen can run there: they are an older copy then and may leave. One look serves a minute.
//
// The engine of a site that comes back shows VMs as down although a host that it cannot see still runs them, so each host must have
// booted after the VMs moved away, or be off. That is not asked where every storage domain is released and every VM reads down.
func (s *Session) requireStale(ctx context.Context) error {
	_, err := s.stale.get(ctx, s.Env.Clock, EvidenceAge, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, s.lookForStale(ctx)
	})
	return err
}

func (s *Session) lookForStale(ctx context.Context) error {
	no := func(hint, format string, args ...any) error {
		return &StaleError{Site: s.Target.Name, Why: fmt.Sprintf(format, args...), Hint: hint}
	}
	held, err := heldStatuses(ctx, s.Source.Engine, s.Facts.Domains)
	if err != nil {
		return no("bring the engine of "+s.Source.Name+" up", "what %s holds cannot be read: %v", s.Source.Name, err)
	}
	stale, err := heldStatuses(ctx, s.Target.Engine, s.Facts.Domains)
	if err != nil {
		return err
	}
	running, unrecorded, err := s.mayAllLeave(held, stale, no)
	if err != nil {
		return err
	}
	there, err := s.Source.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return no("", "the VMs of %s cannot be read: %v", s.Source.Name, err)
	}
	living := map[string]bool{}
	for _, vm := range there {
		living[vm.ID] = true
	}
	here, err := s.Target.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return err
	}
	var only []string
	for _, vm := range here {
		if fact, known := s.Facts.VM(vm.ID); !known || fact.Arrived != "" {
			continue
		}
		running = running || vm.Status != "down"
		if !living[vm.ID] {
			only = append(only, vm.Name)
		}
	}
	if len(only) > 0 && s.AcceptLoss == nil && !sabotage.On(sabotage.CleanBlindly) {
		return no("export them there, or give them up by name: --accept-loss 'YOUR NAME: WHY'",
			"%s has no VM %s, which %s still has: it would be lost with its storage domain", s.Source.Name, strings.Join(only, ", "), s.Target.Name)
	}
	if !running || sabotage.On(sabotage.CleanUnrebooted) {
		return nil
	}
	if unrecorded != "" && s.ConfirmStale == nil {
		return no("when you know that the copy on "+s.Target.Name+" is the one to give up, say so by name: --confirm-stale 'YOUR NAME: HOW YOU KNOW'",
			"both sites hold storage domain %q, and the state folder here knows of no run that moved it: nothing tells which copy is the older one", unrecorded)
	}
	return s.hostsWereRebooted(ctx, no)
}

// mayAllLeave looks at the storage domains that the target has, by their statuses at the source and at the target: each must be active
// at the source, and none may be there by the last move. unrecorded names one of which no move is known.
func (s *Session) mayAllLeave(held, stale map[string]string, no func(hint, format string, args ...any) error) (running bool, unrecorded string, err error) {
	for _, domain := range s.Moving() {
		status, here := stale[domain.ID]
		if !here {
			continue
		}
		if domain.CameBy != "" && status != "unattached" {
			return false, "", no("is "+s.Target.Name+" the right site? drrun status shows where everything is. Where a drrun with another state folder took it away since, go on from there",
				"run %s took storage domain %q there, or left it there, and no run known here has taken it away since: it is not an older copy", domain.CameBy, domain.Name)
		}
		if held[domain.ID] == "" && !sabotage.On(sabotage.CleanBlindly) {
			return false, "", no("drrun status shows where everything is", "%s has no storage domain %q", s.Source.Name, domain.Name)
		}
		if held[domain.ID] != "active" && !sabotage.On(sabotage.CleanBlindly) {
			return false, "", no("drrun status shows where everything is", "storage domain %q is %s on %s, not active", domain.Name, held[domain.ID], s.Source.Name)
		}
		if domain.Unrecorded {
			unrecorded = domain.Name
		}
		running = running || status != "unattached" && status != "maintenance"
	}
	return running, unrecorded, nil
}

// hostsWereRebooted looks whether every host of the target's data centers booted after the VMs had moved away, or is off.
func (s *Session) hostsWereRebooted(ctx context.Context, no func(hint, format string, args ...any) error) error {
	if s.Facts.MovedAt.IsZero() {
		return no("shut its hosts down, or boot them anew", "when the VMs left it is not known, so whether its hosts booted since then is not either")
	}
	dataCenters := map[string]bool{}
	for _, domain := range s.Facts.Domains {
		dataCenters[domain.Target.DataCenterID] = true
	}
	hosts, err := s.Target.hostsIn(ctx, dataCenters)
	if err != nil {
		return err
	}
	for _, host := range hosts {
		if host.Status == "up" || host.Status == "non_operational" {
			booted, err := s.Target.Engine.HostBootTime(ctx, host.ID)
			if err != nil {
				return no("boot it anew", "when host %s booted cannot be read: %v", host.Name, err)
			}
			if !booted.After(s.Facts.MovedAt) {
				return no("boot it anew: VMs of before may still run on it, unseen by its engine", "host %s has been up since %s, from before the VMs left (%s)",
					host.Name, booted.UTC().Format(time.RFC3339), s.Facts.MovedAt.UTC().Format(time.RFC3339))
			}
			continue
		}
		if host.Status == "down" || host.Status == "maintenance" {
			continue // the engine has seen it empty
		}
		return no("switch it off and let the engine see it, or boot it anew", "host %s is %s, so VMs of before may still run on it", host.Name, host.Status)
	}
	return nil
}

// heldStatuses reads the true statuses of storage domains: in their data center, "unattached" where they are in none. Those that the
// engine does not know are absent.
func heldStatuses(ctx context.Context, site *ovirt.Site, domains []FactDomain) (map[string]string, error) {
	known, err := site.StorageDomains(ctx)
	if err != nil {
		return nil, err
	}
	statuses := map[string]string{}
	dataCenters := map[string]bool{}
	for _, domain := range domains {
		for _, one := range known {
			if one.ID == domain.ID {
				statuses[one.ID] = orWords(one.Status, "attached, without a status")
				dataCenters[one.DataCenterID] = true
			}
		}
	}
	for _, one := range known {
		if !dataCenters[one.DataCenterID] || one.DataCenterID == "" {
			continue
		}
		delete(dataCenters, one.DataCenterID)
		attached, err := site.AttachedStorageDomains(ctx, one.DataCenterID)
		if err != nil {
			return nil, err
		}
		for _, entry := range attached {
			if _, planned := statuses[entry.ID]; planned {
				statuses[entry.ID] = entry.Status
			}
		}
	}
	return statuses, nil
}
