package stdlib

import (
	"context"
	"fmt"

	"drrun/engine"
	"drrun/lua"
	"drrun/ovirt"
)

// hostRef is the Go value behind a host object: a host of one site.
type hostRef struct {
	site     *Site
	id, name string
}

// asksHost reports whether a request only makes a host look, at its own devices or through another one at its power. It changes no
// object, so it is allowed of every host on both sites.
func asksHost(w *ovirt.Write) bool {
	return w.Subject.Kind == ovirt.KindHost && (w.Op == ovirt.OpPowerStatus || w.Op == ovirt.OpRefreshHost)
}

// hostNamed declares site:host.
func hostNamed(name lua.Param) lua.Func {
	return lua.Func{
		Name: "host", Doc: "Returns a host of this site, whether the plan concerns it or not.", Effect: lua.Observes, Returns: "host", Params: []lua.Param{name},
		Run: observes(func(c *lua.Call) (any, error) {
			site := siteOf(c)
			seen, err := site.readHosts(c.Ctx, site.session.Tick)
			if err != nil {
				return nil, err
			}
			names := make([]string, len(seen.hosts))
			for i, host := range seen.hosts {
				if host.ID == c.String("name") || host.Name == c.String("name") {
					return lua.NewObject(site.session.classes.host, &hostRef{site: site, id: host.ID, name: host.Name}), nil
				}
				names[i] = host.Name
			}
			missing := c.Errorf("not-found", "name", "site %q has no host %q", site.Name, c.String("name"))
			missing.Hint = lua.DidYouMean(c.String("name"), names)
			return nil, missing
		}),
	}
}

func hostClass() *lua.Class {
	self := func(c *lua.Call) *hostRef { return c.Self.(*hostRef) }
	return &lua.Class{
		Name: "host",
		Doc:  "A host of one site.",
		Fields: []lua.Field{
			{Name: "id", Doc: "Id.", Type: "string", Get: func(self any) any { return self.(*hostRef).id }},
			{Name: "name", Doc: "Name.", Type: "string", Get: func(self any) any { return self.(*hostRef).name }},
			{Name: "kind", Doc: "\"host\".", Type: "string", Get: func(any) any { return "host" }},
		},
		String: func(self any) string { return "host " + self.(*hostRef).name },
		Methods: []lua.Func{
			{
				Name: "status", Effect: lua.Observes, Returns: "string",
				Doc: "Reads the status: up, maintenance, non_operational, non_responsive, … It is what the engine believes: a host that is non_responsive may be off, or may run its VMs unseen.",
				Run: observes(func(c *lua.Call) (any, error) {
					host, err := self(c).site.Engine.Host(c.Ctx, self(c).id)
					if err != nil {
						return nil, err
					}
					return host.Status, nil
				}),
			},
			{
				Name: "power_status", Effect: lua.Observes, Returns: "power_status",
				Doc: "Asks the host's power management, through another host of its data center, whether it has power. Returns { power = \"on\", \"off\" or \"unreadable\", why = string or nil }: " +
					"without a fence agent, without another host that is up, or where the agent does not answer, it is unreadable, and why says so. It changes nothing; " +
					"a dry run does not ask, and gets unreadable.",
				Run: observes(func(c *lua.Call) (any, error) {
					power, err := self(c).power(c.Ctx)
					if err != nil {
						return nil, err
					}
					result := map[string]any{"power": power.State}
					if power.Why != "" {
						result["why"] = power.Why
					}
					return result, nil
				}),
			},
			{
				Name: "confirm_rebooted", Effect: lua.Changes,
				Doc: "Tells the engine of the source of a planned move that a host which it does not reach was off, so that it takes the host's VMs for down. Right before, the host's power management " +
					"is asked and must say off, high availability must be off for its VMs (else the engine restarts them elsewhere), and every VM on it must be part of the run. Afterwards the VMs are " +
					"read and must be down: the engine answers 200 also where it cleared nothing (ovirt-engine FenceVdsManualyCommand.java).",
				Run: releases(func(c *lua.Call) (any, error) { return nil, self(c).confirmRebooted(c.Ctx) }),
			},
			{
				Name: "boot_time", Effect: lua.Observes, Returns: "string?",
				Doc: "Reads when the host booted last (RFC 3339), as it told its engine last; nil when the engine does not know. While a host is silent the time is an old one: only a time " +
					"newer than the one seen before proves a reboot.",
				Run: observes(func(c *lua.Call) (any, error) {
					booted, err := self(c).site.Engine.HostBootTime(c.Ctx, self(c).id)
					if err != nil {
						return nil, err
					}
					return timeText(booted), nil
				}),
			},
		},
	}
}

// confirmRebooted makes the engine take the VMs of a host that is off for down.
func (h *hostRef) confirmRebooted(ctx context.Context) error {
	s := h.site.session
	subject := engine.Subject{Kind: ovirt.KindHost, Site: h.site.Name, ID: h.id, Name: h.name}
	if h.site != s.Source {
		return fmt.Errorf("confirm that host %s of %s was off: only the source of a planned move is told so", h.name, h.site.Name)
	}
	if s.Dry != nil {
		return nil // without the host's power status nobody can say
	}
	vms, err := h.site.Engine.VMs(ctx, ovirt.VMQuery{})
	if err != nil {
		return err
	}
	var mine []string
	for _, vm := range vms {
		switch {
		case vm.HostID != h.id || vm.Status == "down":
		case !s.hasVM(vm.ID):
			return fmt.Errorf("confirm that host %s of %s was off: VM %s on it is not part of the run, and the engine would take it for down too: do it in the engine, if that is right", h.name, h.site.Name, vm.Name)
		case vm.HAEnabled:
			return fmt.Errorf("confirm that host %s of %s was off: high availability of VM %s is on, so the engine would start it elsewhere", h.name, h.site.Name, vm.Name)
		default:
			mine = append(mine, vm.ID)
		}
	}
	if len(mine) == 0 {
		return nil
	}
	cut := s.cut(ovirt.OpConfirmRebooted, subject)
	defer s.permit(h.site, h.id, ovirt.OpConfirmRebooted)()
	changed, err := h.site.Engine.ConfirmRebooted(ctx, h.id, mine)
	if err == nil {
		s.settleByState(cut, changed)
	}
	return err
}

// power asks for the power status. A question that an earlier attempt left without an answer is simply asked again.
func (h *hostRef) power(ctx context.Context) (ovirt.Power, error) {
	s := h.site.session
	if s.Dry != nil {
		return ovirt.Power{State: ovirt.PowerUnreadable, Why: "a dry run does not ask"}, nil
	}
	for _, intent := range s.cut(ovirt.OpPowerStatus, engine.Subject{Kind: ovirt.KindHost, Site: h.site.Name, ID: h.id, Name: h.name}) {
		s.Run.Settle(intent.ID, false, "it was a question, which changes nothing")
	}
	return h.site.Engine.PowerStatus(ctx, h.id)
}
