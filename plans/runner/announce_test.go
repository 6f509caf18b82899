package runner_test

import (
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
)

// TestLocksAreAnnouncedOnce: a resumed run does not say again in an engine who has the locks. The engine would refuse that, and of an
// attempt that is cut there nobody could tell afterwards whether it had asked.
func TestLocksAreAnnouncedOnce(t *testing.T) {
	t.Parallel()
	p := newPair(t, 5, lab.TwoSitesOptions{})
	p.lose()
	p.arm(crashPoint{effect: 8})
	p.failover(nil)
	p.disarm()
	run := p.runs()[0].ID
	expect(t, p.resume(run, nil), 0)
	p.do(func(env engine.Env) {
		info, err := engine.ReadRun(env, "/state", run)
		if err != nil {
			t.Error(err)
			return
		}
		posted := map[string]int{}
		for _, record := range info.Records {
			if in := record.Intent; in != nil && in.Op == ovirt.OpPostEvent {
				posted[in.Site+" "+in.Subject.ID]++
			}
		}
		if len(posted) == 0 {
			t.Error("nothing was announced")
		}
		for event, n := range posted {
			if n > 1 {
				t.Errorf("the event %s was posted %d times", event, n)
			}
		}
	})
}
