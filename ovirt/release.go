package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"drrun/internal/sabotage"
)

// Codes of events about a storage domain that was to leave (ovirt-engine AuditLogType.java).
const (
	eventOVFUpdateFailed  = 190  // UPDATE_OVF_FOR_STORAGE_DOMAIN_FAILED
	eventDeactivateFailed = 969  // USER_DEACTIVATE_STORAGE_DOMAIN_FAILED
	eventDeactivatedBySys = 970  // SYSTEM_DEACTIVATED_STORAGE_DOMAIN
	eventDeactivateCut    = 1009 // USER_DEACTIVATE_STORAGE_DOMAIN_OVF_UPDATE_INCOMPLETE: the engine was restarted meanwhile
	eventStoresFailed     = 1016 // UPDATE_FOR_OVF_STORES_FAILED
)

// DeactivateDomain brings an attached storage domain into maintenance, and waits until that is seen on it: the engine answers before
// the work is done. The time-out is in model time; 0 means 10 minutes. Never forced: a failed write of the OVF store ends it.
//
// While tasks, an OVF update or a lock stand in the way it is sent again, with the engine's words as the reason, until the time is
// over. Any other refusal (VMs that are not down, leases of running VMs) is an error with the engine's words, and so is a domain
// that falls back to its old status or to unknown (events 969 and 1009). A domain that is not attached there is not-found.
func (s *Site) DeactivateDomain(ctx context.Context, dcID, sdID string, timeout time.Duration) (sd StorageDomain, changed bool, err error) {
	if timeout <= 0 {
		timeout = actionTimeout
	}
	end := s.o.Clock.Now().Add(timeout)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), timeout)
	defer cancel()
	sd, changed, err = s.deactivate(bounded, dcID, sdID, timeout)
	return sd, changed, s.late(ctx, bounded, end, OpDeactivateDomain, "in maintenance", sd, timeout, err)
}

func (s *Site) deactivate(ctx context.Context, dcID, sdID string, timeout time.Duration) (sd StorageDomain, changed bool, err error) {
	subject := Subject{Kind: KindStorageDomain, ID: sdID}
	retry := ""
	for repeats := 0; ; {
		if sd, err = s.settledDomain(ctx, dcID, sdID, timeout, changed, "maintenance"); err != nil {
			return sd, changed, s.during(OpDeactivateDomain, subject, err)
		}
		subject.Name = sd.Name
		switch {
		case sd.Status == "maintenance":
			return sd, changed, nil
		case changed:
			e := s.fail(OpDeactivateDomain, subject, CodeEngineError, errors.New("the request was accepted, and the domain is not in maintenance"))
			e.State, e.Retryable = sd.Status, true
			events, _ := s.Events(ctx, EventQuery{Max: 50}) // newest first; without them there is only less to say
			if n := slices.IndexFunc(events, func(event Event) bool {
				return event.StorageDomainID == sdID && slices.Contains([]int{eventDeactivateFailed, eventDeactivateCut, eventOVFUpdateFailed, eventStoresFailed, eventDeactivatedBySys}, event.Code)
			}); n >= 0 {
				e.Err = fmt.Errorf("the domain is not in maintenance: %s", events[n].Description)
			}
			return sd, changed, e
		case sd.Status != "active" && sd.Status != "inactive":
			e := s.fail(OpDeactivateDomain, subject, CodeConflict, errors.New("only a domain that is active or inactive can be deactivated"))
			e.State, e.Retryable = sd.Status, sd.Status == "unknown"
			if sd.Status == "unknown" {
				e.Hint = "the engine does not see the domain's storage through any host: is a host of its data center up?"
			}
			return sd, changed, e
		}
		failure := s.perform(ctx, change{
			op: OpDeactivateDomain, subject: subject, method: http.MethodPost, path: attachedPath(dcID, sdID) + "/deactivate",
			body: actionXML{}, accept: acceptAction, retry: retry,
		})
		switch {
		case failure == nil:
			changed = true
		case failure.unknown && ctx.Err() == nil:
			before := sd.Status
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				now, err := s.AttachedStorageDomain(ctx, dcID, sdID)
				return err == nil && now.Status != before, err
			})
			if err != nil {
				return sd, changed, s.during(OpDeactivateDomain, subject, err)
			}
			if reached {
				changed = true
				continue
			}
			if repeats++; repeats >= maxRepeats {
				failure.State = sd.Status
				return sd, changed, failure
			}
			retry = unsettled(failure)
		case failure.Code == CodeLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				failure.State = sd.Status
				return sd, changed, failure
			}
			retry = locked(failure)
		default:
			// Refused: what the domain's status is now decides.
			if now, err := s.AttachedStorageDomain(ctx, dcID, sdID); err == nil && failure.Status == http.StatusConflict && now.Status != sd.Status && repeats < maxRepeats {
				repeats++
				retry = "the engine refused, and the domain's state has changed since"
				continue
			}
			failure.State = sd.Status
			return sd, changed, failure
		}
	}
}

// settledDomain reads an attached domain and waits until its status is not a passing one. After a request of our own it may show its
// old status for a moment, so two looks decide, unless it shows the goal.
func (s *Site) settledDomain(ctx context.Context, dcID, sdID string, timeout time.Duration, requested bool, goal string) (StorageDomain, error) {
	if !requested {
		sd, err := s.AttachedStorageDomain(ctx, dcID, sdID)
		if err != nil || !passingStatus(sd.Status) {
			return sd, err
		}
	}
	looks := 0
	return s.WaitStorageDomain(ctx, dcID, sdID, timeout, func(now StorageDomain) (bool, error) {
		if passingStatus(now.Status) {
			looks = 0
			return false, nil
		}
		looks++
		return now.Status == goal || !requested || looks >= 2, nil
	})
}

// DetachDomain takes a storage domain that is in maintenance out of its data center. Its VMs, templates and disks leave the
// engine's database and stay on the domain. A domain that is not attached is fine.
//
// A domain on local storage is refused: for it the same request is a removal with format (ovirt-engine
// BackendAttachedStorageDomainResource.java). So is one whose storage type the engine does not say.
func (s *Site) DetachDomain(ctx context.Context, dcID, sdID string) (changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	e := &ensurance{change: change{op: OpDetachDomain, subject: Subject{Kind: KindStorageDomain, ID: sdID}, method: http.MethodDelete,
		path: attachedPath(dcID, sdID), accept: acceptAction}}
	subject := &e.change.subject
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		sd, err := s.settledDomain(ctx, dcID, sdID, actionTimeout, false, "")
		if HasCode(err, CodeNotFound) || HasCode(err, CodeGone) {
			if sent {
				return true, nil
			}
			return s.attachedNowhere(ctx, dcID, sdID)
		}
		if err != nil {
			return false, err
		}
		subject.Name = sd.Name
		if local(sd) {
			no := s.fail(OpDetachDomain, *subject, CodeRefused, fmt.Errorf("it is on storage of type %q: the engine would format it", sd.StorageType))
			no.State = sd.Status
			return false, no
		}
		if !sent && sd.Status != "maintenance" {
			no := s.fail(OpDetachDomain, *subject, CodeConflict, errors.New("only a domain in maintenance is detached"))
			no.State = sd.Status
			return false, no
		}
		return false, nil
	}
	e.reached = func(ctx context.Context) (bool, error) {
		attached, err := s.isAttached(ctx, dcID, sdID)
		return err == nil && !attached, err
	}
	e.undone = func() *Error {
		return s.fail(OpDetachDomain, *subject, CodeEngineError, errors.New("the engine said that it was detached, and the data center still has it"))
	}
	return s.ensure(ctx, e)
}

// local reports whether a domain is, or may be, on local storage.
func local(sd StorageDomain) bool { return sd.StorageType == "" || sd.StorageType == "localfs" }

// attachedNowhere is the answer for a domain that a data center does not have: an error when another one does.
func (s *Site) attachedNowhere(ctx context.Context, dcID, sdID string) (bool, error) {
	sd, err := s.StorageDomain(ctx, sdID)
	switch {
	case HasCode(err, CodeNotFound):
		return true, nil
	case err != nil:
		return false, err
	case sd.DataCenterID != "" && sd.DataCenterID != dcID:
		e := s.fail(OpDetachDomain, Subject{Kind: KindStorageDomain, ID: sdID, Name: sd.Name}, CodeConflict,
			fmt.Errorf("it is attached to another data center of this engine, %s", sd.DataCenterID))
		e.State = attachment(sd)
		return false, e
	}
	return true, nil
}

// RemoveDomain takes an unattached data domain out of the engine, through a host that is up. The request has no format, so the
// storage keeps its content. A domain that the engine does not know is fine; an attached one is refused before anything is sent.
func (s *Site) RemoveDomain(ctx context.Context, sdID, hostID string) (changed bool, err error) {
	subject := Subject{Kind: KindStorageDomain, ID: sdID}
	if hostID == "" {
		return false, s.fail(OpRemoveDomain, subject, CodeBadRequest, errors.New("the host is missing"))
	}
	return s.dropDomain(ctx, change{op: OpRemoveDomain, subject: subject, query: url.Values{"host": {hostID}}}, func(ctx context.Context, sd StorageDomain) error {
		no := s.fail(OpRemoveDomain, Subject{Kind: KindStorageDomain, ID: sdID, Name: sd.Name}, CodeRefused, nil)
		no.State = attachment(sd)
		switch {
		case sd.DataCenterID != "" || sd.Status != "unattached":
			no.Code, no.Err, no.Hint = CodeConflict, errors.New("only an unattached domain is removed"), "deactivate and detach it first"
		case sd.Type != "data":
			no.Err = fmt.Errorf("it is of type %q, and only data domains are removed", sd.Type)
		case local(sd):
			no.Err = fmt.Errorf("it is on storage of type %q, whose content this engine alone keeps", sd.StorageType)
		default:
			return nil
		}
		return no
	})
}

// DestroyDomain clears the engine's books of a storage domain whose storage is gone, and of the VMs, templates and disks on it. The
// storage is not touched, and not asked. It is refused while the domain is active. A domain that the engine does not know is fine.
func (s *Site) DestroyDomain(ctx context.Context, sdID string) (changed bool, err error) {
	return s.dropDomain(ctx, change{op: OpDestroyDomain, subject: Subject{Kind: KindStorageDomain, ID: sdID}, query: url.Values{"destroy": {"true"}}},
		func(ctx context.Context, sd StorageDomain) error {
			no := s.fail(OpDestroyDomain, Subject{Kind: KindStorageDomain, ID: sdID, Name: sd.Name}, CodeRefused, nil)
			if sd.Type != "data" {
				no.Err = fmt.Errorf("it is of type %q, and only data domains are destroyed", sd.Type)
				return no
			}
			if sd.DataCenterID == "" {
				return nil
			}
			// The global view does not show the status of an attached domain (ovirt-engine BackendStorageDomainsResource.java).
			attached, err := s.settledDomain(ctx, sd.DataCenterID, sdID, actionTimeout, false, "")
			if HasCode(err, CodeNotFound) || HasCode(err, CodeGone) {
				return nil
			}
			if err == nil && attached.Status == "active" {
				no.State, no.Err, no.Hint = attached.Status, errors.New("a domain that is active is not destroyed"), "deactivate, detach and remove it"
				return no
			}
			return err
		})
}

// dropDomain deletes the engine's entry of a storage domain, once allowed has seen it. c lacks only what all such requests have.
func (s *Site) dropDomain(ctx context.Context, c change, allowed func(context.Context, StorageDomain) error) (changed bool, err error) {
	ctx, cancel := s.o.Clock.WithTimeout(patiently(ctx), operationTimeout)
	defer cancel()
	sdID := c.subject.ID
	c.method, c.path, c.accept = http.MethodDelete, "/storagedomains/"+segment(sdID), acceptAction
	if sabotage.On(sabotage.RemoveFormats) && c.op == OpRemoveDomain {
		sabotage.Spoil(c.query)
	}
	e := &ensurance{change: c}
	var readAt time.Time
	e.look = func(ctx context.Context, sent bool) (bool, error) {
		sd, err := s.StorageDomain(ctx, sdID)
		if HasCode(err, CodeNotFound) {
			return true, nil
		}
		if err != nil || sent {
			return false, err
		}
		e.change.subject.Name = sd.Name
		err = allowed(ctx, sd)
		readAt = s.o.Clock.Now()
		return false, err
	}
	e.change.gate = func(ctx context.Context) error {
		if s.o.Clock.Now().Sub(readAt) <= s.o.Tick {
			return nil
		}
		sd, err := s.StorageDomain(ctx, sdID) // it had to wait for its turn: what was read is old
		if err == nil {
			err = allowed(ctx, sd)
		}
		return err
	}
	e.reached = func(ctx context.Context) (bool, error) {
		known, err := s.knows(ctx, sdID)
		return err == nil && !known, err
	}
	e.undone = func() *Error {
		return s.fail(c.op, e.change.subject, CodeEngineError, errors.New("the engine said that it was removed, and still has it"))
	}
	return s.ensure(ctx, e)
}

// MasterDomain reads which storage domain of a data center is its master now. The role moves by itself, at any deactivation and at
// failures, so it is asked for at the moment of use. not-found: the data center has no storage domain yet.
func (s *Site) MasterDomain(ctx context.Context, dcID string) (StorageDomain, error) {
	domains, err := s.AttachedStorageDomains(ctx, dcID)
	if err != nil {
		return StorageDomain{}, err
	}
	subject := Subject{Kind: KindDataCenter, ID: dcID}
	var master StorageDomain
	for _, sd := range domains {
		switch {
		case !sd.Master:
		case master.ID != "":
			return StorageDomain{}, s.fail(opRead, subject, CodeBadReply, fmt.Errorf("two storage domains are its master, %q and %q", master.Name, sd.Name))
		default:
			master = sd
		}
	}
	if master.ID == "" {
		return StorageDomain{}, s.fail(opRead, subject, CodeNotFound, errors.New("it has no master storage domain"))
	}
	return master, nil
}

// IsAttached asks a host to read the metadata of an unattached storage domain. true means that the host could read it and that it
// names a data center, of this or of another engine; false means that it names none, or that the host could not reach or read the
// storage, so it proves nothing. For the look the host mounts the storage and unmounts it again, which is why an attached domain,
// from which that would take its storage away, is refused (ovirt-engine GetStorageDomainsWithAttachedStoragePoolGuidQuery.java).
// The request passes the write hook, although it changes nothing in the engine. sd is the domain as it was just read, so that many hosts
// can be asked after one read; before a repeat it is read again.
func (s *Site) IsAttached(ctx context.Context, sd StorageDomain, hostID string) (bool, error) {
	subject := Subject{Kind: KindStorageDomain, ID: sd.ID, Name: sd.Name}
	ctx = patiently(ctx)
	var answer action
	accept := func(d *document) error {
		a, err := decodeAction(d)
		if err != nil {
			return err
		}
		if answer = a; a.Attached == nil && !a.Faulty && a.Status != "failed" {
			return errors.New("the answer does not say whether it is attached")
		}
		return a.refusal()
	}
	retry := ""
	for repeats := 0; ; repeats++ {
		if repeats > 0 {
			var err error
			if sd, err = s.StorageDomain(ctx, sd.ID); err != nil {
				return false, s.during(OpIsAttached, subject, err)
			}
		}
		if sd.DataCenterID != "" || sd.Status != "unattached" {
			no := s.fail(OpIsAttached, subject, CodeRefused, errors.New("it is asked of unattached domains only: the host would lose the storage"))
			no.State = attachment(sd)
			return false, no
		}
		failure := s.perform(ctx, change{op: OpIsAttached, subject: subject, method: http.MethodPost, path: "/storagedomains/" + segment(subject.ID) + "/isattached",
			body: hostActionXML{Host: refXML{ID: hostID}}, accept: accept, retry: retry})
		switch {
		case failure == nil:
			return *answer.Attached, nil
		case ctx.Err() != nil || repeats >= maxRepeats:
			return false, failure
		case failure.Code == CodeLocked:
			retry = locked(failure)
		case failure.unknown:
			retry = "no answer was understood: " + failure.cause() + "; the question may be repeated"
		default:
			return false, failure
		}
		if s.pause(ctx, backoff(repeats+1)) != nil {
			return false, failure
		}
	}
}
