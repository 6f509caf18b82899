package runner_test

import (
	"context"
	"testing"

	"drrun/ovirt"
	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// TestCleanOfWhatIsUnattached: somebody has begun to clean by hand and detached the storage domain. It leaves, also where no host of the
// site is up any more.
func TestCleanOfWhatIsUnattached(t *testing.T) {
	t.Parallel()
	for name, hosts := range map[string]bool{"hosts are up": true, "no host is up": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 1, lab.TwoSitesOptions{})
			p.away()
			for _, vm := range p.lab.View().Sites["primary"].VMs {
				if vm.Status != "down" {
					p.stop("primary", vm.Name)
				}
			}
			id := p.domainID("nfs_ds")
			p.engine("primary", func(ctx context.Context, s *ovirt.Site) error {
				known, err := s.StorageDomain(ctx, id)
				if err == nil {
					_, _, err = s.DeactivateDomain(ctx, known.DataCenterID, id, 0)
				}
				if err == nil {
					_, err = s.DetachDomain(ctx, known.DataCenterID, id)
				}
				return err
			})
			if !hosts {
				for _, host := range []string{"host1a", "host1b"} {
					p.dark(lab.FaultHostDown, host)
				}
			}
			p.story = len(p.lab.View().Violations)
			expect(t, p.clean("primary", nil), runner.ExitDone)
			p.nothingOfThePlan("primary")
		})
	}
}
