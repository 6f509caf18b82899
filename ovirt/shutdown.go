package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"drrun/internal/sabotage"
)

// Codes of events about the end of a VM (ovirt-engine AuditLogType.java).
const (
	eventStopped           = 33 // USER_STOP_VM
	eventShutdownRequested = 73 // USER_INITIATED_SHUTDOWN_VM
	eventStoppedInstead    = 76 // USER_STOPPED_VM_INSTEAD_OF_SHUTDOWN: neither ACPI nor agent
)

// shutdownEvents are those that a shutdown request makes.
var shutdownEvents = []int{eventShutdownRequested, eventStoppedInstead, eventStopped}

// Defaults of ShutdownVM.
const (
	defaultGrace = 5 * time.Minute
	stopTimeout  = 5 * time.Minute // from a power-off until the VM is seen down
)

// ShutdownVM asks the guest of a VM to shut down and waits until the VM is seen down.
//
// The engine turns a shutdown of a VM that is not up into a power-off, and so also a second one (ovirt-engine
// ShutdownVmCommand.java). So it is sent once, and only while the VM reads up; a VM in another state is waited for where the state
// passes, and an error where it does not. A guest that ignores the request until the grace is over is an error with code timeout
// and the VM's state, unless o.Force says that it is powered off then. With Force a VM that is paused or not responding is powered
// off after the grace too. Never powered off is a suspended VM, whose memory that would discard, and one that its engine cannot
// see.
func (s *Site) ShutdownVM(ctx context.Context, vmID string, o ShutdownOptions) (ShutdownResult, error) {
	if o.Grace <= 0 {
		o.Grace = defaultGrace
	}
	end := s.o.Clock.Now().Add(o.Grace)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), o.Grace)
	defer cancel()
	subject := Subject{Kind: KindVM, ID: vmID}
	result, err := s.shutDown(bounded, &subject, o)
	e, ok := asError(err)
	if !ok || ctx.Err() != nil || !s.over(bounded, end) || e.Code != CodeTimeout && e.Code != CodeCancelled && e.Code != CodeLocked {
		return result, err
	}
	// The grace is over. What the VM does now counts, not what was seen last.
	vm, err := s.lookVM(patiently(ctx), vmID)
	if err != nil {
		return result, s.during(OpShutdownVM, subject, err)
	}
	if vm.Status == "down" {
		result.DownAt = s.o.Clock.Now()
		return result, nil
	}
	if !o.Force {
		late := s.fail(OpShutdownVM, subject, CodeTimeout, fmt.Errorf("it is not down after %s", o.Grace))
		late.State, late.Retryable = vm.Status, true
		if result.Requested {
			late.Hint = "the guest ignores the request: shut it down from inside, or allow force_stop"
		}
		return result, late
	}
	stopping, cancelStop := s.o.Clock.WithTimeout(patiently(ctx), stopTimeout)
	defer cancelStop()
	result.Forced, err = s.powerOff(stopping, &subject, o.MayAsk)
	if err == nil {
		result.DownAt = s.o.Clock.Now()
	}
	return result, err
}

// errMoved keeps a request from being sent because the VM has left the state for which it was meant.
var errMoved = errors.New("the VM's state has changed since it was looked at")

// shutDown is ShutdownVM up to the end of the grace.
func (s *Site) shutDown(ctx context.Context, subject *Subject, o ShutdownOptions) (result ShutdownResult, err error) {
	vmID := subject.ID
	asked := false // somebody's request of this run reached the engine
	earlier, err := s.earlierAsking(ctx, o.Earlier)
	if err != nil {
		return result, s.during(OpShutdownVM, *subject, err)
	}
	retry, correlation := "", ""
	for repeats := 0; ; {
		vm, err := s.lookVM(ctx, vmID)
		if err != nil {
			return result, s.during(OpShutdownVM, *subject, err)
		}
		readAt := s.o.Clock.Now()
		subject.Name = vm.Name
		asked = asked || earlier.counts(vm)
		if sabotage.On(sabotage.ShutdownTwice) {
			asked = false
		}
		if vm.Status != "up" || asked {
			waited, err := s.waitDown(ctx, *subject, vm, o, asked)
			if err != nil {
				return result, s.during(OpShutdownVM, *subject, err)
			}
			if waited.Status == "down" {
				result.DownAt = s.o.Clock.Now()
				return result, nil
			}
			continue // up now: look afresh, and ask
		}
		if o.MayAsk != nil {
			if err := o.MayAsk(vm); err != nil {
				return result, s.during(OpShutdownVM, *subject, err)
			}
		}
		failure := s.perform(ctx, change{op: OpShutdownVM, subject: *subject, method: http.MethodPost, path: "/vms/" + segment(vmID) + "/shutdown",
			body: actionXML{}, accept: acceptAction, retry: retry, sent: &correlation, gate: func(ctx context.Context) error {
				if s.o.Clock.Now().Sub(readAt) <= s.o.Tick {
					return nil
				}
				now, err := s.lookVM(ctx, vmID) // it had to wait for its turn: what was read is old
				if err == nil && now.Status != "up" {
					err = errMoved
				}
				return err
			}})
		switch {
		case failure == nil:
			result.Requested, asked = true, true
		case errors.Is(failure, errMoved):
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				now, err := s.lookVM(ctx, vmID)
				if err != nil || now.Status != "up" {
					return err == nil, err
				}
				return s.ShutdownReached(ctx, correlation)
			})
			if err != nil {
				return result, s.during(OpShutdownVM, *subject, err)
			}
			if reached {
				result.Requested, asked = true, true
				continue
			}
			if repeats++; repeats >= maxRepeats {
				failure.State = vm.Status
				return result, failure
			}
			retry = unsettled(failure)
		case failure.unknown: // the grace is over, or the caller has given up, while it was under way
			result.Requested = true
			return result, failure
		case failure.Code == CodeLocked && repeats < maxLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				failure.State = vm.Status
				return result, failure
			}
			retry = locked(failure)
		case failure.Status == http.StatusConflict && repeats < maxLocked:
			repeats++
			now, err := s.lookVM(ctx, vmID)
			if err != nil {
				return result, s.during(OpShutdownVM, *subject, err)
			}
			if now.Status == "up" {
				failure.State = now.Status
				return result, failure
			}
			retry = "the engine refused, and the VM's state has changed since"
		default:
			failure.State = vm.Status
			return result, failure
		}
	}
}

// waitDown waits until the VM is down, or up where nobody has asked it yet.
func (s *Site) waitDown(ctx context.Context, subject Subject, vm VM, o ShutdownOptions, asked bool) (VM, error) {
	until := func(now VM) (bool, error) {
		if now.Status == "down" || now.Status == "up" && !asked {
			return true, nil
		}
		return false, s.cannotShutDown(subject, now, o.Force)
	}
	if done, err := until(vm); done || err != nil {
		return vm, err
	}
	return s.WaitVM(ctx, subject.ID, o.Grace, until)
}

// cannotShutDown says why a VM in this state will not be down by waiting; nil where it may.
func (s *Site) cannotShutDown(subject Subject, vm VM, force bool) error {
	e := s.fail(OpShutdownVM, subject, CodeConflict, nil)
	e.State = vm.Status
	switch vm.Status {
	case "suspended", "saving_state":
		e.Err = errors.New("it is suspended: a shutdown or a stop would discard its memory")
		e.Hint = "resume it and shut it down, or decide by hand"
	case "unknown":
		e.Err = errors.New("its host does not answer, so it may be running")
		e.Hint = "fence the host, or confirm that it was rebooted, first"
	case "paused":
		e.Err = errors.New("it is paused, so its guest cannot shut down: the request would be a power-off")
		e.Hint = "is its storage reachable and not full? resume it, or allow force_stop"
	case "not_responding":
		e.Err = errors.New("it does not respond, so its guest cannot shut down: the request would be a power-off")
		e.Hint = "look at its console, or allow force_stop"
	default:
		return nil
	}
	if force && (vm.Status == "paused" || vm.Status == "not_responding") {
		return nil // it has its grace to come back to itself
	}
	return e
}

// mayStop reports whether a power-off of a VM in this state loses no more than its guest's running state.
func mayStop(status string) bool {
	switch status {
	case "up", "powering_up", "powering_down", "paused", "not_responding", "wait_for_launch", "reboot_in_progress", "migrating":
		return true
	}
	return false
}

// powerOff stops a VM and waits until it is seen down. sent tells whether a request of this call reached the engine.
func (s *Site) powerOff(ctx context.Context, subject *Subject, mayAsk func(VM) error) (sent bool, err error) {
	vmID := subject.ID
	refuse := func(status string) error {
		e := s.fail(OpStopVM, *subject, CodeRefused, errors.New("a VM in this state is not powered off"))
		e.State = status
		if status == "unknown" {
			e.Err = errors.New("its host does not answer, so it may be running, and cannot be stopped")
		}
		return e
	}
	var readAt time.Time
	e := &ensurance{change: change{op: OpStopVM, method: http.MethodPost, path: "/vms/" + segment(vmID) + "/stop", body: actionXML{}, accept: acceptAction}}
	e.look = func(ctx context.Context, accepted bool) (bool, error) {
		e.change.subject = *subject
		var now VM
		var err error
		if accepted {
			now, err = s.WaitVM(ctx, vmID, stopTimeout, func(vm VM) (bool, error) { return vm.Status == "down", nil })
		} else {
			now, err = s.lookVM(ctx, vmID)
		}
		readAt = s.o.Clock.Now()
		switch {
		case err != nil:
			return false, err
		case now.Status == "down":
			return true, nil
		case !mayStop(now.Status):
			return false, refuse(now.Status)
		case mayAsk != nil && !accepted:
			return false, mayAsk(now)
		}
		return false, nil
	}
	e.change.gate = func(ctx context.Context) error {
		if s.o.Clock.Now().Sub(readAt) <= s.o.Tick {
			return nil
		}
		now, err := s.lookVM(ctx, vmID)
		if err == nil && !mayStop(now.Status) && now.Status != "down" { // of a VM that is down the engine refuses it
			err = refuse(now.Status)
		}
		return err
	}
	e.reached = func(ctx context.Context) (bool, error) {
		now, err := s.lookVM(ctx, vmID)
		return err == nil && now.Status == "down", err
	}
	e.undone = func() *Error {
		return s.fail(OpStopVM, *subject, CodeEngineError, errors.New("the engine accepted the power-off, and the VM is not down"))
	}
	return s.ensure(ctx, e)
}

// ShutdownReached reports whether the engine has an event of a shutdown request with that correlation id. It settles a shutdown
// that was cut off, together with the VM's status; no event is no proof that nothing happened when the engine has just been asked.
func (s *Site) ShutdownReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, shutdownEvents...)
}
