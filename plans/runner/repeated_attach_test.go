package runner_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestRepeatedAttachLooksAgain loses the target's engine with the attach request, and while it restarts somebody at the source activates
// what was released there. The client repeats the request, so the look before the first one must not count for the second.
func TestRepeatedAttachLooksAgain(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	if err := p.lab.Fail(lab.Fault{Site: "secondary", Method: "POST", Path: "/datacenters/[^/]+/storagedomains$", Restart: true}); err != nil {
		t.Fatal(err)
	}
	tries := 0
	r := p.planned(plans.ActionFailover, nil, func(o *runner.Options) {
		env := o.Env
		p.whenever(func(e engine.Event) {
			if e.Kind != "intent" || e.Text != ovirt.OpAttachDomain {
				return
			}
			if tries++; tries > 1 {
				return
			}
			p.world.Daemon("person").Go(func() {
				_, _ = env.Clock.Wait(context.Background(), 20*time.Second, nil)
				s := p.open(env, "primary", lab.PrimaryURL, lab.PrimaryUsername, lab.PrimaryPassword)
				domain := p.lab.View().Sites["primary"].StorageDomains[0]
				known, err := s.StorageDomain(context.Background(), domain.ID)
				if err == nil {
					_, _, err = s.ActivateDomain(context.Background(), known.DataCenterID, domain.ID, 10*time.Minute)
				}
				if err != nil {
					t.Error(err)
				}
			})
		})(o)
	})
	expect(t, r, runner.ExitStopped)
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, `"nfs_ds" is active`) {
		t.Errorf("%+v", r.Error)
	}
	for _, v := range p.lab.View().Violations {
		t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	for _, domain := range p.lab.View().Sites["secondary"].StorageDomains {
		if domain.Name == "nfs_ds" && domain.Status != "unattached" {
			t.Errorf("%s is %s on the secondary", domain.Name, domain.Status)
		}
	}
}
