package main

import (
	"cmp"
	"strings"
	"time"

	"drrun/engine"
	"drrun/plans/runner"
)

// outlook is what can be done now about a run.
type outlook struct {
	run, planFile string
	state         string // --state
	status        string // how the last attempt ended; "" where it has no end
	unfinished    bool
	planned       bool
	undone        bool // it is being undone
	held          bool
	damaged       bool
	open          []engine.OpenQuestion
}

func (s story) outlook() outlook {
	return outlook{
		run: s.info.ID, planFile: s.info.Head.PlanFile, state: s.state, status: s.info.Status, unfinished: s.info.Unfinished(),
		planned: s.planned(), undone: runner.Undone(s.info), held: s.held, damaged: s.damaged(), open: s.open,
	}
}

func (s *standing) outlook(state string) outlook {
	info := engine.RunInfo{Ended: s.Ended, Status: s.Status}
	return outlook{
		run: s.Run, planFile: s.PlanFile, state: state, status: s.Status, unfinished: info.Unfinished(), planned: s.Planned, undone: s.undone,
		held: s.Running, damaged: s.Broken != "", open: s.Questions,
	}
}

// text names the next command, or what the run waits for.
func (o outlook) text(now time.Time) string {
	flag := ""
	if o.state != "" {
		flag = " --state " + shellWord(o.state)
	}
	var b strings.Builder
	switch {
	case len(o.open) > 0:
		return questionsText(o.run, o.open, o.state, now)
	case o.held:
		b.WriteString("next: nothing, it runs\n")
	case o.damaged:
		b.WriteString("next: it cannot be resumed with a damaged journal; see what the engines say: drrun status " + cmp.Or(o.planFile, "PLAN.lua") + "\n")
	case o.undone && o.unfinished:
		b.WriteString("next: it is being undone, go on with that: drrun rollback " + o.run + flag + "\n")
	case o.unfinished:
		b.WriteString("next: drrun resume " + o.run + flag + ", or close it as it is: drrun abort " + o.run + flag + "\n")
		if o.planned {
			b.WriteString("      or, as long as its storage was not promoted, undo it: drrun rollback " + o.run + flag + "\n")
		}
	case o.status == runner.StatusPartial:
		b.WriteString("next: correct what is wrong with what is not up, then: drrun resume " + o.run + flag + "\n")
	default:
		b.WriteString("next: nothing, it has ended\n")
	}
	return b.String()
}
