package runner_test

import (
	"testing"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestIntentsNameTheStorageDomain looks at what a planned run says of its storage domains while it works on them: a screen that waits
// for one of them must be able to name it.
func TestIntentsNameTheStorageDomain(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	r := p.planned(plans.ActionFailover, nil, nil)
	expect(t, r, runner.ExitDone)
	ops := map[string]bool{}
	var info *engine.RunInfo
	p.do(func(env engine.Env) {
		var err error
		if info, err = engine.ReadRun(env, "/state", r.Run); err != nil {
			t.Fatal(err)
		}
	})
	for _, rec := range info.Records {
		if in := rec.Intent; in != nil && in.Subject.Kind == ovirt.KindStorageDomain {
			ops[in.Op] = true
			if in.Subject.Name == "" {
				t.Errorf("%s of a storage domain without a name", in.Op)
			}
		}
	}
	if !ops[ovirt.OpUpdateOVFStore] || !ops[ovirt.OpImportDomain] {
		t.Errorf("it only did %v", ops)
	}
}
