package runner_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

const (
	lunAtHome  = "36001405aaaaaaaaaaaaaaaaaaaaaaaaa"
	lunReplica = "36001405bbbbbbbbbbbbbbbbbbbbbbbbb"
)

// withLUN gives vm2 a LUN as a second disk, whose replica is shown to some hosts of the secondary; none means all of them.
func withLUN(hosts ...string) func(w *lab.World) {
	return func(w *lab.World) {
		w.LUNSets = append(w.LUNSets,
			lab.LUNSet{Site: "primary", Name: "raw", Type: "fcp", LUNs: []lab.LUN{{ID: lunAtHome, Size: 1 << 34, Counter: 500}}},
			lab.LUNSet{Site: "secondary", Name: "raw_replica", Type: "fcp", LUNs: []lab.LUN{{ID: lunReplica, Size: 1 << 34}}, Hosts: hosts})
		w.Replications = append(w.Replications, lab.Replication{Domain: "raw", Source: "raw", Target: "raw_replica", Lag: 5 * time.Second})
		for i := range w.Sites[0].VMs {
			if vm := &w.Sites[0].VMs[i]; vm.Name == "vm2" {
				vm.Disks = append(vm.Disks, lab.Disk{ID: "0b7e5a0c-44a5-4c3a-9d53-5d8c2f4d6e73", Alias: "vm2_raw", LUN: lunAtHome})
			}
		}
	}
}

// lunPair is the pair with the LUN, mapped by the plan as somebody has filled it in.
func lunPair(t *testing.T, mapped string, hosts ...string) *pair {
	t.Helper()
	p := newPairOf(t, 3, lab.TwoSitesOptions{}, withLUN(hosts...))
	p.names = []string{"nfs_ds", "raw"}
	text := p.read("/site/plan.lua")
	at := strings.Index(text, `{ primary   = "`+lunAtHome+`"`)
	if at < 0 {
		t.Fatalf("the plan does not map the LUN:\n%s", text)
	}
	end := at + strings.Index(text[at:], "},\n")
	p.write("/site/plan.lua", text[:at]+"{ primary = \""+lunAtHome+"\""+mapped+" "+text[end:])
	return p
}

// failoverWithLUN fails over when the primary has vanished and every replica is writable.
func (p *pair) failoverWithLUN() *runner.Result {
	p.t.Helper()
	p.wait(forLongEnough)
	p.loseAll()
	return p.failover(nil)
}

// TestLUNOfAVM: the LUN's data goes with the VM and comes home with it.
func TestLUNOfAVM(t *testing.T) {
	t.Parallel()
	p := lunPair(t, `, secondary = "`+lunReplica+`"`)
	before := p.described("primary")
	expect(t, p.failoverWithLUN(), runner.ExitDone)
	p.wait(time.Hour)
	if err := p.lab.Heal("primary"); err != nil {
		t.Fatal(err)
	}
	p.replicate()
	p.wait(10 * time.Minute)
	written := p.counters("secondary")
	r := p.planned(plans.ActionFailback, nil, nil)
	expect(t, r, runner.ExitDone)
	p.sound("primary", written)
	p.sameVMs("primary", before)
	p.nothingOfThePlan("secondary")
	if !slices.ContainsFunc(r.Verdicts, func(text string) bool { return strings.Contains(text, "LUN "+lunAtHome+" of VM vm2") }) {
		t.Errorf("verdicts %q", r.Verdicts)
	}
}

// TestLUNThatIsNotThere: its VM is not registered without its data, the others come up.
func TestLUNThatIsNotThere(t *testing.T) {
	t.Parallel()
	p := lunPair(t, `, secondary = "`+lunReplica+`"`, "host1a")
	r := p.failoverWithLUN()
	expect(t, r, runner.ExitPartial)
	if two := vm(t, r, "vm2"); two.Status != "failed" || !strings.Contains(two.Error, lunReplica) || !strings.Contains(two.Error, "vm2_raw") {
		t.Errorf("vm2 %+v", two)
	}
	for _, name := range []string{"vm1", "vm3"} {
		if other := vm(t, r, name); other.Status != "up" {
			t.Errorf("%s %+v", name, other)
		}
	}
}

// TestOptionalLUN: the VM comes up without it, and the run says so.
func TestOptionalLUN(t *testing.T) {
	t.Parallel()
	for name, mapped := range map[string]string{"not there": `, secondary = "` + lunReplica + `", optional = true`, "none": `, optional = true`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := lunPair(t, mapped, "host1a")
			r := p.failoverWithLUN()
			expect(t, r, runner.ExitPartial)
			if two := vm(t, r, "vm2"); two.Status != "up" || !warned(r, "vm2 came without its disk vm2_raw") {
				t.Errorf("vm2 %+v, warnings %q", two, r.Warnings)
			}
		})
	}
}

// TestLUNOfSomeHosts: the VM starts where the LUN is, and the others are named.
func TestLUNOfSomeHosts(t *testing.T) {
	t.Parallel()
	p := lunPair(t, `, secondary = "`+lunReplica+`"`, "host2a")
	r := p.failoverWithLUN()
	if !warned(r, lunReplica, "host2b", "does not start there") {
		t.Errorf("warnings %q", r.Warnings)
	}
	if !slices.ContainsFunc(r.Findings, func(f plans.Finding) bool {
		return f.Code == "lun-not-visible" && strings.Contains(f.Message, "host2b")
	}) {
		t.Errorf("findings %+v", r.Findings)
	}
}
