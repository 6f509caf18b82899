package stdlib

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
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
	w := &bootWait{vm: v, task: task, since: map[*Condition]time.Time{}, addresses: map[string]knownAddress{}}
	for {
		found, err := w.evaluate(ctx, condition, *status.UpAt, deadline)
		if err != nil {
			return false, "", err
		}
		now := s.Env.Clock.Now()
		if found.holds || found.over || !now.Before(deadline) {
			s.Run.Note("boot_condition", v.subject(), map[string]any{"condition": condition.String(), "ok": found.holds, "why": found.why})
			return found.holds, found.why, nil
		}
		w.tell(found.why)
		if _, err := s.Env.Clock.Wait(ctx, min(s.Tick, deadline.Sub(now)), nil); err != nil {
			return false, "", err
		}
	}
}

// bootWait is one wait for the boot condition of a VM.
type bootWait struct {
	vm        *vmRef
	task      *engine.Task
	since     map[*Condition]time.Time // since when each condition that has to be stable holds
	addresses map[string]knownAddress  // of the guest, by NIC; "" is the first that has one
	told      string                   // what it was last said to wait for
	toldAt    time.Time
}

// WaitNote is the kind of the notes about what a VM that is up does not meet yet of its boot condition.
const WaitNote = "boot_wait"

// tellEvery is the time between two such notes of one VM, at least: what a guest answers while it boots can differ with every look.
const tellEvery = 30 * time.Second

// tell notes what is not met yet, when that changes.
func (w *bootWait) tell(why string) {
	s := w.vm.site.session
	now := s.Env.Clock.Now()
	if why == w.told || w.told != "" && now.Sub(w.toldAt) < tellEvery {
		return
	}
	w.told, w.toldAt = why, now
	s.Run.Note(WaitNote, w.vm.subject(), map[string]any{"text": why})
}

// evaluate looks once, and counts how long what must be stable has held.
func (w *bootWait) evaluate(ctx context.Context, condition *Condition, upAt, deadline time.Time) (look, error) {
	found, err := w.lookAt(ctx, condition, upAt, deadline)
	if err != nil || condition.Stable == 0 {
		return found, err
	}
	if !found.holds {
		delete(w.since, condition)
		return found, nil
	}
	now := w.vm.site.session.Env.Clock.Now()
	since, known := w.since[condition]
	if !known {
		since = now
		w.since[condition] = now
	}
	if now.Sub(since) < condition.Stable {
		return look{why: fmt.Sprintf("%s; it has to hold for %s", found.why, condition.Stable)}, nil
	}
	found.why += fmt.Sprintf("; it held for %s", condition.Stable)
	return found, nil
}

// lookAt looks once. What waits by itself (a delay, the guest agent) waits here, until the deadline at most.
func (w *bootWait) lookAt(ctx context.Context, condition *Condition, upAt, deadline time.Time) (look, error) {
	clock := w.vm.site.session.Env.Clock
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
		return w.guestAgentReports(ctx, deadline)
	case ConditionLua:
		return w.vm.callCondition(w.task, ctx, condition, deadline)
	case ConditionAll, ConditionAny:
		return w.lookAtParts(ctx, condition, upAt, deadline)
	}
	return w.probe(ctx, condition, deadline)
}

// lookAtParts looks at a condition that is made of others.
func (w *bootWait) lookAtParts(ctx context.Context, condition *Condition, upAt, deadline time.Time) (look, error) {
	clock := w.vm.site.session.Env.Clock
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
		found, err := w.evaluate(ctx, part, upAt, limit)
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

func (w *bootWait) guestAgentReports(ctx context.Context, deadline time.Time) (look, error) {
	vm, reports, err := w.guestAgent(ctx, deadline, func() {})
	switch {
	case err != nil:
		return look{}, err
	case !reports:
		return look{why: agentSilent}, nil
	}
	return look{holds: true, why: "the guest agent reports " + cmp.Or(vm.FQDN, vm.GuestOS)}, nil
}

// agentSilent says that there is nothing yet from inside of the guest.
const agentSilent = "the guest agent does not report"

// guestAgent waits until the guest agent reports, until the deadline at most. silent is called with each look that finds it silent.
func (w *bootWait) guestAgent(ctx context.Context, deadline time.Time, silent func()) (vm ovirt.VM, reports bool, err error) {
	v := w.vm
	rest, glance := w.rest(deadline)
	vm, err = v.site.Engine.WaitVM(ctx, v.fact.ID, rest, func(vm ovirt.VM) (bool, error) {
		if vm.Status == "down" {
			return false, &WentDownError{VM: v.fact.Name, Site: v.site.Name}
		}
		reports = vm.FQDN != "" || vm.GuestOS != ""
		if !reports {
			silent()
		}
		return glance || reports, nil
	})
	if timedOut(ctx, err) {
		return vm, false, nil
	}
	return vm, reports, err
}

// rest is the time that is left for a wait. Also where none is the engine is asked, once.
func (w *bootWait) rest(deadline time.Time) (rest time.Duration, glance bool) {
	if rest = deadline.Sub(w.vm.site.session.Env.Clock.Now()); rest <= 0 {
		return shortestLook, true
	}
	return rest, false
}

// timedOut reports whether a wait ended because its time was over, and not because the run is.
func timedOut(ctx context.Context, err error) bool {
	var fault *ovirt.Error
	return errors.As(err, &fault) && fault.Code == ovirt.CodeTimeout && ctx.Err() == nil
}

// knownAddress is an address of a guest, as it was when it was read.
type knownAddress struct {
	address string
	at      time.Time
}

// addressAge is how long an address of a guest is taken for granted: a guest can get another one while it boots.
const addressAge = time.Minute

// address finds the address of the guest, until the deadline at most. why says what it lacks, "" with an address.
func (w *bootWait) address(ctx context.Context, nic string, deadline time.Time) (address, why string, err error) {
	clock := w.vm.site.session.Env.Clock
	if known, ok := w.addresses[nic]; ok && clock.Now().Sub(known.at) < addressAge {
		return known.address, "", nil
	}
	rest, glance := w.rest(deadline)
	err = w.vm.site.Engine.WaitNICs(ctx, w.vm.fact.ID, rest, func(nics []ovirt.NIC) (bool, error) {
		address = ownAddress(nics, nic)
		why = noAddress(nics, nic)
		if address == "" {
			w.tell(why)
		}
		return glance || address != "", nil
	})
	if timedOut(ctx, err) {
		return "", cmp.Or(why, "no address yet: the engine does not answer"), nil
	}
	if err != nil || address == "" {
		return "", why, err
	}
	w.addresses[nic] = knownAddress{address, clock.Now()}
	return address, "", nil
}

// noAddress says why a guest has none.
func noAddress(nics []ovirt.NIC, only string) string {
	var names []string
	for _, nic := range nics {
		names = append(names, nic.Name)
	}
	slices.Sort(names)
	switch {
	case len(nics) == 0:
		return "no address: the VM has no NIC"
	case only != "" && !slices.Contains(names, only):
		return fmt.Sprintf("no address: the VM has no NIC %q, it has %s", only, strings.Join(names, ", "))
	case only != "":
		return "no address yet: the guest agent reports none of " + only
	}
	return "no address yet: the guest agent reports none of " + strings.Join(names, ", ")
}

// probe looks at the guest from outside, once it is known what the look needs.
func (w *bootWait) probe(ctx context.Context, condition *Condition, deadline time.Time) (look, error) {
	v, p := w.vm, condition.probe
	s := v.site.session
	guest := map[string]string{"name": v.fact.Name, "id": v.fact.ID, "site": v.site.Name}
	if slices.Contains(p.needs, "ip") || slices.Contains(p.needs, "fqdn") {
		missing := "no address yet: " + agentSilent
		vm, reports, err := w.guestAgent(ctx, deadline, func() { w.tell(missing) })
		if err != nil || !reports {
			return look{why: missing}, err
		}
		if guest["fqdn"] = vm.FQDN; vm.FQDN == "" && slices.Contains(p.needs, "fqdn") {
			return look{why: "no name yet: the guest agent reports none"}, nil
		}
		if slices.Contains(p.needs, "fqdn") && !isHostName(vm.FQDN) {
			return look{why: fmt.Sprintf("no name: the guest agent reports %.80q, which is no name of a host", vm.FQDN)}, nil
		}
	}
	if slices.Contains(p.needs, "ip") {
		address, why, err := w.address(ctx, p.nic, deadline)
		if err != nil || address == "" {
			return look{why: why}, err
		}
		guest["ip"] = address
	}
	if err := s.probes.enter(ctx, s.Env.Clock); err != nil {
		return look{}, err
	}
	defer s.probes.leave()
	found, err := p.look(ctx, w.task, guest)
	if err != nil && ctx.Err() == nil {
		return look{over: true, why: fmt.Sprintf("%s failed: %v", condition, err)}, nil
	}
	return found, err
}
