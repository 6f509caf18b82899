package runner_test

import (
	"bytes"
	"testing"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans/report"
	"drrun/plans/runner"
)

// fleet fails the pair's VMs over, with as many resumes as it takes: a person's word counts for half an hour, which 5,000 VMs outlast.
func (p *pair) fleet() (run string) {
	p.t.Helper()
	p.lose()
	r := p.failover(nil)
	for range 5 {
		if r.Exit != runner.ExitStopped {
			break
		}
		r = p.resume(r.Run, nil)
	}
	expect(p.t, r, 0)
	return r.Run
}

// BenchmarkReport5000 makes the report of a failover of 5,000 VMs from its journal, and tells its size.
func BenchmarkReport5000(b *testing.B) {
	p := newPair(b, 3, lab.TwoSitesOptions{VMs: 5000, Domains: 10})
	run := p.fleet()
	var page bytes.Buffer
	b.ReportAllocs()
	for b.Loop() {
		p.do(func(env engine.Env) {
			model, err := runner.ReportOf(env, "/state", run, "")
			if err != nil {
				b.Error(err)
				return
			}
			page.Reset()
			if err := report.HTML(&page, model); err != nil {
				b.Error(err)
			}
		})
	}
	b.ReportMetric(float64(page.Len())/1e6, "MB/page")
}
