package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"drrun/ovirt"
	"drrun/stdlib"
)

// Timeline is the chart of a run: rows of bars over one axis of time, from 0 to 1000.
type Timeline struct {
	Bands []Band // the attempts, which shade the rows
	Ticks []Tick
	Rows  []Row
	Note  string // what is drawn together; "" when every VM has a row
}

// Band is the time of an attempt, or a pause between two, which is drawn shorter than it was.
type Band struct {
	X, W  float64
	Label string
	Pause bool
	Cut   bool // the attempt has no end
	Even  bool // of the attempts, every other one, to tell them apart
}

// Tick is a mark on the axis.
type Tick struct {
	X     float64 // percent
	Label string
}

// Row is one line of the chart.
type Row struct {
	Kind  string // stage, step, domain, rank or vm
	Label string
	Note  string // the figures in words
	Tone  Tone
	Bars  []Bar
}

// Bar is a stretch of time.
type Bar struct {
	X, W  float64
	Class string // what is drawn: stage, step, wait, boot, proof, stop, storage, bad
	Title string
}

// maxVMRows is up to how many VMs each has a row of its own.
const maxVMRows = 100

// maxStepRows is up to how many steps each has a row of its own; above, those of one title share one.
const maxStepRows = 30

// width is how far the axis reaches.
const width = 1000.0

// pauseShare is how much of the axis a pause between attempts takes at most: a run that was resumed the next morning must still show
// what its attempts did.
const pauseShare = 0.06

// scale maps time to the axis.
type scale struct{ pieces []piece }

type piece struct {
	from, to time.Time
	x0, x1   float64
	pause    bool
}

// newScale counts in seconds as floats: a clock that was set, or a damaged record, may make an attempt last for centuries.
func newScale(attempts []*era) scale {
	worked := 0.0
	for _, a := range attempts {
		worked += lasted(a)
	}
	type stretch struct {
		from, to time.Time
		shown    float64
		pause    bool
	}
	var list []stretch
	total := 0.0
	add := func(from, to time.Time, shown float64, pause bool) {
		list = append(list, stretch{from, to, shown, pause})
		total += shown
	}
	for i, a := range attempts {
		if i > 0 {
			gap := max(a.from.Sub(attempts[i-1].to).Seconds(), 0)
			add(attempts[i-1].to, a.from, min(gap, worked*pauseShare), true)
		}
		add(a.from, a.to, lasted(a), false)
	}
	var s scale
	x := 0.0
	for _, l := range list {
		w := width * l.shown / total
		s.pieces = append(s.pieces, piece{l.from, l.to, x, x + w, l.pause})
		x += w
	}
	return s
}

// lasted is how long an attempt takes on the axis, in seconds; one that was cut at once still shows.
func lasted(a *era) float64 { return max(a.to.Sub(a.from).Seconds(), 1) }

// at is the place of a time, within the axis.
func (s scale) at(t time.Time) float64 {
	for _, p := range s.pieces {
		switch {
		case !t.After(p.from):
			return p.x0
		case t.Before(p.to):
			return p.x0 + (p.x1-p.x0)*float64(t.Sub(p.from))/float64(p.to.Sub(p.from))
		}
	}
	if n := len(s.pieces); n > 0 {
		return s.pieces[n-1].x1
	}
	return 0
}

// minBar keeps what was short visible.
const minBar = 4.0

func (s scale) bar(from, to time.Time, class, title string) Bar {
	x := s.at(from)
	w := max(s.at(to)-x, minBar)
	if x+w > width {
		x = width - w
	}
	return Bar{X: round(x), W: round(w), Class: class, Title: title}
}

func round(x float64) float64 { return float64(int(x*10+0.5)) / 10 }

// tickSteps are the distances that ticks may have.
var tickSteps = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
	15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// ticks marks the axis with times since the beginning of the run, so many that their labels do not touch on a small screen.
func (s scale) ticks(start time.Time) []Tick {
	if len(s.pieces) == 0 {
		return nil
	}
	worked := 0.0
	for _, p := range s.pieces {
		if !p.pause {
			worked += max(p.to.Sub(p.from).Seconds(), 0)
		}
	}
	const most = 5
	step := tickSteps[len(tickSteps)-1]
	for _, candidate := range tickSteps {
		if worked/candidate.Seconds() <= most {
			step = candidate
			break
		}
	}
	if worked/step.Seconds() > most*10 {
		return nil // no run takes that long: the times are not to be trusted
	}
	var ticks []Tick
	next := -1.0
	for _, p := range s.pieces {
		if p.pause {
			continue
		}
		first := (p.from.Sub(start) + step - 1) / step * step
		for offset := first; !start.Add(offset).After(p.to); offset += step {
			x := s.at(start.Add(offset)) / 10
			if x < next || x > 94 {
				continue
			}
			next = x + 14
			ticks = append(ticks, Tick{X: round(x), Label: "+" + tickText(offset)})
		}
	}
	return ticks
}

// tickText is Span without the smaller parts that are none: +30s, +5m, +1h.
func tickText(d time.Duration) string {
	text := Span(d)
	if d >= time.Minute {
		text = strings.TrimSuffix(text, "00s")
	}
	if d >= time.Hour {
		text = strings.TrimSuffix(text, "00m")
	}
	return text
}

func (h *history) timeline(vms []VM, domains []Domain, ranks []Rank) Timeline {
	if len(h.attempts) == 0 {
		return Timeline{}
	}
	s := newScale(h.attempts)
	t := Timeline{Ticks: s.ticks(h.info.Started)}
	attempt := 0
	for _, p := range s.pieces {
		b := Band{X: round(p.x0), W: round(p.x1 - p.x0), Pause: p.pause}
		if p.pause {
			b.Label = "pause of " + Span(p.to.Sub(p.from))
		} else {
			a := h.attempts[attempt]
			attempt++
			b.Label, b.Cut, b.Even = fmt.Sprintf("attempt %d", attempt), a.ended == nil, attempt%2 == 0
		}
		t.Bands = append(t.Bands, b)
	}
	t.Rows = append(h.stageBars(s), h.stepBars(s)...)
	for _, domain := range domains {
		t.Rows = append(t.Rows, h.domainBars(s, domain))
	}
	alone := len(vms) <= maxVMRows
	for _, rank := range ranks {
		if len(vms) == 0 || rank.Started.IsZero() {
			continue
		}
		t.Rows = append(t.Rows, h.rankBars(s, rank))
		for _, vm := range rank.VMs {
			if row, drawn := h.vmBars(s, vm); alone && drawn {
				t.Rows = append(t.Rows, row)
			}
		}
	}
	if !alone {
		t.Note = fmt.Sprintf("The %d VMs are drawn together, a row for each rank.", len(vms))
	}
	return t
}

// stageBars draws the stages, one row for each, with a bar in every attempt that came to it.
func (h *history) stageBars(s scale) []Row {
	var rows []Row
	of := map[string]int{}
	took := map[string]time.Duration{}
	for _, stage := range h.stages {
		i, known := of[stage.name]
		if !known {
			i = len(rows)
			of[stage.name] = i
			rows = append(rows, Row{Kind: "stage", Label: stage.name})
		}
		span := stage.to.Sub(stage.from)
		took[stage.name] += span
		rows[i].Note = exactly(took[stage.name])
		rows[i].Bars = append(rows[i].Bars, s.bar(stage.from, stage.to, "stage", fmt.Sprintf("%s: %s, attempt %d", stage.name, exactly(span), stage.attempt)))
	}
	return rows
}

// stepBars draws the hooks, steps and questions.
func (h *history) stepBars(s scale) []Row {
	together := len(h.steps) > maxStepRows
	var rows []Row
	of := map[string]int{}
	took := map[string]time.Duration{}
	runs := map[string]int{}
	for _, step := range h.steps {
		title := cmp.Or(step.step.Title, step.step.Key)
		key := step.step.Key
		label := title
		if together {
			key = title
		} else if subject := step.step.Subject; subject != nil && subject.Kind != "prompt" && subject.Kind != "run" {
			label += " · " + cmp.Or(subject.Name, subject.ID)
		}
		i, known := of[key]
		if !known {
			i = len(rows)
			of[key] = i
			rows = append(rows, Row{Kind: "step", Label: label})
		}
		end, class := step.ended, "step"
		if strings.HasPrefix(step.step.Key, "prompt:") {
			class = "wait"
		}
		if end.IsZero() {
			end = h.endOfAttemptAt(step.began)
			class = "bad"
		} else if !step.result.OK {
			class = "bad"
		}
		runs[key]++
		took[key] += end.Sub(step.began)
		rows[i].Note = exactly(took[key])
		if runs[key] > 1 {
			rows[i].Note = fmt.Sprintf("%d times, %s", runs[key], exactly(took[key]))
		}
		outcome, tone := stepOutcome(step)
		if tone != Good {
			rows[i].Tone = tone
		}
		bar := s.bar(step.began, end, class, title+": "+Shorten(outcome, 100))
		if n := len(rows[i].Bars); together && n > 0 && rows[i].Bars[n-1].Class == class && bar.X <= rows[i].Bars[n-1].X+rows[i].Bars[n-1].W+1 {
			last := &rows[i].Bars[n-1]
			last.W = round(max(last.W, bar.X+bar.W-last.X))
			continue
		}
		rows[i].Bars = append(rows[i].Bars, bar)
	}
	return rows
}

// endOfAttemptAt is the end of the attempt that was at work at a time.
func (h *history) endOfAttemptAt(t time.Time) time.Time {
	for _, a := range slices.Backward(h.attempts) {
		if !t.Before(a.from) {
			return a.to
		}
	}
	return t
}

// domainBars draws how long it took a storage domain to be released at the source, and to be active on the target from its import on,
// or from the first request where it was imported before.
func (h *history) domainBars(s scale, domain Domain) Row {
	row := Row{Kind: "domain", Label: domain.Name, Note: stateText(domain.State), Tone: domain.Tone}
	asked := map[string]time.Time{} // when it began, by site
	imported := map[string]bool{}
	for _, r := range h.requests {
		in := r.record.Intent
		if in.Subject.Kind != ovirt.KindStorageDomain || in.Subject.ID != domain.ID || in.Look || in.Beside {
			continue
		}
		begins := in.Op == ovirt.OpImportDomain && !imported[in.Site] // what was asked before took an old copy away
		imported[in.Site] = imported[in.Site] || begins
		if begins || asked[in.Site].IsZero() {
			asked[in.Site] = r.record.Time
		}
	}
	draw := func(site string, until time.Time, class, what string) {
		from := asked[site]
		if from.IsZero() {
			return
		}
		if until.IsZero() || until.Before(from) {
			until = h.endOfAttemptAt(from)
			if domain.Tone == Bad {
				class = "bad"
			}
		}
		row.Bars = append(row.Bars, s.bar(from, until, class, fmt.Sprintf("%s: %s, %s", domain.Name, what, Span(until.Sub(from)))))
	}
	if h.facts.Planned {
		draw(h.facts.Source, domain.Released, "stop", "released at "+h.facts.Source)
	}
	draw(h.facts.Target, domain.Active, "storage", "brought to "+h.facts.Target)
	return row
}

func (h *history) rankBars(s scale, rank Rank) Row {
	row := Row{
		Kind: "rank", Label: fmt.Sprintf("rank %d · %s", rank.Number, Count(len(rank.VMs), "VM")),
		Note: fmt.Sprintf("%d of %d up", rank.Up, rank.Wanted), Tone: whole(rank.Up, rank.Wanted),
	}
	end := rank.Ran
	if end.IsZero() {
		end = h.endOfAttemptAt(rank.Started)
	}
	row.Bars = append(row.Bars, s.bar(rank.Started, end, "boot", row.Label+": from the first start until the last is up, "+Span(end.Sub(rank.Started))))
	if rank.Proved.After(end) {
		row.Bars = append(row.Bars, s.bar(end, rank.Proved, "proof", row.Label+": until the last boot condition is met, "+Span(rank.Proved.Sub(end))))
	}
	return row
}

// vmBars draws a VM's shutdown at the source, its start, and the wait for its boot condition.
func (h *history) vmBars(s scale, vm VM) (Row, bool) {
	row := Row{Kind: "vm", Label: vm.Name, Note: stateText(vm.State), Tone: vm.Tone}
	if t := h.vms[vm.ID]; t != nil {
		if stopped := t.last(stdlib.StateStopped); !stopped.IsZero() {
			if from := h.shutdownBefore(vm.ID, stopped); !from.IsZero() {
				row.Bars = append(row.Bars, s.bar(from, stopped, "stop", vm.Name+": shut down, "+Span(stopped.Sub(from))))
			}
		}
	}
	if vm.Started.IsZero() {
		return row, len(row.Bars) > 0
	}
	end, class := vm.Up, "boot"
	if end.IsZero() {
		end, class = h.endOfAttemptAt(vm.Started), "bad"
	}
	row.Bars = append(row.Bars, s.bar(vm.Started, end, class, vm.Name+": started, "+Span(end.Sub(vm.Started))))
	if vm.Proved.After(end) {
		row.Bars = append(row.Bars, s.bar(end, vm.Proved, "proof", vm.Name+": until its boot condition was met, "+Span(vm.Proved.Sub(end))))
	}
	if at := vm.ready(); !at.IsZero() && !vm.Started.IsZero() {
		row.Note = "up after " + Span(at.Sub(vm.Started))
	}
	return row, true
}

// shutdownBefore is when the VM was last asked at the source to stop before it was seen down.
func (h *history) shutdownBefore(vmID string, down time.Time) time.Time {
	for _, r := range slices.Backward(h.requests) {
		in := r.record.Intent
		if in.Subject.ID == vmID && (in.Op == ovirt.OpShutdownVM || in.Op == ovirt.OpStopVM) && !r.record.Time.After(down) {
			return r.record.Time
		}
	}
	return time.Time{}
}
