package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"drrun/engine"
	"drrun/ovirt"
)

// shortestLook is how long one look may take at least, however near the deadline is: a resumed run looks once more although
// the time-out passed long ago.
const shortestLook = 30 * time.Second

// look is what one evaluation of a condition found.
type look struct {
	holds bool
	over  bool   // it does not hold and will not: its own time-out has passed, or it is broken
	why   string // in words, for the report
}

// waitBoot waits until the VM meets its boot condition. A condition that is not met in time is a verdict, not an error.
// The verdict is journaled for the report and never reused: observations are not durable.
func (v *vmRef) waitBoot(task *engine.Task, ctx context.Context) (ok bool, why string, err error) {
	s := v.site.session
	if s.Dry != nil {
		return true, "a dry run waits for nothing", nil
	}
	condition := s.Conditions[v.fact.ID]
	if condition == nil || condition.Kind == "" {
		return true, "up", nil
	}
	status, _ := s.Run.Status(v.subject())
	if status.UpAt == nil {
		return false, "", fmt.Errorf("wait for VM %q: it was not seen up by this run: start it first", v.fact.Name)
	}
	deadline := status.UpAt.Add(condition.Limit())
	before := task.Local(observing{})
	task.SetLocal(observing{}, true)
	defer task.SetLocal(observing{}, before)
	for {
		found, err := v.evaluate(task, ctx, condition, *status.UpAt, deadline)
		if err != nil {
			return false, "", err
		}
		now := s.Env.Clock.Now()
		if found.holds || found.over || !now.Before(deadline) {
			s.Run.Note("boot_condition", v.subject(), map[string]any{"condition": condition.String(), "ok": found.holds, "why": found.why})
			return found.holds, found.why, nil
		}
		if _, err := s.Env.Clock.Wait(ctx, min(s.Tick, deadline.Sub(now)), nil); err != nil {
			return false, "", err
		}
	}
}

// evaluate looks once. What waits by itself (a delay, the guest agent) waits here, until the deadline at most.
func (v *vmRef) evaluate(task *engine.Task, ctx context.Context, condition *Condition, upAt, deadline time.Time) (look, error) {
	clock := v.site.session.Env.Clock
	switch condition.Kind {
	case ConditionWait:
		end := upAt.Add(condition.Delay)
		if rest := end.Sub(clock.Now()); rest > 0 && !end.After(deadline) {
			if _, err := clock.Wait(ctx, rest, nil); err != nil {
				return look{}, err
			}
		}
		return look{holds: !clock.Now().Before(end), why: fmt.Sprintf("%s after up", condition.Delay)}, nil
	case ConditionGuestAgent:
		return v.guestAgentReports(ctx, deadline)
	case ConditionLua:
		return v.callCondition(task, ctx, condition, deadline)
	}
	// Parts are looked at one after the other, each within its own time-out. Of alternatives each is only glanced at, so that
	// none holds up the others.
	all := condition.Kind == ConditionAll
	words, open := "", 0
	for _, part := range condition.Of {
		end := upAt.Add(part.Limit())
		limit := end
		if deadline.Before(limit) {
			limit = deadline
		}
		if !all {
			limit = clock.Now()
		}
		found, err := v.evaluate(task, ctx, part, upAt, limit)
		if err != nil {
			return look{}, err
		}
		found.over = !found.holds && (found.over || !clock.Now().Before(end))
		switch {
		case found.holds != all: // decides: the first that fails of all, the first that holds of any
			return found, nil
		case !found.holds && !found.over:
			open++
		}
		if words != "" {
			words += "; "
		}
		words += found.why
	}
	return look{holds: all, over: !all && open == 0, why: words}, nil
}

// callCondition calls a function of the plan once. What it cannot read now, the next look may; a function that is broken
// makes the condition fail at once, because waiting cannot mend it.
func (v *vmRef) callCondition(task *engine.Task, ctx context.Context, condition *Condition, deadline time.Time) (look, error) {
	s := v.site.session
	limit, cancel := s.Env.Clock.WithTimeout(ctx, max(deadline.Sub(s.Env.Clock.Now()), shortestLook))
	defer cancel()
	result, err := condition.Func.CallContext(limit, task, s.Context(), v.site.vmObject(v.fact, v.storageDomainID))
	var panicked *engine.PanicError
	var fault *ovirt.Error
	switch {
	case err != nil && ctx.Err() != nil, errors.As(err, &panicked), errors.Is(err, engine.ErrStopping):
		return look{}, err
	case err != nil && limit.Err() != nil:
		return look{over: true, why: condition.String() + " did not return in time"}, nil
	case errors.As(err, &fault) && fault.Retryable:
		return look{why: fmt.Sprintf("%s failed: %v", condition.String(), err)}, nil
	case err != nil:
		return look{over: true, why: fmt.Sprintf("%s failed: %v", condition.String(), err)}, nil
	}
	switch result {
	case true, false:
		return look{holds: result == true, why: fmt.Sprintf("%s returned %v", condition.String(), result)}, nil
	case nil:
		return look{why: condition.String() + " returned nothing"}, nil
	}
	return look{over: true, why: fmt.Sprintf("%s returned something that is neither true nor false", condition.String())}, nil
}

func (v *vmRef) guestAgentReports(ctx context.Context, deadline time.Time) (look, error) {
	rest := deadline.Sub(v.site.session.Env.Clock.Now())
	glance := rest <= 0 // also where no time is left the engine is asked, once
	if glance {
		rest = shortestLook
	}
	vm, err := v.site.Engine.WaitVM(ctx, v.fact.ID, rest, func(vm ovirt.VM) (bool, error) {
		if vm.Status == "down" {
			return false, &WentDownError{VM: v.fact.Name, Site: v.site.Name}
		}
		return glance || vm.FQDN != "" || vm.GuestOS != "", nil
	})
	var fault *ovirt.Error
	if errors.As(err, &fault) && fault.Code == ovirt.CodeTimeout && ctx.Err() == nil {
		return look{why: "the guest agent does not report"}, nil
	}
	if err != nil {
		return look{}, err
	}
	if vm.FQDN == "" && vm.GuestOS == "" {
		return look{why: "the guest agent does not report"}, nil
	}
	return look{holds: true, why: "the guest agent reports " + cmp.Or(vm.FQDN, vm.GuestOS)}, nil
}
