package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// move is one action of the demo that is to be verified.
type move struct {
	action  string
	site    string       // where the VMs must be up now
	exit    int          // of drrun
	running []lab.VMView // the VMs that must be up
	began   time.Time
	atLeast map[string]int64 // what each guest had counted, by VM id, which must not be lost; nil where data may be lost
}

// demoVM is what became of one VM.
type demoVM struct {
	name          string
	rank          int
	status        string
	started, up   time.Time
	counted, here bool
	had, has      int64 // its counter when it was shut down, and now
}

// verify looks at the lab's world, not at what drrun says of itself: every VM that ran is up at the site of the move, no rank started
// before the one below it was up, nothing that was written is lost, and the monitor saw nothing that must never happen.
func (d *demo) verify(m move, after lab.View) (problems []string) {
	ranks, err := d.ranks()
	if err != nil {
		problems = append(problems, err.Error())
	}
	counters := written(after, m.site)
	var vms []demoVM
	for _, was := range m.running {
		vm := demoVM{name: was.Name, status: "missing", had: m.atLeast[was.ID], has: counters[was.ID]}
		vm.rank, vm.counted = ranks[was.ID]
		for _, now := range after.Sites[m.site].VMs {
			if now.ID != was.ID {
				continue
			}
			vm.status, vm.here = now.Status, true
			if now.StartedAt != nil {
				vm.started = *now.StartedAt
			}
			if now.UpAt != nil {
				vm.up = *now.UpAt
			}
		}
		vms = append(vms, vm)
	}
	slices.SortStableFunc(vms, func(a, b demoVM) int { return cmp.Compare(a.rank, b.rank) })
	d.showVMs(m, vms, len(after.Violations))
	for _, vm := range vms {
		switch {
		case !vm.here:
			problems = append(problems, fmt.Sprintf("VM %s is not on the %s site", vm.name, m.site))
		case vm.status != "up":
			problems = append(problems, fmt.Sprintf("VM %s is %s on the %s site, not up", vm.name, vm.status, m.site))
		case !vm.counted:
			problems = append(problems, fmt.Sprintf("VM %s is in no rank of the run", vm.name))
		case vm.started.Before(m.began):
			problems = append(problems, fmt.Sprintf("VM %s was started on the %s site before the move began", vm.name, m.site))
		case vm.has < vm.had:
			problems = append(problems, fmt.Sprintf("VM %s lost data: it had counted to %d when it was shut down, and its disk on the %s site says %d", vm.name, vm.had, m.site, vm.has))
		}
		for _, lower := range vms {
			if lower.rank < vm.rank && !vm.started.IsZero() && lower.up.After(vm.started) {
				problems = append(problems, fmt.Sprintf("VM %s of rank %d was started before VM %s of rank %d was up", vm.name, vm.rank, lower.name, lower.rank))
			}
		}
	}
	for _, v := range after.Violations {
		problems = append(problems, fmt.Sprintf("the lab saw a violation: %s: %s", v.Kind, v.Text))
	}
	return problems
}

func (d *demo) showVMs(m move, vms []demoVM, violations int) {
	d.say("What the lab's world shows on the %s site, in its time since the %s began; violations: %d.", m.site, m.action, violations)
	since := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return offset(at.Sub(m.began))
	}
	rows := [][]string{{"RANK", "VM", "STATUS", "STARTED", "UP", "HAD WRITTEN", "NOW"}}
	for _, vm := range vms {
		had, has := "", ""
		if m.atLeast != nil {
			had, has = strconv.FormatInt(vm.had, 10), strconv.FormatInt(vm.has, 10)
		}
		rows = append(rows, []string{strconv.Itoa(vm.rank), vm.name, vm.status, since(vm.started), since(vm.up), had, has})
	}
	var b strings.Builder
	writeTable(&b, "", rows)
	d.inv.screen.out(b.String())
}

// written returns how far each guest has counted on the storage of a site, by VM id.
func written(world lab.View, site string) map[string]int64 {
	counters := map[string]int64{}
	for _, disk := range world.Disks {
		if disk.Site == site {
			counters[disk.VM] = max(counters[disk.VM], disk.Counter)
		}
	}
	return counters
}

// ranks reads from the report of the newest run which VM has which rank.
func (d *demo) ranks() (map[string]int, error) {
	state := filepath.Join(d.dir, "state")
	runs, err := engine.ListRuns(d.model, state)
	if err != nil {
		return nil, err
	}
	if len(runs) == 0 {
		return nil, errors.New("it left no run")
	}
	text, err := d.model.FS.ReadFile(filepath.Join(runDir(state, runs[0].ID), "report.json"))
	if err != nil {
		return nil, fmt.Errorf("read the report of the run: %w", err)
	}
	var report runner.Result
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("read the report of the run: %w", err)
	}
	ranks := map[string]int{}
	for _, vm := range report.VMs {
		if vm.Rank != nil {
			ranks[vm.ID] = *vm.Rank
		}
	}
	return ranks, nil
}
