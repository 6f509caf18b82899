package runner_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestRetryOfWhatFailed resumes runs that ended with 4 when the cause is mended: what failed is tried again, what is done is not, no VM is
// started twice, and the report of the second attempt supersedes the first one's. What was left at the source by a quarantine:
// TestRestAfterQuarantine; a VM that was started and is down: TestVMDoesNotBoot and TestStartedVMIsDown; a run that was overtaken:
// TestOvertakenRun.
func TestRetryOfWhatFailed(t *testing.T) {
	t.Parallel()
	refusal := lab.Fault{Site: "secondary", Method: "POST", Path: "/register$", Status: 409, Reason: "Operation Failed", Detail: "[Cannot register. The cluster says no.]", Nth: 3, Times: 1}
	for _, c := range []struct {
		name    string
		breaks  func(p *pair)
		vm      string // that is not well after the first attempt
		status  string // what it is then
		says    string // in the first report
		mend    func(p *pair)
		journal map[string]int // how often the journal says something after both
		again   []string       // what the second attempt changes in the engines
	}{
		{
			name: "a VM that is not registered", breaks: func(p *pair) { p.fail(refusal) }, status: "failed", says: "The cluster says no", mend: func(*pair) {},
			again: []string{"register", "start"},
		},
		{
			name: "a VM whose boot condition does not hold in time", vm: "vm2", status: "unverified", says: "VM vm2 is unverified", mend: func(*pair) {},
			breaks: func(p *pair) {
				p.edit(`rank = 1, boot = dr.boot.guest_agent { timeout = "5m" }`, `rank = 1, boot = function(ctx) return ctx.run.attempt > 1 end`)
			},
		},
		{
			name: "a hook that may fail", says: "hook after_start (dns) for vm \"vm2\" failed", mend: func(*pair) {},
			breaks: func(p *pair) {
				p.hook(`plan:on("after_start", function(ctx, vm) if vm.name == "vm2" and ctx.run.attempt == 1 then error("no dns") end return vm.name end, { as = "dns", on_error = "continue" })`)
			},
			journal: map[string]int{`"again":"failed"`: 1, `"key":"hook:after_start/dns/vm/`: 2 * 4}, // three VMs, one of them twice: step and result
		},
		{
			name: "a VM that verify_vm did not accept", vm: "vm3", status: "unverified", says: "VM vm3 is unverified", mend: func(*pair) {},
			breaks: func(p *pair) {
				p.hook(`plan:on("verify_vm", function(ctx, vm) return vm.name ~= "vm3" or ctx.run.attempt > 1 end, { as = "look" })`)
			},
		},
		{
			name: "a VM that went down and was started by hand", vm: "vm2", status: "failed", says: "VM vm2 is failed",
			breaks: func(p *pair) {
				p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2", Times: 1})
			},
			mend: func(p *pair) {
				p.do(func(engine.Env) {
					p.call("secondary", lab.SecondaryURL, lab.SecondaryUsername, lab.SecondaryPassword, "POST", "/vms/"+p.vmID("vm2")+"/start", "<action/>")
				})
				p.wait(5 * time.Minute)
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 11, lab.TwoSitesOptions{})
			c.breaks(p)
			p.lose()
			first := p.failover(nil)
			expect(t, first, runner.ExitPartial)
			name := c.vm
			if i := slices.IndexFunc(first.VMs, func(o runner.ObjectResult) bool { return o.Status == c.status }); name == "" && i >= 0 {
				name = first.VMs[i].Name // which one it met, the order of the requests decides
			}
			if name != "" && vm(t, first, name).Status != c.status {
				t.Errorf("%s: %+v", name, vm(t, first, name))
			}
			if told := first.Error.Message + " " + vm(t, first, "vm1").Error + vm(t, first, "vm2").Error + vm(t, first, "vm3").Error; !strings.Contains(told, c.says) {
				t.Errorf("it does not say %q: %s", c.says, told)
			}
			if len(p.labels()) > 0 {
				t.Errorf("locks are left: %v", p.labels())
			}
			c.mend(p)
			before := len(p.changes())
			second := p.resume(first.Run, nil)
			expect(t, second, runner.ExitDone)
			var again []string
			for _, entry := range p.changes()[before:] {
				verb, _, _ := strings.Cut(entry.Effect, " ")
				if verb != "refresh" {
					again = append(again, verb)
				}
			}
			if !slices.Equal(again, c.again) {
				t.Errorf("the second attempt changed %v, want %v", again, c.again)
			}
			for _, one := range second.VMs {
				if one.Status != "up" || one.Error != "" {
					t.Errorf("%s: %+v", one.Name, one)
				}
			}
			var report runner.Result
			if err := json.Unmarshal([]byte(p.read("/state/runs/"+first.Run+"/report.json")), &report); err != nil || report.Exit != runner.ExitDone || report.Error != nil {
				t.Errorf("the report says exit %d, %+v, %v", report.Exit, report.Error, err)
			}
			started := p.started()
			slices.Sort(started)
			want := []string{"vm1", "vm2", "vm3"}
			if strings.Contains(c.name, "by hand") {
				want = []string{"vm1", "vm2", "vm2", "vm3"}
			}
			if !slices.Equal(started, want) {
				t.Errorf("started %v", started)
			}
			for text, times := range c.journal {
				if n := strings.Count(p.read(p.journal()), text); n != times {
					t.Errorf("the journal says %q %d times, want %d", text, n, times)
				}
			}
			if violations := p.lab.View().Violations; len(violations) > 0 {
				t.Errorf("violations: %v", violations)
			}
		})
	}
}

// TestPartialRunWaitsForNobody begins another run after one that ended with 4, which cannot be resumed any more then.
func TestPartialRunWaitsForNobody(t *testing.T) {
	t.Parallel()
	p := newPair(t, 12, lab.TwoSitesOptions{})
	p.fail(lab.Fault{Kind: lab.FaultVMBoot, Site: "secondary", Subject: "vm2", Times: 1})
	p.lose()
	first := p.failover(nil)
	expect(t, first, runner.ExitPartial)
	second := p.failover(nil)
	expect(t, second, runner.ExitDone)
	if second.Run == first.Run || vm(t, second, "vm2").Status != "up" {
		t.Errorf("run %s, %+v", second.Run, second.VMs)
	}
	before := len(p.changes())
	late := p.resume(first.Run, nil) // it would go by what it knew before the second run
	p.refused(late, "overtaken", before)
	if !strings.Contains(late.Error.Message, second.Run) || !strings.Contains(late.Error.Hint, "drrun status") {
		t.Errorf("%+v", late.Error)
	}
}
