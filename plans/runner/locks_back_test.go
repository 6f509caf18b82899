package runner_test

import (
	"net/http"
	"testing"
	"time"

	"drrun/ovirt/lab"
)

// TestLocksAreGivenBack: one error of an engine, or one answer that never comes, leaves no lock that would keep other machines away.
func TestLocksAreGivenBack(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]lab.Fault{
		"an error":         {Status: 500, Reason: "Operation Failed", Detail: "[Internal Engine Error]"},
		"no answer":        {Delay: 11 * time.Minute},
		"engine restarted": {Restart: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPair(t, 5, lab.TwoSitesOptions{Domains: 2})
			p.lose()
			fault.Site, fault.Method, fault.Path = "secondary", http.MethodDelete, "/affinitylabels/"
			p.fail(fault)
			r := p.failover(nil)
			expect(t, r, 0)
			if held := p.labels(); len(held) > 0 {
				t.Errorf("left: %v, and the run says %q", held, r.Warnings)
			}
			for _, wrong := range p.wrongs() {
				t.Error(wrong)
			}
		})
	}
}
