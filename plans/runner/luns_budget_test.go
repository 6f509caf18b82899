package runner_test

import (
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
)

// TestRequestBudgetOfLUNs counts the reads where hosts are asked for the LUNs that they see: each by the check, before the imports, and over
// iSCSI before the logins too. Otherwise they are those of any storage, and none grows with the VMs.
func TestRequestBudgetOfLUNs(t *testing.T) {
	t.Parallel()
	for _, size := range []lab.TwoSitesOptions{
		{VMs: 3, Domains: 1, Hosts: 2, Kind: plans.StorageFCP}, {VMs: 60, Domains: 4, Hosts: 5, Kind: plans.StorageFCP},
		{VMs: 3, Domains: 1, Hosts: 2, Kind: plans.StorageISCSI}, {VMs: 60, Domains: 4, Hosts: 5, Kind: plans.StorageISCSI},
	} {
		p := newPair(t, 9, size)
		p.lose()
		r := p.failover(nil)
		expect(t, r, 0)
		looks := 2
		if size.Kind == plans.StorageISCSI {
			looks = 3
		}
		used := r.Requests["secondary"]
		if limit := 30 + 12*size.Domains + 3*((size.VMs+499)/500) + looks*size.Hosts; used.Reads > limit {
			t.Errorf("%+v: %d reads, at most %d", size, used.Reads, limit)
		}
		t.Logf("%+v: %+v", size, used)
	}
}
