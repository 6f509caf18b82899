package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/stdlib"
)

// This file puts invariant I4 into the engines: one run per storage domain, whatever plan, action or machine.
//
// The lock of a storage domain is an affinity label drrun.<storage domain id>. Its name is unique in the engine's database and its id is
// the maker's choice, so the id tells whose it is (engine.RemoteLocks has the rules). Who, where and since when stand in an external
// event that names the ids.
//
// A new run reads the labels once before its check, and is refused there where another run has one: nothing is written for that, in no
// engine and in no state folder. It makes its labels when nothing else can refuse it, since they are a change in an engine and need a
// journal. What the check saw may be old by then, if a whole run of another machine came in between; so the storage domains are read
// once more under the lock, and a run is refused whose check saw them elsewhere. That is one read for each site that answers, where
// locking first would write for every start that the check refuses.

// lockOrigin is the origin of the events about locks.
const lockOrigin = "drrun"

// Bounds, in model time, of what is asked of an engine whose locks the run can do without.
const (
	lockReadLimit   = 30 * time.Second
	lockChangeLimit = 2 * time.Minute // long enough to settle one request that was not answered
)

// siteOrder is the order in which every run asks the sites, whatever its direction.
var siteOrder = []string{plans.Primary, plans.Secondary}

func labelName(domainID string) string { return lockOrigin + "." + strings.ToLower(domainID) }

// engineLocks are the run's locks in the engines of its sites.
type engineLocks struct {
	*engine.RemoteLocks
	attempt *attempt
	domains []engine.Subject
}

// Allows lets only the run's own labels be made, those and the ones that may be replaced be removed, and events about locks be posted.
func (l *engineLocks) Allows(w *ovirt.Write) bool {
	if w.Subject.Kind == ovirt.KindEvent {
		return w.Subject.Name == lockOrigin
	}
	own := slices.ContainsFunc(l.attempt.run.LockTokens(), func(lock engine.LockToken) bool {
		return lock.Token == w.Subject.ID && lock.Site == w.Site && (w.Op == ovirt.OpDeleteLabel || w.Subject.Name == labelName(lock.Domain))
	})
	_, replaced := l.attempt.replaced[w.Subject.ID]
	return own || replaced && w.Op == ovirt.OpDeleteLabel
}

// lockedDomains are the storage domains of the run, which it locks. Ids decide, names are for messages.
func (a *attempt) lockedDomains() []engine.Subject {
	ids := a.domainIDs
	if a.run != nil {
		ids = func() []string { return a.run.Head().Domains }
	}
	var domains []engine.Subject
	for _, id := range ids() {
		domain := engine.Subject{Kind: ovirt.KindStorageDomain, ID: id}
		if a.plan != nil {
			for _, known := range a.plan.StorageDomains {
				if known.ID == id {
					domain.Name = known.Name
				}
			}
		}
		domains = append(domains, domain)
	}
	return domains
}

// newEngineLocks makes the locks of the attempt without taking any. The order of the sites is the same in every direction.
func (a *attempt) newEngineLocks() *engineLocks {
	l := &engineLocks{attempt: a, domains: a.lockedDomains()}
	var sites []engine.RemoteLock
	for _, name := range siteOrder {
		sites = append(sites, a.siteLock(name))
	}
	l.RemoteLocks = engine.NewRemoteLocks(a.run, l.domains, sites, func(text string) {
		a.session.Warn(engine.Subject{Kind: "run", ID: a.run.ID()}, text)
	})
	return l
}

// siteLock returns the locks of a site; there is one for each site of an attempt.
func (a *attempt) siteLock(name string) *siteLock {
	if a.siteLocks == nil {
		a.siteLocks = map[string]*siteLock{}
	}
	if a.siteLocks[name] == nil {
		l := &siteLock{attempt: a, site: a.source}
		if a.target.Name() == name {
			l.site, l.must = a.target, true
		}
		a.siteLocks[name] = l
	}
	return a.siteLocks[name]
}

// refuseLocked refuses a new run where another one has a lock, before anything is written. A dry run is told and goes on.
func (a *attempt) refuseLocked(ctx context.Context, sites map[string]*ovirt.Site) error {
	for _, name := range siteOrder {
		if sites[name] == nil {
			continue
		}
		l := a.siteLock(name)
		labels, err := l.read(ctx)
		switch {
		case err != nil && l.must:
			return refuse(codeOf(err), hintOf(err), err)
		case err != nil:
			continue // the check says what is wrong with it
		}
		l.known = labels
		held := l.domainsOf(labels)
		for _, domain := range a.lockedDomains() {
			token := held[domain.ID]
			if token == "" || a.run != nil && slices.ContainsFunc(a.run.LockTokens(), func(own engine.LockToken) bool { return own.Token == token }) {
				continue
			}
			if err := l.Foreign(ctx, engine.LockToken{Site: name, Domain: domain.ID, Token: token}); err != nil {
				return err
			}
		}
	}
	return nil
}

// lockEngines takes the locks in the engines for a run that is journaled and has a session.
func (a *attempt) lockEngines(ctx context.Context) error {
	if a.DryRun || sabotage.On(sabotage.LabelsNotTaken) {
		return nil
	}
	if err := a.refuseBrokenLocks(ctx); err != nil {
		return err
	}
	a.locks = a.newEngineLocks()
	if a.tookOver {
		a.locks.Renew()
	}
	a.session.Locks = a.locks
	err := a.locks.Take(ctx)
	var known *failure
	var locked *engine.LockedError
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case errors.As(err, &locked):
		return refuse(locked.Code(), lockedHint(""), err)
	case ctx.Err() != nil:
		return err
	}
	return refuse(codeOf(err), cmp.Or(hintOf(err), "look at the affinity labels "+lockOrigin+".… in that engine: one that is put on a VM or a host cannot be removed"),
		fmt.Errorf("lock the storage domains in the engines: %w", err))
}

// refuseChangedMeanwhile refuses a new run whose check saw the storage domains elsewhere than they are now, under the lock.
func (a *attempt) refuseChangedMeanwhile(ctx context.Context) error {
	if a.DryRun {
		return nil
	}
	for _, site := range []*ovirt.Site{a.source, a.target} {
		seen, known := a.survey.StorageDomains(site.Name())
		if !known {
			continue
		}
		limit, cancel := a.siteLock(site.Name()).limited(ctx, lockReadLimit)
		now, err := site.StorageDomains(limit)
		cancel()
		switch {
		case err != nil && (site == a.target || ctx.Err() != nil):
			return refuse(codeOf(err), hintOf(err), err)
		case err != nil:
			continue
		}
		for _, domain := range a.lockedDomains() {
			before, after := placeOf(seen, domain.ID), placeOf(now, domain.ID)
			if before != after {
				return refuse("changed-meanwhile", "start it again; drrun status "+a.PlanFile+" shows where everything is",
					fmt.Errorf("storage domain %s on %s was %s when the check looked and is %s now that it is locked: another run or a person was at work in between",
						cmp.Or(domain.Name, domain.ID), site.Name(), before, after))
			}
		}
	}
	return nil
}

func placeOf(domains []ovirt.StorageDomain, id string) string {
	for _, domain := range domains {
		switch {
		case domain.ID != id:
		case domain.DataCenterID == "":
			return "unattached"
		default:
			return "attached to data center " + domain.DataCenterID
		}
	}
	return "not there"
}

// releaseLocks gives the locks back of a run that nobody goes on with: those of this attempt, or, where it got not so far as to take
// any, those of earlier ones.
//
// The first Ctrl-C does not keep them from being given back, the second one does: then they are left, and named.
func (a *attempt) releaseLocks(soft context.Context) {
	ctx := a.hard
	if ctx == nil {
		ctx = context.WithoutCancel(soft)
	}
	if a.locks == nil {
		if a.run == nil || len(a.run.LockTokens()) == 0 || a.source == nil || a.target == nil {
			return
		}
		if a.session == nil {
			facts := a.facts
			if facts == nil {
				facts = &stdlib.Facts{Source: a.source.Name(), Target: a.target.Name()}
			}
			a.session = stdlib.NewSession(a.Env, a.run, facts, a.source, a.target)
		}
		a.locks = a.newEngineLocks()
		a.session.Locks = a.locks
	}
	tokens := a.run.LockTokens()
	switch {
	case ctx.Err() != nil:
		for _, lock := range tokens {
			a.warn(fmt.Sprintf("interrupted: the run's lock %s of storage domain %s may be left in the engine of %s", lock.Token, a.domainName(lock.Domain), lock.Site))
		}
		return
	case soft.Err() != nil && len(tokens) > 0:
		a.run.Emit(engine.Event{Kind: "log", Level: "info", Text: "giving the locks back; Ctrl-C leaves them"})
	}
	a.locks.Release(ctx)
}

// siteLock keeps the locks of one site as affinity labels of its engine.
type siteLock struct {
	attempt *attempt
	site    *ovirt.Site
	must    bool                  // it is the target's
	reach   func() bool           // whether it answers; nil: by the evidence gate
	known   []ovirt.AffinityLabel // read before the run began, and not used yet; nil for none
}

func (l *siteLock) Site() string { return l.site.Name() }
func (l *siteLock) Must() bool   { return l.must }

// Answers goes by the last look of the evidence gate, which looks at the source at each stage that matters.
func (l *siteLock) Answers() bool {
	a := l.attempt
	switch {
	case l.reach != nil:
		return l.reach()
	case l.must:
		return true
	case a.noSourceLogin:
		return false
	}
	if a.session != nil && a.session.Gate != nil {
		if answers, known := a.session.Gate.Answers(); known {
			return answers
		}
	}
	return a.sourceAnswers
}

// limited bounds what is asked of an engine whose locks the run can do without.
func (l *siteLock) limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if l.must {
		return ctx, func() {}
	}
	return l.attempt.Env.Clock.WithTimeout(ctx, limit)
}

func (l *siteLock) read(ctx context.Context) ([]ovirt.AffinityLabel, error) {
	ctx, cancel := l.limited(ctx, lockReadLimit)
	defer cancel()
	labels, err := l.site.HeldLabels(ctx)
	if err == nil && labels == nil {
		labels = []ovirt.AffinityLabel{}
	}
	return labels, err
}

// domainsOf finds the locks among the labels.
func (l *siteLock) domainsOf(labels []ovirt.AffinityLabel) map[string]string {
	held := map[string]string{}
	for _, domain := range l.attempt.lockedDomains() {
		for _, label := range labels {
			if label.Name == labelName(domain.ID) {
				held[domain.ID] = label.ID
			}
		}
	}
	return held
}

func (l *siteLock) Held(ctx context.Context) (map[string]string, error) {
	labels := l.known
	l.known = nil
	if labels == nil {
		var err error
		if labels, err = l.read(ctx); err != nil {
			return nil, err
		}
	}
	l.settle(ctx, labels)
	return l.domainsOf(labels), nil
}

// settle closes the journal's open intents about labels and events by what the engine shows.
func (l *siteLock) settle(ctx context.Context, labels []ovirt.AffinityLabel) {
	run := l.attempt.run
	for _, intent := range run.OpenBeside(l.Site()) {
		there := slices.ContainsFunc(labels, func(label ovirt.AffinityLabel) bool { return label.ID == intent.Subject.ID })
		switch intent.Op {
		case ovirt.OpCreateLabel:
			run.Settle(intent.ID, there, "the labels of the engine were read")
		case ovirt.OpDeleteLabel:
			run.Settle(intent.ID, !there, "the labels of the engine were read")
		case ovirt.OpPostEvent:
			ctx, cancel := l.limited(ctx, lockReadLimit)
			events, err := l.site.Events(ctx, ovirt.EventQuery{Search: fmt.Sprintf("origin=%s and custom_event_id=%s", lockOrigin, intent.Subject.ID), Max: 1})
			cancel()
			if err == nil {
				run.Settle(intent.ID, len(events) > 0, "the events of the engine were read")
			}
		}
	}
}

// idsPerEvent keeps the description of an event below the 10,000 characters that an engine takes.
const idsPerEvent = 150

func (l *siteLock) Announce(ctx context.Context, locks []engine.LockToken) {
	a := l.attempt
	ctx, cancel := l.limited(ctx, lockChangeLimit)
	defer cancel()
	for part := range slices.Chunk(locks, idsPerEvent) {
		ids := make([]string, len(part))
		for i, lock := range part {
			ids[i] = lock.Token
		}
		text := fmt.Sprintf("drrun run %s: %s of plan %.200q by %s@%s since %s; locks: %s", a.run.ID(), a.Action, a.result.Plan, a.User, a.Host,
			a.started.UTC().Format(time.RFC3339), strings.Join(ids, " "))
		if err := l.post(ctx, a.redact(text), ids); err != nil {
			a.run.Note("log", engine.Subject{Kind: ovirt.KindSite, Site: l.Site()}, map[string]any{"text": "the engine of " + l.Site() + " does not say who has the locks: " + err.Error()})
			return
		}
	}
}

// post adds an event whose custom id, unique for drrun in the engine, is taken from the first of the ids with which it is free.
func (l *siteLock) post(ctx context.Context, text string, ids []string) error {
	var err error
	for _, id := range ids[:min(len(ids), 3)] {
		number, parseErr := strconv.ParseUint(id[:min(len(id), 8)], 16, 32)
		if parseErr != nil {
			return parseErr
		}
		if l.announced(max(1, int(number&0x7fffffff))) {
			return nil
		}
		_, err = l.site.PostEvent(ctx, ovirt.EventSpec{Origin: lockOrigin, CustomID: max(1, int(number&0x7fffffff)), Severity: "normal", Description: text, CorrelationID: l.attempt.run.ID(), Fresh: true})
		var there *ovirt.Error
		if !ovirt.HasCode(err, ovirt.CodeAlreadyExists) {
			return err
		}
		if errors.As(err, &there) && strings.Contains(there.State, id) {
			return nil // an earlier attempt has said it
		}
	}
	return err
}

// announced tells whether an earlier attempt posted the event with that custom id. To post it again would be refused, and of an attempt
// that is cut there nobody could tell afterwards whether it had asked.
func (l *siteLock) announced(customID int) bool {
	return l.attempt.run.Reached(ovirt.OpPostEvent, engine.Subject{Kind: ovirt.KindEvent, Site: l.Site(), ID: strconv.Itoa(customID)})
}

func (l *siteLock) Take(ctx context.Context, locks []engine.LockToken) (map[string]string, error) {
	ctx, cancel := l.limited(ctx, lockChangeLimit)
	defer cancel()
	labels := make([]ovirt.AffinityLabel, len(locks))
	for i, lock := range locks {
		labels[i] = ovirt.AffinityLabel{ID: lock.Token, Name: labelName(lock.Domain)}
	}
	now, err := l.site.CreateLabels(ctx, labels)
	if ovirt.HasCode(err, ovirt.CodeForbidden) {
		err = errors.Join(engine.ErrLockForbidden, err)
	}
	if now == nil && err != nil {
		return nil, err
	}
	l.settle(ctx, now)
	return l.domainsOf(now), err
}

func (l *siteLock) Release(ctx context.Context, locks []engine.LockToken) ([]engine.LockToken, error) {
	ctx, cancel := l.limited(ctx, lockChangeLimit)
	defer cancel()
	ids := make([]string, len(locks))
	for i, lock := range locks {
		ids[i] = lock.Token
	}
	left, err := l.site.DeleteLabels(ctx, ids)
	return slices.DeleteFunc(slices.Clone(locks), func(lock engine.LockToken) bool { return !slices.Contains(left, lock.Token) }), err
}

// lockHolder is what an event says of the run that a lock belongs to.
type lockHolder struct{ run, text string }

var holderText = regexp.MustCompile(`^drrun (run (\S+): .*); locks: [0-9a-f -]*$`)

// holder looks for the event that names a token, the newest first.
func (l *siteLock) holder(ctx context.Context, token string) lockHolder {
	ctx, cancel := l.limited(ctx, lockReadLimit)
	defer cancel()
	events, err := l.site.Events(ctx, ovirt.EventQuery{Search: "origin=" + lockOrigin, Max: 200})
	if err == nil {
		for _, event := range events {
			parts := holderText.FindStringSubmatch(strings.TrimSpace(event.Description))
			if event.Origin == lockOrigin && parts != nil && strings.Contains(event.Description, token) {
				return lockHolder{run: parts[2], text: parts[1]}
			}
		}
	}
	return lockHolder{text: "a run that no event in the engine tells of, by the label with the id " + token}
}

func (l *siteLock) Holder(ctx context.Context, lock engine.LockToken) string {
	return l.holder(ctx, lock.Token).text
}

// Foreign lets a lock be replaced that a run of this state folder left behind when it ended, or that --break-lock and a person name.
func (l *siteLock) Foreign(ctx context.Context, lock engine.LockToken) error {
	a := l.attempt
	if warning, replaced := a.replaced[lock.Token]; replaced {
		if a.session != nil && warning != "" {
			a.session.Warn(engine.Subject{Kind: ovirt.KindStorageDomain, Site: lock.Site, ID: lock.Domain}, warning)
		}
		return nil
	}
	domain := a.domainName(lock.Domain)
	if run := a.leftBehind(lock.Token); run != "" {
		return l.replace(ctx, lock, fmt.Sprintf("the lock of storage domain %s in the engine of %s is replaced: run %s left it there and has ended", domain, lock.Site, run))
	}
	holder := l.holder(ctx, lock.Token)
	locked := &engine.LockedError{Domain: domain, Site: lock.Site, Holder: holder.text}
	key := cmp.Or(holder.run, lock.Token)
	switch {
	case a.DryRun:
		a.warn(locked.Error() + ": a run would be refused")
		return nil
	case !a.BreakLock:
		return refuse(locked.Code(), lockedHint(holder.run), locked)
	}
	if !slices.Contains(a.broken, key) {
		if err := a.confirmBreak(ctx, locked, key); err != nil {
			return err
		}
		a.broken = append(a.broken, key)
	}
	return l.replace(ctx, lock, fmt.Sprintf("the lock of storage domain %s in the engine of %s is taken from %s, as %s asked for", domain, lock.Site, holder.text, cmp.Or(a.User, "the operator")))
}

// replace remembers that a lock may go. What is said about it is said when it goes, where there is a journal to say it in.
func (l *siteLock) replace(ctx context.Context, lock engine.LockToken, warning string) error {
	a := l.attempt
	if a.DryRun {
		a.warn(warning)
		return nil
	}
	if a.replaced == nil {
		a.replaced = map[string]string{}
	}
	a.replaced[lock.Token] = warning
	if a.locks != nil {
		return l.Foreign(ctx, lock)
	}
	return nil
}

// confirmBreak asks a person to name the run whose lock goes. No flag and no default answers it.
func (a *attempt) confirmBreak(ctx context.Context, locked *engine.LockedError, key string) error {
	hint := "when you know that it does not run any more: --break-lock --answer '" + stdlib.QuestionBreakLock + "=" + key + "'"
	if a.Asker == nil {
		return refuse(locked.Code(), hint, locked)
	}
	named := func(answer string) error {
		if slices.ContainsFunc(strings.Split(answer, ","), func(part string) bool { return strings.TrimSpace(part) == key }) {
			return nil
		}
		return fmt.Errorf("%q does not name whose lock is to be replaced: %s", answer, key)
	}
	answer, err := a.askBeforeRun(ctx, engine.Question{
		Name: stdlib.QuestionBreakLock, Check: named, Danger: engine.DangerDataLoss,
		Text: fmt.Sprintf("%s.\nTwo runs at work on one storage domain can destroy its data. If you know that the other one is over for good, type %s", locked, key),
	})
	if err == nil {
		err = named(answer)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, engine.ErrNoAnswer):
		return refuse(locked.Code(), hint, locked)
	case err != nil:
		return refuse(locked.Code(), hint, fmt.Errorf("%w; it was not replaced: %v", locked, err))
	}
	return nil
}

// askBeforeRun asks where there is no run yet whose journal could hold the answer.
func (a *attempt) askBeforeRun(ctx context.Context, question engine.Question) (string, error) {
	if desk, ok := a.Asker.(engine.Desk); ok {
		if answer, known := desk.Prepared(question); known {
			return answer.Text, nil
		}
		if !desk.Attended() {
			return "", engine.ErrNoAnswer
		}
	}
	return a.Asker.Ask(ctx, question)
}

// leftBehind returns the run of this state folder that a token is of and that has ended, "" for none. The file locks are held by now, so
// none of its storage domains is worked on from here.
func (a *attempt) leftBehind(token string) string {
	if a.DryRun { // its state folder is another one, and it takes no file lock
		return ""
	}
	runs, err := engine.ListRuns(a.Env, a.StateDir)
	if err != nil {
		return ""
	}
	for _, run := range runs {
		if run.Unfinished() || a.run != nil && run.ID == a.run.ID() {
			continue
		}
		info, err := engine.ReadRun(a.Env, a.StateDir, run.ID)
		if err == nil && !info.Unfinished() && slices.ContainsFunc(info.LockTokens(), func(own engine.LockToken) bool { return own.Token == token }) {
			return run.ID
		}
	}
	return ""
}

func (a *attempt) domainName(id string) string {
	for _, domain := range a.lockedDomains() {
		if domain.ID == id {
			return cmp.Or(domain.Name, id)
		}
	}
	return id
}

func lockedHint(run string) string {
	if run == "" {
		return "wait for it to end; when you know that it is over for good: --break-lock"
	}
	return fmt.Sprintf("wait for it to end, or on its own machine go on with it: drrun resume %s, or close it: drrun abort %s. When you know that it is over for good and that machine is lost: --break-lock", run, run)
}

var _ stdlib.Locks = (*engineLocks)(nil)
