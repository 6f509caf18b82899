package ovirt

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// poller lets all that wait for objects of one collection share one request a tick.
//
// One of the waiters leads: it waits for the tick, asks for the objects of all, hands out the answers, and when its own wait
// ends makes the next one the leader. So there is no goroutine of its own, nothing is asked when nobody waits, and under a
// virtual clock the order is the order of arrival. A waiter is served only by requests that left after it had come: an answer
// that was under way may show the object as it was before the change that it waits for.
type poller[K comparable, T any] struct {
	clock Clock
	tick  time.Duration // 0: ask at once, and hand errors to all (a shared read, not a wait)
	fetch fetcher[K, T]

	mu      sync.Mutex
	waiters []*waiter[K, T] // in order of arrival
	leader  *waiter[K, T]
	next    time.Time // no request before
}

// fetcher reads the objects with those keys, mostly ids. An object that does not exist has an error of its own.
type fetcher[K comparable, T any] func(ctx context.Context, keys []K) (map[K]looked[T], error)

type looked[T any] struct {
	value T
	err   error
}

type waiter[K comparable, T any] struct {
	key    K
	wake   chan struct{} // closed when there is news, or the lead
	closed bool
	news   *looked[T]
}

func newPoller[K comparable, T any](clock Clock, tick time.Duration, fetch fetcher[K, T]) *poller[K, T] {
	return &poller[K, T]{clock: clock, tick: tick, fetch: fetch}
}

// wait calls until with every new look at the object, on the caller's goroutine, until it says done or fails, ctx ends, or the
// object or the site is lost. It returns the last look, the last passing trouble, and the error.
func (p *poller[K, T]) wait(ctx context.Context, key K, until func(T) (bool, error)) (last T, trouble, err error) {
	w := &waiter[K, T]{key: key, wake: make(chan struct{})}
	p.mu.Lock()
	p.waiters = append(p.waiters, w)
	if p.leader == nil {
		p.leader = w
	}
	p.mu.Unlock()
	defer p.leave(w)
	for {
		p.mu.Lock()
		news, leads, wake := w.news, p.leader == w, w.wake
		if news == nil && !leads && w.closed { // woken, and served already
			w.wake, w.closed = make(chan struct{}), false
			wake = w.wake
		}
		w.news = nil
		pause := p.next.Sub(p.clock.Now())
		p.mu.Unlock()
		switch {
		case news != nil && news.err != nil:
			if p.tick == 0 || !passing(news.err) {
				return last, trouble, news.err
			}
			trouble = news.err
		case news != nil:
			last, trouble = news.value, nil
			if done, err := until(last); done || err != nil {
				return last, nil, err
			}
		case leads:
			if p.tick > 0 && pause > 0 {
				if _, err := p.clock.Wait(ctx, pause, nil); err != nil {
					return last, trouble, err
				}
			}
			if err := p.look(ctx); err != nil {
				return last, trouble, err
			}
		default:
			if _, err := p.clock.Wait(ctx, -1, wake); err != nil {
				return last, trouble, err
			}
		}
	}
}

// passing reports whether a failed look says nothing about the next one.
func passing(err error) bool {
	switch e, ok := asError(err); {
	case !ok:
		return false
	case e.Code == CodeGone, e.Code == CodeCredentials, e.Code == CodeTLS, e.Code == CodeForbidden, e.Code == CodeNotAnEngine && !e.Retryable,
		e.Code == CodeAlreadyExists, e.Code == CodeRefused, e.Code == CodeWrongObject, e.Code == CodeBadRequest && e.Status == 0:
		return false
	}
	return true
}

// look asks once for all present waiters. It fails only when the leader's own context has ended.
func (p *poller[K, T]) look(ctx context.Context) error {
	p.mu.Lock()
	served := append([]*waiter[K, T](nil), p.waiters...)
	p.next = p.clock.Now().Add(p.tick)
	p.mu.Unlock()
	var keys []K
	seen := map[K]bool{}
	for _, w := range served {
		if !seen[w.key] {
			seen[w.key] = true
			keys = append(keys, w.key)
		}
	}
	found, err := p.fetch(ctx, keys)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	// An engine that needs longer than a tick to answer gets some rest.
	if rest := p.clock.Now().Add(p.tick / 3); rest.After(p.next) {
		p.next = rest
	}
	for _, w := range served {
		news := looked[T]{err: err}
		if err == nil {
			news = found[w.key]
		}
		w.news = &news
		w.signal()
	}
	return nil
}

// signal wakes the waiter. The poller's mu is held.
func (w *waiter[K, T]) signal() {
	if !w.closed {
		w.closed = true
		close(w.wake)
	}
}

// leave takes a waiter out and hands the lead on.
func (p *poller[K, T]) leave(w *waiter[K, T]) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, other := range p.waiters {
		if other == w {
			p.waiters = append(p.waiters[:i:i], p.waiters[i+1:]...)
			break
		}
	}
	if p.leader == w {
		p.leader = nil
		if len(p.waiters) > 0 {
			p.leader = p.waiters[0]
			p.leader.signal()
		}
	}
}

// narrowMax is how many VMs a search names: their ids fill a request line of 4 KB, half of what web servers take. Above it the
// whole list is cheaper than several requests.
const narrowMax = 80

// fetchVMs is the look of waits, lookVMs the one of shared reads.
func (s *Site) fetchVMs(ctx context.Context, ids []string) (map[string]looked[VM], error) {
	return s.readVMs(ctx, ids, call{class: classPoll, once: true})
}

func (s *Site) lookVMs(ctx context.Context, ids []string) (map[string]looked[VM], error) {
	return s.readVMs(ctx, ids, call{class: classRead})
}

// embedding is the look at VMs with what their links lead to.
func (s *Site) embedding(links string) fetcher[string, VM] {
	return func(ctx context.Context, ids []string) (map[string]looked[VM], error) {
		out := make(map[string]looked[VM], len(ids))
		// Embedding NICs and disks costs the engine a call per VM, so the whole list is never read for it.
		for part := range slices.Chunk(ids, narrowMax) {
			found, err := s.readVMs(ctx, part, call{class: classPoll, once: true, query: url.Values{"follow": {links}}})
			if err != nil {
				return nil, err
			}
			maps.Copy(out, found)
		}
		return out, nil
	}
}

// readVMs reads VMs by id in one request. Ids are searched, not names: an id cannot hold a character that the search grammar has
// no way to write. A VM that the answer lacks is asked for by its id, for an empty answer is also what a search that the engine
// cannot parse brings (ovirt-engine SearchQuery.java).
func (s *Site) readVMs(ctx context.Context, ids []string, how call) (map[string]looked[VM], error) {
	out := make(map[string]looked[VM], len(ids))
	decodeList, decodeOne := scanVMs, scanVM
	if how.query.Has("follow") {
		decodeList, decodeOne = decodeVMs, decodeVM
	}
	narrowed := len(ids) > 1 && len(ids) <= narrowMax && s.narrows() && searchable(ids)
	if len(ids) > 1 && (narrowed || how.query == nil) {
		c := how
		c.op, c.subject, c.path = opWait, Subject{Kind: "vms"}, "/vms"
		if narrowed {
			c.query = maps.Clone(how.query)
			if c.query == nil {
				c.query = url.Values{}
			}
			c.query.Set("search", "id="+strings.Join(ids, " or id="))
		}
		vms, err := read(ctx, s, c, decodeList)
		if err != nil {
			return nil, err
		}
		wanted := make(map[string]bool, len(ids))
		for _, id := range ids {
			wanted[id] = true
		}
		for _, vm := range vms {
			if wanted[vm.ID] {
				out[vm.ID] = looked[VM]{value: vm}
			}
		}
	}
	nothing := narrowed && len(out) == 0
	for _, id := range ids {
		if _, ok := out[id]; ok {
			continue
		}
		c := how
		c.op, c.subject, c.path = opWait, Subject{Kind: KindVM, ID: id}, "/vms/"+segment(id)
		vm, err := read(ctx, s, c, decodeOne)
		switch {
		case err == nil:
			out[id] = looked[VM]{value: vm}
			if nothing {
				s.noNarrowing() // the search found none of them, and they exist
			}
		case HasCode(err, CodeNotFound):
			gone := s.fail(opWait, Subject{Kind: KindVM, ID: id}, CodeGone, errors.New("the engine does not have this VM"))
			out[id] = looked[VM]{err: gone}
		case len(ids) == 1:
			return nil, err
		default:
			out[id] = looked[VM]{err: err}
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
	}
	return out, nil
}

// searchable reports whether all ids have only characters of a UUID.
func searchable(ids []string) bool {
	for _, id := range ids {
		if id == "" || strings.Trim(id, "0123456789abcdefABCDEF-") != "" {
			return false
		}
	}
	return true
}

func (s *Site) narrows() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.wide
}

func (s *Site) noNarrowing() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wide = true
}

// WaitVM waits until the function says that the VM is as wanted, or fails. All waits for VMs of this site share one request a
// tick. The function is called with each look at the VM, on the caller's goroutine; its error is returned as it is. Errors:
// timeout (State holds the last status), gone, cancelled, and what the engine refuses for good.
func (s *Site) WaitVM(ctx context.Context, vmID string, timeout time.Duration, until func(VM) (done bool, err error)) (VM, error) {
	bounded, cancel := s.o.Clock.WithTimeout(ctx, timeout)
	defer cancel()
	vm, trouble, err := s.vms.wait(bounded, vmID, until)
	return vm, s.waitError(ctx, bounded, Subject{Kind: KindVM, ID: vmID, Name: vm.Name}, vm.Status, timeout, trouble, err)
}

// WaitNICs is WaitVM for the NICs of a VM and the addresses that its guest agent reports for them. It costs the engine more than WaitVM:
// wait with that one until the agent reports.
func (s *Site) WaitNICs(ctx context.Context, vmID string, timeout time.Duration, until func([]NIC) (done bool, err error)) error {
	bounded, cancel := s.o.Clock.WithTimeout(ctx, timeout)
	defer cancel()
	vm, trouble, err := s.networks.wait(bounded, vmID, func(vm VM) (bool, error) { return until(vm.NICs) })
	return s.waitError(ctx, bounded, Subject{Kind: KindVM, ID: vmID, Name: vm.Name}, vm.Status, timeout, trouble, err)
}

// lookVM reads the state of one VM; reads that come while one is under way share the next.
func (s *Site) lookVM(ctx context.Context, vmID string) (VM, error) {
	limit := s.patience(ctx) + s.o.CallTimeout
	bounded, cancel := s.o.Clock.WithTimeout(ctx, limit)
	defer cancel()
	vm, _, err := s.looks.wait(bounded, vmID, func(VM) (bool, error) { return true, nil })
	return vm, s.waitError(ctx, bounded, Subject{Kind: KindVM, ID: vmID, Name: vm.Name}, "", limit, nil, err)
}

// WaitStorageDomain waits until the function says that the storage domain is as wanted in its data center, or fails. All waits
// for domains of one data center share one request a tick.
func (s *Site) WaitStorageDomain(ctx context.Context, dcID, sdID string, timeout time.Duration, until func(StorageDomain) (done bool, err error)) (StorageDomain, error) {
	s.mu.Lock()
	p := s.domains[dcID]
	if p == nil {
		p = newPoller(s.o.Clock, s.o.Tick, func(ctx context.Context, ids []string) (map[string]looked[StorageDomain], error) {
			return s.fetchDomains(ctx, dcID, ids)
		})
		s.domains[dcID] = p
	}
	s.mu.Unlock()
	bounded, cancel := s.o.Clock.WithTimeout(ctx, timeout)
	defer cancel()
	sd, trouble, err := p.wait(bounded, sdID, until)
	return sd, s.waitError(ctx, bounded, Subject{Kind: KindStorageDomain, ID: sdID, Name: sd.Name}, sd.Status, timeout, trouble, err)
}

func (s *Site) fetchDomains(ctx context.Context, dcID string, ids []string) (map[string]looked[StorageDomain], error) {
	c := call{op: opWait, subject: Subject{Kind: "storage_domains"}, path: "/datacenters/" + segment(dcID) + "/storagedomains", class: classPoll, once: true}
	domains, err := read(ctx, s, c, decodeDomains)
	if err != nil {
		return nil, err
	}
	out := make(map[string]looked[StorageDomain], len(ids))
	for _, sd := range domains {
		out[sd.ID] = looked[StorageDomain]{value: sd}
	}
	for _, id := range ids {
		if _, ok := out[id]; !ok {
			gone := s.fail(opWait, Subject{Kind: KindStorageDomain, ID: id}, CodeGone, errors.New("it is not attached to the data center any more"))
			out[id] = looked[StorageDomain]{err: gone}
		}
	}
	return out, nil
}

// waitError turns the end of a wait into an error of this package; what the caller's function returned stays as it is.
func (s *Site) waitError(ctx, bounded context.Context, subject Subject, state string, timeout time.Duration, trouble, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		e := s.fail(opWait, subject, "", nil).transport(ctx, bounded, err, "")
		e.State = state
		return e
	case bounded.Err() != nil:
		e := s.fail(opWait, subject, CodeTimeout, fmt.Errorf("not done after %s", timeout))
		e.State, e.Retryable = state, true
		if trouble != nil {
			e.Err = fmt.Errorf("not done after %s; the last look failed: %w", timeout, trouble)
		}
		return e
	}
	return err
}
