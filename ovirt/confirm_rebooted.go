package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// ConfirmRebooted tells the engine that a host which it does not reach has been off, so that it takes the host's VMs for down. The
// engine believes it blindly, and a host that runs on then runs its VMs unseen; so the host's power management is asked first, by this
// call itself, and must say off. The engine restarts the host's highly available VMs elsewhere at once: who does not want that
// switches HA off before.
//
// The engine answers 200 also where it has cleared nothing (ovirt-engine FenceVdsManualyCommand.java ignores the failure of the command
// inside), so the VMs of vmIDs are read afterwards and must be down; an error names the first that is not. It does nothing when all of
// them are down.
func (s *Site) ConfirmRebooted(ctx context.Context, hostID string, vmIDs []string) (changed bool, err error) {
	subject := Subject{Kind: KindHost, ID: hostID}
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	var waiting VM
	e := &ensurance{change: change{op: OpConfirmRebooted, subject: subject, method: http.MethodPost, path: "/hosts/" + segment(hostID) + "/fence",
		body: fenceStatusXML{Type: "manual"}, accept: acceptAction}}
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		for _, id := range vmIDs {
			if waiting, err = s.lookVM(ctx, id); err != nil {
				return false, err
			}
			if sent {
				waiting, err = s.WaitVM(ctx, id, s.patience(ctx), func(vm VM) (bool, error) { return vm.Status == "down", nil })
				if err != nil {
					return false, err
				}
			}
			if waiting.Status != "down" {
				return false, nil
			}
		}
		return len(vmIDs) > 0, nil
	}
	e.change.gate = func(ctx context.Context) error {
		host, err := s.Host(ctx, hostID)
		if err != nil {
			return err
		}
		refuse := func(format string, args ...any) error {
			no := s.fail(OpConfirmRebooted, Subject{Kind: KindHost, ID: hostID, Name: host.Name}, CodeRefused, fmt.Errorf(format, args...))
			no.State = host.Status
			return no
		}
		if host.Status != "non_responsive" && host.Status != "down" {
			return refuse("it is %s: only a host that its engine does not reach is taken for rebooted", host.Status)
		}
		power, err := s.PowerStatus(ctx, hostID)
		if err != nil {
			return err
		}
		if power.State != PowerOff {
			return refuse("its power management does not say that it is off but %s%s", power.State, because(power.Why))
		}
		return nil
	}
	e.undone = func() *Error {
		no := s.fail(OpConfirmRebooted, subject, CodeEngineError, errors.New("the engine accepted it, and VM "+waiting.Name+" is not down"))
		no.State = waiting.Status
		return no
	}
	return s.ensure(ctx, e)
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return " (" + why + ")"
}
