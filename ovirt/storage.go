package ovirt

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"drrun/internal/sabotage"
)

// ImportDomain makes the engine know the storage domain with the expected id, which must exist at the place already: the request
// has no name, so an engine that finds nothing there fails instead of creating an empty domain, and the id, so any other domain
// at the place is refused (ovirt-engine BackendStorageDomainsResource.java, AddExistingFileStorageDomainCommand.java). For block storage
// that form would make a new domain on the LUNs, so it is always sent as an import: by the id alone, of what the host sees
// (AddExistingBlockStorageDomainCommand.java); what the LUNs are is compared afterwards.
//
// A domain that the engine knows already is left alone when it is the one at this place. A domain of another id that this very
// request added is taken out again (its storage is not touched), and a connection that a failed try left behind is removed; both
// are writes of their own. changed tells whether a request of this call made the difference.
func (s *Site) ImportDomain(ctx context.Context, spec ImportSpec) (sd StorageDomain, changed bool, err error) {
	subject := Subject{Kind: KindStorageDomain, ID: spec.ID, Name: spec.Name}
	if err := spec.check(); err != nil {
		return sd, false, s.fail(OpImportDomain, subject, CodeBadRequest, err)
	}
	request := spec.request()
	ctx = patiently(ctx)
	retry, cleaned := "", false
	for repeats := 0; ; {
		sd, err := s.StorageDomain(ctx, spec.ID)
		if err == nil {
			return sd, changed, s.rightPlace(ctx, spec, sd, changed)
		}
		if !HasCode(err, CodeNotFound) {
			return sd, changed, s.during(OpImportDomain, subject, err)
		}
		if changed && repeats == 0 && retry == "" {
			return sd, true, s.fail(OpImportDomain, subject, CodeBadReply, errors.New("the engine said that it was added, and does not have it"))
		}
		var added StorageDomain
		failure := s.perform(ctx, change{
			op: OpImportDomain, subject: subject, method: http.MethodPost, path: "/storagedomains", body: request,
			accept: acceptInto(decodeDomain, &added), retry: retry,
		})
		switch {
		case failure == nil && added.ID != spec.ID && sabotage.On(sabotage.WrongDomainKept):
			return added, true, nil
		case failure == nil && added.ID != spec.ID:
			other := fmt.Errorf("at %s is storage domain %s (%q), not the expected one", spec.place(), added.ID, added.Name)
			return StorageDomain{}, true, s.takeOut(ctx, spec, added, other)
		case failure == nil:
			changed, retry = true, ""
			repeats = 0
			continue
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) { return s.knows(ctx, spec.ID) })
			if err != nil {
				return sd, changed, s.during(OpImportDomain, subject, err)
			}
			if repeats++; !reached && repeats >= maxRepeats {
				return sd, changed, failure
			}
			changed, retry = changed || reached, unsettled(failure)
		case failure.Code == CodeLocked:
			repeats++
			if repeats > 8 || s.pause(ctx, backoff(repeats)) != nil {
				return sd, changed, failure
			}
			retry = locked(failure)
		case failure.Code == CodeRefused || failure.Code == CodeCancelled || failure.unsent || failure.Status == 0 || failure.Status == http.StatusUnauthorized || failure.Status == http.StatusForbidden:
			return sd, changed, failure
		default:
			if known, err := s.knows(ctx, spec.ID); err == nil && known {
				continue
			}
			removed, leftover := s.cleanUp(ctx, spec, failure)
			if leftover != nil {
				return sd, changed, leftover
			}
			if removed && failure.Status == http.StatusConflict && !cleaned {
				// The connection of an earlier try stood in the way, and nothing used it.
				cleaned, retry = true, "an unused connection to this storage was in the way; it is removed"
				repeats++
				continue
			}
			if failure.Status == http.StatusBadRequest || failure.Status >= 500 || spec.block() {
				failure.Hint = spec.replicaHint(s.Name())
				if noAccess(failure) {
					failure.Code = CodeNotWritable
				}
				failure.Err = fmt.Errorf("the host could not import storage domain %s from %s", spec.ID, spec.place())
			}
			return sd, changed, failure
		}
	}
}

// attachment renders where a domain of the global view stands.
func attachment(sd StorageDomain) string {
	switch {
	case sd.DataCenterID != "":
		return "attached to data center " + sd.DataCenterID
	case sd.Status != "":
		return sd.Status
	}
	return "known"
}

func (s *Site) knows(ctx context.Context, sdID string) (bool, error) {
	_, err := s.StorageDomain(ctx, sdID)
	if HasCode(err, CodeNotFound) {
		return false, nil
	}
	return err == nil, err
}

// during gives an error that came up inside an operation the operation's name.
func (s *Site) during(op string, subject Subject, err error) error {
	if err == nil {
		return nil
	}
	e, ok := asError(err)
	if !ok {
		code := CodeCancelled
		if errors.Is(err, context.DeadlineExceeded) {
			code = CodeTimeout
		}
		return s.fail(op, subject, code, err)
	}
	inside := *e
	if inside.Op == opRead || inside.Op == opWait {
		inside.Op = op
		if inside.Subject.Kind != subject.Kind || subject.Name != "" {
			inside.Subject = subject
		}
	}
	return &inside
}

// takeOut removes a domain that this call imported and, for a reason, does not want. The request has no format, so the storage keeps
// its content.
func (s *Site) takeOut(ctx context.Context, spec ImportSpec, added StorageDomain, why error) error {
	e := s.fail(OpImportDomain, Subject{Kind: KindStorageDomain, ID: spec.ID, Name: spec.Name}, CodeWrongObject, why)
	e.Hint = "correct " + spec.keys() + " of the storage domain in the plan"
	if added.ID == "" {
		e.State = "the engine did not say what it added; look at its storage domains"
		return e
	}
	found, err := s.StorageDomain(ctx, added.ID)
	switch {
	case HasCode(err, CodeNotFound):
		e.State = "it is not in the engine"
		return e
	case err != nil:
		e.State = "it could not be read, and was left alone: " + err.Error()
		return e
	case found.DataCenterID != "" || found.Status != "unattached":
		e.State = "it is " + attachment(found) + ", and was left alone"
		return e
	}
	failure := s.perform(ctx, change{
		op: OpRemoveDomain, subject: Subject{Kind: KindStorageDomain, ID: added.ID, Name: added.Name}, method: http.MethodDelete,
		path: "/storagedomains/" + segment(added.ID), query: url.Values{"host": {spec.HostID}}, accept: acceptAction,
	})
	known, err := s.knows(ctx, added.ID)
	switch {
	case err == nil && !known:
		e.State = "its entry was taken out of the engine again, its content stays"
	case failure != nil:
		e.State = "its entry could not be taken out of the engine again: " + failure.cause()
	default:
		e.State = "its entry is still in the engine"
	}
	return e
}

// cleanUp removes the connection to this place when no storage domain uses it. It reports an error when one does, or when the
// removal failed.
func (s *Site) cleanUp(ctx context.Context, spec ImportSpec, cause *Error) (removed bool, failure *Error) {
	if spec.block() || spec.blurred() { // hosts keep their sessions; and which connection is meant cannot be told
		return false, nil
	}
	connections, err := s.StorageConnections(ctx)
	if err != nil {
		return false, nil // the first failure matters more
	}
	for _, connection := range connections {
		if !spec.at(connection.Address, connection.Path) {
			continue
		}
		domains, err := s.StorageDomains(ctx)
		if err != nil {
			return false, nil
		}
		for _, sd := range domains {
			if spec.at(sd.Address, sd.Path) {
				e := *cause
				e.Code, e.Retryable = CodeConflict, false
				e.State = attachment(sd)
				e.Err = fmt.Errorf("this engine uses %s for storage domain %q (%s) already", spec.place(), sd.Name, sd.ID)
				e.Hint = "correct the url or the id of the storage domain in the plan"
				return false, &e
			}
		}
		left := s.perform(ctx, change{
			op: OpRemoveConnection, subject: Subject{Kind: KindStorageConn, ID: connection.ID, Name: spec.place()}, method: http.MethodDelete,
			path: "/storageconnections/" + segment(connection.ID), query: url.Values{"host": {spec.HostID}}, accept: acceptAction,
		})
		if left != nil && s.stillConnected(ctx, connection.ID) {
			e := *cause
			e.State = fmt.Sprintf("the connection %s to %s is left in the engine: %s", connection.ID, spec.place(), left.cause())
			return false, &e
		}
		return true, nil
	}
	return false, nil
}

// stillConnected settles the removal of a connection by reading; when in doubt it is still there.
func (s *Site) stillConnected(ctx context.Context, id string) bool {
	connections, err := s.StorageConnections(ctx)
	if err != nil {
		return true
	}
	for _, connection := range connections {
		if connection.ID == id {
			return true
		}
	}
	return false
}

// AttachDomain attaches a storage domain that the engine knows to a data center, and waits until it is seen active there. Attached
// and not active, it is activated. A domain of an older storage format than the data center's is refused without consent: the attach
// would upgrade it for good.
//
// It is an error when the engine reports for the attach of this call that it could not read the domain's OVF store (event 1017):
// the domain is active then and its VMs are missing. The caller still compares the unregistered VMs with what it expects.
func (s *Site) AttachDomain(ctx context.Context, sdID, dcID string, o AttachOptions) (sd StorageDomain, changed bool, err error) {
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = actionTimeout
	}
	end := s.o.Clock.Now().Add(timeout)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), timeout)
	defer cancel()
	sd, changed, err = s.attach(bounded, sdID, dcID, timeout, o.UpgradeFormat)
	return sd, changed, s.late(ctx, bounded, end, OpAttachDomain, "active", sd, timeout, err)
}

// late tells an operation that ran out of its own time from one that its caller gave up.
func (s *Site) late(ctx, bounded context.Context, end time.Time, op, goal string, sd StorageDomain, timeout time.Duration, err error) error {
	e, ok := asError(err)
	if !ok || ctx.Err() != nil || !s.over(bounded, end) {
		return err
	}
	if e.Code != CodeTimeout && e.Code != CodeCancelled && e.Code != CodeLocked {
		return err
	}
	out := s.fail(op, e.Subject, CodeTimeout, fmt.Errorf("it is not %s after %s", goal, timeout))
	if e.Code == CodeLocked {
		out.Err = fmt.Errorf("it is not %s after %s; %s", goal, timeout, locked(e))
	}
	out.Retryable, out.State = true, e.State
	if out.State == "" {
		out.State = sd.Status
	}
	return out
}

// over reports whether the time of an operation is up. An inner time-out of the same moment may have come first.
func (s *Site) over(bounded context.Context, end time.Time) bool {
	return bounded.Err() != nil || !s.o.Clock.Now().Before(end)
}

func (s *Site) attach(ctx context.Context, sdID, dcID string, timeout time.Duration, upgrade bool) (sd StorageDomain, changed bool, err error) {
	subject := Subject{Kind: KindStorageDomain, ID: sdID}
	requested, said, retry, mark := false, false, "", 0
	for repeats := 0; ; {
		sd, err = s.AttachedStorageDomain(ctx, dcID, sdID)
		if said && HasCode(err, CodeNotFound) {
			return sd, true, s.fail(OpAttachDomain, subject, CodeBadReply, errors.New("the engine said that it was attached, and the data center does not have it"))
		}
		said = false
		if err == nil {
			subject.Name = sd.Name
			active, activated, err := s.activate(ctx, dcID, sd, timeout)
			if active.Status != "" {
				sd = active
			}
			changed = changed || activated
			if err == nil && requested {
				err = s.ovfStoreRead(ctx, subject, mark)
			}
			if err == nil || !HasCode(err, CodeGone) || repeats >= maxRepeats {
				return sd, changed, s.during(OpAttachDomain, subject, err)
			}
			// It vanished while it was waited for: an attach that was under way failed and was undone.
			repeats++
			retry = "the attach that was under way was undone by the engine"
			continue
		}
		if !HasCode(err, CodeNotFound) {
			return sd, changed, s.during(OpAttachDomain, subject, err)
		}
		if sd, err = s.StorageDomain(ctx, sdID); err != nil {
			e := s.during(OpAttachDomain, subject, err)
			if typed, ok := asError(e); ok && typed.Code == CodeNotFound {
				typed.Err, typed.Hint = errors.New("the engine does not know it"), "import it first"
			}
			return sd, changed, e
		}
		subject.Name = sd.Name
		if sd.DataCenterID != "" && sd.DataCenterID != dcID {
			e := s.fail(OpAttachDomain, subject, CodeConflict, fmt.Errorf("it is attached to another data center of this engine, %s", sd.DataCenterID))
			e.State = attachment(sd)
			return sd, changed, e
		}
		if !upgrade {
			if err := s.refuseUpgrade(ctx, sd, dcID); err != nil {
				return sd, changed, s.during(OpAttachDomain, subject, err)
			}
		}
		if mark, err = s.lastEvent(ctx); err != nil {
			return sd, changed, s.during(OpAttachDomain, subject, err)
		}
		var attached StorageDomain
		failure := s.perform(ctx, change{
			op: OpAttachDomain, subject: subject, method: http.MethodPost, path: "/datacenters/" + segment(dcID) + "/storagedomains",
			body: attachXML{ID: sdID}, accept: acceptInto(decodeDomain, &attached), retry: retry,
		})
		switch {
		case failure == nil && attached.ID != sdID:
			return sd, true, s.fail(OpAttachDomain, subject, CodeWrongObject, fmt.Errorf("the engine answers for storage domain %q", attached.ID))
		case failure == nil:
			changed, requested, said = true, true, true
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) { return s.isAttached(ctx, dcID, sdID) })
			if err != nil {
				return sd, changed, s.during(OpAttachDomain, subject, err)
			}
			if reached {
				changed, requested = true, true
				continue
			}
			if repeats++; repeats >= maxRepeats {
				return sd, changed, failure
			}
			retry = unsettled(failure)
		case failure.Code == CodeLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				failure.State = attachment(sd)
				return sd, changed, failure
			}
			retry = locked(failure)
		default:
			// Refused: only what stands in the data center now decides.
			if failure.Status == http.StatusConflict {
				if ok, err := s.isAttached(ctx, dcID, sdID); err == nil && ok {
					continue
				}
			}
			failure.State = attachment(sd)
			return sd, changed, failure
		}
	}
}

// refuseUpgrade refuses an attach that would write another storage format to a domain.
func (s *Site) refuseUpgrade(ctx context.Context, sd StorageDomain, dcID string) error {
	if sd.Format == "" || sabotage.On(sabotage.FormatUpgraded) {
		return nil
	}
	dc, err := s.recentDataCenter(ctx, dcID)
	if err != nil {
		return err
	}
	if to := dc.AttachFormat(); sd.Format < to { // v1 … v5: they compare as text
		e := s.fail(OpAttachDomain, Subject{Kind: KindStorageDomain, ID: sd.ID, Name: sd.Name}, CodeRefused,
			fmt.Errorf("its storage format is %s, and data center %q would upgrade it to %s, which cannot be undone", sd.Format, dc.Name, to))
		e.State = attachment(sd)
		e.Hint = "attach it to a data center of its format, or consent in the plan: upgrade_format = true"
		return e
	}
	return nil
}

// recentDataCenter is a data center as it was read a short while ago, or is now: its storage format changes only when it is upgraded.
func (s *Site) recentDataCenter(ctx context.Context, id string) (DataCenter, error) {
	s.seenDCs.Lock()
	dc, known := s.seenDCs.byID[id]
	fresh := known && s.o.Clock.Now().Sub(s.seenDCs.at) <= formatAge
	s.seenDCs.Unlock()
	if fresh {
		return dc, nil
	}
	return s.DataCenter(ctx, id)
}

// formatAge is for how long a data center's storage format that was read is believed.
const formatAge = 2 * time.Minute

// AttachFormat is the storage format that a domain has after it was attached: that of the data center, or for one without storage the
// one of its compatibility version (ovirt-engine AddStoragePoolWithStoragesCommand.java, VersionStorageFormatUtil.java).
func (dc DataCenter) AttachFormat() string {
	var major, minor int
	if n, _ := fmt.Sscanf(dc.Version, "%d.%d", &major, &minor); dc.Status != "uninitialized" && dc.StorageFormat != "" || n != 2 {
		return dc.StorageFormat
	}
	switch version := major*100 + minor; {
	case version >= 403:
		return "v5"
	case version >= 401:
		return "v4"
	}
	return "v3"
}

func (s *Site) isAttached(ctx context.Context, dcID, sdID string) (bool, error) {
	_, err := s.AttachedStorageDomain(ctx, dcID, sdID)
	if HasCode(err, CodeNotFound) {
		return false, nil
	}
	return err == nil, err
}

// lastEvent returns the id of the newest event: events of what is done next are above it.
func (s *Site) lastEvent(ctx context.Context) (int, error) {
	events, err := s.Events(ctx, EventQuery{Max: 1})
	if err != nil || len(events) == 0 {
		return 0, err
	}
	return events[0].ID, nil
}

// eventOVFStoreUnreadable is written when the OVF store of a domain could not be read at attach (ovirt-engine
// AttachStorageDomainToPoolCommand.java, AuditLogType.java).
const eventOVFStoreUnreadable = 1017

// ovfStoreRead fails when the engine reported since mark that it could not read the domain's OVF store. An event of that code
// that names no domain counts as well: taking it for another's could lose VMs.
func (s *Site) ovfStoreRead(ctx context.Context, subject Subject, mark int) error {
	events, err := s.Events(ctx, EventQuery{From: mark})
	if err != nil {
		return err
	}
	for _, event := range events {
		if event.Code == eventOVFStoreUnreadable && event.ID > mark && (event.StorageDomainID == subject.ID || event.StorageDomainID == "") {
			e := s.fail(OpAttachDomain, subject, CodeEngineError, fmt.Errorf("the engine could not read its OVF store, so its VMs are missing: %s", event.Description))
			e.State = "active"
			e.Hint = "detach and attach it again when the storage answers well; the configuration of the VMs is on it"
			return e
		}
	}
	return nil
}

// ActivateDomain activates a storage domain in its data center and waits until it is seen active. The time-out is in model time;
// 0 means 10 minutes.
func (s *Site) ActivateDomain(ctx context.Context, dcID, sdID string, timeout time.Duration) (sd StorageDomain, changed bool, err error) {
	if timeout <= 0 {
		timeout = actionTimeout
	}
	end := s.o.Clock.Now().Add(timeout)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), timeout)
	defer cancel()
	sd, err = s.AttachedStorageDomain(bounded, dcID, sdID)
	if err != nil {
		return sd, false, s.during(OpActivateDomain, Subject{Kind: KindStorageDomain, ID: sdID}, err)
	}
	sd, changed, err = s.activate(bounded, dcID, sd, timeout)
	return sd, changed, s.late(ctx, bounded, end, OpActivateDomain, "active", sd, timeout, err)
}

// passingStatus are the states of an attached domain that end by themselves (ovirt-engine-api-model
// StorageDomainStatus.java).
func passingStatus(status string) bool {
	switch status {
	case "locked", "activating", "preparing_for_maintenance", "detaching", "mixed", "":
		return true
	}
	return false
}

// activate brings an attached domain, just read, to active.
func (s *Site) activate(ctx context.Context, dcID string, sd StorageDomain, timeout time.Duration) (StorageDomain, bool, error) {
	subject := Subject{Kind: KindStorageDomain, ID: sd.ID, Name: sd.Name}
	changed, retry, settled := false, "", 0
	var said *Error // the engine's words to the last request
	for repeats := 0; ; {
		if sd.Status == "active" {
			return sd, changed, nil
		}
		if passingStatus(sd.Status) || changed {
			// After a request the domain may show its old status for a moment, or fall back to it: two looks decide.
			seen, err := s.WaitStorageDomain(ctx, dcID, sd.ID, timeout, func(now StorageDomain) (bool, error) {
				sd = now
				if passingStatus(now.Status) {
					settled = 0
					return false, nil
				}
				settled++
				return now.Status == "active" || !changed || settled >= 2, nil
			})
			if seen.Status != "" {
				sd = seen
			}
			if err != nil {
				return sd, changed, s.during(OpActivateDomain, subject, err)
			}
			if sd.Status == "active" {
				return sd, changed, nil
			}
			if changed {
				e := s.fail(OpActivateDomain, subject, CodeEngineError, errors.New("the activation was accepted, and the domain is not active"))
				if said != nil {
					e = said
				}
				e.State = sd.Status
				e.Hint = "can all up hosts of the data center reach the storage?"
				if words := s.eventWords(ctx, EventQuery{Max: 50}, func(event Event) bool { return event.StorageDomainID == sd.ID }); words != "" {
					e.Err = fmt.Errorf("the domain is not active after its activation: %s", words)
				}
				return sd, changed, e
			}
		}
		failure := s.perform(ctx, change{
			op: OpActivateDomain, subject: subject, method: http.MethodPost, path: attachedPath(dcID, sd.ID) + "/activate",
			body: actionXML{}, accept: acceptAction, retry: retry,
		})
		switch {
		case failure == nil:
			changed, settled = true, 0
			continue
		case failure.unknown && ctx.Err() == nil:
			before := sd.Status
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				now, err := s.AttachedStorageDomain(ctx, dcID, sd.ID)
				if err == nil {
					sd = now
				}
				return err == nil && now.Status != before, err
			})
			if err != nil {
				return sd, changed, s.during(OpActivateDomain, subject, err)
			}
			if reached {
				changed, settled, said = true, 0, failure
				continue
			}
			if repeats++; repeats >= maxRepeats {
				failure.State = sd.Status
				return sd, changed, failure
			}
			retry = unsettled(failure)
			continue
		case failure.Code == CodeLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				failure.State = sd.Status
				return sd, changed, failure
			}
			retry = locked(failure)
		case failure.Status == http.StatusConflict && repeats < maxRepeats:
			repeats++
			retry = "the engine refused, and the domain's state has changed since"
		default:
			failure.State = sd.Status
			return sd, changed, failure
		}
		before := sd.Status
		now, err := s.AttachedStorageDomain(ctx, dcID, sd.ID)
		if err != nil {
			return sd, changed, s.during(OpActivateDomain, subject, err)
		}
		sd = now
		if failure.Code != CodeLocked && sd.Status == before {
			failure.State = sd.Status
			return sd, changed, failure
		}
	}
}

// RefreshHost makes a host report its devices and capabilities anew.
func (s *Site) RefreshHost(ctx context.Context, hostID string) error {
	subject := Subject{Kind: KindHost, ID: hostID}
	// A refresh changes nothing that could be read, and does no harm twice.
	failure, _ := s.performRepeatable(patiently(ctx), change{op: OpRefreshHost, subject: subject, method: http.MethodPost, path: "/hosts/" + segment(hostID) + "/refresh",
		body: actionXML{}, accept: acceptAction}, "a refresh")
	if failure == nil {
		return nil
	}
	return failure
}

// eventHostRefreshed is ovirt-engine AuditLogType.java, HOST_REFRESHED_CAPABILITIES.
const eventHostRefreshed = 606

// eventDomainAdded is USER_ADD_STORAGE_DOMAIN (ovirt-engine AuditLogType.java), of an import too.
const eventDomainAdded = 956

// ImportReached reports whether the engine has an event of a storage domain that was imported by a request with that correlation id. Of
// several imports that were cut off it tells which one it was: an import goes on when its client is gone.
func (s *Site) ImportReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, eventDomainAdded)
}

// RefreshReached reports whether the engine has an event of a refresh that was requested with that correlation id.
func (s *Site) RefreshReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, eventHostRefreshed)
}
