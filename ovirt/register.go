package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"drrun/internal/sabotage"
)

// RegisterVM makes an unregistered VM of an active storage domain a VM of this engine, and returns it with its NICs and disks as
// the engine has them now. A VM that the engine has already is returned as it is. The caller compares the NICs: the engine drops
// a profile that it cannot use without a word (ovirt-engine MapVnicFlow.java).
func (s *Site) RegisterVM(ctx context.Context, spec RegisterSpec) (vm VM, changed bool, err error) {
	subject := Subject{Kind: KindVM, ID: spec.VMID, Name: spec.Name}
	ctx = patiently(ctx)
	body := registerXML{Partial: spec.Partial, ReassignMACs: spec.ReassignBadMACs, Configuration: configuration(spec.NICs, spec.LUNs, shown)}
	if spec.ClusterID != "" {
		body.Cluster = &refXML{ID: spec.ClusterID}
	}
	told := body
	told.Configuration = configuration(spec.NICs, spec.LUNs, hidden)
	changed, err = s.register(ctx, registration{
		op: OpRegisterVM, subject: subject, body: body, told: told, cluster: spec.ClusterID,
		path: "/storagedomains/" + segment(spec.StorageDomainID) + "/vms/" + segment(spec.VMID) + "/register",
		read: func(ctx context.Context) error {
			vm, err = read(ctx, s, vmCall(spec.VMID, true), decodeVM)
			return err
		},
		verify: func(ctx context.Context) error {
			vm, err = s.lookRegistered(ctx, spec.VMID)
			return err
		},
		absent: spec.Absent,
	})
	if err != nil {
		return vm, changed, err
	}
	if vm.Status == "image_locked" {
		waited, err := s.WaitVM(ctx, spec.VMID, settleTimeout, func(now VM) (bool, error) { return now.Status != "image_locked", nil })
		if err != nil {
			return vm, changed, s.during(OpRegisterVM, subject, err)
		}
		vm.Status, vm.StatusDetail = waited.Status, waited.StatusDetail
	}
	return vm, changed, nil
}

// registeredAfter is how long a VM must be seen after the engine said that it was registered. What goes on in the background (its
// lease) can still fail then, and the engine takes the VM out again (ovirt-engine ImportVmFromConfigurationCommand.java): a look at
// once would see it for the last time.
const registeredAfter = 2 * time.Second

// lookRegistered reads a VM that was registered a moment ago, with NICs and disks; all that wait for a look share one request a tick.
func (s *Site) lookRegistered(ctx context.Context, vmID string) (VM, error) {
	bounded, cancel := s.o.Clock.WithTimeout(ctx, s.patience(ctx))
	defer cancel()
	said := s.o.Clock.Now()
	vm, trouble, err := s.details.wait(bounded, vmID, func(VM) (bool, error) { return s.o.Clock.Now().Sub(said) >= registeredAfter, nil })
	return vm, s.waitError(ctx, bounded, Subject{Kind: KindVM, ID: vmID, Name: vm.Name}, "", s.patience(ctx), trouble, err)
}

// settleTimeout bounds the wait for an object that is registered and still locked.
const settleTimeout = 10 * time.Minute

// RegisterTemplate makes an unregistered template of an active storage domain a template of this engine, and waits until its
// status is ok. Versions need their base registered before.
func (s *Site) RegisterTemplate(ctx context.Context, spec RegisterTemplateSpec) (template Template, changed bool, err error) {
	subject := Subject{Kind: KindTemplate, ID: spec.TemplateID, Name: spec.Name}
	ctx = patiently(ctx)
	body := registerTemplateXML{Configuration: configuration(spec.NICs, nil, shown)}
	if spec.ClusterID != "" {
		body.Cluster = &refXML{ID: spec.ClusterID}
	}
	get := func(ctx context.Context) error {
		template, err = s.Template(ctx, spec.TemplateID)
		return err
	}
	changed, err = s.register(ctx, registration{
		op: OpRegisterTemplate, subject: subject, body: body, read: get, cluster: spec.ClusterID,
		path: "/storagedomains/" + segment(spec.StorageDomainID) + "/templates/" + segment(spec.TemplateID) + "/register",
	})
	bounded, cancel := s.o.Clock.WithTimeout(ctx, settleTimeout)
	defer cancel()
	for err == nil && template.Status == "locked" {
		if err = s.pause(bounded, s.o.Tick); err == nil {
			err = get(bounded)
		}
		if err != nil {
			e := s.waitError(ctx, bounded, subject, template.Status, settleTimeout, nil, err)
			return template, changed, s.during(OpRegisterTemplate, subject, e)
		}
	}
	if err == nil && template.Status != "ok" && template.Status != "" {
		e := s.fail(OpRegisterTemplate, subject, CodeEngineError, errors.New("it is registered and cannot be used"))
		e.State = template.Status
		return template, changed, e
	}
	return template, changed, err
}

// registration is what VMs and templates have in common.
type registration struct {
	op      string
	subject Subject
	path    string
	cluster string
	body    any
	told    any                         // what the write hook sees in its place; nil: the body
	read    func(context.Context) error // reads the object: nil, or not-found, or another error
	verify  func(context.Context) error // reads it after it was registered; nil means read
	absent  bool                        // known not to exist
}

// register brings an object from the unregistered ones of a domain into the engine. Registering is not idempotent, and the text of
// the refusal of a repeat changes with whatever check comes first (ovirt-engine ImportVmCommandBase.java), so only a read of the
// object decides.
func (s *Site) register(ctx context.Context, r registration) (changed bool, err error) {
	by := func(ctx context.Context, read func(context.Context) error) (bool, error) {
		err := read(ctx)
		if HasCode(err, CodeNotFound) || HasCode(err, CodeGone) {
			return false, nil
		}
		return err == nil, err
	}
	exists := func(ctx context.Context) (bool, error) { return by(ctx, r.read) }
	now := func(ctx context.Context) (bool, error) {
		switch {
		case changed && sabotage.On(sabotage.StatusTrusted):
			return true, nil
		case changed && r.verify != nil:
			return by(ctx, r.verify)
		case r.absent:
			r.absent = false
			return false, nil
		}
		return exists(ctx)
	}
	retry, correlation := "", ""
	for repeats := 0; ; {
		switch there, err := now(ctx); {
		case err != nil:
			return changed, s.during(r.op, r.subject, err)
		case there:
			return changed, nil
		case changed:
			e := s.fail(r.op, r.subject, CodeEngineError, errors.New("the engine said that it was registered, and does not have it"))
			if correlation != "" {
				if words := s.eventWords(ctx, EventQuery{Search: correlationSearch(correlation), Max: 50}, func(Event) bool { return true }); words != "" {
					e.Err = fmt.Errorf("the engine said that it was registered, and does not have it: %s", words)
				}
			}
			e.Hint = "detach and attach the storage domain to see it as unregistered again"
			return changed, e
		}
		failure := s.perform(ctx, change{op: r.op, subject: r.subject, method: http.MethodPost, path: r.path, body: r.body, told: r.told,
			accept: acceptAction, retry: retry, sent: &correlation})
		switch {
		case failure == nil:
			changed = true
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, exists)
			if err != nil {
				return changed, s.during(r.op, r.subject, err)
			}
			if reached {
				return true, nil
			}
			if repeats++; repeats >= maxRepeats {
				return changed, failure
			}
			retry = unsettled(failure)
		case failure.Code == CodeLocked && repeats < maxLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				return changed, failure
			}
			retry = locked(failure)
		case failure.Status >= 400 && failure.Code != CodeForbidden && failure.Code != CodeCredentials:
			if there, err := exists(ctx); err == nil && there {
				return changed, nil
			}
			if failure.Code == CodeNotFound && failure.Err == nil {
				failure.Err = errors.New("the engine does not list it as unregistered on the storage domain, or the cluster does not exist")
			}
			return changed, failure
		default:
			return changed, failure
		}
	}
}

// maxLocked bounds the repeats of one operation against an engine lock: about a minute and a half.
const maxLocked = 14

// correlationSearch finds what one request of ours caused. Correlation ids have only letters, digits, - and _ (ovirt-engine
// CurrentFilter.java).
func correlationSearch(correlation string) string { return "correlation_id=" + correlation }

// UpdateNIC gives a NIC of a VM another vNIC profile; an empty profile takes it away. It is read back.
func (s *Site) UpdateNIC(ctx context.Context, vmID, nicID, profileID string) (changed bool, err error) {
	subject := Subject{Kind: KindNIC, ID: nicID}
	ctx = patiently(ctx)
	path := "/vms/" + segment(vmID) + "/nics/" + segment(nicID)
	retry := ""
	for repeats := 0; ; {
		nic, err := read(ctx, s, call{subject: subject, path: path}, decodeNIC)
		if err != nil {
			return changed, s.during(OpUpdateNIC, subject, err)
		}
		subject.Name = nic.Name
		if nic.ProfileID == profileID {
			return changed, nil
		}
		if changed {
			e := s.fail(OpUpdateNIC, subject, CodeEngineError, fmt.Errorf("the engine accepted vNIC profile %q, and the NIC has %q", profileID, nic.ProfileID))
			e.Hint = "is the profile's network attached to the VM's cluster?"
			return changed, e
		}
		var updated NIC
		failure := s.perform(ctx, change{op: OpUpdateNIC, subject: subject, method: http.MethodPut, path: path,
			body: nicXML{Profile: profileXML{ID: profileID}}, accept: acceptInto(decodeNIC, &updated), retry: retry})
		switch {
		case failure == nil:
			changed = true
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				now, err := read(ctx, s, call{subject: subject, path: path}, decodeNIC)
				return err == nil && now.ProfileID == profileID, err
			})
			if err != nil {
				return changed, s.during(OpUpdateNIC, subject, err)
			}
			changed = reached
			if repeats++; !reached && repeats >= maxRepeats {
				return changed, failure
			}
			retry = unsettled(failure)
		case failure.Code == CodeLocked && repeats < maxLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				return changed, failure
			}
			retry = locked(failure)
		default:
			return changed, failure
		}
	}
}

// StartReached reports whether the engine has an event of a start request with that correlation id: "start requested" or
// "started". It settles a start that was cut off, together with the VM's status; no event is no proof that nothing happened
// when the engine has just been asked.
func (s *Site) StartReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, eventStarted, eventStartRequested)
}

// hasEvent reports whether the engine has an event with that correlation id and one of the codes.
func (s *Site) hasEvent(ctx context.Context, correlation string, codes ...int) (bool, error) {
	found, err := s.eventsOf(ctx, correlation, codes...)
	return len(found) > 0, err
}

// eventsOf returns the events with that correlation id and one of the codes.
func (s *Site) eventsOf(ctx context.Context, correlation string, codes ...int) ([]Event, error) {
	if correlation == "" {
		return nil, nil
	}
	events, err := s.Events(ctx, EventQuery{Search: correlationSearch(correlation), Max: 50})
	return slices.DeleteFunc(events, func(e Event) bool { return e.CorrelationID != correlation || !slices.Contains(codes, e.Code) }), err
}
