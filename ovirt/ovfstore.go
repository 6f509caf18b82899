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

// Codes of events about the end of an OVF update (ovirt-engine AuditLogType.java).
const (
	eventStoreUpdated = 199  // USER_UPDATE_OVF_STORE
	eventStoreIgnored = 1052 // OVF_STORES_UPDATE_IGNORED: nothing on the domain has changed
)

// UpdateOVFStore makes the engine write the OVF store of an active storage domain, and waits for the event that tells how it ended:
// the answer comes before the work, and also when its first step failed. Written is the only proof that the store holds what the
// engine has now; with NothingToDo nothing was written, because no VM or template on the domain was edited since (TouchVM).
// An update that is under way already is waited for, and then another is asked for. No event within 10 minutes is a timeout.
func (s *Site) UpdateOVFStore(ctx context.Context, sdID string) (result UpdateResult, err error) {
	end := s.o.Clock.Now().Add(actionTimeout)
	bounded, cancel := s.o.Clock.WithTimeout(patiently(ctx), actionTimeout)
	defer cancel()
	result, err = s.updateStore(bounded, sdID)
	return result, s.late(ctx, bounded, end, OpUpdateOVFStore, "known to be written", StorageDomain{ID: sdID}, actionTimeout, err)
}

func (s *Site) updateStore(ctx context.Context, sdID string) (result UpdateResult, err error) {
	subject := Subject{Kind: KindStorageDomain, ID: sdID}
	retry, correlation := "", ""
	for repeats := 0; ; {
		// Afresh for each request: what an earlier update wrote is not what this one is asked for.
		mark, err := s.lastEvent(ctx)
		if err != nil {
			return result, s.during(OpUpdateOVFStore, subject, err)
		}
		watch := eventWatch{after: mark, domain: sdID}
		failure := s.perform(ctx, change{op: OpUpdateOVFStore, subject: subject, method: http.MethodPost, path: "/storagedomains/" + segment(sdID) + "/updateovfstore",
			body: actionXML{}, accept: acceptAction, retry: retry, sent: &correlation})
		switch {
		case failure == nil:
			return s.storeUpdated(ctx, subject, watch, correlation)
		case failure.unknown && ctx.Err() == nil:
			reached, err := s.settle(ctx, func(ctx context.Context) (bool, error) {
				events, err := s.Events(ctx, EventQuery{From: mark})
				return slices.ContainsFunc(events, watch.ends), err
			})
			if err != nil {
				return result, s.during(OpUpdateOVFStore, subject, err)
			}
			if reached {
				return s.storeUpdated(ctx, subject, watch, correlation)
			}
			if repeats++; repeats >= maxRepeats {
				return result, failure
			}
			retry = unsettled(failure) // twice is no harm: the second writes what the first left
		case failure.Code == CodeLocked:
			repeats++
			if s.pause(ctx, backoff(repeats)) != nil {
				return result, failure
			}
			retry = locked(failure)
		default:
			return result, failure
		}
	}
}

// eventWatch waits for events of a storage domain after a mark.
type eventWatch struct {
	after  int
	domain string
}

// ends reports whether an event tells the end of an OVF update of the domain.
func (w eventWatch) ends(event Event) bool {
	return event.ID > w.after && event.StorageDomainID == w.domain &&
		slices.Contains([]int{eventStoreUpdated, eventStoreIgnored, eventOVFUpdateFailed, eventStoresFailed}, event.Code)
}

// fetchEvents reads the events for all that wait for some, newest first.
func (s *Site) fetchEvents(ctx context.Context, watches []eventWatch) (map[eventWatch]looked[[]Event], error) {
	from := slices.MinFunc(watches, func(a, b eventWatch) int { return a.after - b.after }).after
	events, err := read(ctx, s, call{op: opWait, subject: Subject{Kind: "events"}, path: "/events", query: eventQuery(EventQuery{From: from}),
		class: classPoll, once: true}, decodeEvents)
	if err != nil {
		return nil, err
	}
	out := make(map[eventWatch]looked[[]Event], len(watches))
	for _, w := range watches {
		var mine []Event
		for _, event := range events {
			if w.ends(event) {
				mine = append(mine, event)
			}
		}
		out[w] = looked[[]Event]{value: mine}
	}
	return out, nil
}

// storeUpdated waits for the end of an OVF update that the engine has accepted. An event with the correlation id of the request
// decides at once. One with another id may belong to an update that was under way before, or to ours where the engine gave its inner
// command an id of its own (ovirt-engine Backend.java, evaluateCorrelationId): it counts only when no better one came for a while.
func (s *Site) storeUpdated(ctx context.Context, subject Subject, watch eventWatch, correlation string) (result UpdateResult, err error) {
	var verdict Event
	var since time.Time
	_, trouble, err := s.stores.wait(ctx, watch, func(events []Event) (bool, error) {
		found := false
		for _, event := range events {
			if event.CorrelationID == correlation && correlation != "" {
				verdict = event
				return true, nil
			}
			if !found { // the newest of the others
				found, verdict = true, event
			}
		}
		if !found {
			return false, nil
		}
		if since.IsZero() {
			since = s.o.Clock.Now()
		}
		return s.o.Clock.Now().Sub(since) >= settleWindow, nil
	})
	if err != nil {
		return result, s.during(OpUpdateOVFStore, subject, s.waitError(ctx, ctx, subject, "", actionTimeout, trouble, err))
	}
	switch verdict.Code {
	case eventStoreUpdated:
		return UpdateResult{Written: true}, nil
	case eventStoreIgnored:
		if sabotage.On(sabotage.IgnoredIsWritten) {
			return UpdateResult{Written: true}, nil
		}
		return UpdateResult{NothingToDo: true}, nil
	}
	e := s.fail(OpUpdateOVFStore, subject, CodeEngineError, fmt.Errorf("the engine could not write it: %s", verdict.Description))
	if verdict.Description == "" {
		e.Err = errors.New("the engine could not write it")
	}
	e.Retryable = true
	return result, e
}

// UpdateReached reports whether the engine has an event of the end of an OVF update that was requested with that correlation id. It
// settles one that was cut off; no event is no proof that nothing happened while an update may still be under way.
func (s *Site) UpdateReached(ctx context.Context, correlation string) (bool, error) {
	return s.hasEvent(ctx, correlation, eventStoreUpdated, eventStoreIgnored, eventOVFUpdateFailed, eventStoresFailed)
}
