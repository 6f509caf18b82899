package stdlib

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/internal/sabotage"
	"drrun/ovirt"
)

// ConfirmationLifetime bounds how long a person's word that the source is down counts (invariant I1).
const ConfirmationLifetime = 30 * time.Minute

// EvidenceAge is how old evidence may be when a VM starts (invariant I1).
const EvidenceAge = 60 * time.Second

// Confirmation is a named person's word that the source is down.
type Confirmation struct {
	Name   string    `json:"name"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

var confirmationForm = regexp.MustCompile(`^\s*([^:\s][^:]*?)\s*:\s*(\S.*?)\s*$`)

// ParseConfirmation reads 'NAME: REASON'. Both are needed: the report says who took the decision, and why.
func ParseConfirmation(text string, at time.Time) (*Confirmation, error) {
	parts := confirmationForm.FindStringSubmatch(text)
	if parts == nil {
		return nil, fmt.Errorf("a confirmation reads 'NAME: REASON', such as 'Ann Lee: fire in room 2, power is cut'; this is %q", text)
	}
	return &Confirmation{Name: parts[1], Reason: parts[2], At: at}, nil
}

// The grounds on which a VM may be started on the target.
const (
	GroundReleased  = "released"  // the source's engine shows every domain of the plan unattached or in maintenance
	GroundConfirmed = "confirmed" // the source is silent, and a named person said that it is down
)

// Verdict is what one look at the source proved.
type Verdict struct {
	At           time.Time     `json:"at"`      // when the look began: nothing that it saw is older
	Holds        bool          `json:"holds"`   // a VM of the plan may be started on the target
	Ground       string        `json:"ground"`  // GroundReleased or GroundConfirmed; "" when it does not hold
	Answers      bool          `json:"answers"` // the source's engine answered
	Why          string        `json:"why"`     // in words, for the operator and the report
	Confirmation *Confirmation `json:"confirmation,omitempty"`
}

// EvidenceError says that a VM may not be started because the source is not proved to be down.
type EvidenceError struct {
	Source  string
	Verdict Verdict
	Hint    string
}

// Error names the source, what it showed and what to do.
func (e *EvidenceError) Error() string {
	return fmt.Sprintf("no evidence that site %q is down: %s", e.Source, e.Verdict.Why)
}

// Gate answers invariant I1: may a VM of the plan be started on the target now?
// It looks at the source itself, anew for each start, and shares one look among all that ask within a tick.
// Nothing of it survives an attempt: a resumed run starts with no confirmation and no verdict.
type Gate struct {
	clock  engine.Clock
	source string
	look   func(ctx context.Context) (answers bool, held []string, words string)
	tick   time.Duration
	onLook func(Verdict)

	mu           sync.Mutex
	confirmation *Confirmation
	voided       string // why an earlier confirmation no longer counts
	contradicted bool   // the source answered after it had been confirmed to be down
	silentSince  time.Time
	last         *Verdict
	seen         time.Time     // when the look behind last ended
	looking      chan struct{} // closed when the look under way has ended
}

// NewGate makes the gate of one attempt. look reads the source once: whether it answers, which storage domains of the plan it
// still holds (empty: all are detached or in maintenance) and what it said. onLook records each verdict; it may be nil.
func NewGate(clock engine.Clock, source string, tick time.Duration,
	look func(ctx context.Context) (answers bool, held []string, words string), onLook func(Verdict)) *Gate {
	return &Gate{clock: clock, source: source, tick: tick, look: look, onLook: onLook}
}

// Confirm takes a person's word for this attempt. It counts only while the source stays silent, and for ConfirmationLifetime.
// Once the source has contradicted a confirmation, no other one counts in this attempt: the error says so.
func (g *Gate) Confirm(c Confirmation) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.contradicted {
		return fmt.Errorf("confirm that site %q is down: %s; it may be confirmed again only for a new attempt", g.source, g.voided)
	}
	g.confirmation, g.voided, g.last = &c, "", nil
	return nil
}

// Contradicted reports whether the source answered in this attempt after it had been confirmed to be down.
func (g *Gate) Contradicted() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.contradicted
}

// Answers tells whether the source answered when it was last looked at; known is false before the first look.
func (g *Gate) Answers() (answers, known bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.last == nil {
		return false, false
	}
	return g.last.Answers, true
}

// Confirmed returns the confirmation that still counts, or nil.
func (g *Gate) Confirmed() *Confirmation {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.confirmation
}

// SilentSince returns since when the source has been silent without a break, as this attempt saw it; zero where it answered last.
func (g *Gate) SilentSince() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.silentSince
}

// Require returns nil when evidence that is seconds old lets a VM of the plan start, and an *EvidenceError otherwise.
// Safe to call from many tasks at once: one look at the source serves all that ask until a tick after it. When ctx ends
// before there is a verdict, the error is its cause.
func (g *Gate) Require(ctx context.Context) (Verdict, error) {
	for {
		g.mu.Lock()
		if g.fresh() {
			verdict := *g.last
			g.mu.Unlock()
			return verdict, g.judge(verdict)
		}
		if g.looking == nil {
			g.looking = make(chan struct{})
			g.mu.Unlock()
			break
		}
		wake := g.looking
		g.mu.Unlock()
		if _, err := g.clock.Wait(ctx, -1, wake); err != nil {
			return Verdict{}, err
		}
	}
	defer func() { // also when look panics: nobody may wait for ever
		g.mu.Lock()
		defer g.mu.Unlock()
		close(g.looking)
		g.looking = nil
	}()
	began := g.clock.Now()
	// What such a look finds out after that time would be too old to start anything on.
	bound := EvidenceAge
	if sabotage.On(sabotage.LookUnbounded) {
		bound = time.Hour
	}
	limit, cancel := g.clock.WithTimeout(ctx, bound)
	answers, held, words := g.look(limit)
	cut := limit.Err() != nil
	cancel()
	if ctx.Err() != nil {
		return Verdict{At: began, Why: "the look at the source was given up"}, context.Cause(ctx)
	}
	g.mu.Lock()
	verdict := g.conclude(began, answers, held, words)
	if cut && verdict.Holds {
		verdict.Holds, verdict.Ground, verdict.Confirmation = false, "", nil
		verdict.Why = fmt.Sprintf("the look at it took longer than %s, so what it showed is too old", EvidenceAge)
	}
	g.last, g.seen = &verdict, g.clock.Now()
	g.mu.Unlock()
	if g.onLook != nil {
		g.onLook(verdict)
	}
	return verdict, g.judge(verdict)
}

// fresh reports whether the last verdict may serve one more start. The caller holds g.mu.
func (g *Gate) fresh() bool {
	if g.last == nil {
		return false
	}
	now := g.clock.Now()
	if sabotage.On(sabotage.EvidenceNotRenewed) && g.last.Holds {
		return true
	}
	if confirmed := g.last.Confirmation; confirmed != nil && now.Sub(confirmed.At) > ConfirmationLifetime && !sabotage.On(sabotage.ConfirmedForEver) {
		return false
	}
	return now.Sub(g.seen) <= g.tick && now.Sub(g.last.At) <= EvidenceAge
}

// conclude turns one look into a verdict. The caller holds g.mu.
func (g *Gate) conclude(began time.Time, answers bool, held []string, words string) Verdict {
	now := g.clock.Now()
	verdict := Verdict{At: began, Answers: answers}
	switch {
	case answers:
		g.silentSince = time.Time{}
	case g.silentSince.IsZero():
		g.silentSince = now // the look itself was the last moment in which it may have written
	}
	if sabotage.On(sabotage.AnswerOverruled) && g.confirmation != nil {
		answers = false
	}
	if answers {
		// A source that answers is never overruled by a person, and a confirmation it contradicts is void for good.
		if g.confirmation != nil && !sabotage.On(sabotage.ContradictionPasses) {
			g.voided = fmt.Sprintf("it answered again at %s, so the confirmation of %s is void", now.Format("15:04:05"), g.confirmation.Name)
			g.confirmation, g.contradicted = nil, true
		}
		if len(held) == 0 {
			verdict.Holds, verdict.Ground = true, GroundReleased
			verdict.Why = words
			return verdict
		}
		verdict.Why = words
		if g.voided != "" {
			verdict.Why = g.voided + "; " + words
		}
		return verdict
	}
	switch {
	case sabotage.On(sabotage.SilenceIsProof):
		verdict.Holds, verdict.Ground = true, GroundReleased
	case g.confirmation == nil && g.voided != "":
		verdict.Why = "it is silent now, but " + g.voided
	case g.confirmation == nil:
		verdict.Why = "its engine does not answer (" + words + "), which is no proof, and nobody has confirmed that it is down"
	case now.Sub(g.confirmation.At) > ConfirmationLifetime && !sabotage.On(sabotage.ConfirmedForEver):
		g.voided = fmt.Sprintf("the confirmation of %s is older than %s", g.confirmation.Name, ConfirmationLifetime)
		g.confirmation = nil
		verdict.Why = g.voided
	default:
		confirmed := *g.confirmation
		verdict.Holds, verdict.Ground, verdict.Confirmation = true, GroundConfirmed, &confirmed
		verdict.Why = fmt.Sprintf("its engine does not answer (%s), and %s confirmed that it is down: %s", words, confirmed.Name, confirmed.Reason)
	}
	return verdict
}

func (g *Gate) judge(verdict Verdict) error {
	if verdict.Holds {
		return nil
	}
	hint := fmt.Sprintf("make sure that %s is off, then confirm it: --confirm-source-down 'YOUR NAME: HOW YOU KNOW'", g.source)
	if verdict.Answers {
		hint = fmt.Sprintf("%s is alive: its VMs may be running. Put the storage domains of the plan into maintenance there, or shut the site down", g.source)
	}
	return &EvidenceError{Source: g.source, Verdict: verdict, Hint: hint}
}

// LookAt reads the source's engine for the gate: does it answer, and which of the plan's storage domains does it still hold?
// A domain is released when the engine shows it unattached, or in maintenance in its data center. One that the engine does not
// show, or without a status, proves nothing: an engine that lost its database knows nothing of the VMs on its hosts.
// Only silence of the connection at the first look is "does not answer". Whatever comes after an answer (a refused login, an
// engine error, a connection that breaks) is an answer that proves nothing.
//
// left tells of a domain that the engine does not show, or shows unattached, whether this run itself took it out of that engine, or
// never brought it there; nil means of none.
func LookAt(ctx context.Context, source *ovirt.Site, domains []FactDomain, left func(id string) bool) (answers bool, held []string, words string) {
	reach := source.Probe(ctx)
	if !reach.Answers {
		return false, nil, reach.Text
	}
	unknown := func(err error) (bool, []string, string) {
		if sabotage.On(sabotage.FaultIsSilence) {
			return false, nil, err.Error()
		}
		return true, domainNames(domains), fmt.Sprintf("its engine answers, but what it holds cannot be read: %v", err)
	}
	ctx = ovirt.Repeated(ctx) // one look a tick for all VMs that start
	known, err := source.StorageDomains(ctx)
	if err != nil {
		return unknown(err)
	}
	attached := map[string]map[string]string{} // data center id -> domain id -> status
	var details []string
	for _, domain := range domains {
		status := "not shown"
		for _, candidate := range known {
			if candidate.ID != domain.ID {
				continue
			}
			if candidate.DataCenterID == "" {
				status = cmp.Or(candidate.Status, "without a status")
				continue
			}
			statuses, seen := attached[candidate.DataCenterID]
			if !seen {
				list, err := source.AttachedStorageDomains(ctx, candidate.DataCenterID)
				if err != nil {
					return unknown(err)
				}
				statuses = map[string]string{}
				for _, one := range list {
					statuses[one.ID] = one.Status
				}
				attached[candidate.DataCenterID] = statuses
			}
			status = cmp.Or(statuses[domain.ID], "attached, without a status")
		}
		if status == "not shown" && (left != nil && left(domain.ID) || sabotage.On(sabotage.NotShownIsReleased)) {
			continue
		}
		if sabotage.On(sabotage.UnreleasedAccepted) && status != "active" && status != "not shown" {
			continue
		}
		if status != "unattached" && status != "maintenance" {
			held = append(held, domain.Name)
			details = append(details, fmt.Sprintf("%q is %s", domain.Name, status))
		}
	}
	if len(held) == 0 {
		return true, nil, "its engine answers and shows every storage domain of the plan detached or in maintenance"
	}
	return true, held, "its engine answers and does not show every storage domain of the plan released: " + strings.Join(details, ", ")
}

// LookWithoutLogin is LookAt for a source whose credentials are not known here: it can be silent, but it can prove nothing.
// No login is tried, since failed ones can lock the account.
func LookWithoutLogin(ctx context.Context, source *ovirt.Site, domains []FactDomain, _ func(string) bool) (answers bool, held []string, words string) {
	reach := source.Probe(ctx)
	if !reach.Answers {
		return false, nil, reach.Text
	}
	return true, domainNames(domains), "its engine answers, and without its password what it holds cannot be read"
}

func domainNames(domains []FactDomain) []string {
	names := make([]string, len(domains))
	for i, domain := range domains {
		names[i] = domain.Name
	}
	return names
}
