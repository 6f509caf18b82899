package runner_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/stdlib"
)

// What the oracle grants: evidence may be a minute old when a VM starts, and one look more.
const grace = stdlib.EvidenceAge + 10*time.Second

// sampled is how often the oracle looks at the world by itself.
const sampled = 5 * time.Second

// oracle knows the truth about both sites and what drrun can have seen of it. From that it says of each start whether it was allowed by
// invariant I1, without asking the gate.
type oracle struct {
	s         *story
	domainIDs []string

	source       string // of the attempt
	planned      bool
	undoes       bool // the attempt is a rollback
	confirmed    time.Time
	truly        bool                 // the confirmation was true when it was given
	lookedAt     map[string]time.Time // when drrun last began to look
	answeredAt   map[string]time.Time
	answersSince map[string]time.Time // since when its engine answers; zero while it does not
	releasedAt   map[string]time.Time // when it was last known to have let go of everything
	forgot       bool                 // an engine lost its storage domains
	meddled      bool                 // a person activated storage that a run had released
	lossAccepted bool                 // an unplanned move was wanted: its copy may be old
	oldUntil     time.Time            // copies that were started before may have been old for that reason
	started      map[string]time.Time // when drrun asked for the last start of a VM, by site and id
	seen         int                  // violations of the lab that were judged
	beyond       map[string]int       // those that drrun did not do, or could not have known of, by kind
	wrong        []string
}

func newOracle(s *story) *oracle {
	o := &oracle{s: s, lookedAt: map[string]time.Time{}, answeredAt: map[string]time.Time{}, answersSince: map[string]time.Time{}, releasedAt: map[string]time.Time{}, started: map[string]time.Time{}, beyond: map[string]int{}}
	for _, domain := range s.lab.View().Sites["primary"].StorageDomains {
		o.domainIDs = append(o.domainIDs, domain.ID)
	}
	return o
}

func (o *oracle) now() time.Time { return o.s.world.Clock().Now() }

func (o *oracle) violated(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	o.wrong = append(o.wrong, text)
	o.s.say("VIOLATION: %s", text)
}

// begin is a new attempt: no earlier word counts.
func (o *oracle) begin(source string, planned bool) {
	o.source, o.planned, o.undoes, o.confirmed, o.truly = source, planned, false, time.Time{}, false
}

func (o *oracle) answers(site string) bool { return o.s.lab.View().Sites[site].Engine == "up" }

// off tells whether no host of a site has power.
func (o *oracle) off(site string) bool {
	for _, host := range o.s.hosts(site) {
		if host.Power == "on" {
			return false
		}
	}
	return true
}

func (o *oracle) confirms(site string) {
	o.confirmed, o.truly = o.now(), o.off(site)
	o.s.say("%s is said to be down (true: %v)", site, o.truly)
}

// released tells whether the engine of a site shows that it has let go of every storage domain.
func (o *oracle) released(view lab.View, site string) bool {
	shown := 0
	for _, domain := range view.Sites[site].StorageDomains {
		if !o.s.ours(domain.ID) {
			continue
		}
		shown++
		if domain.Status != "maintenance" && domain.Status != "unattached" {
			return false
		}
	}
	// What it does not show it has let go of only when this run took it out.
	return view.Sites[site].Engine == "up" && (shown == len(o.domainIDs) || o.planned && !o.forgot)
}

func (o *oracle) sample() {
	view := o.s.lab.View()
	for _, site := range []string{"primary", "secondary"} {
		if view.Sites[site].Engine != "up" {
			o.answersSince[site] = time.Time{}
		} else if o.answersSince[site].IsZero() {
			o.answersSince[site] = o.now()
		}
		if o.released(view, site) {
			o.releasedAt[site] = o.now()
		}
	}
	for ; o.seen < len(view.Violations); o.seen++ {
		o.judgeSeen(view.Violations[o.seen])
	}
}

// watched is drrun's way to a site, under the eyes of the oracle.
type watched struct {
	wire
	o    *oracle
	site string
}

func (w watched) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "/start") {
		w.o.judgeStart(w.site, request.URL.Path)
	}
	if strings.HasSuffix(request.URL.Path, "/services/health") { // each look begins with it
		w.o.lookedAt[w.site] = w.o.now()
	}
	answer, err := w.wire.RoundTrip(request)
	if err == nil {
		w.o.answeredAt[w.site] = w.o.now()
	}
	return answer, err
}

// judgeStart says whether a start request may leave now.
func (o *oracle) judgeStart(site, path string) {
	o.s.starts++
	o.sample()
	from, now := other(site), o.now()
	id := strings.TrimSuffix(path, "/start")
	id = id[strings.LastIndex(id, "/")+1:]
	o.started[site+" "+id] = now
	o.s.say("start %s on %s", id, site)
	if o.undoes { // the other site never had anything
		for _, domain := range o.s.lab.View().Sites[from].StorageDomains { // (a domain in maintenance there runs nothing)
			if o.s.ours(domain.ID) && domain.Status != "unattached" && domain.Status != "maintenance" {
				o.violated("a rollback starts a VM on %s while %s has %s %s", site, from, domain.Name, domain.Status)
			}
		}
		return
	}
	if from != o.source {
		o.violated("a VM is started on %s, which is left", site)
		return
	}
	if age := now.Sub(o.lookedAt[from]); age > grace {
		o.violated("a VM is started on %s by a look at %s that began %s ago", site, from, age)
	}
	if at := o.releasedAt[from]; !at.IsZero() && now.Sub(at) <= grace {
		return
	}
	switch since := o.answersSince[from]; {
	case !since.IsZero() && now.Sub(since) > grace:
		o.violated("a VM is started on %s while the engine of %s answers since %s and has not let go", site, from, now.Sub(since))
	case o.confirmed.IsZero():
		o.violated("a VM is started on %s, %s is silent and nobody has confirmed that it is down", site, from)
	case now.Sub(o.confirmed) > stdlib.ConfirmationLifetime+10*time.Second:
		o.violated("a VM is started on %s by a confirmation that is %s old", site, now.Sub(o.confirmed))
	case o.answeredAt[from].After(o.confirmed) && now.Sub(o.answeredAt[from]) > grace:
		o.violated("a VM is started on %s although %s answered %s after the confirmation", site, from, o.answeredAt[from].Sub(o.confirmed))
	case !o.truly:
		o.beyond["said to be down while it answered, and then silent"]++ // the operator's fault: it answered then, and fell silent before drrun looked
	}
}

// judgeMove holds the end of a move that is done against what was there before it.
func (o *oracle) judgeMove(action string, planned bool, before map[string]int64) {
	target := plans.Secondary
	if action == plans.ActionFailback {
		target = plans.Primary
	}
	if planned && !o.meddled {
		now := o.s.counters(target)
		for disk, was := range before {
			if now[disk] < was {
				o.violated("after the planned %s disk %s has %d on %s, it had %d", action, disk, now[disk], target, was)
			}
		}
	}
	for _, label := range o.s.labels() {
		if strings.HasPrefix(label, target) && o.answers(target) {
			o.violated("after the %s there is a lock left: %s", action, label)
		}
	}
}

// judgeSeen says of what the lab saw whether drrun did it and could know.
func (o *oracle) judgeSeen(v lab.Violation) {
	from := other(v.Site)
	late := !o.answersSince[from].IsZero() && o.now().Sub(o.answersSince[from]) > grace // drrun should have seen what the other site has
	known, what := true, v.Kind
	switch v.Kind {
	case lab.ViolationSplitBrain:
		mine := v.Time.Sub(o.started[v.Site+" "+v.Subject]) < time.Minute
		if known = mine && late; !mine {
			what += " begun by the site that came back"
		}
	case lab.ViolationAttachedTwice:
		known = late && o.now().Sub(o.releasedAt[from]) > grace
	case lab.ViolationStaleCopy:
		known = !o.lossAccepted && !o.meddled && v.Time.After(o.oldUntil)
	}
	if !known {
		o.s.say("behind drrun's back: %s on %s: %s", v.Kind, v.Site, v.Text)
		o.beyond[what]++
		return
	}
	o.violated("%s on %s: %s", v.Kind, v.Site, v.Text)
}

// judgeEnd looks at the log, and at where everything is.
func (o *oracle) judgeEnd() {
	o.sample()
	view := o.s.lab.View()
	type start struct{ site, run, path string }
	starts := map[start]int{}
	for _, entry := range o.s.lab.Log() {
		cut := strings.LastIndex(entry.Correlation, "-")
		if strings.HasSuffix(entry.Path, "/start") && entry.Effect != "" && cut > 0 {
			key := start{entry.Site, entry.Correlation[:cut], entry.Path}
			if starts[key]++; starts[key] == 2 {
				o.violated("run %s started %s twice on %s", key.run, entry.Path, entry.Site)
			}
		}
	}
	for _, id := range o.domainIDs {
		known := o.forgot
		for _, site := range view.Sites {
			for _, domain := range site.StorageDomains {
				known = known || domain.ID == id
			}
		}
		if !known {
			o.violated("storage domain %s is in no engine any more", id)
		}
	}
}

// dataCenter is the id of the only data center of a site.
func (s *story) dataCenter(site string) string {
	for _, one := range lab.TwoSites(s.size).Sites {
		if one.Name == site {
			return one.DataCenters[0].ID
		}
	}
	return ""
}
