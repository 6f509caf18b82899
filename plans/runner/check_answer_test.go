package runner_test

import (
	"net/http"
	"strings"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans/runner"
)

// dying is the way to a source whose engine dies right before its second look at it.
type dying struct {
	wire
	looks *int
}

func (d dying) RoundTrip(request *http.Request) (*http.Response, error) {
	if strings.HasSuffix(request.URL.Path, "/services/health") {
		if *d.looks++; *d.looks == 2 {
			if err := d.pair.lab.Outage("primary"); err != nil {
				d.pair.t.Error(err)
			}
		}
	}
	return d.wire.RoundTrip(request)
}

// TestSourceDiesBehindTheCheck confirms a source to be down that answers the check, and is silent when the evidence is looked at: its VMs
// may run on, and drrun has seen that the word was wrong.
func TestSourceDiesBehindTheCheck(t *testing.T) {
	t.Parallel()
	p := newPair(t, 1, lab.TwoSitesOptions{})
	looks := 0
	r := p.failover(func(o *runner.Options) {
		o.Transport = func(site string) http.RoundTripper {
			if site == "primary" {
				return dying{wire{p}, &looks}
			}
			return wire{p}
		}
	})
	expect(t, r, runner.ExitRefused)
	if r.Error.Code != "no-evidence" || !strings.Contains(r.Error.Message, "the confirmation of Ann does not count") {
		t.Errorf("error %+v", r.Error)
	}
	if len(p.changes()) > 0 {
		t.Errorf("%d changes", len(p.changes()))
	}
	// Another attempt with a word of its own takes it as silent.
	if err := p.lab.Disaster("primary"); err != nil {
		t.Error(err)
	}
	if err := p.lab.Promote("nfs_ds"); err != nil {
		t.Error(err)
	}
	expect(t, p.failover(nil), runner.ExitDone)
}
