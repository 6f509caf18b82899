package lab

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// faultRule is a rule with its count of requests.
type faultRule struct {
	Fault
	n     int // number by which the control API names it
	path  *regexp.Regexp
	seen  int
	used  int
	fired []Firing
}

// Firing is one time that a rule did what it says.
type Firing struct {
	Time    time.Time `json:"time"`
	Site    string    `json:"site"`
	Method  string    `json:"method,omitempty"` // of the request that it met
	Path    string    `json:"path,omitempty"`
	Subject string    `json:"subject,omitempty"` // name of the object that it met
}

// FaultView is a rule with what came of it.
type FaultView struct {
	N     int      `json:"n"` // its number, from 1, never used again
	Rule  Fault    `json:"rule"`
	Text  string   `json:"text"`  // the rule in words
	Seen  int      `json:"seen"`  // requests, or uses, that it would have met by what it says
	Used  int      `json:"used"`  // how many it met
	Spent bool     `json:"spent"` // it meets nothing more
	Fired []Firing `json:"fired"` // oldest first; the last 1,000
}

// keepFirings bounds what is kept of a rule that meets everything.
const keepFirings = 1000

func (r *faultRule) limit() int {
	switch {
	case r.Times == 0 && r.Probability > 0:
		return -1
	case r.Times == 0:
		return 1
	}
	return r.Times
}

func (r *faultRule) spent() bool { return r.limit() > 0 && r.used >= r.limit() }

// hit counts a request or use that the rule is about, and tells whether it meets it. Which ones a probability meets is a matter of the
// seeds, the rule's number and the count alone.
func (l *Lab) hit(r *faultRule) bool {
	if r.seen++; r.seen < r.Nth {
		return false
	}
	if r.Probability > 0 && r.Probability < 1 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d/%d", l.seed, r.Seed, r.n, r.seen))
		if float64(binary.BigEndian.Uint64(sum[:])>>11)/(1<<53) >= r.Probability {
			return false
		}
	}
	r.used++
	return true
}

func (r *faultRule) note(f Firing) {
	if r.fired = append(r.fired, f); len(r.fired) > keepFirings {
		r.fired = slices.Delete(r.fired, 0, 1)
	}
}

// Fail adds a rule. Rules are tried in the order in which they were added; the first that meets wins. A rule that the lab cannot carry
// out is refused with a *ControlError.
func (l *Lab) Fail(rule Fault) error {
	_, err := l.AddFault(rule)
	return err
}

// AddFault is Fail, and returns the rule as Faults lists it.
func (l *Lab) AddFault(rule Fault) (FaultView, error) {
	l.lock()
	defer l.mu.Unlock()
	if err := rule.check(l.faultTargets()); err != nil {
		return FaultView{}, err
	}
	l.lastFault++
	r := &faultRule{Fault: rule, n: l.lastFault, path: regexp.MustCompile(rule.Path)}
	l.faults = append(l.faults, r)
	if slices.Contains(happens, rule.Kind) && !rule.triggered() {
		r.seen, r.used = 1, 1
		l.happen(r, Firing{Time: l.now, Site: rule.Site})
	}
	return r.view(), nil
}

// Faults returns all rules, spent ones too, in the order in which they were added.
func (l *Lab) Faults() []FaultView {
	l.lock()
	defer l.mu.Unlock()
	views := make([]FaultView, len(l.faults))
	for i, r := range l.faults {
		views[i] = r.view()
	}
	return views
}

// DropFault takes a rule away; what it did stays. The number 0 takes all away.
func (l *Lab) DropFault(n int) error {
	l.lock()
	defer l.mu.Unlock()
	before := len(l.faults)
	l.faults = slices.DeleteFunc(l.faults, func(r *faultRule) bool { return n == 0 || r.n == n })
	if n != 0 && len(l.faults) == before {
		var known []string
		for _, r := range l.faults {
			known = append(known, fmt.Sprint(r.n))
		}
		return unknownName("rule", fmt.Sprint(n), known, "")
	}
	return nil
}

func (r *faultRule) view() FaultView {
	return FaultView{N: r.n, Rule: r.Fault, Text: r.String(), Seen: r.seen, Used: r.used, Spent: r.spent(), Fired: append([]Firing{}, r.fired...)}
}

func (l *Lab) faultTargets() faultTargets {
	t := faultTargets{hosts: map[string][]string{}}
	for _, e := range l.engines {
		t.sites = append(t.sites, e.name)
		for _, h := range e.hosts {
			t.hosts[e.name] = append(t.hosts[e.name], h.Name, h.ID)
		}
	}
	for _, x := range l.exports {
		t.exports = append(t.exports, x.String())
	}
	return t
}

// requestFault returns the rule that meets this request, or nil. Rules that change the world do so on the way.
func (l *Lab) requestFault(e *engine, r *http.Request) *faultRule {
	for _, rule := range slices.Clone(l.faults) {
		site := rule.Site
		if rule.Asked != "" {
			site = rule.Asked
		}
		if !rule.ofRequests() || rule.spent() || site != "" && site != e.name ||
			rule.Method != "" && !strings.EqualFold(rule.Method, r.Method) || !rule.path.MatchString(r.URL.Path) ||
			rule.Kind == FaultJob && (!isAction(r) || !e.concerns(rule.Subject, r.URL.Path)) || !l.hit(rule) {
			continue
		}
		f := Firing{Time: l.now, Site: e.name, Method: r.Method, Path: r.URL.Path}
		if slices.Contains(happens, rule.Kind) {
			l.happen(rule, f)
			continue
		}
		rule.note(f)
		return rule
	}
	return nil
}

// concerns tells whether a path leads to the object of that id or name; "" is any.
func (e *engine) concerns(subject, path string) bool {
	if subject == "" {
		return true
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" {
			continue
		}
		if part == subject {
			return true
		}
		if v := e.vm(part); v != nil && v.name == subject {
			return true
		}
		if d := e.domain(part); d != nil && d.name == subject {
			return true
		}
		if h := e.host(part); h != nil && h.Name == subject {
			return true
		}
	}
	return false
}

// meets reports whether a rule of that kind meets the subject now, and counts it.
func (e *engine) meets(kind string, subject ...string) bool {
	for _, rule := range e.lab.faults {
		if rule.Kind != kind || rule.spent() || rule.Site != "" && rule.Site != e.name || rule.Subject != "" && !slices.Contains(subject, rule.Subject) {
			continue
		}
		if e.lab.hit(rule) {
			rule.note(Firing{Time: e.lab.now, Site: e.name, Subject: subject[len(subject)-1]})
			return true
		}
	}
	return false
}
