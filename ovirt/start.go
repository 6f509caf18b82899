package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Codes of events about starts (ovirt-engine AuditLogType.java).
const (
	eventStarted        = 32
	eventStartRequested = 153
	eventDownWithError  = 119
)

// defaultStartTimeout bounds StartVM when the options name no time-out.
const defaultStartTimeout = 10 * time.Minute

// StartVM starts a VM that is down and waits until it is seen up. A VM that is up is left alone, one on its way up is waited for
// (an engine that restarts an HA VM itself shows so), and any other state is an error: nothing is resumed, and nothing that the
// engine cannot see is started. The 200 of the engine means only that the start was scheduled; a VM that falls back to down is
// an error with the words of the engine's event 119.
//
// o.MayStart is asked right before each start request leaves, after every other wait. An unknown outcome is settled by the VM's
// status and the events of the request, and the request is repeated only when both say that it did not arrive.
func (s *Site) StartVM(ctx context.Context, vmID string, o StartOptions) (StartResult, error) {
	if o.Timeout <= 0 {
		o.Timeout = defaultStartTimeout
	}
	end := s.o.Clock.Now().Add(o.Timeout)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), o.Timeout)
	defer cancel()
	result, state, err := s.start(bounded, vmID, o)
	if e, ok := asError(err); ok && ctx.Err() == nil && s.over(bounded, end) && (e.Code == CodeTimeout || e.Code == CodeCancelled || e.Code == CodeLocked) {
		late := s.fail(OpStartVM, e.Subject, CodeTimeout, fmt.Errorf("it is not up after %s", o.Timeout))
		late.State, late.Retryable = e.State, true
		if late.State == "" {
			late.State = state
		}
		return result, late
	}
	return result, err
}

func (s *Site) start(ctx context.Context, vmID string, o StartOptions) (result StartResult, state string, err error) {
	subject := Subject{Kind: KindVM, ID: vmID}
	retry, correlation := "", ""
	for repeats := 0; ; {
		vm, err := s.lookVM(ctx, vmID)
		if err != nil {
			return result, state, s.during(OpStartVM, subject, err)
		}
		subject.Name, state = vm.Name, vm.Status
		if result.StartedAt.IsZero() && !vm.StartTime.IsZero() && vm.Status != "down" {
			result.StartedAt = vm.StartTime
		}
		switch verdict(vm.Status) {
		case isUp:
			result.UpAt = s.o.Clock.Now()
			return result, state, nil
		case comesUp:
			result.UpAt, state, err = s.waitUp(ctx, subject, o.Timeout, correlation, true)
			return result, state, err
		case mustWait:
			waited, err := s.WaitVM(ctx, vmID, o.Timeout, func(now VM) (bool, error) { return verdict(now.Status) != mustWait, nil })
			if err != nil {
				return result, waited.Status, s.during(OpStartVM, subject, err)
			}
			continue
		case isStuck:
			return result, state, s.cannotStart(subject, vm)
		}
		for _, earlier := range o.Earlier {
			reached, err := s.StartReached(ctx, earlier)
			if err != nil {
				return result, state, s.during(OpStartVM, subject, err)
			}
			if reached {
				return result, state, s.fellDown(ctx, subject, earlier, errors.New("an earlier attempt of this run started it, and it is down again; it is not started twice"))
			}
		}
		failure := s.perform(ctx, change{op: OpStartVM, subject: subject, method: http.MethodPost, path: "/vms/" + segment(vmID) + "/start",
			body: actionXML{}, accept: acceptAction, gate: o.MayStart, retry: retry, sent: &correlation})
		switch {
		case failure == nil:
			result.Requested, result.StartedAt = true, s.o.Clock.Now()
			result.UpAt, state, err = s.waitUp(ctx, subject, o.Timeout, correlation, false)
			return result, state, err
		case failure.unknown && ctx.Err() == nil:
			sentAt := s.o.Clock.Now()
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				now, err := s.VM(ctx, vmID)
				if err != nil || now.Status != "down" {
					return err == nil, err
				}
				return s.StartReached(ctx, correlation)
			})
			if err != nil {
				return result, state, s.during(OpStartVM, subject, err)
			}
			if reached {
				result.Requested, result.StartedAt = true, sentAt
				result.UpAt, state, err = s.waitUp(ctx, subject, o.Timeout, correlation, false)
				return result, state, err
			}
			if repeats++; repeats >= maxRepeats {
				failure.State = state
				return result, state, failure
			}
			retry = unsettled(failure)
		case failure.Code == CodeLocked:
			repeats++
			if repeats > maxLocked || s.pause(ctx, backoff(repeats)) != nil {
				failure.State = state
				return result, state, failure
			}
			retry = locked(failure)
		case failure.Status == http.StatusConflict:
			// Refused for its state, perhaps because somebody else has started it meanwhile.
			now, err := s.VM(ctx, vmID)
			if err != nil {
				return result, state, s.during(OpStartVM, subject, err)
			}
			state = now.Status
			if v := verdict(now.Status); v == isUp || v == comesUp {
				continue
			}
			failure.State = state
			return result, state, failure
		default:
			failure.State = state
			return result, state, failure
		}
	}
}

// What a status means to somebody who wants the VM up.
type outlook int

const (
	isDown   outlook = iota
	isUp             // runs
	comesUp          // on its way
	mustWait         // locked for a while
	isStuck          // nothing that a start could or should mend
)

// verdict judges a VM status (ovirt-engine-api-model VmStatus.java).
func verdict(status string) outlook {
	switch status {
	case "down":
		return isDown
	case "up", "migrating":
		return isUp
	case "powering_up", "wait_for_launch", "reboot_in_progress", "restoring_state":
		return comesUp
	case "image_locked", "unassigned":
		return mustWait
	}
	return isStuck
}

// cannotStart says why a VM in this state is not started.
func (s *Site) cannotStart(subject Subject, vm VM) error {
	e := s.fail(OpStartVM, subject, CodeConflict, nil)
	e.State = vm.Status
	switch vm.Status {
	case "suspended", "saving_state":
		e.Err = errors.New("it is suspended: a start would resume the memory that it was suspended with")
		e.Hint = "decide by hand: start it to resume, or stop it, which discards its memory"
	case "paused":
		e.Err = errors.New("it is paused")
		if vm.StatusDetail != "" && vm.StatusDetail != "none" {
			e.Err = fmt.Errorf("it is paused (%s)", vm.StatusDetail)
		}
		e.Hint = "is its storage reachable and not full? it resumes when the storage is well again"
	case "powering_down":
		e.Err = errors.New("it is shutting down")
		e.Hint, e.Retryable = "wait until it is down", true
	case "unknown", "not_responding":
		e.Err = errors.New("its host does not answer, so it may be running")
		e.Hint = "fence the host, or confirm that it was rebooted, first"
	default:
		e.Err = fmt.Errorf("a VM that is %q is not started", vm.Status)
	}
	return e
}

// waitUp waits until a VM that was asked to start is up. Between two hosts a start can show down for a moment: the engine
// first runs it again on other hosts (ovirt-engine RunVmCommandBase.java), so only repeated looks say that it fell. moved: it was seen on its way up already.
func (s *Site) waitUp(ctx context.Context, subject Subject, timeout time.Duration, correlation string, moved bool) (at time.Time, state string, err error) {
	downs := 0
	vm, err := s.WaitVM(ctx, subject.ID, timeout, func(vm VM) (bool, error) {
		state = vm.Status
		switch verdict(vm.Status) {
		case isUp:
			return true, nil
		case isDown:
			downs++
			if downs >= 3 || moved && downs >= 2 {
				return false, s.fellDown(ctx, subject, correlation, errors.New("it went down again"))
			}
		case isStuck:
			return false, s.cannotStart(subject, vm)
		default:
			moved, downs = true, 0
		}
		return false, nil
	})
	if err != nil {
		if e, ok := asError(err); ok && e.State == "" {
			e.State = vm.Status
		}
		return time.Time{}, state, s.during(OpStartVM, subject, err)
	}
	return s.o.Clock.Now(), state, nil
}

// fellDown is the error of a VM that was started and is down, with the words of the engine's event 119 since the start request.
func (s *Site) fellDown(ctx context.Context, subject Subject, correlation string, cause error) error {
	e := s.fail(OpStartVM, subject, CodeEngineError, cause)
	e.State = "down"
	words := ""
	if events, err := s.Events(ctx, EventQuery{Search: "vm.id=" + subject.ID, Max: 50}); err == nil {
		for _, event := range events { // newest first, so what stands before our own request came after it
			if correlation != "" && event.CorrelationID == correlation && (event.Code == eventStarted || event.Code == eventStartRequested) {
				break
			}
			if event.Code == eventDownWithError && (event.VMID == subject.ID || event.VMID == "") {
				words = event.Description
				break
			}
		}
	}
	if words != "" {
		e.Err = fmt.Errorf("%w: %s", cause, words)
	}
	e.Hint = "see the engine's events of this VM"
	return e
}
