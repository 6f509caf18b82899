package runner_test

import (
	"fmt"
	"path"
	"strings"
)

// crashPoint is a moment at which drrun is killed, counted from when it is armed.
type crashPoint struct {
	record, effect, hook int // one of them is set, from 1
	torn                 bool
}

// kind is the kind of moment, as docs/reliability.md names it.
func (c crashPoint) kind() string {
	what := "after a record"
	switch {
	case c.effect > 0:
		what = "after an effect in an engine"
	case c.hook > 0:
		what = "after a hook's effect"
	}
	if c.torn {
		return "power loss " + what
	}
	return what
}

func (c crashPoint) String() string { return fmt.Sprintf("%s %d", c.kind(), c.record+c.effect+c.hook) }

// passed counts what a crash point can come after.
type passed struct{ records, effects, hooks int }

// points are all moments of one that passed so much, each without and with power loss.
func (n passed) points() (points []crashPoint) {
	for _, c := range n.moments() {
		whole := c
		c.torn = true
		points = append(points, whole, c)
	}
	return points
}

// moments are all moments without power loss.
func (n passed) moments() (points []crashPoint) {
	for i := range n.records {
		points = append(points, crashPoint{record: i + 1})
	}
	for i := range n.effects {
		points = append(points, crashPoint{effect: i + 1})
	}
	for i := range n.hooks {
		points = append(points, crashPoint{hook: i + 1})
	}
	return points
}

// atMost is the larger of two in each count.
func (n passed) atMost(m passed) passed {
	return passed{max(n.records, m.records), max(n.effects, m.effects), max(n.hooks, m.hooks)}
}

// spread are at most so many of the moments: half of them after records, a third after effects, and the rest after effects of hooks, as
// far as there are so many. Every second one is with power loss.
func (n passed) spread(most int) (points []crashPoint) {
	for _, kind := range []struct {
		n, most int
		point   func(i int) crashPoint
	}{
		{n.records, most / 2, func(i int) crashPoint { return crashPoint{record: i} }},
		{n.effects, most / 3, func(i int) crashPoint { return crashPoint{effect: i} }},
		{n.hooks, most - most/2 - most/3, func(i int) crashPoint { return crashPoint{hook: i} }},
	} {
		for i := range min(kind.n, kind.most) {
			point := kind.point(1 + i*kind.n/min(kind.n, kind.most))
			point.torn = len(points)%2 == 1
			points = append(points, point)
		}
	}
	return points
}

// every is a part of the moments: each step-th record, and each second effect and effect of a hook. Every second one is with power loss.
func (n passed) every(step int) (points []crashPoint) {
	add := func(c crashPoint) {
		c.torn = len(points)%2 == 1
		points = append(points, c)
	}
	for i := 1; i <= n.records; i += step {
		add(crashPoint{record: i})
	}
	for i := 1; i <= n.effects; i += 2 {
		add(crashPoint{effect: i})
	}
	for i := 1; i <= n.hooks; i += 2 {
		add(crashPoint{hook: i})
	}
	return points
}

// tornBytes are what is left of a record that was being written when the power went.
const tornBytes = 7

// arm lets drrun be killed at the point, which is counted from now; died tells whether it was.
func (p *pair) arm(c crashPoint) (died *bool) {
	died = new(bool)
	p.count()
	reached := func(at int, n int) {
		if at != n || *died {
			return
		}
		*died = true
		p.disarm()
		if c.torn {
			p.world.SetDisk(p.disk.Crash(tornBytes))
			p.disk = p.world.Disk()
		}
		p.world.Group("drrun").Kill()
	}
	p.atRecord = func() { reached(c.record, p.passed.records) }
	p.afterEffect = func(effect int) { reached(c.effect, effect) }
	p.afterHook = func() { reached(c.hook, p.passed.hooks) }
	return died
}

// count begins to count anew what a crash point can come after.
func (p *pair) count() {
	p.effects, p.passed = 0, passed{}
	p.disk.OnAppend = func(file string, _ int) {
		if path.Base(file) != "journal.jsonl" || strings.Contains(file, "/dry-runs/") {
			return
		}
		p.passed.records++
		if p.atRecord != nil {
			p.atRecord()
		}
	}
}

// disarm lets drrun live.
func (p *pair) disarm() { p.afterEffect, p.afterHook, p.atRecord = nil, nil, nil }

// counted returns what was passed since count.
func (p *pair) counted() passed {
	p.passed.effects = p.effects
	return p.passed
}
