package runner_test

import (
	"fmt"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestKilledAmongLogins kills drrun after each login, import and attach of LUNs: the resumed run makes no login twice whose session it
// can see, and brings everything up.
func TestKilledAmongLogins(t *testing.T) {
	t.Parallel()
	whole := newPair(t, 5, lab.TwoSitesOptions{VMs: 2, Kind: plans.StorageISCSI})
	whole.lose()
	expect(t, whole.failover(nil), runner.ExitDone)
	points := 0
	for i, entry := range whole.changes() {
		if strings.HasPrefix(entry.Effect, "attach storage domain") {
			points = i + 1
		}
	}
	logins := whole.logins()
	if points < 4+2 {
		t.Fatalf("%d points", points)
	}
	for n := 1; n <= points; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{VMs: 2, Kind: plans.StorageISCSI})
			p.lose()
			p.killAfter(n)
			p.failover(nil)
			if p.afterEffect != nil {
				t.Fatal("it was not killed")
			}
			expect(t, p.resume(p.runID(), nil), runner.ExitDone)
			if now := p.logins(); fmt.Sprint(now) != fmt.Sprint(logins) {
				t.Errorf("logins %v, want %v", now, logins)
			}
			for _, wrong := range p.wrongs() {
				t.Error(wrong)
			}
			p.sound("secondary", nil)
		})
	}
}
