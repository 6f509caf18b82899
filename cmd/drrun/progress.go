package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/plans"
	"drrun/plans/report"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// redrawEvery is how often the live view moves its clock, in time of the wall.
const redrawEvery = 500 * time.Millisecond

// progress tells a person what a run is doing: a line for each thing that they would want to know of, with the model time since the
// start; on a terminal also a live view of what is being waited for.
type progress struct {
	screen  *screen
	clock   engine.Clock
	speed   float64
	started time.Time
	// attended is set where questions are asked at the terminal; state is --state, for the commands that are told.
	attended bool
	state    string
	run      string

	mu       sync.Mutex
	totals   runner.Totals
	stage    string
	domains  map[string]engine.Status // by id
	vms      map[string]engine.Status
	reached  map[string]engine.Status // by earlier attempts; what this one marks goes before
	waiting  map[string]bool          // VMs that are up and whose boot condition is being waited for
	leaving  leaving                  // what the source was asked to let go of
	evidence string                   // the last verdict shown
	stop     chan struct{}
	stopped  chan struct{}
}

func newProgress(s *screen, env engine.Env, speed float64) *progress {
	p := &progress{
		screen: s, clock: env.Clock, speed: speed, started: env.Clock.Now(),
		domains: map[string]engine.Status{}, vms: map[string]engine.Status{}, reached: map[string]engine.Status{}, waiting: map[string]bool{},
	}
	if s.terminal {
		p.stop, p.stopped = make(chan struct{}), make(chan struct{})
		env.Go(p.tick)
	}
	return p
}

// tick redraws until end.
func (p *progress) tick() {
	defer close(p.stopped)
	for {
		over, err := p.clock.Wait(context.Background(), time.Duration(float64(redrawEvery)*p.speed), p.stop)
		if over || err != nil {
			return
		}
		p.mu.Lock()
		p.redraw()
		p.mu.Unlock()
	}
}

// end stops the live view.
func (p *progress) end() {
	if p.stop != nil {
		close(p.stop)
		_, _ = p.clock.Wait(context.Background(), -1, p.stopped) // a context that never ends
	}
	p.screen.end()
}

// findings shows what the check found before anything starts.
func (p *progress) findings(found []plans.Finding) {
	p.screen.line(findingsText(found))
}

// began says that the run exists.
func (p *progress) began(run string, totals runner.Totals) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.totals, p.run = totals, run
	for _, status := range totals.Board {
		p.reached[status.Subject.ID] = status
	}
	p.say(p.clock.Now(), fmt.Sprintf("run %s: %s, %s", run, report.Count(totals.StorageDomains, "storage domain"), report.Count(totals.VMs, "VM")))
}

// observe is the observer of the run's events.
func (p *progress) observe(e engine.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if text := p.words(e); text != "" {
		p.say(e.Time, text)
	}
	p.leaving.observe(e)
	switch e.Kind { // the others change nothing in the live view at once, and there is one for every request
	case "mark", "stage", "boot_condition":
		p.redraw()
	}
}

// say writes a line that stays. The caller holds p.mu.
func (p *progress) say(at time.Time, text string) {
	stamp := offset(at.Sub(p.started)) + "  "
	p.screen.line(stamp + strings.ReplaceAll(text, "\n", "\n"+strings.Repeat(" ", len(stamp))))
}

// words turns an event into what is said about it, "" for what only the journal needs.
func (p *progress) words(e engine.Event) string {
	switch e.Kind {
	case "stage":
		p.stage = e.Text
		clear(p.waiting)
		return "stage: " + e.Text
	case "log", "verdict", "decision", engine.AnswerNote:
		return e.Text
	case engine.QuestionEvent:
		return p.questionWords(e)
	case "warning":
		return "warning: " + e.Text
	case runner.InputNote:
		return "typed: " + oneLine(e.Text)
	case "evidence":
		return p.evidenceWords(e)
	case "confirmation":
		var c stdlib.Confirmation
		if !decode(e.Data, &c) {
			return ""
		}
		return fmt.Sprintf("confirmed by %s: %s is down: %s", c.Name, e.Subject.Name, c.Reason)
	case stdlib.WaitNote:
		return subjectWords(e.Subject) + "not yet: " + e.Text
	case "boot_condition":
		return p.conditionWords(e)
	case "mark":
		return p.markWords(e)
	case "step":
		// Prompts are seen where they are answered.
		if strings.HasPrefix(e.Text, "hook ") || strings.HasPrefix(e.Text, "step ") {
			return subjectWords(e.Subject) + e.Text
		}
	}
	if e.Text != "" && (e.Level == "warn" || e.Level == "error") && e.Kind != "outcome" {
		return strings.TrimSuffix(e.Level, "ing") + ": " + subjectWords(e.Subject) + e.Text
	}
	return ""
}

func subjectWords(s engine.Subject) string {
	if s.Name == "" || !slices.Contains([]string{"vm", "storage_domain", "template"}, s.Kind) {
		return ""
	}
	return s.Name + ": "
}

// decode reads the data of an event, which is the value itself or its JSON.
func decode[T any](data any, into *T) bool {
	switch v := data.(type) {
	case T:
		*into = v
		return true
	case json.RawMessage:
		return json.Unmarshal(v, into) == nil
	}
	return false
}

// questionWords tells where nobody is at the terminal what the run waits for.
func (p *progress) questionWords(e engine.Event) string {
	var q engine.OpenQuestion
	if p.attended || !decode(e.Data, &q) {
		return ""
	}
	return "question " + q.Name + ": " + questionText(q, p.clock.Now()) + "\nwaits for: " + strings.Join(answerCommands(p.run, q, p.state), "\n       or: ")
}

// evidenceWords speaks only when the verdict changes: the source is looked at before every start.
func (p *progress) evidenceWords(e engine.Event) string {
	var verdict stdlib.Verdict
	if !decode(e.Data, &verdict) {
		return ""
	}
	text := "no evidence yet: " + e.Subject.Name + ": " + verdict.Why
	if verdict.Holds {
		text = "evidence (" + verdict.Ground + "): " + e.Subject.Name + ": " + verdict.Why
	}
	// What a silent host says differs from look to look; the ground is what counts.
	key := fmt.Sprint(verdict.Holds, verdict.Ground, verdict.Answers)
	if key == p.evidence {
		return ""
	}
	p.evidence = key
	return text
}

func (p *progress) conditionWords(e engine.Event) string {
	var verdict struct {
		Condition string `json:"condition"`
		OK        bool   `json:"ok"`
		Why       string `json:"why"`
	}
	delete(p.waiting, e.Subject.ID)
	if !decode(e.Data, &verdict) || !verdict.OK {
		return "" // the mark "unverified" says it
	}
	return fmt.Sprintf("%s: runs: %s", e.Subject.Name, verdict.Why)
}

func (p *progress) markWords(e engine.Event) string {
	var status engine.Status
	if !decode(e.Data, &status) {
		return ""
	}
	board := p.vms
	if status.Subject.Kind == "storage_domain" {
		board = p.domains
	} else if status.Subject.Kind != "vm" {
		return ""
	}
	before := board[status.Subject.ID]
	board[status.Subject.ID] = status
	if before.State == status.State && before.Error == status.Error {
		return ""
	}
	delete(p.waiting, status.Subject.ID)
	name, site := status.Subject.Name, status.Subject.Site // the board's rows are those of the target
	if status.Subject.Kind == "storage_domain" {
		name = "storage domain " + name
	}
	switch status.State {
	case stdlib.StateStopped:
		if p.totals.Own {
			return name + ": shut down on " + site
		}
		return name + ": shut down on " + opposite(site)
	case stdlib.StateReleased:
		return name + ": in maintenance on " + opposite(site) + ", released"
	case stdlib.StateQuarantined:
		return fmt.Sprintf("warning: %s: stays on %s: %s", name, opposite(site), cmp.Or(status.Error, status.Detail))
	case stdlib.StateLeft:
		if status.Subject.Kind == "storage_domain" {
			return "" // the workflow says how
		}
		return name + ": no longer on " + site
	case stdlib.StateStarting:
		return name + ": start"
	case stdlib.StateUp:
		p.waiting[status.Subject.ID] = true
		if status.StartedAt != nil && status.UpAt != nil {
			return fmt.Sprintf("%s: up on %s, %s after its start", name, site, span(status.UpAt.Sub(*status.StartedAt)))
		}
		return name + ": up on " + site
	case stdlib.StateFailed, stdlib.StateMissing:
		return fmt.Sprintf("error: %s: %s: %s", name, status.State, status.Error)
	case stdlib.StateUnverified:
		return fmt.Sprintf("warning: %s: up, but its boot condition does not hold: %s", name, status.Error)
	case stdlib.StateNotStarted:
		return fmt.Sprintf("%s: stays down: %s", name, cmp.Or(status.Error, status.Detail))
	}
	return fmt.Sprintf("%s: %s on %s", name, status.State, site)
}

// redraw composes the live view. The caller holds p.mu.
func (p *progress) redraw() {
	if !p.screen.terminal || p.totals.VMs == 0 && p.stage == "" {
		return
	}
	states := p.counted(ovirt.KindVM, p.vms)
	var parts []string
	for _, state := range stdlib.States {
		if states[state] > 0 {
			parts = append(parts, strconv.Itoa(states[state])+" "+state)
		}
	}
	domains := p.counted(ovirt.KindStorageDomain, p.domains)
	storage := fmt.Sprintf("storage domains %d/%d active", domains[stdlib.StateActive], p.totals.StorageDomains)
	for _, state := range []string{stdlib.StateReleased, stdlib.StateLeft} {
		if domains[state] > 0 {
			storage += fmt.Sprintf(", %d %s", domains[state], state)
		}
	}
	lines := []string{
		offset(p.clock.Now().Sub(p.started)) + "  " + p.stage,
		fmt.Sprintf("        %s · %s: %s", storage, report.Count(p.totals.VMs, "VM"), cmp.Or(strings.Join(parts, ", "), "none reached yet")),
	}
	if waits := p.waits(); waits != "" {
		lines = append(lines, "        waiting for "+waits)
	}
	p.screen.show(lines)
}

// counted counts the objects of a kind by their states: as this attempt marked them, else as earlier ones left them.
func (p *progress) counted(kind string, marked map[string]engine.Status) map[string]int {
	counts := map[string]int{}
	for _, status := range marked {
		counts[status.State]++
	}
	for id, status := range p.reached {
		if _, again := marked[id]; !again && status.Subject.Kind == kind {
			counts[status.State]++
		}
	}
	return counts
}

// waits says what is being waited for, as far as it is known.
func (p *progress) waits() string {
	var coming, proving, storage []string
	for id, status := range p.vms {
		switch {
		case status.State == stdlib.StateStarting:
			coming = append(coming, status.Subject.Name)
		case p.waiting[id]:
			proving = append(proving, status.Subject.Name)
		}
	}
	for _, status := range p.domains {
		if status.State == stdlib.StateImported {
			storage = append(storage, status.Subject.Name)
		}
	}
	parts := p.leaving.words(p.clock.Now())
	for _, group := range []struct {
		names []string
		what  string
	}{{storage, "to be active"}, {coming, "to be up"}, {proving, "to meet the boot condition"}} {
		if len(group.names) > 0 {
			parts = append(parts, someNames(group.names, 4)+" "+group.what)
		}
	}
	return strings.Join(parts, "; ")
}

// someNames lists names in order, at most limit of them.
func someNames(names []string, limit int) string {
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(a, b) })
	if len(names) <= limit {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:limit], ", "), len(names)-limit)
}
