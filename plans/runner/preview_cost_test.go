package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/plans"
	"drrun/stdlib"
)

// TestPreviewOfManyVMs holds two texts of 5,000 VMs against each other for 20,000 steps, in less than a second.
func TestPreviewOfManyVMs(t *testing.T) {
	t.Parallel()
	facts := &stdlib.Facts{Action: plans.ActionFailover, Source: plans.Primary, Target: plans.Secondary}
	text := strings.Repeat("-- a line of a long plan that names nothing\n", 20000)
	older, newer := textOf(text+`ctx:step("mail")`), textOf(text+`ctx:step("mail") `)
	info := &engine.RunInfo{}
	for i := range 5000 {
		id := fmt.Sprintf("vm-%d", i)
		facts.VMs = append(facts.VMs, stdlib.FactVM{ID: id, Name: id})
		for _, step := range []engine.StepRecord{
			{Key: engine.HookKey("before_start", "dns", engine.Subject{Kind: "vm", ID: id}), Title: "hook before_start (dns)"},
			{Key: "step:failover/" + id + "/mail#1", Title: "step mail"}, {Key: "step:failover/" + id + "/gone#1", Title: "step gone"},
			{Key: engine.PromptKey("who:" + id), Title: "prompt who:" + id},
		} {
			info.Records = append(info.Records, engine.Record{Kind: "step", Step: &step},
				engine.Record{Kind: "result", Result: &engine.ResultRecord{Key: step.Key, OK: true}})
		}
	}
	best := time.Hour
	var p Preview
	for range 5 { // other tests work at the same time
		p = Preview{}
		began := time.Now()
		p.steps(info, facts, newer, func(int) *planText { return older }, nil)
		if best = min(best, time.Since(began)); best < time.Second {
			break
		}
	}
	if best > time.Second || len(p.Older) != 5000 || len(p.Lost) != 15000 {
		t.Errorf("%s; %d done under an older text, %d lost", best, len(p.Older), len(p.Lost))
	}
}

func textOf(lua string) *planText {
	return &planText{
		file: "plan.lua", lua: map[string][]byte{"plan.lua": []byte(lua)}, plan: &plans.Plan{}, same: map[sameAs]bool{},
	}
}
