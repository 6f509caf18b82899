package main

import (
	"fmt"
	"testing"
	"time"

	"drrun/plans/runner"
)

// TestPreviewText says what many objects have in common once, and names a few of them.
func TestPreviewText(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 3, 12, 44, 0, time.UTC)
	p := &runner.Preview{Run: "20261120-0312-3f9a2c", Action: "failover", Plan: "p", PlanFile: "plan.lua", Notes: []string{"one", "two"}}
	for i := range 9 {
		p.Skipped = append(p.Skipped, runner.PreviewItem{What: "hook after_start (dns)", Of: fmt.Sprintf("vm%d", i), Key: fmt.Sprintf("hook:after_start/dns/vm/%d", i), At: at.Add(time.Duration(i) * time.Second), Attempt: 1, Why: "recorded as done"})
	}
	for i := range 2 {
		p.Lost = append(p.Lost, runner.PreviewItem{What: "step mail", Key: fmt.Sprintf("step:a/mail#%d", i+1), At: at, Attempt: 2, Why: "it may be lost", May: true})
	}
	p.ToRun = []runner.PreviewItem{
		{What: "hook verify_vm (look)", Of: "vm1", Key: "hook:verify_vm/look/vm/1", Why: "not recorded yet", May: true},
		{What: "VM", Of: "vm1", Why: "is registered,\nand started"},
	}
	const want = `to resume run 20261120-0312-3f9a2c, failover of p, on the text that it has:

SKIPPED: done, and not done again
  hook after_start (dns) vm0, vm1, vm2, vm3, vm4, vm5 and 3 more: recorded as done (2026-11-20 03:12:52, attempt 1)
      9 keys, as drrun show --steps lists them, such as hook:after_start/dns/vm/0

WILL RUN
  hook verify_vm (look) vm1: not recorded yet, if the run comes to it
  VM vm1: is registered, and started

LOST: recorded, and no longer in the plan
  step mail, 2 times: it may be lost (2026-11-20 03:12:44, attempt 2)
      2 keys, as drrun show --steps lists them, such as 'step:a/mail#1'

DONE UNDER AN OLDER TEXT, and not done again (--redo KEY repeats it)
  nothing

note: one
note: two
`
	if got := previewText(p); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
