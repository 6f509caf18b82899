package runner_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// killAtRecord kills drrun behind the first record of a journal that is meant.
func (p *pair) killAtRecord(meant func(engine.Record) bool) (killed *bool) {
	killed = new(bool)
	p.disk.OnAppend = func(file string, _ int) {
		if path.Base(file) != "journal.jsonl" || *killed {
			return
		}
		lines := strings.Split(strings.TrimSpace(p.read(file)), "\n")
		var record engine.Record
		if err := json.Unmarshal([]byte(lines[len(lines)-1]), &record); err != nil {
			p.t.Error(err)
		}
		if *killed = meant(record); *killed {
			p.world.Group("drrun").Kill()
		}
	}
	return killed
}

// TestCutRequestThatWasRepeated: a request that never left, and that the next attempt sent, is not recorded as done because that attempt
// was cut in turn before it could say so.
func TestCutRequestThatWasRepeated(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	first, again := "", ""
	setHA := func(r engine.Record) bool { return r.Intent != nil && r.Intent.Op == ovirt.OpSetHA }
	killed := p.killAtRecord(func(r engine.Record) bool {
		if setHA(r) {
			first = r.Intent.ID
		}
		return first != ""
	})
	p.planned(plans.ActionFailover, nil, nil)
	if !*killed {
		t.Fatal("no HA was switched off")
	}
	byAdmin := func(o *runner.Options) { p.byAdmin(nil, o) }
	killed = p.killAtRecord(func(r engine.Record) bool {
		if setHA(r) {
			again = r.Intent.ID
		}
		return again != "" && r.Outcome != nil && r.ID == again
	})
	run := p.runs()[0].ID
	p.resume(run, byAdmin)
	if !*killed {
		t.Fatal("it was not switched off again")
	}
	p.disk.OnAppend = nil
	expect(t, p.resume(run, byAdmin), runner.ExitDone)
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
}

// TestTouchThatWasRepeated: a VM that was touched, and is touched again by the next attempt, was touched twice.
func TestTouchThatWasRepeated(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	touches := ""
	killed := p.killAtRecord(func(r engine.Record) bool {
		if r.Intent != nil && r.Intent.Op == ovirt.OpTouchVM {
			touches = r.Intent.ID
		}
		return false
	})
	p.afterEffect = func(int) {
		if log := p.lab.Log(); touches != "" && log[len(log)-1].Correlation == touches {
			p.afterEffect, *killed = nil, true
			p.world.Group("drrun").Kill()
		}
	}
	p.planned(plans.ActionFailover, nil, nil)
	if !*killed {
		t.Fatal("no VM was touched")
	}
	first, again := touches, ""
	killed = p.killAtRecord(func(r engine.Record) bool {
		if r.Intent != nil && r.Intent.Op == ovirt.OpTouchVM {
			again = r.Intent.ID
		}
		return again != "" && again != first && r.Outcome != nil && r.ID == again
	})
	run := p.runs()[0].ID
	byAdmin := func(o *runner.Options) { p.byAdmin(nil, o) }
	p.resume(run, byAdmin)
	if !*killed {
		t.Fatal("it was not touched again")
	}
	p.disk.OnAppend = nil
	expect(t, p.resume(run, byAdmin), runner.ExitDone)
	for _, wrong := range p.wrongs() {
		t.Error(wrong)
	}
}
