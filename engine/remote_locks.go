package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/internal/sabotage"
)

// A file lock keeps the processes of one state folder apart. The locks in this file keep machines apart: one for each storage domain in
// the engine of each site that answers. They are made of whatever an engine has that is unique by name and can carry an id of the
// maker's choice: the id, a token, says whose the lock is. No engine knows a lease, so a lock stays until it is taken away: by its run
// when that ends, by a resume of the run, or by a person who says that the holder is gone for good.
//
// Two runs that reach one engine in common are kept apart: both try every storage domain of that engine in the same order, and of two
// that try one, the engine lets one have it. Two that share no reachable engine are not; what then keeps a VM from running twice is
// evidence, not a lock.

// LockToken is one lock of a storage domain in the engine of a site, and the id that tells whose it is.
type LockToken struct {
	Site   string `json:"site"`
	Domain string `json:"domain"`
	Token  string `json:"token"`
}

// RemoteLock is where the locks of one site are kept. Its methods are called by one goroutine at a time.
type RemoteLock interface {
	// Site names the site.
	Site() string
	// Answers tells, without asking the site, whether it is worth asking: a dead one has no locks that anybody could take.
	Answers() bool
	// Must tells that without this site's locks the run must not go on. Another site that fails is passed over with a warning.
	Must() bool
	// Held returns the token of each storage domain that is locked there, by domain id. One read.
	Held(ctx context.Context) (map[string]string, error)
	// Announce says in the engine whose the tokens are, for those who meet them. Best effort.
	Announce(ctx context.Context, locks []LockToken)
	// Take makes locks, in the order given and up to the first that somebody else has, and returns what Held says after that. An error
	// that matches ErrLockForbidden says that this user may not make any.
	Take(ctx context.Context, locks []LockToken) (map[string]string, error)
	// Release takes locks away by their tokens and returns those that are still there.
	Release(ctx context.Context, locks []LockToken) (left []LockToken, err error)
	// Foreign judges a lock of somebody else: nil lets it be replaced; else the error, usually a *LockedError, says whose it is.
	Foreign(ctx context.Context, lock LockToken) error
	// Holder says in words whose a lock is.
	Holder(ctx context.Context, lock LockToken) string
}

// ErrLockForbidden is matched by the error of RemoteLock.Take where the user lacks the permission.
var ErrLockForbidden = errors.New("the user may not make locks in this engine")

// LockLostError says that a lock that the run had is somebody else's now, or nobody's.
type LockLostError struct {
	Domain, Site string
	Holder       string // empty when nobody has it
}

// Error says what became of the lock.
func (e *LockLostError) Error() string {
	if e.Holder == "" {
		return fmt.Sprintf("the run's lock of storage domain %s in the engine of %s was removed by somebody", e.Domain, e.Site)
	}
	return fmt.Sprintf("the lock of storage domain %s in the engine of %s is not this run's any more: it belongs to %s", e.Domain, e.Site, e.Holder)
}

// Code is the stable code of the error.
func (e *LockLostError) Code() string { return "lock-lost" }

// lockNote is the kind of the note with the tokens of an attempt. It is synced before the first lock is made, so that a resumed run
// knows its own.
const lockNote = "locks"

// LockTokens returns the tokens of all attempts of the run: of locks that it may have, or had.
func (r *Run) LockTokens() []LockToken {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tokens)
}

// LockTokens returns the tokens of all attempts of the run.
func (i RunInfo) LockTokens() []LockToken {
	var tokens []LockToken
	for k := range i.Records {
		tokens = append(tokens, i.Records[k].Locks...)
	}
	return tokens
}

// OpenBeside returns the intents beside the plan at a site whose outcome is open, for whoever has just read what settles them.
func (r *Run) OpenBeside(site string) []Intent {
	r.mu.Lock()
	defer r.mu.Unlock()
	var open []Intent
	for _, in := range r.intents {
		cut := in.outcome == nil && in.attempt < r.attempt || in.outcome != nil && in.outcome.Unknown
		if in.Beside && in.Site == site && cut && !in.settled {
			open = append(open, in.Intent)
		}
	}
	slices.SortFunc(open, inOrder)
	return open
}

// lookAge is how old a look at the locks may be, in model time, for another one to be spared.
const lookAge = 3 * time.Second

// RemoteLocks are the locks of one attempt of a run in the engines of its sites.
type RemoteLocks struct {
	run     *Run
	domains []Subject // sorted by id: every run takes them in this order
	sites   []RemoteLock
	warn    func(string)
	states  map[string]*siteLocks
	lost    error
	renewed bool            // the run's locks of earlier attempts are replaced
	fresh   map[string]bool // tokens of this attempt
}

// siteLocks is what is known of one site.
type siteLocks struct {
	asked     bool              // its locks were read by this attempt
	forbidden bool              // the user may not make any
	held      map[string]string // the run's own, token by domain id
	made      []LockToken       // those that this attempt made
	seen      time.Time         // when they were last read
}

// NewRemoteLocks makes the locks of an attempt; none is taken yet. sites must be given by every run in the same order. warn says what
// the operator should know.
func NewRemoteLocks(run *Run, domains []Subject, sites []RemoteLock, warn func(string)) *RemoteLocks {
	l := &RemoteLocks{run: run, domains: slices.Clone(domains), sites: sites, warn: warn, states: map[string]*siteLocks{}, fresh: map[string]bool{}}
	slices.SortFunc(l.domains, func(a, b Subject) int { return strings.Compare(a.ID, b.ID) })
	for _, site := range sites {
		l.states[site.Site()] = &siteLocks{held: map[string]string{}}
	}
	return l
}

// Renew makes Take replace the run's locks of earlier attempts by new ones. Where the run is taken over from another machine, a process
// there that still works on it finds locks that it does not know, and stops.
func (l *RemoteLocks) Renew() { l.renewed = true }

// Own tells whether a token is the run's, of any attempt.
func (l *RemoteLocks) Own(token string) bool {
	return slices.ContainsFunc(l.run.LockTokens(), func(own LockToken) bool { return own.Token == token })
}

// Take takes every lock at every site that answers, or none: those that the run has from an earlier attempt are found and kept. Where
// somebody else has one, the error is that of RemoteLock.Foreign.
func (l *RemoteLocks) Take(ctx context.Context) error {
	free, err := l.run.claim(ctx, lockNote)
	if err != nil {
		return err
	}
	defer free()
	answering := slices.DeleteFunc(slices.Clone(l.sites), func(site RemoteLock) bool { return !site.Answers() })
	fresh, err := l.mint(answering)
	if err != nil {
		return err
	}
	for _, site := range answering {
		err := l.takeAt(ctx, site, fresh)
		var locked *LockedError
		switch {
		case err == nil:
		case errors.As(err, &locked) || site.Must() || ctx.Err() != nil:
			l.undo(ctx)
			return err
		default:
			l.warn(fmt.Sprintf("the storage domains are not locked in the engine of %s: %v", site.Site(), err))
		}
	}
	return nil
}

// mint makes a token for each storage domain and each of the sites, and journals them all before one is used.
func (l *RemoteLocks) mint(sites []RemoteLock) ([]LockToken, error) {
	var fresh []LockToken
	for _, site := range sites {
		for _, domain := range l.domains {
			token := l.run.env.NewID()
			l.fresh[token] = true
			fresh = append(fresh, LockToken{Site: site.Site(), Domain: domain.ID, Token: token})
		}
	}
	if len(fresh) == 0 {
		return nil, nil
	}
	if err := l.run.commit(Record{Kind: kindConfirm, Note: lockNote, Locks: fresh}); err != nil {
		return nil, fmt.Errorf("record the locks: %w", err)
	}
	return fresh, nil
}

// takeAt brings the locks of one site to this run.
func (l *RemoteLocks) takeAt(ctx context.Context, site RemoteLock, fresh []LockToken) error {
	state := l.states[site.Site()]
	now, err := site.Held(ctx)
	if err != nil {
		return err
	}
	l.see(state, now)
	var replaced, missing, announced []LockToken
	for _, domain := range l.domains {
		lock := LockToken{Site: site.Site(), Domain: domain.ID, Token: now[domain.ID]}
		own := lock.Token != "" && state.held[domain.ID] != ""
		old := own && l.renewed && !sabotage.On(sabotage.LocksNotRenewed) && !l.fresh[lock.Token]
		if own && !old {
			announced = append(announced, lock)
			continue
		}
		if lock.Token != "" && !old {
			if err := site.Foreign(ctx, lock); err != nil {
				return err
			}
		}
		if lock.Token != "" {
			replaced = append(replaced, lock)
		}
		i := slices.IndexFunc(fresh, func(own LockToken) bool { return own.Site == site.Site() && own.Domain == domain.ID })
		missing = append(missing, fresh[i])
	}
	site.Announce(ctx, append(announced, missing...))
	if len(replaced) > 0 {
		if _, err := site.Release(ctx, replaced); err != nil {
			return fmt.Errorf("remove the lock of another run: %w", err)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	now, err = site.Take(ctx, missing)
	if now == nil {
		// What was made is not known, and not kept: the tokens are in the journal for whoever sees them.
		state.made = append(state.made, missing...)
		return err
	}
	l.see(state, now)
	for _, lock := range missing {
		if now[lock.Domain] == lock.Token {
			state.made = append(state.made, lock)
		}
	}
	return l.settled(ctx, site, state, now, err)
}

// settled judges a site after its locks were made: all are the run's, or may not be made at all and are nobody else's.
func (l *RemoteLocks) settled(ctx context.Context, site RemoteLock, state *siteLocks, now map[string]string, takeErr error) error {
	for _, domain := range l.domains {
		lock := LockToken{Site: site.Site(), Domain: domain.ID, Token: now[domain.ID]}
		if lock.Token != "" && state.held[domain.ID] == "" {
			return &LockedError{Domain: label(domain), Holder: site.Holder(ctx, lock), Site: lock.Site}
		}
	}
	if errors.Is(takeErr, ErrLockForbidden) {
		if !state.forbidden {
			l.warn(fmt.Sprintf("the storage domains are not locked in the engine of %s: %v. A run on another machine is kept away only by the other site's engine, if that has the locks", site.Site(), takeErr))
		}
		state.forbidden = true
		return nil
	}
	if takeErr == nil && len(state.held) < len(l.domains) {
		takeErr = fmt.Errorf("lock the storage domains in the engine of %s: it accepted the locks and does not have them all", site.Site())
	}
	return takeErr
}

// see takes over what a site says of its locks.
func (l *RemoteLocks) see(state *siteLocks, now map[string]string) {
	state.asked, state.seen, state.held = true, l.run.env.Clock.Now(), map[string]string{}
	for _, domain := range l.domains {
		if token := now[domain.ID]; token != "" && l.Own(token) {
			state.held[domain.ID] = token
		}
	}
}

func label(domain Subject) string {
	if domain.Name != "" {
		return domain.Name
	}
	return domain.ID
}

// undo takes away what this attempt made, after it could not have everything. The last lock goes first.
func (l *RemoteLocks) undo(ctx context.Context) {
	ctx, cancel := l.run.env.Clock.WithTimeout(context.WithoutCancel(ctx), undoLimit)
	defer cancel()
	for _, site := range slices.Backward(l.sites) {
		state := l.states[site.Site()]
		if len(state.made) == 0 {
			continue
		}
		slices.Reverse(state.made)
		if left, err := site.Release(ctx, state.made); err != nil {
			l.warn(leftText(site.Site(), left, err))
		}
		for _, lock := range state.made {
			delete(state.held, lock.Domain)
		}
		state.made = nil
	}
}

// undoLimit bounds, in model time, how long an attempt that ends may try to give its locks back at each site: an engine that restarts is
// waited for, since a lock that is left keeps others away.
const undoLimit = 5 * time.Minute

// Verify reads the locks of every site that answers, unless that was done a moment ago, and returns a *LockLostError when one is not
// the run's any more: then the run stops. At a site that answers again, the locks are taken. A site that is not a must and cannot be
// read is passed over.
func (l *RemoteLocks) Verify(ctx context.Context) error {
	free, err := l.run.claim(ctx, lockNote)
	if err != nil {
		return err
	}
	defer free()
	if l.lost != nil {
		return l.lost
	}
	if sabotage.On(sabotage.LabelsNotReread) {
		return nil
	}
	for _, site := range l.sites {
		state := l.states[site.Site()]
		if !site.Answers() || state.asked && l.run.env.Clock.Now().Sub(state.seen) <= lookAge {
			continue
		}
		err := l.verifyAt(ctx, site, state)
		var locked *LockedError
		var lost *LockLostError
		if errors.As(err, &locked) {
			lost = &LockLostError{Domain: locked.Domain, Site: locked.Site, Holder: locked.Holder}
		}
		switch {
		case lost != nil || errors.As(err, &lost):
			l.lost = lost
			l.run.Stop(lost.Error())
			return lost
		case err != nil && (site.Must() || ctx.Err() != nil):
			return err
		case err != nil:
			l.warn(fmt.Sprintf("the locks in the engine of %s could not be read: %v", site.Site(), err))
		}
	}
	return nil
}

func (l *RemoteLocks) verifyAt(ctx context.Context, site RemoteLock, state *siteLocks) error {
	had := state.held
	if len(had) == 0 && !state.forbidden { // it did not answer before, or could not be asked
		fresh, err := l.mint([]RemoteLock{site})
		if err != nil {
			return err
		}
		return l.takeAt(ctx, site, fresh)
	}
	now, err := site.Held(ctx)
	if err != nil {
		return err
	}
	l.see(state, now)
	for _, domain := range l.domains {
		token := now[domain.ID]
		if token != "" && state.held[domain.ID] == "" {
			return &LockLostError{Domain: label(domain), Site: site.Site(), Holder: site.Holder(ctx, LockToken{Site: site.Site(), Domain: domain.ID, Token: token})}
		}
		if token == "" && had[domain.ID] != "" {
			return &LockLostError{Domain: label(domain), Site: site.Site()}
		}
	}
	return nil
}

// Release gives every lock back that the run has, also those of earlier attempts that this one did not look for, and says of each site
// with a warning what is left there.
func (l *RemoteLocks) Release(ctx context.Context) {
	free, err := l.run.claim(ctx, lockNote)
	if err != nil {
		return
	}
	defer free()
	for _, site := range slices.Backward(l.sites) {
		state := l.states[site.Site()]
		if old := l.noted(site.Site()); !state.asked && len(old) > 0 {
			if err := l.find(ctx, site); err != nil {
				l.warn(leftText(site.Site(), old, err))
			}
		}
		var locks []LockToken
		for _, domain := range slices.Backward(l.domains) {
			if token := state.held[domain.ID]; token != "" {
				locks = append(locks, LockToken{Site: site.Site(), Domain: domain.ID, Token: token})
			}
		}
		if len(locks) == 0 {
			continue
		}
		if !site.Answers() {
			l.warn(leftText(site.Site(), locks, errors.New("it does not answer any more")))
			continue
		}
		bounded, cancel := l.run.env.Clock.WithTimeout(ctx, undoLimit)
		left, err := site.Release(bounded, locks)
		cancel()
		if err != nil && len(left) > 0 {
			l.warn(leftText(site.Site(), left, err))
		}
		state.held = map[string]string{}
	}
}

// find reads which locks the run has at a site from earlier attempts.
func (l *RemoteLocks) find(ctx context.Context, site RemoteLock) error {
	if !site.Answers() {
		return errors.New("it does not answer")
	}
	ctx, cancel := l.run.env.Clock.WithTimeout(ctx, undoLimit)
	defer cancel()
	now, err := site.Held(ctx)
	if err == nil {
		l.see(l.states[site.Site()], now)
	}
	return err
}

// noted returns the tokens that the run ever meant to use at a site.
func (l *RemoteLocks) noted(site string) []LockToken {
	return slices.DeleteFunc(l.run.LockTokens(), func(lock LockToken) bool { return lock.Site != site })
}

func leftText(site string, left []LockToken, err error) string {
	ids := make([]string, len(left))
	for i, lock := range left {
		ids[i] = lock.Token
	}
	return fmt.Sprintf("the run's locks in the engine of %s may be left there (%v): %s. The next action from this state folder takes them away; on another machine add --break-lock to it",
		site, err, strings.Join(ids, ", "))
}
