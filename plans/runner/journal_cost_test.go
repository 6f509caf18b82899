package runner_test

import (
	"bytes"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"drrun/engine"
	"drrun/ovirt/lab"
	"drrun/plans"
	"drrun/plans/runner"
)

// TestJournalCost: with 5 ms a sync, on the disk and on a mirror, an action takes at most 3 % longer than with none.
func TestJournalCost(t *testing.T) {
	t.Parallel()
	const sync = 5 * time.Millisecond
	for _, c := range []struct {
		vms, domains int
		planned      bool
	}{{3, 1, false}, {60, 4, false}, {60, 4, true}, {300, 4, false}} {
		t.Run(fmt.Sprintf("%d VMs, planned %v", c.vms, c.planned), func(t *testing.T) {
			t.Parallel()
			took := func(syncTime time.Duration, mirror string) (time.Duration, int) {
				p := newPair(t, 7, lab.TwoSitesOptions{VMs: c.vms, Domains: c.domains})
				mirrored := func(o *runner.Options) { o.Mirror = mirror }
				var r *runner.Result
				if c.planned {
					p.marked()
					p.disk.SyncTime = syncTime
					r = p.planned(plans.ActionFailover, nil, mirrored)
				} else {
					p.lose()
					p.disk.SyncTime = syncTime
					r = p.failover(mirrored)
				}
				expect(t, r, runner.ExitDone)
				_, syncs := p.disk.Counts(p.newestJournal())
				return time.Duration(r.Duration * float64(time.Second)), syncs
			}
			free, _ := took(0, "")
			for _, mirror := range []string{"", share} {
				paid, syncs := took(sync, mirror)
				grown := float64(paid-free) / float64(free)
				if grown > 0.03 {
					t.Errorf("mirror %q: %s instead of %s: %.2f %% longer with %d syncs of %s", mirror, paid, free, 100*grown, syncs, sync)
				}
				t.Logf("mirror %q: %s instead of %s: %+.2f %% with %d syncs of %s", mirror, paid.Round(time.Millisecond), free.Round(time.Millisecond), 100*grown, syncs, sync)
			}
		})
	}
}

// firstEffect is a transport that notes when the first changing request of a plan arrives, by the wall.
type firstEffect struct {
	http.RoundTripper
	at *time.Time
}

func (f firstEffect) RoundTrip(request *http.Request) (*http.Response, error) {
	if f.at.IsZero() && request.Method == http.MethodPost && strings.HasSuffix(request.URL.Path, "/start") {
		*f.at = time.Now()
	}
	return f.RoundTripper.RoundTrip(request)
}

// longJournal is how many records the journal of a long run has.
const longJournal = 50_000

// firstEffectOf resumes a run that was cut before its first start, with a long journal, and returns how long it takes by the wall from the
// call to the first new effect, and how long it takes to read such a journal once.
func firstEffectOf(t testing.TB) (all, reading time.Duration) {
	p := newPair(t, 5, lab.TwoSitesOptions{})
	defer p.world.Close()
	p.lose()
	p.afterEffect = func(int) {
		if strings.Contains(p.read(p.newestJournal()), `"op":"vm.register"`) {
			p.afterEffect = nil
			p.world.Group("drrun").Kill()
		}
	}
	p.failover(nil)
	run := p.runs()[0]
	p.do(func(env engine.Env) {
		r, err := engine.OpenRun(env, "/state", run.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := bytes.Count([]byte(p.read(p.newestJournal())), []byte("\n")); i < longJournal-1; i++ {
			r.Note("seen", engine.Subject{Kind: "vm", Site: "secondary", ID: "id", Name: "db1"}, map[string]any{"i": i, "text": "a verdict of usual length, such as one about a boot condition"})
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	})
	var first time.Time
	runtime.GC() // what was made up to here is not the resume's
	begun := time.Now()
	p.do(func(env engine.Env) {
		if _, err := engine.ReadRun(env, "/state", run.ID); err != nil {
			t.Fatal(err)
		}
	})
	reading = time.Since(begun)
	runtime.GC()
	begun = time.Now()
	p.resume(run.ID, func(o *runner.Options) {
		transport := o.Transport
		o.Transport = func(site string) http.RoundTripper { return firstEffect{transport(site), &first} }
	})
	if first.IsZero() {
		t.Fatal("nothing was started")
	}
	return first.Sub(begun), reading
}

// TestLongJournalIsResumedInTime: the first new effect comes at most a second after a journal of 50,000 records was read. A machine that
// does much else at the same time gets several tries.
func TestLongJournalIsResumedInTime(t *testing.T) {
	const limit, tries = time.Second, 10
	best := time.Hour
	for range tries {
		all, reading := firstEffectOf(t)
		if best = min(best, all-reading); best <= limit {
			t.Logf("%d records: first effect after %s, %s of it for reading them once", longJournal, all.Round(time.Millisecond), reading.Round(time.Millisecond))
			return
		}
	}
	t.Errorf("%d records: first effect %s after reading them, at best of %d", longJournal, best, tries)
}

// BenchmarkResumeLongJournal prints how long the first new effect takes with a journal of 50,000 records, reading it included.
func BenchmarkResumeLongJournal(b *testing.B) {
	var sum time.Duration
	for b.Loop() {
		all, _ := firstEffectOf(b)
		sum += all
	}
	b.ReportMetric(sum.Seconds()/float64(b.N), "s-to-first-effect")
	b.ReportMetric(longJournal, "records")
}
