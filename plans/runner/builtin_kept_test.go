package runner_test

import (
	"io/fs"
	"strings"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
	"drrun/stdlib"
)

// TestBuiltinWorkflowIsKept: a run that is resumed goes on with drrun's own workflow as it was when the run began, whatever a later drrun
// of the same API number has.
func TestBuiltinWorkflowIsKept(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	p.afterEffect = func(int) {
		if strings.Contains(p.read(p.newestJournal()), `"op":"vm.register"`) {
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
	p.failover(nil)
	run := p.runs()[0]
	kept := "/state/runs/" + run.ID + "/plan/builtin/dr/steps.lua"
	own, err := fs.ReadFile(stdlib.Embedded(), "dr/steps.lua")
	if err != nil {
		t.Fatal(err)
	}
	if p.read(kept) != string(own) {
		t.Errorf("%s is not the workflow of this drrun", kept)
	}
	var first map[string][]byte
	p.do(func(env engine.Env) {
		r, err := engine.OpenRun(env, "/state", run.ID)
		if err == nil {
			if first, err = r.Snapshot(); err == nil {
				first["builtin/dr/failover.lua"] = append([]byte("print(\"the workflow of another day\")\n"), first["builtin/dr/failover.lua"]...)
				err = r.SetSnapshot(first)
			}
			if closeErr := r.Close(); err == nil {
				err = closeErr
			}
		}
		if err != nil {
			t.Error(err)
		}
	})
	p.out = nil
	expect(t, p.resume(run.ID, nil), runner.ExitDone)
	said := false
	for _, e := range p.out {
		said = said || e.Text == "the workflow of another day"
	}
	if !said {
		t.Error("the resume took another workflow than the run has")
	}
}
