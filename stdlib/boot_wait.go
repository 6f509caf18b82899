package stdlib

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/ovirt"
)

// waitBoot waits until the VM meets its boot condition. A condition that is not met in time is a verdict, not an error.
// The verdict is journaled for the report and never reused: observations are not durable.
func (v *vmRef) waitBoot(task *engine.Task, ctx context.Context) (ok bool, why string, err error) {
	s := v.site.session
	condition := s.Conditions[v.fact.ID]
	if condition == nil || condition.Kind == "" {
		return true, "up", nil
	}
	status, _ := s.Run.Status(v.subject())
	if status.UpAt == nil {
		return false, "", fmt.Errorf("wait for VM %q: it was not seen up by this run: start it first", v.fact.Name)
	}
	deadline := status.UpAt.Add(condition.Limit())
	task.SetLocal(observing{}, true)
	defer task.SetLocal(observing{}, nil)
	for {
		holds, words, err := v.evaluate(task, ctx, condition, *status.UpAt, deadline)
		if err != nil {
			return false, "", err
		}
		now := s.Env.Clock.Now()
		if holds || !now.Before(deadline) {
			s.Run.Note("boot_condition", v.subject(), map[string]any{"condition": condition.String(), "ok": holds, "why": words})
			return holds, words, nil
		}
		if _, err := s.Env.Clock.Wait(ctx, min(s.Tick, deadline.Sub(now)), nil); err != nil {
			return false, "", err
		}
	}
}

// evaluate looks once. Conditions that wait by themselves (a delay, the guest agent alone) wait here, until the deadline at most.
func (v *vmRef) evaluate(task *engine.Task, ctx context.Context, condition *Condition, upAt, deadline time.Time) (bool, string, error) {
	clock := v.site.session.Env.Clock
	switch condition.Kind {
	case ConditionWait:
		end := upAt.Add(condition.Delay)
		if rest := end.Sub(clock.Now()); rest > 0 && !end.After(deadline) {
			if _, err := clock.Wait(ctx, rest, nil); err != nil {
				return false, "", err
			}
		}
		return !clock.Now().Before(end), fmt.Sprintf("%s after up", condition.Delay), nil
	case ConditionGuestAgent:
		return v.guestAgentReports(ctx, deadline)
	case ConditionLua:
		result, err := condition.Func.CallContext(ctx, task, v.site.session.Context(), v.site.vmObject(v.fact, v.storageDomainID))
		if err != nil {
			return false, "", err
		}
		return result == true, fmt.Sprintf("%s returned %v", condition.String(), result), nil
	}
	// Parts are looked at one after the other; one that waits does so until the common deadline, which every part shares.
	all := condition.Kind == ConditionAll
	words := ""
	for _, part := range condition.Of {
		limit := deadline
		if !all {
			limit = clock.Now() // of alternatives each is only glanced at, so that none holds up the others
		}
		holds, why, err := v.evaluate(task, ctx, part, upAt, limit)
		if err != nil {
			return false, "", err
		}
		if words != "" {
			words += "; "
		}
		words += why
		if holds != all {
			return holds, why, nil
		}
	}
	return all, words, nil
}

func (v *vmRef) guestAgentReports(ctx context.Context, deadline time.Time) (bool, string, error) {
	clock := v.site.session.Env.Clock
	rest := max(deadline.Sub(clock.Now()), 0)
	vm, err := v.site.Engine.WaitVM(ctx, v.fact.ID, rest, func(vm ovirt.VM) (bool, error) {
		if vm.Status == "down" {
			return false, &WentDownError{VM: v.fact.Name, Site: v.site.Name}
		}
		return vm.FQDN != "" || vm.GuestOS != "", nil
	})
	var fault *ovirt.Error
	if errors.As(err, &fault) && fault.Code == ovirt.CodeTimeout && ctx.Err() == nil {
		return false, "the guest agent does not report", nil
	}
	if err != nil {
		return false, "", err
	}
	return true, "the guest agent reports " + vm.FQDN, nil
}
